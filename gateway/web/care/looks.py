"""What to look for in messages to find where a statement of the three records came from. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from gateway.mappings.care.scene import words
from gateway.records.statements import Json
from gateway.web.care.records import Records
from transitions.model import Code
from transitions.policy import Policy
from transitions.risk import HOMELESS, SCHIZOPHRENIA, SELF_HARM, SUBSTANCE_USE


@dataclass(frozen=True, slots=True)
class Look:
    """What to look for in messages: elements that a value became (beginnings of FHIR paths), and the values; no values: any.

    Or `events`: what was said by its kind alone ("ADT^A13", "decision close"). `elsewhere`: not by a message that the plan rests on.
    """

    elements: tuple[str, ...] = ()
    values: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    elsewhere: bool = False


LEFT_AS = (Look(events=frozenset({"decision disposition"})), Look(("Encounter.hospitalization.dischargeDisposition",)))
"""As what the client left: a person's decision stands over what the hospital said."""
_PLACES: Mapping[str, tuple[str, ...]] = {
    "Language and interpreter": ("Patient.communication",),
    "Confidential address": ("Patient.address.extension",),
    "Discharge medication runs out": ("MedicationRequest", "MedicationDispense"),
}
"""Where alone a sender says some of what callers must know, whatever the value."""
_TOLD = ("Observation", "Flag", "Condition", "Procedure", "Medication", "Encounter.type", "Encounter.reasonCode")
_REASONS = {"self-harm": SELF_HARM, "homelessness": HOMELESS, "substance-use": SUBSTANCE_USE, "schizophrenia": SCHIZOPHRENIA}


def looks_of_caller(subject: str, answer: str) -> tuple[Look, ...]:
    """What callers must know: by where it is said, and by its words where many records may say it."""
    said = parts(answer)
    if subject.startswith("Guardian"):
        return (Look(("RelatedPerson.name", "Consent.verification"), said | frozenset(word for one in said for word in one.split())),)
    places = (Look(_PLACES[subject]),) if subject in _PLACES else ()
    return (*places, Look(_TOLD, said))


def looks_of_reason(records: Records, reason: str) -> tuple[Look, ...]:
    """What a reason of the tier rests on: the stay's dates, its disposition, its screening, or the diagnoses that say so."""
    if reason.startswith("stay of"):
        return (Look(("Encounter.period.start",)), Look(("Encounter.period.end",)))
    if reason.startswith("left against"):
        return LEFT_AS
    if "C-SSRS" in reason:
        return (Look(("Observation.code",), frozenset(("93374-7", "93249-1", "93250-9", "93269-9"))),)
    if reason.startswith(("admitted", "no outpatient")):
        return ()
    found = (records.find(one) for one in records.plan.get("addresses", []))
    return tuple(of_reason(one) for one in found if one is not None and reason in meanings(one))


def meanings(condition: Json) -> set[str]:
    """The reasons of a tier that a diagnosis gives."""
    code, vocabulary = condition.get("code", {}), _policy().vocabulary
    said = [Code(words(code), str(one.get("code") or ""), str(one.get("system") or "")) for one in code.get("coding") or [{}]]
    return {_REASONS[each] for one in said for each in vocabulary.meaning(one).sets if each in _REASONS}


def called_name(resource: Json) -> str:
    """What a person or an organization is called."""
    name = resource.get("name")
    if isinstance(name, list):
        first: Json = next(iter(name), {})
        return str(first.get("text") or " ".join([*first.get("prefix", []), *first.get("given", []), first.get("family", "")]).strip())
    return str(name or "")


def of_reason(resource: Json) -> Look:
    """A diagnosis, or an observation, by its codes and words."""
    return Look(
        (resource["resourceType"],), values(resource.get("code")) | values(resource.get("valueCodeableConcept")) | parts(resource.get("valueString"))
    )


def of_member(member: Json) -> Look:
    """A member of the team, by identifiers and the words of the name."""
    kind = member.get("resourceType", "")
    identifiers = frozenset(str(one["value"]).casefold() for one in member.get("identifier", []) if one.get("value"))
    name = called_name(member).casefold()
    said = identifiers | {name} | {word for word in re.split(r"[\s,]+", name) if len(word) > 1}
    places = {"RelatedPerson": ("RelatedPerson",), "Organization": ("Organization", "Encounter.serviceProvider")}
    return Look(places.get(kind, ("Encounter.participant", "Practitioner", "Patient.generalPractitioner", "CareTeam", "Task.output")), said)


def values(concept: Json | None) -> frozenset[str]:
    """A concept's codes and words as messages may hold them: with and without the dot of ICD-10-CM."""
    codings = (concept or {}).get("coding", [])
    said = {str(coding.get(key) or "") for coding in codings for key in ("code", "display")} | {str((concept or {}).get("text") or "")}
    return frozenset(form.casefold() for one in said if one for form in (one, one.replace(".", "")))


def parts(text: object) -> frozenset[str]:
    """Words as messages may hold them: whole, and the parts that we joined with ";", ": " or ", due "."""
    plain = str(text or "").casefold()
    found = {part.strip() for one in plain.split(";") for part in (one, *one.split(": "), *one.split(", due "))}
    return frozenset(part for part in (*found, plain) if len(part) > 1)


@cache
def _policy() -> Policy:
    return Policy()
