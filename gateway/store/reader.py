"""A consistent look at a store, whatever database keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Unpack

from gateway.store import sql
from gateway.store.connection import Connection
from gateway.store.finding import Finder
from gateway.store.interface import ALL, Filter, Heard, Input, Measured, Past, TransitionRow, Version
from gateway.store.names import Names
from gateway.store.rows import input_of, key_hash, transition_of
from gateway.store.wanted import Wanted

_FOREVER = 2**63 - 1

_BODIES_AT_ONCE = 100


class SqlReader:
    """See `interface.Reader`. Lives inside a read transaction. `walk` runs a statement whose rows are fetched as they are asked for."""

    def __init__(self, connection: Connection, recipients: Names, words: Names, walk: Callable[..., Iterable[Any]]) -> None:
        self._connection, self._recipients, self._words, self._walk = connection, recipients, words, walk
        self._finder = Finder(connection, words.known, walk)

    def _rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, parameters).fetchall()

    def _version(self, row: Sequence[Any]) -> Version:
        type, id, number, position, body, partition = row
        return Version(self._words.name(type), id, number, position, position, body, partition or 0)

    # --- resources

    def read(self, recipient: str, type: str, id: str) -> Version | None:
        rows = self._rows(sql.READ, id, self._words.known(type), self._recipients.known(recipient))
        return self._version(rows[0]) if rows else None

    def vread(self, recipient: str, type: str, id: str, number: int) -> Version | None:
        rows = self._rows(sql.VREAD, id, self._words.known(type), self._recipients.known(recipient), number)
        return self._version(rows[0]) if rows else None

    def history(self, recipient: str, type: str, id: str, limit: int, before: int | None = None) -> list[Version]:
        below = _FOREVER if before is None else before
        rows = self._rows(sql.HISTORY, id, self._words.known(type), self._recipients.known(recipient), below, limit)
        return [self._version(row) for row in rows]

    def versions(self, recipient: str, type: str, *, limit: int, before: int | None = None, since: int | None = None) -> list[Version]:
        below, least = _FOREVER if before is None else before, 0 if since is None else since
        rows = self._rows(sql.VERSIONS, self._recipients.known(recipient), self._words.known(type), below, least, limit)
        return [self._version(row) for row in rows]

    def search(self, recipient: str, type: str, **wanted: Unpack[Wanted]) -> list[Version]:
        return list(self._with_bodies(self._found(recipient, type, wanted)))

    def count(self, recipient: str, type: str, **wanted: Unpack[Wanted]) -> int:
        return sum(1 for _ in self._found(recipient, type, wanted))

    def _found(self, recipient: str, type: str, wanted: Wanted) -> Iterator[Sequence[Any]]:
        owner = self._recipients.known(recipient)
        return iter(()) if owner is None else self._finder.rows(owner, type, wanted)

    def _with_bodies(self, rows: Iterator[Sequence[Any]]) -> Iterator[Version]:
        while page := list(islice(rows, _BODIES_AT_ONCE)):
            stored = {row[4] for row in page}
            bodies = dict(self._rows(sql.GET_BODIES.format(", ".join("?" * len(stored))), *stored))
            name = self._words.name
            for type, id, number, position, body, partition, *_ in page:
                yield Version(name(type), id, number, position, position, None if body is None else bodies[body], partition or 0)

    def export(self, recipient: str, type: str | None = None) -> Iterator[Version]:
        owner = self._recipients.known(recipient)
        for name in self.types(recipient) if type is None else [type]:
            yield from self._with_bodies(iter(self._walk(sql.IN_ORDER, (owner, self._words.known(name), -1, _FOREVER))))

    def types(self, recipient: str) -> list[str]:
        return [name for (name,) in self._rows(sql.TYPES_OF, self._recipients.known(recipient))]

    def as_of(self, recipient: str, type: str, *, moment: int, after: int, until: int, limit: int) -> list[Past]:
        bounds = (self._recipients.known(recipient), self._words.known(type), after, min(until, moment), moment, limit)
        rows = self._rows(sql.AS_OF, *bounds)
        return [Past(version, bool(row[6])) for version, row in zip(self._with_bodies(iter(rows)), rows, strict=True)]

    def ids(self, recipient: str, type: str) -> list[tuple[str, int]]:
        bounds = (self._recipients.known(recipient), self._words.known(type), -1, _FOREVER)
        return [(row[1], row[5] or 0) for row in self._walk(sql.IN_ORDER, bounds)]

    def last(self) -> int:
        rows = self._rows(sql.LAST_POSITION)
        return rows[0][0] if rows else 0

    # --- transitions

    def feed(self, recipient: str, after: int, limit: int) -> list[TransitionRow]:
        return [transition_of(recipient, row) for row in self._rows(sql.FEED, self._recipients.known(recipient), after, limit)]

    def position(self, recipient: str) -> int:
        return self._rows(sql.FEED_POSITION, self._recipients.known(recipient))[0][0] or 0

    def worklist(self, recipient: str, *, flagged: bool = False, status: str = "", limit: int | None = None, offset: int = 0) -> list[TransitionRow]:
        if flagged:
            statement = sql.WORKLIST_BOTH if status else sql.WORKLIST_FLAGGED
        else:
            statement = sql.WORKLIST_STATUS if status else sql.WORKLIST_ALL
        parameters = [self._recipients.known(recipient), *([status] if status else []), _FOREVER if limit is None else limit, offset]
        rows = self._rows(statement, *parameters)
        return [transition_of(recipient, row) for row in rows]

    def measured(self, first: str, last: str) -> Iterator[Measured]:
        return (Measured(*row) for row in self._walk(sql.MEASURED, (first, last)))

    def transition(self, recipient: str, id: str) -> TransitionRow | None:
        rows = self._rows(sql.GET_TRANSITION, id, self._recipients.known(recipient))
        return transition_of(recipient, rows[0]) if rows else None

    # --- the inbox

    def messages(self, filter: Filter) -> Iterator[Input]:
        conditions, parameters = ["1 = 1"], []
        for condition, value in (
            ("i.state = ?", filter.state),
            ("i.feed = ?", filter.feed),
            ("i.received >= ?", filter.since),
            ("i.control_id = ?", filter.control_id),
            *(("i.id IN (SELECT input FROM input_identifier WHERE value = ?)", one) for one in filter.identifiers),
            (sql.CONTAINS, filter.contains),
            ("i.id < ?", filter.before),
        ):
            if value not in (None, "", b""):
                conditions.append(condition)
                parameters.append(value)
        statement = (
            f"SELECT {sql.INPUT_COLUMNS} {sql.INPUT_FROM} WHERE {' AND '.join(conditions)} "
            f"ORDER BY i.id {'ASC' if filter.oldest_first else 'DESC'} LIMIT ?"
        )
        for row in self._walk(statement, (*parameters, _FOREVER if filter.limit is None else filter.limit)):
            yield input_of(row)

    def told(self, keys: Sequence[str]) -> dict[int, list[tuple[int, bytes]]]:
        partitions = {row[0] for key in keys for row in self._rows(sql.FIND_KEY, key_hash(key))}
        return {partition: self._rows(sql.STATEMENTS, partition) for partition in sorted(partitions)}

    def feeds(self) -> list[str]:
        return [row[0] for row in self._rows(sql.FEEDS)]

    def heard(self, feed: str, limit: int) -> list[Heard]:
        return [Heard(*row) for row in self._rows(sql.HEARD, feed, limit)]

    def audit(self, after: int, limit: int) -> list[tuple[int, int, bytes]]:
        return self._rows(sql.AUDIT, after, limit)

    def counts(self, *names: str, at_most: int | None = None) -> dict[str, int]:
        everyone = self._recipients.known(ALL)
        parameters = {"transitions": (everyone,), "flagged": (everyone,)}
        limit = _FOREVER if at_most is None else at_most
        return {name: self._rows(sql.COUNTS[name], *parameters.get(name, ()), limit)[0][0] for name in names or sql.COUNTS}
