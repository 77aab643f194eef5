"""The inbox as one transaction sees it: what is stored, and what it has taken or settled itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gateway.store import sql
from gateway.store.interface import HOUR, Busy, Input
from gateway.store.postgres.connection import Link
from gateway.store.postgres.partitions import Partitions
from gateway.store.postgres.pending import PostgresPending
from gateway.store.rows import input_of, outcome_of

_NUMBER = "SELECT nextval('input_number')"
_LOCK = f"{_NUMBER}, pg_advisory_xact_lock(?)"
_TRY = f"{_NUMBER}, pg_try_advisory_xact_lock(?)"
_BEFORE = f"{sql.ACCEPTED} UNION ALL ({sql.REFUSED})"
"""Was exactly this taken, or refused, before? Both in one statement."""
_STATE = 9
"""The place of the state among `sql.INPUT_COLUMNS`."""


class Inbox:
    """Inputs. One that is looked for is locked by feed, control ID and digest, so that no other process takes it too."""

    def __init__(self, link: Link, pending: PostgresPending, partitions: Partitions) -> None:
        self._link, self._pending, self._partitions = link, pending, partitions
        self._locked: set[int] = set()
        self._numbers: list[int] = []
        self._mine: dict[int, Input] = {}

    def state(self) -> dict[int, Input]:
        """What `restore` goes back to."""
        return dict(self._mine)

    def restore(self, state: dict[int, Input]) -> None:
        """After a savepoint that failed."""
        self._mine = state

    def accepted(self, feed: str, control_id: str, digest: bytes) -> Input | None:
        """See `interface.Writer`. What is asked next is read in the same round trip."""
        key = (control_id, feed, digest)
        self._lock(key)
        return next(self._of(key, "processed"), None) or self._stored(sql.ACCEPTED, key)

    def refused(self, feed: str, control_id: str, digest: bytes) -> Input | None:
        """See `interface.Writer`."""
        key = (control_id, feed, digest)
        return next(self._of(key, "quarantined"), None) or self._stored(sql.REFUSED, key)

    def reused(self, feed: str, control_id: str, digest: bytes) -> bool:
        """See `interface.Writer.control_id_reused`."""
        mine = (each for each in self._mine.values() if (each.control_id, each.feed) == (control_id, feed))
        if any(each.state == "processed" and each.digest != digest for each in mine):
            return True
        return self._link.execute(sql.REUSED, (control_id, feed, digest)).fetchone() is not None

    def get(self, id: int) -> Input | None:
        """See `interface.Writer.input`."""
        mine = self._mine.get(id)
        if mine is None:
            row = self._link.execute(sql.GET_INPUT, (id,)).fetchone()
            return None if row is None else input_of(row)
        return mine

    def add(self, input: Input) -> int:
        """See `interface.Writer.add_input`."""
        id = self._numbers.pop() if self._numbers else self._link.execute(_NUMBER).fetchone()[0]
        received = (input.kind, input.feed, input.control_id, input.digest, input.received)
        about, *outcome = outcome_of(input)
        self._pending.add(sql.ADD_INPUT, [(id, *received, about, *outcome)])
        if input.original is None:
            self._pending.add(sql.ADD_RAW, [(id, input.raw)])
        self._pending.add(sql.ADD_IDENTIFIER, [(value, id) for value in input.identifiers])
        self._pending.add(sql.HEAR, [(input.feed, input.received // HOUR, 1, int(input.state == "quarantined"), input.received)])
        self._remember(id, input)
        return id

    def settle(self, input: Input) -> None:
        """See `interface.Writer.settle_input`."""
        before = self.get(input.id)
        if before is not None:
            self._lock((before.control_id, before.feed, before.digest))
            received = {name: getattr(before, name) for name in ("kind", "feed", "control_id", "digest", "received", "raw")}
            self._remember(input.id, replace(input, **received))
        self._pending.add(sql.SETTLE_INPUT, [(*outcome_of(input), input.id)])
        old, new = set(before.identifiers if before else ()), set(input.identifiers)
        self._pending.add(sql.DROP_IDENTIFIER, [(value, input.id) for value in old - new])
        self._pending.add(sql.ADD_IDENTIFIER, [(value, input.id) for value in new - old])

    def _remember(self, id: int, input: Input) -> None:
        original = self.get(input.original) if input.original is not None else None
        self._mine[id] = replace(input, id=id, raw=original.raw if original is not None else input.raw)

    def _lock(self, key: tuple[str, str, bytes]) -> None:
        control_id, feed, digest = key
        number = self._link.number(b"input", feed.encode(errors="surrogatepass"), control_id.encode(errors="surrogatepass"), digest)
        if number in self._locked:
            return
        waits = not self._locked and self._partitions.waits
        lock = (_LOCK if waits else _TRY, (number,))
        ((id, granted),), rows, reused = self._link.ask([lock, (_BEFORE, (*key, *key)), (sql.REUSED, key)])
        self._numbers.append(id)
        if not waits and not granted:
            raise Busy("Another process is taking the same input", advice="Send again in a moment.")
        self._locked.add(number)
        accepted, refused = ([row for row in rows if row[_STATE] == state] for state in ("processed", "quarantined"))
        self._link.foresee([(sql.ACCEPTED, key), (sql.REFUSED, key), (sql.REUSED, key)], [accepted, refused, reused])

    def _of(self, key: tuple[str, str, bytes], state: str) -> Iterator[Input]:
        return (each for each in self._mine.values() if each.state == state and (each.control_id, each.feed, each.digest) == key)

    def _stored(self, statement: str, key: tuple[str, str, bytes]) -> Input | None:
        row = self._link.execute(statement, key).fetchone()
        return None if row is None or row[0] in self._mine else input_of(row)
