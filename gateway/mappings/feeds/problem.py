"""What is wrong with a feed profile, in words for a person; where it stands is told by path, and made a line by whoever read the file."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

_SHORT = 3
"""A word of so few letters is like many others, and means none of them."""


class Problem(NamedTuple):
    """`path` is the keys below [[feed]] (empty: the feed itself); `words` follow the key in a sentence; `advice` is whole sentences or ""."""

    path: tuple[str | int, ...]
    words: str
    advice: str = ""


def nearest(said: str, known: Sequence[str]) -> str:
    """ "Did you mean X?", for the known word that is most like what was said, in any case; "" where none is, or it is too short to tell."""
    if len(said) <= _SHORT:
        return ""
    by_case = {each.casefold(): each for each in known}
    found = get_close_matches(said.casefold(), list(by_case), n=1, cutoff=0.6)
    return f"Did you mean {by_case[found[0]]}?" if found else ""
