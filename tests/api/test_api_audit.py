"""Every disclosure leaves an AuditEvent, one an answer; what shows nothing leaves none; what cannot be audited is not shown (DOMAIN, Privacy)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.privacy import notice
from gateway.privacy.audit import TRANSITION
from gateway.store.interface import ALL
from tests.api.gateway_api import APPOINTMENT, PATIENT, TASK, Bench, bench

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ENCOUNTER = notice.marked({"resourceType": "Encounter", "id": "e1", "status": "finished", "subject": {"reference": "Patient/p1"}}, ("Consent/c1",))


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        made.put((ALL, "river"), PATIENT, TASK)
        made.put((ALL, "river"), {**TASK, "status": "accepted"})
        yield made


SHOWN: list[Any] = [
    # who           method  path                                act        what                                              query
    ("river", "GET", "Task/t1", "read", ["Task/t1/_history/2"], ""),
    ("river", "HEAD", "Task/t1", "read", ["Task/t1/_history/2"], ""),
    ("river", "GET", "Task/t1/_history/1", "vread", ["Task/t1/_history/1"], ""),
    ("river", "GET", "Task/t1/_history", "history", ["Task/t1/_history/2", "Task/t1/_history/1"], ""),
    ("river", "GET", "Task?patient=Patient/p1", "search", ["Task/t1/_history/2"], "patient=Patient%2Fp1"),
    ("river", "GET", "Task?_include=Task:patient", "search", ["Task/t1/_history/2", "Patient/p1/_history/1"], "_include=Task%3Apatient"),
    ("coordinator", "GET", "Patient/p1", "read", ["Patient/p1/_history/1"], ""),
    ("coordinator", "GET", "Patient", "search", ["Patient/p1/_history/1"], ""),
]


@pytest.mark.parametrize("row", SHOWN)
def test_an_answer_that_shows_records_leaves_one_event(gateway: Bench, row: Any) -> None:
    who, method, path, act, what, query = row
    assert gateway.as_(who, method, f"/fhir/{path}").status_code == 200
    (told,) = gateway.disclosed
    assert (told.act, list(told.shown.resources), told.shown.patients, told.query) == (act, what, ("Patient/p1",), query)
    client = {"river": ("river-app", "agency", "river"), "coordinator": ("desk", "coordinator", "county")}[who]
    assert (told.who, told.role, told.organization) == client


def test_a_search_by_post_is_audited_as_the_search_it_is(gateway: Bench) -> None:
    gateway.as_("river", "POST", "/fhir/Task/_search?status=accepted", content=b"owner=Organization/river", headers=FORM)
    (told,) = gateway.disclosed
    assert (told.act, told.query) == ("search", "status=accepted&owner=Organization%2Friver")


def test_what_a_write_is_answered_with_is_audited(gateway: Bench) -> None:
    made = gateway.as_("river", "POST", "/fhir/Appointment", json=APPOINTMENT)
    gateway.as_("river", "PUT", "/fhir/Task/t1", json={**TASK, "status": "in-progress"})
    gateway.as_(
        "river",
        "PATCH",
        "/fhir/Task/t1",
        content=b'[{"op": "replace", "path": "/status", "value": "completed"}]',
        headers={"Content-Type": "application/json-patch+json"},
    )
    assert [(each.act, each.shown.resources) for each in gateway.disclosed] == [
        ("create", (f"Appointment/{made.json()['id']}/_history/1",)),
        ("update", ("Task/t1/_history/3",)),
        ("patch", ("Task/t1/_history/4",)),
    ]


def test_each_entry_of_a_batch_is_an_answer_of_its_own(gateway: Bench) -> None:
    urls = ("Task/t1", "Patient", "Task/none", "Patient?family=Nobody")
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    assert gateway.as_("river", "POST", "/fhir", json={"resourceType": "Bundle", "type": "batch", "entry": entries}).status_code == 200
    assert [(each.act, each.shown.resources) for each in gateway.disclosed] == [
        ("read", ("Task/t1/_history/2",)),
        ("search", ("Patient/p1/_history/1",)),
    ]


def test_what_shows_nothing_leaves_no_event(gateway: Bench) -> None:
    cursor = gateway.as_("river", "GET", "/api/transitions").json()["cursor"]
    for status, who, method, path, headers in [
        (200, "river", "GET", f"/api/transitions?cursor={cursor}", {}),
        (304, "river", "GET", f"/api/transitions?cursor={cursor}", {"If-None-Match": f'"{cursor}"'}),
        (304, "river", "GET", "/fhir/Task/t1", {"If-None-Match": 'W/"2"'}),
        (200, "river", "GET", "/fhir/Task?status=rejected", {}),
        (404, "oak", "GET", "/fhir/Task/t1", {}),
        (404, "oak", "GET", "/fhir/Task/t1/_history", {}),
        (200, "oak", "GET", "/fhir/Task", {}),
        (403, "narrow", "GET", "/fhir/Patient/p1", {}),
        (200, "river", "GET", "/fhir/metadata", {}),
        (200, "river", "GET", "/readyz", {}),
    ]:
        assert gateway.as_(who, method, path, headers=headers).status_code == status, path
    gateway.as_("river", "POST", "/fhir/Appointment", json=APPOINTMENT, headers={"Prefer": "return=minimal"})
    assert gateway.disclosed == []


def test_a_page_of_the_feed_is_audited_by_its_transitions(gateway: Bench) -> None:
    gateway.transition("river", "a", {"id": "a", "status": "open", "patient": "Patient/p1", "encounter": "Encounter/e0"})
    gateway.transition("river", "b", {"id": "b", "status": "open", "patient": "Patient/p2"})
    gateway.transition("river", "c", {"id": "c", "status": "open", "patient": "Patient/p3"})
    gateway.transition("river", "c", None)
    gateway.as_("river", "GET", "/api/transitions")
    (told,) = gateway.disclosed
    assert told.act == "poll"
    assert told.shown.identifiers == ((TRANSITION, "a"), (TRANSITION, "b"), (TRANSITION, "c"))
    assert told.shown.patients == ("Patient/p1", "Patient/p2")


def test_a_disclosure_by_consent_names_the_consent(gateway: Bench) -> None:
    gateway.put(("river",), ENCOUNTER, notice.marked(TASK, ("Consent/c1", "Consent/c2")))
    gateway.transition("river", "a", {"id": "a", "status": "open", "encounter": "Encounter/e1"})
    gateway.as_("river", "GET", "/fhir/Task/t1")
    gateway.as_("river", "GET", "/api/transitions")
    gateway.as_("river", "GET", "/fhir/Patient/p1")
    assert [each.shown.consents for each in gateway.disclosed] == [("Consent/c1", "Consent/c2"), ("Consent/c1",), ()]


def test_what_cannot_be_audited_is_not_shown(gateway: Bench) -> None:
    gateway.transition("river", "a", {"id": "a", "status": "open", "client": {"name": "Doe"}})
    cursor = gateway.as_("river", "GET", "/api/transitions").json()["cursor"]
    gateway.full = True
    for path in ("/fhir/Patient/p1", "/fhir/Patient/p1/_history", "/fhir/Patient/p1/_history/1", "/fhir/Patient", "/api/transitions"):
        answer = gateway.as_("river", "GET", path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), path
        assert "Doe" not in answer.text
    assert gateway.as_("river", "GET", f"/api/transitions?cursor={cursor}").status_code == 200, "nothing new is nothing shown"
    assert gateway.as_("oak", "GET", "/fhir/Patient/p1").status_code == 404


def test_a_write_that_was_taken_says_so_though_its_record_cannot_be_shown(gateway: Bench) -> None:
    """Told 503, its sender would book again, and the booking would count twice (law 1)."""
    gateway.full = True
    made = gateway.as_("river", "POST", "/fhir/Appointment", json=APPOINTMENT)
    assert (made.status_code, made.json()["resourceType"], made.json()["issue"][0]["severity"]) == (201, "OperationOutcome", "information")
    assert made.headers["location"].endswith("/_history/1")
    changed = gateway.as_("river", "PUT", "/fhir/Task/t1", json={**TASK, "status": "in-progress"})
    assert (changed.status_code, changed.headers["etag"], changed.json()["resourceType"]) == (200, 'W/"3"', "OperationOutcome")


def test_what_if_none_exist_found_is_a_disclosure_like_a_search(gateway: Bench) -> None:
    headers: dict[str, Any] = {"If-None-Exist": "identifier=urn:x|7", "Prefer": "return=minimal"}
    body = {**APPOINTMENT, "identifier": [{"system": "urn:x", "value": "7"}]}
    gateway.as_("river", "POST", "/fhir/Appointment", json=body, headers=headers)
    assert gateway.disclosed == []
    gateway.as_("river", "POST", "/fhir/Appointment", json=body, headers=headers)
    assert [each.act for each in gateway.disclosed] == ["create"]
    gateway.full = True
    assert gateway.as_("river", "POST", "/fhir/Appointment", json=body, headers=headers).status_code == 503
