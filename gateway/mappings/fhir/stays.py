"""Encounter -> what it says of a stay (StayFacts). Pure. http://hl7.org/fhir/R4/encounter.html

An Encounter is a snapshot: its status says in what state the stay is, and becomes the event that leads there. A notification's event
(Da Vinci Alerts) is more exact than the status where the two can both be; a stay cancelled or entered in error is so whatever the event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from gateway.fhir import elements, times
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.fhir import codes, tables
from gateway.mappings.fhir.bundle import Input, Told
from gateway.mappings.fhir.content import base_of
from gateway.records.statements import DiagnosisFact, Json, StayEffect, StayFacts

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
INPATIENT = frozenset({"IMP", "ACUTE", "NONAC"})
_STRICTNESS = ("U", "L", "M", "N", "R", "V")
_NOT_STANDING = frozenset({"refuted", "entered-in-error"})
_USE = {"AD": "admitting", "DD": "final", "CC": "reason", "CM": "working", "pre-op": "working", "post-op": "final", "billing": "final"}


class Place(NamedTuple):
    """Where a stay is: the unit's name for people, and every name that a feed profile may know it by."""

    unit: str
    names: tuple[str, ...]


def stay_facts(told: Told, given: Input, profile: FeedProfile, event: str, recorded: int) -> StayFacts:
    """What an Encounter says of its stay; `event` is the notification's code or "". `recorded` in microseconds."""
    encounter = told.resource
    visit_class = encounter.get("class", {}).get("code")
    effect = effect_of(encounter, event)
    facts = StayFacts(effect=effect, snapshot=True, facility=given.facility, zone=profile.timezone or "UTC")
    if visit_class:
        facts["visit_class"] = str(visit_class)
    hospital = profile.hospital or _provider(told, given)
    if hospital:
        facts["hospital"] = hospital
    _period(facts, encounter, effect, recorded)
    _where(facts, told, given, profile)
    ended = codes.disposition(encounter.get("hospitalization", {}).get("dischargeDisposition"), profile)
    if ended is not None:
        facts["disposition"] = ended
    destination = encounter.get("hospitalization", {}).get("destination", {}).get("display")
    if destination:
        facts["transfer_to"] = str(destination)
    said = diagnoses(told, given)
    if said:
        facts["diagnoses"] = said
    reasons = [one for one in encounter.get("reasonCode", []) if isinstance(one, dict)]
    if reasons:
        facts["reason"] = codes.fact(reasons[0], "reason")
    label = confidentiality(encounter)
    if label:
        facts["confidentiality"] = label
    return facts


def effect_of(encounter: Json, event: str) -> StayEffect:
    """The event in the stay's life that leads to what the Encounter says."""
    status = str(encounter.get("status", "unknown"))
    by_status = tables.effects("status").get(status, "update")
    effect = by_status
    if status in ("arrived", "triaged", "in-progress", "unknown"):
        effect = tables.effects("event").get(event, by_status)
    if effect == "start":
        inpatient = encounter.get("class", {}).get("code") in INPATIENT
        effect = "admit" if inpatient else "register"
    return cast(StayEffect, effect)


def _period(facts: StayFacts, encounter: Json, effect: str, recorded: int) -> None:
    """The end counts as the discharge only where the stay is over; one that lies ahead is an expectation."""
    period = encounter.get("period", {})
    start, end = period.get("start"), period.get("end")
    if start and effect != "pre-admit":
        facts["admitted"] = str(start)
    ends = times.first(end)
    if ends is None:
        return
    if effect == "discharge":
        facts["discharged"] = str(end)
    elif ends > recorded and effect not in ("cancel-admit", "delete"):
        facts["expected_discharge"] = str(end)


def _where(facts: StayFacts, told: Told, given: Input, profile: FeedProfile) -> None:
    place = current_place(told, given)
    if place.unit:
        facts["unit"] = place.unit
    if place.unit or profile.facility_kind:
        facts["unit_kind"] = codes.kind_of(place.names, profile.psychiatric_units, profile.other_units) or profile.facility_kind or None
    service = told.resource.get("serviceType")
    if service:
        facts["service"] = codes.words(service)
        facts["service_kind"] = codes.kind_of(codes.names([service]), profile.psychiatric_services, profile.other_services)
    if "*" in profile.part2_units or codes.kind_of(place.names, profile.part2_units, ()):
        facts["part2"] = True
    if profile.sud_attested:
        facts["sud_attested"] = True


def current_place(told: Told, given: Input) -> Place:
    """The last location that is not planned, reserved or over; the last of all when each is over."""
    listed = [one for one in told.resource.get("location", []) if isinstance(one, dict)]
    now = [one for one in listed if one.get("status", "active") == "active"] or listed
    if not now:
        return Place("", ())
    reference = now[-1].get("location", {})
    target = given.resolve(reference, told.resource, base_of(told))
    location: Json = target.told.resource if target is not None and target.told is not None else {}
    values = [str(one["value"]) for one in location.get("identifier", []) if one.get("value")]
    names = [str(location.get("name", "")), *(str(one) for one in location.get("alias", [])), str(reference.get("display", "")), *values]
    return Place(next((one for one in names if one), ""), tuple(one for one in names if one))


def _provider(told: Told, given: Input) -> str:
    reference = told.resource.get("serviceProvider")
    target = given.resolve(reference, told.resource, base_of(told))
    if target is not None and target.told is not None and target.told.resource.get("name"):
        return str(target.told.resource["name"])
    return str((reference or {}).get("display", ""))


def diagnoses(told: Told, given: Input) -> list[DiagnosisFact]:
    """The stay's diagnoses in order: by the Encounter's ranks, then as the input lists them, then further reasons.

    The principal one has rank 1; where nothing is ranked, the first.
    """
    keys = set(given.keys(told))
    ranked = {name: one for one in told.resource.get("diagnosis", []) for name in _condition_keys(one, told, given)}
    found: list[tuple[int, Any, str]] = []
    for condition in given.told:
        if condition.type != "Condition" or not _stands(condition.resource):
            continue
        mine = ranked.get(given.keys(condition)[0])
        where = given.resolve(condition.resource.get("encounter"), condition.resource, base_of(condition))
        if mine is not None or (where is not None and keys & set(where.keys)):
            rank = mine.get("rank") if mine else None
            use = next((str(one.get("code", "")) for one in elements.codings((mine or {}).get("use"))), "")
            found.append((rank if isinstance(rank, int) else 1_000, condition.resource.get("code"), _USE.get(use, "working")))
    found.sort(key=lambda one: one[0])
    said = [codes.fact(code, kind, principal=number == 0) for number, (_, code, kind) in enumerate(found)]
    return said + [codes.fact(one, "reason") for one in told.resource.get("reasonCode", [])[1:]]


def _condition_keys(diagnosis: Json, told: Told, given: Input) -> Sequence[str]:
    target = given.resolve(diagnosis.get("condition"), told.resource, base_of(told))
    return target.keys[:1] if target is not None else ()


def _stands(condition: Json) -> bool:
    return not any(one.get("code") in _NOT_STANDING for one in elements.codings(condition.get("verificationStatus")))


def confidentiality(resource: Json) -> str:
    """The strictest v3-Confidentiality code among the labels, "" when there is none."""
    labels = [one for one in resource.get("meta", {}).get("security", []) if one.get("system") == CONFIDENTIALITY]
    return max((str(one["code"]) for one in labels if one.get("code") in _STRICTNESS), key=_STRICTNESS.index, default="")
