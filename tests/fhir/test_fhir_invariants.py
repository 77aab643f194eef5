"""R4's rules for what clients write: each as its definition states it, with a resource that keeps it and one that breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.profiles import load
from gateway.fhir import validation

Json = dict[str, Any]

APPOINTMENT: Json = {
    "resourceType": "Appointment",
    "status": "booked",
    "start": "2026-11-24T10:00:00-06:00",
    "end": "2026-11-24T11:00:00-06:00",
    "participant": [{"actor": {"reference": "Patient/p1"}, "status": "accepted"}],
}
COMMUNICATION: Json = {"resourceType": "Communication", "status": "completed", "subject": {"reference": "Patient/p1"}, "sent": "2026-11-22T03:00:00Z"}
CONSENT: Json = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
    "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
    "patient": {"reference": "Patient/p1"},
    "dateTime": "2026-11-22",
    "policyRule": {"text": "42 CFR Part 2"},
    "provision": {"type": "permit"},
}
VALUE: Json = {"url": "urn:x", "valueString": "a"}

BREAKS: list[tuple[Json, Json, str]] = [
    (APPOINTMENT, {"start": None}, "Appointment.start"),
    (APPOINTMENT, {"start": None, "end": None}, "Appointment.start"),
    (APPOINTMENT, {"start": None, "status": "proposed"}, "Appointment.start"),
    (APPOINTMENT, {"participant": [{"status": "accepted"}]}, "Appointment.participant[0]"),
    (APPOINTMENT, {"participant": []}, "Appointment.participant"),
    (APPOINTMENT, {"cancelationReason": {"text": "x"}}, "Appointment.cancelationReason"),
    (APPOINTMENT, {"requestedPeriod": [{"start": "2026-11-25", "end": "2026-11-24"}]}, "Appointment.requestedPeriod[0]"),
    (APPOINTMENT, {"extension": [{**VALUE, "extension": [VALUE]}]}, "Appointment.extension[0]"),
    (APPOINTMENT, {"extension": [{"url": "urn:x"}]}, "Appointment.extension[0]"),
    (APPOINTMENT, {"modifierExtension": [VALUE]}, "Appointment.modifierExtension[0]"),
    (APPOINTMENT, {"implicitRules": "urn:x"}, "Appointment.implicitRules"),
    (APPOINTMENT, {"serviceType": []}, "Appointment.serviceType"),
    (APPOINTMENT, {"serviceType": [{}]}, "Appointment.serviceType[0]"),
    (APPOINTMENT, {"serviceType": [{"text": "x", "coding": None}]}, "Appointment.serviceType[0].coding"),
    (APPOINTMENT, {"contained": [{"resourceType": "Basic", "id": "c", "code": {"text": "x"}, "subject": None}]}, "Appointment.contained[0].subject"),
    (APPOINTMENT, {"contained": [{"resourceType": "Patient", "id": "c"}]}, "Appointment.contained[0]"),
    (APPOINTMENT, {"minutesDuration": True}, "Appointment.minutesDuration"),
    (APPOINTMENT, {"minutesDuration": "45"}, "Appointment.minutesDuration"),
    (APPOINTMENT, {"reasonReference": [{"reference": "Patient/p1"}]}, "Appointment.reasonReference[0].reference"),
    (APPOINTMENT, {"id": "x" * 65}, "Appointment.id"),
    (COMMUNICATION, {"subject": {"reference": "Organization/o"}}, "Communication.subject.reference"),
    (CONSENT, {"policyRule": None}, "Consent"),
    (CONSENT, {"provision": {"period": {"start": "2027", "end": "2026"}}}, "Consent.provision.period"),
]

KEEPS: list[tuple[Json, Json]] = [
    (APPOINTMENT, {}),
    (COMMUNICATION, {}),
    (CONSENT, {}),
    (APPOINTMENT, {"start": None, "end": None, "status": "proposed"}),
    (APPOINTMENT, {"status": "cancelled", "cancelationReason": {"text": "x"}}),
    (APPOINTMENT, {"requestedPeriod": [{"start": "2026-11", "end": "2026-11-24"}]}),
    (APPOINTMENT, {"extension": [{"url": "urn:x", "extension": [VALUE]}]}),
    (APPOINTMENT, {"participant": [{"actor": {"reference": "#c"}, "status": "accepted"}], "contained": [{"resourceType": "Patient", "id": "c"}]}),
    (APPOINTMENT, {"minutesDuration": 45, "priority": 0}),
    (APPOINTMENT, {"_comment": {"extension": [VALUE]}}),
]


def changed(base: Json, change: Json) -> Json:
    return {name: value for name, value in {**base, **change}.items() if value is not None}


@pytest.mark.parametrize(("base", "change", "place"), BREAKS)
def test_a_broken_rule_is_told_with_its_place(base: Json, change: Json, place: str) -> None:
    resource = changed(base, change)
    assert validation.issues(resource) == [], "it has the shape of R4: what a hospital sends so is taken"
    assert place in [each.location for each in validation.written_issues(resource)]


@pytest.mark.parametrize(("base", "change"), KEEPS)
def test_what_keeps_the_rules_is_taken(base: Json, change: Json) -> None:
    assert validation.written_issues(changed(base, change)) == []


def test_another_validator_says_the_same() -> None:
    """`conformance` reads R4's own definitions. A profile's known modifier, and rules of its own, are all that the two may differ in."""
    r4 = load()
    for base, change, _ in BREAKS:
        found = [each.rule for each in r4.check(changed(base, change)) if each.severity == "error"]
        assert found or "implicitRules" in change, change
    for base, change in KEEPS:
        assert [each for each in r4.check(changed(base, change)) if each.severity == "error"] == [], change


def test_an_end_may_be_left_to_us() -> None:
    """DOMAIN, "SIU status": the end is the duration's, else the policy's."""
    assert validation.written_issues(changed(APPOINTMENT, {"end": None})) == []


@pytest.mark.parametrize("name", ["contained", "participant", "extension", "status", "meta", "identifier"])
def test_a_null_is_told_wherever_it_stands(name: str) -> None:
    found = validation.written_issues({**APPOINTMENT, name: None})
    assert f"Appointment.{name}" in [each.location for each in found]
