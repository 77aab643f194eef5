"""The edge: every error an OperationOutcome of one shape, no exception's text, security headers, negotiation, capabilities, health, metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Unavailable
from gateway.fhir import validation
from gateway.store.interface import ALL
from tests.api.gateway_api import BASE, PATIENT, TASK, Bench, bench


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        made.put((ALL, "river"), PATIENT, TASK)
        yield made


ERRORS: list[tuple[str, str, str, dict[str, Any], int]] = [
    ("", "GET", "/fhir/Task", {}, 401),
    ("wrong", "GET", "/fhir/Task", {}, 401),
    ("", "POST", "/fhir", {"json": {}}, 401),
    ("", "GET", "/api/transitions", {}, 401),
    ("river", "GET", "/fhir/Encounter", {}, 403),
    ("hospital", "GET", "/api/transitions", {}, 403),
    ("river", "GET", "/fhir/Banana", {}, 404),
    ("river", "GET", "/fhir/Task/none", {}, 404),
    ("river", "GET", "/fhir/Task/bad%20id", {}, 404),
    ("river", "GET", "/fhir/Task/t1/_history/x", {}, 404),
    ("river", "GET", "/nowhere", {}, 404),
    ("river", "DELETE", "/fhir/Task/t1", {}, 405),
    ("river", "GET", "/fhir/Task/t1", {"headers": {"Accept": "application/fhir+xml"}}, 406),
    ("river", "GET", "/fhir/Task/t1?_format=xml", {}, 406),
    ("river", "GET", "/fhir/Task?colour=red", {}, 400),
    ("river", "GET", "/fhir/Task?_cursor=AAAA", {}, 400),
    ("river", "GET", "/fhir/Task?status=%ff", {}, 400),
    ("river", "GET", "/api/transitions?cursor=AAAA", {}, 400),
    ("river", "GET", "/api/transitions?wait=soon", {}, 400),
    ("river", "POST", "/fhir/Appointment", {"content": b"{"}, 400),
    ("river", "POST", "/fhir/Appointment", {"content": b'{"resourceType": "Appointment", "id": 1, "id": 2}'}, 400),
    ("river", "POST", "/fhir/Appointment", {"content": b'{"resourceType": "Patient"}'}, 400),
    ("river", "POST", "/fhir/Appointment", {"content": b'{"resourceType": "Appointment"}'}, 422),
    ("river", "POST", "/fhir/Appointment", {"content": b"<Appointment/>", "headers": {"Content-Type": "application/fhir+xml"}}, 415),
    ("river", "POST", "/fhir/Appointment", {"content": b"x" * 30_000}, 413),
    ("river", "PUT", "/fhir/Task/t1", {"json": TASK, "headers": {"If-Match": "3"}}, 400),
    ("river", "PUT", "/fhir/Task/t1", {"json": TASK, "headers": {"If-Match": 'W/"3"'}}, 412),
    ("river", "POST", "/fhir", {"json": {"resourceType": "Bundle", "type": "history"}}, 422),
    ("river", "POST", "/fhir", {"json": {"resourceType": "Bundle", "type": "batch", "entry": [{}]}}, 400),
    ("river", "POST", "/fhir", {"json": {"resourceType": "Bundle", "type": "batch", "entry": [{}] * 6}}, 413),
    ("", "GET", "/broken", {}, 500),
]


@pytest.mark.parametrize(("who", "method", "path", "more", "status"), ERRORS)
def test_every_error_is_an_outcome_of_one_shape(gateway: Bench, who: str, method: str, path: str, more: dict[str, Any], status: int) -> None:
    answer = gateway.as_(who, method, path, **more)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/fhir+json"
    told = answer.json()
    assert validation.issues(told) == []
    for issue in told["issue"]:
        assert set(issue) <= {"severity", "code", "diagnostics", "expression"}
        assert issue["severity"] == "error"
        assert issue["diagnostics"].endswith(".")
    assert "Halvorson" not in answer.text
    assert "Traceback" not in answer.text
    assert ("www-authenticate" in answer.headers) is (status == 401 or (status == 403 and "scope" in answer.headers.get("www-authenticate", "")))
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_body_without_a_length_is_capped_too(gateway: Bench) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b"x" * 100

    assert gateway.as_("river", "POST", "/fhir/Appointment", content=pieces()).status_code == 413


def test_what_is_open_is_open(gateway: Bench) -> None:
    answer = gateway.http.get("/fhir/metadata")
    told = answer.json()
    assert answer.status_code == 200
    assert validation.issues(told) == []
    assert (told["fhirVersion"], told["implementation"]["url"]) == ("4.0.1", f"{BASE}/fhir")
    assert answer.headers["access-control-allow-origin"] == "*"
    (rest,) = told["rest"]
    assert rest["security"]["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    uris = {each["url"]: each["valueUri"] for each in rest["security"]["extension"][0]["extension"]}
    assert uris["token"] == f"{BASE}/oauth/token"
    task = next(each for each in rest["resource"] if each["type"] == "Task")
    assert {"read", "vread", "history-instance", "history-type", "search-type", "update", "patch"} == {each["code"] for each in task["interaction"]}
    assert {"owner", "status", "patient", "_lastUpdated"} <= {each["name"] for each in task["searchParam"]}
    assert {"process-message", "export"} <= {each["name"] for each in rest["operation"]}
    for path in ("/healthz", "/readyz"):
        assert gateway.http.get(path).text == "ok\n"
    assert "gateway_http_answers_total" in gateway.http.get("/metrics").text


def test_every_parameter_that_is_told_is_taken(gateway: Bench) -> None:
    values = {"date": "2026", "reference": "x", "token": "x", "string": "x", "uri": "x", "quantity": "1"}
    for each in gateway.http.get("/fhir/metadata").json()["rest"][0]["resource"]:
        for parameter in each.get("searchParam", ()):
            answer = gateway.as_("coordinator", "GET", f"/fhir/{each['type']}?{parameter['name']}={values[parameter['type']]}")
            assert answer.status_code == 200, (each["type"], parameter["name"])


def test_store_trouble_makes_it_not_ready(gateway: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy() -> None:
        raise Unavailable("the store is busy")

    monkeypatch.setattr(gateway.store, "reading", busy)
    assert gateway.http.get("/readyz").status_code == 503
    assert gateway.http.get("/healthz").status_code == 200
