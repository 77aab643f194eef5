"""Whose a resource of a FHIR input is: the keys of the person, and of the stay, that it belongs to. Pure."""

from __future__ import annotations

from gateway.errors import Invalid
from gateway.fhir import elements
from gateway.fhir.references import ENCOUNTER, PATIENT
from gateway.mappings.fhir.bundle import Input, Told
from gateway.mappings.fhir.content import base_of


def person_keys(told: Told, given: Input) -> tuple[str, ...]:
    """The keys of the person that a resource is about. Raises Invalid where it names none."""
    element = PATIENT.get(told.type, "").removesuffix("[]")
    for value in elements.values(told.resource, element) if element else []:
        reference = value.get("actor") if told.type == "Appointment" else value
        target = given.resolve(reference, told.resource, base_of(told))
        if target is not None and target.keys and target.type in ("Patient", ""):
            return target.keys
    logical = _only_patient(given)
    if logical:
        return logical
    raise Invalid(
        "It does not say whom it is about", location=f"{told.place}.{element}", advice="Refer to a Patient, or give one of its identifiers."
    )


def _only_patient(given: Input) -> tuple[str, ...]:
    """Where a resource names nobody: the only Patient of the input."""
    patients = [each for each in given.told if each.type == "Patient" and each.container is None]
    return given.keys(patients[0]) if len(patients) == 1 else ()


def encounter_keys(told: Told, given: Input) -> tuple[str, ...]:
    """The keys of the encounter that a resource names, () where it names none."""
    element = ENCOUNTER.get(told.type, "").removesuffix("[]")
    for reference in elements.values(told.resource, element) if element else []:
        target = given.resolve(reference, told.resource, base_of(told))
        if target is not None and target.keys and target.type in ("Encounter", ""):
            return target.keys
    return ()


def subject_keys(told: Told, given: Input) -> tuple[str, ...]:
    """What a part belongs to: its encounter, else (its person's keys, marked so that no encounter's can equal them)."""
    return encounter_keys(told, given) or ("person", *person_keys(told, given))
