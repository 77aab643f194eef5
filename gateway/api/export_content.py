"""What an export's files hold: stretches of the recipient's own versions, as they stood at one moment.

Nothing is copied. A file is read from the store as it is downloaded, page by page, each page a look of its own; so memory stays flat, no slow reader
keeps the store from tidying up, no second copy of anybody's record lies about, and what has been withheld since the export (a consent revoked, a
client rerouted) is left out of a file that was promised before. The next export from `transactionTime` on tells of it in `deleted`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from gateway.api.access import Then, View
from gateway.api.export_request import Asked
from gateway.api.grants import Grant
from gateway.fhir import compartment, times

Json = dict[str, Any]

PAGE = 500
"""Versions looked at in one look."""
OUTPUT, DELETED, ERROR = "output", "deleted", "error"
"""Kinds of files, as the manifest names them."""


class Stretch(NamedTuple):
    """One file: what of a type stood between two positions, the first not included. `size` lines, when the export was made."""

    kind: str
    type: str
    after: int
    until: int
    size: int


class Extent(NamedTuple):
    """What of a recipient's view is exported."""

    asked: Asked
    moment: int
    patients: frozenset[str] | None  # "Patient/…"; None for everybody
    partitions: frozenset[int]  # theirs: what names no patient is known by its partition

    def holds(self, look: View, then: Then, resource: Json) -> bool:
        """Whether a record is within. What is nobody's is, where the group's agency sees it."""
        if self.patients is None:
            return True
        if named := compartment.patients(resource):
            return not self.patients.isdisjoint(named)
        if then.version.partition:
            return then.version.partition in self.partitions
        return bool(self.asked.group) and look.beside(self.asked.group).find(then.version.type, then.version.id) is not None


def extent(look: View, asked: Asked, moment: int) -> Extent:
    """The extent of what was asked, as the recipient's view is now."""
    if asked.patients is None and not asked.group:
        return Extent(asked, moment, None, frozenset())
    members = (look.beside(asked.group) if asked.group else look).partitions("Patient")
    chosen = {f"Patient/{id}": partition for id, partition in members.items() if asked.patients is None or f"Patient/{id}" in asked.patients}
    return Extent(asked, moment, frozenset(chosen), frozenset(chosen.values()))


class Page(NamedTuple):
    """What one look found: records, and those that were deleted; `following` is where the next look begins, None at the end."""

    found: list[Json]
    deleted: list[Then]
    following: int | None


def page(look: View, of: Extent, leaves: Sequence[Grant], type: str, after: int, until: int) -> Page:
    """One page of a type's records within the extent and the grants, in order of position."""
    rows = look.as_of(type, moment=of.moment, after=after, until=until, limit=PAGE)
    found, deleted = [], []
    for then in rows:
        resource = then.resource
        if resource is not None and _within(look, of, leaves, then, resource):
            found.append(resource)
        elif then.version.body is None and of.asked.since >= 0 and _was_within(look, of, leaves, then):
            deleted.append(then)
    return Page(found, deleted, rows[-1].version.position if len(rows) == PAGE else None)


def _within(look: View, of: Extent, leaves: Sequence[Grant], then: Then, resource: Json) -> bool:
    return all(each.opens(resource, look) for each in leaves) and of.holds(look, then, resource)


def _was_within(look: View, of: Extent, leaves: Sequence[Grant], then: Then) -> bool:
    """Whether what was deleted had been within, by its last version."""
    if of.patients is None and all(each.whole for each in leaves):
        return True
    former = look.former(then.version)
    return former is not None and _within(look, of, leaves, then, former)


def lines(found: Page, kind: str) -> list[bytes]:
    """The page as lines of a file."""
    resources = found.found if kind == OUTPUT else [_deletion(each) for each in found.deleted]
    return [orjson.dumps(resource, option=orjson.OPT_APPEND_NEWLINE) for resource in resources]


def _deletion(then: Then) -> Json:
    """That a resource is no more, as a transaction ("Response - Complete Status", `deleted`)."""
    version = then.version
    request = {"method": "DELETE", "url": f"{version.type}/{version.id}"}
    return {"resourceType": "Bundle", "type": "transaction", "meta": {"lastUpdated": times.instant(version.updated)}, "entry": [{"request": request}]}
