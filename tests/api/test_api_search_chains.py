"""Chains, _has, _include and _revinclude: R4's search over references, in the recipient's own view and within the scopes alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.store.interface import ALL
from tests.api.gateway_api import PATIENT, TASK, Bench, bench

Json = dict[str, Any]

LAB = {"coding": [{"system": "http://x", "code": "laboratory"}]}
ANN: Json = {**PATIENT, "identifier": [{"system": "urn:mrn", "value": "M1"}], "name": [{"family": "Halvorson", "given": ["Ann"]}]}
BEN: Json = {**ANN, "id": "p2", "identifier": [{"system": "urn:mrn", "value": "M2"}], "name": [{"family": "Ng", "given": ["Ben"]}]}
BENS_TASK: Json = {**TASK, "id": "t2", "for": {"reference": "Patient/p2"}}
SCORE: Json = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "category": [LAB],
    "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]},
    "subject": {"reference": "Patient/p1"},
    "performer": [{"reference": "Practitioner/d1"}],
}
SURVEY: Json = {**SCORE, "id": "o2", "category": [{"coding": [{"system": "http://x", "code": "survey"}]}], "subject": {"reference": "Patient/p2"}}
DOCTOR: Json = {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Okafor"}]}


def seed(made: Bench) -> Bench:
    """River has Ann's and Ben's records; Oak has the Task that is about Ann, and no Patient."""
    made.put((ALL, "river"), ANN, BEN, TASK, BENS_TASK, DOCTOR, SCORE)
    made.put((ALL, "river"), SURVEY)
    made.put(("oak",), TASK)
    return made


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield seed(made)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The same, for tests that only ask."""
    with bench(tmp_path_factory.mktemp("chains")) as made:
        yield seed(made)


def found(gateway: Bench, who: str, query: str) -> list[str]:
    answer = gateway.as_(who, "GET", f"/fhir/{query}")
    assert answer.status_code == 200, answer.text
    return [each["resource"]["id"] for each in answer.json().get("entry", [])]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("Task?subject:Patient.identifier=M1", ["t1"]),
        ("Task?subject:Patient.identifier=urn:mrn|M2", ["t2"]),
        ("Task?patient.name=halv", ["t1"]),
        ("Task?patient.name=NG,HALV", ["t1", "t2"]),
        ("Task?patient.family:exact=Ng", ["t2"]),
        ("Task?patient._id=p2", ["t2"]),
        ("Task?patient.name=halv&status=accepted", []),
        ("Task?patient.name=halv&patient.gender=female", ["t1"]),
        ("Task?patient.identifier=M3", []),
        ("Patient?_has:Task:patient:status=requested", ["p1", "p2"]),
        ("Patient?_has:Observation:patient:code=http://loinc.org|44261-6", ["p1"]),
        ("Patient?_has:Observation:subject:code:not=44261-6", []),
        ("Patient?_has:Task:patient:_id=t2&name=ng", ["p2"]),
        ("Practitioner?_has:Observation:performer:status=final", ["d1"]),
    ],
)
def test_chains_find_by_what_is_referred_to_and_by_what_refers(asked: Bench, query: str, wanted: list[str]) -> None:
    assert found(asked, "river", query) == wanted


def test_a_chain_reaches_what_the_recipient_sees_and_nothing_else(gateway: Bench) -> None:
    assert found(gateway, "oak", "Task") == ["t1"]
    assert found(gateway, "oak", "Task?patient.name=halv") == [], "Oak may not learn that this Task's patient is called so"
    assert found(gateway, "oak", "Task?patient.name=nobody") == []
    assert found(gateway, "oak", "Patient?_has:Task:patient:status=requested") == [], "it has the Task, not the Patient"
    assert found(gateway, "oak", "Task?_include=Task:patient") == ["t1"]
    gateway.put(("oak",), {**ANN, "id": "p1", "name": [{"text": "withheld"}]})
    assert found(gateway, "oak", "Task?patient.name=halv") == [], "its own version of Ann has no such name"
    assert found(gateway, "oak", "Task?patient.name=withheld") == ["t1"]
    assert found(gateway, "river", "Task?patient.name=withheld") == []


def test_what_was_withdrawn_is_reached_no_more(gateway: Bench) -> None:
    gateway.delete("river", "Patient", "p1")
    assert found(gateway, "river", "Task?patient.name=halv") == []
    assert found(gateway, "river", "Task?_include=Task:patient&_id=t1") == ["t1"]
    gateway.delete("river", "Task", "t2")
    assert found(gateway, "river", "Patient?_has:Task:patient:status=requested") == []
    assert found(gateway, "river", "Patient?_revinclude=Task:patient") == ["p2"]


@pytest.mark.parametrize(
    "query",
    [
        "Task?patient.name=halv",
        "Task?subject:Patient.identifier=M1",
        "Task?_include=Task:patient",
        "Task?_revinclude=Provenance:target",
        "Task?_has:Provenance:target:recorded=2026",
        "Task?_include=Task:patient&_include:iterate=Patient:organization",
    ],
)
def test_a_type_that_no_scope_opens_is_not_reached_by_way_of_another(asked: Bench, query: str) -> None:
    assert asked.as_("narrow", "GET", "/fhir/Task").status_code == 200
    refused = asked.as_("narrow", "GET", f"/fhir/{query}")
    assert refused.status_code == 403, "asked before the search is made, whatever it would find"


def test_leave_to_read_is_no_leave_to_search(asked: Bench) -> None:
    """`includer` may read Patients and search Tasks: it may include Patients, and not search by what they say."""
    assert found(asked, "includer", "Task?_include=Task:patient&_id=t1") == ["t1", "p1"]
    assert asked.as_("includer", "GET", "/fhir/Task?patient.name=halv").status_code == 403


def test_a_scopes_constraint_holds_for_what_a_search_reaches(gateway: Bench) -> None:
    """River's token opens Observations of the category laboratory alone: Ben's survey is in River's view, and stays out of reach."""
    assert found(gateway, "coordinator", "Patient?_has:Observation:patient:status=final") == ["p1", "p2"]
    assert found(gateway, "river", "Patient?_has:Observation:patient:status=final") == ["p1"]
    assert found(gateway, "river", "Patient?_revinclude=Observation:patient") == ["p1", "p2", "o1"]
    gateway.put((ALL, "river"), {**TASK, "id": "t3", "focus": {"reference": "Observation/o2"}})
    assert found(gateway, "river", "Task?_id=t3&_include=Task:focus:Observation") == ["t3"]
    assert found(gateway, "river", "Task?focus:Observation.status=final") == []


def test_included_once_however_often_referred_to_and_marked(gateway: Bench) -> None:
    gateway.put((ALL, "river"), {**TASK, "id": "t3"})
    page = gateway.as_("river", "GET", "/fhir/Task?patient=p1&_include=Task:patient&_include=Task:subject").json()
    assert [(each["resource"]["id"], each["search"]["mode"]) for each in page["entry"]] == [("t1", "match"), ("t3", "match"), ("p1", "include")]
    assert page["total"] == 2, "what is included does not count"


def test_inclusions_go_on_from_what_is_included_where_asked(gateway: Bench) -> None:
    query = "Task?_id=t1&_include=Task:patient&_revinclude:iterate=Observation:patient&_include:iterate=Observation:performer"
    assert found(gateway, "river", query) == ["t1", "p1", "o1", "d1"]
    assert found(gateway, "river", query.replace(":iterate=Observation:performer", "=Task:owner")) == ["t1", "p1", "o1"]


def test_a_revinclude_of_one_target_type(gateway: Bench) -> None:
    gateway.put((ALL,), {"resourceType": "Provenance", "id": "v1", "target": [{"reference": "Task/t1"}], "recorded": "2026-11-20T10:00:00Z"})
    assert found(gateway, "coordinator", "Task?_id=t1&_revinclude=Provenance:target") == ["t1", "v1"]
    assert found(gateway, "coordinator", "Task?_id=t2&_revinclude=Provenance:target") == ["t2"]
    assert found(gateway, "coordinator", "Task?_id=t1&_revinclude=Provenance:target:Task") == ["t1", "v1"]
    assert gateway.as_("coordinator", "GET", "/fhir/Task?_revinclude=Task:patient").status_code == 400, "a Task's patient is no Task"


@pytest.mark.parametrize(
    "query",
    [
        "Task?patient.general-practitioner.name=x",  # two levels
        "Patient?_has:Task:patient:_has:Provenance:target:_id=x",
        "Patient?_has:Task:patient:encounter.status=x",
        "Task?status.x=y",  # no reference
        "Task?patient.colour=red",
        "Task?patient:Encounter.status=finished",
        "Patient?_has:Task:focus",
        "Patient?_has:Task:status:code=x",
        "Patient?_has:Task:encounter:status=x",  # refers to no Patient
        "Task?_include=*",
        "Task?_include=Task:*",
        "Task?_include=Task:status",
        "Task?_include=Encounter:patient",
        "Task?_include:recurse=Task:part-of",
        "Task?_revinclude=*",
        "Patient?_revinclude=Patient:general-practitioner",  # not indexed, and never a Patient
    ],
)
def test_what_is_not_followed_is_refused(asked: Bench, query: str) -> None:
    answer = asked.as_("coordinator", "GET", f"/fhir/{query}")
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


def test_of_many_patients_each_is_looked_at(gateway: Bench) -> None:
    """More than the index is asked for at once, and within what one search may look at."""
    people = [{**ANN, "id": f"q{number}"} for number in range(160)]
    gateway.put((ALL, "river"), *people, *({**TASK, "id": f"u{number}", "for": {"reference": f"Patient/q{number}"}} for number in range(160)))
    wanted = [f"u{number}" for number in range(160)]
    assert found(gateway, "river", "Task?patient.name=halv&_count=500") == ["t1", *wanted]
    gateway.put((ALL, "river"), *({**ANN, "id": f"s{number}"} for number in range(500)))
    assert gateway.as_("river", "GET", "/fhir/Task?patient.gender=female").status_code == 413
