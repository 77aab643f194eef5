"""Resources being written on PostgreSQL: read many at once, and packed when their positions are final."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.store import sql
from gateway.store.names import Names
from gateway.store.postgres.connection import Link
from gateway.store.postgres.pending import PostgresPending
from gateway.store.postgres.positions import PostgresPositions
from gateway.store.resources import Resource, Resources
from gateway.store.rows import SHARED_PARTITION

_FIND = (
    "SELECT r.type, r.name, r.id, r.partition, r.heads, r.terms FROM unnest(%b::int8[], %b::text[]) AS n (type, name) "
    "JOIN resource r ON r.name = n.name AND r.type = n.type"
)
_REFERRED = (
    "SELECT r.recipient, r.target FROM unnest(%b::int8[], %b::text[]) AS n (recipient, target) "
    "JOIN reference r ON r.recipient = n.recipient AND r.target = n.target WHERE r.count > 0"
)


class PostgresResources(Resources):
    """See `Resources`. Shared ones are read and written under the lock of positions alone: they belong to nobody."""

    _connection: Link

    def __init__(
        self,
        link: Link,
        pending: PostgresPending,
        recipients: Names,
        words: Names,
        positions: PostgresPositions,
        new_id: Callable[[], int],
        flush: Callable[[], None],
        hold: Callable[[Iterable[int]], None],
    ) -> None:
        super().__init__(link, pending, recipients, words, positions, new_id, flush)
        self._hold = hold
        self._kept_references: list[tuple[int, str, int]] = []

    def forget(self) -> None:
        super().forget()
        self._kept_references.clear()

    def partition_of(self, type: str, name: str) -> int | None:
        """See `Writer.partition_of`. Remembers nothing: it may be shared, or another process's."""
        if (type, name) in self._known:
            return self._known[type, name].partition
        row = self._connection.execute(sql.FIND_RESOURCE, (name, self._words.known(type))).fetchone()
        return None if row is None else row[1]

    def keep(self) -> None:
        """What the input changed that is over is there to stay."""
        self._pack(self._changed.values())
        self._changed.clear()
        self._kept_references += self._references
        self._references = []

    def touched(self) -> bool:
        """Has the input that is under way changed anything?"""
        return bool(self._changed or self._references)

    def set_aside(self) -> tuple[dict[int, Resource], list[tuple[int, str, int]]]:
        """Takes out what the input that is under way changed, so that what was before it can be written alone."""
        aside = self._changed, self._references
        self._changed, self._references = {}, []
        return aside

    def put_back(self, aside: tuple[dict[int, Resource], list[tuple[int, str, int]]]) -> None:
        """After `set_aside`."""
        self._changed, self._references = aside

    def _complete(self) -> None:
        self._references = [*self._kept_references, *self._references]
        self._kept_references = []
        super()._complete()

    def _pack(self, changed: Iterable[Resource]) -> None:
        for resource in changed:
            heads = dict(resource.heads)
            if resource.new:
                resource.new = False
                row = (resource.id, self._words.number(resource.type), resource.name, resource.partition, heads)
                self._pending.add(sql.ADD_RESOURCE, [row])
            else:
                self._pending.add(sql.SET_RESOURCE, [(resource.id, heads)])

    def _find_all(self, names: Iterable[tuple[str, str]]) -> None:
        wanted = list(names)
        if wanted:
            columns = [self._words.number(type) for type, _ in wanted], [name for _, name in wanted]
            found = self._connection.execute(_FIND, columns).fetchall()
            owners = {row[3] for row in found if row[3] is not None}
            if owners - {SHARED_PARTITION}:  # what another partition has is taken from it
                self._hold(owners)
                found = self._connection.execute(_FIND, columns).fetchall()
            for type, name, *row in found:
                self._remember(self._words.name(type), name, row)

    def _referred(self, references: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
        pairs = list(references)
        columns = [recipient for recipient, _ in pairs], [target for _, target in pairs]
        return set(self._connection.execute(_REFERRED, columns).fetchall())
