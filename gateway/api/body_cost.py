"""What a body may cost, told by its size alone, before it is looked at more closely."""

from __future__ import annotations

from typing import Any

from gateway.errors import TooLarge

MOST_ELEMENTS = 20_000
"""JSON values in what a client writes: two hundred entries of a hundred. A document in base64 is one value, however long; what costs time is to hold
each value to R4, half a minute for what fits into the bytes that a feed may send."""


def check_elements(value: Any) -> None:
    """Raises TooLarge for JSON of more values than are taken."""
    level, found = [value], 0
    while level:
        found += len(level)
        if found > MOST_ELEMENTS:
            raise TooLarge("The body has too many elements", advice=f"At most {MOST_ELEMENTS} are taken at once.")
        level = [child for node in level if isinstance(node, (dict, list)) for child in (node.values() if isinstance(node, dict) else node)]
