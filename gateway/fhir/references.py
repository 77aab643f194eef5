"""Which element of which resource type carries the patient, and which the encounter. Pure data and one function over it.

Facts of FHIR R4 (4.0.1), read off its resource definitions. A type that is not in a table has no such element.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

PATIENT: dict[str, str] = {
    "Account": "subject[]",
    "AllergyIntolerance": "patient",
    "Appointment": "participant[]",
    "Basic": "subject",
    "CarePlan": "subject",
    "CareTeam": "subject",
    "Claim": "patient",
    "ClinicalImpression": "subject",
    "Communication": "subject",
    "CommunicationRequest": "subject",
    "Composition": "subject",
    "Condition": "subject",
    "Consent": "patient",
    "Coverage": "beneficiary",
    "DetectedIssue": "patient",
    "DeviceRequest": "subject",
    "DiagnosticReport": "subject",
    "DocumentReference": "subject",
    "Encounter": "subject",
    "EpisodeOfCare": "patient",
    "FamilyMemberHistory": "patient",
    "Flag": "subject",
    "Goal": "subject",
    "Immunization": "patient",
    "List": "subject",
    "Media": "subject",
    "MedicationAdministration": "subject",
    "MedicationDispense": "subject",
    "MedicationRequest": "subject",
    "MedicationStatement": "subject",
    "NutritionOrder": "patient",
    "Observation": "subject",
    "Procedure": "subject",
    "QuestionnaireResponse": "subject",
    "RelatedPerson": "patient",
    "RequestGroup": "subject",
    "RiskAssessment": "subject",
    "ServiceRequest": "subject",
    "Specimen": "subject",
    "Task": "for",
}
"""Resource type -> the element that refers to the patient; `[]` where it is a list, `a.b` where it is nested."""

ENCOUNTER: dict[str, str] = {
    "AllergyIntolerance": "encounter",
    "CarePlan": "encounter",
    "CareTeam": "encounter",
    "ClinicalImpression": "encounter",
    "Communication": "encounter",
    "CommunicationRequest": "encounter",
    "Composition": "encounter",
    "Condition": "encounter",
    "DeviceRequest": "encounter",
    "DiagnosticReport": "encounter",
    "DocumentReference": "context.encounter[]",
    "Flag": "encounter",
    "Immunization": "encounter",
    "List": "encounter",
    "Media": "encounter",
    "MedicationAdministration": "context",
    "MedicationDispense": "context",
    "MedicationRequest": "encounter",
    "MedicationStatement": "context",
    "NutritionOrder": "encounter",
    "Observation": "encounter",
    "Procedure": "encounter",
    "QuestionnaireResponse": "encounter",
    "RequestGroup": "encounter",
    "RiskAssessment": "encounter",
    "ServiceRequest": "encounter",
    "Task": "encounter",
}
"""Resource type -> the element that refers to the encounter. An Appointment has none (Encounter.appointment points back at it)."""

_PLAIN = frozenset(where for where in (*PATIENT.values(), *ENCOUNTER.values()) if where.isalpha())
"""Elements that hold one reference, as most of those do."""


def place(resource: Json, patient: str | None, encounter: str | None = None) -> Json:
    """The resource with its patient ("Patient/…") and encounter ("Encounter/…") said where its type says them; a reference that is None is left out.

    The given resource is not changed. Lists are replaced by longer ones; the patient becomes an Appointment's first participant unless a patient
    already takes part.
    """
    placed = resource.copy()
    kind = resource["resourceType"]
    where = PATIENT.get(kind)
    if where is not None and patient is not None:
        if where in _PLAIN:
            placed[where] = {"reference": patient}
        elif kind == "Appointment":
            placed["participant"] = _with_patient(resource.get("participant", []), patient)
        else:
            _put(placed, where, patient)
    where = ENCOUNTER.get(kind)
    if where is not None and encounter is not None:
        if where in _PLAIN:
            placed[where] = {"reference": encounter}
        else:
            _put(placed, where, encounter)
    return placed


def _with_patient(participants: list[Json], patient: str) -> list[Json]:
    others = [one for one in participants if not one.get("actor", {}).get("reference", "").startswith("Patient/")]
    mine = next((one for one in participants if one.get("actor", {}).get("reference", "").startswith("Patient/")), {"status": "accepted"})
    return [{**mine, "actor": {"reference": patient}}, *others]


def _put(resource: Json, path: str, reference: str) -> None:
    parent, _, element = path.rpartition(".")
    if parent:
        resource[parent] = dict(resource.get(parent, {}))
        resource = resource[parent]
    if not element.endswith("[]"):
        resource[element] = {"reference": reference}
        return
    element = element[:-2]
    said = {"reference": reference}
    resource[element] = [said, *(one for one in resource.get(element, []) if one != said)]
