"""What replaying an input would change: it is replayed in a transaction that is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

from gateway.pipeline.configuration import Configuration
from gateway.pipeline.rebuild import replay
from gateway.pipeline.received import Outcome
from gateway.store.interface import ALL, Change, Head, Store, TransitionRow, Writer

Heads = dict[tuple[str, str, str], Head]
Rows = dict[tuple[str, str], TransitionRow]


class Changed(NamedTuple):
    """A record of the coordinator's view that a replay would write."""

    reference: str  # "CarePlan/…"
    how: Literal["new", "changed", "deleted"]


class Moved(NamedTuple):
    """A transition that a replay would move; "" for one that is not there."""

    id: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What would come of one input."""

    number: int
    outcome: Outcome
    records: tuple[Changed, ...]
    transitions: tuple[Moved, ...]


def try_replay(store: Store, number: int, now: int, configuration: Configuration) -> Trial | None:
    """What replaying a stored input would do as of `now` (microseconds UTC). Nothing of it is kept. None for a duplicate, which repeats another."""
    found: list[Trial] = []
    with suppress(_TakenBack), store.write(now) as writer:
        row = writer.input(number)
        if row is not None and row.state != "duplicate":
            watched = _Watched(writer)
            outcome = replay(cast(Writer, watched), row, now, configuration)
            found.append(Trial(number, outcome, tuple(_records(watched)), tuple(_transitions(watched))))
        raise _TakenBack
    return found[0] if found else None


class _TakenBack(Exception):
    """Ends a trial's transaction without a commit."""


@dataclass(slots=True)
class _Watched:
    """A writer that remembers how the partitions stood that are written."""

    writer: Writer
    heads: dict[int, Heads] = field(default_factory=dict)
    rows: dict[int, Rows] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.writer, name)

    def apply(self, change: Change) -> None:
        """Remember, and write."""
        if change.partition not in self.heads:
            self.heads[change.partition] = dict(self.writer.heads(change.partition))
            self.rows[change.partition] = dict(self.writer.transition_rows(change.partition))
        self.writer.apply(change)


def _records(watched: _Watched) -> Iterator[Changed]:
    for partition, before in watched.heads.items():
        for (recipient, type, id), head in sorted(watched.writer.heads(partition).items()):
            earlier = before.get((recipient, type, id))
            if recipient != ALL or (earlier is not None and earlier.number == head.number):
                continue
            there = earlier is not None and bool(earlier.digest)
            yield Changed(f"{type}/{id}", "deleted" if not head.digest else "changed" if there else "new")


def _transitions(watched: _Watched) -> Iterator[Moved]:
    for partition, before in watched.rows.items():
        for (recipient, id), row in sorted(watched.writer.transition_rows(partition).items()):
            earlier = before.get((recipient, id))
            if recipient == ALL and (earlier is None or earlier.body != row.body):
                yield Moved(id, _word(earlier), _word(row))


def _word(row: TransitionRow | None) -> str:
    return "" if row is None else f"{row.status}, flagged" if row.flagged else row.status
