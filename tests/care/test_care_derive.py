"""Deriving CarePlan, CareTeam, ServiceRequests, Task, Flags and Provenance, by DOMAIN.md's FHIR profiles, closed loop and what callers must know."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mappings.care.derive import derive
from gateway.mappings.care.transition_json import transition_json
from gateway.privacy.disclosure import resources_of
from gateway.records.record import PersonRecord
from gateway.records.statements import Json
from tests.care import people
from tests.care.people import CONTEXT, at, condition, of_type, person, stay_record, transition
from transitions.model import Assignment, Claim, Code, FollowUpSummary, Transition


def derived(record: PersonRecord | None = None, assessed: Transition | None = None, context: Any = CONTEXT) -> tuple[Json, ...]:
    record = record or person()
    return derive(record, record.stays[0], assessed or transition(record), context)


def one(resources: tuple[Json, ...], kind: str) -> Json:
    (found,) = of_type(resources, kind)
    return found


def validate(resource: Json) -> None:
    """fhir.resources' R4B model of the resource's own type accepts it."""
    kind = resource["resourceType"]
    model = getattr(importlib.import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    model.model_validate(resource)


NEEDS = [
    # diagnosis code, its text, the service that is proposed, its code system and code ("" for words alone)
    ("Z59.00", "Homelessness", "Help with housing", "710911006"),
    ("Z59.1", "Inadequate housing", "Help with housing", "710911006"),
    ("Z59.41", "Food insecurity", "Help with food", "467771000124109"),
    ("Z59.6", "Low income", "Help with income and benefits", "308440001"),
    ("Z59.82", "Transportation insecurity", "Transport to appointments", "410365006"),
    ("Z56.0", "Unemployment", "Help with employment", "70082004"),
    ("Z55.9", "Problem related to education", "Help with education", "415271004"),
    ("Z65.1", "Imprisonment", "Legal help", ""),
    ("Z63.0", "Problems in relationship with partner", "Family support", ""),
    ("F10.20", "Alcohol dependence", "Substance use assessment and treatment", "266707007"),
    ("F20.0", "Paranoid schizophrenia", "Psychiatric medication management", "183524004"),
    ("F43.10", "Post-traumatic stress disorder", "Psychotherapy: assess and offer", "75516001"),
]


@pytest.mark.parametrize(("code", "text", "title", "snomed"), NEEDS)
def test_a_stated_need_is_proposed_as_a_service_with_the_condition_as_its_reason(code: str, text: str, title: str, snomed: str) -> None:
    record = person(stay_record(parts=[condition("need", code, text)], diagnoses=[]))
    (request,) = [each for each in of_type(derived(record), "ServiceRequest") if each["code"]["text"] == title]
    assert request["intent"] == "proposal"
    assert request["reasonReference"] == [{"reference": "Condition/need"}]
    assert [coding["code"] for coding in request["code"].get("coding", [])] == ([snomed] if snomed else [])


def test_nobody_is_offered_a_service_that_no_message_gave_a_reason_for() -> None:
    """Law 6: depression alone asks for follow-up and what everyone gets, therapy, medication and primary care; Spanish asks for an interpreter."""
    titles = [request["code"]["text"] for request in of_type(derived(), "ServiceRequest")]
    assert titles == [
        "Community mental-health follow-up visit",
        "First contact within 72 hours of leaving hospital",
        "Reconcile the discharge medication with what is taken at home",
        "Crisis and safety plan agreed with the client, with the 988 Suicide and Crisis Lifeline in it",
        "Psychotherapy: assess and offer",
        "Psychiatric medication management",
        "Primary care visit after the hospital stay",
        "Interpreter for every contact: Spanish",
    ]


STATUS = [
    # what assessment says                                                     CarePlan            follow-up request   CareTeam     Task
    ({"status": "anticipated"}, "draft", "draft", "proposed", "requested"),
    ({"status": "open"}, "active", "active", "active", "requested"),
    ({"status": "closed", "closed_as": "follow-up-kept"}, "completed", "completed", "inactive", "completed"),
    ({"status": "closed", "closed_as": "died"}, "revoked", "revoked", "inactive", "cancelled"),
    ({"status": "closed", "closed_as": "readmitted"}, "revoked", "revoked", "inactive", "cancelled"),
    ({"status": "void"}, "revoked", "revoked", "inactive", "cancelled"),
    ({"status": "void", "stay_state": "entered-in-error"}, "entered-in-error", "entered-in-error", "entered-in-error", "entered-in-error"),
]


@pytest.mark.parametrize(("said", "plan", "request_", "team", "task"), STATUS)
def test_the_records_follow_the_transition(said: dict[str, Any], plan: str, request_: str, team: str, task: str) -> None:
    found = derived(assessed=transition(**said))
    request = of_type(found, "ServiceRequest")[0]
    statuses = (one(found, "CarePlan")["status"], request["status"], one(found, "CareTeam")["status"], one(found, "Task")["status"])
    assert statuses == (plan, request_, team, task)


def test_the_follow_up_request_is_for_days_one_to_seven_and_its_priority_is_the_tier() -> None:
    """The day of discharge does not count, day 7 does, in the facility's calendar; discharged at 23:30 in Chicago is still the 20th there."""
    late = at("2026-11-20T23:30:00")
    for tier, priority in (("urgent", "urgent"), ("high", "asap"), ("standard", "routine")):
        request = of_type(derived(assessed=transition(tier=tier, stay_discharged=late)), "ServiceRequest")[0]
        assert (request["occurrencePeriod"], request["priority"]) == ({"start": "2026-11-21", "end": "2026-11-27"}, priority)
        assert request["performer"] == [{"reference": "Organization/river-cmhc", "display": "River Community Mental Health"}]


LOOP = [
    # assignment's status, state of the follow-up, Task.status, businessStatus (BSeR)
    ("requested", "none", "requested", "2.0"),
    ("accepted", "none", "accepted", "3.0"),
    ("in-progress", "booked", "in-progress", "5.1.1"),
    ("in-progress", "missed", "in-progress", "5.1.2"),
    ("accepted", "cancelled", "accepted", "5.1.3"),
    ("in-progress", "kept", "in-progress", "5.1.4"),
    ("completed", "kept", "completed", "7.0"),
    ("rejected", "none", "rejected", "4.0"),
]


@pytest.mark.parametrize(("said", "state", "status", "business"), LOOP)
def test_the_task_says_how_far_the_closed_loop_has_come(said: str, state: Any, status: str, business: str) -> None:
    assignment = Assignment(1, "river-cmhc", at("2026-11-20T10:00:00"), "postal code", status=said)
    task = one(derived(assessed=transition(assignments=(assignment,), follow_up=FollowUpSummary(state))), "Task")
    assert (task["status"], task["businessStatus"]["coding"][0]["code"]) == (status, business)


def test_the_task_is_an_order_to_fulfil_the_follow_up_request_and_nothing_else_is_an_order() -> None:
    found = derived()
    task, request = one(found, "Task"), of_type(found, "ServiceRequest")[0]
    assert task["intent"] == "order"
    assert task["code"]["coding"][0] == {
        "system": "http://hl7.org/fhir/CodeSystem/task-code",
        "code": "fulfill",
        "display": "Fulfill the focal request",
    }
    assert task["focus"] == {"reference": f"ServiceRequest/{request['id']}"}
    assert (task["for"], task["owner"]["reference"]) == ({"reference": "Patient/ana"}, "Organization/river-cmhc")
    assert {resource["intent"] for resource in found if "intent" in resource and resource["resourceType"] != "Task"} == {"proposal"}


def test_in_the_coordinators_queue_the_task_has_no_owner() -> None:
    waiting = (Assignment(1, None, at("2026-11-20T10:00:00"), "no agency serves 99999"),)
    task = one(derived(assessed=transition(agency=None, queue="coordinator", assignments=waiting)), "Task")
    assert "owner" not in task
    assert task["status"] == "requested"


def test_a_rerouted_task_is_ended_with_its_reason_and_replaced_by_one_with_another_id() -> None:
    declined = Assignment(
        1, "river-cmhc", at("2026-11-20T10:00:00"), "", until=at("2026-11-20T15:00:00"), ended="declined", status="rejected", reason="No capacity"
    )
    next_turn = Assignment(2, "oak-cmhc", at("2026-11-20T15:00:00"), "River declined")
    assessed = transition(agency="oak-cmhc", assignments=(declined, next_turn))
    first, second = of_type(derived(assessed=assessed), "Task")
    assert (first["status"], first["statusReason"], first["owner"]["reference"]) == ("rejected", {"text": "No capacity"}, "Organization/river-cmhc")
    assert (second["status"], second["owner"]["reference"]) == ("requested", "Organization/oak-cmhc")
    assert first["id"] != second["id"]
    only_mine = derived(assessed=assessed, context=replace(CONTEXT, recipient="oak-cmhc"))
    assert [task["id"] for task in of_type(only_mine, "Task")] == [second["id"]]


def test_the_agencys_own_business_status_stands_where_no_appointment_says_more() -> None:
    task_id = one(derived(), "Task")["id"]
    claim = Claim(task_id, "river-cmhc", "in-progress", at("2026-11-20T11:00:00"), business_status="5.1.1")
    turn = (Assignment(1, "river-cmhc", at("2026-11-20T10:00:00"), "", status="in-progress"),)
    task = one(derived(assessed=transition(assignments=turn, stay_claims=(claim,))), "Task")
    assert task["businessStatus"]["coding"][0]["code"] == "5.1.1"


CALLERS = [
    # what the messages said of the patient                                                        what the plan says at its top
    ({}, "Language and interpreter: Spanish: interpreter needed"),
    ({"communication": []}, "Language and interpreter: unknown"),
    ({"communication": [{"language": {"text": "English"}}]}, "Language and interpreter: English: no interpreter asked for"),
    ({}, "Safe contact: unknown"),
    ({}, "Legal status: unknown"),
    ({}, "Long-acting injection: unknown"),
    ({}, "Discharge medication runs out: unknown"),
    ({}, "Contact with family: withheld unless the client agrees"),
    (
        {
            "address": [
                {"line": ["secret"], "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/iso21090-AD-use", "valueCode": "CONF"}]},
            ]
        },
        "Confidential address: yes: write to or visit no other address",
    ),
]


@pytest.mark.parametrize(("said", "shown"), CALLERS)
def test_what_callers_must_know_stands_at_the_top_and_unknown_is_said(said: dict[str, Any], shown: str) -> None:
    plan = one(derived(person(patient=people.patient(**said))), "CarePlan")
    assert shown in plan["description"]
    subject, _, answer = shown.partition(": ")
    assert f"<tr><th>{subject}</th><td>{answer}</td></tr>" in plan["text"]["div"].partition("Aftercare plan")[0]


def test_what_the_stay_told_of_injection_supply_and_legal_status_is_shown() -> None:
    injection = {
        "resourceType": "MedicationRequest",
        "id": "lai",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Haloperidol decanoate 100 mg"},
        "subject": {"reference": "Patient/ana"},
        "dosageInstruction": [{"timing": {"event": ["2026-12-01"]}}],
    }
    tablets = {
        "resourceType": "MedicationRequest",
        "id": "tablets",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Sertraline 50 mg"},
        "subject": {"reference": "Patient/ana"},
        "authoredOn": "2026-11-20",
        "dispenseRequest": {"expectedSupplyDuration": {"value": 14, "code": "d"}},
    }
    legal = {
        "resourceType": "Observation",
        "id": "legal",
        "status": "final",
        "code": {"text": "Legal status"},
        "valueString": "Outpatient commitment until March",
        "subject": {"reference": "Patient/ana"},
    }
    said = one(derived(person(stay_record(parts=[injection, tablets, legal]))), "CarePlan")["description"]
    assert "Long-acting injection: Haloperidol decanoate 100 mg, due 2026-12-01" in said
    assert "Discharge medication runs out: 2026-12-04" in said
    assert "Legal status: Outpatient commitment until March" in said


def test_a_minor_without_a_known_guardian_is_said_to_be_one() -> None:
    record = person(patient=people.patient(birthDate="2012-01-15"))
    assessed = transition(record, stay_client=replace(transition().stay.client, birth_date=people.date(2012, 1, 15)))
    assert "Guardian or consenting adult: unknown; the client is a minor (14 years)" in one(derived(record, assessed), "CarePlan")["description"]


def test_the_care_team_has_hospital_staff_primary_care_and_the_agency_that_accepted() -> None:
    turn = (Assignment(1, "river-cmhc", at("2026-11-20T11:00:00"), "", status="accepted"),)
    team = one(derived(assessed=transition(assignments=turn)), "CareTeam")
    shown = [
        (member["role"][0]["text"], member["member"]["reference"], member.get("onBehalfOf", {}).get("reference")) for member in team["participant"]
    ]
    assert shown == [
        ("Attending physician", "Practitioner/dr-lee", "Organization/st-mary"),
        ("Referring practitioner", "Practitioner/dr-hill", None),
        ("Primary care provider", "Practitioner/dr-hill", None),
        ("Community mental-health agency", "Organization/river-cmhc", None),
        ("Discharging hospital", "Organization/st-mary", None),
    ]


def test_family_is_not_in_the_care_team_unless_it_acts_for_the_client() -> None:
    def relative(name: str, code: str) -> Json:
        system = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
        return {
            "resourceType": "RelatedPerson",
            "id": name,
            "active": True,
            "patient": {"reference": "Patient/ana"},
            "relationship": [{"coding": [{"system": system, "code": code}]}],
            "name": [{"text": name.title()}],
        }

    found = derived(person(related=(relative("sister", "SIS"), relative("guardian", "GUARD"))))
    members = {member["member"]["reference"] for member in one(found, "CareTeam")["participant"]}
    assert "RelatedPerson/guardian" in members
    assert "RelatedPerson/sister" not in members


def test_provenance_names_messages_and_rule_and_is_as_old_as_the_newest_message() -> None:
    """Law 6; Provenance names inbox messages by identifier, not by reference; `recorded` never depends on when it was derived."""
    found = derived()
    origins = of_type(found, "Provenance")
    assert len(origins) == len(found) - len(origins)
    for origin in origins:
        assert origin["recorded"] == "2026-11-20T10:02:00.000-06:00"
        assert [entity["what"]["identifier"]["value"] for entity in origin["entity"]] == ["st-mary/C11", "st-mary/C17"]
        assert all("reference" not in entity["what"] for entity in origin["entity"])
        assert origin["agent"][0]["who"] == {"reference": "Device/gateway"}
        assert origin["agent"][0]["onBehalfOf"] == {"reference": "Organization/gateway"}  # us-core provenance-1
    assert {origin["target"][0]["reference"] for origin in origins} == {
        f"{resource['resourceType']}/{resource['id']}" for resource in found if resource["resourceType"] != "Provenance"
    }
    assert f"urn:care-transition-gateway:rule:care-plan:{CONTEXT.policy.version}" in [policy for origin in origins for policy in origin["policy"]]


def test_raised_flags_become_active_flags_with_evidence_and_what_would_clear_them() -> None:
    flag = one(derived(), "Flag")
    assert (flag["status"], flag["period"]) == ("active", {"start": "2026-11-20T10:00:00-06:00"})
    assert flag["code"]["coding"] == [{"system": "urn:care-transition-gateway:flag", "code": "no-follow-up-scheduled"}]
    assert "ADT^A03 from st-mary" in flag["text"]["div"]
    assert "What would clear it: A mental-health appointment on or before 27 November" in flag["text"]["div"]


def test_the_plan_references_its_requests_the_appointment_and_the_task() -> None:
    record = person(appointments=(people.appointment(),))
    found = derived(record, transition(record, follow_ups=(people.booked(),), follow_up=FollowUpSummary("booked")))
    named = [activity["reference"]["reference"] for activity in one(found, "CarePlan")["activity"] if "reference" in activity]
    requests = [f"ServiceRequest/{each['id']}" for each in of_type(found, "ServiceRequest")]
    assert named == [*requests, "Appointment/visit-1", f"Task/{one(found, 'Task')['id']}"]


def test_first_contact_is_completed_by_a_contact_that_reached_the_client_after_the_discharge() -> None:
    def first_contact(**change: Any) -> str:
        found = derived(assessed=transition(**change))
        return next(str(each["status"]) for each in of_type(found, "ServiceRequest") if "72 hours" in each["code"]["text"])

    assert first_contact() == "active"
    assert first_contact(contacts=(people.contact("2026-11-21T09:00:00", reached=False),)) == "active"
    assert first_contact(contacts=(people.contact("2026-11-19T09:00:00"),)) == "active"
    assert first_contact(contacts=(people.contact("2026-11-21T09:00:00"),)) == "completed"


def test_somebody_elses_plan_is_what_ours_is_based_on_and_never_replaces() -> None:
    theirs = {
        "resourceType": "CarePlan",
        "id": "theirs",
        "status": "active",
        "intent": "plan",
        "category": [{"text": "x"}],
        "subject": {"reference": "Patient/ana"},
    }
    plan = one(derived(person(care=(people.Owned(theirs),))), "CarePlan")
    assert plan["basedOn"] == [{"reference": "CarePlan/theirs"}]
    assert "replaces" not in plan


SCENES: list[tuple[str, PersonRecord, dict[str, Any]]] = [
    ("open", person(), {}),
    ("anticipated", person(), {"status": "anticipated", "stay_discharged": None, "stay_expected_discharge": at("2026-11-22T10:00:00")}),
    ("no dates", person(), {"status": "anticipated", "stay_discharged": None}),
    ("nobody known", person(shared={}, patient=people.patient(generalPractitioner=[])), {"agency": None, "queue": "coordinator", "assignments": ()}),
    ("booked", person(appointments=(people.appointment(),)), {"follow_ups": (people.booked(),)}),
    ("substance use", person(stay_record(parts=[condition("sud", "F11.20", "Opioid dependence")])), {}),
    ("part 2", person(stay_record(part2=True)), {}),
    ("jail", person(), {"stay_disposition": Code("Court", "21")}),
    ("void", person(), {"status": "void"}),
]


@pytest.mark.parametrize(("name", "record", "change"), SCENES, ids=[name for name, _, _ in SCENES])
def test_everything_derived_is_valid_r4_meets_us_core_and_refers_to_nothing_that_is_missing(
    name: str, record: PersonRecord, change: dict[str, Any]
) -> None:
    found = derived(record, transition(record, **change))
    for resource in found:
        validate(resource)
        us_core(resource)
    assert dangling(record, found) == set()
    assert len({(resource["resourceType"], resource["id"]) for resource in found}) == len(found)


def us_core(resource: Json) -> None:
    """What US Core 6.1.0 asks beyond R4, by hand from its profiles."""
    confidentiality = [
        coding["code"] for coding in resource["meta"]["security"] if coding["system"] == "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    ]
    assert len(confidentiality) == 1
    match resource["resourceType"]:
        case "CarePlan":
            assert resource["text"]["status"] in ("generated", "additional")
            assert resource["text"]["div"].startswith('<div xmlns="http://www.w3.org/1999/xhtml">')
            codes = [(coding["system"], coding["code"]) for category in resource["category"] for coding in category["coding"]]
            assert ("http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "assess-plan") in codes
            assert all(("reference" in activity) != ("detail" in activity) for activity in resource["activity"])  # cpl-3
        case "CareTeam":
            assert resource["participant"]
            for member in resource["participant"]:
                assert len(member["role"]) == 1
                assert member["member"]["reference"]
                assert "onBehalfOf" not in member or member["member"]["reference"].startswith("Practitioner/")  # ctm-1
        case "ServiceRequest":
            codings = [coding for category in resource["category"] for coding in category["coding"]]
            us_core_category = {"sdoh", "386053000", "410606002", "409063005", "409073007"}
            assert {coding["code"] for coding in codings} <= us_core_category
            assert resource["status"]
            assert resource["intent"] == "proposal"
            assert resource["code"]["text"]
            assert resource["authoredOn"]
            assert resource["requester"]["reference"]
        case "Provenance":
            assert resource["target"]
            assert resource["recorded"]
            assert all(agent["onBehalfOf"] for agent in resource["agent"])  # provenance-1


def dangling(record: PersonRecord, found: tuple[Json, ...]) -> set[str]:
    """References that neither the record, nor what was derived, nor the configuration answers."""
    configured = {"Organization/gateway", "Device/gateway", *(f"Organization/{name}" for name in people.AGENCIES)}
    present = {f"{each['resourceType']}/{each['id']}" for each in (*resources_of(record), *found)} | configured
    return set(re.findall(r"'reference': '([^']+)'", str(found))) - present


MARKUP = st.sampled_from(["<script>alert(1)</script>", "<img src=x onerror=y>", "a & b", '" onload="', "]]>", "\x0b\x00", "<b>bold</b>", "plain"])


@given(words=st.lists(st.one_of(MARKUP, st.text(max_size=30)), min_size=4, max_size=4))
@settings(max_examples=60, deadline=None)
def test_no_markup_of_a_message_reaches_a_narrative(words: list[str]) -> None:
    """CarePlan and Flag narratives hold our elements alone, and are well-formed XML."""
    import xml.etree.ElementTree as ElementTree

    diagnosis, language, hospital, reason = words
    record = person(
        stay_record(parts=[condition("c", "F33.2", diagnosis)], hospital=hospital),
        patient=people.patient(communication=[{"language": {"text": language}}]),
    )
    flags = tuple(flag._replace(clears=reason, evidence=(people.Evidence(diagnosis),)) for flag in transition().flags)
    found = derived(record, transition(record, reasons=(reason,), flags=flags))
    for resource in found:
        if "text" not in resource:
            continue
        root = ElementTree.fromstring(resource["text"]["div"])
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert tags <= {"div", "h4", "p", "ul", "li", "table", "tr", "th", "td"}
        assert all(not element.attrib for element in root.iter())


def test_derivation_is_the_same_every_time_whatever_the_order_of_sources() -> None:
    """No version without a change: the same record and assessment yield the same JSON; sources in another order change nothing."""
    record = person()
    stay = record.stays[0]
    turned = replace(record, stays=(replace(stay, sources=tuple(reversed(stay.sources))),))
    assert derived(record) == derived(record) == derived(turned, transition(record))


def test_a_substance_use_service_is_labelled_as_such() -> None:
    found = derived(person(stay_record(parts=[condition("sud", "F11.20", "Opioid dependence")])))
    (request,) = [each for each in of_type(found, "ServiceRequest") if each["code"]["text"].startswith("Substance")]
    assert {"R", "SUD", "42CFRPart2"} <= {coding["code"] for coding in request["meta"]["security"]}


def test_transition_json_has_the_shape_that_design_gives() -> None:
    record = person()
    shown = transition_json(transition(record), record)
    asked = {
        "id", "client", "hospital", "admitted", "discharged", "expected_discharge", "status", "follow_up", "flags", "tier", "reasons",
        "agency", "queue", "closed_as", "next_look",
    }  # fmt: skip
    assert asked <= shown.keys()
    assert shown["client"] == {"name": "Ana Ruiz", "birth_date": "1988-04-02", "identifiers": [{"system": "urn:st-mary", "value": "MRN100"}]}
    assert (shown["discharged"], shown["expected_discharge"]) == ("2026-11-20T10:00:00-06:00", None)
    assert shown["follow_up"] == {"state": "none", "start": None, "evidence": [], "reference": None}
    assert shown["flags"] == [
        {
            "code": "no-follow-up-scheduled",
            "since": "2026-11-20T10:00:00-06:00",
            "evidence": [{"text": "ADT^A03 from st-mary", "reference": "message 17"}],
            "clears": "A mental-health appointment on or before 27 November",
            "owner": "coordinator",
            "due": None,
            "next_step": "",
        }
    ]
