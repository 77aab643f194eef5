"""The inbox is the truth: derive everything else from it anew, and replay single inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.intake import take
from gateway.pipeline.own import put_own_resources
from gateway.pipeline.partitions import place_statements, put_shared_words, refold
from gateway.pipeline.received import Outcome, Received
from gateway.pipeline.understanding import understand
from gateway.records.identity import GATEWAY_PATIENT
from gateway.records.statements import Translation
from gateway.store.interface import Change, Filter, Input, NewVersion, Store, Writer

Progress = Callable[[str, int], None]
"""Told what is being counted, and how many there are by now."""


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild did."""

    inputs: int = 0
    failed: int = 0  # inputs that today's mappings refuse; they keep their place in the inbox
    partitions: int = 0
    removed: int = 0  # resources and transitions that no input tells of any more


def received(row: Input) -> Received:
    """A stored input as it came in."""
    return Received(row.kind, row.raw, row.feed if row.kind != "hl7v2" else "", row.about)


def replay(writer: Writer, row: Input, now: int, configuration: Configuration) -> Outcome:
    """One stored input through the journey again, from its raw bytes and with its own receipt time."""
    return take(writer, received(row), now, configuration, again=row)


def rebuild(store: Store, configuration: Configuration, now: int, progress: Progress = lambda what, number: None) -> Rebuilt:
    """Derive all records and transitions from the inbox with today's mappings, in one transaction.

    A version is written only where the result differs.
    """
    done = Rebuilt()
    with store.write(now) as writer, store.reading() as reader:
        writer.clear_statements()
        put_own_resources(writer, configuration)
        keys: dict[str, str] = {}
        touched: set[int] = set()
        for row in reader.messages(Filter(state="processed", oldest_first=True)):
            try:
                translation = understand(received(row), row.received, configuration).translate()
            except GatewayError:
                done.failed += 1
                continue
            done.inputs += 1
            progress("inputs", done.inputs)
            if translation.heading.test:
                continue
            touched.update(place_statements(writer, row.id, row.digest.hex()[:16], translation, _known(writer, keys)))
            _remember(translation, keys, configuration)
            put_shared_words(writer, row.digest.hex()[:16], translation)
        for partition in sorted(touched):
            if writer.statements(partition):
                refold(writer, partition, now, configuration)
                done.partitions += 1
                progress("clients", done.partitions)
        done.removed = _remove_orphans(writer)
    return done


def _known(writer: Writer, keys: dict[str, str]) -> Callable[[str], int | None]:
    """Finds the partition of a Patient id of ours by the identifier it was made from: no resource belongs to a partition yet."""

    def partition(key: str) -> int | None:
        if not key.startswith(GATEWAY_PATIENT) or key not in keys:
            return None
        return next(iter(writer.partitions([keys[key]])), None)

    return partition


def _remember(translation: Translation, keys: dict[str, str], configuration: Configuration) -> None:
    for statement in translation.statements:
        for key in (*statement.person, *statement.retires):
            keys.setdefault(GATEWAY_PATIENT + configuration.identify("Patient", key), key)


def _remove_orphans(writer: Writer) -> int:
    versions = [NewVersion(head.recipient, head.type, head.id, None) for head in writer.orphans()]
    rows = [row._replace(body=None, status="withdrawn", flagged=False) for row in writer.orphan_transitions()]
    writer.apply(Change(partition=0, versions=versions, transitions=rows))
    return len(versions) + len(rows)


def replay_all(writer: Writer, rows: Iterable[Input], now: int, configuration: Configuration) -> list[tuple[int, Outcome]]:
    """Several stored inputs, oldest first."""
    return [(row.id, replay(writer, row, now, configuration)) for row in rows]
