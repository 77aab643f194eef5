"""A confidential address (PID-11 type) is the coordinator's to know: an agency learns that there is one, and whom to ask."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.fhir.confidential_address import MARK, together
from gateway.mappings.care.derive import derive
from gateway.privacy.disclosure import disclose, resources_of
from gateway.privacy.labels import labels_of
from gateway.records.record import Owned, PersonRecord
from tests.care import people
from tests.care.people import appointment, at, person, source, stay_record

NOW = at("2026-11-20T12:00:00")
HIDDEN = {
    "use": "home",
    "line": ["12 Elm Street", "Apt 3"],
    "city": "Springfield",
    "postalCode": "62704",
    "district": "Sangamon",
    "extension": [MARK],
}


def client(*stays: Any, **change: Any) -> PersonRecord:
    return person(*stays, patient=people.patient(address=[HIDDEN]), **change)


def seen(record: PersonRecord, agency: str = "river-cmhc") -> PersonRecord:
    return disclose(record, agency, frozenset(stay.transition for stay in record.stays), NOW).person


def words(record: PersonRecord) -> str:
    facts = [dict(stay.facts) for stay in record.stays] + [dict(one.facts) for one in record.appointments]
    return json.dumps([resources_of(record), facts]).casefold()


def location_consent(agency: str = "river-cmhc", **provision: Any) -> Owned:
    said = {
        "type": "permit",
        "actor": [{"role": {"text": "recipient"}, "reference": {"reference": f"Organization/{agency}"}}],
        "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}],
        "securityLabel": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "LOCIS"}],
        **provision,
    }
    return Owned({"resourceType": "Consent", "id": "c1", "status": "active", "provision": said}, ())


def test_an_agency_sees_that_there_is_one_and_nothing_of_it() -> None:
    shown = seen(client())
    assert shown.patient["address"] == [{"use": "home", "extension": [MARK]}]
    assert not any(part in words(shown) for part in ("elm", "62704", "sangamon", "apt 3"))


def test_the_coordinator_sees_it_labelled_as_not_to_be_disclosed() -> None:
    record = client()
    assert record.patient["address"] == [HIDDEN]
    assert {"LOCIS", "NODSCLCD", "R"} <= labels_of(record.patient)


def test_postal_code_and_county_still_choose_the_agency() -> None:
    record = client()
    basis = disclose(record, "river-cmhc", frozenset({record.stays[0].transition}), NOW).basis
    assert basis.patient["address"] == [{"use": "home", "extension": [MARK], "postalCode": "62704", "district": "Sangamon"}]


@pytest.mark.parametrize(
    ("consents", "agency", "shown"),
    [
        ((), "river-cmhc", False),
        ((location_consent(),), "river-cmhc", True),
        ((location_consent(),), "oak-cmhc", False),
        ((location_consent(securityLabel=[]),), "river-cmhc", False),  # a general consent does not speak of where the client is hidden
        ((location_consent(securityLabel=[{"code": "42CFRPart2"}]),), "river-cmhc", False),
        ((location_consent(), location_consent(type="deny")), "river-cmhc", False),
        ((location_consent(period={"end": "2026-11-19"}),), "river-cmhc", False),
    ],
)
def test_a_consent_that_names_location_information_opens_it_to_whom_it_names(consents: tuple[Owned, ...], agency: str, shown: bool) -> None:
    assert ("12 elm street" in words(seen(client(consents=consents), agency))) is shown


GUARDIAN = {
    "resourceType": "RelatedPerson",
    "id": "gil",
    "active": True,
    "patient": {"reference": "Patient/ana"},
    "relationship": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "GUARD"}]}],
    "name": [{"family": "Ruiz", "given": ["Gil"]}],
}


def test_a_guardian_at_the_same_street_does_not_tell_it() -> None:
    home = {"use": "home", "line": ["12 ELM  STREET"], "city": "Springfield", "postalCode": "62704"}
    shown = seen(client(related=({**GUARDIAN, "address": [home]},)))
    assert [one["name"][0]["family"] for one in shown.related] == ["Ruiz"]
    assert not any(part in words(shown) for part in ("elm", "62704"))


def test_a_guardians_own_confidential_address_is_withheld_too() -> None:
    shown = seen(person(related=({**GUARDIAN, "address": [HIDDEN]},)))
    assert "12 elm" not in words(shown)
    assert shown.patient["address"][0]["line"] == ["1 Elm St"]


@pytest.mark.parametrize("text", ["Lives at 12 Elm Street", "brought from 12 elm st., apt 3", "12, ELM\nSTREET", "12-Elm"])
def test_no_text_names_the_street(text: str) -> None:
    problem = people.condition("depression", "F33.2", text)
    stay = stay_record(parts=[problem], encounter={"reasonCode": [{"text": text}]}, reason={"text": text})
    booked = appointment(text=text)
    booked = replace(booked, resource={**booked.resource, "comment": text, "participant": [{"actor": {"display": text}, "status": "accepted"}]})
    shown = seen(client(stay, appointments=(booked,)))
    assert len(shown.appointments) == 1
    assert "(address withheld)" in words(shown)
    assert "elm" not in words(shown).replace("1 elm", "")


def test_words_that_only_look_like_it_stay() -> None:
    stay = stay_record(parts=[people.condition("depression", "F33.2", "12 elmwood visits, 112 Elm Street, elm allergy")])
    assert "12 elmwood visits, 112 elm street, elm allergy" in words(seen(client(stay)))


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [("text/plain", "Discharged to 12 Elm Street", False), ("text/plain", "Discharged home", True), ("application/pdf", "%PDF", False)],
)
def test_a_document_that_names_the_street_or_cannot_be_read_is_withheld(kind: str, text: str, shown: bool) -> None:
    attachment = {"contentType": kind, "data": base64.b64encode(text.encode()).decode()}
    document = {"resourceType": "DocumentReference", "id": "d1", "status": "current", "content": [{"attachment": attachment}]}
    owned = Owned({**document, "subject": {"reference": "Patient/ana"}}, (source(30, "MDM^T02", NOW),))
    assert bool(seen(client(documents=(owned,))).documents) is shown


def test_the_patient_of_a_merge_does_not_tell_it() -> None:
    retired = {"resourceType": "Patient", "id": "old", "active": False, "identifier": [{"system": "urn:st-mary", "value": "9"}], "address": [HIDDEN]}
    shown = seen(person(retired=(retired,)))
    assert not any(part in words(shown) for part in ("12 elm", "62704"))


@pytest.mark.parametrize(
    ("record", "agency", "answer"),
    [
        (person(), None, "unknown"),
        (client(), None, "yes: write to or visit no other address"),
        (client(), "river-cmhc", "yes: ask the coordinator for it"),
        (client(consents=(location_consent(),)), "river-cmhc", "yes: write to or visit no other address"),
    ],
)
def test_the_plan_says_that_there_is_one_and_whom_to_ask(record: PersonRecord, agency: str | None, answer: str) -> None:
    known = seen(record, agency) if agency else record
    context = replace(people.CONTEXT, recipient=agency)
    derived = derive(known, known.stays[0], people.transition(known), context)
    [plan] = people.of_type(derived, "CarePlan")
    assert f"<tr><th>Confidential address</th><td>{answer}</td></tr>" in plan["text"]["div"]
    assert "12 Elm" not in json.dumps(derived)


def test_another_senders_word_without_the_mark_does_not_open_it() -> None:
    plain = {"line": ["12 elm street"], "city": "Springfield"}
    other = {"line": ["5 Oak Rd"]}
    assert together([[HIDDEN], [plain]], [plain]) == [{**plain, "extension": [MARK]}]
    assert together([[HIDDEN], [other]], [other]) == [other, HIDDEN]
    assert together([[plain]], [plain]) == [plain]
