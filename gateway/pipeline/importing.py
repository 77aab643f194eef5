"""Many inputs at once, as files hold them: translated before the transaction, committed in one, and each client's records derived once, at its end.

An input is what it is anywhere else: a row of the inbox with its bytes, and one that was taken before is known again. Nobody sees a part of a group.
The transaction is as long as a group is large; who calls says how large (`gateway.adapters.files`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from gateway.errors import GatewayError, Unavailable
from gateway.mappings.fhir.translate import IMPORT
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.faults import where
from gateway.pipeline.intake import Grouped, attempt, take
from gateway.pipeline.partitions import refold
from gateway.pipeline.received import Outcome, Received
from gateway.pipeline.understanding import Understood, understand
from gateway.records.statements import Translation
from gateway.store.interface import Store, Writer

log = structlog.get_logger(__name__)

TRIES = 20
"""How often a group is begun, where others are writing of the same people, or of too much."""
PAUSE = 0.1
"""Seconds before it is begun again; the second time twice, and so on."""


def imported(kind: str, raw: bytes, feed: str = "", about: dict[str, str] | None = None) -> Received:
    """An input that was read from a file: the same bytes again are the same input."""
    if kind == "hl7v2":
        return Received(kind, raw, feed)
    return Received(kind, raw, feed, {**(about or {}), "method": IMPORT, "request": f"import-{hashlib.sha256(raw).hexdigest()[:16]}"})


def taken_before(store: Store, received: Sequence[Received], now: int) -> set[int]:
    """Which of these inputs were taken before: their places in the list. Of FHIR's alone; HL7 v2 has to be read for it."""
    with store.write(now) as writer:
        return {number for number, one in enumerate(received) if one.kind == "fhir-bundle" and _accepted(writer, one)}


def _accepted(writer: Writer, received: Received) -> bool:
    feed, control_id = received.feed or received.about.get("sender", "default"), received.about["request"]
    return writer.accepted(feed, control_id, hashlib.sha256(received.raw).digest()) is not None


def translated(received: Received, now: int, configuration: Configuration) -> Understood:
    """An input with its translation worked out; `error` says for what it will be quarantined. `now` in microseconds UTC."""
    understood = understand(received, now, configuration)
    if understood.error is not None:
        return understood
    try:
        translation = understood.translate()
    except GatewayError as error:
        understood.error = error
    except Exception as fault:  # noqa: BLE001 - the transaction will meet it again, keep the input whole and tell of it
        log.error("input failed", fault=type(fault).__name__, where=where(fault), kind=received.kind)
    else:
        understood.translate = _given(translation)
    return understood


def _given(translation: Translation) -> Callable[[], Translation]:
    return lambda: translation


def take_group(
    store: Store, group: Sequence[tuple[Received, Understood]], now: int, configuration: Configuration, pause: Callable[[float], None] = time.sleep
) -> list[Outcome]:
    """Take a group of inputs, understood as of `now`. Raises Unavailable when the store cannot take it; then nothing of the group was taken."""
    for attempted in range(1, TRIES + 1):
        try:
            with store.write(now) as writer:
                return _take(writer, group, now, configuration)
        except Unavailable:
            if attempted == TRIES:
                raise
            pause(PAUSE * attempted)
        except Exception as fault:  # noqa: BLE001 - one input's fault must not cost the others
            log.error("a group of inputs failed; they are taken one by one", fault=type(fault).__name__, where=where(fault), inputs=len(group))
            break
    return [_alone(store, received, now, configuration) for received, _ in group]


def _take(writer: Writer, group: Sequence[tuple[Received, Understood]], now: int, configuration: Configuration) -> list[Outcome]:
    folds: set[int] = set()
    outcomes = [take(writer, received, now, configuration, grouped=Grouped(replace(understood), folds)) for received, understood in group]
    for partition in sorted(folds):
        refold(writer, partition, now, configuration)
    return outcomes


def _alone(store: Store, received: Received, now: int, configuration: Configuration) -> Outcome:
    with store.write(now) as writer:
        return attempt(writer, received, now, configuration)
