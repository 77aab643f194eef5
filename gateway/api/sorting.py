"""Sorting results by several keys, and pages of them that begin after a record, whatever is inserted meanwhile. http://hl7.org/fhir/R4/search.html#sort"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from functools import total_ordering
from typing import Any, NamedTuple

from gateway.api.access import Seen
from gateway.errors import Malformed
from gateway.fhir import search

UPDATED = "_lastUpdated"
Place = list[Any]
"""Where a record stands in the order: the value of each key (None where it has none), and its id, which decides between equals."""


class Key(NamedTuple):
    """One key of a _sort. `parameter` is None for _lastUpdated and _id."""

    name: str
    descending: bool
    parameter: search.Parameter | None

    def of(self, one: Seen) -> search.SortKey:
        """What a record is sorted by; None where it has no such value."""
        if self.parameter is None:
            return one.updated if self.name == UPDATED else str(one.resource["id"])
        return search.sort_key(one.resource, self.parameter, self.descending)


def read_sort(type: str, value: str) -> tuple[Key, ...]:
    """The keys that `_sort` names. Raises Malformed."""
    keys = []
    for one in value.split(","):
        name = one.removeprefix("-")
        parameter = search.parameters(type).get(name)
        if parameter is None and name not in (UPDATED, "_id"):
            raise Malformed("Results are not sorted by this", location=f"{type}?_sort", advice="Sort by search parameters; a - turns the order.")
        keys.append(Key(name, one.startswith("-"), parameter))
    return tuple(keys)


def by_change_alone(keys: Sequence[Key]) -> bool:
    """Whether the store's own order, or its reverse, is what is asked for."""
    return not keys or keys[0].name == UPDATED  # no two records share a moment, so what follows decides nothing


def page(rows: Iterable[Seen], keys: Sequence[Key], after: Place | None, count: int) -> list[Seen]:
    """The first `count` records behind a place."""
    beyond = None if after is None else _ordered(keys, after)
    placed = ((_ordered(keys, place(one, keys)), one) for one in rows)
    behind = (each for each in placed if beyond is None or each[0] > beyond)
    return [one for _, one in heapq.nsmallest(count, behind, key=lambda each: each[0])]


def place(one: Seen, keys: Sequence[Key]) -> Place:
    """Where a record stands."""
    return [*(key.of(one) for key in keys), str(one.resource["id"])]


def _ordered(keys: Sequence[Key], place: Place) -> tuple[Any, ...]:
    """A place as something that can be compared: what has no value comes last, whichever way it is sorted."""
    values = ((value is None, _Turned(value) if key.descending and value is not None else value) for key, value in zip(keys, place, strict=False))
    return (*((absent, 0 if absent else value) for absent, value in values), place[-1])


@total_ordering
class _Turned:
    """A value that is less where it is greater."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Turned) -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Turned) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]
