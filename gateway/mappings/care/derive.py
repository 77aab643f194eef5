"""Stay + transition -> the records that community care works from. Pure and deterministic: the same record and assessment, the same JSON."""

from __future__ import annotations

from gateway.mappings.care.care_plan import care_plan
from gateway.mappings.care.care_team import care_team
from gateway.mappings.care.context import CareContext
from gateway.mappings.care.flag import flags
from gateway.mappings.care.goals import goals
from gateway.mappings.care.policy import Service
from gateway.mappings.care.provenance import provenance
from gateway.mappings.care.scene import Scene
from gateway.mappings.care.service_requests import service_requests
from gateway.mappings.care.task import tasks
from gateway.privacy import labels, notice
from gateway.records.record import PersonRecord, StayRecord
from gateway.records.statements import Json
from transitions.model import Transition


def derive(person: PersonRecord, stay: StayRecord, transition: Transition, context: CareContext) -> tuple[Json, ...]:
    """CarePlan, CareTeam, Goals, ServiceRequests, Tasks and Flags of one transition, then a Provenance for each; labelled, without versionId.

    Every reference is to a resource of `person`, to another of these, or to the configured Organizations and the gateway's Device.
    """
    scene = Scene.of(person, stay, transition, context)
    requests = [(service, labelled(scene, request, protected(scene, service))) for service, request in service_requests(scene)]
    focus = next(f"ServiceRequest/{request['id']}" for service, request in requests if service.routed)
    orders = tasks(scene, focus)
    team = care_team(scene)
    aims = [(goal, labelled(scene, proposed)) for goal, proposed in goals(scene)]
    plan = care_plan(scene, [request for _, request in requests], [proposed for _, proposed in aims], [order for _, order in orders], team)
    content = frozenset().union(*(labels.labels_of(each) for each in (*stay.parts, *(request for _, request in requests)))) - labels.RANK.keys()
    derived = [
        ("care-plan", labelled(scene, plan, content)),
        ("care-team", labelled(scene, team)),
        *((f"goal-{goal.name}", proposed) for goal, proposed in aims),
        *((f"service-{service.name}", request) for service, request in requests),
        *(("task", labelled(scene, order)) for _, order in orders),
        *((f"flag-{code}", labelled(scene, flag)) for code, flag in flags(scene)),
    ]
    origins = (alike(scene, provenance(scene, resource, rule), resource) for rule, resource in derived)
    return (*(resource for _, resource in derived), *origins)


def labelled(scene: Scene, resource: Json, known: frozenset[str] = frozenset()) -> Json:
    """A derived record is as confidential as the stay it is derived from, and carries the notice that the stay was disclosed with.

    `known`: sensitivities of what it was made from, beside those that its own words show. A plan's narrative repeats those, and the tier's reasons.
    """
    stay = scene.stay
    level = next((code for code in ("V", "R") if code in labels.labels_of(stay.encounter)), stay.facts.get("confidentiality"))
    attested = stay.facts.get("sud_attested", False)
    within = stay.part2 or stay.facts.get("part2", False)
    plain = {**resource, "text": list(scene.transition.reasons)} if resource["resourceType"] == "CarePlan" else resource
    result = labels.label(plain, part2=within, sud_attested=attested, confidentiality=level)
    result = {**resource, "meta": result["meta"]}
    return noticed(scene, labels.with_labels(result, known) if known else result)


def alike(scene: Scene, origin: Json, target: Json) -> Json:
    """A Provenance is as confidential as what it tells of."""
    security = [coding for coding in target["meta"]["security"] if coding["code"] != notice.MARK]
    return noticed(scene, {**origin, "meta": {"security": security}})


def noticed(scene: Scene, resource: Json) -> Json:
    """With the notice that the stay was disclosed with, if it was."""
    encounter = scene.stay.encounter
    return notice.marked(resource, notice.consents_of(encounter)) if notice.MARK in labels.labels_of(encounter) else resource


def protected(scene: Scene, service: Service) -> frozenset[str]:
    """What a service that the policy calls protected is labelled as, whatever its words."""
    if not service.protected:
        return frozenset()
    attested = scene.stay.facts.get("sud_attested", False) and not scene.stay.part2
    return frozenset({"SUD"}) if attested else frozenset({"SUD", "42CFRPart2"})
