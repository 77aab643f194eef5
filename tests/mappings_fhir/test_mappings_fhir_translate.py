"""FHIR in becomes the same statements that HL7 v2 makes. Expected values are read off the resources by hand."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from gateway.er7.reader import read
from gateway.errors import GatewayError, Invalid, Malformed, Unsupported
from gateway.fhir import elements, times, validation
from gateway.fhir.outcome import Rejected
from gateway.fhir.parsing import parse
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.fhir.translate import translate_bundle
from gateway.mappings.hl7v2.translate import translate
from gateway.records.statements import Statement, Translation
from tests.third_party import DATA, third_party

RECEIVED = 1_795_312_800_000_000  # 2026-11-22T02:00:00Z
PROFILE = FeedProfile(name="county-ehr", kind="fhir", timezone="America/Chicago", psychiatric_units=("BHU",), hospital="County Hospital")


def identify(type: str, key: str) -> str:
    return hashlib.sha256(f"{type}|{key}".encode()).hexdigest()[:32]


def say(*resources: dict[str, Any], kind: str = "transaction", profile: FeedProfile = PROFILE, **more: Any) -> Translation:
    entries = [
        {"fullUrl": f"urn:uuid:{each['id']}" if "id" in each else "", "resource": each, "request": {"method": "POST", "url": each["resourceType"]}}
        for each in resources
    ]
    for each in entries:
        if not each["fullUrl"]:
            del each["fullUrl"]
    return translate_bundle({"resourceType": "Bundle", "type": kind, "entry": entries, **more}, profile, RECEIVED, identify)


def only(translation: Translation, kind: str) -> Statement:
    (found,) = [each for each in translation.statements if each.kind == kind]
    return found


PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "00000000-0000-4000-8000-000000000001",
    "identifier": [{"system": "urn:oid:1.2.3", "value": "M17"}, {"value": "L5"}],
    "name": [{"family": "Doe", "given": ["Ann"]}],
    "gender": "female",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Ann</div>'},
}
ENCOUNTER: dict[str, Any] = {
    "resourceType": "Encounter",
    "id": "00000000-0000-4000-8000-000000000002",
    "identifier": [{"system": "urn:oid:1.2.4", "value": "V9"}],
    "status": "finished",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
    "subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"},
    "period": {"start": "2026-11-10T09:00:00-06:00", "end": "2026-11-20T14:00:00-06:00"},
}


def test_a_person_is_known_by_identifiers_and_the_senders_own_id() -> None:
    person = only(say(PATIENT), "person")
    assert person.keys == person.person
    assert person.keys == (
        "urn:oid:1.2.3|M17",
        "urn:gateway:facility:county-ehr:MR|L5",
        "urn:gateway:feed:county-ehr:Patient|00000000-0000-4000-8000-000000000001",
    )
    assert person.whole
    assert person.own is not None
    assert not {"id", "text", "meta"} & set(person.own), "bookkeeping and narrative are made anew"


@pytest.mark.parametrize(
    ("identifier", "keys"),
    [
        ({"system": "http://hl7.org/fhir/sid/us-ssn", "value": "123-45-6780"}, ("http://hl7.org/fhir/sid/us-ssn|123456780",)),
        ({"system": "http://hl7.org/fhir/sid/us-ssn", "value": "000-00-0000"}, ()),
        ({"system": "http://hl7.org/fhir/sid/us-ssn", "value": "999-99-9999"}, ()),
        ({"system": "urn:oid:1.2.3", "value": "0000000"}, ()),
        ({"system": "urn:oid:1.2.3", "value": "UNKNOWN"}, ()),
        ({"system": "urn:oid:1.2.3", "value": "A1", "use": "old"}, ()),
    ],
)
def test_placeholders_join_nobody(identifier: dict[str, Any], keys: tuple[str, ...]) -> None:
    said = only(say({**PATIENT, "identifier": [identifier]}), "person")
    assert said.keys == (*keys, "urn:gateway:feed:county-ehr:Patient|00000000-0000-4000-8000-000000000001")


def test_a_finished_stay_is_a_discharge() -> None:
    stay = only(say(PATIENT, ENCOUNTER), "stay")
    assert stay.keys == (
        "urn:gateway:visit:urn%3Aoid%3A1.2.4|V9",  # as mappings.hl7v2.keys makes it of PV1-19 = V9^^^&1.2.4&ISO
        "urn:gateway:feed:county-ehr:Encounter|00000000-0000-4000-8000-000000000002",
    )
    assert stay.person[0] == "urn:oid:1.2.3|M17"
    assert stay.facts["effect"] == "discharge"
    assert stay.facts["visit_class"] == "IMP"
    assert stay.facts["admitted"] == "2026-11-10T09:00:00-06:00"
    assert stay.facts["discharged"] == "2026-11-20T14:00:00-06:00"
    assert stay.facts["zone"] == "America/Chicago"
    assert stay.facts["facility"] == "county-ehr"
    assert stay.facts["hospital"] == "County Hospital"
    assert stay.own is not None
    assert "subject" not in stay.own, "whose it is follows from the fold"


def test_both_sides_know_the_person_and_the_visit_by_the_same_keys() -> None:
    message = "\r".join(
        (
            "MSH|^~\\&|EHR|COUNTY|GW|GW|20261120140000-0600||ADT^A03|1|P|2.5.1",
            "EVN|A03|20261120140000-0600",
            "PID|1||M17^^^&1.2.3&ISO^MR||Doe^Ann||19900517|F",
            "PV1|1|I|BHU^1^1||||||||||||||||V9^^^&1.2.4&ISO^VN",
        )
    )
    told = translate(read(message.encode()), PROFILE, RECEIVED, identify)
    stay, same = only(told, "stay"), only(say(PATIENT, ENCOUNTER), "stay")
    assert stay.keys[0] == same.keys[0] == "urn:gateway:visit:urn%3Aoid%3A1.2.4|V9"
    assert stay.person[0] == same.person[0] == "urn:oid:1.2.3|M17"


@pytest.mark.parametrize(
    ("status", "visit_class", "event", "effect"),
    [
        ("planned", "IMP", "", "pre-admit"),
        ("arrived", "EMER", "", "register"),
        ("in-progress", "IMP", "", "admit"),
        ("in-progress", "ACUTE", "", "admit"),
        ("in-progress", "EMER", "", "register"),
        ("in-progress", "AMB", "", "register"),
        ("onleave", "IMP", "", "leave"),
        ("finished", "IMP", "", "discharge"),
        ("cancelled", "IMP", "", "cancel-admit"),
        ("entered-in-error", "IMP", "", "delete"),
        ("unknown", "IMP", "", "update"),
        ("in-progress", "IMP", "notification-admit", "admit"),
        ("in-progress", "IMP", "notification-transfer", "transfer"),
        ("in-progress", "IMP", "notification-discharge", "discharge"),  # the event is newer than the status
        ("finished", "IMP", "notification-discharge", "discharge"),
        ("finished", "IMP", "notification-transfer", "discharge"),
        ("entered-in-error", "IMP", "notification-discharge", "delete"),  # Da Vinci has no code for a cancellation
        ("cancelled", "IMP", "notification-admit", "cancel-admit"),
        ("in-progress", "IMP", "notification-referral", "admit"),
    ],
)
def test_status_and_event_say_what_happened(status: str, visit_class: str, event: str, effect: str) -> None:
    encounter = {**ENCOUNTER, "status": status, "class": {"code": visit_class}}
    header = {"resourceType": "MessageHeader", "id": "h", "eventCoding": {"code": event, "system": "http://x"}, "source": {"endpoint": "http://s"}}
    said = say(header, PATIENT, encounter, kind="message") if event else say(PATIENT, encounter)
    assert only(said, "stay").facts["effect"] == effect


@pytest.mark.parametrize(
    ("coding", "code"),
    [
        ({"system": "http://terminology.hl7.org/CodeSystem/nubc-UB92", "code": "1"}, "01"),
        ({"system": "https://www.nubc.org/CodeSystem/PatDischargeStatus", "code": "07"}, "07"),
        ({"system": "http://terminology.hl7.org/CodeSystem/discharge-disposition", "code": "home"}, "01"),
        ({"system": "http://terminology.hl7.org/CodeSystem/discharge-disposition", "code": "aadvice"}, "07"),
        ({"system": "http://terminology.hl7.org/CodeSystem/discharge-disposition", "code": "exp"}, "20"),
        ({"system": "http://terminology.hl7.org/CodeSystem/discharge-disposition", "code": "psy"}, "65"),
        ({"system": "http://terminology.hl7.org/CodeSystem/discharge-disposition", "code": "oth"}, ""),
        ({"system": "http://local.example", "code": "WENT"}, ""),
        ({"system": "http://local.example", "code": "AMA"}, "07"),  # by the feed's own map
    ],
)
def test_a_disposition_in_its_normal_form(coding: dict[str, str], code: str) -> None:
    profile = FeedProfile(name="county-ehr", kind="fhir", codes={"disposition": {"ama": "07"}})
    stay = only(say(PATIENT, {**ENCOUNTER, "hospitalization": {"dischargeDisposition": {"coding": [coding]}}}, profile=profile), "stay")
    assert stay.facts["disposition"]["code"] == code
    assert stay.facts["disposition"]["source"] == coding["code"]


def condition(number: int, code: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": f"00000000-0000-4000-8000-00000000010{number}",
        "code": {
            "coding": [{"system": "http://snomed.info/sct", "code": f"s{number}"}, {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}]
        },
        "subject": {"reference": f"urn:uuid:{PATIENT['id']}"},
        "encounter": {"reference": f"urn:uuid:{ENCOUNTER['id']}"},
        **more,
    }


def test_diagnoses_come_in_the_encounters_order_icd_first() -> None:
    refuted = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "refuted"}]}
    encounter = {
        **ENCOUNTER,
        "diagnosis": [
            {"condition": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000101"}, "rank": 2},
            {"condition": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000102"}, "rank": 1, "use": {"coding": [{"code": "DD"}]}},
        ],
        "reasonCode": [{"text": "low mood"}],
    }
    stay = only(say(PATIENT, encounter, condition(1, "I10"), condition(2, "F20.0"), condition(3, "F10.2", verificationStatus=refuted)), "stay")
    assert [(each["code"], each["principal"], each["kind"]) for each in stay.facts["diagnoses"]] == [
        ("F20.0", True, "final"),
        ("I10", False, "working"),
    ]
    assert stay.facts["reason"]["text"] == "low mood"
    assert sorted(name.partition("|")[0] for name in stay.parts) == ["Condition"] * 3, "a refuted one is kept as a record"
    fragment = next(iter(stay.parts.values()))[0]
    assert not {"subject", "encounter", "id"} & set(fragment.resource)


def test_the_place_is_judged_by_the_feed_profile() -> None:
    unit = {"resourceType": "Location", "id": "00000000-0000-4000-8000-000000000003", "name": "Behavioural Health", "identifier": [{"value": "bhu"}]}
    profile = FeedProfile(name="county-ehr", kind="fhir", psychiatric_units=("BHU",), part2_units=("Behavioural Health",))
    encounter = {
        **ENCOUNTER,
        "location": [
            {"location": {"display": "ED"}, "status": "completed"},
            {"location": {"reference": f"urn:uuid:{unit['id']}"}, "status": "active"},
        ],
    }
    said = say(PATIENT, encounter, unit, profile=profile)
    facts = only(said, "stay").facts
    assert (facts["unit"], facts["unit_kind"], facts["part2"]) == ("Behavioural Health", "psychiatric", True)
    (shared,) = said.shared
    assert only(said, "stay").own["location"][1]["location"]["reference"] == f"Location/{shared.resource['id']}"  # type: ignore[index]


def test_an_end_ahead_is_an_expectation() -> None:
    encounter = {**ENCOUNTER, "status": "in-progress", "period": {"start": "2026-11-10T09:00:00-06:00", "end": "2026-11-25"}}
    facts = only(say(PATIENT, encounter), "stay").facts
    assert facts["expected_discharge"] == "2026-11-25"
    assert "discharged" not in facts
    past = {**encounter, "period": {"end": "2026-11-20"}}
    assert not {"expected_discharge", "discharged"} & set(only(say(PATIENT, past), "stay").facts)


@pytest.mark.parametrize(
    ("updated", "stamp", "recorded", "source"),
    [
        ("2026-11-20T20:00:00Z", "2026-11-21T00:00:00Z", "2026-11-20T20:00:00Z", "meta.lastUpdated"),
        (None, "2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z", "Bundle.timestamp"),
        (None, None, "2026-11-22T02:00:00Z", "receipt"),
        ("2027-01-01T00:00:00Z", "2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z", "Bundle.timestamp"),
        ("2027-01-01T00:00:00Z", None, "2026-11-22T02:00:00Z", "receipt"),
    ],
)
def test_recorded_time(updated: str | None, stamp: str | None, recorded: str, source: str) -> None:
    encounter = {**ENCOUNTER, **({"meta": {"lastUpdated": updated}} if updated else {})}
    said = say(PATIENT, encounter, **({"timestamp": stamp} if stamp else {}))
    assert (said.heading.recorded, said.heading.recorded_from) == (times.first(recorded), source)
    assert bool(said.reports) is (updated is not None and updated.startswith("2027"))


def test_each_resource_keeps_its_own_recorded_time() -> None:
    patient = {**PATIENT, "meta": {"lastUpdated": "2025-01-01T00:00:00Z"}}
    encounter = {**ENCOUNTER, "meta": {"lastUpdated": "2026-11-20T20:00:00Z"}}
    said = say(patient, encounter)
    assert only(said, "person").recorded == times.first("2025-01-01T00:00:00Z")
    assert only(said, "stay").recorded == 0, "the heading's"


def test_references_in_every_form_name_the_same_person() -> None:
    forms = [
        {"reference": f"urn:uuid:{PATIENT['id']}"},
        {"reference": f"Patient/{PATIENT['id']}"},
        {"reference": f"https://ehr.example/fhir/Patient/{PATIENT['id']}"},
        {"reference": "Patient?identifier=urn:oid:1.2.3|M17"},
        {"type": "Patient", "identifier": {"system": "urn:oid:1.2.3", "value": "M17"}},
    ]
    for form in forms:
        stay = only(say(PATIENT, {**ENCOUNTER, "subject": form}), "stay")
        assert stay.person[0] == "urn:oid:1.2.3|M17", form


def test_a_part_whose_encounter_was_sent_before_names_its_stay() -> None:
    lone = {**condition(1, "F20.0"), "subject": {"reference": "Patient/p"}, "encounter": {"reference": "Encounter/e"}}
    said = translate_bundle(lone, PROFILE, RECEIVED, identify)
    stay = only(said, "stay")
    assert stay.keys == ("urn:gateway:feed:county-ehr:Encounter|e",)
    assert stay.person == ("urn:gateway:feed:county-ehr:Patient|p",)
    assert (stay.facts["effect"], stay.own) == ("none", None)


def test_what_is_beside_stays_becomes_its_own_kind() -> None:
    subject = {"reference": f"urn:uuid:{PATIENT['id']}"}
    encounter = {"reference": f"urn:uuid:{ENCOUNTER['id']}"}
    said = say(
        PATIENT,
        ENCOUNTER,
        {"resourceType": "CarePlan", "id": "c", "status": "active", "intent": "plan", "subject": subject, "encounter": encounter},
        {"resourceType": "CareTeam", "id": "t", "status": "active", "subject": subject, "participant": [{"member": subject}]},
        {"resourceType": "ServiceRequest", "id": "s", "status": "active", "intent": "order", "subject": subject, "encounter": encounter},
        {"resourceType": "Communication", "id": "m", "status": "completed", "subject": subject, "medium": [{"coding": [{"code": "PHONE"}]}]},
        {"resourceType": "DocumentReference", "id": "d", "status": "current", "subject": subject, "content": [{"attachment": {"title": "Plan"}}]},
        {"resourceType": "Consent", "id": "n", **CONSENT, "patient": subject},
        {"resourceType": "Device", "id": "v", "patient": subject},
    )
    kinds = {each.own["resourceType"]: each.kind for each in said.statements if each.own and each.kind not in ("person", "stay")}
    assert kinds == {
        "CarePlan": "care",
        "CareTeam": "care",
        "ServiceRequest": "care",
        "Communication": "contact",
        "DocumentReference": "document",
        "Consent": "consent",
    }
    plan = next(each for each in said.statements if each.own and each.own["resourceType"] == "CarePlan")
    assert plan.facts["stay_key"] == only(said, "stay").keys[0]
    assert only(said, "contact").facts == {"means": "phone", "reached": True, "agency": ""}
    assert [(each.location, each.severity) for each in said.reports] == [("Bundle.entry[8].resource", "I")], "nothing is silently dropped"


CONSENT: dict[str, Any] = {
    "status": "active",
    "scope": {"coding": [{"code": "patient-privacy"}]},
    "category": [{"coding": [{"code": "59284-0", "system": "http://loinc.org"}]}],
}


def test_an_appointment_says_what_for_where_and_until_when() -> None:
    appointment = {
        "resourceType": "Appointment",
        "id": "a",
        "identifier": [{"system": "urn:oid:1.2.5", "value": "A1"}],
        "status": "booked",
        "start": "2026-11-24T10:00:00-06:00",
        "serviceType": [{"text": "Therapy (video)"}],
        "participant": [
            {"actor": {"reference": f"urn:uuid:{PATIENT['id']}"}, "status": "accepted"},
            {"actor": {"type": "Location", "reference": "Location/9", "display": "Clinic"}, "status": "accepted"},
        ],
    }
    profile = FeedProfile(name="county-ehr", kind="fhir", mental_health_services=("therapy (VIDEO)",))
    said = only(say(PATIENT, appointment, profile=profile), "appointment")
    assert said.keys[0] == "urn:gateway:appointment:filler:urn%3Aoid%3A1.2.5|A1"
    assert said.own is not None
    assert said.own["end"] == "2026-11-24T11:00:00-06:00", "R4 wants both ends of a booking"
    assert (said.facts["default_end"], said.facts["mental_health"], said.facts["walk"], said.facts["place"]) == (True, True, "telehealth", "Clinic")
    assert said.person[0] == "urn:oid:1.2.3|M17"


def test_links_between_patients_are_merges() -> None:
    other = {"identifier": {"system": "urn:oid:1.2.3", "value": "M18"}, "type": "Patient"}
    said = say({**PATIENT, "link": [{"other": other, "type": "replaces"}]})
    merge = only(said, "merge")
    assert merge.retires == ("urn:oid:1.2.3|M18",)
    assert merge.keys[0] == "urn:oid:1.2.3|M17"
    assert "link" not in (only(said, "person").own or {})


def test_a_test_message_is_marked() -> None:
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
    assert say(PATIENT, meta={"security": [label]}).heading.test
    assert not say(PATIENT).heading.test


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"resourceType": "Bundle", "type": "message", "entry": [{"resource": PATIENT}]}, Malformed),
        ({"resourceType": "Bundle", "type": "message"}, Malformed),
        ({"resourceType": "Bundle", "type": "history"}, Unsupported),
        ({"resourceType": "Bundle", "type": "transaction"}, Unsupported),
        ({"resourceType": "Banana"}, Unsupported),
        ({**ENCOUNTER, "status": "actve"}, Rejected),
        ({**ENCOUNTER, "subject": {"display": "somebody"}}, Invalid),
        ({"resourceType": "Device", "patient": {"reference": "Patient/1"}}, Unsupported),
    ],
)
def test_what_cannot_be_understood_is_refused_whole(value: dict[str, Any], error: type[GatewayError]) -> None:
    with pytest.raises(error):
        translate_bundle(value, PROFILE, RECEIVED, identify)


def check_statements(said: Translation) -> None:
    """What the fold relies on: valid resources once placed, and no relative reference that names nothing."""
    known = {f"{each.resource['resourceType']}/{each.resource['id']}" for each in said.shared}
    for each in said.shared:
        assert validation.issues(each.resource) == []
    for statement in said.statements:
        assert statement.person
        assert statement.keys
        pieces = [statement.own or {}, *(one.resource for group in statement.parts.values() for one in group)]
        for piece in pieces:
            for _, reference in elements.references(piece):
                literal = elements.relative(reference["reference"])
                assert literal in known or literal.partition("/")[0] in ("Patient", "CareTeam", "CarePlan", "ServiceRequest", "Goal"), literal


@third_party
@pytest.mark.parametrize(
    ("name", "effect", "visit_class", "recorded"),
    [
        ("admit-notification-intermediate-translate-bundle", "register", "EMER", "2020-04-28T21:32:21.199Z"),
        ("admit-notification-intermediate-transmit-bundle", "register", "EMER", "2020-04-28T21:32:21.199Z"),
        ("admit-notification-message-bundle-01", "register", "EMER", "2020-04-28T21:32:21.199Z"),
        ("admit-notification-message-bundle-02", "register", "EMER", "2020-04-28T21:32:21.199Z"),
        ("transfer-notification-message-bundle-01", "transfer", "IMP", "2020-04-28T21:32:28.234Z"),
        ("discharge-notification-message-bundle-01", "discharge", "IMP", "2020-04-28T21:32:34.376Z"),
    ],
)
def test_da_vincis_notifications(name: str, effect: str, visit_class: str, recorded: str) -> None:
    said = translate_bundle(parse((DATA / "fhir" / "davinci-alerts" / f"{name}.json").read_bytes()), PROFILE, RECEIVED, identify)
    stay = only(said, "stay")
    assert (stay.facts["effect"], stay.facts["visit_class"], said.heading.recorded) == (effect, visit_class, times.first(recorded))
    assert stay.keys[0] == "urn:gateway:visit:http%3A%2F%2Fexample.org|Elden718Halvorson12420181021T2122150700"
    assert stay.person[0] == "http://example.org/fhir/pid|06e1f0dd-5fbe-4480-9bb4-6b54ec02d31b"
    assert stay.facts["diagnoses"][0]["text"] == "Examplitis"
    assert ("disposition" in stay.facts) is (effect == "discharge")
    if effect == "discharge":
        assert stay.facts["disposition"]["code"] == "01"
        assert stay.facts["discharged"] == "2018-10-23T22:22:15-07:00"
    check_statements(said)


@third_party
def test_a_whole_life_from_an_ehr() -> None:
    import bz2

    path = DATA / "fhir" / "synthea" / "897eba7c-8b8c-7022-634f-8c69f0702b30.json.bz2"
    bundle = parse(bz2.decompress(path.read_bytes()))
    said = translate_bundle(bundle, PROFILE, RECEIVED, identify, checked=True)
    told = [each["resource"]["resourceType"] for each in bundle["entry"]]
    whole = [each for each in said.statements if each.kind == "stay" and each.own]
    assert len(whole) == told.count("Encounter") == 111
    assert sum(each.kind == "care" for each in said.statements) == told.count("CarePlan") + told.count("CareTeam") == 12
    assert sum(len(each.parts) for each in said.statements) == sum(told.count(one) for one in PARTS_IN_IT)
    check_statements(said)


PARTS_IN_IT = ("MedicationRequest", "Observation", "DiagnosticReport", "Condition", "Immunization", "Procedure", "AllergyIntolerance")
