"""What an agency has left unanswered moves on: a decision of the written policy, which the gateway takes when the agency's time is over.

When that is depends on the gateway's own commits (`partitions.answer_until`), so the decision is an input: it stands in the inbox and is replayed
with it, and assessment stays a function of what was said.
"""

from __future__ import annotations

import uuid

import orjson

from gateway.mappings.decisions import POLICY, UNANSWERED
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.intake import take
from gateway.pipeline.partitions import answer_until, refold
from gateway.pipeline.received import Received
from gateway.pipeline.results import Turn
from gateway.store.interface import Writer


def look_again(writer: Writer, partition: int, now: int, configuration: Configuration) -> None:
    """Derive a partition anew as of now, and move on each transition whose agency has had its time to answer."""
    found = refold(writer, partition, now, configuration)
    for turn in found.unanswered:
        if answer_until(writer, partition, turn, now, configuration) <= now:
            take(writer, _decision(turn), now, configuration)


def _decision(turn: Turn) -> Received:
    body = {"transition": turn.transition, "patient": turn.patient, "what": UNANSWERED, "value": str(turn.number), "about": turn.agency}
    return Received("decision", orjson.dumps(body), about={"by": POLICY, "request": uuid.uuid4().hex})
