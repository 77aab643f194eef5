"""One open transaction on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from gateway.errors import Unavailable
from gateway.store import sql
from gateway.store.interface import Busy, Change, Head, Input, NewVersion, SharedRow, TransitionRow
from gateway.store.names import Names
from gateway.store.postgres.connection import Link, Question, translated
from gateway.store.postgres.ids import Ids
from gateway.store.postgres.inbox import Inbox
from gateway.store.postgres.partitions import Partitions
from gateway.store.postgres.pending import PostgresPending
from gateway.store.postgres.positions import PostgresPositions
from gateway.store.postgres.resources import PostgresResources
from gateway.store.rows import SHARED_PARTITION
from gateway.store.subscription_sql import WATCHED
from gateway.store.transitions import Transitions

_SHARED = "SELECT key, rank, digest FROM shared WHERE key = ANY(%b::text[])"
_WRITERS = "SELECT pg_advisory_xact_lock_shared(?)"
_ALONE = "SELECT pg_advisory_xact_lock(?)"
_JOIN_WAKE = "UPDATE partition SET next_look = (SELECT min(next_look) FROM partition WHERE id IN (?, ?)) WHERE id = ?"
_DROP_PARTITION = "DELETE FROM partition WHERE id = ?"

Words = list[tuple[SharedRow, NewVersion | None]]


class PostgresWriter:
    """See `interface.Writer`. Begins a transaction on the link; `finish` commits it."""

    def __init__(self, link: Link, names: tuple[Names, Names], ids: Ids, now: int) -> None:
        self._link, self._ids, self._now = link, ids, now
        link.forget_answers()
        _, _, last, watched = link.ask([("BEGIN", ()), (_WRITERS, (link.number(b"writers"),)), (sql.LAST_POSITION, ()), (WATCHED, ())])
        link.foresee([(WATCHED, ())], [watched])
        self._positions = PostgresPositions(link, now, last[0][0] if last else 0)
        self._pending = PostgresPending(link, self._positions)
        self._pending.before_writing(self._write_words)
        self._partitions = Partitions(link)
        self._inbox = Inbox(link, self._pending, self._partitions)
        recipients, words = names
        self._resources = PostgresResources(link, self._pending, recipients, words, self._positions, ids.next, self._flush, self._partitions.hold)
        self._transitions = Transitions(link, self._pending, recipients, self._positions, ids.next, self._flush)
        self._said: dict[int, dict[int, bytes]] = {}  # statements that are not written yet, by input and partition
        self._shared: Words = []  # words on shared resources that are not written yet
        self._kept_shared = 0
        self._inside = self._saved = self._doomed = False

    def tick(self) -> int:
        return self._positions.tick()

    def finish(self) -> None:
        """Writes everything, and commits."""
        if self._doomed:
            raise Unavailable("The store could not take everything, and so took nothing", advice="Send again later.")
        self._pending.finish(more=bool(self._shared) or self._resources.touched())

    # --- savepoints

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        if self._pending.many:
            self._flush()
        self._resources.keep()
        self._pending.keep()
        state = self._inbox.state(), self._partitions.state(), dict(self._said)
        self._kept_shared = len(self._shared)
        self._inside, self._saved = True, False
        try:
            with translated():
                yield
        except BaseException as error:
            self._doomed = self._doomed or (isinstance(error, Unavailable) and not isinstance(error, Busy))
            self._inside = False
            self._undo()
            inputs, partitions, self._said = state
            self._inbox.restore(inputs)
            self._partitions.restore(partitions)
            raise
        self._inside = False
        if self._saved:
            self._link.execute("RELEASE SAVEPOINT one")

    def _undo(self) -> None:
        """Forgets what the savepoint wrote. What was written before it is written now if it must be, so that it can be read again."""
        del self._shared[self._kept_shared :]
        changed = bool(self._pending.set_aside()) or self._resources.touched()
        if self._link.broken or (self._link.failed and not self._saved) or not (changed or self._saved):
            return
        self._resources.set_aside()
        if self._saved:
            self._link.execute("ROLLBACK TO SAVEPOINT one")
            self._link.execute("RELEASE SAVEPOINT one")
        else:
            self._pending.write()
        self._forget()

    def _flush(self) -> None:
        """Writes everything, so that the database can be asked, or told, about all of it at once."""
        if self._inside and not self._saved:
            rows, changed, words = self._pending.set_aside(), self._resources.set_aside(), self._shared[self._kept_shared :]
            del self._shared[self._kept_shared :]
            self._pending.write()
            self._link.execute("SAVEPOINT one")
            self._saved = True
            self._pending.put_back(rows)
            self._resources.put_back(changed)
            self._shared, self._kept_shared = words, 0
        self._pending.write()
        self._partitions.forget()
        self._said = {}
        self._forget()

    def _forget(self) -> None:
        self._link.forget_answers()
        self._resources.forget()
        self._transitions.forget()

    # --- the inbox

    def accepted(self, feed: str, control_id: str, digest: bytes) -> Input | None:
        return self._inbox.accepted(feed, control_id, digest)

    def refused(self, feed: str, control_id: str, digest: bytes) -> Input | None:
        return self._inbox.refused(feed, control_id, digest)

    def input(self, id: int) -> Input | None:
        return self._inbox.get(id)

    def control_id_reused(self, feed: str, control_id: str, digest: bytes) -> bool:
        return self._inbox.reused(feed, control_id, digest)

    def add_input(self, input: Input) -> int:
        id = self._inbox.add(input)
        self._said[id] = {}
        return id

    def settle_input(self, input: Input) -> None:
        self._inbox.settle(input)

    # --- partitions and statements

    def partitions(self, keys: Sequence[str]) -> list[int]:
        return self._partitions.find(keys)

    def bind(self, keys: Sequence[str], partition: int | None) -> int:
        if partition is None:
            partition = self._ids.next()
            self._pending.add(sql.ADD_PARTITION, [(partition,)])
        else:
            self._partitions.hold([partition])
        self._pending.add(sql.ADD_KEY, self._partitions.bind(keys, partition))
        return partition

    def join(self, partitions: Sequence[int]) -> int:
        lowest, *others = sorted(set(partitions))
        self._partitions.hold([lowest, *others])
        self._flush()
        for other in others:
            moves: list[Question] = [(statement, (lowest, other)) for statement in sql.MOVE]
            self._link.ask([*moves, (_JOIN_WAKE, (lowest, other, lowest)), (_DROP_PARTITION, (other,))])
        return lowest

    def partition_of(self, type: str, id: str) -> int | None:
        if type == "Transition":
            known = self._transitions.partition_of(id)
            row = self._link.execute(sql.PARTITION_OF_TRANSITION, (id,)).fetchone() if known is None else (known,)
            return None if row is None else int(row[0])
        return self._resources.partition_of(type, id)

    def statements(self, partition: int) -> list[tuple[int, bytes]]:
        self._partitions.hold([partition])
        stored = self._link.execute(sql.STATEMENTS, (partition,)).fetchall()
        said = [(input, bodies[partition]) for input, bodies in self._said.items() if partition in bodies]
        return sorted([*(row for row in stored if row[0] not in self._said), *said], key=lambda row: row[0])

    def told(self, input: int) -> list[int]:
        if input in self._said:
            return sorted(self._said[input])
        return [row[0] for row in self._link.execute(sql.TOLD, (input,)).fetchall()]

    def put_statements(self, input: int, bodies: Mapping[int, bytes]) -> None:
        if self._pending.many and not self._inside:
            self._flush()
        if self._said.get(input, True):  # what was added in this transaction said nothing before
            self._pending.add(sql.DROP_STATEMENTS, [(input,)])
        self._pending.add(sql.ADD_STATEMENT, [(self._ids.next(), partition, input, body) for partition, body in bodies.items()])
        self._said[input] = dict(bodies)

    def clear_statements(self) -> None:
        self._link.execute(_ALONE, (self._link.number(b"writers"),))
        self._partitions.alone = True
        self._flush()
        self._link.ask([(statement, ()) for statement in sql.CLEAR])

    # --- results

    def heads(self, partition: int) -> dict[tuple[str, str, str], Head]:
        self._settle(partition)
        return self._resources.heads(partition)

    def transition_rows(self, partition: int) -> dict[tuple[str, str], TransitionRow]:
        self._settle(partition)
        return self._transitions.rows(partition)

    def _settle(self, partition: int) -> None:
        """A partition is locked before it is read; what is shared has to be written first, and nobody else may write it then."""
        self._partitions.hold([partition])
        if partition == SHARED_PARTITION:
            self._flush()

    def shared(self, keys: Sequence[str]) -> dict[str, SharedRow]:
        found = {row[0]: SharedRow(*row) for row in self._link.execute(_SHARED, (list(keys),)).fetchall()}
        found.update({row.key: row for row, _ in self._shared if row.key in keys})
        return found

    def put_shared(self, rows: Iterable[tuple[SharedRow, NewVersion | None]]) -> None:
        self._shared += rows

    def _write_words(self) -> None:
        """Words on shared resources, under the lock of positions: another process may have written a newer one since they were compared."""
        words, self._shared = self._shared, []
        if words:
            stored = self._link.execute(_SHARED, (list({row.key for row, _ in words}),)).fetchall()
            standing = {key: rank for key, rank, _ in stored}
            newest = [(row, version) for row, version in words if row.order >= standing.get(row.key, "")]
            self._pending.add(sql.SET_SHARED, [row for row, _ in newest])
            self._resources.append_shared(version for _, version in newest if version is not None)

    def apply(self, change: Change) -> None:
        partition, owned = change.partition, change.partition != SHARED_PARTITION
        if owned:
            self._partitions.hold([partition])
            self._partitions.looks[partition] = change.next_look
            self._pending.add(sql.WAKE, [(change.next_look, partition)])
        elif change.versions or change.transitions:
            self._flush()
        self._transitions.put(partition, change.transitions, whole=owned and change.whole)
        self._resources.append(partition, change.versions, whole=owned and change.whole)
        self._pending.add(sql.ADD_AUDIT, [(self._positions.next(), self._now, body) for body in change.audit])

    def orphans(self) -> list[Head]:
        self._flush()
        return self._resources.orphans()

    def orphan_transitions(self) -> list[TransitionRow]:
        self._flush()
        return self._transitions.orphans()

    # --- the clock

    def due(self, now: int, limit: int) -> list[int]:
        return self._partitions.due(now, limit)
