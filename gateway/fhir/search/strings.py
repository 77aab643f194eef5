"""Strings: compared from their beginning, without case or accents. http://hl7.org/fhir/R4/search.html#string"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

_PARTS = ("family", "given", "prefix", "suffix", "text", "line", "city", "district", "state", "postalCode", "country")
"""Of a HumanName or an Address: every string that is searched."""


def strings(value: Any) -> Iterator[str]:
    """The strings of an element: itself, or every part of a name or an address."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in _PARTS:
            stands = value.get(part, ())
            yield from (one for one in (stands if isinstance(stands, list) else (stands,)) if isinstance(one, str))


def plain(text: str) -> str:
    """A string as it is compared: no case, no accents, one blank for many."""
    if not text.isascii():
        text = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return " ".join(text.casefold().split())
