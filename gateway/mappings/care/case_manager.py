"""Whom an agency has named as the client's case manager: the output of its Task, and a member of the team for as long as that stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from gateway.mappings.care.context import task_id
from gateway.mappings.care.scene import Scene
from gateway.records.record import PersonRecord
from gateway.records.statements import Json
from gateway.records.times import moment
from transitions.model import Assignment, Transition


def output(scene: Scene, task: str) -> list[Json]:
    """The Task's output as the agency last wrote it: it reads back what it wrote."""
    said = _said(scene, task)
    return said[-1][1] if said else []


def names(person: PersonRecord, transition: Transition) -> list[str]:
    """The case managers that the agency whose turn it is has named, as its last word on its Task says."""
    turn = transition.assignments[-1] if transition.assignments else None
    said = [each for each in person.claims if each.facts.get("transition") == transition.id and turn and each.facts.get("number") == turn.number]
    outputs = said[-1].facts.get("output") if said else None
    return [str(_member(one).get("display", "")) for one in outputs] if isinstance(outputs, list) else []


def spells(scene: Scene) -> Iterator[tuple[Json, Json]]:
    """(member, period) of each case manager, from when they were named until another was, nobody, or the agency's turn was over."""
    for assignment in scene.transition.assignments:
        if scene.context.recipient in (None, assignment.agency):
            yield from _within(scene, assignment)


def _within(scene: Scene, assignment: Assignment) -> Iterator[tuple[Json, Json]]:
    named: dict[str, tuple[Json, datetime]] = {}  # by name, who they are and since when
    for at, outputs in _said(scene, task_id(scene.context.identify, scene.transition.id, assignment.number)):
        now = {str(member["display"]): member for member in map(_member, outputs)}
        for name in [name for name in named if name not in now]:
            member, since = named.pop(name)
            yield member, {"start": scene.time(since), "end": scene.time(at)}
        for name, member in now.items():
            named[name] = (member, named[name][1] if name in named else at)
    for member, since in named.values():
        yield member, {"start": scene.time(since), **({"end": scene.time(max(assignment.until, since))} if assignment.until else {})}


def _said(scene: Scene, task: str) -> list[tuple[datetime, list[Json]]]:
    """(recorded, Task.output) of each word on the Task, in order."""
    mine = (claim for claim in scene.person.claims if claim.facts.get("task") == task)
    told = ((moment(claim.sources[0].recorded), claim.facts.get("output")) for claim in mine)
    return [(recorded, list(said) if isinstance(said, list) else []) for recorded, said in told]


def _member(one: Json) -> Json:
    """The reference by name, and by identifier where one was given: the agency's staff are not kept here."""
    said = one["valueReference"]
    return {"type": "Practitioner", **{key: said[key] for key in ("identifier", "display") if key in said}}
