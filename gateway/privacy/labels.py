"""Security labels, set at ingest: what a record is about, and how carefully it must be handled (`meta.security`).

Exactly one confidentiality code (N, R or V), the sensitivities found in the content, and 42CFRPart2 where 42 CFR Part 2 applies or has to be
assumed: records of a Part 2 unit, and substance-use content whose source has not attested that it is none (DOMAIN, Privacy).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.fhir.confidential_address import any_confidential
from gateway.privacy import sensitivity
from gateway.records.record import Owned, PersonRecord, StayRecord
from gateway.records.remembered import Remembered
from gateway.records.statements import Json, StayFacts

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
DISPLAY = {
    "N": "normal",
    "R": "restricted",
    "V": "very restricted",
    "42CFRPart2": "42 CFR Part2",
    "NORDSCLCD": "no redisclosure without consent directive",
    "LOCIS": "location information sensitivity",
    "NODSCLCD": "no disclosure without consent directive",
}
LOCATION = "LOCIS"
"""Location information: on whatever a confidential address stands in, or was taken from."""
HELD = "NODSCLCD"
"""No disclosure without the client's consent: on whatever a confidential address stands in."""
RANK = {"N": 0, "R": 1, "V": 2}


def label(
    resource: Json,
    *,
    part2: bool = False,
    sud_attested: bool = False,
    confidentiality: str | None = None,
    mental_health: bool = False,
) -> Json:
    """The resource with `meta.security` set; labels that its source set are kept.

    `part2`: told by, or about time in, a 42 CFR Part 2 program. `sud_attested`: the source says that its substance-use content is not Part 2.
    `confidentiality`: v3-Confidentiality code of the stay (PV2-22). `mental_health`: the place says what the content may not.
    """
    return {**resource, "meta": _labelled(resource, part2, sud_attested, confidentiality, mental_health)}


@Remembered
def _labelled(resource: Json, part2: bool, sud_attested: bool, confidentiality: str | None, mental_health: bool) -> Json:
    """The `meta` of the resource with its labels."""
    found = set(sensitivity.of({key: value for key, value in resource.items() if key != "meta"}))
    if mental_health:
        found.add("MH")
    if part2 or (not sud_attested and not sensitivity.SUBSTANCE_USE.isdisjoint(found)):
        found.add("42CFRPart2")
    if part2:
        found.add("SUD")
    meta: Json = with_labels(resource, found, confidentiality)["meta"]
    return meta


def label_stay(encounter: Json, parts: Sequence[Json], facts: StayFacts, part2: bool = False) -> tuple[Json, tuple[Json, ...]]:
    """A stay's Encounter and the resources within it, labelled by what they say and by what is known of the stay."""
    within = part2 or facts.get("part2", False)
    attested = facts.get("sud_attested", False)
    confidentiality = facts.get("confidentiality")
    psychiatric = "psychiatric" in (facts.get("unit_kind"), facts.get("service_kind"))
    return (
        label(encounter, part2=within, sud_attested=attested, confidentiality=confidentiality, mental_health=psychiatric),
        tuple(label(part, part2=within, sud_attested=attested, confidentiality=confidentiality) for part in parts),
    )


def label_person(person: PersonRecord) -> PersonRecord:
    """Everything in a person's record, labelled: called once, between the fold and whatever reads it."""
    by_stay = {stay.id: stay for stay in person.stays}

    def owned(one: Owned) -> Owned:
        stay = by_stay.get(one.stay or "")
        within = one.part2 or bool(stay and (stay.part2 or stay.facts.get("part2", False)))
        attested = bool(stay and stay.facts.get("sud_attested", False))
        return replace(one, resource=label(one.resource, part2=within, sud_attested=attested))

    def stayed(stay: StayRecord) -> StayRecord:
        encounter, parts = label_stay(stay.encounter, stay.parts, stay.facts, stay.part2)
        return replace(stay, encounter=encounter, parts=parts)

    return replace(
        person,
        patient=label_address(label(person.patient)),
        retired=tuple(label_address(label(patient)) for patient in person.retired),
        related=tuple(label_address(label(part)) for part in person.related),
        stays=tuple(stayed(stay) for stay in person.stays),
        appointments=tuple(owned(one) for one in person.appointments),
        documents=tuple(owned(one) for one in person.documents),
        referrals=tuple(owned(one) for one in person.referrals),
        care=tuple(owned(one) for one in person.care),
        contacts=tuple(owned(one) for one in person.contacts),
        consents=tuple(owned(one) for one in person.consents),
        observations=tuple(owned(one) for one in person.observations),
    )


def label_address(resource: Json) -> Json:
    """A Patient or RelatedPerson, labelled if it holds a confidential address."""
    return with_labels(resource, {LOCATION, HELD}) if any_confidential(resource) else resource


def with_labels(resource: Json, sensitivities: Iterable[str], confidentiality: str | None = None) -> Json:
    """The resource with these sensitivities added and its one confidentiality code raised to what they ask for, never lowered."""
    meta = resource.get("meta", {})
    before = [coding for coding in meta.get("security", []) if coding.get("system") != CONFIDENTIALITY]
    known = {coding.get("code") for coding in before}
    wanted = known | set(sensitivities)
    asked = [coding.get("code") for coding in meta.get("security", []) if coding.get("system") == CONFIDENTIALITY]
    level = max((RANK.get(str(code), 0) for code in [*asked, confidentiality]), default=0)
    if wanted - {None}:
        level = max(level, RANK["V"] if sensitivity.NEVER in wanted else RANK["R"])
    code = next(name for name, rank in RANK.items() if rank == level)
    added = [coding_of(ACT_CODE, name) for name in sorted(set(sensitivities) - known)]
    return {**resource, "meta": {**meta, "security": [coding_of(CONFIDENTIALITY, code), *before, *added]}}


def labels_of(resource: Json) -> frozenset[str]:
    """The codes in `meta.security`."""
    return frozenset(str(coding.get("code", "")) for coding in resource.get("meta", {}).get("security", []))


def taken_in(resource: Json) -> bool:
    """False for psychotherapy and substance-use counselling notes, which the gateway does not take in."""
    return sensitivity.NEVER not in labels_of(resource) | sensitivity.of(resource)


def coding_of(system: str, code: str) -> Json:
    """A Coding, with its display where we know it."""
    return {"system": system, "code": code, **({"display": DISPLAY[code]} if code in DISPLAY else {})}
