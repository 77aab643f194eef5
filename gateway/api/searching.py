"""The search interaction. http://hl7.org/fhir/R4/http.html#search

Results come in the order of their last change that the recipient may see; pages continue after the last position given, so that nothing that
changes meanwhile is missed. A parameter that is not known is refused, unless the caller asks to be lenient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from gateway.api import cursor
from gateway.api.access import Seen, View, view
from gateway.api.answers import FhirResponse
from gateway.api.grants import Grant, grant
from gateway.api.requests import Call
from gateway.api.services import Services
from gateway.errors import Forbidden, Malformed, TooLarge
from gateway.fhir import elements, search, times
from gateway.smart.access import Caller

Json = dict[str, Any]

CONTINUE = "_cursor"
_CHUNK = 500
_NEWEST_FIRST = "-_lastUpdated"
_SORTS = ("_lastUpdated", _NEWEST_FIRST)


@dataclass(slots=True)
class Query:
    """A search as asked: what the index answers, what each record is looked at for, and how to give the result."""

    type: str
    terms: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    residual: list[search.Criterion] = field(default_factory=list)
    updated_after: int | None = None
    updated_before: int | None = None
    includes: list[Inclusion] = field(default_factory=list)
    count: int = 0
    newest_first: bool = False
    cursor: str = ""
    told: list[tuple[str, str]] = field(default_factory=list)  # the parameters that were used, for the self link


@dataclass(frozen=True, slots=True)
class Inclusion:
    """One `_include=Task:patient:Patient`."""

    parameter: search.Parameter
    grants: tuple[Grant, ...]


@dataclass(slots=True)
class Page:
    """One page of results; `following` is the position after which the next begins, None at the end."""

    found: list[Seen]
    included: list[Seen]
    following: int | None


def search_type(services: Services, caller: Caller, call: Call) -> FhirResponse:
    """Search one resource type."""
    type = call.path[0]
    leave = grant(caller, type, "s")
    query = read_query(services, caller, type, call.parameters, lenient=call.prefers("handling=lenient"))
    with view(services.store, caller.recipient) as look:
        page = run(services, look, query, leave)
    return FhirResponse(bundle(services, caller, query, page))


# --- what is asked ----------------------------------------------------------------------------------------------------


def read_query(services: Services, caller: Caller, type: str, parameters: Sequence[tuple[str, str]], lenient: bool = False) -> Query:
    """The query in the parameters. Raises Malformed for what there is not, unless lenient."""
    query = Query(type, count=services.limits.page_default)
    for name, value in parameters:
        if not _result_parameter(services, caller, query, name, value) and not _criterion(services, query, name, value):
            if not lenient:
                raise Malformed(
                    "There is no such search parameter", location=f"{type}?{_safe(name)}", advice="Leave it out, or send Prefer: handling=lenient."
                )
            continue
        if name not in (CONTINUE, "_format"):
            query.told.append((name, value))
    return query


def _safe(name: str) -> str:
    """A parameter's name as far as it may be repeated: names are of the sender's making."""
    return name if name.replace("-", "").replace("_", "").replace(":", "").replace(".", "").isalnum() and len(name) < 50 else "…"


def _criterion(services: Services, query: Query, name: str, value: str) -> bool:
    if name == "_id":
        query.terms.append(("_id", tuple(value.split(","))))
        return True
    if name == "_lastUpdated":
        _last_updated(query, value)
        return True
    asked = search.criterion(query.type, name, value, services.fhir_url)
    if asked is None:
        return False
    indexed = search.index_terms(asked)
    if indexed is not None:
        query.terms.append(indexed)
    else:
        query.residual.append(asked)
    return True


def _last_updated(query: Query, value: str) -> None:
    """Narrow by the last change. A time of day is taken as that very moment, not as the stretch its precision spans: a poller that asks `gt` what it
    last saw, and writes fewer digits than we do, is given a row twice rather than never."""
    prefix, text = search.split_prefix(value)
    span = times.stretch(text)
    if span is None or prefix == "ne":
        raise Malformed("This is no time to search by", location=f"{query.type}?_lastUpdated")
    first, end = (span[0], span[0] + 1) if "T" in text and prefix in ("gt", "sa") else span
    lower = {"gt": end - 1, "sa": end - 1, "ge": first - 1, "eq": first - 1}.get(prefix)
    upper = {"lt": first, "eb": first, "le": end, "eq": end}.get(prefix)
    if lower is not None:
        query.updated_after = lower if query.updated_after is None else max(lower, query.updated_after)
    if upper is not None:
        query.updated_before = upper if query.updated_before is None else min(upper, query.updated_before)


def _result_parameter(services: Services, caller: Caller, query: Query, name: str, value: str) -> bool:
    if name == "_count":
        if not (value.isascii() and value.isdigit()) or len(value) > 9 or int(value) < 1:
            raise Malformed("A page holds one resource or more", location=f"{query.type}?_count")
        query.count = min(int(value), services.limits.page)
    elif name == "_sort":
        if value not in _SORTS:
            raise Malformed("Results are sorted by _lastUpdated or -_lastUpdated", location=f"{query.type}?_sort")
        query.newest_first = value == _NEWEST_FIRST
    elif name == "_include":
        query.includes.append(_inclusion(caller, query.type, value))
    elif name == CONTINUE:
        query.cursor = value
    else:
        return name == "_format"
    return True


def _inclusion(caller: Caller, type: str, value: str) -> Inclusion:
    """What an _include reaches, with leave for each type: one that is named must be granted, of several those that are."""
    source, _, rest = value.partition(":")
    name, _, target = rest.partition(":")
    parameter = search.parameters(type).get(name)
    if source != type or parameter is None or parameter.kind != "reference" or (target and parameter.targets and target not in parameter.targets):
        raise Malformed("There is no such reference to include", location=f"{type}?_include", advice=f"Write it as {type}:patient.")
    wanted = (target,) if target else parameter.targets
    if len(wanted) == 1:
        return Inclusion(parameter, (grant(caller, wanted[0], "r"),))
    return Inclusion(parameter, tuple(_granted(caller, wanted or tuple(search.searchable()))))


def _granted(caller: Caller, types: Sequence[str]) -> Iterator[Grant]:
    for type in types:
        try:
            yield grant(caller, type, "r")
        except Forbidden:
            continue


# --- what is found ----------------------------------------------------------------------------------------------------


def run(services: Services, look: View, query: Query, leave: Grant) -> Page:
    """One page of the query's results."""
    position = cursor.read(services.key, _purpose(query), look.recipient, query.cursor) if query.cursor else None
    walk = _newest_first if query.newest_first else _oldest_first
    found: list[Seen] = []
    for one in walk(services, look, query, leave, position):
        if len(found) == query.count:
            return Page(found, _included(look, query, found), found[-1].position)
        found.append(one)
    return Page(found, _included(look, query, found), None)


def _holds(query: Query, leave: Grant, one: Seen) -> bool:
    return all(search.matches(one.resource, asked) for asked in query.residual) and leave.opens(one.resource)


def _oldest_first(services: Services, look: View, query: Query, leave: Grant, position: int | None) -> Iterator[Seen]:
    """Matches after a position, fetched in chunks; a search that would look at too much outside the index is refused."""
    simple = not query.residual and not leave.constraints
    looked = 0
    while True:
        chunk = query.count + 1 if simple else min(_CHUNK, services.limits.scan - looked + 1)
        rows = look.search(query.type, query.terms, query.updated_after, query.updated_before, position, chunk)
        yield from (one for one in rows if _holds(query, leave, one))
        if len(rows) < chunk:
            return
        looked += 0 if simple else len(rows)
        _check_cost(services, looked)
        position = rows[-1].position


def _newest_first(services: Services, look: View, query: Query, leave: Grant, position: int | None) -> Iterator[Seen]:
    """Matches before a position, newest first. The store walks forward, so all of them are read."""
    rows = look.search(query.type, query.terms, query.updated_after, query.updated_before, None, services.limits.scan + 1)
    _check_cost(services, len(rows))
    for one in reversed(rows):
        if (position is None or one.position < position) and _holds(query, leave, one):
            yield one


def _check_cost(services: Services, looked: int) -> None:
    if looked > services.limits.scan:
        raise TooLarge("This search would look at too many resources", advice="Narrow it by patient, status, identifier or _lastUpdated.")


def _included(look: View, query: Query, found: Sequence[Seen]) -> list[Seen]:
    """The resources that the inclusions reach, each once, as the recipient may see them."""
    here = {(one.resource["resourceType"], one.resource["id"]) for one in found}
    included: dict[tuple[str, str], Seen] = {}
    for inclusion in query.includes:
        grants = {each.type: each for each in inclusion.grants}
        for one in found:
            for value in elements.values(one.resource, inclusion.parameter.path):
                type, _, id = elements.relative(str(value.get("reference", "")) if isinstance(value, dict) else "").partition("/")
                if type not in grants or (type, id) in here or (type, id) in included:
                    continue
                target = look.find(type, id)
                if target is not None and grants[type].opens(target.resource):
                    included[type, id] = target
    return list(included.values())


# --- how it is given --------------------------------------------------------------------------------------------------


def _purpose(query: Query) -> str:
    """What binds a cursor to its search."""
    return f"{query.type}?{urlencode(sorted(query.told))}"


def bundle(services: Services, caller: Caller, query: Query, page: Page) -> Json:
    """The searchset. `total` is told where the whole result is on this page, for then it costs nothing."""
    address = f"{services.fhir_url}/{query.type}"
    links = [{"relation": "self", "url": f"{address}?{urlencode(query.told)}" if query.told else address}]
    result: Json = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if page.following is not None:
        after = cursor.make(services.key, _purpose(query), caller.recipient, page.following)
        links.append({"relation": "next", "url": f"{address}?{urlencode([*query.told, (CONTINUE, after)])}"})
    elif not query.cursor:
        result["total"] = len(page.found)
    entries = [_entry(services, one, "match") for one in page.found] + [_entry(services, one, "include") for one in page.included]
    if entries:
        result["entry"] = entries
    return result


def _entry(services: Services, one: Seen, mode: str) -> Json:
    url = f"{services.fhir_url}/{one.resource['resourceType']}/{one.resource['id']}"
    return {"fullUrl": url, "resource": one.resource, "search": {"mode": mode}}
