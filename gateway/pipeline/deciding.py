"""A named person's decision as an input: from the API, the command line and the page alike."""

from __future__ import annotations

import uuid

import orjson

from gateway.errors import NotFound
from gateway.mappings.decisions import check
from gateway.pipeline.received import Received
from gateway.records.statements import Json
from gateway.store.interface import ALL, Filter, Reader


def decision(reader: Reader, transition: str, said: Json, by: str, agencies: frozenset[str]) -> Received:
    """The decision `said` ({"what", "value", "about", "reason"}) of `by` about a transition; `agencies` are those that it may be routed to.

    Raises NotFound where there is no such transition, and Invalid for what cannot be decided.
    """
    patient = _patient(reader, transition)
    check(said, agencies)
    body = {"transition": transition, "patient": patient, **said}
    return Received("decision", orjson.dumps(body), about={"by": by, "request": uuid.uuid4().hex})


def _patient(reader: Reader, transition: str) -> str:
    """Whom it is about. One that a decision has taken off the list (not psychiatric) can be put back by another."""
    row = reader.transition(ALL, transition)
    if row is not None and row.body is not None:
        return str(orjson.loads(row.body)["patient"])
    decided = decisions(reader, transition, 1) if row is not None else []
    if not decided:
        raise NotFound("There is no such transition", location="transition")
    return str(decided[0]["patient"])


def decisions(reader: Reader, transition: str, limit: int | None = None) -> list[Json]:
    """What was decided about a transition, newest first: the decisions as they were taken, with `by`, and `at` in microseconds UTC."""
    found = reader.messages(Filter(state="processed", identifier=transition, limit=limit))
    return [{**orjson.loads(each.raw), "by": each.about["by"], "at": each.received} for each in found if each.kind == "decision"]
