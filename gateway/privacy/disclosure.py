"""The disclosure filter: a person's record as one agency may have it.

What may not be disclosed does not exist for the recipient. The filter works on the record, before assessment and derivation, so that flags, tiers,
reasons, order and narratives computed from its result cannot reveal what it took out. Nothing is replaced by a mark.

Withheld from an agency without the client's consent: stays in 42 CFR Part 2 programs with all that belongs to them; substance-use content of other
stays, unless the source attests that it is not Part 2; the free text and documents of a stay from which anything had to be taken; names of Part 2
units, facilities and places, and the practitioners and locations that a Part 2 stay refers to. Always: psychotherapy and counselling notes, other
agencies' records, family members other than a guardian (policy: contact with family is withheld by default).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from gateway.privacy import consent, labels, notice, scrub, sensitivity
from gateway.privacy.scrub import Withheld
from gateway.records.record import Owned, PersonRecord, Source, StayRecord
from gateway.records.statements import Json, StayFacts

PROTECTED = frozenset({"42CFRPart2", "SUD"})
PURPOSE = "TREAT"
GUARDIANS = frozenset({"GUARD", "GRD", "POWATT", "HPOWATT", "DPOWATT", "SPOWATT"})
"""Relationships whose contact is the client's own: guardian and powers of attorney (v3-RoleCode, table 0063)."""
PARENTS = frozenset({"PRN", "PRNT", "MTH", "FTH", "NMTH", "NFTH", "ADOPTP", "FTHFOST", "MTHFOST", "PAR", "FOSTERPAR"})
"""They act for a minor."""
MOVEMENT = re.compile(r"\b(?:A0[1-7]|A1[0-7]|A2[1-7]|A3[38]|A5[23])\b|notification-|Encounter")
"""Events that say where the client is. Others may be about content that is withheld, and their very number would tell."""
PLACES = frozenset({"Practitioner", "PractitionerRole", "Location", "HealthcareService"})


@dataclass(frozen=True, slots=True)
class Disclosed:
    """A person's record as one agency may have it.

    `person` is what may be stored for and shown to the agency: only the stays that are routed to it. `basis` is what its view is assessed from:
    the same, with the unprotected facts of other stays and of other agencies' work, on which status and flags of its own transitions depend
    (a readmission elsewhere closes them). Nothing of `basis` that is not in `person` may be published.
    """

    person: PersonRecord
    basis: PersonRecord
    until: datetime | None  # when the answer may change by itself: a consent begins or ends
    by_consent: tuple[str, ...]  # the Consents that protected content in `person` was disclosed under


def disclose(person: PersonRecord, agency: str, stays: frozenset[str], as_of: datetime) -> Disclosed:
    """The record as `agency` (an Organization id) may have it; `stays` are the ids of the transitions that are routed to it."""
    decision = decide(person, agency, as_of)
    record = _never_notes(person)
    protected = frozenset(stay.id for stay in record.stays if is_part2(stay))
    if decision.permit:
        basis, under = _marked(record, decision.consents)
    else:
        basis, under = _withheld(record, protected), ()
    basis = replace(basis, related=_related(basis, as_of), patient=_patient(basis.patient), consents=_consents(basis.consents, under))
    basis = _resolved(_cut_sources(basis, person, protected if not decision.permit else frozenset()))
    published = _resolved(_routed(basis, agency, stays))
    return Disclosed(published, basis, decision.until, under if _holds_marked(published) else ())


def withheld_from(person: PersonRecord, stay: StayRecord, agencies: Iterable[str], as_of: datetime) -> frozenset[str]:
    """The agencies that may not know of a stay: for a Part 2 stay, every one that the client's consents do not name."""
    if not is_part2(stay):
        return frozenset()
    return frozenset(agency for agency in agencies if not decide(person, agency, as_of).permit)


def decide(person: PersonRecord, agency: str, as_of: datetime) -> consent.Decision:
    """Whether the person's consents permit Part 2 content for this agency's treatment purpose."""
    return consent.permits((owned.resource for owned in person.consents), agency, PROTECTED, PURPOSE, as_of)


def is_part2(stay: StayRecord) -> bool:
    """A stay in a Part 2 program: by its feed, or because its sender labelled the Encounter so for no substance-use content that we can see."""
    labelled = "42CFRPart2" in labels.labels_of(stay.encounter)
    return stay.part2 or stay.facts.get("part2", False) or (labelled and not sensitivity.about_substance_use(stay.encounter))


# what a person's record is without protected content


def _withheld(record: PersonRecord, protected: frozenset[str]) -> PersonRecord:
    open_stays = [stay for stay in record.stays if stay.id not in protected]
    withheld = Withheld.of(_hidden_references(record, protected, open_stays), _protected_names(record, protected, open_stays))
    attested = {stay.id for stay in open_stays if stay.facts.get("sud_attested", False)}
    touched = {stay.id for stay in open_stays if withheld.attesting(stay.id in attested).reveals(_content(stay))}
    anything = bool(protected or touched)

    def clear(owned: Owned) -> bool:
        mine = withheld.attesting(owned.stay in attested)
        labelled = "42CFRPart2" in labels.labels_of(owned.resource)
        return not (owned.part2 or owned.stay in protected or labelled or mine.reveals([owned.resource, dict(owned.facts)]))

    def document_clear(owned: Owned) -> bool:
        unparsed_may_tell = owned.stay in touched or (owned.stay is None and anything)
        return clear(owned) and not unparsed_may_tell

    lists: dict[str, tuple[Owned, ...]] = {
        name: tuple(_plain(owned) for owned in getattr(record, name) if clear(owned))
        for name in ("appointments", "referrals", "care", "contacts", "observations")
    }
    return replace(
        record,
        **cast(Any, lists),
        patient=_cleared(record.patient, withheld),
        retired=tuple(_cleared(patient, withheld) for patient in record.retired),
        related=tuple(scrub.without_narrative(part) for part in record.related if not _tells(part, withheld)),
        stays=tuple(_stay(stay, withheld.attesting(stay.id in attested), stay.id in touched) for stay in open_stays),
        documents=tuple(_plain(owned) for owned in record.documents if document_clear(owned)),
        claims=tuple(_said(owned, withheld) for owned in record.claims),
        decisions=tuple(_said(owned, withheld) for owned in record.decisions),
        uncertain="Other information about this person may belong to somebody else" if withheld.reveals(record.uncertain) else record.uncertain,
        shared={key: resource for key, resource in record.shared.items() if key not in withheld.references and not withheld.reveals(resource)},
    )


def _content(stay: StayRecord) -> list[Any]:
    facts = {key: value for key, value in stay.facts.items() if key not in ("facility", "hospital")}
    return [{**stay.encounter, "serviceProvider": None}, [*stay.parts], facts]


def _tells(resource: Json, withheld: Withheld) -> bool:
    return "42CFRPart2" in labels.labels_of(resource) or withheld.reveals(resource)


def _cleared(resource: Json, withheld: Withheld) -> Json:
    return scrub.relabelled(scrub.pruned(scrub.without_narrative(resource), withheld), False, None, False)


def _plain(owned: Owned) -> Owned:
    return replace(owned, resource=scrub.without_narrative(owned.resource))


def _said(owned: Owned, withheld: Withheld) -> Owned:
    """A claim or decision: what it decided stays, words that reveal go."""
    facts = {key: "" if isinstance(value, str) and withheld.reveals(value) else value for key, value in owned.facts.items()}
    return replace(owned, facts=facts, resource=scrub.without(owned.resource, withheld) or {})


def _stay(stay: StayRecord, withheld: Withheld, touched: bool) -> StayRecord:
    attested = not withheld.substance_use
    psychiatric = "psychiatric" in (stay.facts.get("unit_kind"), stay.facts.get("service_kind"))
    plain = scrub.without_free_text if touched else scrub.without_narrative
    parts = (_self_harm_kept(plain(part), withheld) for part in stay.parts if part["resourceType"] != "DocumentReference" or not touched)
    told = tuple(part for part in parts if not withheld.reveals(part) and not (part is not None and _labelled_by_sender(part, attested)))
    gone = {f"{part['resourceType']}/{part['id']}" for part in stay.parts} - {f"{part['resourceType']}/{part['id']}" for part in told}
    pruned = scrub.pruned(plain(stay.encounter), withheld.without(gone))
    pruned.setdefault("type", [{"text": "Hospital stay"}])
    course = replace(
        stay.course,
        uncertain="It is not certain that all of this is one stay" if withheld.reveals(stay.course.uncertain) else stay.course.uncertain,
        whereabouts=tuple(
            replace(
                where,
                unit="" if withheld.reveals(where.unit) else where.unit,
                service="" if withheld.reveals(where.service) else where.service,
            )
            for where in stay.course.whereabouts
        ),
    )
    return replace(
        stay,
        encounter=scrub.relabelled(pruned, attested, stay.facts.get("confidentiality"), psychiatric),
        parts=tuple(scrub.unreferenced(part, withheld.without(gone)) for part in told),
        facts=_facts(stay.facts, withheld),
        course=course,
    )


def _labelled_by_sender(part: Json, attested: bool) -> bool:
    return not attested and "42CFRPart2" in labels.labels_of(part) and part.get("code", {}).get("text") != SELF_HARM["text"]


SELF_HARM = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "X83.8XXA", "text": "Intentional self-harm"}
"""What is said of intentional self-harm when its means would tell of substance use: true, less precise, and it must not be lost."""
_INTENTIONAL = re.compile(r"T(?:3[6-9]|4\d|5\d|6[0-5])[0-9A-Z]{3}2|T71[0-9A-Z]{2}2|T1491|X7[1-9]|X8[0-3]")


def _is_self_harm(value: Any) -> bool:
    return any(_INTENTIONAL.match(code.replace(".", "").upper()) for _, code in sensitivity.codings(value))


def _self_harm_kept(part: Json, withheld: Withheld) -> Json:
    if part["resourceType"] != "Condition" or not _is_self_harm(part.get("code")) or not withheld.reveals(part):
        return part
    coded = {"coding": [{"system": SELF_HARM["system"], "code": SELF_HARM["code"]}], "text": SELF_HARM["text"]}
    bare = {key: value for key, value in scrub.without_free_text(part).items() if key not in ("evidence", "identifier", "extension")}
    return scrub.relabelled({**bare, "code": coded}, False, None, False)


def _facts(facts: StayFacts, withheld: Withheld) -> StayFacts:
    """What is known of a stay, less every value that reveals. The hospital keeps a name, since people have to be told where from."""
    kept: dict[str, Any] = {}
    for key, value in facts.items():
        if key == "diagnoses":
            kept[key] = [said for said in (_diagnosis(fact, withheld) for fact in cast(list[Any], value or [])) if said]
        elif key == "disposition" and isinstance(value, Mapping):
            kept[key] = {part: "" if withheld.reveals(text) else text for part, text in value.items()}
        elif key == "reason":
            kept[key] = _diagnosis(value, withheld) if value else value
        elif key in ("hospital", "facility"):
            kept[key] = "Hospital" if withheld.reveals(value) else value
        elif not withheld.reveals(value):
            kept[key] = value
    return cast(StayFacts, kept)


def _diagnosis(fact: Any, withheld: Withheld) -> Any:
    if not withheld.reveals(fact):
        return fact
    return {**fact, **SELF_HARM} if _is_self_harm(fact) else None


def _hidden_references(record: PersonRecord, protected: frozenset[str], open_stays: Iterable[StayRecord]) -> frozenset[str]:
    """Protected stays, what is in them, and who and what they refer to; the referring practitioner, who is nobody's staff there, excepted."""
    found: set[str] = set()
    for stay in record.stays:
        if stay.id not in protected:
            continue
        found |= {f"Encounter/{stay.id}", *(f"{part['resourceType']}/{part['id']}" for part in stay.parts)}
        found |= {name for part in stay.parts for name in scrub.references(part) if name.split("/")[0] in PLACES}
        staff = {**stay.encounter, "participant": [one for one in stay.encounter.get("participant", []) if not _refers_only(one)]}
        found |= {name for name in scrub.references(staff) if name.split("/")[0] in PLACES}
        provider = stay.encounter.get("serviceProvider", {}).get("reference")
        if provider and provider not in {other.encounter.get("serviceProvider", {}).get("reference") for other in open_stays}:
            found.add(provider)
    owned = (one for name in ("appointments", "documents", "referrals", "care", "contacts", "observations") for one in getattr(record, name))
    found |= {f"{one.resource['resourceType']}/{one.resource.get('id', '')}" for one in owned if one.part2 or one.stay in protected}
    found |= {key for key, resource in record.shared.items() if sensitivity.about_substance_use(resource)}
    return frozenset(found)


def _refers_only(participant: Json) -> bool:
    codes = {coding.get("code") for kind in participant.get("type", []) for coding in kind.get("coding", [])}
    return bool(codes) and codes <= {"REF", "referrer"}


def _protected_names(record: PersonRecord, protected: frozenset[str], open_stays: Iterable[StayRecord]) -> frozenset[str]:
    """Units, services, facilities and places of protected stays, less what a stay that may be shown is called by too."""
    open_names = {str(stay.facts.get(key) or "").casefold() for stay in open_stays for key in ("hospital", "facility")}
    found: set[str] = set()
    for stay in record.stays:
        if stay.id in protected:
            found |= {str(stay.facts.get(key) or "") for key in ("unit", "hospital", "facility")}
            found |= {where.unit for where in stay.course.whereabouts}
            found |= {source.sender for source in stay.sources}
            places = [one.get("location", {}) for one in stay.encounter.get("location", [])]
            places += [stay.encounter.get("serviceProvider", {})]
            found |= {str(place.get("display") or "") for place in places}
            found |= {str(record.shared.get(str(place.get("reference")), {}).get("name") or "") for place in places}
    open_names |= {source.sender.casefold() for stay in open_stays for source in stay.sources}
    open_names |= {
        str(record.shared.get(stay.encounter.get("serviceProvider", {}).get("reference", ""), {}).get("name") or "").casefold() for stay in open_stays
    }
    return frozenset(name for name in found if name.casefold() not in open_names)


# what a person's record is with consent


def _marked(record: PersonRecord, consents: tuple[str, ...]) -> tuple[PersonRecord, tuple[str, ...]]:
    """Everything, with the notice on whatever would have been withheld without the consent."""
    withheld = Withheld.of((), ())

    def mark(resource: Json, whole: bool) -> Json:
        plain = scrub.without_narrative(resource)
        return notice.marked(plain, consents) if whole or _tells(plain, withheld) else plain

    def owned(one: Owned, special: frozenset[str]) -> Owned:
        return replace(one, resource=mark(one.resource, one.part2 or one.stay in special))

    special = frozenset(
        stay.id for stay in record.stays if is_part2(stay) or (withheld.reveals(_content(stay)) and not stay.facts.get("sud_attested", False))
    )
    lists = {
        name: tuple(owned(one, special) for one in getattr(record, name))
        for name in ("appointments", "documents", "referrals", "care", "contacts", "observations")
    }
    stays = tuple(
        replace(stay, encounter=mark(stay.encounter, stay.id in special), parts=tuple(mark(part, stay.id in special) for part in stay.parts))
        for stay in record.stays
    )
    return replace(
        record,
        **cast(Any, lists),
        stays=stays,
        related=tuple(mark(part, False) for part in record.related),
        patient=scrub.without_narrative(record.patient),
    ), consents


def _holds_marked(record: PersonRecord) -> bool:
    return any(notice.MARK in labels.labels_of(resource) for resource in resources_of(record))


# what is never passed on, and what every answer is


def _never_notes(record: PersonRecord) -> PersonRecord:
    lists = {name: tuple(one for one in getattr(record, name) if labels.taken_in(one.resource)) for name in ("documents", "care", "contacts")}
    stays = tuple(replace(stay, parts=tuple(part for part in stay.parts if labels.taken_in(part))) for stay in record.stays)
    return replace(record, stays=stays, **cast(Any, lists))


def _patient(patient: Json) -> Json:
    """The Patient without the people around them: family contact is withheld by default."""
    contacts = [contact for contact in patient.get("contact", []) if _relations(contact) & GUARDIANS]
    return {key: value for key, value in {**patient, "contact": contacts}.items() if value != []}


def _related(record: PersonRecord, as_of: datetime) -> tuple[Json, ...]:
    allowed = GUARDIANS | PARENTS if _is_minor(record.patient, as_of) else GUARDIANS
    return tuple(part for part in record.related if part["resourceType"] != "RelatedPerson" or _relations(part) & allowed)


def _relations(resource: Json) -> set[str]:
    return {str(coding.get("code")) for concept in resource.get("relationship", []) for coding in concept.get("coding", [])}


def _is_minor(patient: Json, as_of: datetime) -> bool:
    born = consent.instant(patient.get("birthDate"))
    return born is not None and (as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day))) < 18


def _consents(consents: tuple[Owned, ...], used: tuple[str, ...]) -> tuple[Owned, ...]:
    return tuple(owned for owned in consents if f"Consent/{owned.resource.get('id')}" in used)


def _cut_sources(record: PersonRecord, whole: PersonRecord, protected: frozenset[str]) -> PersonRecord:
    """The messages that moved the client; none that told of a protected stay alone."""
    secret = {source.input for stay in whole.stays if stay.id in protected for source in stay.sources}
    stays = tuple(replace(stay, sources=_moves(stay.sources, secret)) for stay in record.stays)
    kept = {source.input for stay in stays for source in stay.sources}
    return replace(
        record,
        stays=stays,
        sources=tuple(source for source in record.sources if source.input in kept),
        death_sources=tuple(source for source in record.death_sources if source.input not in secret),
        uncertain_sources=tuple(source for source in record.uncertain_sources if source.input not in secret),
    )


def _moves(sources: tuple[Source, ...], secret: set[int]) -> tuple[Source, ...]:
    mine = tuple(source for source in sources if source.input not in secret) or sources[:1]
    return tuple(source for source in mine if MOVEMENT.search(source.event)) or mine[:1]


def _routed(record: PersonRecord, agency: str, stays: frozenset[str]) -> PersonRecord:
    """Only the stays routed to the agency, and no other agency's work."""
    kept = tuple(stay for stay in record.stays if stay.transition in stays)
    ids = {stay.id for stay in kept}

    def mine(owned: Owned) -> bool:
        author = str(owned.facts.get("booked_by") or owned.facts.get("agency") or "")
        return (owned.stay is None or owned.stay in ids) and author in ("", agency)

    lists = {
        name: tuple(owned for owned in getattr(record, name) if mine(owned))
        for name in ("appointments", "documents", "referrals", "care", "contacts", "observations", "claims")
    }
    return replace(record, stays=kept, decisions=(), **cast(Any, lists))


def _resolved(record: PersonRecord) -> PersonRecord:
    """No reference to anything that is not in the record; shared resources only as far as something refers to them."""
    present = {f"{resource['resourceType']}/{resource['id']}" for resource in resources_of(replace(record, shared={}))}
    reachable = _reachable(record)
    known = present | reachable.keys()
    missing = Withheld(references=frozenset(name for resource in resources_of(record) for name in _local(resource)) - known)

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
