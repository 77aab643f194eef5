"""Steps 1, 2, 6 and 7 for one input: take it in, understand it, commit what it changes, and say what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import structlog

from gateway.errors import Conflict, GatewayError, Unsupported
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.faults import where
from gateway.pipeline.foreseen import Foreseen
from gateway.pipeline.openings import OPENING, remember_opening
from gateway.pipeline.partitions import commit_statements, place_statements, put_shared_words, refold, stored_patients
from gateway.pipeline.received import Outcome, Received
from gateway.pipeline.understanding import Understood, not_understood, understand
from gateway.records.statements import Report, Translation
from gateway.store.interface import ALL, Head, Input, Writer

log = structlog.get_logger(__name__)

WRITES = ("fhir-write", "decision", OPENING)
"""What people write: it holds in the order of commits, and a refused one leaves no trace."""
BOUND = "feeds"
"""Where an input's `about` keeps the feeds that its sender is bound to, so that a replay opens no more to it."""


class Grouped(NamedTuple):
    """How an input is taken that is one of a group (`importing`): as it was understood before its turn. Which partitions the group has to fold, once
    all of it is placed, is noted in `folds`."""

    understood: Understood
    folds: set[int]


def attempt(
    writer: Writer, received: Received, now: int, configuration: Configuration, *, again: Input | None = None, foreseen: Foreseen | None = None
) -> Outcome:
    """`take`, so that a fault of ours costs neither this input nor its neighbours: it is logged, and the input kept whole."""
    try:
        with writer.savepoint():
            return take(writer, received, now, configuration, again=again, foreseen=foreseen)
    except GatewayError:
        raise
    except Exception as fault:  # noqa: BLE001 - whatever it was, the sender gets an answer, and the log no text that may hold a client's data
        log.error("input failed", fault=type(fault).__name__, where=where(fault), kind=received.kind)
        if received.kind in WRITES and again is None:
            raise GatewayError("The gateway failed on this request", advice="It was not taken; the operator has been told.") from None
    with writer.savepoint():
        return _keep_whole(writer, received, now, configuration, again)


def take(
    writer: Writer,
    received: Received,
    now: int,
    configuration: Configuration,
    *,
    again: Input | None = None,
    foreseen: Foreseen | None = None,
    grouped: Grouped | None = None,
) -> Outcome:
    """One input through the journey, in an open transaction. `again` is the stored input that is replayed, with its own receipt time; `foreseen` what
    was worked out of it beforehand, as received at `now`.

    Raises only what means that nothing at all could be committed (`Unavailable`) and, for REST writes, every refusal: a refused write leaves
    no trace. (One that was accepted is replayed as any other input: what it was written against was decided then.)
    """
    if received.kind in WRITES and again is None:
        now = writer.tick()  # people's decisions hold in the order in which they were committed, whatever the clock does
    understood = grouped.understood if grouped is not None else understand(received, again.received if again else now, configuration)
    folds = grouped.folds if grouped is not None else None
    digest = hashlib.sha256(received.raw).digest()
    if understood.repeatable and again is None:
        first = writer.accepted(understood.feed, understood.control_id, digest) if understood.error is None else None
        if first is not None:
            return _repeat(writer, received, understood, first, now)
        again = writer.refused(understood.feed, understood.control_id, digest)
        if again is not None:  # the receipt that a rebuild will find is the first one
            understood = understand(received, again.received, configuration)
    row = row_of(received, understood, now, again)
    try:
        if understood.error is not None:
            raise understood.error
        if received.kind in WRITES and again is None:
            check_version(writer, received)
        translation = foreseen.translation if foreseen is not None and again is None else understood.translate()
    except GatewayError as error:
        if received.kind in WRITES and again is None:
            raise
        return _quarantine(writer, row, understood, error, now, configuration, folds)
    reports = list(translation.reports)
    if understood.repeatable and row.state != "processed" and writer.control_id_reused(understood.feed, understood.control_id, digest):
        reports.append(Report("MSH-10", "205", "W", "This control ID was used before, with other content; both were taken."))
    return _accept(writer, row, understood, translation, reports, now, configuration, foreseen, folds)


def row_of(received: Received, understood: Understood, now: int, again: Input | None) -> Input:
    """The inbox's row, or what it shall say from now on where the input is taken `again`."""
    about = {**received.about, BOUND: received.feed} if received.kind == "hl7v2" and received.feed else received.about
    return Input(
        id=again.id if again else 0,
        kind=received.kind,
        feed=understood.feed,
        control_id=understood.control_id,
        digest=hashlib.sha256(received.raw).digest(),
        received=again.received if again else now,
        raw=received.raw,
        about=about,
        event=understood.event,
        state=again.state if again else "quarantined",
        answer=again.answer if again else b"",
        identifiers=understood.identifiers,
    )


def _accept(
    writer: Writer,
    row: Input,
    understood: Understood,
    translation: Translation,
    reports: list[Report],
    now: int,
    configuration: Configuration,
    foreseen: Foreseen | None,
    folds: set[int] | None,
) -> Outcome:
    first = row.answer if row.id and row.state == "processed" else b""
    answer = first or understood.acknowledge("AA", reports, "", now)
    told = writer.told(row.id) if row.id else []
    row = replace(row, event=translation.heading.event or row.event, state="processed", answer=answer)
    number = store_input(writer, row)
    touched: list[int] = []
    if row.kind == OPENING:
        remember_opening(writer, replace(row, id=number))
    elif not translation.heading.test and folds is not None:
        touched = place_statements(writer, number, row.digest.hex()[:16], translation, stored_patients(writer))
        put_shared_words(writer, row.digest.hex()[:16], translation)
        folds.update(touched)
    elif not translation.heading.test:
        touched = commit_statements(writer, number, row.digest.hex()[:16], translation, now, configuration, foreseen)
    elif told:
        writer.put_statements(number, {})
    _refold(writer, set(told) - set(touched), now, configuration, folds)
    return Outcome(number, "processed", answer)


def _quarantine(
    writer: Writer, row: Input, understood: Understood, error: GatewayError, now: int, configuration: Configuration, folds: set[int] | None = None
) -> Outcome:
    """Nothing is dropped: the input stays whole, with the reason, and can be replayed. What it said when it was understood is taken back."""
    code, severity, words = _code(understood, error), "E", reason(error)
    if understood.accept_quarantined and code == "AE":
        code, severity = "AA", "W"
    answer = understood.acknowledge(code, [Report(error.location, error.condition, severity, words)], words, now)
    told = writer.told(row.id) if row.id else []
    number = store_input(writer, replace(row, state="quarantined", answer=answer, error=words, location=error.location))
    if told:
        writer.put_statements(number, {})
        _refold(writer, set(told), now, configuration, folds)
    return Outcome(number, "quarantined", answer, error=error)


def _code(understood: Understood, error: GatewayError) -> str:
    """The acknowledgement code of a refusal.

    An event, type or version that is not taken is refused for good by a strict profile alone: under any other it waits in the quarantine,
    for mappings that take it.
    """
    if isinstance(error, Unsupported) and not understood.strict:
        return "AE"
    return error.acknowledgement


def reason(error: GatewayError) -> str:
    """What was wrong and what to do, without the place."""
    return " ".join(f"{part.rstrip('.')}." for part in (error.message, error.advice) if part)


def _refold(writer: Writer, partitions: Iterable[int], now: int, configuration: Configuration, folds: set[int] | None = None) -> None:
    if folds is not None:
        folds.update(partitions)
        return
    for partition in sorted(partitions):
        refold(writer, partition, now, configuration)


def _keep_whole(writer: Writer, received: Received, now: int, configuration: Configuration, again: Input | None) -> Outcome:
    """Keep an input on which the gateway failed, and answer so; the fault itself is logged, never sent."""
    try:
        understood = understand(received, now, configuration)
    except Exception:  # noqa: BLE001 - the fault lies in the reading itself: then nothing is known of it but its bytes
        understood = not_understood(received)
    again = again or writer.refused(understood.feed, understood.control_id, hashlib.sha256(received.raw).digest())
    fault = GatewayError("The gateway failed on this message; it is kept and will be looked at", advice="Nothing has to be sent again.")
    return _quarantine(writer, row_of(received, understood, now, again), understood, fault, now, configuration)


def store_input(writer: Writer, row: Input) -> int:
    """Write the inbox's row; its number."""
    if row.id:
        writer.settle_input(row)
        return row.id
    return writer.add_input(row)


def _repeat(writer: Writer, received: Received, understood: Understood, first: Input, now: int) -> Outcome:
    """The same feed, control ID and bytes, accepted before: its first answer again, and nothing else."""
    number = writer.add_input(
        Input(
            id=0,
            kind=received.kind,
            feed=understood.feed,
            control_id=understood.control_id,
            digest=first.digest,
            received=now,
            raw=b"",
            event=first.event,
            state="duplicate",
            answer=first.answer,
            original=first.id,
            identifiers=first.identifiers,
        )
    )
    return Outcome(number, "duplicate", first.answer)


def check_version(writer: Writer, received: Received) -> None:
    """What a write was made against: the version that its sender sees now (`if-match`), or that there is none for anybody (`if-none-match`)."""
    wanted, absent = received.about.get("if-match"), received.about.get("if-none-match")
    if not wanted and not absent:
        return
    type, id = received.about["type"], received.about["id"]
    if absent and _head(writer, ALL, type, id) is not None:
        raise Conflict("It exists by now", location=f"{type}/{id}", advice="Search again.")
    head = _head(writer, received.about.get("recipient", ALL), type, id)
    if wanted and (head is None or str(head.number) != wanted):
        raise Conflict(
            "it has changed since it was read",
            location=f"{type}/{id}",
            advice="Read it again, decide again, and send the new version in If-Match.",
        )


def _head(writer: Writer, recipient: str, resource_type: str, resource_id: str) -> Head | None:
    partition = writer.partition_of(resource_type, resource_id)
    return None if partition is None else writer.heads(partition).get((recipient, resource_type, resource_id))
