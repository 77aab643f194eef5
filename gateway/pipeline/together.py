"""Several REST writes as one: a client's transaction. All of them are committed, or none. http://hl7.org/fhir/R4/http.html#transaction

Each is an input of its own in the inbox, so that a rebuild replays it like any other. They are checked against what stood before the first of them,
and folded once, after the last: between a cancelled appointment and the one booked in its place there is no moment at which anybody sees a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from gateway.errors import GatewayError
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.faults import where
from gateway.pipeline.intake import check_version, row_of, store_input
from gateway.pipeline.partitions import place_statements, refold, stored_patients
from gateway.pipeline.received import Outcome, Received
from gateway.pipeline.understanding import understand
from gateway.records.statements import Translation
from gateway.store.interface import Input, Writer

log = structlog.get_logger(__name__)


def attempt_together(writer: Writer, writes: Sequence[Received], now: int, configuration: Configuration) -> list[Outcome]:
    """Take all of the writes, in their order. Raises the refusal of the first that is refused; then nothing of any is kept."""
    try:
        with writer.savepoint():
            return _take(writer, writes, now, configuration)
    except GatewayError:
        raise
    except Exception as fault:  # noqa: BLE001 - as `intake.attempt`: the sender gets an answer, and the log no text that may hold a client's data
        log.error("inputs failed", fault=type(fault).__name__, where=where(fault), inputs=len(writes))
        raise GatewayError("The gateway failed on this request", advice="It was not taken; the operator has been told.") from None


def _take(writer: Writer, writes: Sequence[Received], now: int, configuration: Configuration) -> list[Outcome]:
    understood = [_understood(writer, each, configuration) for each in writes]
    patients, touched, taken = stored_patients(writer), set[int](), []
    for row, translation in understood:
        number = store_input(writer, row)
        touched.update(place_statements(writer, number, row.digest.hex()[:16], translation, patients))
        taken.append(Outcome(number, "processed"))
    for partition in sorted(touched):
        refold(writer, partition, now, configuration)
    return taken


def _understood(writer: Writer, write: Received, configuration: Configuration) -> tuple[Input, Translation]:
    at = writer.tick()
    understood = understand(write, at, configuration)
    if understood.error is not None:
        raise understood.error
    check_version(writer, write)
    translation = understood.translate()
    row = row_of(write, understood, at, None)
    return replace(row, event=translation.heading.event, state="processed"), translation
