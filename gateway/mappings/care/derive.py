"""Stay + transition -> the records that community care works from. Pure and deterministic: the same record and assessment, the same JSON."""

from __future__ import annotations

from gateway.mappings.care.care_plan import care_plan
from gateway.mappings.care.care_team import care_team
from gateway.mappings.care.context import CareContext
from gateway.mappings.care.flag import flags
from gateway.mappings.care.provenance import provenance
from gateway.mappings.care.scene import Scene
from gateway.mappings.care.service_requests import service_requests
from gateway.mappings.care.task import tasks
from gateway.privacy import labels, notice
from gateway.records.record import PersonRecord, StayRecord
from gateway.records.statements import Json
from transitions.model import Transition


def derive(person: PersonRecord, stay: StayRecord, transition: Transition, context: CareContext) -> tuple[Json, ...]:
    """CarePlan, CareTeam, ServiceRequests, Tasks and Flags of one transition, then a Provenance for each; labelled, without versionId or lastUpdated.

    Every reference is to a resource of `person`, to another of these, or to the configured Organizations and the gateway's Device.
    """
    scene = Scene.of(person, stay, transition, context)
    requests = [(service, labelled(scene, request, service.protected)) for service, request in service_requests(scene)]
    focus = next(f"ServiceRequest/{request['id']}" for service, request in requests if service.routed)
    orders = tasks(scene, focus)
    team = care_team(scene)
    plan = care_plan(scene, [request for _, request in requests], [order for _, order in orders], team)
    derived = [
        ("care-plan", labelled(scene, plan)),
        ("care-team", labelled(scene, team)),
        *((f"service-{service.name}", request) for service, request in requests),
        *(("task", labelled(scene, order)) for _, order in orders),
        *((f"flag-{code}", labelled(scene, flag)) for code, flag in flags(scene)),
    ]
    origins = (labelled(scene, provenance(scene, resource, rule)) for rule, resource in derived)
    return (*(resource for _, resource in derived), *origins)


def labelled(scene: Scene, resource: Json, protected: bool = False) -> Json:
    """A derived record is as confidential as the stay it is derived from, and carries the notice that the stay was disclosed with."""
    stay = scene.stay
    level = next(iter(labels.labels_of(stay.encounter) & {"R", "V"}), stay.facts.get("confidentiality"))
    attested = stay.facts.get("sud_attested", False)
    within = stay.part2 or stay.facts.get("part2", False)
    result = labels.label(resource, part2=within, sud_attested=attested, confidentiality=level)
    if protected:
        result = labels.with_labels(result, {"SUD"} if attested and not within else {"SUD", "42CFRPart2"})
    consents = notice.consents_of(stay.encounter)
    marked = notice.MARK in labels.labels_of(stay.encounter)
    return notice.marked(result, consents) if marked else result
