"""A person's record without protected content: what an agency may have to which the client has not consented."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

from gateway.privacy import labels, scrub, self_harm, sensitivity
from gateway.privacy.scrub import Withheld
from gateway.records.record import Owned, PersonRecord, StayRecord
from gateway.records.statements import Json, StayFacts

PLACES = frozenset({"Practitioner", "PractitionerRole", "Location", "HealthcareService"})
"""Types of who and what belongs to a unit."""


def without_protected(record: PersonRecord, protected: frozenset[str]) -> PersonRecord:
    """The record less the `protected` stays (Encounter ids) and less substance-use content of the others."""
    open_stays = [stay for stay in record.stays if stay.id not in protected]
    withheld = Withheld.of(_hidden_references(record, protected, open_stays), _protected_names(record, protected, open_stays))
    attested = {stay.id for stay in open_stays if stay.facts.get("sud_attested", False)}
    touched = {stay.id for stay in open_stays if withheld.attesting(stay.id in attested).reveals(content_of(stay))}
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
        related=tuple(scrub.without_narrative(part) for part in record.related if not tells(part, withheld)),
        stays=tuple(_stay(stay, withheld.attesting(stay.id in attested), stay.id in touched) for stay in open_stays),
        documents=tuple(_plain(owned) for owned in record.documents if document_clear(owned)),
        claims=tuple(_said(owned, withheld) for owned in record.claims),
        decisions=tuple(_said(owned, withheld) for owned in record.decisions),
        uncertain="Other information about this person may belong to somebody else" if withheld.reveals(record.uncertain) else record.uncertain,
        shared={key: resource for key, resource in record.shared.items() if key not in withheld.references and not withheld.reveals(resource)},
    )


def content_of(stay: StayRecord) -> list[Any]:
    """What a stay says, less the hospital's name."""
    facts = {key: value for key, value in stay.facts.items() if key not in ("facility", "hospital")}
    return [{**stay.encounter, "serviceProvider": None}, [*stay.parts], facts]


def tells(resource: Json, withheld: Withheld) -> bool:
    """Whether a resource is labelled as protected or reveals."""
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
    parts = (self_harm.kept(plain(part), withheld) for part in stay.parts if part["resourceType"] != "DocumentReference" or not touched)
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
    return not attested and "42CFRPart2" in labels.labels_of(part) and part.get("code", {}).get("text") != self_harm.SELF_HARM["text"]


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
    return {**fact, **self_harm.SELF_HARM} if self_harm.is_self_harm(fact) else None


def _hidden_references(record: PersonRecord, protected: frozenset[str], open_stays: Iterable[StayRecord]) -> frozenset[str]:
    """Protected stays, what is in them, and who and what they refer to; the referring practitioner, who is nobody's staff there, excepted.

    Who works on an open stay too is named there: to leave a name out once the protected stay is known would tell of that stay.
    """
    said = (name for stay in open_stays for resource in (stay.encounter, *stay.parts) for name in scrub.references(resource))
    openly = {name for name in said if name.split("/")[0] in PLACES | {"Organization"}}
    found: set[str] = set()
    for stay in record.stays:
        if stay.id not in protected:
            continue
        found |= {f"Encounter/{stay.id}", *(f"{part['resourceType']}/{part['id']}" for part in stay.parts)}
        found |= {name for part in stay.parts for name in scrub.references(part) if name.split("/")[0] in PLACES}
        staff = {**stay.encounter, "participant": [one for one in stay.encounter.get("participant", []) if not _refers_only(one)]}
        found |= {name for name in scrub.references(staff) if name.split("/")[0] in PLACES}
        found |= {name for name in [stay.encounter.get("serviceProvider", {}).get("reference")] if name}
    found -= openly
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
