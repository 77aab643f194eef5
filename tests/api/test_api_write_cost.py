"""What a write may cost: a client that writes must not be able to stop the gateway for everybody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.fhir import validation
from tests.api.gateway_api import APPOINTMENT, PATIENT, TASK, Bench, bench

Json = dict[str, Any]
COMMUNICATION: Json = {"resourceType": "Communication", "status": "completed", "subject": {"reference": "Patient/p1"}}
MANY = [{"text": "x"}] * 10_000
"""With the objects around them, more values than are taken; half a megabyte, far below what a body may have in bytes."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        made.serve(limits=made.services.limits.__class__(scan=500, batch=5))
        made.put(("*", "river"), PATIENT)
        yield made


def transaction(*resources: Json) -> Json:
    entries = [{"request": {"method": "POST", "url": each["resourceType"]}, "resource": each} for each in resources]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def about(*references: str) -> Json:
    return {**COMMUNICATION, "about": [{"reference": each} for each in references]}


def test_a_resource_of_too_many_elements_is_refused_before_it_is_held_to_r4(gateway: Bench) -> None:
    answer = gateway.as_("greedy", "POST", "/fhir/Communication", json={**COMMUNICATION, "note": MANY})
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (413, "too-long")
    for kind in ("batch", "transaction"):
        bundle = {**transaction({**COMMUNICATION, "note": MANY}), "type": kind}
        assert gateway.as_("greedy", "POST", "/fhir", json=bundle).status_code == 413


def test_a_patch_of_too_many_elements_is_refused_and_so_is_one_that_makes_them(gateway: Bench) -> None:
    made = gateway.as_("greedy", "POST", "/fhir/Appointment", json=APPOINTMENT)
    path, headers = f"/fhir/Appointment/{made.json()['id']}", {"Content-Type": "application/json-patch+json"}
    whole = [{"op": "add", "path": "/note", "value": MANY}]
    assert gateway.as_("greedy", "PATCH", path, json=whole, headers=headers).status_code == 413
    copies = [{"op": "add", "path": "/note", "value": MANY[:1000]}] + [{"op": "copy", "from": "/note", "path": f"/note{n}"} for n in range(20)]
    assert gateway.as_("greedy", "PATCH", path, json=copies, headers=headers).status_code == 413


@pytest.mark.parametrize(("who", "status"), [("greedy", 413), ("hospital", 200)])
def test_only_a_feeds_client_has_a_large_body_validated(gateway: Bench, who: str, status: int) -> None:
    """A hospital's transaction may have thousands of entries, and may be validated before it is sent."""
    gateway.serve(limits=gateway.services.limits.__class__())
    assert gateway.as_(who, "POST", "/fhir/Communication/$validate", json={**COMMUNICATION, "note": MANY}).status_code == status


def test_a_long_document_is_one_element(gateway: Bench) -> None:
    attached = {"payload": [{"contentAttachment": {"contentType": "text/plain", "data": "QUJD" * 100_000}}]}
    assert gateway.as_("greedy", "POST", "/fhir/Communication", json={**COMMUNICATION, **attached}).status_code == 201


def test_a_transaction_has_no_more_conditional_references_than_entries(gateway: Bench) -> None:
    gateway.put(("*", "river"), *[{**TASK, "id": f"t{number}"} for number in range(6)])
    five = [f"Task?_id=t{number}" for number in range(5)]
    assert gateway.as_("greedy", "POST", "/fhir", json=transaction(about(*five, *five))).status_code == 200
    assert gateway.as_("greedy", "POST", "/fhir", json=transaction(about(*five, "Task?_id=t5"))).status_code == 413
    assert gateway.as_("greedy", "POST", "/fhir", json=transaction(about(*five), about("Task?_id=t5"))).status_code == 413


def test_the_conditions_of_a_transaction_look_at_no_more_together_than_one_search(gateway: Bench) -> None:
    """300 Tasks are looked at for a parameter that no index has; 500 may be."""
    for first in range(0, 300, 100):
        gateway.put(("*", "river"), *[{**TASK, "id": f"t{first + n}", "groupIdentifier": {"value": f"g{first + n}"}} for n in range(100)])
    one, other = "Task?group-identifier=g7", "Task?group-identifier=g8"
    assert gateway.as_("greedy", "POST", "/fhir", json=transaction(about(one))).status_code == 200
    assert gateway.as_("greedy", "POST", "/fhir", json=transaction(about(one, other))).status_code == 413
    made = transaction(COMMUNICATION, COMMUNICATION)
    for number, entry in enumerate(made["entry"]):
        entry["request"]["ifNoneExist"] = f"based-on:missing=true&sent=gt203{number}"
    gateway.put(("*", "river"), *[{**COMMUNICATION, "id": f"m{number}"} for number in range(300)])
    assert gateway.as_("greedy", "POST", "/fhir", json=made).status_code == 413


@pytest.mark.parametrize("sent", [COMMUNICATION, transaction(COMMUNICATION)])
def test_nobody_waits_while_a_write_is_checked(gateway: Bench, monkeypatch: pytest.MonkeyPatch, sent: Json) -> None:
    threads = []
    monkeypatch.setattr(validation, "check_written", lambda body: threads.append(threading.current_thread()))
    path = "/fhir" if sent["resourceType"] == "Bundle" else "/fhir/Communication"
    assert gateway.as_("greedy", "POST", path, json=sent).status_code in (200, 201)
    assert threads
    assert gateway.http._thread not in threads
