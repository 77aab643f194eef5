"""Stay + transition -> the records that community care works from. Pure and deterministic: the same record and assessment, the same JSON."""

from __future__ import annotations

from gateway.mappings.care.callers import before_calling
from gateway.mappings.care.care_plan import care_plan
from gateway.mappings.care.care_team import care_team
from gateway.mappings.care.context import CareContext
from gateway.mappings.care.flag import flags, told
from gateway.mappings.care.goals import goals, set_by_others
from gateway.mappings.care.handling import alike, labelled, of_stay, protected, with_notice_of
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


def derive(person: PersonRecord, stay: StayRecord, transition: Transition, context: CareContext) -> tuple[Json, ...]:
    """CarePlan, CareTeam, Goals, ServiceRequests, Tasks and Flags of one transition, then a Provenance for each; labelled, without versionId.

    Every reference is to a resource of `person`, to another of these, or to the configured Organizations and the gateway's Device.
    """
    scene, handling = Scene.of(person, stay, transition, context), of_stay(stay)
    requests = [(service, labelled(handling, request, protected(handling, service.protected))) for service, request in service_requests(scene)]
    focus = next(f"ServiceRequest/{request['id']}" for service, request in requests if service.routed)
    orders = tasks(scene, focus)
    team = care_team(scene)
    aims = goals(scene)
    to_know = before_calling(scene)
    plan = care_plan(scene, to_know, [request for _, request in requests], [goal for _, goal in aims], [order for _, order in orders], team)
    theirs = (*set_by_others(scene), *other_plans(scene))
    told_in_plan = (*stay.parts, *theirs, *(request for _, request in requests))
    content = frozenset().union(*(labels.labels_of(each) for each in told_in_plan)) - labels.RANK.keys() - {notice.MARK}
    if is_withheld(labels.labels_of(person.patient)):
        content |= {labels.LOCATION}  # what the plan said before may have named the street
    derived = [
        ("care-plan", labelled(with_notice_of(handling, theirs), plan, content, [*transition.reasons, *(one.answer for one in to_know)])),
        ("care-team", labelled(handling, team)),
        *((f"goal-{goal.name}", labelled(handling, proposed)) for goal, proposed in aims),
        *((f"service-{service.name}", request) for service, request in requests),
        *(("task", labelled(handling, order)) for _, order in orders),
        *((f"flag-{raised.code}", labelled(handling, flag, narrated=told(raised))) for raised, flag in flags(scene)),
    ]
    bases = Bases(scene)
    origins = (alike(handling, provenance(scene, resource, rule, bases.of(resource)), resource) for rule, resource in derived)
    return (*(resource for _, resource in derived), *origins)
