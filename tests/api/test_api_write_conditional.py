"""Conditions of a write: versions and searches. http://hl7.org/fhir/R4/http.html#concurrency, #ccreate, #cond-update"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.store.interface import ALL
from tests.api.gateway_api import APPOINTMENT, BASE, PATIENT, TASK, Bench, bench

X7: dict[str, Any] = {**APPOINTMENT, "identifier": [{"system": "urn:x", "value": "7"}]}
PATCH = {"Content-Type": "application/json-patch+json"}
CANCEL = b'[{"op": "replace", "path": "/status", "value": "cancelled"}]'


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        made.put((ALL, "river"), PATIENT, TASK)
        yield made


def book(gateway: Bench, body: dict[str, Any] = X7) -> Any:
    return gateway.as_("greedy", "POST", "/fhir/Appointment", json=body)


@pytest.mark.parametrize(
    ("stated", "status"),
    [
        ('W/"1"', 200),
        ('"1"', 200),  # weak or strong: a version is a version
        ('W/"3", W/"1"', 200),
        ("*", 200),
        ('W/"2"', 412),
        ('W/"2", W/"3"', 412),
        ("1", 400),
        ("W/1", 400),
        ('W/"1", 2', 400),
        ('W/"é"', 400),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_if_match_is_honoured_by_every_change(gateway: Bench, method: str, stated: str, status: int) -> None:
    made = book(gateway).json()
    more: dict[str, Any] = {"PUT": {"json": made}, "PATCH": {"content": CANCEL, "headers": PATCH}, "DELETE": {}}[method]
    headers = {**more.pop("headers", {}), "If-Match": stated.encode()}
    answer = gateway.as_("greedy", method, f"/fhir/Appointment/{made['id']}", headers=headers, **more)
    assert answer.status_code == (204 if (method, status) == ("DELETE", 200) else status)
    assert len(gateway.taken) == (2 if status == 200 else 1), "what is refused leaves no trace"


def test_any_version_is_no_version_that_was_read(gateway: Bench) -> None:
    accepted = {**TASK, "status": "accepted"}
    assert gateway.as_("river", "PUT", "/fhir/Task/t1", json=accepted, headers={"If-Match": "*"}).status_code == 400
    assert not gateway.taken


def test_if_none_match_star_wants_there_to_be_none(gateway: Bench) -> None:
    answer = gateway.as_("river", "PUT", "/fhir/Task/t1", json=TASK, headers={"If-None-Match": "*"})
    assert answer.status_code == 412


def test_a_conditional_create_makes_one_and_finds_it_again(gateway: Bench) -> None:
    headers = {"If-None-Exist": "identifier=urn:x|7"}
    first = gateway.as_("river", "POST", "/fhir/Appointment", json=X7, headers=headers)
    again = gateway.as_("river", "POST", "/fhir/Appointment", json=X7, headers=headers)
    assert (first.status_code, again.status_code, len(gateway.taken)) == (201, 200, 1)
    assert again.json() == first.json()
    assert again.headers["content-location"] == first.headers["location"] == f"{BASE}/fhir/Appointment/{first.json()['id']}/_history/1"
    minimal = gateway.as_("river", "POST", "/fhir/Appointment", json=X7, headers={**headers, "Prefer": "return=minimal"})
    assert (minimal.status_code, minimal.content, minimal.headers["etag"]) == (200, b"", 'W/"1"')


def test_a_conditional_create_that_finds_several_is_refused(gateway: Bench) -> None:
    book(gateway)
    book(gateway)
    answer = gateway.as_("river", "POST", "/fhir/Appointment", json=X7, headers={"If-None-Exist": "identifier=urn:x|7"})
    assert (answer.status_code, len(gateway.taken)) == (412, 2)


def test_of_two_conditional_creates_at_the_same_time_one_makes_it(gateway: Bench) -> None:
    """The second looks, finds nothing, and is overtaken before it commits."""
    headers = {"If-None-Exist": "identifier=urn:x|7"}
    gateway.as_("river", "POST", "/fhir/Appointment", json=X7, headers=headers)
    key = gateway.taken[0].about["key"]
    id = gateway.taken[0].about["id"]
    for who in (ALL, "river"):
        gateway.delete(who, "Appointment", id)
    overtaken = {**X7, "id": id, "identifier": [*X7["identifier"], {"system": key.partition("|")[0], "value": key.partition("|")[2]}]}
    gateway.between = lambda: gateway.put((ALL, "river"), overtaken)
    second = gateway.as_("river", "POST", "/fhir/Appointment", json=X7, headers=headers)
    assert (second.status_code, second.json()["id"]) == (200, id)


def test_a_condition_finds_only_what_the_caller_sees(gateway: Bench) -> None:
    """Law 5: what another agency booked neither matches nor stands in the way."""
    gateway.put((ALL, "oak"), {**X7, "id": "hidden"}, {**X7, "id": "hidden-2"})
    for method in ("PUT", "PATCH", "DELETE"):
        more: dict[str, Any] = (
            {"content": CANCEL, "headers": PATCH} if method == "PATCH" else {"json": {**X7, "id": "hidden"}} if method == "PUT" else {}
        )
        assert gateway.as_("greedy", method, "/fhir/Appointment?identifier=urn:x|7", **more).status_code == 404
    made = gateway.as_("river", "POST", "/fhir/Appointment", json=X7, headers={"If-None-Exist": "identifier=urn:x|7"})
    assert made.status_code == 201


@pytest.mark.parametrize("condition", ["", "_count=1", "_sort=_lastUpdated", "_include=Appointment:patient", "_format=json", "colour=red", "%ff"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_what_is_no_condition_changes_nothing(gateway: Bench, method: str, condition: str) -> None:
    book(gateway)
    more: dict[str, Any] = {"PUT": {"json": X7}, "PATCH": {"content": CANCEL, "headers": PATCH}, "DELETE": {}}[method]
    answer = gateway.as_("greedy", method, f"/fhir/Appointment?{condition}", **more)
    assert (answer.status_code, len(gateway.taken)) == (400, 1)


def test_a_condition_is_a_search_and_needs_the_scope_of_one(gateway: Bench) -> None:
    """`river` may search Appointments; `deleter` may delete them, and not search."""
    book(gateway)
    assert gateway.as_("deleter", "DELETE", "/fhir/Appointment?identifier=urn:x|7").status_code == 403
    assert len(gateway.taken) == 1


def test_a_conditional_update_changes_the_one_it_finds(gateway: Bench) -> None:
    made = book(gateway).json()
    url = "/fhir/Appointment?identifier=urn:x|7"
    moved = {**X7, "start": "2026-11-25T10:00:00-06:00", "end": "2026-11-25T11:00:00-06:00"}
    answer = gateway.as_("greedy", "PUT", url, json=moved)
    assert (answer.status_code, answer.json()["id"], answer.json()["start"]) == (200, made["id"], "2026-11-25T10:00:00-06:00")
    assert gateway.as_("greedy", "PUT", url, json={**moved, "id": made["id"]}).status_code == 200
    other = gateway.as_("greedy", "PUT", url, json={**moved, "id": "another"})
    assert (other.status_code, other.json()["issue"][0]["expression"]) == (400, ["Appointment.id"])
    assert gateway.as_("greedy", "PUT", url, json=moved, headers={"If-Match": 'W/"1"'}).status_code == 412


def test_a_conditional_update_that_finds_nothing_creates_unless_it_names_an_id(gateway: Bench) -> None:
    url = "/fhir/Appointment?identifier=urn:x|7"
    named = gateway.as_("greedy", "PUT", url, json={**X7, "id": "mine"})
    assert named.status_code == 404, "there is no update-as-create"
    made = gateway.as_("greedy", "PUT", url, json=X7)
    assert (made.status_code, made.headers["location"]) == (201, f"{BASE}/fhir/Appointment/{made.json()['id']}/_history/1")
    again = gateway.as_("greedy", "PUT", url, json=X7)
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
    assert gateway.as_("greedy", "PUT", "/fhir/Task?identifier=urn:x|none", json={k: v for k, v in TASK.items() if k != "id"}).status_code == 404


def test_conditional_changes_that_find_several_are_refused(gateway: Bench) -> None:
    book(gateway)
    book(gateway)
    url = "/fhir/Appointment?identifier=urn:x|7"
    answers = [
        gateway.as_("greedy", "PUT", url, json=X7),
        gateway.as_("greedy", "PATCH", url, content=CANCEL, headers=PATCH),
        gateway.as_("greedy", "DELETE", url),
    ]
    assert [each.status_code for each in answers] == [412, 412, 412]
    assert len(gateway.taken) == 2


def test_a_conditional_patch_and_a_conditional_delete(gateway: Bench) -> None:
    made = book(gateway).json()
    url = "/fhir/Appointment?identifier=urn:x|7&_format=json"
    answer = gateway.as_("greedy", "PATCH", url, content=CANCEL, headers=PATCH)
    assert (answer.status_code, answer.json()["id"], answer.json()["status"]) == (200, made["id"], "cancelled")
    assert gateway.as_("greedy", "DELETE", url).status_code == 204
    assert gateway.as_("greedy", "DELETE", url).status_code == 404


def test_what_a_condition_found_is_a_disclosure_whatever_is_preferred(gateway: Bench) -> None:
    book(gateway)
    gateway.disclosed.clear()
    gateway.as_("greedy", "PUT", "/fhir/Appointment?identifier=urn:x|7", json=X7, headers={"Prefer": "return=minimal"})
    assert [each.act for each in gateway.disclosed] == ["update"]


@pytest.mark.parametrize(
    ("prefer", "body"),
    [("return=minimal", None), ("return=representation", "Appointment"), ("", "Appointment"), ("return=OperationOutcome", "OperationOutcome")],
)
def test_prefer_says_what_comes_back_and_the_headers_are_there_all_the_same(gateway: Bench, prefer: str, body: str | None) -> None:
    """http://hl7.org/fhir/R4/http.html#return"""
    made = gateway.as_("greedy", "POST", "/fhir/Appointment", json=X7, headers={"Prefer": prefer})
    assert made.status_code == 201
    assert (made.json()["resourceType"] if made.content else None) == body
    id = gateway.taken[0].about["id"]
    assert made.headers["location"] == made.headers["content-location"] == f"{BASE}/fhir/Appointment/{id}/_history/1"
    assert made.headers["etag"] == 'W/"1"'
    assert made.headers["last-modified"] == gateway.as_("greedy", "GET", f"/fhir/Appointment/{id}").headers["last-modified"]
    changed = gateway.as_("greedy", "PUT", f"/fhir/Appointment/{id}", json={**X7, "id": id, "comment": "c"}, headers={"Prefer": prefer})
    assert (changed.status_code, changed.headers["etag"], changed.headers["content-location"][-1]) == (200, 'W/"2"', "2")
    assert "location" not in changed.headers
    gone = gateway.as_("greedy", "DELETE", f"/fhir/Appointment/{id}", headers={"Prefer": prefer})
    assert gone.status_code == (200 if body == "OperationOutcome" else 204)
    assert (gone.json()["resourceType"] if gone.content else None) == ("OperationOutcome" if body == "OperationOutcome" else None)
