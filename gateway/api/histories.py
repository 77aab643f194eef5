"""The history interactions: of a resource, of a type, of everything. http://hl7.org/fhir/R4/http.html#history

They take `_count`, `_since` and the cursor of a next link. What may not be disclosed has no history; a deletion is told, without a body, to who sees
everything.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from gateway.api import cursor
from gateway.api.access import Then, View, view
from gateway.api.answers import FhirResponse
from gateway.api.chains import granted
from gateway.api.grants import Grant, grant
from gateway.api.queries import CONTINUE
from gateway.api.requests import PRESENTATION, Call, encoded, is_id
from gateway.api.selections import Budget
from gateway.api.services import Services
from gateway.errors import Malformed, NotFound
from gateway.fhir import search, times
from gateway.smart.access import Caller

Json = dict[str, Any]


class _Asked(NamedTuple):
    """What a history's parameters ask for."""

    address: str  # "Task/17", "Task", ""
    most: int
    since: int | None
    before: int | None
    told: tuple[tuple[str, str], ...]

    @property
    def purpose(self) -> str:
        return _purpose(self.address, self.told)


def instance(services: Services, caller: Caller, call: Call) -> FhirResponse:
    """A resource's versions, newest first."""
    type, id, _ = call.path
    leave = grant(caller, type, "r")
    asked = _asked(services, caller, call, f"{type}/{id}")
    if not is_id(id):
        raise NotFound("There is no such resource", location=type)
    with view(services.store, caller.recipient) as look:
        if not leave.whole and not leave.opens(look.read(type, id).resource, look):
            raise NotFound("There is no such resource", location=f"{type}/{id}")
        rows = _until(look.history(type, id, asked.before), asked.since)
        found = list(islice(_within(look, [leave], rows), asked.most + 1))
    return _bundle(services, caller, asked, found, lambda then: then.version.number)


def of_type(services: Services, caller: Caller, call: Call) -> FhirResponse:
    """Every version of a type's resources, newest first."""
    (type, _) = call.path
    return _changes(services, caller, call, type, [grant(caller, type, "s")])


def of_system(services: Services, caller: Caller, call: Call) -> FhirResponse:
    """Every version of everything that the caller may search, newest first."""
    return _changes(services, caller, call, "", granted(caller, search.searchable(), "s"))


def _changes(services: Services, caller: Caller, call: Call, address: str, leaves: list[Grant]) -> FhirResponse:
    asked = _asked(services, caller, call, address)
    with view(services.store, caller.recipient) as look:
        rows = _merged(look, leaves, asked, Budget(services.limits.scan))
        found = list(islice(_within(look, leaves, rows), asked.most + 1))
    return _bundle(services, caller, asked, found, lambda then: then.version.position)


def _merged(look: View, leaves: list[Grant], asked: _Asked, budget: Budget) -> Iterator[Then]:
    """The types' changes as one."""
    walks = [look.changes(leave.type, asked.before, asked.since) for leave in leaves]
    for then in heapq.merge(*walks, key=lambda each: -each.version.position):
        budget.spend(1)
        yield then


def _until(rows: Iterable[Then], since: int | None) -> Iterator[Then]:
    for then in rows:
        if since is not None and then.version.updated < since:
            return
        yield then


def _within(look: View, leaves: list[Grant], rows: Iterable[Then]) -> Iterator[Then]:
    """What the scopes open; of a deletion nothing can be looked at, so that it takes a scope without constraints."""
    by_type = {leave.type: leave for leave in leaves}
    for then in rows:
        leave = by_type[then.version.type]
        if leave.whole or (then.resource is not None and leave.opens(then.resource, look)):
            yield then


# --- what is asked, and how it is given ---------------------------------------------------------------------------------


def _asked(services: Services, caller: Caller, call: Call, address: str) -> _Asked:
    count, since, given = services.limits.page_default, None, ""
    told: list[tuple[str, str]] = []
    for name, value in call.parameters:
        if name == CONTINUE:
            given = value
        elif name == "_count" and value.isascii() and value.isdigit() and 0 < len(value) < 10 and int(value) > 0:
            count = min(int(value), services.limits.page)
            told.append((name, str(count)))
        elif name == "_since" and "T" in value and (first := times.first(value)) is not None:
            since = first
            told.append((name, value))
        elif name not in PRESENTATION:
            where = name if name in ("_count", "_since") else "history"
            raise Malformed("A history takes no such parameter or value", location=where, advice="It takes _count and _since (an instant).")
    purpose = _purpose(address, told)
    before = cursor.read(services.key, purpose, caller.recipient, given) if given else None
    return _Asked(address, count, since, before, tuple(told))


def _purpose(address: str, told: Iterable[tuple[str, str]]) -> str:
    """What binds a cursor to its history."""
    return f"{address}/_history?{encoded(sorted(told))}"


def _bundle(services: Services, caller: Caller, asked: _Asked, found: list[Then], mark: Callable[[Then], int]) -> FhirResponse:
    address = "/".join(filter(None, (services.fhir_url, asked.address, "_history")))
    page = found[: asked.most]
    links = [{"relation": "self", "url": f"{address}?{encoded(asked.told)}" if asked.told else address}]
    if len(found) > asked.most:
        after = cursor.make(services.key, asked.purpose, caller.recipient, mark(page[-1]))
        links.append({"relation": "next", "url": f"{address}?{encoded([*asked.told, (CONTINUE, after)])}"})
    result: Json = {"resourceType": "Bundle", "type": "history", "link": links}
    if page:
        result["entry"] = [_entry(services.fhir_url, one) for one in page]
    return FhirResponse(result)


def _entry(fhir_url: str, then: Then) -> Json:
    version, resource = then
    address = f"{version.type}/{version.id}"
    at = times.instant(version.updated)
    if resource is None:
        gone = {"request": {"method": "DELETE", "url": address}, "response": {"status": "204", "lastModified": at}}
        return {"fullUrl": f"{fhir_url}/{address}", **gone}
    created = version.number == 1
    return {
        "fullUrl": f"{fhir_url}/{address}",
        "resource": resource,
        "request": {"method": "POST", "url": version.type} if created else {"method": "PUT", "url": address},
        "response": {"status": "201" if created else "200", "etag": f'W/"{version.number}"', "lastModified": at},
    }
