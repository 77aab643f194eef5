"""Every road by which an agency can name another's record: each answers as if it named one that never was."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from tests.api.gateway_api import APPOINTMENT, PATIENT, TASK, Bench, bench

Json = dict[str, Any]
THEIRS, NOBODYS = "theirs", "nobody"
"""An id of oak's Patient, Task, Condition and Appointment, and one of nothing; of one length, so that answers can be compared."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """River has the Patient p1, its Task and Appointment; oak has everything of the id `theirs`."""
    with bench(tmp_path_factory.mktemp("roads")) as made:
        made.serve(limits=made.services.limits.__class__(scan=500, batch=10))
        booked = {**APPOINTMENT, "id": "a1"}
        made.put(("*", "river"), PATIENT, TASK, booked)
        about = {"reference": f"Patient/{THEIRS}"}
        made.put(
            ("*", "oak"),
            {**PATIENT, "id": THEIRS, "name": [{"family": THEIRS}], "identifier": [{"system": "urn:x", "value": THEIRS}]},
            {**TASK, "id": THEIRS, "for": about, "identifier": [{"system": "urn:x", "value": THEIRS}]},
            {**APPOINTMENT, "id": THEIRS, "participant": [{"actor": about, "status": "accepted"}]},
            {"resourceType": "Condition", "id": THEIRS, "subject": about, "code": {"text": "Low mood"}},
            {
                "resourceType": "Provenance",
                "id": THEIRS,
                "target": [{"reference": f"Task/{THEIRS}"}],
                "recorded": "2026-11-22T08:00:00Z",
                "agent": [{"who": {"reference": "Organization/oak"}}],
            },
        )
        yield made


def told(answer: Any, id: str) -> tuple[int, object]:
    """What an answer says, apart from the id that was asked for, from links and from what was made anew."""
    text = answer.text.replace(id, "…")
    body = orjson.loads(text) if text.startswith("{") else text
    if isinstance(body, dict):
        body.pop("link", None)
    return answer.status_code, body


READS = [
    "Patient/{}",
    "Patient/{}/_history",
    "Patient/{}/_history/1",
    "Patient/{}/Task",
    "Task/{}",
    "Task/{}/_history",
    "Task/{}/_history/1",
    "Task/{}/$validate",
    "Provenance/{}",
    "Patient?_id={}",
    "Patient?name={}",
    "Patient?identifier=urn:x|{}&_total=accurate",
    "Task?patient={}",
    "Task?patient=Patient/{}&_summary=count",
    "Task?subject=Patient/{}",
    "Task?patient.name={}",
    "Task?patient:Patient.identifier=urn:x|{}",
    "Task?subject:Patient._id={}",
    "Patient?_has:Task:patient:_id={}",
    "Patient?_has:Condition:patient:_id={}",
    "Patient?_id={},p1&_revinclude=Task:patient",
    "Patient?_id={}&_revinclude=Condition:patient&_revinclude:iterate=Provenance:target",
    "Task?_id={}&_include=Task:patient",
    "Task?_id={}&_revinclude=Provenance:target",
    "Provenance?target=Task/{}",
    "Appointment?_id={}&_include=Appointment:patient&_sort=date",
    "_history?_since=2020-01-01T00:00:00Z&_count=50",
]


@pytest.mark.parametrize("road", READS)
def test_no_reading_road_tells_anothers_record_from_nothing(gateway: Bench, road: str) -> None:
    theirs, nobodys = (told(gateway.as_("greedy", "GET", f"/fhir/{road.format(id)}"), id) for id in (THEIRS, NOBODYS))
    assert theirs == nobodys
    assert THEIRS not in str(theirs[1])
    theirs, nobodys = (told(gateway.as_("all-coordinator", "GET", f"/fhir/{road.format(id)}"), id) for id in (THEIRS, NOBODYS))
    assert theirs != nobodys  # the road does lead there


def in_a_batch(gateway: Bench, url: str) -> Json:
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": url}}]}
    return dict(gateway.as_("greedy", "POST", "/fhir", json=bundle).json()["entry"][0])


@pytest.mark.parametrize("road", [each for each in READS if "?" in each and not each.startswith("_")])
def test_nor_by_post_or_in_a_batch(gateway: Bench, road: str) -> None:
    type, _, query = road.partition("?")
    for id in (THEIRS, NOBODYS):
        posted = gateway.as_(
            "greedy", "POST", f"/fhir/{type}/_search", content=query.format(id), headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert told(posted, id) == told(gateway.as_("greedy", "GET", f"/fhir/{road.format(NOBODYS)}"), NOBODYS)
    theirs, nobodys = (in_a_batch(gateway, road.format(id)) for id in (THEIRS, NOBODYS))
    found = [each.get("resource", {}).get("total") for each in (theirs, nobodys)]
    assert theirs["response"]["status"] == nobodys["response"]["status"]
    assert found[0] == found[1]


def refers(id: str, **more: Any) -> Json:
    return {"resourceType": "Communication", "status": "completed", "subject": {"reference": f"Patient/{id}"}, **more}


def beside(id: str) -> Json:
    return {**refers("p1"), "about": [{"reference": f"Task/{id}"}]}


def bundle(method: str, url: str, resource: Json | None = None, **request: str) -> Json:
    entry = {"request": {"method": method, "url": url, **request}, **({"resource": resource} if resource else {})}
    return {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}


def patch(id: str) -> Json:
    data = base64.b64encode(orjson.dumps([{"op": "test", "path": "/id", "value": id}])).decode()
    return {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data}


WRITES = {
    "create about": lambda id: ("POST", "Communication", refers(id), {}),
    "create beside": lambda id: ("POST", "Communication", beside(id), {}),
    "update": lambda id: ("PUT", f"Task/{id}", {**TASK, "id": id, "status": "accepted"}, {"If-Match": 'W/"1"'}),
    "delete": lambda id: ("DELETE", f"Appointment/{id}", None, {}),
    "conditional update": lambda id: ("PUT", f"Task?identifier=urn:x|{id}", {**TASK, "id": id}, {}),
    "conditional delete": lambda id: ("DELETE", f"Appointment?_id={id}", None, {}),
    "if none exist about": lambda id: ("POST", "Communication", refers(id), {"If-None-Exist": f"subject=Patient/{id}"}),
    "transaction": lambda id: ("POST", "", bundle("POST", "Communication", beside(id)), {}),
    "transaction, conditional reference": lambda id: (
        "POST",
        "",
        bundle("POST", "Communication", {**refers("p1"), "about": [{"reference": f"Task?identifier=urn:x|{id}"}]}),
        {},
    ),
    "transaction, update": lambda id: ("POST", "", bundle("PUT", f"Task/{id}", {**TASK, "id": id}, ifMatch='W/"1"'), {}),
    "transaction, patch": lambda id: ("POST", "", bundle("PATCH", f"Task/{id}", patch(id)), {}),
    "transaction, delete": lambda id: ("POST", "", bundle("DELETE", f"Appointment?_id={id}"), {}),
    "validate a write": lambda id: ("POST", "Communication/$validate?mode=create", refers(id), {}),
    "export": lambda id: (
        "POST",
        "Patient/$export",
        {"resourceType": "Parameters", "parameter": [{"name": "patient", "valueReference": {"reference": f"Patient/{id}"}}]},
        {"Prefer": "respond-async"},
    ),
}


@pytest.mark.parametrize("road", list(WRITES))
def test_no_writing_road_does(gateway: Bench, road: str) -> None:
    answers = []
    before = len(gateway.taken)
    for id in (THEIRS, NOBODYS):
        method, path, body, headers = WRITES[road](id)
        content = {"json": body} if body is not None else {}
        answers.append(told(gateway.as_("greedy", method, f"/fhir/{path}", headers=headers, **content), id))
    assert answers[0] == answers[1]
    assert answers[0][0] >= 400 or road == "validate a write"
    assert len(gateway.taken) == before  # nothing of it reached the inbox
