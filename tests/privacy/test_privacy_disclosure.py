"""The disclosure filter: what may not be disclosed does not exist for the recipient, in the record and in whatever is computed from it (law 5)."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mappings import assessment, follow_up
from gateway.mappings.care.derive import derive
from gateway.mappings.care.transition_json import transition_json
from gateway.privacy.audit import audit_event
from gateway.privacy.disclosure import Disclosed, disclose, next_change, resources_of, withheld_from
from gateway.privacy.labels import labels_of
from gateway.privacy.notice import NOTICE
from gateway.records.record import Owned, PersonRecord, StayRecord
from gateway.records.statements import Json
from tests.care import people
from tests.care.people import CONTEXT, appointment, at, condition, participant, person, stay_record, transition
from tests.care.test_care_derive import validate
from tests.privacy.test_privacy_consent import consent

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
VISIBLE = frozenset({"transition-stay-1"})
CONSENT = Owned({**consent(), "patient": {"reference": "Patient/ana"}})

SECRET = re.compile(
    r"alcohol|opioid|opiate|heroin|cocaine|methadone|buprenorphine|suboxone|naltrexone|naloxone|substance use|substance abuse|drug abuse|addict|detox"
    r"|intoxicat|(?-i:\bF1[0-9](?:\.|\b))|haven|42CFRPart2|\bSUD\b|OPIOIDUD|ETHUD|redact|withheld from",
    re.IGNORECASE,
)
"""What must never reach an agency without consent: written by hand, apart from the gateway's own tables."""


def haven(**facts: Any) -> StayRecord:
    """A stay in a Part 2 unit, with its own staff and place."""
    encounter = {
        "participant": [participant("ATND", "Practitioner/dr-cole")],
        "location": [{"location": {"reference": "Location/haven", "display": "Haven Recovery Unit"}}],
        "serviceProvider": {"reference": "Organization/haven", "display": "Haven Recovery Center"},
    }
    said = {"unit": "HVN7", "hospital": "Haven Recovery Center", "facility": "haven", **facts}
    stay = stay_record("stay-2", parts=[condition("depression-2", "F33.1", "Depression", "stay-2")], part2=True, encounter=encounter, **said)
    return replace(stay, sources=tuple(replace(source, input=source.input + 20, sender="haven") for source in stay.sources))


def views(record: PersonRecord, agency: str = "river-cmhc", visible: frozenset[str] = VISIBLE) -> tuple[Disclosed, list[Json], list[Json]]:
    """What the agency gets: the filtered record's resources, what is derived from it, and its transitions as JSON."""
    shown = disclose(record, agency, visible, NOW)
    derived: list[Json] = []
    bodies: list[Json] = []
    for stay in shown.person.stays:
        who = assessment.client(shown.basis)
        assessed = assessment.stay(shown.basis, stay, who, (), frozenset())
        given_ = transition(shown.person, stay)._replace(stay=assessed, follow_ups=follow_up.follow_ups(shown.basis))
        derived += derive(shown.person, stay, given_, replace(CONTEXT, recipient=agency))
        bodies.append(transition_json(given_, shown.person, recipient=agency))
    return shown, resources_of(shown.person), [*derived, *bodies]


def said(*values: Any) -> str:
    """Everything in these values as text, attachments decoded."""
    text = json.dumps(values, ensure_ascii=False, default=str)
    return text + "".join(base64.b64decode(data + "==").decode("utf-8", "replace") for data in re.findall(r'"data": "([A-Za-z0-9+/]+)', text))


def document(name: str, text: str, stay: str | None = "stay-1") -> Owned:
    data = base64.b64encode(text.encode()).decode()
    resource = {
        "resourceType": "DocumentReference",
        "id": name,
        "status": "current",
        "type": {"text": "Discharge summary"},
        "subject": {"reference": "Patient/ana"},
        "content": [{"attachment": {"contentType": "text/plain", "data": data}}],
    }
    return Owned(resource, stay=stay)


def observation(name: str, text: str) -> Json:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"text": text},
        "valueString": text,
        "subject": {"reference": "Patient/ana"},
        "encounter": {"reference": "Encounter/stay-1"},
    }


def test_a_part_2_stay_does_not_exist_for_an_agency_without_consent() -> None:
    record = person(stay_record(parts=[condition("depression", "F33.2", "Depression")]), haven())
    shown, resources, derived = views(record, visible=VISIBLE | {"transition-stay-2"})
    assert [stay.id for stay in shown.person.stays] == [stay.id for stay in shown.basis.stays] == ["stay-1"]
    assert not SECRET.search(said(resources, derived))
    names = {f"{resource['resourceType']}/{resource['id']}" for resource in resources}
    assert names & {"Practitioner/dr-cole", "Location/haven", "Organization/haven", "Condition/depression-2"} == set()
    assert {source.input for source in shown.person.sources} == {11, 17}


def test_staff_of_a_part_2_unit_is_named_where_an_open_stay_names_it_and_nowhere_else() -> None:
    """Who works on the open stay too was shown with it: to take the name away would tell of the stay that is withheld."""
    there = haven()
    staff = [participant("ATND", "Practitioner/dr-cole"), participant("ADM", "Practitioner/dr-shaw"), participant("REF", "Practitioner/dr-hill")]
    there = replace(there, encounter={**there.encounter, "participant": staff})
    here = stay_record(encounter={"participant": [participant("CON", "Practitioner/dr-cole"), participant("ATND", "Practitioner/dr-lee")]})
    record = person(here, there)
    doctors = [{"reference": "Practitioner/dr-hill"}, {"reference": "Practitioner/dr-shaw"}]
    shown, _, _ = views(replace(record, patient={**record.patient, "generalPractitioner": doctors}))
    (stay,) = shown.person.stays
    assert [one["individual"]["reference"] for one in stay.encounter["participant"]] == ["Practitioner/dr-cole", "Practitioner/dr-lee"]
    assert shown.person.patient["generalPractitioner"] == [{"reference": "Practitioner/dr-hill"}]


def test_substance_use_leaves_the_conditions_the_encounter_and_the_facts_of_an_ordinary_stay() -> None:
    """Otherwise a tier, a reason or a service proposed from them would tell."""
    parts = [
        condition("depression", "F33.2", "Depression"),
        condition("sud", "F11.20", "Opioid dependence"),
        observation("screen", "AUDIT-C alcohol"),
        observation("phq", "PHQ-9"),
    ]
    facts = {
        "diagnoses": [{"system": people.ICD, "code": "F33.2", "text": "Depression"}, {"system": people.ICD, "code": "F11.20", "text": "x"}],
        "reason": {"system": "", "code": "", "text": "Alcohol intoxication"},
        "service": "DETOX",
        "transfer_to": "Addiction clinic",
        "disposition": {"source": "to drug rehab", "code": "01", "text": "to drug rehab"},
    }
    encounter = {"reasonCode": [{"text": "Heroin use"}, {"text": "Low mood"}]}
    shown, resources, derived = views(person(stay_record(parts=parts, encounter=encounter, **facts)))
    (stay,) = shown.person.stays
    assert [part["id"] for part in stay.parts] == ["depression", "phq"]
    assert stay.encounter["reasonCode"] == [{"text": "Low mood"}]
    assert stay.encounter["diagnosis"] == [{"condition": {"reference": "Condition/depression"}}]
    assert stay.facts["diagnoses"] == [facts["diagnoses"][0]]
    assert stay.facts["reason"] is None
    assert stay.facts["disposition"] == {"source": "", "code": "01", "text": ""}
    assert not {"service", "transfer_to"} & stay.facts.keys()
    assert not SECRET.search(said(resources, derived, dict(stay.facts)))
    assert "42CFRPart2" not in labels_of(stay.encounter)


def test_what_the_source_attests_not_to_be_part_2_stays() -> None:
    record = person(stay_record(parts=[condition("sud", "F11.20", "Opioid dependence")], sud_attested=True))
    shown, _, derived = views(record)
    assert [part["id"] for part in shown.person.stays[0].parts] == ["sud"]
    assert "Substance use assessment and treatment" in said(derived)


def test_self_harm_by_a_drug_stays_self_harm_without_the_drug() -> None:
    """Fail open for the client, fail closed for their privacy: that there was self-harm must not be lost with its means."""
    fact = {"system": people.ICD, "code": "T40.1X2A", "text": "Poisoning by heroin, intentional self-harm", "principal": True}
    record = person(stay_record(parts=[condition("harm", "T40.1X2A", "Poisoning by heroin, intentional self-harm")], diagnoses=[fact]))
    shown, resources, derived = views(record)
    assert [(each["code"], each["text"]) for each in shown.person.stays[0].facts["diagnoses"]] == [("X83.8XXA", "Intentional self-harm")]
    assert shown.person.stays[0].parts[0]["code"]["text"] == "Intentional self-harm"
    assert not SECRET.search(said(resources, derived))


def test_documents_of_a_stay_from_which_anything_was_taken_are_withheld() -> None:
    plain = person(stay_record(), documents=(document("summary", "Doing well"),))
    touched = person(stay_record(parts=[condition("sud", "F10.20", "x")]), documents=(document("summary", "Doing well"),))
    telling = person(stay_record(), documents=(document("summary", "History of cocaine"),))
    assert [len(disclose(record, "river-cmhc", VISIBLE, NOW).person.documents) for record in (plain, touched, telling)] == [1, 0, 0]


def test_free_text_of_a_stay_from_which_anything_was_taken_is_withheld() -> None:
    """Nobody has parsed it: "a bottle a day" is in no table of words."""
    noted = {**observation("phq", "PHQ-9"), "note": [{"text": "a bottle a day"}], "valueString": "a bottle a day"}
    record = person(stay_record(parts=[noted, condition("sud", "F10.20", "x")]))
    assert "bottle" not in said(views(record)[1])


def test_psychotherapy_notes_are_never_disclosed_not_even_by_consent() -> None:
    note = replace(document("notes", "hour by hour"), resource={**document("notes", "x").resource, "type": {"text": "Psychotherapy notes"}})
    assert disclose(person(stay_record(), documents=(note,), consents=(CONSENT,)), "river-cmhc", VISIBLE, NOW).person.documents == ()


def test_family_is_withheld_by_default_and_a_guardian_is_not() -> None:
    def relative(name: str, code: str) -> Json:
        return {
            "resourceType": "RelatedPerson",
            "id": name,
            "patient": {"reference": "Patient/ana"},
            "relationship": [{"coding": [{"code": code}]}],
        }

    record = person(related=(relative("mother", "MTH"), relative("guardian", "GUARD")))
    assert [part["id"] for part in disclose(record, "river-cmhc", VISIBLE, NOW).person.related] == ["guardian"]
    minor = replace(record, patient={**record.patient, "birthDate": "2012-01-01"})
    assert [part["id"] for part in disclose(minor, "river-cmhc", VISIBLE, NOW).person.related] == ["mother", "guardian"]


def test_only_routed_stays_are_shown_but_assessment_still_knows_of_the_others() -> None:
    """A readmission elsewhere closes the agency's transition; the readmission's own records are not the agency's."""
    record = person(stay_record(), stay_record("stay-3"))
    shown = disclose(record, "river-cmhc", VISIBLE, NOW)
    assert [stay.id for stay in shown.person.stays] == ["stay-1"]
    assert [stay.id for stay in shown.basis.stays] == ["stay-1", "stay-3"]


def test_another_agencys_work_is_not_shown() -> None:
    mine, theirs, hospitals = appointment("mine", booked_by="river-cmhc"), appointment("theirs", booked_by="oak-cmhc"), appointment("hospitals")
    record = person(appointments=(mine, theirs, hospitals))
    assert [one.resource["id"] for one in disclose(record, "river-cmhc", VISIBLE, NOW).person.appointments] == ["mine", "hospitals"]


def test_an_appointment_for_substance_use_does_not_exist() -> None:
    record = person(appointments=(appointment("detox", "Buprenorphine clinic"), appointment("plain")))
    shown, resources, derived = views(record)
    assert [one.resource["id"] for one in shown.person.appointments] == ["plain"]
    assert not SECRET.search(said(resources, derived))


def test_messages_that_only_updated_content_are_not_among_the_sources() -> None:
    """An A08 that adds a withheld diagnosis must change nothing that the agency can see, the list of messages included."""
    before = person(stay_record(parts=[condition("depression", "F33.2", "Depression")]))
    stay = before.stays[0]
    update = people.source(19, "ADT^A08", at("2026-11-21T10:00:00"))
    after = people.label_person(
        replace(before, stays=(replace(stay, parts=(*stay.parts, condition("sud", "F11.20", "Opioid dependence")), sources=(*stay.sources, update)),))
    )
    assert views(before)[1:] == views(after)[1:]


def test_with_consent_everything_is_shown_with_the_notice_and_the_consent() -> None:
    """42 CFR 2.32: every disclosure by consent carries the notice and the consent; v3-ActCode NORDSCLCD forbids to pass it on."""
    record = person(haven(), consents=(CONSENT,))
    shown, _, derived = views(record, visible=frozenset({"transition-stay-2"}))
    assert shown.by_consent == ("Consent/c1",)
    (stay,) = shown.person.stays
    assert stay.facts["hospital"] == "Haven Recovery Center"
    special = [stay.encounter, *stay.parts, *(resource for resource in derived if "resourceType" in resource)]
    for resource in special:
        assert {"NORDSCLCD", "42CFRPart2"} <= labels_of(resource), resource["resourceType"]
        assert NOTICE in resource["text"]["div"]
        assert "Consent/c1" in resource["text"]["div"]
        validate(resource)
    assert NOTICE not in said(shown.person.patient)


def test_a_consent_that_ends_is_a_moment_to_look_again_and_its_end_withholds_again() -> None:
    ending = Owned({**consent(period={"end": "2026-11-30"}), "patient": {"reference": "Patient/ana"}})
    record = person(haven(), consents=(ending,))
    visible = frozenset({"transition-stay-2"})
    shown = disclose(record, "river-cmhc", visible, NOW)
    assert (len(shown.person.stays), shown.until) == (1, datetime(2026, 12, 1, tzinfo=UTC))
    assert shown.until is not None
    assert disclose(record, "river-cmhc", visible, shown.until).person.stays == ()


def test_a_consent_that_begins_later_wakes_a_stay_that_no_agency_may_know_of_yet() -> None:
    beginning = Owned({**consent(period={"start": "2026-11-25"}), "patient": {"reference": "Patient/ana"}})
    record = person(haven(), consents=(beginning,))
    assert withheld_from(record, record.stays[0], ("river-cmhc",), NOW) == {"river-cmhc"}
    assert next_change(record, NOW) == datetime(2026, 11, 25, tzinfo=UTC)


def test_consents_that_were_not_used_are_not_shown() -> None:
    """A consent about substance-use content tells of it."""
    elsewhere = Owned({**consent("c9", actor=[{"reference": {"reference": "Organization/oak-cmhc"}}]), "patient": {"reference": "Patient/ana"}})
    assert disclose(person(stay_record(), consents=(elsewhere,)), "river-cmhc", VISIBLE, NOW).person.consents == ()


def test_a_part_2_stay_is_withheld_from_every_agency_that_no_consent_names() -> None:
    record = person(haven(), consents=(CONSENT,))
    agencies = ("river-cmhc", "oak-cmhc")
    assert withheld_from(record, record.stays[0], agencies, NOW) == {"oak-cmhc"}
    assert withheld_from(person(), person().stays[0], agencies, NOW) == frozenset()


TELLING = [
    "Alcohol dependence", "Opioid use disorder", "Cocaine abuse", "heroin", "on methadone", "Suboxone", "detox", "drug abuse counselling",
    "Haven Recovery Unit", "sent by Haven Recovery Center", "Substance abuse", "naloxone kit given",
]  # fmt: skip
PLAIN = ["Depression", "Low mood", "Asthma", "Anxiety", "Sleeps badly", "Back pain"]
TEXT = st.one_of(st.sampled_from(TELLING), st.sampled_from(PLAIN))
CODE = st.sampled_from(["F10.20", "F11.10", "F14.2", "F19.9", "T40.1X2A", "F33.2", "F20.0", "Z59.00", "I10", ""])


@st.composite
def persons(draw: st.DrawFn) -> PersonRecord:
    """People with telling and plain words in any place that a message can fill."""
    text = lambda: draw(TEXT)  # noqa: E731
    parts = [condition(f"c{number}", draw(CODE), text()) for number in range(draw(st.integers(0, 3)))]
    parts += [observation(f"o{number}", text()) for number in range(draw(st.integers(0, 2)))]
    parts = [{**part, "note": [{"text": text()}]} if draw(st.booleans()) else part for part in parts]
    facts: dict[str, Any] = {
        "diagnoses": [{"system": people.ICD, "code": draw(CODE), "text": text()} for _ in range(draw(st.integers(0, 2)))],
        "reason": {"system": "", "code": draw(CODE), "text": text()},
        "service": text(),
        "unit": text(),
        "transfer_to": text(),
        "disposition": {"source": text(), "code": "01", "text": text()},
    }
    encounter = {
        "reasonCode": [{"text": text()}],
        "serviceType": {"text": text()},
        "type": [{"text": text()}],
        "hospitalization": {"dischargeDisposition": {"text": text()}, "origin": {"reference": "Location/haven", "display": text()}},
        "location": [{"location": {"reference": draw(st.sampled_from(["Location/haven", "Location/bhu"])), "display": text()}}],
        "participant": [participant("ATND", draw(st.sampled_from(["Practitioner/dr-cole", "Practitioner/dr-lee"])))],
    }
    stays = [stay_record(parts=parts, encounter=encounter, **facts), haven()]
    identifier = [{"system": "urn:st-mary", "value": "1"}, {"system": "urn:haven", "value": "2", "assigner": {"display": "Haven Recovery Center"}}]
    return person(
        *draw(st.permutations(stays)),
        patient=people.patient(identifier=identifier, contact=[{"name": {"text": text()}}], extension=[{"url": "x", "valueString": text()}]),
        appointments=tuple(appointment(f"a{number}", text(), place=text()) for number in range(draw(st.integers(0, 2)))),
        documents=tuple(document(f"d{number}", text(), draw(st.sampled_from(["stay-1", "stay-2", None]))) for number in range(2)),
        care=(
            Owned(
                {
                    "resourceType": "CarePlan",
                    "id": "theirs",
                    "status": "active",
                    "intent": "plan",
                    "title": text(),
                    "subject": {"reference": "Patient/ana"},
                    "text": {"status": "additional", "div": f"<div>{text()}</div>"},
                }
            ),
        ),
        related=(
            {"resourceType": "Coverage", "id": "cov", "status": "active", "beneficiary": {"reference": "Patient/ana"}, "type": {"text": text()}},
        ),
        decisions=(Owned({}, (people.source(30, "decision", at("2026-11-21T09:00:00")),), {"transition": "transition-stay-1", "reason": text()}),),
        uncertain=text(),
        uncertain_since=1,
    )


@given(record=persons())
@settings(max_examples=120, deadline=None)
def test_no_protected_word_reaches_an_agency_by_any_way(record: PersonRecord) -> None:
    shown, resources, derived = views(record)
    assert not (found := SECRET.search(said(resources, derived))), found
    basis = resources_of(shown.basis)
    facts = [dict(stay.facts) for stay in shown.basis.stays]
    rest = [shown.basis.uncertain, *(dict(one.facts) for one in shown.basis.decisions), *(stay.course.whereabouts for stay in shown.basis.stays)]
    assert not (found := SECRET.search(said(basis, facts, rest))), found
    assert disclose(shown.basis, "river-cmhc", VISIBLE, NOW).person == shown.person  # nothing is left to take
    present = {f"{one['resourceType']}/{one['id']}" for one in (*resources, *derived) if "resourceType" in one}
    configured = {"Device/gateway", "Organization/gateway", *(f"Organization/{name}" for name in people.AGENCIES)}
    assert set(
        re.findall(r'"reference": "([A-Z][A-Za-z]+/[^"]+)"', json.dumps([*resources, *[one for one in derived if "resourceType" in one]]))
    ) <= (present | configured)


@given(record=persons())
@settings(max_examples=25, deadline=None)
def test_what_is_left_is_valid_r4(record: PersonRecord) -> None:
    for resource in views(record)[1]:
        if resource["resourceType"] in ("Encounter", "Condition", "Observation", "Appointment", "DocumentReference", "CarePlan"):
            validate(resource)


AUDIT = [
    ("read", {"resources": ["CarePlan/1"], "patients": ["Patient/ana"]}, "R", "rest"),
    ("search", {"query": "Task?owner=river-cmhc"}, "E", "rest"),
    ("disclose", {"resources": ["Encounter/2"], "consents": ["Consent/c1"]}, "R", "disclose"),
    ("break-glass", {"patients": ["Patient/ana"], "reason": "overdose", "purpose": "BTG"}, "R", "disclose"),
]


@pytest.mark.parametrize(("act", "details", "action", "kind"), AUDIT)
def test_an_audit_event_says_who_what_when_why_and_under_which_consent(act: Any, details: dict[str, Any], action: str, kind: str) -> None:
    event = audit_event(act, who="river-system", organization="river-cmhc", recorded=NOW, gateway="Device/gateway", **details)
    validate(event)
    assert (event["action"], event["type"]["code"], event["outcome"]) == (action, kind, "0")
    assert event["agent"][0]["who"]["identifier"]["value"] == "river-system"
    assert event["recorded"] == "2026-11-22T12:00:00.000+00:00"
    named = {entity["what"]["reference"] for entity in event.get("entity", []) if "what" in entity}
    assert named == {*details.get("patients", []), *details.get("resources", []), *details.get("consents", [])}
