"""DG1, PR1, AL1, IAM -> Condition, Procedure, AllergyIntolerance."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2 import conditions, datatypes, reactions, shared
from gateway.mappings.hl7v2.actions import action
from gateway.mappings.hl7v2.context import Context, place
from gateway.mappings.hl7v2.person import RESTRICTED, yes
from gateway.mappings.hl7v2.values import Composite
from gateway.mappings.tables import Coding
from gateway.records.statements import DiagnosisFact, Fragment, Json

_T = "http://terminology.hl7.org/CodeSystem/"
_SNOMED = "http://snomed.info/sct"
_CONCEPT_ID = re.compile(r"[1-9][0-9]{5,17}")
_ENCOUNTER_DIAGNOSIS: list[Json] = [
    {"coding": [{"system": _T + "condition-category", "code": "encounter-diagnosis", "display": "Encounter Diagnosis"}]}
]
_ACTIVE: Json = {"coding": [{"system": _T + "condition-clinical", "code": "active"}]}
_VERIFIED: dict[str, Json] = {
    code: {"coding": [{"system": _T + "condition-ver-status", "code": code}]} for code in ("confirmed", "provisional", "entered-in-error")
}
_ALLERGY_ACTIVE: Json = {"coding": [{"system": _T + "allergyintolerance-clinical", "code": "active"}]}
_ALLERGY_ERROR: Json = {"coding": [{"system": _T + "allergyintolerance-verification", "code": "entered-in-error"}]}
_KINDS = tables.column("0052-diagnosis-type", "kind")
_CERTAINTY = {"admitting": "provisional", "working": "provisional", "final": "confirmed"}
_CATEGORIES = tables.targets("0127-allergen-type")
_TYPES = tables.column("0127-allergen-type", "kind")
_SEVERITIES = tables.targets("0128-allergy-severity")
_MOST_FORMS = 32
"""How many kinds, severities and reactions of one allergen are remembered."""
_CRITICALITIES = tables.column("0128-allergy-severity", "criticality")


def diagnoses(context: Context) -> tuple[list[Fragment], list[DiagnosisFact]]:
    """DG1 -> Condition, in order, and the same as facts; the one marked first (DG1-15 = 1) is principal, else the first in the list."""
    fragments: list[Fragment] = []
    facts: list[DiagnosisFact] = []
    marked = False
    for dg1 in context.message.all("DG1"):
        said = context.once(dg1, _told)
        if said is None:
            continue
        fragment, diagnosis = said
        if diagnosis is not None:
            marked = marked or diagnosis["principal"]
            facts.append(diagnosis)
        fragments.append(fragment)
    if facts and not marked:
        facts[0] = {**facts[0], "principal": True}
    return distinct(fragments), facts


def _told(context: Context, dg1: Segment) -> tuple[Fragment, DiagnosisFact | None] | None:
    """One DG1, and the fact that it states unless it deletes one."""
    code = _diagnosis(context, dg1)
    if code is None:
        return None
    kind = _KINDS.get((context.local(context.text(dg1, 6), "diagnosis-type", "0052") or context.text(dg1, 6)).upper(), "")
    principal = context.text(dg1, 15) == "1"
    doing = action(context, dg1, 21)
    link = conditions.link(context, dg1)
    fragment = Fragment(_condition(context, dg1, code, kind, doing), _diagnosis_local(context, dg1, code), doing, link)
    return fragment, fact(code, principal, kind) if doing != "D" else None


def fact(concept: Json, principal: bool = False, kind: str = "") -> DiagnosisFact:
    """A CodeableConcept as a fact: its first coding, and its words."""
    first = datatypes.lead(concept)
    found = DiagnosisFact(
        system=first.get("system", ""), code=first.get("code", ""), text=concept.get("text") or first.get("display", ""), principal=principal
    )
    if kind:
        found["kind"] = kind
    return found


def _diagnosis(context: Context, dg1: Segment) -> Json | None:
    """DG1-3 with the coding method of DG1-2 where the code itself names none; its text is the words of DG1-4, else those of the code."""
    cwe = context.one(dg1, 3)
    method = datatypes.system_of(context, context.text(dg1, 2))
    code = datatypes.concept(context, cwe, method)
    words = context.text(dg1, 4)
    if code is None:
        return {"text": words} if words else None
    if words and words != code.get("text") and not (cwe is not None and cwe[8]):
        code = {**code, "text": words}
    codings = code.get("coding", ())
    if any(coding.get("system") == _SNOMED and not _CONCEPT_ID.fullmatch(coding["code"]) for coding in codings):
        context.report(place(dg1, 3), "103", "W", "The code is none of SNOMED CT, which it is said to be of; it was kept without a system.")
        code = {**code, "coding": [_less_wrong(coding) for coding in codings]}
    return code


def _less_wrong(coding: Coding) -> Coding:
    """The coding without its system, where that is SNOMED CT and the code is none of its concepts' ids."""
    if coding.get("system") != _SNOMED or _CONCEPT_ID.fullmatch(coding["code"]):
        return coding
    return {name: said for name, said in coding.items() if name != "system"}


def _diagnosis_local(context: Context, dg1: Segment, code: Json) -> str:
    numbered = context.text(dg1, 20)
    if numbered:
        return f"DG1-20|{numbered}"
    return datatypes.local_name(code)


def _condition(context: Context, dg1: Segment, code: Json, kind: str, doing: str) -> Json:
    resource: Json = {"resourceType": "Condition", "category": _ENCOUNTER_DIAGNOSIS, "code": code}
    if doing == "D":
        resource["verificationStatus"] = _VERIFIED["entered-in-error"]
    else:
        resource["clinicalStatus"] = _ACTIVE
        if kind:
            resource["verificationStatus"] = _VERIFIED[_CERTAINTY[kind]]
    onset = context.moment(dg1, 5)
    if onset:
        resource["onsetDateTime"] = onset.text
    attested = context.moment(dg1, 19)
    if attested:
        resource["recordedDate"] = attested.text
    if len(dg1) > 17 and yes(context.text(dg1, 18)):
        resource["meta"] = RESTRICTED
    if len(dg1) > 18 and (extensions := conditions.extensions(context, dg1)):
        resource["extension"] = extensions
    clinician = shared.practitioner(context, context.one(dg1, 16))
    if clinician:
        resource["asserter"] = clinician
    numbered = context.one(dg1, 20)
    if numbered is not None and numbered[0]:
        resource["identifier"] = [datatypes.entity(context, numbered, "")]
    return resource


def procedures(context: Context) -> list[Fragment]:
    """PR1 -> Procedure: done, for nobody bills or codes one that was not."""
    found = []
    for pr1 in context.message.all("PR1"):
        code = datatypes.concept(context, context.one(pr1, 3), datatypes.system_of(context, context.text(pr1, 2)))
        words = context.text(pr1, 4)
        if words and (code is None or "text" not in code):
            code = {**(code or {}), "text": words}
        if code is None:
            continue
        doing = action(context, pr1, 20)
        resource: Json = {"resourceType": "Procedure", "status": "entered-in-error" if doing == "D" else "completed", "code": code}
        performed = context.moment(pr1, 5)
        if performed:
            resource["performedDateTime"] = performed.text
        performers = [one for field in (8, 11, 12) for xcn in context.every(pr1, field) if (one := shared.practitioner(context, xcn))]
        if performers:
            resource["performer"] = [{"actor": one} for one in performers]
        numbered = context.text(pr1, 19)
        local = f"PR1-19|{numbered}" if numbered else datatypes.local_name(code)
        found.append(Fragment(resource, local, doing))
    return distinct(found)


def allergies(context: Context) -> list[Fragment]:
    """AL1 -> AllergyIntolerance."""
    return distinct(one for al1 in context.message.all("AL1") if (one := context.once(al1, _of_al1)) is not None)


def _of_al1(context: Context, al1: Segment) -> Fragment | None:
    allergen = context.one(al1, 3)
    code = datatypes.concept(context, allergen)
    if allergen is None or code is None:
        return None
    said = ("allergy", *al1.fields[2:6])  # many people have the same allergy, each since another day
    resource: Json | None = allergen.known.get(said)
    if resource is None:
        resource = _allergy(context, al1, code, context.one(al1, 2), context.text(al1, 4), context.every(al1, 5))
        if len(allergen.known) < _MOST_FORMS:
            allergen.known[said] = resource
    onset = context.moment(al1, 6)
    if onset:
        resource = {**resource, "onsetDateTime": onset.text}
    return Fragment(resource, datatypes.local_name(code))


def adverse_reactions(context: Context) -> list[Fragment]:
    """IAM -> AllergyIntolerance, with its action code (IAM-6) and its own identifier (IAM-7)."""
    found = []
    for iam in context.message.all("IAM"):
        code = datatypes.concept(context, context.one(iam, 3))
        if code is None:
            continue
        resource = _allergy(context, iam, code, context.one(iam, 2), context.text(iam, 4), context.every(iam, 5))
        doing = action(context, iam, 6)
        if doing == "D":
            del resource["clinicalStatus"]
            resource["verificationStatus"] = _ALLERGY_ERROR
        numbered = context.one(iam, 7)
        if numbered is not None and numbered[0]:
            resource["identifier"] = [datatypes.entity(context, numbered, "")]
        onset = context.moment(iam, 11)
        if onset:
            resource["onsetDateTime"] = onset.text
        reported = context.moment(iam, 13)
        if reported:
            resource["recordedDate"] = reported.text
        reactions.add(context, iam, resource)
        found.append(Fragment(resource, f"IAM-7|{numbered[0]}" if numbered is not None and numbered[0] else datatypes.local_name(code), doing))
    return distinct(found) + reactions.reporters(context)


def _allergy(context: Context, segment: Segment, code: Json, kind: Composite | None, severity: str, said: Sequence[Composite]) -> Json:
    resource: Json = {"resourceType": "AllergyIntolerance", "clinicalStatus": _ALLERGY_ACTIVE, "code": code}
    allergen = (context.local(kind[0], "allergen-type", "0127") or kind[0]).upper() if kind is not None else ""
    if allergen in _TYPES:
        resource["type"] = _TYPES[allergen]
    if allergen in _CATEGORIES:
        resource["category"] = [_CATEGORIES[allergen]]
    how_bad = (context.local(severity, "allergy-severity", "0128") or severity).upper()
    if how_bad in _CRITICALITIES:
        resource["criticality"] = _CRITICALITIES[how_bad]
    manifestations = [_manifestation(one) for one in said]
    if manifestations:
        reaction: Json = {"manifestation": manifestations}
        if how_bad in _SEVERITIES:
            reaction["severity"] = _SEVERITIES[how_bad]
        resource["reaction"] = [reaction]
    reactions.codes_as_sent(context, segment, resource)
    return resource


def _manifestation(said: Composite) -> Json:
    return {"text": said[1] or said[0] or said[8] or said.raw}


def distinct(fragments: Iterable[Fragment]) -> list[Fragment]:
    """The fragments with local names made different: the second of a name is `…#2`."""
    every = [*fragments]
    if len(every) < 2:
        return every
    counts: dict[str, int] = {}
    found = []
    for fragment in every:
        counts[fragment.local] = number = counts.get(fragment.local, 0) + 1
        found.append(fragment if number == 1 else fragment._replace(local=f"{fragment.local}#{number}"))
    return found
