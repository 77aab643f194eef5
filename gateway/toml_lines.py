"""On which line of a TOML text a key stands. `tomllib` gives values without their lines, which are wanted only when one is refused."""

from __future__ import annotations

import tomllib
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any


def line_of(text: str, path: Sequence[str | int]) -> int:
    """The line, from 1, of the statement that first says anything of `path` (("feed", 0, "timezone")); 0 where none does.

    The first lines of a TOML file are TOML themselves, unless they end within a value of several lines, and what they say only grows: so the
    place is found by halving, and it is the same whether a key is dotted, quoted or inline. `text` is TOML.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    last = bisect_left(range(len(lines) + 1), True, key=lambda count: _says(_whole(lines, count)[1], path))
    return _whole(lines, last - 1)[0] + 1 if 0 < last <= len(lines) else 0


def broken_line(text: str) -> int:
    """The line, from 1, of the statement at which a text stops being TOML."""
    lines = text.replace("\r\n", "\n").split("\n")
    return _whole(lines, len(lines))[0] + 1


def _whole(lines: list[str], count: int) -> tuple[int, dict[str, Any]]:
    """(how many of the first `count` lines are whole statements, what these say)."""
    while True:
        try:
            return count, tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            count -= 1


def _says(said: Any, path: Sequence[str | int]) -> bool:
    for step in path:
        if isinstance(step, int):
            if not isinstance(said, list) or step >= len(said):
                return False
        elif not isinstance(said, dict) or step not in said:
            return False
        said = said[step]
    return True
