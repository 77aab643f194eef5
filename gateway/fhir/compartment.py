"""Which records are one patient's. http://hl7.org/fhir/R4/compartmentdefinition-patient.html, by subject, patient, for and the like. Pure."""

from __future__ import annotations

from typing import Any

from gateway.fhir import elements
from gateway.fhir.references import PATIENT

Json = dict[str, Any]

SHARED = frozenset({"Practitioner", "PractitionerRole", "Organization", "Location", "HealthcareService", "Medication"})
"""Types that are no patient's, and that a patient's records refer to."""


def has(type: str) -> bool:
    """Whether records of this type may be a patient's."""
    return type in ("Patient", "Provenance", "Device") or type in PATIENT


def holds(patient: str, resource: Json) -> bool:
    """Whether the record is this patient's ("Patient/…"), or a Device that is nobody's."""
    return patient in patients(resource) or (resource.get("resourceType") == "Device" and "patient" not in resource)


def patients(resource: Json) -> list[str]:
    """The Patients ("Patient/…") that a resource is about; a Patient is about itself."""
    kind = resource["resourceType"]
    if kind == "Patient":
        return [f"Patient/{resource['id']}"]
    path = _ELEMENTS.get(kind, "")
    only = resource.get(path)
    if isinstance(only, dict):  # as of most types
        reference = elements.relative(str(only.get("reference", "")))
        return [reference] if reference.startswith("Patient/") else []
    named = (elements.relative(str(one.get("reference", ""))) for one in elements.values(resource, path) if isinstance(one, dict))
    return [reference for reference in named if reference.startswith("Patient/")]


def targets(resource: Json) -> list[str]:
    """The records ("CarePlan/…") that a Provenance is of; none of another type. Such a Provenance is whosesoever its targets are."""
    if resource["resourceType"] != "Provenance":
        return []
    named = (elements.relative(str(one.get("reference", ""))) for one in elements.values(resource, "target") if isinstance(one, dict))
    return [reference for reference in named if "/" in reference]


_ELEMENTS = {
    **{kind: path.replace("[]", "") for kind, path in PATIENT.items()},
    **{"Appointment": "participant.actor", "Provenance": "target", "Device": "patient"},
}
"""Where it stands: mostly as the table of writes has it."""
