"""Queries: what the parameters of a search ask for. http://hl7.org/fhir/R4/search.html

A parameter that there is not is refused, and named; with `Prefer: handling=lenient` it is left out, and the self link says what was used. Leave for
every type that the search reaches is asked here, before anything is looked for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from gateway.api.chains import Asking, Reach, read_reach
from gateway.api.grants import grant
from gateway.api.inclusions import PARAMETERS as INCLUSIONS
from gateway.api.inclusions import Inclusion, read_inclusion
from gateway.api.requests import PRESENTATION
from gateway.api.selections import Selection
from gateway.api.services import Services
from gateway.api.sorting import Key, by_change_alone, read_sort
from gateway.api.subsets import WHOLE, Subset, read_subset
from gateway.errors import Malformed
from gateway.smart.access import Caller

CONTINUE = "_cursor"
TOTALS = ("none", "estimate", "accurate")


@dataclass(slots=True)
class Query:
    """A search as asked: which records are meant, and how they are to be given."""

    selection: Selection
    count: int
    reaches: list[Reach] = field(default_factory=list)
    includes: list[Inclusion] = field(default_factory=list)
    sort: tuple[Key, ...] = ()
    subset: Subset = WHOLE
    total: str = ""  # as _total says; "": told where it costs nothing
    cursor: str = ""
    told: list[tuple[str, str]] = field(default_factory=list)  # the parameters that were used, for the self link

    @property
    def type(self) -> str:
        return self.selection.type

    @property
    def counts(self) -> bool:
        """Whether only the number of records is asked for."""
        return self.count == 0 or self.subset.counts

    @property
    def sorted(self) -> bool:
        """Whether in another order than that of changes."""
        return not by_change_alone(self.sort)

    @property
    def newest_first(self) -> bool:
        return bool(self.sort) and self.sort[0].descending

    @property
    def quick(self) -> bool:
        """Whether the index answers it page by page."""
        return self.selection.simple and not (self.reaches or self.includes or self.sorted or self.counts or self.total in ("accurate", "estimate"))

    @property
    def purpose(self) -> str:
        """What binds a cursor to its search."""
        return f"{self.type}?{orjson.dumps(sorted(self.told)).decode()}"


def read_query(services: Services, caller: Caller, type: str, parameters: Sequence[tuple[str, str]], lenient: bool = False) -> Query:
    """The query in the parameters. Raises Forbidden for a type that no scope opens, and Malformed for what there is not, unless lenient."""
    query = Query(Selection(grant(caller, type, "s")), services.limits.page_default)
    asking = Asking(caller, services.fhir_url, time.time_ns() // 1_000)
    for name, value in parameters:
        if name in PRESENTATION:
            continue
        if name == CONTINUE:
            query.cursor = value
        elif name == "_count":
            query.told.append((name, str(_count(services, query, value))))
        elif _result_parameter(caller, query, name, value) or _criterion(asking, query, name, value):
            query.told.append((name, value))
        elif not lenient:
            raise Malformed(
                "There is no such search parameter", location=f"{type}?{_safe(name)}", advice="Leave it out, or send Prefer: handling=lenient."
            )
    if query.subset.summary == "text" and query.includes:
        raise Malformed("With _summary=text nothing is included", location=f"{type}?_summary")
    return query


def _safe(name: str) -> str:
    """A parameter's name as far as it may be repeated: names are of the sender's making."""
    return name if name.replace("-", "").replace("_", "").replace(":", "").replace(".", "").isalnum() and len(name) < 50 else "…"


def _criterion(asking: Asking, query: Query, name: str, value: str) -> bool:
    reach = read_reach(asking, query.type, name, value)
    if reach is not None:
        query.reaches.append(reach)
        return True
    return query.selection.narrow(name, value, asking.base_url, asking.now)


def _count(services: Services, query: Query, value: str) -> int:
    """How many a page holds: as many as were asked for and a page may hold."""
    if not (value.isascii() and value.isdigit()) or len(value) > 9:
        raise Malformed("This is no number of resources", location=f"{query.type}?_count")
    query.count = min(int(value), services.limits.page)
    return query.count


def _result_parameter(caller: Caller, query: Query, name: str, value: str) -> bool:
    if name == "_sort":
        query.sort = read_sort(query.type, value)
    elif name == "_total":
        if value not in TOTALS:
            raise Malformed("There is no such total", location=f"{query.type}?_total", advice=f"It is one of {', '.join(TOTALS)}.")
        query.total = value
    elif name in ("_summary", "_elements"):
        query.subset = read_subset(query.type, name, value, query.subset)
    elif name in INCLUSIONS:
        query.includes.append(read_inclusion(caller, query.type, name, value))
    else:
        return False
    return True
