"""What callers must know before they call a client. What no message told is shown as unknown: a caller has to ask, not to assume."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from gateway.fhir.confidential_address import any_confidential
from gateway.mappings.care import supply
from gateway.mappings.care.scene import Scene, words
from gateway.privacy import labels
from gateway.privacy.confidential import is_withheld
from gateway.privacy.extent import PARENTS
from gateway.records.statements import Json

UNKNOWN = "unknown"
WITHHELD = "withheld unless the client agrees"
ENGLISH = ("en", "eng", "english")
GUARDIANS = frozenset({"GUARD", "GRD"})
ADULT = 18
INTERPRETER = ("patient-interpreterRequired", "us-core-interpreter-needed")
YES = "373066001"
"""SNOMED CT for "yes", of US Core's value set for the need of an interpreter."""


class Known(NamedTuple):
    """One thing to know: what it is, and how it stands in words."""

    subject: str
    answer: str


def before_calling(scene: Scene) -> tuple[Known, ...]:
    """Everything that callers must know, always the same questions in the same order."""
    said = statements(scene)
    return (
        safe_contact(scene, said),
        confidential_address(scene),
        guardian(scene),
        language(scene, said),
        told(scene, said, "legal_status", "Legal status"),
        told(scene, said, "long_acting_injection", "Long-acting injection"),
        medication_ends(scene, said),
        family(scene),
    )


def safe_contact(scene: Scene, said: tuple[str, ...]) -> Known:
    """Instructions about contact: a Flag of category `contact`, an access restriction's (ARV-5), or words of the policy."""
    found = [
        *(words(flag.get("code")) for flag in scene.of_type("Flag") if _stands(flag) and "contact" in _codes(flag.get("category", []))),
        *(text for one in scene.of_type("Observation") if _stands(one) for text in _instructions(one)),
        *_matching(scene, said, "safe_contact"),
    ]
    return _known("Safe contact", found)


def confidential_address(scene: Scene) -> Known:
    """Whether an address is marked confidential (PID-11). It is not repeated here; whom it is withheld from is told whom to ask."""
    patient = scene.person.patient
    if not any_confidential(patient):
        return Known("Confidential address", UNKNOWN)
    withheld = is_withheld(labels.labels_of(patient))
    return Known("Confidential address", "yes: ask the coordinator for it" if withheld else "yes: write to or visit no other address")


def guardian(scene: Scene) -> Known:
    """The guardian by name; for a minor without one, who consented or the parents, and that nobody said who may consent."""
    subject = "Guardian or consenting adult"
    related = scene.of_type("RelatedPerson")
    found = _people(one for one in related if GUARDIANS & _codes(one.get("relationship", [])))
    age = scene.age()
    if found or age is None or age >= ADULT:
        return _known(subject, found)
    minor = f"the client is a minor ({age} years)"
    consented = [
        f"{verified['verifiedWith']['display']} gave a consent"
        for owned in scene.person.consents
        for verified in owned.resource.get("verification", [])
        if owned.resource.get("status") == "active" and verified.get("verifiedWith", {}).get("display")
    ]
    parents = [f"parent {name}" for name in _people(one for one in related if PARENTS & _codes(one.get("relationship", [])))]
    known = _known(subject, consented or parents)
    return known._replace(answer=f"{known.answer}; {minor}")


def language(scene: Scene, said: tuple[str, ...]) -> Known:
    """The language to speak and whether an interpreter is needed."""
    subject, patient = "Language and interpreter", scene.person.patient
    spoken = preferred_language(patient)
    stated = _matching(scene, said, "interpreter")
    if spoken is None and not stated and not _asked(patient) and not speaks_no_english(scene):
        return Known(subject, UNKNOWN)
    needed = "; ".join(sorted(set(stated))) or ("interpreter needed" if needs_interpreter(scene) else "no interpreter asked for")
    return Known(subject, f"{spoken or 'language unknown'}: {needed}")


def family(scene: Scene) -> Known:
    """Contact with family is withheld by default; with whom the client's consents allow or refuse it by name, where they do."""
    verdicts = scene.context.supports
    allowed, refused = (
        sorted(_people(one for one in scene.of_type("RelatedPerson") if verdicts.get(str(one["id"])) == verdict)) for verdict in ("permit", "deny")
    )
    default = f"{WITHHELD}, who allows {', '.join(allowed)}" if allowed else WITHHELD
    return Known("Contact with family", "; ".join([default, *(f"refused for {name}" for name in refused)]))


def preferred_language(patient: Json) -> str | None:
    """The preferred language in words; None when no message told."""
    spoken = sorted(patient.get("communication", []), key=lambda one: not one.get("preferred", False))
    return words(spoken[0].get("language")) or None if spoken else None


def needs_interpreter(scene: Scene) -> bool:
    """An interpreter was asked for, or the preferred language is not English, or the stay's messages say that no English is spoken (PV1-15 A8)."""
    patient = scene.person.patient
    asked = _asked(patient)
    if asked:
        return any(entry.get("valueBoolean") is True or entry.get("valueCoding", {}).get("code") == YES for entry in asked)
    if speaks_no_english(scene):
        return True
    spoken = sorted(patient.get("communication", []), key=lambda one: not one.get("preferred", False))
    if not spoken:
        return False
    concept = spoken[0].get("language") or {}
    codes = [str(coding.get("code", "")) for coding in concept.get("coding", [])] or [words(concept)]
    return bool(codes[0]) and not any(code.casefold().split("-")[0] in ENGLISH for code in codes)


def speaks_no_english(scene: Scene) -> bool:
    """The ambulatory status of HL7 table 0009 that says so, among the stay's arrangements."""
    arrangements = scene.stay.encounter.get("hospitalization", {}).get("specialArrangement", [])
    return any(one.get("code") == "A8" and str(one.get("system", "")).endswith("v2-0009") for said in arrangements for one in said.get("coding", []))


def told(scene: Scene, said: tuple[str, ...], key: str, subject: str) -> Known:
    """What the stay's records say in the policy's words for a subject."""
    return _known(subject, _matching(scene, said, key))


def medication_ends(scene: Scene, said: tuple[str, ...]) -> Known:
    """The earliest day on which a supply that outlasts the discharge runs out, as far as orders and dispenses say; else what was said in words."""
    subject = "Discharge medication runs out"
    leaves = scene.day(0) or ""
    supplies = (supply.end(one) for one in scene.of_type("MedicationRequest", "MedicationDispense") if _stands(one))
    ahead = [end.isoformat() for end in supplies if end and end.isoformat() >= leaves]
    return Known(subject, min(ahead)) if ahead else told(scene, said, "medication_ends", subject)


def statements(scene: Scene) -> tuple[str, ...]:
    """What the stay's own records, and the client's that belong to no stay, say in words."""
    encounter = scene.stay.encounter
    visit = (words(kind) for kind in (*encounter.get("type", []), *encounter.get("reasonCode", [])))
    return (*(_statement(one) for one in scene.of_type(*_TELLING) if _stands(one)), *visit)


def person_name(resource: Json) -> str:
    """A HumanName in words."""
    name: Json = next(iter(resource.get("name", [])), {})
    return str(name.get("text") or " ".join([*name.get("given", []), name.get("family", "")]).strip())


_TELLING = ("Observation", "Flag", "Condition", "Procedure", "MedicationRequest", "MedicationAdministration", "MedicationStatement")
_OVER = frozenset({"entered-in-error", "cancelled", "stopped", "inactive", "not-done", "not-taken"})


def _stands(resource: Json) -> bool:
    verified = {coding.get("code") for coding in resource.get("verificationStatus", {}).get("coding", [])}
    return resource.get("status") not in _OVER and not verified & {"entered-in-error", "refuted"}


def _matching(scene: Scene, said: tuple[str, ...], key: str) -> list[str]:
    pattern = _pattern(scene.context.policy.know.get(key, ()))
    return [one for one in said if pattern.search(one)] if pattern else []


@cache
def _pattern(wanted: tuple[str, ...]) -> re.Pattern[str] | None:
    """Any of the words, whole, whatever the case."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, wanted))})(?!\w)", re.IGNORECASE) if wanted else None


def _known(subject: str, found: Iterable[str]) -> Known:
    """The answer that the records give together: each thing once, without the question repeated in it."""
    said = {one.removeprefix(f"{subject}: ") for one in found if one}
    return Known(subject, "; ".join(sorted(said)) or UNKNOWN)


def _people(resources: Iterable[Json]) -> list[str]:
    return [name for one in resources if (name := person_name(one)) and one.get("active") is not False]


def _asked(patient: Json) -> list[Json]:
    return [entry for entry in patient.get("extension", []) if str(entry.get("url", "")).rpartition("/")[2] in INTERPRETER]


def _instructions(observation: Json) -> list[str]:
    """ARV-5: what an access restriction asks of those who deal with the client."""
    if "ARV" not in _codes([observation.get("code", {})]):
        return []
    return [
        str(one["valueString"]) for one in observation.get("component", []) if "ARV-5" in _codes([one.get("code", {})]) and one.get("valueString")
    ]


def _statement(resource: Json) -> str:
    match resource["resourceType"]:
        case "Observation":
            value = resource.get("valueString") or words(resource.get("valueCodeableConcept")) or str(resource.get("valueDateTime") or "")
            return ": ".join(filter(None, [words(resource.get("code")), value or _plain(resource)]))
        case "Flag" | "Condition" | "Procedure":
            return words(resource.get("code"))
        case _:
            name = words(resource.get("medicationCodeableConcept"))
            due = next((str(at) for dosage in supply.dosages(resource) for at in dosage.get("timing", {}).get("event", [])), "")
            return f"{name}, due {due}" if due else name


def _plain(observation: Json) -> str:
    """A value that is a number or a yes or no, in words."""
    if "valueBoolean" in observation:
        return "yes" if observation["valueBoolean"] else "no"
    quantity = observation.get("valueQuantity", {})
    return " ".join(str(quantity[key]) for key in ("value", "unit") if key in quantity)


def _codes(concepts: Iterable[Json]) -> set[str]:
    return {str(coding.get("code")) for concept in concepts for coding in concept.get("coding", [])}
