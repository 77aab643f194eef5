"""Progress on stderr, for whatever takes longer than two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def counting() -> Iterator[Callable[[str, int], None]]:
    """A counter that speaks up after two seconds, once a second."""
    started = spoken = time.monotonic()

    def progress(what: str, number: int) -> None:
        nonlocal spoken
        now = time.monotonic()
        if now - started > 2 and now - spoken > 1:
            spoken = now
            print(f"\r{number} {what} ", end="", file=sys.stderr, flush=True)

    yield progress
    if spoken != started:
        print(file=sys.stderr)
