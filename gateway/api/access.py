"""Every read goes through here: one place that says whose view is read. What is not in the recipient's view does not exist.

A `View` is one consistent look at the store by one recipient. Older versions are shown only while the resource itself is visible, and only where
they carry no security label that the present version lacks: what was disclosed once may be withheld since. A record from which a confidential address
is withheld has no older versions: they may be from before anybody said that it is confidential.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Unpack

import orjson

from gateway.errors import Gone, NotFound
from gateway.fhir import times
from gateway.fhir.elements import codings
from gateway.privacy import confidential, labels
from gateway.store.interface import ALL, Reader, Store, TransitionRow, Version
from gateway.store.wanted import Wanted

Json = dict[str, Any]

_AT_ONCE = 100
"""Versions that are read at once."""
_CHUNK = 500
"""Transitions that are looked at at once where one patient's are wanted."""


class Seen(NamedTuple):
    """A resource as a recipient sees it: complete, with meta.versionId and meta.lastUpdated."""

    resource: Json
    number: int
    updated: int  # microseconds
    position: int

    @property
    def etag(self) -> str:
        return f'W/"{self.number}"'


def seen(version: Version) -> Seen:
    """The version with its `meta`. The version must not be a deletion."""
    resource = orjson.loads(version.body or b"{}")
    resource["meta"] = {**resource.get("meta", {}), "versionId": str(version.number), "lastUpdated": times.instant(version.updated)}
    return Seen(resource, version.number, version.updated, version.position)


class Then(NamedTuple):
    """A version as it stood at a moment. `resource` is None where it was deleted by then, or is withheld today."""

    version: Version
    resource: Json | None


class View:
    """What one recipient may read. Lives inside `view`."""

    def __init__(self, reader: Reader, recipient: str) -> None:
        self._reader = reader
        self.recipient = recipient

    def read(self, type: str, id: str) -> Seen:
        """The newest version. Raises NotFound; Gone only to who sees everything, for a withdrawal must not tell that there still is something."""
        found = self._reader.read(self.recipient, type, id)
        if found is None or (found.body is None and self.recipient != ALL):
            raise NotFound("There is no such resource", location=f"{type}/{id}")
        if found.body is None:
            raise Gone("The resource was deleted", location=f"{type}/{id}")
        return seen(found)

    def find(self, type: str, id: str) -> Seen | None:
        """As `read`, None where there is nothing."""
        found = self._reader.read(self.recipient, type, id)
        return seen(found) if found is not None and found.body is not None else None

    def vread(self, type: str, id: str, number: int) -> Seen:
        """One version."""
        current = self.read(type, id)
        found = self._reader.vread(self.recipient, type, id, number)
        if found is None or found.body is None or not self._still(found, current):
            raise NotFound("There is no such version", location=f"{type}/{id}/_history/{number}")
        return seen(found)

    def history(self, type: str, id: str, before: int | None = None) -> Iterator[Then]:
        """A resource's versions as far as they may be shown, newest first, numbers below `before`. Raises NotFound.

        Deletions are for who sees everything: for others, what was taken away has no history, and what was given back never was away."""
        current = self._reader.read(self.recipient, type, id)
        if current is None or (current.body is None and self.recipient != ALL):
            raise NotFound("There is no such resource", location=f"{type}/{id}")
        stands = None if current.body is None else seen(current)
        rows = _pages(lambda below: self._reader.history(self.recipient, type, id, _AT_ONCE, below), before, lambda row: row.number)
        return (then for row in rows if (then := self._then(row, stands)) is not None)

    def changes(self, type: str, before: int | None = None, since: int | None = None) -> Iterator[Then]:
        """Every version of a type, likewise, newest first: positions below `before`, not below `since`."""
        current: dict[str, Seen | None] = {}
        rows = _pages(
            lambda below: self._reader.versions(self.recipient, type, limit=_AT_ONCE, before=below, since=since), before, lambda row: row.position
        )
        for row in rows:
            if row.id not in current:
                current[row.id] = self.find(type, row.id)
            then = self._then(row, current[row.id])
            if then is not None:
                yield then

    def _then(self, version: Version, current: Seen | None) -> Then | None:
        """A version as it stood, None where it is withheld today."""
        if self.recipient == ALL:
            return Then(version, None if version.body is None else seen(version).resource)
        if current is None or version.body is None or not self._still(version, current):
            return None
        return Then(version, seen(version).resource)

    def _still(self, version: Version, current: Seen) -> bool:
        if self.recipient == ALL or version.number == current.number:
            return True
        if confidential.is_withheld(labels.labels_of(current.resource)):
            return False
        return _labels(orjson.loads(version.body or b"{}")) <= _labels(current.resource)

    def search(self, type: str, **wanted: Unpack[Wanted]) -> list[Seen]:
        """The newest versions that the index finds, in order of their last change."""
        return [seen(one) for one in self._reader.search(self.recipient, type, **wanted)]

    def count(self, type: str, **wanted: Unpack[Wanted]) -> int:
        """How many `search` would find."""
        return self._reader.count(self.recipient, type, **wanted)

    def as_of(self, type: str, *, moment: int, after: int, until: int, limit: int) -> list[Then]:
        """What there was of a type at a moment, in order of position, above `after` and up to `until`. An older version is shown as by `vread`."""
        found = self._reader.as_of(self.recipient, type, moment=moment, after=after, until=until, limit=limit)
        return [
            Then(version, None if version.body is None or (superseded and not self._still_shown(version)) else seen(version).resource)
            for version, superseded in found
        ]

    def _still_shown(self, version: Version) -> bool:
        if self.recipient == ALL:
            return True
        current = self.find(version.type, version.id)
        return current is not None and self._still(version, current)

    def former(self, deletion: Version) -> Json | None:
        """What a deletion took away, to be looked at and not to be shown."""
        found = self._reader.vread(self.recipient, deletion.type, deletion.id, deletion.number - 1)
        return seen(found).resource if found is not None and found.body is not None else None

    def partitions(self, type: str) -> dict[str, int]:
        """The resources of a type by id, with the partition that each belongs to."""
        return dict(self._reader.ids(self.recipient, type))

    def beside(self, recipient: str) -> View:
        """The same look at what another recipient sees. It is for who sees everything; raises NotFound for anybody else."""
        if self.recipient not in (ALL, recipient):
            raise NotFound("There is no such view")
        return View(self._reader, recipient)

    def transition(self, id: str) -> TransitionRow | None:
        """A transition, also a withdrawn one (`body` None)."""
        return self._reader.transition(self.recipient, id)

    def feed(self, after: int, limit: int, patient: str = "") -> list[TransitionRow]:
        """Transitions whose last change that this recipient may see lies after a position; of one patient ("Patient/…") those still there."""
        if not patient:
            return self._reader.feed(self.recipient, after, limit)
        kept: list[TransitionRow] = []
        while len(kept) < limit:
            rows = self._reader.feed(self.recipient, after, _CHUNK)
            kept += [row for row in rows if row.body is not None and orjson.loads(row.body).get("patient") == patient]
            if len(rows) < _CHUNK:
                break
            after = rows[-1].position
        return kept[:limit]


def _pages(ask: Callable[[int | None], list[Version]], below: int | None, mark: Callable[[Version], int]) -> Iterator[Version]:
    """Rows that are read a page at a time, each page below the last row's mark."""
    while page := ask(below):
        yield from page
        if len(page) < _AT_ONCE:
            return
        below = mark(page[-1])


def _labels(resource: Json) -> set[tuple[str, str]]:
    return {(str(one.get("system", "")), str(one.get("code", ""))) for one in codings(resource.get("meta", {}).get("security", []))}


@contextmanager
def view(store: Store, recipient: str) -> Iterator[View]:
    """A look at what is committed, as the recipient may see it."""
    with store.reading() as reader:
        yield View(reader, recipient)
