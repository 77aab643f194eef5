"""The CareTeam: who treated the client in hospital, who is their primary care provider, which agency has accepted them."""

from __future__ import annotations

from gateway.mappings.care.callers import person_name
from gateway.mappings.care.scene import Scene, ended, organization
from gateway.records.statements import Json

SNOMED = "http://snomed.info/sct"
ROLES: dict[str, Json] = {
    "ATND": {"coding": [{"system": SNOMED, "code": "405279007", "display": "Attending physician"}], "text": "Attending physician"},
    "ADM": {"text": "Admitting physician"},
    "REF": {"text": "Referring practitioner"},
    "CON": {"text": "Consulting practitioner"},
    "PPRF": {"text": "Primary performer of the stay"},
    "PCP": {"coding": [{"system": SNOMED, "code": "453231000124104", "display": "Primary care provider"}], "text": "Primary care provider"},
    "PATIENT": {"coding": [{"system": SNOMED, "code": "116154003", "display": "Patient"}], "text": "Client"},
}
"""Encounter participant type (v3-ParticipationType) -> role: a code of US Core's value set where it has one, else text."""

MEMBERS = frozenset({"Practitioner", "PractitionerRole", "Organization", "RelatedPerson", "Patient", "CareTeam"})
ACCEPTED = frozenset({"accepted", "in-progress", "on-hold", "completed"})


def care_team(scene: Scene) -> Json:
    """One CareTeam a transition."""
    over = ended(scene, "inactive", "inactive")
    return {
        "resourceType": "CareTeam",
        "id": scene.identify("CareTeam", "care-team"),
        "status": over or ("proposed" if scene.transition.status == "anticipated" else "active"),
        "name": "Care team for the transition from hospital",
        "subject": scene.subject,
        "encounter": scene.encounter,
        "participant": participants(scene),
        "managingOrganization": [scene.gateway],
    }


def participants(scene: Scene) -> list[Json]:
    """The members, each once in a role; the client alone where no message names anybody (US Core asks for one)."""
    found = [*in_hospital(scene), *primary_care(scene), *acting_for_client(scene), *agencies(scene)]
    if scene.hospital:
        found.append({"role": [{"text": "Discharging hospital"}], "member": scene.hospital})
    unique = {(str(one["role"]), one["member"]["reference"], str(one.get("period"))): one for one in found}
    return list(unique.values()) or [{"role": [ROLES["PATIENT"]], "member": scene.subject}]


def in_hospital(scene: Scene) -> list[Json]:
    """The Encounter's participants; a practitioner acts on behalf of the hospital (ctm-1 allows that for practitioners alone)."""
    found = []
    for participant in scene.stay.encounter.get("participant", []):
        person = participant.get("individual")
        if not scene.resolves(person) or _type(person) not in MEMBERS - {"RelatedPerson"}:
            continue
        member: Json = {"role": [_role(participant)], "member": {"reference": person["reference"]}}
        if scene.hospital and _type(person) == "Practitioner" and member["role"][0] != ROLES["REF"]:
            member["onBehalfOf"] = scene.hospital
        if participant.get("period"):
            member["period"] = participant["period"]
        found.append(member)
    return found


def primary_care(scene: Scene) -> list[Json]:
    """Patient.generalPractitioner (PD1-4, ROL)."""
    found = [one for one in scene.person.patient.get("generalPractitioner", []) if scene.resolves(one) and _type(one) in MEMBERS]
    return [{"role": [ROLES["PCP"]], "member": {"reference": one["reference"]}} for one in found]


def acting_for_client(scene: Scene) -> list[Json]:
    """Guardians and others whom the policy lets in; family is left out."""
    allowed = set(scene.context.policy.relationships)
    return [
        {"role": [{"text": "Acts for the client"}], "member": {"reference": f"RelatedPerson/{one['id']}", "display": person_name(one)}}
        for one in scene.person.related
        if one["resourceType"] == "RelatedPerson"
        and allowed & {coding.get("code") for concept in one.get("relationship", []) for coding in concept.get("coding", [])}
    ]


def agencies(scene: Scene) -> list[Json]:
    """The agency that has accepted, from when on; an earlier one that had, with the end of its time."""
    found = []
    for assignment in scene.transition.assignments:
        foreign = scene.context.recipient is not None and assignment.agency != scene.context.recipient
        if not assignment.agency or assignment.status not in ACCEPTED or foreign:
            continue
        period = {"start": scene.time(assignment.since), **({"end": scene.time(assignment.until)} if assignment.until else {})}
        role = {"text": "Community mental-health agency"}
        found.append({"role": [role], "member": organization(scene.context, assignment.agency), "period": period})
    return found


def _role(participant: Json) -> Json:
    codes = [str(coding.get("code")) for kind in participant.get("type", []) for coding in kind.get("coding", [])]
    text = next((str(kind["text"]) for kind in participant.get("type", []) if kind.get("text")), "Practitioner")
    return next((ROLES["REF" if code == "referrer" else code] for code in codes if code in ROLES or code == "referrer"), {"text": text})


def _type(reference: Json | None) -> str:
    return str((reference or {}).get("reference", "")).split("/")[0]
