"""Records -> the values that `transitions` assesses: Stay, FollowUp, Contact. Pure.

Nothing is decided here: whether a stay is psychiatric, an appointment is follow-up or a flag is raised is said by `transitions` alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from operator import itemgetter
from typing import Any, cast

from gateway.mappings.evidence import codes, evidence, moment_or_none
from gateway.records.record import PersonRecord, Source, StayRecord, TakenBack, Whereabouts
from gateway.records.statements import Json
from gateway.records.times import instant, moment
from transitions import model
from transitions.closing import INPATIENT
from transitions.dispositions import by_code
from transitions.policy import Agency


def client(person: PersonRecord) -> model.Client:
    """The person as routing and assessment need them."""
    patient = person.patient
    address: Json = next(iter(patient.get("address") or []), {})
    deceased, died, death = _death(person)
    language = next((_text(each.get("language")) for each in patient.get("communication") or []), "")
    return model.Client(
        id=person.id,
        name=name(patient),
        birth_date=_birth_date(patient.get("birthDate")),
        postal_code=str(address.get("postalCode") or ""),
        county=str(address.get("district") or ""),
        language=language,
        payers=tuple(_display(each) for part in _all_parts(person) if part["resourceType"] == "Coverage" for each in part.get("payor") or []),
        deceased=deceased,
        died=moment(died) if died is not None else None,
        death_evidence=evidence(death),
        identity_uncertain=evidence(person.uncertain_sources, person.uncertain) if person.uncertain else (),
        identity_uncertain_since=moment(person.uncertain_since) if person.uncertain_since is not None else None,
    )


def _death(person: PersonRecord) -> tuple[bool, int | None, tuple[Source, ...]]:
    """Whether the client has died, when, and who says so: any feed (PID-29, PID-30), or the disposition of any stay.

    Without a time it is taken to have been when it was first said.
    """
    patient = person.patient
    if patient.get("deceasedBoolean") or "deceasedDateTime" in patient:
        at = instant(patient.get("deceasedDateTime"))
        return True, at if at is not None or not person.death_sources else person.death_sources[0].recorded, person.death_sources[:1]
    ended = [each.course for each in person.stays if _fate(each) == "died"]
    found = [(max(each.discharged or 0, each.disposition_recorded or 0), each.discharge_sources) for each in ended]
    return (True, *min(found, key=itemgetter(0))) if found else (False, None, ())


def _fate(record: StayRecord) -> str:
    """What the disposition of a stay means, "" while it lasts."""
    return by_code(str((record.facts.get("disposition") or {}).get("code") or "")).fate if record.course.state == "discharged" else ""


def name(patient: Json) -> str:
    """The name for people: text, else given and family names."""
    names = patient.get("name") or [{}]
    chosen = next((each for each in names if each.get("use") in ("official", "usual")), names[0])
    return str(chosen.get("text") or " ".join([*chosen.get("given", []), chosen.get("family", "")]).strip())


def stay(
    person: PersonRecord,
    record: StayRecord,
    who: model.Client,
    visits: tuple[model.Visit, ...],
    withheld: frozenset[str],
    agencies: Iterable[Agency] = (),
) -> model.Stay:
    """One stay with everything around it, follow-ups and contacts apart; `agencies` are those that a referral may name."""
    facts, course = record.facts, record.course
    zone = str(facts.get("zone") or "UTC")
    disposition = facts.get("disposition")
    return model.Stay(
        id=record.id,
        transition=record.transition,
        client=who,
        hospital=str(facts.get("hospital") or facts.get("facility") or ""),
        zone=zone,
        state=cast(Any, course.state),
        first_seen=moment(course.first_seen, zone),
        admitted=moment_or_none(course.admitted, zone),
        discharged=moment_or_none(course.discharged, zone),
        discharge_recorded=moment_or_none(course.discharge_recorded, zone),
        disposition_recorded=moment_or_none(course.disposition_recorded, zone),
        discharge_cancelled=moment_or_none(course.discharge_cancelled, zone),
        error_recorded=moment_or_none(course.error_recorded, zone),
        expected_discharge=moment_or_none(course.expected_discharge, zone),
        pending_since=moment_or_none(course.pending_since, zone),
        expectation_recorded=moment_or_none(course.expectation_recorded, zone),
        expectation_withdrawn=moment_or_none(course.expectation_withdrawn, zone),
        taken_back=tuple(_taken_back(each, zone) for each in course.taken_back),
        ever_inpatient=course.ever_inpatient,
        ended_as_outpatient=course.ended_as_outpatient,
        placements=tuple(_placement(each, zone) for each in course.whereabouts),
        diagnoses=codes(facts.get("diagnoses") or []),
        reasons=codes([facts["reason"]] if facts.get("reason") else []),
        disposition=model.Code(text=disposition.get("text") or disposition.get("source") or "", code=disposition.get("code") or "")
        if disposition
        else None,
        other_visits=tuple(each for each in visits if each.id != record.id),
        observations=_observations(person, record, zone),
        claims=_claims(person, record, zone),
        decisions=_decisions(person, record, zone),
        referred_to=_referred_to(person, record, agencies),
        known_to=_known_to(person, record, agencies),
        withheld_from=withheld,
        evidence=evidence(record.sources),
        discharge_evidence=evidence(course.discharge_sources),
        expectation_evidence=evidence(course.expectation_sources),
        uncertain=(model.Evidence(course.uncertain),) if course.uncertain else (),
        uncertain_since=moment_or_none(course.uncertain_since, zone),
        tie=course.tie,
    )


def visit(record: StayRecord, psychiatric: model.Answer, tracked: bool) -> model.Visit:
    """Another stay, as far as it matters to this one."""
    zone = str(record.facts.get("zone") or "UTC")
    course = record.course
    visit_class = str(record.facts.get("visit_class") or "")
    if course.ever_inpatient and visit_class not in INPATIENT:
        visit_class = "IMP"  # an inpatient stay may end as something else: by A07, or by an A03 that carries O
    begun = course.admitted if course.admitted is not None else min(course.first_seen, course.discharged or course.first_seen)
    return model.Visit(
        id=record.id,
        visit_class="PRENC" if course.state == "planned" else visit_class,
        hospital=str(record.facts.get("hospital") or record.facts.get("facility") or ""),
        admitted=moment(begun, zone),
        discharged=moment_or_none(course.discharged, zone),
        cancelled=course.state in ("admission-cancelled", "entered-in-error"),
        psychiatric=psychiatric,
        tracked=tracked,
        diagnoses=codes(record.facts.get("diagnoses") or []),
        evidence=evidence(record.sources),
        discharge_cancelled=course.discharge_cancelled is not None,
        hospice=_fate(record) == "hospice",
    )


def _claims(person: PersonRecord, record: StayRecord, zone: str) -> tuple[model.Claim, ...]:
    return tuple(
        model.Claim(
            task=str(each.facts.get("task") or ""),
            agency=str(each.facts.get("agency") or ""),
            status=str(each.facts.get("status") or ""),
            at=moment(each.sources[0].recorded, zone),
            reason=str(each.facts.get("reason") or ""),
            business_status=str(each.facts.get("business_status") or ""),
            number=int(cast(int, each.facts.get("number") or 0)),
            evidence=evidence(each.sources),
        )
        for each in person.claims
        if each.facts.get("transition") == record.transition
    )


def _decisions(person: PersonRecord, record: StayRecord, zone: str) -> tuple[model.Decision, ...]:
    return tuple(
        model.Decision(
            what=str(each.facts.get("what") or ""),
            value=str(each.facts.get("value") or ""),
            at=moment(each.sources[0].recorded, zone),
            by=str(each.facts.get("by") or ""),
            about=str(each.facts.get("about") or ""),
            reason=str(each.facts.get("reason") or ""),
        )
        for each in person.decisions
        if each.facts.get("transition") == record.transition
    )


def _observations(person: PersonRecord, record: StayRecord, zone: str) -> tuple[model.Observation, ...]:
    found = []
    for resource in [*record.parts, *(each.resource for each in person.observations)]:
        if resource["resourceType"] != "Observation":
            continue
        coding: Json = next(iter((resource.get("code") or {}).get("coding") or []), {})
        at = instant(resource.get("effectiveDateTime"), zone) or record.course.first_seen
        value = (resource.get("valueQuantity") or {}).get("value", resource.get("valueInteger"))
        text = resource.get("valueString") or _text(resource.get("valueCodeableConcept"))
        found.append(
            model.Observation(
                str(coding.get("code") or ""),
                moment(at, zone),
                float(value) if isinstance(value, int | float) else None,
                str(text or ""),
                (model.Evidence("observation", f"Observation/{resource['id']}"),),
            )
        )
    return tuple(found)


def _referred_to(person: PersonRecord, record: StayRecord, agencies: Iterable[Agency]) -> tuple[str, ...]:
    """The configured agencies that a standing referral of this stay, or of none, names by id or name; the newest referral's first."""
    known = {word.casefold(): each.id for each in agencies for word in (each.name, each.id) if word}
    asked = (*person.referrals, *(each for each in person.care if each.resource["resourceType"] == "ServiceRequest"))
    standing = (each for each in asked if each.resource.get("status") not in ("revoked", "entered-in-error"))
    mine = [each for each in standing if each.stay in (None, record.id)]
    mine.sort(key=lambda each: int(cast(int, each.facts.get("recorded") or 0)), reverse=True)
    receivers = (str(word).casefold() for each in mine for word in cast(Any, each.facts.get("receivers") or ()))
    return tuple(dict.fromkeys(known[word] for word in receivers if word in known))


_TAKEN = ("accepted", "in-progress", "on-hold", "completed")


def _known_to(person: PersonRecord, record: StayRecord, agencies: Iterable[Agency]) -> tuple[str, ...]:
    """The configured agencies that took the client in another transition, the newest word first, then those that somebody's care team names."""
    agencies = tuple(agencies)
    ids = {each.id for each in agencies}
    taken = [each for each in person.claims if each.facts.get("transition") != record.transition and each.facts.get("status") in _TAKEN]
    taken.sort(key=lambda each: each.sources[0].recorded, reverse=True)
    claimed = (str(each.facts.get("agency") or "") for each in taken)
    known = {word.casefold(): each.id for each in agencies for word in (each.name, f"Organization/{each.id}") if word}
    teams = (
        each.resource for each in person.care if each.resource["resourceType"] == "CareTeam" and each.resource.get("status") != "entered-in-error"
    )
    named = (word for team in teams for member in _organizations(team) for word in (member.get("display"), member.get("reference")) if word)
    told = (known[str(word).casefold()] for word in named if str(word).casefold() in known)
    return tuple(dict.fromkeys([*(each for each in claimed if each in ids), *told]))


def _organizations(team: Json) -> list[Json]:
    """Who stands behind a care team: its managing organizations, members, and those on whose behalf members act."""
    members = [member for each in team.get("participant") or [] for member in (each.get("member"), each.get("onBehalfOf"))]
    return [each for each in [*(team.get("managingOrganization") or []), *members] if each]


def _taken_back(told: TakenBack, zone: str) -> model.TakenBack:
    return model.TakenBack(cast(Any, told.what), moment(told.made, zone), moment(told.at, zone), moment_or_none(told.expected, zone))


def _placement(where: Whereabouts, zone: str) -> model.Placement:
    return model.Placement(
        moment(where.since, zone), where.unit, cast(Any, where.unit_kind), where.service, cast(Any, where.service_kind), where.visit_class
    )


def _all_parts(person: PersonRecord) -> list[Json]:
    return [*person.related, *(part for record in person.stays for part in record.parts)]


def _birth_date(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value)) if value else None
    except ValueError:
        return None


def _text(concept: Any) -> str:
    concept = concept or {}
    coding: Json = next(iter(concept.get("coding") or []), {})
    return str(concept.get("text") or coding.get("display") or coding.get("code") or "")


def _display(reference: Any) -> str:
    return str((reference or {}).get("display") or (reference or {}).get("reference") or "")
