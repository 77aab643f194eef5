"""What callers must know before they call a client. What no message told is shown as unknown: a caller has to ask, not to assume."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

from gateway.mappings.care.scene import Scene, words
from gateway.records.statements import Json

UNKNOWN = "unknown"
ENGLISH = ("en", "eng", "english")
GUARDIANS = frozenset({"GUARD", "GRD"})
DAYS_OF = {"d": 1, "day": 1, "days": 1, "wk": 7, "week": 7, "weeks": 7, "mo": 30, "month": 30}


class Known(NamedTuple):
    """One thing to know: what it is, and how it stands in words."""

    subject: str
    answer: str


def before_calling(scene: Scene) -> tuple[Known, ...]:
    """Everything that callers must know, always the same questions in the same order."""
    return (
        Known("Safe contact", safe_contact(scene)),
        Known("Confidential address", confidential_address(scene.person.patient)),
        Known("Guardian or consenting adult", guardian(scene)),
        Known("Language and interpreter", language(scene.person.patient)),
        Known("Legal status", told(scene, "legal_status")),
        Known("Long-acting injection", told(scene, "long_acting_injection")),
        Known("Discharge medication runs out", medication_ends(scene)),
        Known("Contact with family", "withheld unless the client agrees"),
    )


def safe_contact(scene: Scene) -> str:
    """Instructions that a sender flagged about contact (FHIR Flag of category `contact`)."""
    flagged = [
        words(resource.get("code"))
        for resource in scene.known.values()
        if resource["resourceType"] == "Flag" and resource.get("status") == "active" and "contact" in _codes(resource.get("category", []))
    ]
    return "; ".join(sorted(filter(None, flagged))) or UNKNOWN


def confidential_address(patient: Json) -> str:
    """Whether an address is marked confidential (PID-11): the address itself is not repeated here."""
    uses = {entry.get("valueCode") for address in patient.get("address", []) for entry in address.get("extension", [])}
    return "yes: write to or visit no other address" if "CONF" in uses else UNKNOWN


def guardian(scene: Scene) -> str:
    """The guardian by name, or for a minor that the consenting adult is not known."""
    found = [
        person_name(resource)
        for resource in scene.person.related
        if resource["resourceType"] == "RelatedPerson" and GUARDIANS & _codes(resource.get("relationship", []))
    ]
    age = scene.age()
    minor = f"unknown; the client is a minor ({age} years)" if age is not None and age < 18 else UNKNOWN
    return ", ".join(sorted(filter(None, found))) or minor


def language(patient: Json) -> str:
    """The language to speak and whether an interpreter is needed."""
    spoken = preferred_language(patient)
    if spoken is None:
        return UNKNOWN
    return f"{spoken}: interpreter needed" if needs_interpreter(patient) else f"{spoken}: no interpreter asked for"


def preferred_language(patient: Json) -> str | None:
    """The preferred language in words; None when no message told."""
    spoken = sorted(patient.get("communication", []), key=lambda one: not one.get("preferred", False))
    return words(spoken[0].get("language")) or None if spoken else None


def needs_interpreter(patient: Json) -> bool:
    """An interpreter was asked for, or the preferred language is not English."""
    asked = [
        entry.get("valueBoolean") for entry in patient.get("extension", []) if str(entry.get("url", "")).endswith("/patient-interpreterRequired")
    ]
    if asked:
        return bool(asked[0])
    spoken = sorted(patient.get("communication", []), key=lambda one: not one.get("preferred", False))
    if not spoken:
        return False
    concept = spoken[0].get("language") or {}
    codes = [str(coding.get("code", "")) for coding in concept.get("coding", [])] or [words(concept)]
    return bool(codes[0]) and not any(code.casefold().split("-")[0] in ENGLISH for code in codes)


def told(scene: Scene, subject: str) -> str:
    """What observations, flags, medications and conditions say in the policy's words for a subject."""
    wanted = [word.casefold() for word in scene.context.policy.know.get(subject, ())]
    found = []
    for resource in scene.known.values():
        said = _statement(resource)
        plain = f" {said.casefold()} ".replace(",", " ").replace(";", " ")
        if any(f" {word} " in plain if len(word) < 5 else word in plain for word in wanted):
            found.append(said)
    return "; ".join(sorted(set(found))) or UNKNOWN


def medication_ends(scene: Scene) -> str:
    """The earliest day on which a dispensed supply runs out, as far as prescriptions say."""
    ends = [end for resource in scene.known.values() if resource["resourceType"] == "MedicationRequest" for end in [_supply_end(resource)] if end]
    return min(ends).isoformat() if ends else UNKNOWN


def person_name(resource: Json) -> str:
    """A HumanName in words."""
    name: Json = next(iter(resource.get("name", [])), {})
    return str(name.get("text") or " ".join([*name.get("given", []), name.get("family", "")]).strip())


def _statement(resource: Json) -> str:
    match resource["resourceType"]:
        case "Observation":
            value = resource.get("valueString") or words(resource.get("valueCodeableConcept")) or str(resource.get("valueDateTime") or "")
            return ": ".join(filter(None, [words(resource.get("code")), value]))
        case "Flag" | "Condition" | "Procedure":
            return words(resource.get("code"))
        case "MedicationRequest" | "MedicationAdministration" | "MedicationStatement":
            name = words(resource.get("medicationCodeableConcept"))
            due = next((at for dosage in _dosages(resource) for at in dosage.get("timing", {}).get("event", [])), "")
            return f"{name}, due {due}" if due else name
        case _:
            return ""


def _dosages(resource: Json) -> list[Json]:
    found = resource.get("dosageInstruction", [])
    return found if isinstance(found, list) else []


def _supply_end(request: Json) -> date | None:
    dispense = request.get("dispenseRequest", {})
    supply, written = dispense.get("expectedSupplyDuration", {}), _day(request.get("authoredOn"))
    days = DAYS_OF.get(str(supply.get("code") or supply.get("unit") or ""))
    if written and days and isinstance(supply.get("value"), int | float):
        return written + timedelta(days=int(supply["value"] * days))
    return _day(dispense.get("validityPeriod", {}).get("end"))


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


def _codes(concepts: Iterable[Json]) -> set[str]:
    return {str(coding.get("code")) for concept in concepts for coding in concept.get("coding", [])}
