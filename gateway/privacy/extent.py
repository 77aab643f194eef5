"""How far a recipient's record reaches: its own stays, messages that moved the client, nobody's family, and no reference that leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from gateway.privacy import consent, labels, scrub
from gateway.privacy.consent import Verdict
from gateway.privacy.scrub import Withheld
from gateway.records.record import Course, Owned, PersonRecord, Source
from gateway.records.statements import Json

GUARDIANS = frozenset({"GUARD", "GRD", "POWATT", "HPOWATT", "DPOWATT", "SPOWATT"})
"""Relationships whose contact is the client's own: guardian and powers of attorney (v3-RoleCode, table 0063)."""
PARENTS = frozenset({"PRN", "PRNT", "MTH", "FTH", "NMTH", "NFTH", "ADOPTP", "FTHFOST", "MTHFOST", "PAR", "FOSTERPAR"})
"""They act for a minor."""
MOVEMENT = re.compile(r"\b(?:A0[1-7]|A1[0-7]|A2[1-7]|A3[38]|A5[23])\b|notification-|Encounter")
"""Events that say where the client is. Others may be about content that is withheld, and their very number would tell."""


def never_notes(record: PersonRecord) -> PersonRecord:
    """The record without psychotherapy and counselling notes."""
    lists = {name: tuple(one for one in getattr(record, name) if labels.taken_in(one.resource)) for name in ("documents", "care", "contacts")}
    stays = tuple(replace(stay, parts=tuple(part for part in stay.parts if labels.taken_in(part))) for stay in record.stays)
    return replace(record, stays=stays, **cast(Any, lists))


def patient(patient: Json) -> Json:
    """The Patient without the people around them: family contact is withheld by default."""
    contacts = [contact for contact in patient.get("contact", []) if _relations(contact) & GUARDIANS]
    return {key: value for key, value in {**patient, "contact": contacts}.items() if value != []}


def without_identifiers(record: PersonRecord, private: frozenset[tuple[str, str]]) -> PersonRecord:
    """The record without these identifiers of the client, and without Patients that were known by them alone."""
    if not private:
        return record
    retired = tuple(one for one in record.retired if _less(one, private).get("identifier"))
    gone = {f"Patient/{one['id']}" for one in record.retired} - {f"Patient/{one['id']}" for one in retired}
    patient = _less(record.patient, private)
    links = [link for link in patient.get("link", []) if link["other"].get("reference") not in gone]
    patient = {key: value for key, value in {**patient, "link": links}.items() if value != []}
    return replace(record, patient=patient, retired=tuple(_less(one, private) for one in retired))


def _less(patient: Json, private: frozenset[tuple[str, str]]) -> Json:
    kept = [one for one in patient.get("identifier", []) if (str(one.get("system", "")), str(one.get("value", ""))) not in private]
    return {key: value for key, value in {**patient, "identifier": kept}.items() if value != []}


def without_family(record: PersonRecord, as_of: datetime, said: Mapping[str, Verdict]) -> PersonRecord:
    """The record without relatives, also in teams that messages told of; the client's guardian, a minor's parents and those whom a consent names
    (`said`: RelatedPerson id -> its verdict) excepted."""
    allowed = GUARDIANS | PARENTS if _is_minor(record.patient, as_of) else GUARDIANS
    gone: set[str] = set()
    for part in (*record.related, *(part for stay in record.stays for part in stay.parts)):
        verdict = said.get(str(part.get("id")))
        if part["resourceType"] == "RelatedPerson" and verdict != "permit" and (verdict == "deny" or not _relations(part) & allowed):
            gone.add(f"RelatedPerson/{part['id']}")
    if not gone:
        return record
    stays = tuple(replace(stay, parts=_without(stay.parts, gone)) for stay in record.stays)
    return replace(record, related=_without(record.related, gone), stays=stays)


def _without(parts: tuple[Json, ...], gone: set[str]) -> tuple[Json, ...]:
    """Without these people, and without teams of them alone."""
    kept = []
    for part in parts:
        if part["resourceType"] == "CareTeam":
            members = [one for one in part.get("participant", []) if one.get("member", {}).get("reference") not in gone]
            if members:
                kept.append({**part, "participant": members})
        elif f"{part['resourceType']}/{part.get('id')}" not in gone:
            kept.append(part)
    return tuple(kept)


def _relations(resource: Json) -> set[str]:
    return {str(coding.get("code")) for concept in resource.get("relationship", []) for coding in concept.get("coding", [])}


def _is_minor(patient: Json, as_of: datetime) -> bool:
    born = consent.instant(patient.get("birthDate"))
    return born is not None and (as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day))) < 18


def consents(consents: tuple[Owned, ...], used: tuple[str, ...]) -> tuple[Owned, ...]:
    """The Consents that were used: any other would tell what it is about."""
    return tuple(owned for owned in consents if f"Consent/{owned.resource.get('id')}" in used)


def cut_sources(record: PersonRecord, whole: PersonRecord, protected: frozenset[str]) -> PersonRecord:
    """The messages that moved the client; none that told of a protected stay alone."""
    secret = {source.input for stay in whole.stays if stay.id in protected for source in stay.sources}
    stays = tuple(replace(stay, sources=_moves(stay.sources, secret), course=_cut_course(stay.course, secret)) for stay in record.stays)
    kept = {source.input for stay in stays for source in stay.sources}
    return replace(
        record,
        stays=stays,
        sources=tuple(source for source in record.sources if source.input in kept),
        death_sources=tuple(source for source in record.death_sources if source.input not in secret),
        uncertain_sources=tuple(source for source in record.uncertain_sources if source.input not in secret),
    )


def without_others_sources(record: PersonRecord, agency: str) -> PersonRecord:
    """The record with other agencies' bookings and calls told of by nobody: they count, and whose they are is not said."""

    def bare(one: Owned) -> Owned:
        return one if author(one) in ("", agency) else replace(one, sources=())

    return replace(record, appointments=tuple(bare(one) for one in record.appointments), contacts=tuple(bare(one) for one in record.contacts))


def author(owned: Owned) -> str:
    """The agency whose system wrote it; "" for a hospital's."""
    return str(owned.facts.get("booked_by") or owned.facts.get("agency") or "")


def _cut_course(course: Course, secret: set[int]) -> Course:
    """The course by the same messages: flags name them as evidence."""
    return replace(
        course,
        discharge_sources=_moves(course.discharge_sources, secret),
        expectation_sources=_moves(course.expectation_sources, secret),
    )


def _moves(sources: tuple[Source, ...], secret: set[int]) -> tuple[Source, ...]:
    mine = tuple(source for source in sources if source.input not in secret) or sources[:1]
    return tuple(source for source in mine if MOVEMENT.search(source.event)) or mine[:1]


def routed(record: PersonRecord, agency: str, stays: frozenset[str]) -> PersonRecord:
    """Only the stays routed to the agency, and no other agency's work."""
    kept = tuple(stay for stay in record.stays if stay.transition in stays)
    ids = {stay.id for stay in kept}

    def mine(owned: Owned) -> bool:
        return (owned.stay is None or owned.stay in ids) and author(owned) in ("", agency)

    lists = {
        name: tuple(owned for owned in getattr(record, name) if mine(owned))
        for name in ("appointments", "documents", "referrals", "care", "contacts", "observations", "claims")
    }
    return replace(record, stays=kept, decisions=(), **cast(Any, lists))


def resolved(record: PersonRecord) -> PersonRecord:
    """No reference to anything that is not in the record; shared resources only as far as something refers to them."""
    present = {f"{resource['resourceType']}/{resource['id']}" for resource in resources_of(replace(record, shared={}))}
    reachable = _reachable(record)
    known = present | reachable.keys()
    missing = Withheld(references=frozenset(name for resource in resources_of(record) for name in _local(resource)) - known)
    if not missing.references:
        return replace(record, shared=reachable)

    def mend(owned: Owned) -> Owned:
        return replace(owned, resource=scrub.unreferenced(owned.resource, missing))

    lists = {
        name: tuple(mend(owned) for owned in getattr(record, name))
        for name in ("appointments", "documents", "referrals", "care", "contacts", "consents", "observations")
    }
    return replace(
        record,
        **cast(Any, lists),
        patient=scrub.unreferenced(record.patient, missing),
        related=tuple(scrub.unreferenced(part, missing) for part in record.related),
        stays=tuple(
            replace(
                stay,
                encounter=scrub.unreferenced(stay.encounter, missing),
                parts=tuple(scrub.unreferenced(part, missing) for part in stay.parts),
            )
            for stay in record.stays
        ),
        shared={key: scrub.unreferenced(resource, missing) for key, resource in reachable.items()},
    )


CONFIGURED = frozenset({"Organization", "Device"})
"""Types that configuration may provide: an Organization that no record holds is an agency's."""


def _local(resource: Json) -> Iterable[str]:
    return (name for name in scrub.references(resource) if "/" in name and ":" not in name and name.split("/")[0] not in CONFIGURED)


def _reachable(record: PersonRecord) -> dict[str, Json]:
    found: dict[str, Json] = {}
    pending = [name for resource in resources_of(replace(record, shared={})) for name in scrub.references(resource)]
    while pending:
        name = pending.pop()
        if name in record.shared and name not in found:
            found[name] = record.shared[name]
            pending.extend(scrub.references(record.shared[name]))
    return dict(sorted(found.items()))


def resources_of(record: PersonRecord) -> list[Json]:
    """Every resource in a record that has an id."""
    owned = ("appointments", "documents", "referrals", "care", "contacts", "consents", "observations")
    return [
        record.patient,
        *record.retired,
        *record.related,
        *(resource for stay in record.stays for resource in (stay.encounter, *stay.parts)),
        *(one.resource for name in owned for one in getattr(record, name)),
        *record.shared.values(),
    ]
