"""ServiceRequests: one for community mental-health follow-up, one for each need that the messages state. Proposals all."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import NamedTuple

from gateway.mappings.care.callers import needs_interpreter, preferred_language
from gateway.mappings.care.policy import Planned, Service
from gateway.mappings.care.scene import Scene, ended
from gateway.records.statements import Json

SNOMED = "http://snomed.info/sct"
SDOH = {"system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "code": "sdoh", "display": "SDOH"}
CATEGORY: dict[str, list[Json]] = {
    "counselling": [{"coding": [{"system": SNOMED, "code": "409063005", "display": "Counselling"}]}],
    "education": [{"coding": [{"system": SNOMED, "code": "409073007", "display": "Education"}]}],
    "evaluation": [{"coding": [{"system": SNOMED, "code": "386053000", "display": "Evaluation procedure"}]}],
    "social": [{"coding": [SDOH, {"system": SNOMED, "code": "410606002", "display": "Social service procedure"}]}],
}
DIAGNOSIS_SYSTEMS = ("", "http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10")


class Said(NamedTuple):
    """One diagnosis or stated need: code, words, and the Condition that holds it where there is one."""

    code: str
    text: str
    condition: str | None


def service_requests(scene: Scene) -> tuple[tuple[Service, Json], ...]:
    """The requests that the policy proposes for this stay, in the policy's order."""
    said = diagnoses(scene)
    wanted = ((service, reasons(service, scene, said)) for service in scene.context.policy.services)
    return tuple((service, request(service, scene, why)) for service, why in wanted if why is not None)


def diagnoses(scene: Scene) -> tuple[Said, ...]:
    """What the stay's Conditions and facts say: a Condition first, since it can be referred to."""
    found = [
        Said(str(coding.get("code") or "").upper(), f"{condition.get('code', {}).get('text', '')} {coding.get('display', '')}", condition["id"])
        for condition in scene.conditions
        for coding in condition.get("code", {}).get("coding") or [{}]
        if str(coding.get("system") or "") in DIAGNOSIS_SYSTEMS or coding.get("display") or condition.get("code", {}).get("text")
    ]
    facts = [*(scene.stay.facts.get("diagnoses") or []), *filter(None, [scene.stay.facts.get("reason")])]
    found += [Said(str(fact.get("code") or "").upper(), str(fact.get("text") or ""), None) for fact in facts]
    return tuple(found)


def reasons(service: Planned, scene: Scene, said: tuple[Said, ...]) -> tuple[str, ...] | None:
    """The Conditions that are the reason for a service; None when the policy does not propose it here."""
    if service.everyone:
        return tuple(dict.fromkeys(one.condition for one in said if one.condition and not one.code.startswith("Z")))
    stay, age = scene.transition.stay, scene.age()
    if service.tiers and scene.transition.tier not in service.tiers:
        return None
    if service.dispositions and (stay.disposition is None or stay.disposition.code not in service.dispositions):
        return None
    if (service.min_age is not None and (age is None or age < service.min_age)) or (
        service.max_age is not None and (age is None or age > service.max_age)
    ):
        return None
    if service.interpreter and not needs_interpreter(scene.person.patient):
        return None
    if not (service.diagnoses or service.words):
        return ()
    because = [one for one in said if matches(service, one)]
    return tuple(dict.fromkeys(one.condition for one in because if one.condition)) if because else None


def matches(service: Planned, said: Said) -> bool:
    """Whether a diagnosis is among those that a service is for."""
    code, text = said.code.replace(".", ""), said.text.casefold()
    return code.startswith(prefixes(service.diagnoses)) or any(word in text for word in service.words)


@cache
def prefixes(diagnoses: tuple[str, ...]) -> tuple[str, ...]:
    """ICD-10-CM prefixes without their dots, as some senders write them."""
    return tuple(prefix.replace(".", "") for prefix in diagnoses)


def request(service: Service, scene: Scene, why: tuple[str, ...]) -> Json:
    """One ServiceRequest."""
    transition, agency = scene.transition, scene.agency
    resource: Json = {
        "resourceType": "ServiceRequest",
        "id": scene.identify("ServiceRequest", f"service|{service.name}"),
        "status": status(service, scene),
        "intent": "proposal",
        "category": CATEGORY[service.category],
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
    if why:
        resource["reasonReference"] = [{"reference": f"Condition/{name}"} for name in why]
    return resource


def occurrence(service: Service, scene: Scene) -> Json | None:
    """When it is asked for: the follow-up's days in the facility's calendar, from the day after the discharge; the first contact's hours."""
    follow_up, discharge = scene.context.policy.follow_up, scene.discharge
    if discharge is None:
        return None
    if service.contact:
        return {"start": scene.time(discharge), "end": scene.time(discharge + timedelta(hours=follow_up.first_contact_hours))}
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
