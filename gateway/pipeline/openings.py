"""Agencies' openings as the journey meets them: kept with the shared words, and asked when a turn would begin.

An agency that takes no new clients at that moment is passed over by a decision of the written policy, which is an input of its own: it stands in the
inbox and is replayed with it. So assessment stays a function of what was said, a turn that has begun is not taken away by a closing, and a rebuild
ends where the gateway stood.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable

import orjson

from gateway.mappings.care.context import task_id
from gateway.mappings.decisions import POLICY, translate_decision
from gateway.mappings.openings import opening_json, read_opening
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.received import Received
from gateway.pipeline.results import Turn
from gateway.records.codec import encode
from gateway.records.times import moment
from gateway.store.interface import Filter, Input, Reader, SharedRow, Writer
from transitions.openings import Opening
from transitions.routing import PASSED_OVER

OPENING = "opening"
"""The kind of these inputs."""


def opening_name(agency: str) -> str:
    """By which an agency's openings are found among the inputs, and the newest of them among the shared words."""
    return f"{OPENING}/{agency}"


def opening_input(agency: str, opening: Opening, by: str) -> Received:
    """An agency's word as an input; `by` is who gave it."""
    return Received(OPENING, orjson.dumps({"agency": agency, **opening_json(opening)}), about={"by": by, "request": uuid.uuid4().hex})


def opening_now(reader: Reader, agency: str) -> Opening:
    """An agency's newest word on itself. One that never said anything is open."""
    newest = next(reader.messages(Filter(state="processed", identifiers=(opening_name(agency),), limit=1)), None)
    return Opening(open=True) if newest is None else read_opening(orjson.loads(newest.raw))


def remember_opening(writer: Writer, row: Input) -> None:
    """Let an agency's newest word stand. The row is stored."""
    key = opening_name(orjson.loads(row.raw)["agency"])
    word = SharedRow(key, f"{row.id:020d}", row.digest)
    standing = writer.shared([key]).get(key)
    if standing is None or standing.order < word.order:
        writer.put_shared([(word, None)])


def pass_over(writer: Writer, partition: int, turns: Iterable[Turn], now: int, configuration: Configuration) -> list[Turn]:
    """Pass over each agency whose turn would begin, and which takes no new clients. Those turns: where there are any, the partition is another."""
    closed = [turn for turn in turns if not _takes_clients(writer, turn.agency, now) and not _has_begun(writer, partition, turn, configuration)]
    for turn in closed:
        _say(writer, partition, turn)
    return closed


def _takes_clients(writer: Writer, agency: str, now: int) -> bool:
    key = opening_name(agency)
    word = writer.shared([key]).get(key)
    row = writer.input(int(word.order)) if word is not None else None
    return row is None or read_opening(orjson.loads(row.raw)).takes_clients(moment(now))


def _has_begun(writer: Writer, partition: int, turn: Turn, configuration: Configuration) -> bool:
    """The agency sees its Task."""
    head = writer.heads(partition).get((turn.agency, "Task", task_id(configuration.identify, turn.transition, turn.number)))
    return head is not None and bool(head.digest)


def _say(writer: Writer, partition: int, turn: Turn) -> None:
    """The policy's decision, into the inbox and beside what else is said of these people."""
    body = {"transition": turn.transition, "patient": turn.patient, "what": PASSED_OVER, "value": str(turn.number), "about": turn.agency}
    raw, at, about = orjson.dumps(body), writer.tick(), {"by": POLICY, "request": uuid.uuid4().hex}
    digest = hashlib.sha256(raw).digest()
    row = Input(0, "decision", "", about["request"], digest, at, raw, about, f"decision {PASSED_OVER}", identifiers=(turn.transition,))
    translation = translate_decision(body, about, at)
    writer.put_statements(writer.add_input(row), {partition: encode(translation, digest.hex()[:16])})
