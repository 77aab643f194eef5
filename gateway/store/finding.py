"""Finding current versions by search terms: which way is the shortest, and whether a recipient's own version has the terms.

Two ways lead to a page. A small *set* of resources that some index names (a term, an id, a partition) is looked up and sorted; or the type is
*walked* in order of position, past what the index of terms does not name: that costs little where many match, or where little lies beyond the
position asked from. They cost the same at about the root of (page x resources of the type), a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import orjson

from gateway.store import sql
from gateway.store.connection import Connection
from gateway.store.heads import unpack_heads
from gateway.store.rows import indexed
from gateway.store.wanted import Wanted

FEW = 200
"""A set of at most so many is looked up."""
SEVERAL = 1_000
"""And of so many, unless one in four of what would be walked is of it. No more than that are counted."""

_REMEMBERED, _TAKEN_FOR_LARGE = 1_000, 100
"""Sets that were too large: so many are remembered, each for so many questions. A set that has shrunk meanwhile is found all the same, by a walk."""

_FOREVER = 2**63 - 1
_LAST = "\U0010ffff"
"""Above all that may follow a beginning."""

Row = Sequence[Any]
"""type, name, number, position, body, partition, heads, terms"""


class Finder:
    """Finds rows inside a read transaction. `walk` runs a statement whose rows are fetched as they are asked for."""

    def __init__(self, connection: Connection, words: Callable[[str], int | None], walk: Callable[..., Iterable[Any]]) -> None:
        self._connection, self._words, self._walk = connection, words, walk
        self._large: dict[_Set, int] = {}  # sets that were too large, and how often they are to be taken for that before they are counted again

    def rows(self, owner: int, type: str, wanted: Wanted) -> Iterator[Row]:
        """The rows of the owner's current versions that have all that is wanted, in its order."""
        kind, terms = self._words(type), tuple(_terms(wanted))
        if kind is None or not all(term.values for term in terms):
            return iter(())
        sets = [self._set(kind, type, term) for term in terms]
        if wanted.get("partition") is not None:
            sets.append(_Set(sql.IN_PARTITION, (wanted["partition"],)))
        return islice(self._way(sets, _bounds(owner, kind, wanted), wanted, _Matching(owner, wanted)), wanted.get("limit"))

    def _way(self, sets: Sequence[_Set], bounds: tuple[int, ...], wanted: Wanted, matching: _Matching) -> Iterator[Row]:
        if not sets:
            return iter(self._walk(sql.IN_ORDER + _direction(wanted), bounds))
        chosen, size = self._fewest(sets)
        if size <= FEW or (size <= SEVERAL and self._lie_between(bounds, 4 * size)):
            return filter(matching, self._of_resources(chosen, bounds, wanted))
        named = [each for each in sets if each.names]
        statement = sql.NAMED_IN_ORDER.format("".join(sql.NAMED.format(each.names) for each in named)) + _direction(wanted)
        return filter(matching, self._walk(statement, (*bounds, *(value for each in named for value in each.parameters))))

    def _of_resources(self, chosen: _Set, bounds: tuple[int, ...], wanted: Wanted) -> Iterable[Row]:
        return self._connection.execute(sql.OF_RESOURCES.format(chosen.query) + _direction(wanted), (*chosen.parameters, *bounds))

    def _set(self, kind: int, type: str, term: _Term) -> _Set:
        """The resources of which somebody's head has the term."""
        if term.parameter == "_id":
            return _Set(sql.WITH_ID.format(_marks(term.values)), (*term.values, kind))
        word = self._words(f"{type}.{term.parameter}")
        if term.beginnings:
            between = [bound for value in term.values for bound in (value, value + _LAST)]
            return _Set(sql.WITH_BEGINNING.format(" OR ".join([sql.BEGINNING] * len(term.values))), (word, *between))
        names = sql.HAS_TERM.format(_marks(term.values))
        return _Set(sql.WITH_TERM.format(names), (word, *map(indexed, term.values)), names)

    def _fewest(self, sets: Sequence[_Set]) -> tuple[_Set, int]:
        """The smallest set and its size, counted no further than is of interest."""
        best, least = sets[0], SEVERAL + 1
        for each in sets:
            if self._large.get(each, 0):
                self._large[each] -= 1
                continue
            count = self._connection.execute(sql.COUNT_FOUND.format(each.query), (*each.parameters, least)).fetchone()[0]
            if count < least:
                best, least = each, count
            elif count > SEVERAL:
                self._remember(each)
        return best, least

    def _remember(self, large: _Set) -> None:
        if len(self._large) >= _REMEMBERED:
            self._large.clear()
        self._large[large] = _TAKEN_FOR_LARGE

    def _lie_between(self, bounds: tuple[int, ...], versions: int) -> bool:
        """Whether so many versions of the type lie between the bounds."""
        return bool(self._connection.execute(sql.COUNT_BETWEEN, (*bounds, versions)).fetchone()[0] == versions)


class _Set(NamedTuple):
    """Resources that an index names: a query for them, and its parameters. `names`: what it asks of a row of `term`, where it can be asked of one."""

    query: str
    parameters: tuple[object, ...]
    names: str = ""


class _Term(NamedTuple):
    parameter: str
    values: Sequence[str]
    beginnings: bool


def _terms(wanted: Wanted) -> Iterator[_Term]:
    yield from (_Term(parameter, values, False) for parameter, values in wanted.get("terms", ()))
    yield from (_Term(parameter, values, True) for parameter, values in wanted.get("beginnings", ()))


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _direction(wanted: Wanted) -> str:
    return " DESC" if wanted.get("newest_first") else ""


def _bounds(owner: int, kind: int, wanted: Wanted) -> tuple[int, ...]:
    """What a page goes on from bounds it on the side from which it comes."""
    after, updated_after, updated_before = wanted.get("after"), wanted.get("updated_after"), wanted.get("updated_before")
    lower = -1 if updated_after is None else updated_after
    upper = _FOREVER if updated_before is None else updated_before
    if after is not None:
        lower, upper = (lower, min(upper, after)) if wanted.get("newest_first") else (max(lower, after), upper)
    return owner, kind, lower, upper


class _Matching:
    """Does the recipient's own head have every term? The index only says that somebody's has. A head's terms are a line of JSON, and a term stands in
    it byte for byte: looking for these is several times quicker than reading it."""

    def __init__(self, owner: int, wanted: Wanted) -> None:
        self._owner, self._partition = owner, wanted.get("partition")
        self._ids = [frozenset(values) for parameter, values in wanted.get("terms", ()) if parameter == "_id"]
        self._needles = [[_needle(term, value) for value in term.values] for term in _terms(wanted) if term.parameter != "_id"]

    def __call__(self, row: Row) -> bool:
        _, id, *_, partition, heads, terms = row
        if self._partition is not None and partition != self._partition:
            return False
        if self._ids and not all(id in ids for ids in self._ids):
            return False
        if not self._needles:
            return True
        line = terms if b"\n" not in terms else unpack_heads(heads, terms)[self._owner].terms
        for needles in self._needles:
            for needle in needles:
                if needle in line:
                    break
            else:
                return False
        return True


def _needle(term: _Term, value: str) -> bytes:
    packed = orjson.dumps([term.parameter, value])
    return packed[:-2] if term.beginnings else packed
