"""What the messages state that somebody needs, and whom the policy plans something for. Nothing is guessed: each need rests on what was said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from gateway.mappings import tables
from gateway.mappings.care.callers import needs_interpreter
from gateway.mappings.care.policy import Planned
from gateway.mappings.care.scene import Scene
from gateway.records.statements import Json
from transitions.codes import matcher

ICD_10 = ("http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10")
LOINC = "http://loinc.org"
AMBULATORY = "v2-0009"
NOT_SAID = frozenset({"entered-in-error", "cancelled"})


class Said(NamedTuple):
    """One thing that a message said: a diagnosis, an answer to a question, an ambulatory status."""

    text: str
    diagnosis: str = ""  # ICD-10-CM code in capitals, without the dot that some senders leave out
    ambulatory: str = ""  # PV1-15, HL7 table 0009
    domain: str = ""  # Gravity's category of social needs
    reference: str = ""  # "Condition/…", "Observation/…", where a record holds it


def stated(scene: Scene) -> tuple[Said, ...]:
    """What the stay's Conditions, facts, observations and arrangements say: a Condition first, since it can be referred to."""
    return (*_conditions(scene), *_facts(scene), *_answers(scene), *_arrangements(scene))


def reasons(planned: Planned, scene: Scene, said: tuple[Said, ...]) -> tuple[Said, ...] | None:
    """What was said that something is planned for; None when the policy does not plan it here."""
    if planned.everyone:
        return tuple(one for one in said if one.reference.startswith("Condition/") and not one.diagnosis.startswith("Z"))
    if not _for_whom(planned, scene):
        return None
    if not (planned.diagnoses or planned.words or planned.ambulatory or planned.domains):
        return ()
    return tuple(one for one in said if matches(planned, one)) or None


def matches(planned: Planned, said: Said) -> bool:
    """Whether what was said is among what something is planned for."""
    coded = said.diagnosis.startswith(prefixes(planned.diagnoses)) or said.domain in planned.domains or said.ambulatory in planned.ambulatory
    return coded or _mentions(planned.words)(said.text)


def _for_whom(planned: Planned, scene: Scene) -> bool:
    """Tier, disposition, age, language and where the client lives: all that the policy states holds."""
    transition, age = scene.transition, scene.age()
    disposition = transition.stay.disposition.code if transition.stay.disposition else ""
    return (
        (not planned.tiers or transition.tier in planned.tiers)
        and (not planned.dispositions or disposition in planned.dispositions)
        and (planned.min_age is None or (age is not None and age >= planned.min_age))
        and (planned.max_age is None or (age is not None and age <= planned.max_age))
        and (not planned.interpreter or needs_interpreter(scene))
        and (not planned.outside_area or outside_area(scene))
    )


def outside_area(scene: Scene) -> bool:
    """The client's postal code is known, and the agency that the transition is routed to serves others, and not this one."""
    agency, code, areas = scene.transition.agency, scene.transition.stay.client.postal_code, scene.context.areas
    if not agency or not code or not areas.limited(agency):
        return False
    return all(name != agency for name, _ in areas.serving(code))


def _conditions(scene: Scene) -> Iterator[Said]:
    for condition in scene.conditions:
        concept = condition.get("code", {})
        for coding in concept.get("coding") or [{}]:
            text = f"{concept.get('text', '')} {coding.get('display', '')}".strip()
            yield _diagnosis(str(coding.get("system") or ""), str(coding.get("code") or ""), text, f"Condition/{condition['id']}")


def _facts(scene: Scene) -> Iterator[Said]:
    for fact in (*(scene.stay.facts.get("diagnoses") or []), *filter(None, [scene.stay.facts.get("reason")])):
        yield _diagnosis(str(fact.get("system") or ""), str(fact.get("code") or ""), str(fact.get("text") or ""), "")


def _diagnosis(system: str, code: str, text: str, reference: str) -> Said:
    plain = code.upper().replace(".", "") if system in ("", *ICD_10) else ""
    domain = next((domain for prefix, domain in _categories().items() if plain.startswith(prefix)), "") if plain else ""
    return Said(text, diagnosis=plain, domain=domain, reference=reference)


def _answers(scene: Scene) -> Iterator[Said]:
    """The latest answers to each screening question, where they state a need: by LOINC's code of the answer, or in its very words."""
    asked: dict[str, list[Json]] = {}
    for one in scene.of_type("Observation"):
        question = _loinc(one.get("code"))
        if question in _screening() and one.get("status") not in NOT_SAID:
            asked.setdefault(question, []).append(one)
    for question, answers in sorted(asked.items()):
        newest = max(str(one.get("effectiveDateTime") or "") for one in answers)
        for one in sorted(answers, key=lambda each: str(each["id"])):
            if str(one.get("effectiveDateTime") or "") == newest:
                yield from _stating(question, one)


def _stating(question: str, observation: Json) -> Iterator[Said]:
    answer = observation.get("valueCodeableConcept") or {}
    shown = str(answer.get("text") or observation.get("valueString") or "").casefold()
    codes = {str(coding.get("code")) for coding in answer.get("coding", [])}
    for row in _screening()[question]:
        if row["code"].partition("/")[2] in codes or row["words"].casefold() == shown:
            yield Said(f"{row['question']}: {row['words']}", domain=row["target"], reference=f"Observation/{observation['id']}")


def _arrangements(scene: Scene) -> Iterator[Said]:
    for concept in scene.stay.encounter.get("hospitalization", {}).get("specialArrangement", []):
        for coding in concept.get("coding", []):
            if str(coding.get("system", "")).endswith(AMBULATORY):
                yield Said(str(concept.get("text") or ""), ambulatory=str(coding.get("code") or "").upper())


@cache
def prefixes(diagnoses: tuple[str, ...]) -> tuple[str, ...]:
    """ICD-10-CM prefixes without their dots."""
    return tuple(prefix.replace(".", "") for prefix in diagnoses)


@cache
def _mentions(words: tuple[str, ...]) -> Callable[[str], bool]:
    return matcher(words)


@cache
def _screening() -> dict[str, list[dict[str, str]]]:
    """LOINC question -> the answers that state a need."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in tables.rows("social-needs"):
        question, _, answer = row["code"].partition("/")
        if answer:
            found.setdefault(question, []).append(row)
    return found


@cache
def _categories() -> dict[str, str]:
    """ICD-10-CM prefix without its dot -> Gravity's category."""
    return {row["code"].replace(".", ""): row["target"] for row in tables.rows("social-needs") if "/" not in row["code"]}


def _loinc(concept: Json | None) -> str:
    return next((str(one["code"]) for one in (concept or {}).get("coding", []) if one.get("system") == LOINC and one.get("code")), "")
