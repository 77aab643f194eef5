"""Resources being written: the heads as this transaction knows them, the versions it appends, and the index of search terms."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from gateway.store.interface import ALL, REFERS, Head, NewVersion
from gateway.store.sqlite import sql
from gateway.store.sqlite.names import Names
from gateway.store.sqlite.rows import SHARED_PARTITION, body_digest, indexed, pack_terms, parameter_word, unpack_terms

_REMEMBERED = 20_000
"""Resources that are remembered within a transaction before all are forgotten (a rebuild is one long transaction)."""

_NO_TERMS = pack_terms(())


class _Current(NamedTuple):
    """A head: what a recipient sees of a resource. `body` None: deleted."""

    number: int
    position: int
    body: int | None  # the position that the body is stored under
    digest: bytes
    terms: bytes


_NEVER = _Current(0, 0, None, b"", _NO_TERMS)
"""The head of what a recipient never had: nothing differs between that and a deleted one but the number to go on from."""


class _Resource:
    """A resource and its heads by recipient's number."""

    __slots__ = ("heads", "id", "name", "partition", "type")

    def __init__(self, id: int, type: str, name: str, partition: int | None) -> None:
        self.id, self.type, self.name, self.partition = id, type, name, partition
        self.heads: dict[int, _Current] = {}


class Resources:
    """Appends versions. Everything is written at once; what is remembered only saves reading it again."""

    def __init__(self, connection: sqlite3.Connection, recipients: Names, words: Names, next_position: Callable[[], int]) -> None:
        self._connection, self._recipients, self._words, self._next_position = connection, recipients, words, next_position
        self._known: dict[tuple[str, str], _Resource] = {}
        self._loaded: dict[int, list[_Resource]] = {}

    def forget(self) -> None:
        """After a rollback, a join, a clearing: read everything again."""
        self._known.clear()
        self._loaded.clear()

    def heads(self, partition: int) -> dict[tuple[str, str, str], Head]:
        """See `Writer.heads`."""
        name = self._recipients.name
        return {
            (name(recipient), resource.type, resource.name): Head(
                name(recipient), resource.type, resource.name, head.number, head.digest, head.position, head.position
            )
            for resource in self._of_partition(partition)
            for recipient, head in resource.heads.items()
        }

    def append(self, partition: int, versions: Iterable[NewVersion], *, whole: bool = False) -> None:
        """See `Writer.apply`. `whole`: what is not among the versions is deleted."""
        if partition != SHARED_PARTITION:
            self._of_partition(partition)
        batch = _Batch()
        references: set[tuple[int, str]] = set()
        listed: set[tuple[int, int]] = set()
        for version in versions:
            resource = self._resource(version.type, version.id)
            if resource is None:
                if version.body is None:
                    continue
                resource = self._add(version.type, version.id, partition)
            elif version.body is not None and resource.partition != partition:
                self._claim(resource, partition)
            recipient = self._recipients.number(version.recipient)
            if (resource.id, recipient) in listed:  # said twice: a term that came may go again, so keep the order
                batch.write(self._connection)
                batch = _Batch()
            listed.add((resource.id, recipient))
            references.update(self._put(batch, resource, recipient, version.body, version.terms))
        if whole:
            for resource in self._of_partition(partition):
                for recipient in [number for number in resource.heads if (resource.id, number) not in listed]:
                    references.update(self._put(batch, resource, recipient, None, ()))
        batch.write(self._connection)
        self._follow(references)

    def append_shared(self, versions: Iterable[NewVersion]) -> None:
        """Versions of shared resources for `ALL`; and then for every agency that sees a reference to one that changed."""
        everyone = self._recipients.number(ALL)
        changed: list[str] = []
        for version in versions:
            known = self._resource(version.type, version.id)
            before = None if known is None else known.heads.get(everyone)
            self.append(SHARED_PARTITION, [version])
            after = self._resource(version.type, version.id)
            if after is not None and after.heads.get(everyone) != before:
                changed.append(f"{version.type}/{version.id}")
        if changed:
            others = [number for number in self._recipients.numbers() if number != everyone]
            self._follow((recipient, reference) for reference in changed for recipient in others)

    # --- what is known

    def _of_partition(self, partition: int) -> list[_Resource]:
        loaded = self._loaded.get(partition)
        if loaded is not None:
            return loaded
        if len(self._known) > _REMEMBERED:
            self.forget()
        found: dict[int, _Resource] = {}
        for id, type, name, recipient, *head in self._connection.execute(sql.HEADS_OF_PARTITION, (partition,)):
            resource = found.get(id)
            if resource is None:
                resource = found[id] = _Resource(id, self._words.name(type), name, partition)
            resource.heads[recipient] = _Current(*head)
        loaded = self._loaded[partition] = list(found.values())
        self._known.update(((resource.type, resource.name), resource) for resource in loaded)
        return loaded

    def _resource(self, type: str, name: str) -> _Resource | None:
        resource = self._known.get((type, name))
        if resource is None:
            row = self._connection.execute(sql.FIND_RESOURCE, (name, self._words.number(type))).fetchone()
            if row is None:
                return None
            resource = self._known[type, name] = _Resource(row[0], type, name, row[1])
            for recipient, *head in self._connection.execute(sql.HEADS_OF_RESOURCE, (resource.id,)):
                resource.heads[recipient] = _Current(*head)
        return resource

    def _add(self, type: str, name: str, partition: int) -> _Resource:
        id = self._connection.execute(sql.ADD_RESOURCE, (self._words.number(type), name, partition)).lastrowid or 0
        resource = self._known[type, name] = _Resource(id, type, name, partition)
        if partition in self._loaded:
            self._loaded[partition].append(resource)
        return resource

    def _claim(self, resource: _Resource, partition: int) -> None:
        self._connection.execute(sql.CLAIM_RESOURCE, (partition, resource.id))
        if resource.partition in self._loaded:
            self._loaded[resource.partition].remove(resource)
        resource.partition = partition
        if partition in self._loaded:
            self._loaded[partition].append(resource)

    # --- what changes

    def _put(
        self, batch: _Batch, resource: _Resource, recipient: int, body: bytes | None, terms: Sequence[tuple[str, str]]
    ) -> Iterable[tuple[int, str]]:
        """Puts into the batch what differs from the head. Returns each (recipient, reference to a shared resource) that came or went."""
        if body is None:
            return self._change(batch, resource, recipient, None, b"", _NO_TERMS)
        head = resource.heads.get(recipient, _NEVER)
        digest, packed = body_digest(body), pack_terms(terms)
        if head.digest == digest:
            return self._change(batch, resource, recipient, head.body, digest, packed)
        stored = next((other.body for other in resource.heads.values() if other.digest == digest), None)
        if stored is None:
            stored = self._next_position()
            batch.bodies.append((stored, body))
        return self._change(batch, resource, recipient, stored, digest, packed)

    def _change(self, batch: _Batch, resource: _Resource, recipient: int, body: int | None, digest: bytes, terms: bytes) -> Iterable[tuple[int, str]]:
        head = resource.heads.get(recipient, _NEVER)
        if head.digest == digest and head.terms == terms:
            return ()
        number, position = head.number, head.position
        if head.digest != digest:
            number, position = number + 1, self._next_position()
            batch.versions.append((position, resource.id, recipient, number, body))
        resource.heads[recipient] = current = _Current(number, position, body, digest, terms)
        batch.heads.append((resource.id, recipient, self._words.number(resource.type), *current))
        return self._index(batch, resource, recipient, head.terms, terms) if head.terms != terms else ()

    def _index(self, batch: _Batch, resource: _Resource, recipient: int, before: bytes, after: bytes) -> Iterable[tuple[int, str]]:
        old, new = unpack_terms(before), unpack_terms(after)
        for target, terms in ((batch.dropped, old - new), (batch.added, new - old)):
            for parameter, value in terms:
                word = self._words.number(parameter_word(resource.type, parameter))
                target.append((recipient, word, indexed(value), resource.id))
        return [(recipient, value) for parameter, value in old ^ new if parameter == REFERS]

    def _follow(self, references: Iterable[tuple[int, str]]) -> None:
        """Gives an agency its own version of a shared resource that something it sees refers to, and takes it away with the last reference.

        A shared resource may refer to another one (a Location to its Organization), so this goes on until nothing changes.
        """
        everyone, refers = self._recipients.number(ALL), self._words.number(REFERS)
        while references := sorted(reference for reference in set(references) if reference[0] != everyone):
            batch = _Batch()
            further: set[tuple[int, str]] = set()
            for recipient, reference in references:
                type, _, name = reference.partition("/")
                resource = self._resource(type, name)
                if resource is None or resource.partition != SHARED_PARTITION:
                    continue
                referred = self._connection.execute(sql.REFERS, (recipient, refers, indexed(reference))).fetchone() is not None
                seen = resource.heads.get(everyone, _NEVER) if referred else _NEVER
                further.update(self._change(batch, resource, recipient, seen.body, seen.digest, seen.terms))
            batch.write(self._connection)
            references = further


class _Batch:
    """Rows to write, statement by statement."""

    __slots__ = ("added", "bodies", "dropped", "heads", "versions")

    def __init__(self) -> None:
        self.bodies: list[tuple[int, bytes]] = []
        self.versions: list[tuple[int, int, int, int, int | None]] = []
        self.heads: list[tuple[object, ...]] = []
        self.dropped: list[tuple[int, int, str, int]] = []
        self.added: list[tuple[int, int, str, int]] = []

    def write(self, connection: sqlite3.Connection) -> None:
        """Writes all of them."""
        for statement, rows in (
            (sql.ADD_BODY, self.bodies),
            (sql.ADD_VERSION, self.versions),
            (sql.SET_HEAD, self.heads),
            (sql.DROP_TERM, self.dropped),
            (sql.ADD_TERM, self.added),
        ):
            if rows:
                connection.executemany(statement, rows)
