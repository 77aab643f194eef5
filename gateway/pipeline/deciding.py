"""A named person's decision as an input: from the API, the command line and the page alike."""

from __future__ import annotations

import uuid
from typing import NamedTuple

import orjson

from gateway.errors import NotFound
from gateway.mappings.decisions import MEMBERS, check
from gateway.pipeline.received import Received
from gateway.records.statements import Json
from gateway.store.interface import ALL, Filter, Reader
from transitions.policy import COORDINATOR

_TOGETHER = {"reopen": "close"}
"""What takes back what: the newest of both holds."""


class Asked(NamedTuple):
    """A decision that somebody asks for. `received` is None where the very same was decided before and holds: then there is nothing to take."""

    patient: str
    received: Received | None


def decision(reader: Reader, transition: str, said: Json, by: str, agencies: frozenset[str]) -> Asked:
    """The decision `said` ({"what", "value", "about", "reason"}) of `by` about a transition; `agencies` are those that it may be routed to.

    Raises NotFound where there is no such transition, and Invalid for what cannot be decided.
    """
    row = reader.transition(ALL, transition)
    standing: Json = orjson.loads(row.body) if row is not None and row.body is not None else {}
    before = decisions(reader, transition) if row is not None else []
    if not standing and not before:  # one that a decision has taken off the list (not psychiatric) can be put back by another
        raise NotFound("There is no such transition", location="transition")
    check(said, agencies)
    patient = str((standing or before[0])["patient"])
    body = {"transition": transition, "patient": patient, **{name: said.get(name, "") for name in MEMBERS}}
    if _holds(body, by, before, standing):
        return Asked(patient, None)
    return Asked(patient, Received("decision", orjson.dumps(body), about={"by": by, "request": uuid.uuid4().hex}))


def _holds(body: Json, by: str, before: list[Json], standing: Json) -> bool:
    """Whether the newest decision on the same question is this very one, and nothing has overtaken it since: a request that was sent again."""

    def question(decided: Json) -> tuple[str, str]:
        what = str(decided["what"])
        return _TOGETHER.get(what, what), str(decided.get("about") or "")

    newest = next((each for each in before if question(each) == question(body)), None)
    if newest is None or newest["by"] != by or any(newest.get(name, "") != body[name] for name in MEMBERS):
        return False
    holds = {
        "close": standing.get("status") == "closed",
        "reopen": standing.get("status") != "closed",
        "route": standing.get("agency") == (None if body["value"] == COORDINATOR else body["value"]),
    }
    return holds.get(body["what"], True)


def decisions(reader: Reader, transition: str, limit: int | None = None) -> list[Json]:
    """What was decided about a transition, newest first: the decisions as they were taken, with `by`, and `at` in microseconds UTC."""
    found = reader.messages(Filter(state="processed", identifiers=(transition,), limit=limit))
    return [{**orjson.loads(each.raw), "by": each.about["by"], "at": each.received} for each in found if each.kind == "decision"]
