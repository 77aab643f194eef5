"""ServiceRequests: which needs are known by what, what clinicians asked for themselves, and that the requests follow the facts."""

from __future__ import annotations

import csv
import random
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Usage
from gateway.fhir.check_digits import LOINC, SNOMED, problem_of
from gateway.mappings import tables
from gateway.mappings.care.derive import derive
from gateway.mappings.care.policy import default, read
from gateway.mappings.care.service_requests import CATEGORY, STATUS_REASON
from gateway.records.record import Owned, PersonRecord
from gateway.records.statements import Json
from gateway.toml_files import TomlFile
from tests.care.people import CONTEXT, condition, of_type, person, stay_record, transition
from tests.pipeline.county import BOOKED, DIAGNOSIS, feed, memory_folder, message, state, store_at, visit
from transitions.areas import Areas
from transitions.model import Code

CODES = list(csv.DictReader((Path(__file__).with_name("codes.csv")).read_text(encoding="utf-8").splitlines()))


def requests(record: PersonRecord | None = None, context: Any = CONTEXT, **change: Any) -> dict[str, Json]:
    """The proposed requests by their words."""
    record = record or person()
    found = of_type(derive(record, record.stays[0], transition(record, **change), context), "ServiceRequest")
    return {request["code"]["text"]: request for request in found}


def reasons(request: Json) -> list[str]:
    return [one["reference"] for one in request.get("reasonReference", [])]


# --- needs by diagnosis text, answers, ambulatory status ---------------------------------------------------------------

WORDS = [
    # what a diagnosis says in words alone            the service, "" for none beyond those for everybody
    ("Homeless since June", "Help with housing"),
    ("Denies homelessness", ""),
    ("Not homeless", ""),
    ("Evicted last month", "Help with housing"),
    ("Unemployed", "Help with employment"),
    ("Lack of access to transportation", "Transport to appointments"),
    ("Food insecurity", "Help with food"),
    ("No food insecurity", ""),
    ("Recently released from prison", "Legal help"),
    ("Opioid use disorder, severe", "Substance use assessment and treatment"),
    ("Family history of alcohol dependence", ""),
    ("Uses a wheelchair", "Visits at home"),
    ("Sheltered workshop", ""),
]


def answer(question: str, code: str = "", text: str = "", when: str = "2026-11-19", name: str = "screen", status: str = "final") -> Json:
    value: Json = {"valueCodeableConcept": {"coding": [{"system": LOINC, "code": code}], **({"text": text} if text else {})}} if code else {}
    return {
        "resourceType": "Observation",
        "id": name,
        "status": status,
        "code": {"coding": [{"system": LOINC, "code": question}]},
        "subject": {"reference": "Patient/ana"},
        "effectiveDateTime": when,
        **(value or {"valueString": text}),
    }


def extra(record: PersonRecord, **change: Any) -> set[str]:
    """The services beside those that everybody of Ana's kind is proposed."""
    plain = {service.title for service in default().services if service.everyone}
    return set(requests(record, **change)) - plain - {"Interpreter for every contact: Spanish"}


@pytest.mark.parametrize(("text", "title"), WORDS)
def test_a_diagnosis_in_words_states_a_need_unless_it_denies_it(text: str, title: str) -> None:
    record = person(stay_record(parts=[condition("said", "", text)], diagnoses=[]))
    assert extra(record) == ({title} if title else set())
    assert [reasons(requests(record)[one]) for one in extra(record)] == [["Condition/said"]] * bool(title)


ANSWERS = [
    # LOINC question, answer, its words           the service, Gravity's category ("" for no need)
    ("71802-3", "LA31995-6", "", "Help with housing", "homelessness"),
    ("71802-3", "LA30190-5", "", "Help with housing", "homelessness"),
    ("71802-3", "LA31994-9", "", "Help with housing", "housing-instability"),
    ("71802-3", "LA31993-1", "I have a steady place to live", "", ""),
    ("88122-7", "LA28397-0", "", "Help with food", "food-insecurity"),
    ("88123-5", "LA6729-3", "", "Help with food", "food-insecurity"),
    ("88123-5", "LA28398-8", "Never true", "", ""),
    ("88124-3", "", "at risk", "Help with food", "food-insecurity"),
    ("93030-5", "LA33-6", "", "Transport to appointments", "transportation-insecurity"),
    ("93030-5", "LA30133-5", "", "Transport to appointments", "transportation-insecurity"),
    ("93030-5", "LA32-8", "No", "", ""),
    ("67875-5", "LA17956-6", "", "Help with employment", "employment-status"),
    ("96780-2", "LA31981-6", "", "Help with employment", "employment-status"),
    ("96780-2", "LA31983-2", "I do not need or want help", "", ""),
    ("96782-8", "LA33-6", "", "Help with education", "educational-attainment"),
    ("44261-6", "LA33-6", "", "", ""),
]


@pytest.mark.parametrize(("question", "code", "text", "title", "domain"), ANSWERS)
def test_an_answer_to_a_screening_question_states_a_need(question: str, code: str, text: str, title: str, domain: str) -> None:
    """AHC HRSN, PRAPARE and Hunger Vital Sign, with the categories of Gravity's SDOHCC."""
    record = person(stay_record(parts=[answer(question, code, text)], diagnoses=[]))
    assert extra(record) == ({title} if title else set())
    if title:
        request = requests(record)[title]
        assert reasons(request) == ["Observation/screen"]
        assert [one["code"] for kind in request["category"] for one in kind["coding"]] == ["sdoh", "410606002", domain]


def test_the_latest_answer_counts_and_one_in_error_does_not() -> None:
    bad, good = answer("71802-3", "LA31995-6", when="2026-11-10", name="old"), answer("71802-3", "LA31993-1", when="2026-11-18", name="new")
    assert extra(person(stay_record(parts=[bad, good], diagnoses=[]))) == set()
    assert extra(person(stay_record(parts=[{**bad, "effectiveDateTime": "2026-11-19"}, good], diagnoses=[]))) == {"Help with housing"}
    assert extra(person(stay_record(parts=[{**bad, "status": "entered-in-error"}], diagnoses=[]))) == set()


def test_a_client_who_is_bound_to_a_wheelchair_is_visited_at_home() -> None:
    """PV1-15, HL7 table 0009, A2."""
    concept = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0009", "code": "A2"}]}
    encounter = {"hospitalization": {"specialArrangement": [concept]}}
    assert extra(person(stay_record(parts=[condition("z", "", "x")], diagnoses=[], encounter=encounter))) == {"Visits at home"}
    concept["coding"][0]["code"] = "A0"
    assert extra(person(stay_record(parts=[condition("z", "", "x")], diagnoses=[], encounter=encounter))) == set()


AREA = [
    # the agency's postal codes, the client's          telehealth is proposed
    (("627*",), "62701", False),
    (("627*",), "61820", True),
    (("627*",), "", False),
    ((), "61820", False),
]


@pytest.mark.parametrize(("served", "home", "proposed"), AREA)
def test_telehealth_is_proposed_to_a_client_outside_the_area_that_the_agency_is_configured_for(
    served: tuple[str, ...], home: str, proposed: bool
) -> None:
    context = replace(CONTEXT, areas=Areas(("river-cmhc", pattern) for pattern in served))
    client = replace(transition().stay.client, postal_code=home)
    telehealth = "Visits by video or telephone, as the client lives outside the agency's area"
    assert (telehealth in requests(context=context, stay_client=client)) is proposed


# --- what clinicians asked for themselves ------------------------------------------------------------------------------


def referral(code: Json, name: str = "theirs", status: str = "active", **facts: Any) -> Owned:
    resource = {
        "resourceType": "ServiceRequest",
        "id": name,
        "status": status,
        "intent": "order",
        "code": code,
        "subject": {"reference": "Patient/ana"},
    }
    return Owned(resource, facts=facts)


HOUSING = {"coding": [{"system": SNOMED, "code": "710911006"}]}
THEIRS = [
    # a clinician's own request                                                  our request that rests on it
    (referral(HOUSING), "Help with housing"),
    (referral({"text": "Housing support"}), "Help with housing"),
    (referral({"text": "Outpatient psychiatry"}), "Psychiatric medication management"),
    (referral({"text": "Referral"}, receivers=["River Community Mental Health"]), "Community mental-health follow-up visit"),
    (referral({"text": "Behavioral health"}), "Community mental-health follow-up visit"),
    (referral({"text": "MRI of the knee"}), ""),
    (referral(HOUSING, status="revoked"), ""),
    (referral(HOUSING, status="entered-in-error"), ""),
]


@pytest.mark.parametrize(("theirs", "title"), THEIRS)
def test_what_a_clinician_asked_for_stands_and_ours_rests_on_it(theirs: Owned, title: str) -> None:
    """Law 6: derived records never overwrite what a clinician's system sent."""
    parts = [condition("home", "Z59.00", "Homelessness"), condition("low", "F33.2", "Depression")]
    found = requests(person(stay_record(parts=parts), referrals=(theirs,)))
    based = {words for words, request in found.items() if request.get("basedOn") == [{"reference": "ServiceRequest/theirs"}]}
    assert based >= ({title} if title else set())
    assert bool(based) is bool(title)
    assert {request["intent"] for request in found.values()} == {"proposal"}


def test_an_order_of_the_stay_counts_as_well() -> None:
    order = {**referral(HOUSING).resource, "encounter": {"reference": "Encounter/stay-1"}}
    found = requests(person(stay_record(parts=[condition("home", "Z59.00", "Homelessness"), order])))
    assert found["Help with housing"]["basedOn"] == [{"reference": "ServiceRequest/theirs"}]


# --- they follow the facts ---------------------------------------------------------------------------------------------

ADMITTED = message("ADT^A01^ADT_A01", "20260302090000", "1", visit(), DIAGNOSIS)
LEAVES = message("ADT^A03^ADT_A03", "20260310110000", "2", visit(discharged="20260310104500", disposition="01"), DIAGNOSIS)
LATER = message(
    "ADT^A08^ADT_A01", "20260311080000", "3", visit(discharged="20260310104500", disposition="01"), DIAGNOSIS, "DG1|2||Z59.00^Homeless^I10"
)
REFERRED = message(
    "REF^I12^REF_I12", "20260311090000", "4", "RF1|A^Active|R|MH^Behavioral health^L|||R7", "PRD|RT||||||||" + "|River^^river", visit()
)
CANCELLED = message("ADT^A13^ADT_A01", "20260311100000", "5", visit())
ERROR = message("ADT^A23^ADT_A21", "20260311100000", "5", visit())
SEEN = message("SIU^S12^SIU_S12", "20260310120000", "6", *BOOKED)


def proposals(messages: Iterable[bytes]) -> dict[str, Json]:
    with memory_folder() as folder, store_at(folder) as store:
        for outcome in feed(store, messages):
            assert outcome.state == "processed"
        bodies = [body for name, body in state(store).items() if name.startswith("* ServiceRequest/") and isinstance(body, dict)]
    return {body["code"]["text"]: body for body in bodies if body["intent"] == "proposal"}


def test_a_later_diagnosis_brings_a_request_and_its_correction_takes_it_back() -> None:
    assert "Help with housing" not in proposals([ADMITTED, LEAVES])
    assert proposals([ADMITTED, LEAVES, LATER])["Help with housing"]["status"] == "active"
    corrected = message("ADT^A08^ADT_A01", "20260312080000", "9", visit(discharged="20260310104500", disposition="01"), DIAGNOSIS)
    assert "Help with housing" not in proposals([ADMITTED, LEAVES, LATER, corrected])


def test_a_later_disposition_changes_what_is_proposed() -> None:
    jail = message("ADT^A08^ADT_A01", "20260311080000", "3", visit(discharged="20260310104500", disposition="21"))
    words = "Contact with the court or jail that the client was discharged to"
    assert words not in proposals([ADMITTED, LEAVES])
    assert words in proposals([ADMITTED, LEAVES, jail])


ENDS = [
    (CANCELLED, "revoked", "The discharge was cancelled."),
    (ERROR, "entered-in-error", "Entered in error."),
]


@pytest.mark.parametrize(("end", "status", "reason"), ENDS)
def test_a_voided_discharge_ends_every_request_with_the_reason(end: bytes, status: str, reason: str) -> None:
    found = proposals([ADMITTED, LEAVES, LATER, end])
    assert len(found) > 4
    assert {request["status"] for request in found.values()} == {status}
    assert {str(request["extension"]) for request in found.values()} == {str([{"url": STATUS_REASON, "valueCodeableConcept": {"text": reason}}])}
    assert not any("extension" in request for request in proposals([ADMITTED, LEAVES, LATER]).values())


def test_a_referral_of_the_hospital_is_what_the_follow_up_rests_on() -> None:
    found = proposals([ADMITTED, LEAVES, REFERRED])["Community mental-health follow-up visit"]
    assert found["basedOn"][0]["reference"].startswith("ServiceRequest/")
    assert found["intent"] == "proposal"


def test_the_order_of_arrival_changes_nothing_in_the_requests() -> None:
    messages = [ADMITTED, LEAVES, LATER, REFERRED, SEEN]
    expected = proposals(messages)
    for seed in range(6):
        turned = messages[:]
        random.Random(seed).shuffle(turned)
        assert proposals(turned) == expected


def test_no_request_gets_a_version_where_nothing_changed() -> None:
    """An update that says what was said before writes no ServiceRequest and no CareTeam anew."""
    again = message("ADT^A08^ADT_A01", "20260311120000", "7", visit(discharged="20260310104500", disposition="01"), DIAGNOSIS)
    with memory_folder() as folder, store_at(folder) as store:

        def versions() -> dict[str, int]:
            with store.reading() as reader:
                return {f"{one.type}/{one.id}": one.number for one in reader.export("*") if one.type in ("ServiceRequest", "CareTeam")}

        feed(store, [ADMITTED, LEAVES])
        before = versions()
        feed(store, [again])
        assert versions() == before
        feed(store, [SEEN])
        assert {name for name, number in versions().items() if before[name] != number} == set()


# --- codes -------------------------------------------------------------------------------------------------------------


def used() -> set[tuple[str, str, str]]:
    """Every SNOMED CT code and display that the team and the requests are made with."""
    found = {(service.code["system"], service.code["code"], service.code.get("display", "")) for service in default().services if service.code}
    found |= {(one["system"], one["code"], one["display"]) for kinds in CATEGORY.values() for kind in kinds for one in kind["coding"]}
    return found | {(one["system"], one["code"], one["display"]) for one in tables.codings("care-team-roles").values()}


def test_every_code_was_looked_up_where_it_is_published() -> None:
    published = {(row["system"], row["code"], row["display"]) for row in CODES if row["source"]}
    assert used() <= published


def test_check_digits_tell_a_mistyped_code() -> None:
    """Concept ids and LOINC codes from the standards' own examples: SNOMED CT 74400008 (appendicitis), LOINC 2951-2 (sodium)."""
    assert problem_of(SNOMED, "74400008") == problem_of(LOINC, "2951-2") == ""
    assert problem_of(SNOMED, "74400009") and problem_of(SNOMED, "74040008") and problem_of(SNOMED, "12")  # noqa: PT018
    assert problem_of(LOINC, "2951-3") and problem_of(LOINC, "2591-2") and problem_of(LOINC, "sodium")  # noqa: PT018
    assert problem_of("http://example.org/local", "anything") == ""


def test_substance_use_is_labelled_whatever_it_was_known_by() -> None:
    for part in (condition("sud", "F11.20", "Opioid dependence"), condition("sud", "", "Opioid use disorder")):
        request = requests(person(stay_record(parts=[part], diagnoses=[])))["Substance use assessment and treatment"]
        assert {"R", "SUD", "42CFRPart2"} <= {coding["code"] for coding in request["meta"]["security"]}
        attested = requests(person(stay_record(parts=[part], diagnoses=[], sud_attested=True)))["Substance use assessment and treatment"]
        assert "42CFRPart2" not in {coding["code"] for coding in attested["meta"]["security"]}


def test_the_route_to_court_is_by_disposition_and_needs_no_diagnosis() -> None:
    court = requests(stay_disposition=Code("Court", "21"))
    assert "Contact with the court or jail that the client was discharged to" in court


# --- a bad policy is refused -------------------------------------------------------------------------------------------

SHIPPED = resources.files("gateway.mappings.care").joinpath("policy.toml").read_text(encoding="utf-8")
BROKEN = [
    # in the shipped policy                     what stands in its place                              the reason
    ('code = "710911006"', 'code = "710911007"', "the code '710911007' is not a SNOMED CT concept id: its check digit is wrong"),
    ('domains = ["food-insecurity"]', 'domains = ["hunger"]', "domains are educational-attainment, "),
    ('ambulatory = ["A2"]', 'ambulatory = ["wheelchair"]', "'wheelchair' in ambulatory is not an ambulatory status"),
    ('asked = ["transport*"]', 'asked = ["Transport"]', "'Transport' in asked is not in lower-case letters"),
    ("outside_area = true", 'outside_area = "far"', "outside_area must be true or false"),
    ("outside_area = true", "outside_area = false", "a service is for everyone, or says for whom"),
    ('relationships = ["GUARD"', 'relationships = ["guardian"', "'guardian' in relationships is not a code of v3-RoleCode"),
    ("relationships_of_minors = [", "parents = [", "unknown key 'parents'"),
    ('category = "education"', 'category = "school"', "category must be one of counselling, education, evaluation, social"),
]


@pytest.mark.parametrize(("before", "after", "reason"), BROKEN, ids=[reason for *_, reason in BROKEN])
def test_a_bad_team_or_service_of_the_policy_is_refused_with_line_and_reason(before: str, after: str, reason: str) -> None:
    text = SHIPPED.replace(before, after, 1)
    line = next(number for number, one in enumerate(text.splitlines(), 1) if after in one)
    with pytest.raises(Usage) as refused:
        read(TomlFile("policy.toml", text, tomllib.loads(text)))
    assert reason in refused.value.message
    assert refused.value.location in (f"policy.toml, line {line}", f"policy.toml, line {table_of(text, line)}")


def table_of(text: str, line: int) -> int:
    """The line of the [[service]] that a line stands in, named where the table as a whole is wrong."""
    return max(number for number, one in enumerate(text.splitlines()[:line], 1) if one.startswith("["))
