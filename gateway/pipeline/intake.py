"""Steps 1, 2, 6 and 7 for one input: take it in, understand it, commit what it changes, and say what came of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from gateway.errors import Conflict, GatewayError
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.partitions import commit_statements
from gateway.pipeline.received import Outcome, Received
from gateway.pipeline.understanding import Understood, understand
from gateway.records.statements import Report, Translation
from gateway.store.interface import ALL, Head, Input, Writer

WRITES = "fhir-write"


def take(writer: Writer, received: Received, now: int, configuration: Configuration, *, again: Input | None = None) -> Outcome:
    """One input through the journey, in an open transaction. `again` is the stored input that is replayed, with its own receipt time.

    Raises only what means that nothing at all could be committed (`Unavailable`) and, for REST writes, every refusal: a refused write leaves
    no trace.
    """
    receipt = again.received if again else now
    understood = understand(received, receipt, configuration)
    digest = hashlib.sha256(received.raw).digest()
    if understood.repeatable and again is None:
        first = writer.accepted(understood.feed, understood.control_id, digest)
        if first is not None:
            return _repeat(writer, received, understood, first, now)
        again = writer.refused(understood.feed, understood.control_id, digest)
    row = Input(
        id=again.id if again else 0,
        kind=received.kind,
        feed=understood.feed,
        control_id=understood.control_id,
        digest=digest,
        received=again.received if again else now,
        raw=received.raw,
        about=received.about,
        event=understood.event,
        identifiers=understood.identifiers,
    )
    try:
        if understood.error is not None:
            raise understood.error
        if received.kind == WRITES:
            _check_version(writer, received)
        translation = understood.translate()
    except GatewayError as error:
        if received.kind == WRITES:
            raise
        return _quarantine(writer, row, understood, error)
    reports = list(translation.reports)
    if understood.repeatable and again is None and writer.control_id_reused(understood.feed, understood.control_id, digest):
        reports.append(Report("MSH-10", "205", "W", "this control ID was used before, with other content; both were taken"))
    return _accept(writer, row, understood, translation, reports, now, configuration)


def _accept(
    writer: Writer, row: Input, understood: Understood, translation: Translation, reports: list[Report], now: int, configuration: Configuration
) -> Outcome:
    answer = understood.acknowledge("AA", reports)
    row = replace(row, event=translation.heading.event or row.event, state="processed", answer=answer)
    number = _store(writer, row)
    if not translation.heading.test:
        commit_statements(writer, number, row.digest.hex()[:16], translation, now, configuration)
    return Outcome(number, "processed", answer)


def _quarantine(writer: Writer, row: Input, understood: Understood, error: GatewayError) -> Outcome:
    """Nothing is dropped: the input stays whole, with the reason, and can be replayed."""
    code = error.acknowledgement
    severity = "E"
    if understood.accept_quarantined and code == "AE":
        code, severity = "AA", "W"
    answer = understood.acknowledge(code, [Report(error.location, error.condition, severity, error.message)])
    row = replace(row, state="quarantined", answer=answer, error=f"{error.message} {error.advice}".strip(), location=error.location)
    return Outcome(_store(writer, row), "quarantined", answer, error=error)


def quarantine_fault(writer: Writer, received: Received, now: int, configuration: Configuration) -> Outcome:
    """Keep an input whose processing failed by a fault of ours, and answer so; the fault itself is logged, never sent."""
    understood = understand(received, now, configuration)
    row = Input(
        id=0,
        kind=received.kind,
        feed=understood.feed,
        control_id=understood.control_id,
        digest=hashlib.sha256(received.raw).digest(),
        received=now,
        raw=received.raw,
        about=received.about,
        event=understood.event,
        identifiers=understood.identifiers,
    )
    fault = GatewayError("the gateway failed on this message; it is kept and will be looked at", advice="Nothing has to be sent again.")
    return _quarantine(writer, row, understood, fault)


def _store(writer: Writer, row: Input) -> int:
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


def _check_version(writer: Writer, received: Received) -> None:
    """If-Match against the version that the writer of it sees now."""
    wanted = received.about.get("if-match")
    if not wanted:
        return
    head = _head(writer, received.about.get("recipient", ALL), received.about["type"], received.about["id"])
    if head is None or str(head.number) != wanted:
        raise Conflict(
            "it has changed since it was read",
            location=f"{received.about['type']}/{received.about['id']}",
            advice="Read it again, decide again, and send the new version in If-Match.",
        )


def _head(writer: Writer, recipient: str, resource_type: str, resource_id: str) -> Head | None:
    partition = writer.partition_of(resource_type, resource_id)
    return None if partition is None else writer.heads(partition).get((recipient, resource_type, resource_id))
