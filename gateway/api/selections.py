"""Selections: which records of one type are meant, and how they are looked for in a recipient's view.

The index is asked first; what it cannot answer, each record that it finds is looked at for. Every search goes through here, the inner ones of chains
as well: so none reaches beyond the recipient's view or the scope's grant, and none looks at more than its budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.api.access import Seen, View
from gateway.api.grants import Grant
from gateway.errors import Malformed, TooLarge
from gateway.fhir import search, times
from gateway.store.wanted import Wanted

Json = dict[str, Any]

_AT_ONCE = 1_000
"""Records that are looked at between two questions to the index."""
_LISTED = 500
"""Ids or references that the index is asked for at once; of more, each record is looked at."""


class Budget:
    """How many records a search may still look at outside the index."""

    def __init__(self, records: int) -> None:
        self.left = records

    def spend(self, records: int) -> None:
        """Look at some more. Raises TooLarge where that is too much."""
        self.left -= records
        if self.left < 0:
            raise TooLarge("This search would look at too many resources", advice="Narrow it by patient, status, identifier or _lastUpdated.")


@dataclass(slots=True)
class Selection:
    """Records of the grant's type that meet all that is asked."""

    leave: Grant
    terms: list[tuple[str, Sequence[str]]] = field(default_factory=list)
    beginnings: list[tuple[str, Sequence[str]]] = field(default_factory=list)
    tests: list[search.Criterion] = field(default_factory=list)
    ids: list[frozenset[str]] = field(default_factory=list)  # each must hold the record's id: too many to ask the index for
    updated_after: int | None = None  # exclusive
    updated_before: int | None = None  # exclusive

    @property
    def type(self) -> str:
        return self.leave.type

    @property
    def simple(self) -> bool:
        """Whether the index alone answers it."""
        return not self.tests and not self.ids and self.leave.whole

    def narrow(self, name: str, value: str, base_url: str, now: int) -> bool:
        """Narrow by one parameter of a query; False where the type has none of this name. Raises Malformed."""
        if name == "_id":
            self.terms.append(("_id", tuple(value.split(","))))
        elif name == "_lastUpdated":
            self._last_updated(value)
        else:
            asked = search.criterion(self.type, name, value, base_url, now)
            if asked is None:
                return False
            self.meet(asked)
        return True

    def meet(self, asked: search.Criterion) -> None:
        """Narrow by a criterion."""
        found = search.lookup(asked)
        if found is None or not found.exact or len(found.values) > _LISTED:
            self.tests.append(asked)
        if found is not None and len(found.values) <= _LISTED:
            (self.beginnings if found.beginnings else self.terms).append((found.name, found.values))

    def among(self, ids: Sequence[str]) -> None:
        """Narrow to records with these ids."""
        if len(ids) <= _LISTED:
            self.terms.append(("_id", ids))
        else:
            self.ids.append(frozenset(ids))

    def _last_updated(self, value: str) -> None:
        """Narrow by the last change. A time of day is taken as that very moment, not as the stretch its precision spans: a poller that asks `gt` what
        it last saw, and writes fewer digits than we do, is given a row twice rather than never."""
        prefix, text = search.split_prefix(value)
        span = times.stretch(text)
        if span is None or prefix in ("ne", "ap"):
            raise Malformed("This is no time to search by", location=f"{self.type}?_lastUpdated")
        first, end = (span[0], span[0] + 1) if "T" in text and prefix in ("gt", "sa") else span
        lower = {"gt": end - 1, "sa": end - 1, "ge": first - 1, "eq": first - 1}.get(prefix)
        upper = {"lt": first, "eb": first, "le": end, "eq": end}.get(prefix)
        if lower is not None:
            self.updated_after = lower if self.updated_after is None else max(lower, self.updated_after)
        if upper is not None:
            self.updated_before = upper if self.updated_before is None else min(upper, self.updated_before)

    def rows(self, look: View, budget: Budget, *, after: int | None = None, newest_first: bool = False, likely: int = _AT_ONCE) -> Iterator[Seen]:
        """The records, in order of their last change; `after` the position that a page ended with. `likely`: how many are going to be asked for."""
        chunk = likely if self.simple else min(2 * likely, _AT_ONCE)
        while True:
            found = look.search(self.type, **self._wanted(Wanted(after=after, newest_first=newest_first, limit=chunk)))
            if self.simple:
                yield from found
            else:
                budget.spend(len(found))
                yield from (one for one in found if self._holds(one.resource, look))
            if len(found) < chunk:
                return
            after, chunk = found[-1].position, min(2 * chunk, _AT_ONCE)

    def count(self, look: View, budget: Budget) -> int:
        """How many there are. Raises TooLarge where more would have to be looked at than the budget allows."""
        if not self.simple:
            return sum(1 for _ in self.rows(look, budget))
        counted = look.count(self.type, **self._wanted(Wanted(limit=budget.left + 1)))
        budget.spend(counted)
        return counted

    def _wanted(self, page: Wanted) -> Wanted:
        """What the index is asked for a page."""
        page["terms"] = [*self.terms, *self.leave.narrowing()]
        page["beginnings"] = self.beginnings
        page["updated_after"], page["updated_before"] = self.updated_after, self.updated_before
        return page

    def _holds(self, resource: Json, look: View) -> bool:
        if not all(resource["id"] in ids for ids in self.ids):
            return False
        return all(search.matches(resource, asked) for asked in self.tests) and self.leave.opens(resource, look)
