"""The search interaction. http://hl7.org/fhir/R4/http.html#search

Results come in the order of their last change that the recipient may see, unless another is asked for; pages continue after the last record given, so
that nothing that changes meanwhile repeats or drops another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from gateway.api import cursor, sorting
from gateway.api.access import Seen, View, view
from gateway.api.answers import FhirResponse
from gateway.api.inclusions import included
from gateway.api.queries import CONTINUE, Query, read_query
from gateway.api.requests import Call, encoded
from gateway.api.selections import Budget
from gateway.api.services import Services
from gateway.errors import Malformed, TooLarge
from gateway.smart.access import Caller

__all__ = ["CONTINUE", "Page", "Query", "read_query", "run", "search_type"]

Json = dict[str, Any]


@dataclass(slots=True)
class Page:
    """One page of results; `following` is the cursor of the next, "" at the end; `total` None where it is not told."""

    found: list[Seen]
    included: list[Seen]
    following: str
    total: int | None


async def search_type(services: Services, caller: Caller, call: Call) -> FhirResponse:
    """Search one resource type. What the index does not answer alone is looked for on another thread, so that nobody waits for it."""
    query = read_query(services, caller, call.path[0], call.parameters, lenient=call.prefers("handling=lenient"))
    return _searched(services, caller, query) if query.quick else await asyncio.to_thread(_searched, services, caller, query)


def _searched(services: Services, caller: Caller, query: Query) -> FhirResponse:
    with view(services.store, caller.recipient) as look:
        page = run(services, look, query)
    return FhirResponse(bundle(services, query, page))


def run(services: Services, look: View, query: Query, budget: Budget | None = None) -> Page:
    """One page of the query's results. `budget` is that of several searches together."""
    budget = budget or Budget(services.limits.scan)
    for reach in query.reaches:
        reach.narrow(query.selection, look, budget)
    if query.counts:
        return Page([], [], "", query.selection.count(look, budget))
    found = _sorted(services, look, query, budget) if query.sorted else _in_order(services, look, query, budget)
    page = found[: query.count]
    following = _following(services, look, query, page[-1]) if len(found) > query.count else ""
    total = len(page) if not following and not query.cursor and query.total != "none" else _total(services, look, query)
    beside = included(look, query.includes, page, services.limits.page, budget) if query.includes else []
    return Page(page, beside, following, total)


def _in_order(services: Services, look: View, query: Query, budget: Budget) -> list[Seen]:
    """A page and one more, in the order of changes or its reverse."""
    after = cursor.read(services.key, query.purpose, look.recipient, query.cursor) if query.cursor else None
    rows = query.selection.rows(look, budget, after=after, newest_first=query.newest_first, likely=query.count + 1)
    return list(islice(rows, query.count + 1))


def _sorted(services: Services, look: View, query: Query, budget: Budget) -> list[Seen]:
    """A page and one more, sorted: all that match are looked at."""
    after = orjson.loads(cursor.read_place(services.key, query.purpose, look.recipient, query.cursor)) if query.cursor else None
    if after is not None and len(after) != len(query.sort) + 1:
        raise Malformed("This cursor is not of this search", location=f"{query.type}?{CONTINUE}")
    rows = query.selection.rows(look, budget)
    if query.selection.simple:
        rows = _counted(rows, budget)
    return sorting.page(rows, query.sort, after, query.count + 1)


def _counted(rows: Iterator[Seen], budget: Budget) -> Iterator[Seen]:
    for one in rows:
        budget.spend(1)
        yield one


def _following(services: Services, look: View, query: Query, last: Seen) -> str:
    """The cursor behind the last record of a page."""
    if query.sorted:
        return cursor.make_place(services.key, query.purpose, look.recipient, orjson.dumps(sorting.place(last, query.sort)))
    return cursor.make(services.key, query.purpose, look.recipient, last.position)


def _total(services: Services, look: View, query: Query) -> int | None:
    """How many match, where that is asked for; an estimate is exact, or is not given where counting would cost too much."""
    if query.total not in ("accurate", "estimate"):
        return None
    try:
        return query.selection.count(look, Budget(services.limits.scan))
    except TooLarge:
        if query.total == "accurate":
            raise
        return None


def bundle(services: Services, query: Query, page: Page) -> Json:
    """The searchset."""
    result: Json = {"resourceType": "Bundle", "type": "searchset", "link": _links(services, query, page.following)}
    if page.total is not None:
        result["total"] = page.total
    base = services.fhir_url
    entries = [_entry(base, query, one, "match") for one in page.found] + [_entry(base, query, one, "include") for one in page.included]
    if entries:
        result["entry"] = entries
    return result


def _links(services: Services, query: Query, following: str) -> list[Json]:
    """This page, the first one and the next, as far as there are such."""
    address, asked = f"{services.fhir_url}/{query.type}", encoded(query.told)
    pages = {"self": query.cursor, **({"first": ""} if query.cursor or following else {}), **({"next": following} if following else {})}
    queries = {relation: "&".join(filter(None, (asked, encoded([(CONTINUE, at)]) if at else ""))) for relation, at in pages.items()}
    return [{"relation": relation, "url": f"{address}?{query}" if query else address} for relation, query in queries.items()]


def _entry(base: str, query: Query, one: Seen, mode: str) -> Json:
    resource = one.resource
    return {"fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}", "resource": query.subset.of(resource), "search": {"mode": mode}}
