"""One `serve` to a data directory: an operating-system lock, which a killed process leaves free."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import Usage

LOCK_FILE = "serve.lock"

# `is_being_served` holds the lock for an instant; whoever wants to serve at that instant tries again.
_ATTEMPTS = 5
_PAUSE = 0.02


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def lock_for_serving(data_dir: Path) -> Iterator[None]:
    """Holds the data directory for this process. Raises `Usage` if another process holds it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for _ in range(_ATTEMPTS):
            if _take(descriptor):
                break
            time.sleep(_PAUSE)
        else:
            raise Usage("Another gateway is serving this data directory", advice="Stop it first, or use another directory with --data.")
        yield
    finally:
        os.close(descriptor)  # which also gives the lock back


def is_being_served(data_dir: Path) -> bool:
    """Does a running process hold the data directory?"""
    try:
        descriptor = os.open(data_dir / LOCK_FILE, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _take(descriptor)
    finally:
        os.close(descriptor)
