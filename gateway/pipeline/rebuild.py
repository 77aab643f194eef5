"""The inbox is the truth: derive everything else from it anew, and replay single inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import structlog

from gateway.errors import GatewayError
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.faults import where
from gateway.pipeline.intake import BOUND, attempt, reason
from gateway.pipeline.openings import OPENING, remember_opening
from gateway.pipeline.own import put_own_resources
from gateway.pipeline.partitions import place_statements, put_shared_words, refold_as_decided
from gateway.pipeline.received import Outcome, Received
from gateway.pipeline.understanding import understand
from gateway.records.identity import GATEWAY_PATIENT
from gateway.records.statements import Translation
from gateway.store.interface import Change, Filter, Input, NewVersion, Store, Writer

log = structlog.get_logger(__name__)

Progress = Callable[[str, int], None]
"""Told what is being counted, and how many there are by now."""

REPLAYED_AT_ONCE = 16


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild did."""

    inputs: int = 0
    failed: int = 0  # inputs that today's mappings refuse; they are in quarantine now
    partitions: int = 0
    removed: int = 0  # resources and transitions that no input tells of any more


def received(row: Input) -> Received:
    """A stored input as it came in, bound to no more feeds than its sender was."""
    return Received(row.kind, row.raw, row.about.get(BOUND, "") if row.kind == "hl7v2" else row.feed, row.about)


def replay(writer: Writer, row: Input, now: int, configuration: Configuration) -> Outcome:
    """One stored input through the journey again, from its raw bytes and with its own receipt time."""
    return attempt(writer, received(row), now, configuration, again=row)


def rebuild(store: Store, configuration: Configuration, now: int, progress: Progress = lambda what, number: None) -> Rebuilt:
    """Derive all records and transitions from the inbox with today's mappings, in one transaction.

    A version is written only where the result differs.
    """
    done = Rebuilt()
    people = store.credentials.users.all()
    with store.write(now) as writer, store.reading() as reader:
        writer.clear_statements()
        put_own_resources(writer, configuration, people)
        keys: dict[str, str] = {}
        touched: set[int] = set()
        for row in reader.messages(Filter(state="processed", oldest_first=True)):
            translation = _translation(writer, row, configuration)
            if translation is None:
                done.failed += 1
                continue
            done.inputs += 1
            progress("inputs", done.inputs)
            if row.kind == OPENING:
                remember_opening(writer, row)
            if translation.heading.test:
                continue
            touched.update(place_statements(writer, row.id, row.digest.hex()[:16], translation, _known(writer, keys)))
            _remember(translation, keys, configuration)
            put_shared_words(writer, row.digest.hex()[:16], translation)
        for partition in sorted(touched):
            if writer.statements(partition):
                refold_as_decided(writer, partition, now, configuration)
                done.partitions += 1
                progress("clients", done.partitions)
        done.removed = _remove_orphans(writer)
    return done


def _translation(writer: Writer, row: Input, configuration: Configuration) -> Translation | None:
    """What an input says by today's mappings; one that they refuse goes to the quarantine, where it is seen and can be replayed."""
    try:
        understood = understand(received(row), row.received, configuration)
        if understood.error is not None:
            raise understood.error
        return understood.translate()
    except GatewayError as error:
        refusal = error
    except Exception as fault:  # noqa: BLE001 - one input on which the gateway fails must not keep all others from being rebuilt
        log.error("input failed", input=row.id, fault=type(fault).__name__, where=where(fault), kind=row.kind)
        refusal = GatewayError("The gateway failed on this message; it is kept and will be looked at")
    writer.settle_input(replace(row, state="quarantined", error=reason(refusal), location=refusal.location))
    return None


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


def replay_all(store: Store, numbers: Iterable[int], now: int, configuration: Configuration) -> Iterator[tuple[int, Outcome]]:
    """Stored inputs by their ids, in that order, a few in one transaction, so that a gateway that serves meanwhile is not kept waiting.

    Duplicates are passed over: what they repeat is replayed as itself.
    """
    waiting = iter(numbers)
    while group := list(islice(waiting, REPLAYED_AT_ONCE)):
        with store.write(now) as writer:
            rows = [row for row in map(writer.input, group) if row is not None and row.state != "duplicate"]
            done = [(row.id, replay(writer, row, now, configuration)) for row in rows]
        yield from done
