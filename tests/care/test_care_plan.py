"""The CarePlan: what callers must know, goals, activities, others' plans, a narrative that is safe, and where each statement came from."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.profiles.profiles import BUILT_IN, Profiles, load
from gateway.mappings.care.derive import derive
from gateway.mappings.care.narrative import narrative, paragraph
from gateway.privacy import labels, notice
from gateway.records.ids import identifier
from gateway.records.record import Owned, PersonRecord
from gateway.records.statements import Json
from gateway.store.interface import ALL
from gateway.store.sqlite import open_sqlite
from gateway.web.care.origins import NOT_SAID, Origins, messages_of
from gateway.web.care.records import read
from gateway.web.care.sheet import sections
from tests.attacks_feeds.processes import here
from tests.care import people
from tests.care.people import CONTEXT, at, condition, of_type, person, stay_record, transition
from tests.pipeline.county import BOOKED, CONFIGURATION, DIAGNOSIS, FEEDS, feed, memory_folder, message, state, store_at, visit
from transitions.model import Assignment, Transition

ROLE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
XHTML = "{http://www.w3.org/1999/xhtml}"


def derived(record: PersonRecord | None = None, assessed: Transition | None = None, context: Any = CONTEXT) -> tuple[Json, ...]:
    record = record or person()
    return derive(record, record.stays[0], assessed or transition(record), context)


def plan_of(record: PersonRecord | None = None, assessed: Transition | None = None, context: Any = CONTEXT) -> Json:
    (plan,) = of_type(derived(record, assessed, context), "CarePlan")
    return plan


# --- what callers must know -------------------------------------------------------------------------------------------


def observation(name: str, code: str, value: str = "", status: str = "final", **more: Any) -> Json:
    said = {"valueString": value} if value else {}
    return {"resourceType": "Observation", "id": name, "status": status, "code": {"text": code}, **said, **more}


def contact_flag(text: str, status: str = "active") -> Json:
    category = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/flag-category", "code": "contact"}]}
    return {"resourceType": "Flag", "id": "contact", "status": status, "category": [category], "code": {"text": text}}


def restriction(instruction: str, status: str = "final") -> Json:
    """ARV as `mappings.hl7v2` says it."""
    coded = {"coding": [{"system": "urn:gateway:hl7v2", "code": "ARV-5"}], "text": "Instructions"}
    code = {"coding": [{"system": "urn:gateway:hl7v2", "code": "ARV"}], "text": "Access restriction"}
    return {
        "resourceType": "Observation",
        "id": "arv",
        "status": status,
        "code": code,
        "component": [{"code": coded, "valueString": instruction}],
    }


def relative(name: str, code: str) -> Json:
    return {
        "resourceType": "RelatedPerson",
        "id": name.casefold(),
        "patient": {"reference": "Patient/ana"},
        "relationship": [{"coding": [{"system": ROLE, "code": code}]}],
        "name": [{"family": "Ruiz", "given": [name]}],
    }


def order(name: str, drug: str, status: str = "active", **more: Any) -> Json:
    return {"resourceType": "MedicationRequest", "id": name, "status": status, "intent": "order", "medicationCodeableConcept": {"text": drug}, **more}


def supply(days: float, unit: str = "d") -> Json:
    return {"expectedSupplyDuration": {"value": days, "code": unit}}


CALLERS = [
    # what was said of the stay or the client                                          the question                      the answer
    ((), "Safe contact", "unknown"),
    ((contact_flag("No voicemail; call the shelter's office"),), "Safe contact", "No voicemail; call the shelter's office"),
    ((contact_flag("No voicemail", status="inactive"),), "Safe contact", "unknown"),
    (({"resourceType": "Flag", "id": "f", "status": "active", "code": {"text": "Falls"}},), "Safe contact", "unknown"),
    ((restriction("Do not send post"),), "Safe contact", "Do not send post"),
    ((restriction("Do not send post", status="entered-in-error"),), "Safe contact", "unknown"),
    ((observation("o", "Contact instructions", "no messages with family"),), "Safe contact", "Contact instructions: no messages with family"),
    ((condition("d", "Z69.11", "Victim of spousal or partner abuse"),), "Safe contact", "Victim of spousal or partner abuse"),
    ((relative("Bo", "GUARD"),), "Guardian or consenting adult", "Bo Ruiz"),
    ((relative("Bo", "SIS"),), "Guardian or consenting adult", "unknown"),
    ((observation("o", "Interpreter needed", "ASL"),), "Language and interpreter", "Spanish: Interpreter needed: ASL"),
    ((observation("o", "Legal status", "Involuntary hold"),), "Legal status", "Involuntary hold"),
    ((observation("o", "Legal status", "Involuntary hold", status="entered-in-error"),), "Legal status", "unknown"),
    ((observation("o", "Glucose", "5150"),), "Legal status", "Glucose: 5150"),  # California's hold is called so: shown as it was said, for a person
    ((observation("o", "Creatinine", "15150"),), "Legal status", "unknown"),
    ((order("m", "Paliperidone palmitate 156 mg", dosageInstruction=[{"timing": {"event": ["2026-12-04"]}}]),), "Long-acting injection",
     "Paliperidone palmitate 156 mg, due 2026-12-04"),
    ((order("m", "Haloperidol decanoate 50 mg", status="stopped"),), "Long-acting injection", "unknown"),
    ((order("m", "Lailax 10 mg"),), "Long-acting injection", "unknown"),
    ((order("m", "Sertraline", authoredOn="2026-11-20", dispenseRequest=supply(14)),), "Discharge medication runs out", "2026-12-04"),
    ((order("m", "Sertraline", authoredOn="2026-11-20", dispenseRequest=supply(2, "wk")),), "Discharge medication runs out", "2026-12-04"),
    ((order("a", "A", authoredOn="2026-11-20", dispenseRequest=supply(30)), order("b", "B", authoredOn="2026-11-20", dispenseRequest=supply(7))),
     "Discharge medication runs out", "2026-11-27"),
    ((order("m", "Old", authoredOn="2024-11-20", dispenseRequest=supply(14)),), "Discharge medication runs out", "unknown"),
    ((order("m", "Sertraline", authoredOn="2026-11-20", dispenseRequest=supply(1e12)),), "Discharge medication runs out", "unknown"),
    (({"resourceType": "MedicationDispense", "id": "g", "status": "completed", "whenHandedOver": "2026-11-20T09:00:00-06:00",
       "daysSupply": {"value": 10, "unit": "days"}},), "Discharge medication runs out", "2026-11-30"),
    ((observation("o", "Medication supply", "7 days"),), "Discharge medication runs out", "Medication supply: 7 days"),
    ((relative("Bo", "SIS"),), "Contact with family", "withheld unless the client agrees"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "question", "answer"), CALLERS, ids=[f"{question}: {answer}" for _, question, answer in CALLERS])
def test_what_messages_said_is_what_callers_are_told(said: tuple[Json, ...], question: str, answer: str) -> None:
    parts = [one for one in said if one["resourceType"] != "RelatedPerson"]
    plan = plan_of(person(stay_record(parts=parts), related=tuple(one for one in said if one["resourceType"] == "RelatedPerson")))
    table = ElementTree.fromstring(plan["text"]["div"])[1]
    assert {row[0].text: row[1].text for row in table}[question] == answer
    assert f"{question}: {answer}" in plan["description"]


def test_the_reason_of_the_admission_may_state_the_legal_status() -> None:
    """HL7 v2 has no field for it; hospitals write it as the admit reason (PV2-3), the type of admission (PV1-4) or an observation."""
    plan = plan_of(person(stay_record(encounter={"reasonCode": [{"text": "Involuntary hold, danger to self"}]})))
    assert "Legal status: Involuntary hold, danger to self" in plan["description"]


def test_what_callers_must_know_comes_first_and_always_asks_the_same() -> None:
    heading, table, *_ = ElementTree.fromstring(plan_of()["text"]["div"])
    assert heading.text == "Before you call"
    assert [row[0].text for row in table] == [
        "Safe contact",
        "Confidential address",
        "Guardian or consenting adult",
        "Language and interpreter",
        "Legal status",
        "Long-acting injection",
        "Discharge medication runs out",
        "Contact with family",
    ]


NEEDED = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-interpreter-needed"
REQUIRED = "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired"
INTERPRETER = [
    # the Patient's extensions, its language                                                   what is said
    ([{"url": NEEDED, "valueCoding": {"system": "http://snomed.info/sct", "code": "373066001"}}], "English", "English: interpreter needed"),
    ([{"url": NEEDED, "valueCoding": {"system": "http://snomed.info/sct", "code": "373067005"}}], "Spanish", "Spanish: no interpreter asked for"),
    ([{"url": REQUIRED, "valueBoolean": True}], "", "language unknown: interpreter needed"),
    ([{"url": REQUIRED, "valueBoolean": False}], "Somali", "Somali: no interpreter asked for"),
    ([], "Somali", "Somali: interpreter needed"),
]


@pytest.mark.parametrize(("extension", "language", "answer"), INTERPRETER)
def test_the_need_of_an_interpreter_is_what_was_asked_for_else_what_the_language_says(extension: list[Json], language: str, answer: str) -> None:
    spoken = [{"language": {"text": language}}] if language else []
    plan = plan_of(person(patient=people.patient(extension=extension, communication=spoken)))
    assert f"Language and interpreter: {answer};" in plan["description"]


def test_for_a_minor_a_parent_or_who_consented_is_named_and_that_it_is_a_minor() -> None:
    stay = stay_record(parts=[])
    young = replace(transition().stay.client, birth_date=at("2012-01-15T00:00:00").date())
    parent = person(stay, related=(relative("Eva", "MTH"),))
    said = plan_of(parent, transition(parent, stay_client=young))["description"]
    assert "Guardian or consenting adult: parent Eva Ruiz; the client is a minor (14 years)" in said
    consent = {
        "resourceType": "Consent",
        "id": "c",
        "status": "active",
        "verification": [{"verified": True, "verifiedWith": {"display": "Eva Ruiz"}}],
    }
    consented = person(stay, consents=(Owned(consent),))
    said = plan_of(consented, transition(consented, stay_client=young))["description"]
    assert "Guardian or consenting adult: Eva Ruiz gave a consent; the client is a minor (14 years)" in said


def test_what_was_said_of_another_stay_is_not_told_of_this_one() -> None:
    earlier = stay_record("stay-0", parts=[observation("o", "Legal status", "Involuntary hold")])
    elsewhere = Owned(observation("p", "Safe contact", "No post"), stay="stay-0")
    record = person(stay_record(parts=[]), earlier, observations=(elsewhere,))
    assert "Safe contact: unknown" in plan_of(record)["description"]
    assert "Legal status: unknown" in plan_of(record)["description"]


# --- goals, activities, others' plans ---------------------------------------------------------------------------------


def test_goals_are_proposed_with_a_day_by_the_policys_numbers() -> None:
    """US Core Goal: lifecycleStatus, description, subject, and a start or a target day. Discharged on 20 November in Chicago."""
    found = of_type(derived(), "Goal")
    assert [(goal["lifecycleStatus"], goal["startDate"], goal["target"]) for goal in found] == [
        ("proposed", "2026-11-20", [{"dueDate": "2026-11-27"}]),
        ("proposed", "2026-11-20", [{"dueDate": "2026-12-20"}]),
        ("proposed", "2026-11-20", [{"dueDate": "2026-12-20"}]),
    ]
    assert all(goal["subject"] == {"reference": "Patient/ana"} for goal in found)
    assert found[0]["description"] == {"text": "Seen by a community mental-health service within 7 days of leaving hospital"}
    assert plan_of()["goal"] == [{"reference": f"Goal/{goal['id']}"} for goal in found]


def theirs(kind: str, name: str, stay: str | None = None, **more: Any) -> Owned:
    source = people.source(31, "PPR^PC1", at("2026-11-19T09:00:00"))
    later = people.source(32, "PPR^PC2", at("2026-11-21T09:00:00"))
    return Owned({"resourceType": kind, "id": name, "subject": {"reference": "Patient/ana"}, **more}, (source, later), stay=stay)


def test_a_clinicians_goals_come_before_the_policys_and_those_of_another_stay_not_at_all() -> None:
    record = person(
        care=(
            theirs("Goal", "sleep", lifecycleStatus="active", description={"text": "Sleeps through the night"}),
            theirs("Goal", "wrong", lifecycleStatus="entered-in-error", description={"text": "Wrong"}),
            theirs("Goal", "before", stay="stay-0", lifecycleStatus="active", description={"text": "Of an earlier stay"}),
        )
    )
    named = [goal["reference"] for goal in plan_of(record)["goal"]]
    assert named[0] == "Goal/sleep"
    assert len(named) == 4
    assert not {"Goal/wrong", "Goal/before"} & set(named)
    assert "Goal/sleep" not in {f"Goal/{one['id']}" for one in of_type(derived(record), "Goal")}  # referred to, never made anew


def test_every_activity_refers_to_a_request_an_appointment_or_the_one_current_task() -> None:
    declined = Assignment(1, "river-cmhc", at("2026-11-20T10:00:00"), "", until=at("2026-11-20T15:00:00"), ended="declined", status="rejected")
    now = Assignment(2, "oak-cmhc", at("2026-11-20T15:00:00"), "River declined")
    record = person(appointments=(people.appointment(),))
    assessed = transition(record, agency="oak-cmhc", assignments=(declined, now), follow_ups=(people.booked(),))
    found = derived(record, assessed)
    (plan,) = of_type(found, "CarePlan")
    assert all(activity.keys() == {"reference"} for activity in plan["activity"])
    named = [activity["reference"]["reference"] for activity in plan["activity"]]
    assert {name.split("/")[0] for name in named} == {"ServiceRequest", "Appointment", "Task"}
    assert [name for name in named if name.startswith("Task/")] == [f"Task/{of_type(found, 'Task')[1]['id']}"]
    titles = [request["code"]["text"] for request in of_type(found, "ServiceRequest")]
    assert {name for name in named if name.startswith("ServiceRequest/")} == {
        f"ServiceRequest/{one['id']}" for one in of_type(found, "ServiceRequest")
    }
    for wanted in ("follow-up visit", "First contact within 72 hours", "discharge medication", "988"):
        assert any(wanted in title for title in titles), wanted


OTHER_PLANS = [
    # status of their plan, its activities                                                      what ours says of it
    ("active", [{"detail": {"status": "not-started", "description": "Call the GP"}}], "Still open in it: Call the GP."),
    ("active", [{"detail": {"status": "completed", "description": "Call the GP"}}], "It is active, and nothing in it is open."),
    ("active", [{"reference": {"reference": "ServiceRequest/theirs"}}], "Still open in it: Home nursing."),
    ("active", [{"reference": {"reference": "ServiceRequest/done"}}], "It is active, and nothing in it is open."),
    ("active", [{"reference": {"reference": "ServiceRequest/unseen", "display": "Smoking advice"}}], "Still open in it: Smoking advice."),
    ("completed", [{"detail": {"status": "not-started", "description": "Call the GP"}}], "It is completed, and nothing in it is open."),
]


@pytest.mark.parametrize(("status", "activity", "said"), OTHER_PLANS)
def test_ours_rests_on_a_plan_of_others_never_replaces_it_and_says_what_of_it_is_open(status: str, activity: list[Json], said: str) -> None:
    record = person(
        care=(
            theirs("CarePlan", "theirs", status=status, intent="plan", title="Ward plan", activity=activity),
            theirs("ServiceRequest", "theirs", status="active", intent="order", code={"text": "Home nursing"}),
            theirs("ServiceRequest", "done", status="completed", intent="order", code={"text": "Blood test"}),
        )
    )
    plan = plan_of(record)
    assert plan["basedOn"] == [{"reference": "CarePlan/theirs"}]
    assert "replaces" not in plan
    note = f"Another system's plan, Ward plan, stands beside this one. {said}"
    assert plan["note"] == [{"text": note}]
    assert note in "".join(ElementTree.fromstring(plan["text"]["div"]).itertext())


def test_a_plan_of_others_that_was_entered_in_error_is_none() -> None:
    assert "basedOn" not in plan_of(person(care=(theirs("CarePlan", "theirs", status="entered-in-error", intent="plan"),)))


ENDS = [
    # what assessment says                                              plan, goals, why
    ({"status": "anticipated"}, "draft", "proposed", None),
    ({"status": "open"}, "active", "proposed", None),
    ({"status": "closed", "closed_as": "follow-up-kept"}, "completed", "completed", "Closed: the client was seen."),
    ({"status": "closed", "closed_as": "readmitted"}, "revoked", "cancelled", "Closed: the client is in hospital again."),
    ({"status": "void"}, "revoked", "cancelled", "The discharge was cancelled."),
    ({"status": "void", "stay_state": "entered-in-error"}, "entered-in-error", "entered-in-error", "Entered in error."),
]


@pytest.mark.parametrize(("said", "plan_status", "goal_status", "why"), ENDS)
def test_plan_and_goals_end_with_the_transition_and_say_why(said: dict[str, Any], plan_status: str, goal_status: str, why: str | None) -> None:
    found = derived(assessed=transition(**said))
    (plan,) = of_type(found, "CarePlan")
    assert plan["status"] == plan_status
    assert {goal["lifecycleStatus"] for goal in of_type(found, "Goal")} == {goal_status}
    assert [note["text"] for note in plan.get("note", [])] == ([why] if why else [])
    assert {goal.get("statusReason") for goal in of_type(found, "Goal")} == {why}


FULL = person(
    stay_record(parts=[condition("c", "F33.2", "Depression"), contact_flag("No post"), observation("o", "Legal status", "Involuntary hold")]),
    related=(relative("Bo", "GUARD"),),
    appointments=(people.appointment(),),
    care=(
        theirs("Goal", "sleep", lifecycleStatus="active", description={"text": "Sleeps"}),
        theirs("CarePlan", "p", status="active", intent="plan", title="Ward plan"),
    ),
)


@pytest.mark.parametrize("said", [said for said, *_ in ENDS], ids=[wanted for _, wanted, *_ in ENDS])
@pytest.mark.parametrize("package", BUILT_IN)
def test_whatever_is_derived_is_valid_under_us_core(package: str, said: dict[str, Any]) -> None:
    found = derived(FULL, transition(FULL, follow_ups=(people.booked(),), **said))
    errors = [one for resource in found for one in profiles(package).check(resource, meant=True) if one.severity == "error"]
    assert errors == []


@cache
def profiles(package: str) -> Profiles:
    """The validator for a package, compiled once."""
    return load(package)


# --- narrative --------------------------------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    "</td></tr></table><h1>x</h1>",
    "&lt;b&gt; &amp; &nbsp; &#x1F600;",
    "]]><!-- x --><?php x ?>",
    "a\x00b\x07c\x1bd\x7fe\x9ff",
    "\u202egnp.exe \u2066x\u2069",
    "مرضى النفسية",
    "\ud800 lone \ufffe",
    "😀 " * 50,
    "' onmouseover='x' \"",
]
FHIR_ELEMENTS = {"div", "h4", "p", "ul", "li", "table", "tr", "th", "td"}


@pytest.mark.parametrize("words", HOSTILE)
def test_whatever_a_message_says_the_narrative_holds_our_elements_alone(words: str) -> None:
    """FHIR txt-1 and txt-2: XHTML of the allowed elements, with content; no attribute but the name space, no control character, no turned text."""
    record = person(
        stay_record(parts=[condition("c", "F33.2", words), contact_flag(words), observation("o", "Legal status", words)], hospital=words),
        related=(relative(words, "GUARD"),),
        care=(
            theirs(
                "CarePlan", "p", status="active", intent="plan", title=words, activity=[{"detail": {"status": "scheduled", "description": words}}]
            ),
        ),
    )
    plan = plan_of(record, transition(record, stay_hospital=words))
    root = ElementTree.fromstring(plan["text"]["div"])
    assert {one.tag for one in root.iter()} <= {f"{XHTML}{name}" for name in FHIR_ELEMENTS}
    assert all(not one.attrib for one in root.iter())
    spoken = "".join(root.itertext())
    assert spoken.strip()
    unsafe = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
    assert not unsafe.search(spoken)
    assert not unsafe.search(plan["description"] + str(plan["note"]))
    assert unsafe.sub(" ", words) in spoken  # nothing else is lost: letters of any script, and the words of the markup as words


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_any_text_is_text_in_a_narrative(words: str) -> None:
    (found,) = ElementTree.fromstring(narrative(paragraph(words))["div"])
    assert list(found) == []


# --- labels and the notice --------------------------------------------------------------------------------------------


def test_a_plan_is_as_sensitive_as_a_goal_that_it_repeats_and_carries_its_notice() -> None:
    goal = theirs("Goal", "sober", lifecycleStatus="active", description={"text": "Stays away from alcohol"})
    plan = plan_of(person(care=(goal,)))
    assert {"R", "SUD"} <= labels.labels_of(plan)
    assert notice.NOTICE not in plan["text"]["div"]
    record = person(care=(replace(goal, resource=notice.marked(goal.resource, ("Consent/7",))),))
    plan = plan_of(record)
    assert plan["text"]["div"].startswith(f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{notice.NOTICE}')
    assert notice.consents_of(plan) == ("Consent/7",)


def test_a_tier_reason_that_only_the_narrative_repeats_labels_the_plan() -> None:
    assert "SUD" in labels.labels_of(plan_of(assessed=transition(reasons=("substance use",))))
    assert "SUD" not in labels.labels_of(plan_of())


# --- where it came from -----------------------------------------------------------------------------------------------


def test_the_plans_provenance_names_the_messages_of_what_it_refers_to() -> None:
    """An agency is told the first message of each: how often a sender spoke again may be about what is withheld."""
    record = person(care=(theirs("CarePlan", "theirs", status="active", intent="plan", title="Ward plan"),))

    def messages(recipient: str | None) -> list[str]:
        found = derived(record, context=replace(CONTEXT, recipient=recipient))
        (plan,) = of_type(found, "CarePlan")[:1]
        (origin,) = [one for one in of_type(found, "Provenance") if one["target"] == [{"reference": f"CarePlan/{plan['id']}"}]]
        return [entity["what"]["identifier"]["value"] for entity in origin["entity"]]

    assert messages(None) == ["st-mary/C11", "st-mary/C31", "st-mary/C17", "st-mary/C32"]
    assert messages("river-cmhc") == ["st-mary/C11", "st-mary/C31", "st-mary/C17"]


OPIOIDS = "DG1|2||F11.20^Opioid dependence^I10|||A|||||||||2"
LEGAL = "OBX|1|ST|LEGAL^Legal status||Involuntary hold <b>now</b>||||||F"
STORY = [
    message("ADT^A01^ADT_A01", "20260302090000", "1", "NK1|1|Quist^Bo|GRD^Guardian", visit(), DIAGNOSIS),
    message("ADT^A08^ADT_A01", "20260309090000", "2", "NK1|1|Quist^Bo|GRD^Guardian", visit(), LEGAL, DIAGNOSIS),
    message("ADT^A03^ADT_A03", "20260310110000", "3", visit(discharged="20260310104500", disposition="01"), "ARV||A|||No voicemail, no post"),
    message("PPR^PC1^PPR_PC1", "20260310120000", "4", visit(discharged="20260310104500", disposition="01"),
            "PRB|AD|20260310|X^Sleep problem^L|P1", "GOL|AD|20260310|G1^Sleeps well^L|GG1||||||||||||||A^Active^HL7"),
    message("SIU^S12^SIU_S12", "20260310130000", "5", *BOOKED),
]  # fmt: skip


def test_order_of_arrival_changes_no_derived_record() -> None:
    wanted = None
    for seed in range(6):
        told = STORY[:]
        random.Random(seed).shuffle(told)
        with memory_folder() as folder, store_at(folder) as store:
            feed(store, told)
            found = {
                name: body
                for name, body in state(store).items()
                if name.split()[1].split("/")[0] in ("CarePlan", "Goal", "ServiceRequest", "Provenance")
            }
        wanted = wanted or found
        assert found == wanted


def test_there_is_no_version_without_a_change() -> None:
    """The same again, and a message that says nothing new, leave CarePlan and Goals as they are; the new message is in the Provenance alone."""
    again = message("ADT^A08^ADT_A01", "20260311090000", "9", visit(discharged="20260310104500", disposition="01"), DIAGNOSIS)
    with memory_folder() as folder, store_at(folder) as store:
        feed(store, STORY)

        def versions() -> dict[str, int]:
            with store.reading() as reader:
                return {f"{one.type}/{one.id}": one.number for kind in ("CarePlan", "Goal") for one in reader.export(ALL, kind)}

        before = versions()
        feed(store, [*STORY, again])
        assert versions() == before


def test_a_voided_discharge_ends_the_records_and_a_later_one_begins_them_anew() -> None:
    back = message("ADT^A13^ADT_A01", "20260310150000", "6", visit())
    gone = message("ADT^A03^ADT_A03", "20260312110000", "7", visit(discharged="20260312104500", disposition="01"))

    def plan_after(*more: bytes) -> tuple[str, list[str]]:
        with memory_folder() as folder, store_at(folder) as store:
            feed(store, [*STORY, *more])
            (plan,) = [body for name, body in state(store).items() if name.startswith("* CarePlan/") and isinstance(body, dict)]
        return plan["status"], [note["text"] for note in plan.get("note", [])]

    assert plan_after() == ("active", [])
    assert plan_after(back) == ("revoked", ["The discharge was cancelled."])
    assert plan_after(back, gone) == ("active", [])


# --- shown to people --------------------------------------------------------------------------------------------------


@pytest.fixture
def county(tmp_path: Path) -> Iterator[Path]:
    """A data directory with Ada's story; its store is open, as while `serve` runs, until the test ends."""
    (tmp_path / "gateway.toml").write_text(
        """
        [[feed]]
        name = "st-mary"
        sending_facility = "STMARY"
        timezone = "America/Chicago"
        psychiatric_units = ["BHU"]
        mental_health_services = ["PSYFU"]
        [[agency]]
        id = "river"
        name = "River Community Mental Health"
        postal_codes = ["627*"]
        """,
        encoding="utf-8",
    )
    with store_at(tmp_path) as store:
        ours = replace(CONFIGURATION, identify=identifier(store.installation_key()))
        assert {outcome.state for outcome in feed(store, STORY, configuration=ours)} == {"processed"}
        yield tmp_path


def shown(data: Path, *options: str | Path) -> str:
    """What `transitions show` prints of the one transition there is."""
    (listed,) = orjson.loads(here("transitions", "list", "--data", data, "--json").stdout)
    done = here("transitions", "show", listed["id"], "--data", data, *options, COLUMNS="200")
    assert (done.returncode, done.stderr if not options or options[0] != "--html" else b"") == (0, b"")
    return done.stdout.decode()


def under(page: str, label: str) -> str:
    """The lines that stand under a label until the next one, as one."""
    lines = iter(page.splitlines())
    found = [next(line for line in lines if line.startswith(label)).removeprefix(label).strip()]
    for line in lines:
        if line[:1].strip() or not line.strip():
            break
        found.append(line.strip())
    return " ".join(found)


def test_show_prints_the_three_records_in_plain_words(county: Path) -> None:
    page = shown(county)
    for heading in ("Before you call", "Care plan", "To do", "Services requested", "Care team", "Risk and flags"):
        assert f"\n{heading}\n" in re.sub(r" +\n", "\n", page)
    assert under(page, "Safe contact") == "No voicemail, no post"
    assert under(page, "Guardian or consenting adult") == "Bo Quist"
    assert under(page, "Status") == "active (proposal)" or "open (" in under(page, "Status")
    assert under(page, "Long-acting injection") == "unknown"
    assert "Major depressive disorder, recurrent severe (F33.2)" in page
    assert "rule " not in page
    to_do, services = page.partition("\nTo do")[2].split("\nServices requested")
    assert "First contact" not in to_do, "each request once"
    assert "First contact" in services


WHY = [
    # the statement                        the message and field that it came from, or the rule
    ("Safe contact", "ADT^A03 from st-mary, control ID 3, message 3: ARV-5.1"),
    ("Guardian or consenting adult", "ADT^A08 from st-mary, control ID 2, message 2: NK1-2.1, NK1-2.2"),
    ("Legal status", "ADT^A08 from st-mary, control ID 2, message 2: OBX-5.1"),
    ("Long-acting injection", "no message says"),
    ("Period", "PV1-45.1"),
    ("Diagnosis", "ADT^A08 from st-mary, control ID 2, message 2: DG1-3.1, DG1-3.2"),
    ("Goal", "PPR^PC1 from st-mary, control ID 4, message 4: GOL-3.1, GOL-3.2"),
    ("Appointment", "SIU^S12 from st-mary, control ID 5, message 5: SCH-"),
    ("Task", "rule of routing: it serves postal codes 627*"),
    ("Community mental-health follow-up visit", "rule service-follow-up, version"),
    ("No follow-up scheduled", "rule of assessment no-follow-up-scheduled"),
]


@pytest.mark.parametrize(("statement", "origin"), WHY, ids=[statement for statement, _ in WHY])
def test_why_says_of_each_statement_where_it_came_from(county: Path, statement: str, origin: str) -> None:
    records = shown(county, "--why").partition("Before you call")[2]
    assert origin in under(records, statement)


def test_why_says_something_of_every_statement(county: Path) -> None:
    """A message with its fields, a rule with its version, or that no message says it."""
    told = re.compile(r"message \d+: [A-Z0-9]{3}|rule [a-z0-9-]+, version \w+|rule of |no message says")
    with closing(open_sqlite(county / "gateway.sqlite")) as store, store.reading() as reader:
        identify = identifier(store.installation_key())
        (row,) = reader.worklist(ALL)
        body = orjson.loads(row.body or b"")
        records = read(reader, identify, row.id)
        assert records is not None
        origins = Origins(messages_of(reader, records, body, FEEDS, identify), FEEDS, identify)
        lines = [line for section in sections(records, body) for line in section.lines]
        unsaid = [line for line in lines if not told.search(" ".join(origins.why(line, records)))]
        guessed = [line.label for line in lines if NOT_SAID in origins.why(line, records)]
    assert len(lines) > 40
    assert unsaid == []
    assert guessed == ["Discharging hospital"]  # its name stands in no field: the feed's profile gives it


def test_the_page_to_print_needs_nothing_and_runs_nothing(county: Path) -> None:
    page = county / "ada.html"
    assert shown(county, "--html", page) == ""
    html = page.read_text(encoding="utf-8")
    assert page.stat().st_mode & 0o077 == 0
    assert "Involuntary hold &lt;b&gt;now&lt;/b&gt;" in html
    assert not re.search(r"<script|<b>|src=|href=|url\(|@import|\son\w+=", html)
    assert "@media print" in html
    assert "@page" in html
    assert notice.NOTICE not in html
    assert html.index("Before you call") < html.index("Care plan")


def test_the_page_carries_the_part_2_notice_where_it_is_due(county: Path) -> None:
    with closing(open_sqlite(county / "gateway.sqlite")) as store:
        feed(
            store,
            [message("ADT^A08^ADT_A01", "20260312090000", "8", visit(discharged="20260310104500", disposition="01"), DIAGNOSIS, OPIOIDS)],
            configuration=replace(CONFIGURATION, identify=identifier(store.installation_key())),
        )
    page = county / "ada.html"
    shown(county, "--html", page)
    assert page.read_text(encoding="utf-8").count(notice.NOTICE) == 1
    assert notice.NOTICE in re.sub(r"\s+", " ", shown(county))


def test_json_stays_as_it_is_and_goes_with_neither_why_nor_html(county: Path) -> None:
    assert orjson.loads(shown(county, "--json"))["client"]["name"] == "Ada Quist"
    for option in (("--why",), ("--html", county / "x.html")):
        assert here("transitions", "show", "x", "--data", county, "--json", *option).returncode == 2
    nowhere = here("transitions", "show", orjson.loads(shown(county, "--json"))["id"], "--data", county, "--html", county / "no" / "x.html")
    assert nowhere.returncode == 2
    assert str(county).encode() not in nowhere.stderr
