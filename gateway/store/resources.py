"""Resources being written: the heads as this transaction knows them, the versions it appends, and the index of search terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from gateway.fhir import compartment
from gateway.store import sql
from gateway.store.connection import Connection, Pending, Positions
from gateway.store.heads import NEVER, NO_TERMS, Current, distinct_terms, pack_heads, pack_terms, terms_of_lines, unpack_heads, unpack_terms
from gateway.store.interface import ALL, REFERS, Head, NewVersion, Terms
from gateway.store.names import Names
from gateway.store.rows import SHARED_PARTITION, body_digest, indexed

_REMEMBERED = 20_000
"""Resources that are remembered within a transaction before all are forgotten (a rebuild is one long transaction)."""

_REFERS = f'"{REFERS}"'.encode()

SHARED_TYPES = compartment.SHARED | {"Device"}
"""Types of which a resource may belong to nobody alone: references to any other need not be counted."""


class Resource:
    """A resource and its heads by recipient's number. `indexed`: the distinct lines of terms as the index has them; `new`: no row yet."""

    __slots__ = ("heads", "id", "indexed", "name", "new", "partition", "type")

    def __init__(self, id: int, type: str, name: str, partition: int | None, heads: bytes, terms: bytes, *, new: bool = False) -> None:
        self.id, self.type, self.name, self.partition, self.new = id, type, name, partition, new
        self.heads = unpack_heads(heads, terms)
        self.indexed = terms


class Resources:
    """Appends versions. What is remembered within the transaction is what will be stored once `pending` is written. `flush` writes and forgets."""

    def __init__(
        self,
        connection: Connection,
        pending: Pending,
        recipients: Names,
        words: Names,
        positions: Positions,
        new_id: Callable[[], int],
        flush: Callable[[], None],
    ) -> None:
        self._connection, self._pending, self._flush = connection, pending, flush
        self._recipients, self._words, self._positions, self._new_id = recipients, words, positions, new_id
        self._known: dict[tuple[str, str], Resource] = {}
        self._loaded: dict[int, list[Resource]] = {}
        self._changed: dict[int, Resource] = {}
        self._references: list[tuple[int, str, int]] = []
        pending.before_writing(self._complete)

    def forget(self) -> None:
        """After a rollback, a join, a clearing: read everything again."""
        self._known.clear()
        self._loaded.clear()
        self._changed.clear()
        self._references.clear()

    def load(self, partition: int) -> list[Resource]:
        """The partition's resources, read once."""
        loaded = self._loaded.get(partition)
        if loaded is None:
            if partition == SHARED_PARTITION or len(self._known) > _REMEMBERED:
                self._flush()
            rows = self._connection.execute(sql.RESOURCES_OF_PARTITION, (partition,))
            word = self._words.name
            loaded = [Resource(id, word(type), name, partition, heads, terms) for id, type, name, heads, terms in rows]
            self._loaded[partition] = loaded
            self._known.update(((resource.type, resource.name), resource) for resource in loaded)
        return loaded

    def heads(self, partition: int) -> dict[tuple[str, str, str], Head]:
        """See `Writer.heads`."""
        heads = (head for resource in self.load(partition) for head in self._heads_of(resource))
        return {(head.recipient, head.type, head.id): head for head in heads}

    def orphans(self) -> list[Head]:
        """See `Writer.orphans`."""
        self._pending.write()
        rows = self._connection.execute(sql.ORPHANS).fetchall()
        word = self._words.name
        heads = (head for id, type, *row in rows for head in self._heads_of(Resource(id, word(type), row[0], None, row[1], row[2])))
        return sorted((head for head in heads if head.digest), key=lambda head: head.position)

    def append(self, partition: int, versions: Iterable[NewVersion], *, whole: bool = False) -> None:
        """See `Writer.apply`. `whole`: what is not among the versions is deleted."""
        if self._pending.holds(sql.ADD_TERM) or self._pending.holds(sql.DROP_TERM):
            self._pending.write()  # terms that came with the last change may go with this one
        if partition != SHARED_PARTITION:
            self.load(partition)
        batch = _Batch(self._recipients.number(ALL))
        listed: set[tuple[int, int]] = set()
        known = self._known
        versions = list(versions)
        self._find_all({(type, id) for _, type, id, _, _ in versions if (type, id) not in known})
        for name, type, id, body, terms in versions:
            resource = known.get((type, id))
            if resource is None:
                if body is None:
                    continue
                resource = self._add(type, id, partition)
            elif resource.partition != partition and body is not None:
                if resource.partition is None:  # a rebuild: what is indexed may be more, or other, than when it was written
                    batch.anew.add(resource.id)
                self._claim(resource, partition)
            recipient = self._recipients.number(name)
            listed.add((resource.id, recipient))
            self._put(batch, resource, recipient, body, terms)
        if whole:
            for resource in self.load(partition):
                for recipient in [number for number in resource.heads if (resource.id, number) not in listed]:
                    self._put(batch, resource, recipient, None, ())
        self._write(batch)

    def append_shared(self, versions: Iterable[NewVersion]) -> None:
        """Versions of shared resources for `ALL`; and then for every agency that sees a reference to one that changed."""
        everyone = self._recipients.number(ALL)
        changed: list[str] = []
        for version in versions:
            known = self._find(version.type, version.id)
            before = None if known is None else known.heads.get(everyone)
            self.append(SHARED_PARTITION, [version])
            after = self._find(version.type, version.id)
            if after is not None and after.heads.get(everyone) != before:
                changed.append(f"{version.type}/{version.id}")
        if changed:
            others = [number for number in self._recipients.numbers() if number != everyone]
            self._references += [(recipient, reference, 0) for reference in changed for recipient in others]

    # --- what is known

    def _find(self, type: str, name: str) -> Resource | None:
        if (type, name) not in self._known:
            self._find_all([(type, name)])
        return self._known.get((type, name))

    def _find_all(self, names: Iterable[tuple[str, str]]) -> None:
        """Reads those resources that exist."""
        for type, name in names:
            row = self._connection.execute(sql.FIND_RESOURCE, (name, self._words.number(type))).fetchone()
            if row is not None:
                self._remember(type, name, row)

    def _remember(self, type: str, name: str, row: Sequence[Any]) -> None:
        id, partition, heads, terms = row
        self._known[type, name] = Resource(id, type, name, partition, heads, terms)

    def _referred(self, references: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
        """Those of the recipients' references that some current version of theirs has."""
        return {each for each in references if self._connection.execute(sql.REFERS, each).fetchone() is not None}

    def _heads_of(self, resource: Resource) -> Iterable[Head]:
        for recipient, (number, position, _, digest, _) in resource.heads.items():
            name = self._recipients.name(recipient)
            settled = self._positions.settled(position)
            yield Head(name, resource.type, resource.name, number, bytes.fromhex(digest), settled, settled)

    def _add(self, type: str, name: str, partition: int) -> Resource:
        resource = self._known[type, name] = Resource(self._new_id(), type, name, partition, b"[]", b"", new=True)
        if partition in self._loaded:
            self._loaded[partition].append(resource)
        return resource

    def _claim(self, resource: Resource, partition: int) -> None:
        self._pending.add(sql.CLAIM_RESOURCE, [(partition, resource.id)])
        if resource.partition in self._loaded:
            self._loaded[resource.partition].remove(resource)
        resource.partition = partition
        if partition in self._loaded:
            self._loaded[partition].append(resource)

    # --- what changes

    def _put(self, batch: _Batch, resource: Resource, recipient: int, body: bytes | None, terms: Terms | Callable[[], Terms]) -> None:
        """Puts into the batch what differs from the head."""
        if body is None:
            self._change(batch, resource, recipient, None, "", NO_TERMS)
            return
        _, _, stored, before, before_terms = resource.heads.get(recipient, NEVER)
        digest = batch.digests.get(body)
        if digest is None:
            digest = batch.digests[body] = body_digest(body)
        if before == digest and callable(terms) and resource.id not in batch.anew:
            return
        packed = _packed(batch, body, terms)
        if before == digest:
            if before_terms != packed:
                self._change(batch, resource, recipient, stored, digest, packed)
            return
        stored = next((other.body for other in resource.heads.values() if other.digest == digest), None)
        if stored is None:
            stored = self._positions.next()
            batch.bodies.append((stored, body))
        self._change(batch, resource, recipient, stored, digest, packed)

    def _change(self, batch: _Batch, resource: Resource, recipient: int, body: int | None, digest: str, terms: bytes) -> None:
        head = resource.heads.get(recipient, NEVER)
        if head.digest == digest and head.terms == terms:
            return
        number, position = head.number, head.position
        if head.digest != digest:
            number, position = number + 1, self._positions.next()
            batch.versions.append((resource.id, recipient, number, self._words.number(resource.type), position, body))
        resource.heads[recipient] = Current(number, position, body, digest, terms)
        batch.changed[resource.id] = resource
        if head.terms != terms and recipient != batch.everyone:
            before, after = _references(head.terms), _references(terms)
            batch.references += [(recipient, reference, 1) for reference in after - before]
            batch.references += [(recipient, reference, -1) for reference in before - after]

    def _write(self, batch: _Batch) -> None:
        if not batch.changed:
            return
        self._changed.update(batch.changed)
        for resource in batch.changed.values():
            self._index(resource)
        self._pending.add(sql.ADD_BODY, batch.bodies)
        self._pending.add(sql.ADD_VERSION, batch.versions)
        self._references += batch.references

    def _complete(self) -> None:
        """Adds the last rows: agencies' versions of shared resources, and the heads of all that changed."""
        while self._references:
            references, self._references = self._references, []
            self._pending.add(sql.COUNT_REFERENCE, [reference for reference in references if reference[2]])
            self._pending.write_rows()
            self._follow({(recipient, reference) for recipient, reference, _ in references})
        changed = list(self._changed.values())
        self._changed.clear()
        self._pack(changed)

    def _pack(self, changed: Iterable[Resource]) -> None:
        for resource in changed:
            heads, terms = pack_heads(resource.heads, self._positions.settled)
            if resource.new:
                resource.new = False
                row = (resource.id, self._words.number(resource.type), resource.name, resource.partition, heads, terms)
                self._pending.add(sql.ADD_RESOURCE, [row])
            else:
                self._pending.add(sql.SET_RESOURCE, [(heads, terms, resource.id)])

    def _index(self, resource: Resource) -> None:
        """One row for each term that any recipient's head has: which recipient's, the heads themselves say."""
        lines = distinct_terms(resource.heads)
        if lines == resource.indexed:
            return
        before, after = terms_of_lines(resource.indexed), terms_of_lines(lines)
        for statement, terms in ((sql.DROP_TERM, before - after), (sql.ADD_TERM, after - before)):
            rows = [
                (self._words.number(f"{resource.type}.{parameter}"), indexed(value), resource.id) for parameter, value in terms if parameter != REFERS
            ]
            self._pending.add(statement, rows)
        resource.indexed = lines

    def _follow(self, references: set[tuple[int, str]]) -> None:
        """Gives an agency its own version of a shared resource that something it sees refers to, and takes it away with the last reference.

        A shared resource may itself refer to another one (a Location to its Organization): writing the batch follows that.
        """
        everyone = self._recipients.number(ALL)
        referred = self._referred(references)
        names = {reference: (type, name) for _, reference in references for type, _, name in [reference.partition("/")]}
        self._find_all({name for name in names.values() if name not in self._known})
        batch = _Batch(everyone)
        for recipient, reference in sorted(references):
            resource = self._known.get(names[reference])
            if resource is not None and resource.partition == SHARED_PARTITION:
                seen = resource.heads.get(everyone, NEVER) if (recipient, reference) in referred else NEVER
                self._change(batch, resource, recipient, seen.body, seen.digest, seen.terms)
        self._write(batch)


class _Batch:
    """What one call writes, statement by statement. `everyone` sees all shared resources, whatever refers to them."""

    __slots__ = ("anew", "bodies", "changed", "digests", "everyone", "packed", "references", "versions")

    def __init__(self, everyone: int) -> None:
        self.everyone = everyone
        self.digests: dict[bytes, str] = {}
        self.packed: dict[bytes, bytes] = {}  # by body, the terms that follow from it
        self.bodies: list[tuple[int, bytes]] = []
        self.anew: set[int] = set()  # resources that nobody claimed before
        self.versions: list[tuple[int, int, int, int, int, int | None]] = []
        self.changed: dict[int, Resource] = {}
        self.references: list[tuple[int, str, int]] = []


def _packed(batch: _Batch, body: bytes, terms: Terms | Callable[[], Terms]) -> bytes:
    """The terms; where they follow from the body, found once for all recipients who see the same."""
    if not callable(terms):
        return pack_terms(terms)
    if body not in batch.packed:
        batch.packed[body] = pack_terms(terms())
    return batch.packed[body]


@lru_cache(4096)
def _references(terms: bytes) -> frozenset[str]:
    """The references among terms that may be to a shared resource."""
    if _REFERS not in terms:
        return frozenset()
    return frozenset(value for parameter, value in unpack_terms(terms) if parameter == REFERS and value.partition("/")[0] in SHARED_TYPES)
