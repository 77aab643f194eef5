"""Step 3 of the journey: statements -> records. Pure.

`reconcile` is given every statement of a partition, in any order, and returns the people in it, whole. The same statements always give the
same records: order of arrival cannot matter, because it is not among what is given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from gateway.fhir.references import place
from gateway.fhir.required import complete
from gateway.records.attendance import former_practitioners
from gateway.records.course import Stay
from gateway.records.identity import people
from gateway.records.order import Entry, Said, in_order
from gateway.records.overlay import at, overlay, parts
from gateway.records.people import Person
from gateway.records.placing import diagnoses, placed
from gateway.records.record import Owned, PersonRecord, Source, StayRecord
from gateway.records.statements import Fragment, Identify, Json
from gateway.records.stays import fold_stays
from gateway.records.times import instant, iso

TYPE_OF = {
    "appointment": "Appointment",
    "document": "DocumentReference",
    "referral": "ServiceRequest",
    "care": "",
    "contact": "Communication",
    "consent": "Consent",
    "claim": "Task",
    "decision": "Basic",
}
_ENCOUNTER_STATUS = {
    "planned": "planned",
    "in-hospital": "in-progress",
    "on-leave": "onleave",
    "discharged": "finished",
    "admission-cancelled": "cancelled",
    "entered-in-error": "entered-in-error",
}

_TAKEN: Json = {"system": "urn:care-transition-gateway:tag", "code": "stay-inferred", "display": "Some of it was told without a visit number"}
"""Marks an Encounter of whose messages some were taken for this stay by its times, or as the only one that fits."""
_NO_NAME: Json = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
"""US Core (us-core-6) wants a name in parts, or this."""


def reconcile(entries: list[Entry], identify: Identify) -> tuple[PersonRecord, ...]:
    """The people of a partition, in the order of their primary keys."""
    said = in_order([entry for entry in entries if not entry.translation.heading.test])
    shared = _shared(entries)
    owned = _by_subject(said)
    found = people(said, identify)
    return tuple(_record(person, owned, shared, identify) for person in sorted(found, key=lambda each: each.primary))


def _shared(entries: list[Entry]) -> dict[str, Json]:
    """The newest word of these senders on each Practitioner, Organization and Location they name."""
    newest: dict[str, tuple[tuple[int, int, str], Json]] = {}
    for entry in entries:
        heading = entry.translation.heading
        rank = (heading.recorded, heading.message_time, entry.digest)
        for each in entry.translation.shared:
            name = f"{each.resource['resourceType']}/{each.resource['id']}"
            if name not in newest or newest[name][0] <= rank:
                newest[name] = (rank, each.resource)
    return {name: resource for name, (_, resource) in sorted(newest.items())}


def _by_subject(said: list[Said]) -> dict[str, list[Said]]:
    """Statements about appointments, documents and the like, by the subject's connected keys (named after its first)."""
    where: dict[str, list[Said]] = {}
    groups: list[list[Said]] = []
    for each in said:
        if each.statement.kind not in TYPE_OF:
            continue
        keys = [f"{each.statement.kind}|{key}" for key in each.statement.keys]
        known = list({id(where[key]): where[key] for key in keys if key in where}.values())
        group = known[0] if known else []
        if not known:
            groups.append(group)
        for other in known[1:]:
            group.extend(other)
            groups = [one for one in groups if one is not other]
            for key, value in where.items():
                if value is other:
                    where[key] = group
        group.append(each)
        for key in keys:
            where[key] = group
    for group in groups:
        group.sort(key=lambda one: one.key)
    return {f"{group[0].statement.kind}|{group[0].statement.keys[0]}": group for group in groups}


def _record(person: Person, owned: dict[str, list[Said]], shared: dict[str, Json], identify: Identify) -> PersonRecord:
    patient_id = identify("Patient", person.primary)
    reference = f"Patient/{patient_id}"
    about = [each for each in person.said if each.statement.kind == "person"]
    folded = fold_stays(person.said)
    folded += [stay for key, stay in sorted(person.left.items()) if all(key != one.key for one in folded)]
    stays = tuple(_stay(stay, reference, identify) for stay in folded)
    mine = {each.key for each in person.said} if owned else set()
    names = {alias: one for stay, one in zip(folded, stays, strict=True) for alias in stay.aliases} if owned else {}
    groups: dict[str, list[Owned]] = defaultdict(list)
    for name, group in owned.items():
        if any(each.key in mine for each in group):
            kind = group[0].statement.kind
            groups[kind].extend(_owned(name, group, reference, stays, names, identify))
    return PersonRecord(
        id=patient_id,
        patient=_patient(about, person, patient_id, identify),
        retired=tuple(_retired(key, reference, identify) for key in sorted(person.retired) if key != person.primary),
        related=tuple(placed([*_standing(about), *_former(about)], person.primary, reference, None, identify)),
        stays=stays,
        appointments=tuple(groups["appointment"]),
        documents=tuple(groups["document"]),
        referrals=tuple(groups["referral"]),
        care=tuple(groups["care"]),
        contacts=tuple(groups["contact"]),
        consents=tuple(groups["consent"]),
        claims=tuple(groups["claim"]),
        decisions=tuple(groups["decision"]),
        sources=_sources(person.said),
        death_sources=_told_of_death(about),
        uncertain=person.uncertain,
        uncertain_since=person.uncertain_since,
        uncertain_sources=tuple(person.uncertain_sources),
        shared=shared,
    )


def _patient(about: list[Said], person: Person, patient_id: str, identify: Identify) -> Json:
    """The Patient: elements as last stated; identifiers as each sender last listed them, those of merged people marked old."""
    patient = overlay(about)
    lists: dict[str, tuple[list[Json], bool]] = {}
    for each in about:
        listed = (each.statement.own or {}).get("identifier")
        if listed:
            retired = bool(person.retired) and not any(key == person.primary for key in each.statement.person)
            old = retired and each.statement.person[0] in person.retired
            lists[f"{each.heading.sender}|{'old' if old else ''}"] = (listed, old)
    seen: dict[tuple[str, str], Json] = {}
    for listed, old in sorted(lists.values(), key=lambda one: one[1]):
        for identifier in listed:
            name = (str(identifier.get("system", "")), str(identifier.get("value", "")))
            if name not in seen:
                seen[name] = {**identifier, "use": "old"} if old else identifier
    patient = {"resourceType": "Patient", "id": patient_id, **{name: value for name, value in patient.items() if name not in ("resourceType", "id")}}
    if seen:
        patient["identifier"] = list(seen.values())
    else:
        patient["identifier"] = [_by_key(key) for key in (person.emptied and person.keys) or (person.primary,)]
    if _deleted(about):
        patient["active"] = False
    patient = complete(patient)
    links = [
        {"other": {"reference": f"Patient/{identify('Patient', key)}"}, "type": "replaces"} for key in sorted(person.retired) if key != person.primary
    ]
    if links:
        patient["link"] = links
    return patient


def _told_of_death(about: list[Said]) -> tuple[Source, ...]:
    """Who said that the person has died, oldest first, since somebody last said otherwise (PID-30 is N in most messages)."""
    found: list[Source] = []
    for each in about:
        own = each.statement.own or {}
        if own.get("deceasedBoolean") or "deceasedDateTime" in own:
            found.append(each.source)
        elif "deceasedBoolean" in own or any(name.startswith("deceased") for name in each.statement.deletes):
            found.clear()
    return tuple(found)


def _by_key(key: str) -> Json:
    """The identifier of somebody who was given none: the key under which they are known here. US Core has no Patient without one."""
    system, _, value = key.partition("|")
    return {"system": system, "value": value}


def _deleted(about: list[Said]) -> bool:
    """Whether the last word is that the record is to be deleted: A29 of a person, DELETE of what somebody keeps here."""
    return bool(about) and about[-1].statement.facts.get("effect") == "delete"


def _retired(key: str, survivor: str, identify: Identify) -> Json:
    """The Patient that gave way in a merge: it stays, inactive, and says who it is now."""
    system, _, value = key.partition("|")
    return {
        "resourceType": "Patient",
        "id": identify("Patient", key),
        "active": False,
        "identifier": [{"use": "old", "system": system, "value": value}],
        "name": [{"text": "Merged record", "extension": [_NO_NAME]}],
        "gender": "unknown",
        "link": [{"other": {"reference": survivor}, "type": "replaced-by"}],
    }


def _stay(stay: Stay, patient: str, identify: Identify) -> StayRecord:
    encounter_id = identify("Encounter", stay.key)
    course = stay.course()
    encounter: Json = {"resourceType": "Encounter", "id": encounter_id, **overlay(stay.said)}
    encounter["id"] = encounter_id
    encounter["status"] = _ENCOUNTER_STATUS[stay.state]
    encounter["subject"] = {"reference": patient}
    facts: dict[str, Any] = {**stay.facts, "admitted": _when(stay, "admitted", stay.admitted)}
    if course.discharged is not None:
        facts["discharged"] = _when(stay, "discharged", course.discharged)
    period = {name: value for name, value in (("start", facts["admitted"]), ("end", facts.get("discharged"))) if value}
    if stay.admitted is not None and course.discharged is not None and course.discharged < stay.admitted:
        period.pop("end", None)  # a Period does not end before it starts (FHIR per-1); the discharge stands in the facts
    ahead = encounter.pop("period", None)
    if period:
        encounter["period"] = period
    elif ahead and stay.state == "planned":
        encounter["period"] = ahead
    if stay.state != "discharged" and "dischargeDisposition" in encounter.get("hospitalization", {}):
        rest = {name: value for name, value in encounter["hospitalization"].items() if name != "dischargeDisposition"}
        encounter["hospitalization"] = rest
        if not rest:
            del encounter["hospitalization"]
    own = f"Encounter/{encounter_id}"
    fragments = [] if stay.left else _standing(stay.said)
    pieces = tuple(placed(fragments, stay.key, patient, own, identify))
    _know_diagnoses(facts, pieces)
    encounter.pop("diagnosis", None)
    if linked := diagnoses(fragments, stay.key, identify):
        encounter["diagnosis"] = linked
    if stay.state == "discharged" and "location" in encounter:
        encounter["location"] = [{**each, "status": "completed"} if each.get("status") == "active" else each for each in encounter["location"]]
    sources = _sources(stay.said)
    if any(one.taken for one in sources):
        meta = encounter.get("meta", {})
        encounter["meta"] = {**meta, "tag": [*meta.get("tag", ()), _TAKEN]}
    encounter = complete(encounter)
    return StayRecord(
        id=encounter_id,
        transition=identify("Transition", stay.key),
        key=stay.key,
        encounter=encounter,
        parts=pieces,
        facts=facts,  # type: ignore[arg-type]  # a TypedDict built name by name
        sources=sources,
        part2=bool(stay.facts.get("part2")),
        course=course,
    )


def _know_diagnoses(facts: dict[str, Any], pieces: tuple[Json, ...]) -> None:
    """Diagnoses that came as Conditions of their own are diagnoses of the stay as well."""
    known = [*facts.get("diagnoses", [])]
    for piece in pieces:
        concept = piece.get("code") or {}
        if piece["resourceType"] != "Condition" or _refuted(piece):
            continue
        coding = next(iter(concept.get("coding") or [{}]))
        code, text = str(coding.get("code") or ""), str(concept.get("text") or coding.get("display") or "")
        if not any((code and each.get("code") == code) or (not code and each.get("text") == text) for each in known):
            known.append({"system": str(coding.get("system") or ""), "code": code, "text": text, "principal": False})
    if known:
        facts["diagnoses"] = known


def _refuted(condition: Json) -> bool:
    status = {str(each.get("code")) for each in (condition.get("verificationStatus") or {}).get("coding", [])}
    return bool(status & {"refuted", "entered-in-error"})


def _when(stay: Stay, fact: str, at: int | None) -> str | None:
    """The time as its sender wrote it, where it was written; else the instant in the facility's zone."""
    if at is None:
        return None
    zone = str(stay.facts.get("zone") or "UTC")
    for each in reversed(stay.said):
        for name in (fact, "event_at"):
            value = each.statement.facts.get(name)
            if isinstance(value, str) and instant(value, zone) == at:
                return value
    return iso(at, zone)


def _former(about: list[Said]) -> list[Fragment]:
    return former_practitioners((each.statement.own, each.statement.deletes, at(each)) for each in about)


def _standing(said: list[Said]) -> list[Fragment]:
    return [fragment for _, fragment in parts(said)]


def _owned(
    name: str, group: list[Said], patient: str, stays: tuple[StayRecord, ...], names: Mapping[str, StayRecord], identify: Identify
) -> list[Owned]:
    """One subject beside the stays: its resource as folded, or for claims and decisions each statement by itself. `names`: all names of stays."""
    kind = group[0].statement.kind
    if kind in ("claim", "decision"):
        return [Owned(dict(each.statement.own or {}), (each.source,), dict(each.statement.facts)) for each in group]
    if _deleted(group):
        return []
    resource = overlay(group)
    facts: dict[str, object] = {}
    for each in group:
        facts.update(each.statement.facts)
    facts["first_recorded"] = group[0].recorded
    facts["recorded"] = group[-1].recorded
    facts["moved"] = _moved(group)
    resource_type = str(resource.get("resourceType") or TYPE_OF[kind])
    resource = complete({**resource, "resourceType": resource_type, "id": identify(resource_type, name.partition("|")[2])})
    stay = next((each for each in stays if _names(facts, each)), None) or names.get(str(facts.get("stay_key", "")))
    placed = place(resource, patient, f"Encounter/{stay.id}" if stay else None)
    return [Owned(placed, _sources(group), facts, stay.id if stay else None, bool(facts.get("part2") or (stay and stay.part2)))]


def _moved(group: list[Said]) -> int | None:
    """When an appointment's start was last changed; None if never."""
    start, moved = None, None
    for each in group:
        said = (each.statement.own or {}).get("start")
        if said is not None and start is not None and said != start:
            moved = each.recorded
        start = said or start
    return moved


def _names(facts: dict[str, object], stay: StayRecord) -> bool:
    """Whether an appointment or the like says that it belongs to this stay: by our id, or by the encounter's first key."""
    return facts.get("encounter") == f"Encounter/{stay.id}" or ("stay_key" in facts and stay.key.startswith(f"{facts['stay_key']}|"))


def _sources(said: list[Said]) -> tuple[Source, ...]:
    return tuple({each.source.input: each.source for each in said}.values())
