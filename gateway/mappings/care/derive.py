"""Stay + transition -> the records that community care works from. Pure and deterministic: the same record and assessment, the same JSON."""

from __future__ import annotations

from dataclasses import replace

from gateway.mappings.care.callers import before_calling
from gateway.mappings.care.care_plan import care_plan
from gateway.mappings.care.care_team import care_team
from gateway.mappings.care.context import CareContext
from gateway.mappings.care.flag import flags, told
from gateway.mappings.care.goals import goals, set_by_others
from gateway.mappings.care.handling import Handling, alike, labelled, of_stay, protected, with_notice_of
from gateway.mappings.care.other_plans import other_plans
from gateway.mappings.care.provenance import Bases, provenance
from gateway.mappings.care.scene import Scene
from gateway.mappings.care.service_requests import service_requests
from gateway.mappings.care.task import tasks
from gateway.privacy import labels, notice
from gateway.privacy.confidential import is_withheld
from gateway.records.record import PersonRecord, StayRecord
from gateway.records.statements import Json
from transitions.model import Transition

Derived = tuple[tuple[str, Json], ...]
"""Derived records, labelled, each with the name of the rule that made it."""


class Derivations:
    """What was derived of one person so far. Most often an agency may know of a stay all that the coordinator knows, and its records are the same."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[PersonRecord, StayRecord, Transition, CareContext], Derived]] = {}

    def of(self, person: PersonRecord, stay: StayRecord, transition: Transition, context: CareContext) -> Derived:
        """`records` of these facts, less those that tell who said them; made once for all recipients to whom the facts are equal."""
        facts = _unattributed(person, stay, transition, context)
        if stay.id in self._known and self._known[stay.id][0] == facts:
            return self._known[stay.id][1]
        made = records(Scene.of(*facts))
        self._known[stay.id] = facts, made
        return made


def derive(
    person: PersonRecord, stay: StayRecord, transition: Transition, context: CareContext, derivations: Derivations | None = None
) -> tuple[Json, ...]:
    """CarePlan, CareTeam, Goals, ServiceRequests, Tasks and Flags of one transition, then a Provenance for each; labelled, without versionId.

    Every reference is to a resource of `person`, to another of these, or to the configured Organizations and the gateway's Device. `derivations`
    spares what was made before of equal facts.
    """
    derived = (derivations or Derivations()).of(person, stay, transition, context)
    scene, handling = Scene.of(person, stay, transition, context), of_stay(stay)
    bases = Bases(scene)
    origins = (alike(handling, provenance(scene, resource, rule, bases.of(resource)), resource) for rule, resource in derived)
    return (*(resource for _, resource in derived), *origins)


def records(scene: Scene) -> Derived:
    """All but the Provenances. It is given no sources (`_unattributed`): a message that told nothing new changes none of these."""
    handling = of_stay(scene.stay)
    requests = [(service, labelled(handling, request, protected(handling, service.protected))) for service, request in service_requests(scene)]
    focus = next(f"ServiceRequest/{request['id']}" for service, request in requests if service.routed)
    orders = tasks(scene, focus)
    team = care_team(scene)
    aims = goals(scene)
    plan = _plan(scene, handling, [request for _, request in requests], [goal for _, goal in aims], [order for _, order in orders], team)
    return (
        ("care-plan", plan),
        ("care-team", labelled(handling, team)),
        *((f"goal-{goal.name}", labelled(handling, proposed)) for goal, proposed in aims),
        *((f"service-{service.name}", request) for service, request in requests),
        *(("task", labelled(handling, order)) for _, order in orders),
        *((f"flag-{raised.code}", labelled(handling, flag, narrated=told(raised))) for raised, flag in flags(scene)),
    )


def _plan(scene: Scene, handling: Handling, requests: list[Json], goals: list[Json], orders: list[Json], team: Json) -> Json:
    """The CarePlan, labelled by all that it repeats."""
    to_know = before_calling(scene)
    plan = care_plan(scene, to_know, requests, goals, orders, team)
    theirs = (*set_by_others(scene), *other_plans(scene))
    told_in_plan = (*scene.stay.parts, *theirs, *requests)
    content = frozenset().union(*(labels.labels_of(each) for each in told_in_plan)) - labels.RANK.keys() - {notice.MARK}
    if is_withheld(labels.labels_of(scene.person.patient)):
        content |= {labels.LOCATION}  # what the plan said before may have named the street
    return labelled(with_notice_of(handling, theirs), plan, content, [*scene.transition.reasons, *(one.answer for one in to_know)])


def _unattributed(
    person: PersonRecord, stay: StayRecord, transition: Transition, context: CareContext
) -> tuple[PersonRecord, StayRecord, Transition, CareContext]:
    """The facts without the messages that told them, of which an agency is shown fewer; and without the recipient, where no turn is another's."""
    quiet = replace(stay, sources=(), course=replace(stay.course, discharge_sources=(), expectation_sources=()))
    known = replace(
        person, sources=(), retired=(), death_sources=(), stays=tuple(quiet if one is stay else replace(one, sources=()) for one in person.stays)
    )
    assessed = replace(transition.stay, evidence=(), discharge_evidence=(), expectation_evidence=())
    if transition.assignments and all(one.agency == context.recipient for one in transition.assignments):
        context = replace(context, recipient=None)
    return known, quiet, transition._replace(stay=assessed), context
