"""The newest versions of a resource, packed into two columns of its row: what the writer compares with, and what a search is checked against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import orjson


class Current(NamedTuple):
    """A head: what one recipient sees of a resource. `body` None: deleted."""

    number: int
    position: int
    body: int | None  # the position that the body is stored under
    digest: str  # of the body, in hex; "" when deleted
    terms: bytes


def pack_terms(terms: Sequence[tuple[str, str]]) -> bytes:
    """Search terms as one line of JSON, in which equal sequences are equal bytes."""
    return orjson.dumps(terms)


@lru_cache(1024)
def unpack_terms(packed: bytes) -> frozenset[tuple[str, str]]:
    """The terms of a line. What was written a moment ago is asked for again: by each recipient, and with the next message of the same person."""
    return frozenset((parameter, value) for parameter, value in orjson.loads(packed))


def terms_of_lines(lines: bytes) -> set[tuple[str, str]]:
    """The terms of all lines of a row."""
    return {term for line in lines.split(b"\n") if line for term in unpack_terms(line)}


NO_TERMS = pack_terms(())

NEVER = Current(0, 0, None, "", NO_TERMS)
"""The head of what a recipient never had: it differs from a deleted one only in the number to go on from."""


def distinct_terms(heads: Mapping[int, Current]) -> bytes:
    """The distinct lines of terms, in the order in which heads first have them."""
    return b"\n".join(dict.fromkeys(head.terms for head in heads.values()))


def pack_heads(heads: Mapping[int, Current], settled: Callable[[int], int]) -> tuple[bytes, bytes]:
    """(heads, terms): terms are the distinct lines; a head ends with the number of its line. `settled` gives the final place of a position."""
    lines: dict[bytes, int] = {}
    packed = [
        (recipient, number, settled(position), None if body is None else settled(body), digest, lines.setdefault(terms, len(lines)))
        for recipient, (number, position, body, digest, terms) in heads.items()
    ]
    return orjson.dumps(packed), b"\n".join(lines)


def unpack_heads(heads: bytes, terms: bytes) -> dict[int, Current]:
    """Heads by recipient's number."""
    lines = terms.split(b"\n")
    return {
        recipient: Current(number, position, body, digest, lines[line]) for recipient, number, position, body, digest, line in orjson.loads(heads)
    }
