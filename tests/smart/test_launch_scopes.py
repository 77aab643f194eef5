"""What scopes open for an app: patient scopes that patient's records alone, user scopes what the user may see, constraints what meets them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.fhir import compartment
from tests.api.gateway_api import TASK
from tests.smart.launching import PROBLEM, Town, a_town, told

ORGANIZATION = {"resourceType": "Organization", "id": "river", "name": "River"}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """River's p1 has the Conditions c1 (problem list) and c2 (encounter diagnosis) and the Task t1; p2 has c3 and t2; oak's p3 has c4."""
    with a_town(tmp_path_factory.mktemp("scopes")) as made:
        other = {**TASK, "id": "t2", "for": {"reference": "Patient/p2"}}
        made.bench.put(("*", "river"), TASK, other, ORGANIZATION, {"resourceType": "MeasureReport", "id": "m1", "status": "complete"})
        made.bench.transition("river", "tr1", {"id": "tr1", "patient": "Patient/p1"})
        made.bench.transition("river", "tr2", {"id": "tr2", "patient": "Patient/p2"})
        made.register("writer", public=True, scope="launch/patient patient/*.cruds user/*.cruds")
        yield made


def token(town: Town, scope: str, client: str = "app", patient: str = "p1") -> str:
    code = town.browser().code(scope=scope, client_id=client, patient=patient)
    return str(town.redeem(code, client_id=client).json()["access_token"])


def status(town: Town, path: str, access: str) -> int:
    return town.get(path, access).status_code


def test_patient_scopes_keep_every_read_search_and_history_to_the_patient(town: Town) -> None:
    mine = token(town, "launch/patient patient/*.rs")
    assert town.ids("/fhir/Condition", mine) == {"c1", "c2"}
    assert town.ids("/fhir/Condition?patient=p2", mine) == set()
    assert town.ids("/fhir/Condition?_id=c1,c3", mine) == {"c1"}
    assert town.ids("/fhir/Patient", mine) == {"p1"}
    assert town.ids("/fhir/Task", mine) == {"t1"}
    for path in ("Patient/p1", "Condition/c1", "Condition/c1/_history", "Condition/c1/_history/1"):
        assert status(town, f"/fhir/{path}", mine) == 200
    for path in ("Patient/p2", "Condition/c3", "Condition/c3/_history", "Condition/c3/_history/1", "Condition/c4", "Condition/nobody"):
        assert status(town, f"/fhir/{path}", mine) == 404


def test_a_total_counts_the_patients_records_alone(town: Town) -> None:
    mine = token(town, "patient/*.rs", patient="p2")
    assert town.get("/fhir/Condition", mine).json()["total"] == 1


def test_what_no_patient_has_is_read_with_patient_scopes_only_where_records_refer_to_it(town: Town) -> None:
    mine = token(town, "patient/*.rs")
    assert status(town, "/fhir/Organization/river", mine) == 200
    for type in ("MeasureReport", "AuditEvent", "Subscription", "Group"):
        assert status(town, f"/fhir/{type}", mine) == 403


def test_an_include_stays_with_the_patient(town: Town) -> None:
    task = {**TASK, "id": "t9", "focus": {"reference": "Condition/c3"}, "basedOn": [{"reference": "Condition/c3"}]}
    town.bench.put(("*", "river"), task)
    mine = token(town, "patient/Task.rs patient/Patient.r patient/Condition.r")
    assert town.ids("/fhir/Task?_id=t9&_include=Task:patient", mine) == {"t9", "p1"}
    assert "c3" not in town.ids("/fhir/Task?_id=t9&_include=Task:based-on", mine)
    theirs = token(town, "user/Task.rs user/Condition.r")
    assert "c3" in town.ids("/fhir/Task?_id=t9&_include=Task:based-on", theirs)


def provenance(id: str, *targets: str) -> dict[str, Any]:
    named = [{"reference": target} for target in targets]
    agent = {"who": {"reference": "Organization/river"}}
    return {"resourceType": "Provenance", "id": id, "target": named, "recorded": "2026-11-22T08:00:00Z", "agent": [agent]}


def test_where_a_record_comes_from_is_the_patients_as_the_record_is(town: Town) -> None:
    """US Core Provenance by _revinclude=Provenance:target, for an app that is opened with one patient."""
    town.bench.put(("*", "river"), provenance("v1", "Condition/c1"), provenance("v3", "Condition/c3"), provenance("v0", "Condition/nobody"))
    town.bench.put(("*",), provenance("v4", "Condition/c1"))  # not in river's view
    mine = token(town, "patient/Condition.rs patient/Provenance.rs")
    assert town.ids("/fhir/Condition?_revinclude=Provenance:target", mine) == {"c1", "c2", "v1"}
    assert town.ids("/fhir/Provenance", mine) == {"v1"}
    assert town.get("/fhir/Provenance?target=Condition/c3", mine).json()["total"] == 0
    for path in ("v1", "v1/_history", "v1/_history/1"):
        assert status(town, f"/fhir/Provenance/{path}", mine) == 200
    for path in ("v3", "v3/_history", "v3/_history/1", "v0", "v4"):
        assert status(town, f"/fhir/Provenance/{path}", mine) == 404
    both = [entry["resource"]["id"] for entry in town.get("/fhir/Provenance/_history", mine).json()["entry"]]
    assert both == ["v1"]


def test_a_provenances_scope_is_asked_for_where_it_is_included(town: Town) -> None:
    mine = token(town, "patient/Condition.rs")
    assert status(town, "/fhir/Condition?_revinclude=Provenance:target", mine) == 403


def test_an_include_needs_a_scope_for_what_it_reaches(town: Town) -> None:
    mine = token(town, "patient/Task.rs")
    assert status(town, "/fhir/Task?_include=Task:patient", mine) == 403


def test_the_feed_stays_with_the_patient(town: Town) -> None:
    mine = token(town, "patient/Task.rs")
    assert [one["id"] for one in town.get("/api/transitions", mine).json()["transitions"]] == ["tr1"]
    everybodys = token(town, "user/Task.rs")
    assert [one["id"] for one in town.get("/api/transitions", everybodys).json()["transitions"]] == ["tr1", "tr2"]


def test_what_is_decided_by_an_app_stays_with_the_patient(town: Town) -> None:
    """An app that was opened with one client opens or closes no agency, and decides about nobody else."""
    mine = token(town, "patient/*.cruds", "writer")
    assert status(town, "/api/agency", mine) == 403
    town.user("dora", "coordinator")
    code = town.browser().code("dora", client_id="writer", scope="patient/*.cruds")
    deciding = str(town.redeem(code, client_id="writer").json()["access_token"])
    said = {"what": "close", "value": "left-region", "about": "", "reason": "moved"}
    header = {"Authorization": f"Bearer {deciding}"}
    town.bench.transition("*", "tr2", {"id": "tr2", "patient": "Patient/p2"})
    assert town.browser().send("POST", "/api/transitions/tr2/decisions", json=said, headers=header).status_code == 404


def test_a_constraint_that_the_feed_cannot_keep_opens_no_feed(town: Town) -> None:
    assert status(town, "/api/transitions", token(town, "user/Task.rs?status=requested")) == 403


def test_a_write_stays_with_the_patient(town: Town) -> None:
    contact = {"resourceType": "Communication", "status": "completed", "subject": {"reference": "Patient/p2"}}
    mine = token(town, "patient/*.cruds", "writer")
    header = {"Authorization": f"Bearer {mine}"}
    assert town.browser().send("POST", "/fhir/Communication", json=contact, headers=header).status_code == 403
    kept = {**contact, "subject": {"reference": "Patient/p1"}}
    assert town.browser().send("POST", "/fhir/Communication", json=kept, headers=header).status_code == 201


def test_a_batch_stays_with_the_patient(town: Town) -> None:
    mine = token(town, "patient/*.rs")
    entries = [{"request": {"method": "GET", "url": url}} for url in ("Patient/p1", "Patient/p2", "Condition?patient=p2")]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = town.browser().send("POST", "/fhir", json=bundle, headers={"Authorization": f"Bearer {mine}"}).json()
    assert [entry["response"]["status"][:3] for entry in answer["entry"]] == ["200", "404", "200"]
    assert answer["entry"][2]["resource"].get("entry", []) == []


def test_user_scopes_open_what_the_users_organization_may_see(town: Town) -> None:
    anns = token(town, "user/*.rs")
    assert town.ids("/fhir/Patient", anns) == {"p1", "p2"}
    assert town.ids("/fhir/Condition", anns) == {"c1", "c2", "c3"}
    for path in ("Patient/p3", "Condition/c4"):
        assert status(town, f"/fhir/{path}", anns) == 404


def test_a_coordinators_app_reads_the_coordinators_view(town: Town) -> None:
    town.user("cora", "coordinator")
    code = town.browser().code("cora", scope="user/Patient.rs")
    assert town.ids("/fhir/Patient", str(town.redeem(code).json()["access_token"])) == {"p1", "p2", "p3"}


def test_user_scopes_widen_what_patient_scopes_leave(town: Town) -> None:
    both = token(town, "patient/Condition.rs user/Patient.rs")
    assert town.ids("/fhir/Patient", both) == {"p1", "p2"}
    assert town.ids("/fhir/Condition", both) == {"c1", "c2"}


@pytest.mark.parametrize("scope", ["patient/Condition.read", "patient/Condition.rs", "patient/*.read"])
def test_version_1_and_version_2_open_alike(town: Town, scope: str) -> None:
    mine = token(town, scope)
    assert town.ids("/fhir/Condition", mine) == {"c1", "c2"}
    assert status(town, "/fhir/Condition/c1", mine) == 200


DIAGNOSES = "http://terminology.hl7.org/CodeSystem/condition-category|encounter-diagnosis"


def allowed(town: Town, scope: str, without: tuple[str, ...], *parts: str) -> dict[str, Any]:
    """The token answer where the user takes scopes away on the page, and marks others."""
    browser = town.browser()
    return dict(town.redeem(told(browser.allow(browser.consent_page(scope=scope), without, parts))["code"]).json())


def test_a_user_may_allow_a_part_instead_of_the_whole(town: Town) -> None:
    for whole in ("patient/Condition.rs", "patient/Condition.read"):
        part = f"patient/Condition.rs?category={DIAGNOSES}"
        body = allowed(town, f"launch/patient {whole}", (whole,), part)
        assert set(body["scope"].split()) == {"launch/patient", part}
        assert town.ids("/fhir/Condition", body["access_token"]) == {"c2"}


@pytest.mark.parametrize(
    "part",
    [
        f"user/Condition.rs?category={DIAGNOSES}",  # of everybody
        f"patient/Condition.cruds?category={DIAGNOSES}",  # more than reading
        f"patient/Observation.rs?category={DIAGNOSES}",  # of a type that was not asked for
        "patient/Condition.rs?category=of-the-forms-own-making",
    ],
)
def test_what_is_no_part_of_what_was_asked_for_is_not_granted(town: Town, part: str) -> None:
    body = allowed(town, "launch/patient patient/Condition.rs patient/Task.rs", ("patient/Condition.rs",), part)
    assert set(body["scope"].split()) == {"launch/patient", "patient/Task.rs"}


def test_the_whole_is_granted_as_it_was_asked_for_whatever_parts_are_marked(town: Town) -> None:
    body = allowed(town, "launch/patient patient/Condition.rs", (), f"patient/Condition.rs?category={DIAGNOSES}")
    assert set(body["scope"].split()) == {"launch/patient", "patient/Condition.rs"}


def test_one_letter_opens_no_other(town: Town) -> None:
    assert status(town, "/fhir/Condition/c1", token(town, "patient/Condition.s")) == 403
    assert status(town, "/fhir/Condition", token(town, "patient/Condition.r")) == 403


def test_a_constraint_is_shown_and_kept_in_reads_searches_and_history(town: Town) -> None:
    scope = f"patient/Condition.rs?category={PROBLEM}"
    page = town.browser().consent_page(scope=scope)
    assert "Read and search problems and diagnoses of this client; only where category is problem-list-item" in page.text
    mine = token(town, scope)
    assert town.ids("/fhir/Condition", mine) == {"c1"}
    assert town.ids("/fhir/Condition?category=encounter-diagnosis", mine) == set()
    assert status(town, "/fhir/Condition/c1", mine) == 200
    for path in ("Condition/c2", "Condition/c2/_history", "Condition/c3"):
        assert status(town, f"/fhir/{path}", mine) == 404


def test_constraints_add_up(town: Town) -> None:
    other = "http://terminology.hl7.org/CodeSystem/condition-category|encounter-diagnosis"
    mine = token(town, f"patient/Condition.rs?category={PROBLEM} user/Condition.rs?category={other}")
    assert town.ids("/fhir/Condition", mine) == {"c1", "c2"}
    assert "problem-list-item" in str(town.get("/fhir/Condition", mine).json())


def test_a_made_up_constraint_reaches_no_further(town: Town) -> None:
    """The mark by which patient scopes are kept is no way for an app to name another patient."""
    mine = token(town, "patient/Condition.rs?_compartment=Patient/p2")
    assert town.ids("/fhir/Condition", mine) == set()


@pytest.mark.parametrize(
    ("resource", "patients"),
    [
        ({"resourceType": "Patient", "id": "p1"}, ["Patient/p1"]),
        ({"resourceType": "Task", "id": "t", "for": {"reference": "Patient/p1"}, "focus": {"reference": "Patient/p2"}}, ["Patient/p1"]),
        ({"resourceType": "Coverage", "id": "c", "beneficiary": {"reference": "Patient/p1/_history/3"}}, ["Patient/p1"]),
        ({"resourceType": "Appointment", "id": "a", "participant": [{"actor": {"reference": "Patient/p1"}}, {"status": "accepted"}]}, ["Patient/p1"]),
        ({"resourceType": "Observation", "id": "o", "subject": {"reference": "Group/g"}}, []),
        ({"resourceType": "Observation", "id": "o", "subject": {"reference": "https://elsewhere.example/Patient/p1"}}, []),
        ({"resourceType": "MeasureReport", "id": "m"}, []),
    ],
)
def test_whose_record_it_is(resource: dict[str, object], patients: list[str]) -> None:
    """http://hl7.org/fhir/R4/compartmentdefinition-patient.html, by the elements that name the subject."""
    assert compartment.patients(resource) == patients
