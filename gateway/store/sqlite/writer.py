"""One open transaction on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from gateway.errors import Unavailable
from gateway.store import sql
from gateway.store.interface import HOUR, Change, Head, Input, NewVersion, SharedRow, TransitionRow
from gateway.store.resources import Resources
from gateway.store.rows import SHARED_PARTITION, input_of, key_hash, outcome_of
from gateway.store.sqlite.connection import translated
from gateway.store.sqlite.names import names
from gateway.store.sqlite.pending import SqlitePending
from gateway.store.sqlite.turns import Turns
from gateway.store.transitions import Transitions


class SqliteWriter:
    """See `interface.Writer`. Begins with the connection's transaction, and is finished by `close`."""

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        self._connection, self._now = connection, now
        self._recipients, self._words = names(connection)
        self._pending = SqlitePending(connection)
        self._positions = _Positions(connection, now)
        self._ids = _Ids(connection, sql.LAST_RESOURCE), _Ids(connection, sql.LAST_TRANSITION)
        self._resources = Resources(connection, self._pending, self._recipients, self._words, self._positions, self._ids[0].next, self._flush)
        self._transitions = Transitions(connection, self._pending, self._recipients, self._positions, self._ids[1].next, self._flush)
        self._bound: dict[str, int] = {}
        self._added: set[int] = set()
        self._doomed = False

    def tick(self) -> int:
        return self._positions.next()

    def finish(self) -> None:
        """The last statement before COMMIT."""
        if self._doomed or not self._connection.in_transaction:
            raise Unavailable("The store could not take everything, and so took nothing", advice="Send again later.")
        self._pending.write()
        self._positions.keep()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        self._pending.write()
        self._connection.execute("SAVEPOINT one")
        try:
            with translated():
                yield
        except BaseException as error:
            self._doomed = self._doomed or isinstance(error, Unavailable)
            if self._connection.in_transaction:  # a full disk may have ended the whole transaction
                self._connection.execute("ROLLBACK TO one")
                self._connection.execute("RELEASE one")
            self._pending.forget()
            self._forget()
            self._recipients.forget()
            self._words.forget()
            raise
        self._connection.execute("RELEASE one")
        self._pending.write()

    def _flush(self) -> None:
        self._pending.write()
        self._forget()

    def _forget(self) -> None:
        self._bound.clear()
        self._resources.forget()
        self._transitions.forget()
        for ids in self._ids:
            ids.forget()

    # --- the inbox

    def accepted(self, feed: str, control_id: str, digest: bytes) -> Input | None:
        return self._one_input(sql.ACCEPTED, control_id, feed, digest)

    def refused(self, feed: str, control_id: str, digest: bytes) -> Input | None:
        return self._one_input(sql.REFUSED, control_id, feed, digest)

    def input(self, id: int) -> Input | None:
        return self._one_input(sql.GET_INPUT, id)

    def _one_input(self, statement: str, *parameters: object) -> Input | None:
        self._pending.write()
        row = self._connection.execute(statement, parameters).fetchone()
        return None if row is None else input_of(row)

    def control_id_reused(self, feed: str, control_id: str, digest: bytes) -> bool:
        return self._connection.execute(sql.REUSED, (control_id, feed, digest)).fetchone() is not None

    def add_input(self, input: Input) -> int:
        received = (input.kind, input.feed, input.control_id, input.digest, input.received)
        about, *outcome = outcome_of(input)
        id = self._connection.execute(sql.ADD_INPUT, (*received, about, *outcome)).lastrowid or 0
        if input.original is None:
            self._pending.add(sql.ADD_RAW, [(id, input.raw)])
        self._pending.add(sql.ADD_IDENTIFIER, [(value, id) for value in input.identifiers])
        self._pending.add(sql.HEAR, [(input.feed, input.received // HOUR, int(input.state == "quarantined"), input.received)])
        self._added.add(id)
        return id

    def settle_input(self, input: Input) -> None:
        before = self.input(input.id)
        self._connection.execute(sql.SETTLE_INPUT, (*outcome_of(input), input.id))
        old, new = set(before.identifiers if before else ()), set(input.identifiers)
        self._connection.executemany(sql.DROP_IDENTIFIER, [(value, input.id) for value in old - new])
        self._connection.executemany(sql.ADD_IDENTIFIER, [(value, input.id) for value in new - old])

    # --- partitions and statements

    def partitions(self, keys: Sequence[str]) -> list[int]:
        found = set()
        for key in keys:
            if key not in self._bound:
                row = self._connection.execute(sql.FIND_KEY, (key_hash(key),)).fetchone()
                if row is None:
                    continue
                self._bound[key] = row[0]
            found.add(self._bound[key])
        return sorted(found)

    def bind(self, keys: Sequence[str], partition: int | None) -> int:
        if partition is None:
            partition = int(self._connection.execute(sql.ADD_PARTITION).lastrowid or 0)
        self._connection.executemany(sql.ADD_KEY, [(key_hash(key), partition) for key in keys if key not in self._bound])
        return partition

    def join(self, partitions: Sequence[int]) -> int:
        self._pending.write()
        lowest, *others = sorted(set(partitions))
        for other in others:
            for statement in sql.MOVE:
                self._connection.execute(statement, (lowest, other))
            for statement in sql.JOIN_WAKE:
                self._connection.execute(statement, (lowest, other))
        if others:
            self._forget()
        return lowest

    def partition_of(self, type: str, id: str) -> int | None:
        self._pending.write()
        if type == "Transition":
            row = self._connection.execute(sql.PARTITION_OF_TRANSITION, (id,)).fetchone()
            return None if row is None else int(row[0])
        row = self._connection.execute(sql.FIND_RESOURCE, (id, self._words.known(type))).fetchone()
        return None if row is None or row[1] is None else int(row[1])

    def statements(self, partition: int) -> list[tuple[int, bytes]]:
        return self._connection.execute(sql.STATEMENTS, (partition,)).fetchall()

    def told(self, input: int) -> list[int]:
        return [row[0] for row in self._connection.execute(sql.TOLD, (input,))]

    def put_statements(self, input: int, bodies: Mapping[int, bytes]) -> None:
        if input not in self._added:  # what was added in this transaction said nothing before
            self._connection.execute(sql.DROP_STATEMENTS, (input,))
        self._connection.executemany(sql.ADD_STATEMENT, [(partition, input, body) for partition, body in bodies.items()])
        self._added.discard(input)

    def clear_statements(self) -> None:
        self._pending.write()
        for statement in sql.CLEAR:
            self._connection.execute(statement)
        self._forget()

    # --- results

    def heads(self, partition: int) -> dict[tuple[str, str, str], Head]:
        return self._resources.heads(partition)

    def transition_rows(self, partition: int) -> dict[tuple[str, str], TransitionRow]:
        return self._transitions.rows(partition)

    def shared(self, keys: Sequence[str]) -> dict[str, SharedRow]:
        found = (self._connection.execute(sql.SHARED, (key,)).fetchone() for key in keys)
        return {row[0]: SharedRow(*row) for row in found if row is not None}

    def put_shared(self, rows: Iterable[tuple[SharedRow, NewVersion | None]]) -> None:
        rows = list(rows)
        self._connection.executemany(sql.SET_SHARED, [row for row, _ in rows])
        self._resources.append_shared(version for _, version in rows if version is not None)

    def apply(self, change: Change) -> None:
        owned = change.partition != SHARED_PARTITION
        if owned:  # read both before anything waits to be written
            self._resources.load(change.partition)
            self._transitions.load(change.partition)
        self._transitions.put(change.partition, change.transitions, whole=owned and change.whole)
        self._resources.append(change.partition, change.versions, whole=owned and change.whole)
        if owned:
            self._pending.add(sql.WAKE, [(change.next_look, change.partition)])
        self._pending.add(sql.ADD_AUDIT, [(self._now, body) for body in change.audit])

    def orphans(self) -> list[Head]:
        return self._resources.orphans()

    def orphan_transitions(self) -> list[TransitionRow]:
        return self._transitions.orphans()

    # --- the clock

    def due(self, now: int, limit: int) -> list[int]:
        self._pending.write()
        return [row[0] for row in self._connection.execute(sql.DUE, (now, limit))]


class _Positions:
    """See `connection.Positions`. The one that writes has the last position, so none is provisional."""

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        row = connection.execute(sql.LAST_POSITION).fetchone()
        self._connection, self._now = connection, now
        self._stored = self._last = 0 if row is None else int(row[0])

    def next(self) -> int:
        self._last = max(self._now, self._last + 1)
        return self._last

    def settled(self, position: int) -> int:
        return position

    def keep(self) -> None:
        """Stores the last one."""
        if self._last != self._stored:
            self._connection.execute(sql.SET_POSITION, (self._last,))


class _Ids:
    """Row ids that are needed before their rows are written: above the last one stored."""

    def __init__(self, connection: sqlite3.Connection, last: str) -> None:
        self._connection, self._statement = connection, last
        self._last: int | None = None

    def next(self) -> int:
        """The next one."""
        if self._last is None:
            self._last = int(self._connection.execute(self._statement).fetchone()[0] or 0)
        self._last += 1
        return self._last

    def forget(self) -> None:
        """After a rollback."""
        self._last = None


@contextmanager
def writing(connection: sqlite3.Connection, turns: Turns, now: int) -> Iterator[SqliteWriter]:
    """A writer in its transaction. Trouble with the file anywhere inside dooms the whole of it, even where a savepoint's caller has swallowed it."""
    with translated(), turns.transaction(connection):
        writer = SqliteWriter(connection, now)
        yield writer
        writer.finish()
