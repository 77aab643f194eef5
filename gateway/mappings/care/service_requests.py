"""ServiceRequests: one for community mental-health follow-up, one for each need that the messages state. Proposals all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import cache
from typing import cast

from gateway.mappings.care.callers import preferred_language
from gateway.mappings.care.needs import Said, reasons, stated
from gateway.mappings.care.policy import Service
from gateway.mappings.care.scene import Scene, ended, why_ended
from gateway.records.record import Owned
from gateway.records.statements import Json
from transitions.codes import matcher

SNOMED = "http://snomed.info/sct"
SDOH = {"system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "code": "sdoh", "display": "SDOH"}
CATEGORY: dict[str, list[Json]] = {
    "counselling": [{"coding": [{"system": SNOMED, "code": "409063005", "display": "Counselling"}]}],
    "education": [{"coding": [{"system": SNOMED, "code": "409073007", "display": "Education"}]}],
    "evaluation": [{"coding": [{"system": SNOMED, "code": "386053000", "display": "Evaluation procedure"}]}],
    "social": [{"coding": [SDOH, {"system": SNOMED, "code": "410606002", "display": "Social service procedure"}]}],
}
GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
STATUS_REASON = "http://hl7.org/fhir/StructureDefinition/request-statusReason"
STANDING = frozenset({"draft", "active", "on-hold", "completed", "unknown"})
"""States of a clinician's own request that still asks, or has asked, for something."""


def service_requests(scene: Scene) -> tuple[tuple[Service, Json], ...]:
    """The requests that the policy proposes for this stay, in the policy's order."""
    said, theirs = stated(scene), clinicians_own(scene)
    wanted = ((service, reasons(service, scene, said)) for service in scene.context.policy.services)
    return tuple((service, request(service, scene, why, theirs)) for service, why in wanted if why is not None)


def clinicians_own(scene: Scene) -> tuple[Owned, ...]:
    """What clinicians asked for themselves (REF, ORC and OBR, FHIR) for this stay or for none, in the order of their ids."""
    mine = [one for one in (*scene.person.referrals, *scene.person.care) if one.stay in (None, scene.stay.id)]
    mine += [Owned(one) for one in scene.of_type("ServiceRequest")]
    asked = [one for one in mine if one.resource["resourceType"] == "ServiceRequest" and one.resource.get("status") in STANDING]
    return tuple(sorted(asked, key=lambda one: str(one.resource["id"])))


def asks_for(theirs: Owned, service: Service, scene: Scene) -> bool:
    """Whether a clinician's own request is for the same: by its code, by the policy's words, or for the follow-up by the agency that it names."""
    concepts = [theirs.resource.get("code", {}), *theirs.resource.get("category", []), *theirs.resource.get("orderDetail", [])]
    if service.code and any((one.get("system"), one.get("code")) == (service.code["system"], service.code["code"]) for one in _codings(concepts)):
        return True
    if any(_mentions(service.asked)(text) for text in _texts(concepts)):
        return True
    agency = scene.transition.agency
    names = {name.casefold() for name in (agency or "", scene.context.agencies.get(agency or "", "")) if name}
    return service.routed and any(str(word).casefold() in names for word in cast("list[str]", theirs.facts.get("receivers") or []))


@cache
def _mentions(words: tuple[str, ...]) -> Callable[[str], bool]:
    return matcher(words)


def _codings(concepts: Iterable[Json]) -> Iterator[Json]:
    return (coding for concept in concepts for coding in concept.get("coding", []))


def _texts(concepts: Iterable[Json]) -> Iterator[str]:
    return (str(text) for concept in concepts for text in (concept.get("text"), *(one.get("display") for one in concept.get("coding", []))) if text)


def request(service: Service, scene: Scene, why: tuple[Said, ...], theirs: tuple[Owned, ...]) -> Json:
    """One ServiceRequest. It rests on what clinicians asked for themselves (`basedOn`) and never stands in its stead."""
    transition, agency = scene.transition, scene.agency
    resource: Json = {
        "resourceType": "ServiceRequest",
        "id": scene.identify("ServiceRequest", f"service|{service.name}"),
        "status": status(service, scene),
        "intent": "proposal",
        "category": [*CATEGORY[service.category], *_domains(why)],
        "priority": scene.context.policy.priority[transition.tier if service.by_tier else "standard"],
        "code": {**({"coding": [dict(service.code)]} if service.code else {}), "text": title(service, scene)},
        "subject": scene.subject,
        "encounter": scene.encounter,
        "authoredOn": scene.time(scene.begun),
        "requester": scene.device,
    }
    due = occurrence(service, scene)
    if due:
        resource["occurrencePeriod"] = due
    if service.routed and agency:
        resource["performer"] = [agency]
    held = dict.fromkeys(one.reference for one in why if one.reference)
    if held:
        resource["reasonReference"] = [{"reference": reference} for reference in held]
    based = [f"ServiceRequest/{one.resource['id']}" for one in theirs if asks_for(one, service, scene)]
    if based:
        resource["basedOn"] = [{"reference": reference} for reference in dict.fromkeys(based)]
    over = why_ended(scene)
    if over and resource["status"] in ("revoked", "entered-in-error"):
        resource["extension"] = [{"url": STATUS_REASON, "valueCodeableConcept": {"text": over}}]
    return resource


def _domains(why: tuple[Said, ...]) -> list[Json]:
    """Gravity's categories of the needs that were stated; its displays are its codes in words."""
    stated_domains = sorted({one.domain for one in why if one.domain})
    return [{"coding": [{"system": GRAVITY, "code": code, "display": code.replace("-", " ").title()}]} for code in stated_domains]


def occurrence(service: Service, scene: Scene) -> Json | None:
    """When it is asked for: the follow-up's days in the facility's calendar, from the day after the discharge; the first contact's hours.

    While the discharge is only expected, the first contact's days: nobody knows the hour that they will be counted from.
    """
    follow_up, discharge = scene.context.policy.follow_up, scene.discharge
    if discharge is None:
        return None
    if service.contact:
        end = discharge + timedelta(hours=follow_up.first_contact_hours)
        told = scene.time if scene.transition.stay.discharged else scene.date
        return {"start": told(discharge), "end": told(end)}
    return {"start": scene.day(1), "end": scene.day(follow_up.last_day)} if service.window else None


def title(service: Service, scene: Scene) -> str:
    """What is asked for, with the language where an interpreter is."""
    spoken = preferred_language(scene.person.patient) if service.interpreter else None
    return f"{service.title}: {spoken}" if spoken else service.title


def status(service: Service, scene: Scene) -> str:
    """`draft` until the discharge, then active; a first contact is done once it was made; what nobody reports on ends as `unknown`."""
    if service.contact and scene.reached and scene.transition.status != "void":
        return "completed"
    over = ended(scene, "completed" if service.routed else "unknown", "revoked")
    return over or ("draft" if scene.transition.status == "anticipated" else "active")
