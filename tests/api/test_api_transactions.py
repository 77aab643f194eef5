"""A client's batch and transaction over the whole journey. http://hl7.org/fhir/R4/http.html#transaction"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.pipeline.rebuild import rebuild
from gateway.store.interface import ALL, Filter
from tests.api.gateway_api import BASE
from tests.api.running import DISCHARGE, Running, running

Json = dict[str, Any]
VISIT = "urn:uuid:11111111-1111-4111-8111-111111111111"
CALL = "urn:uuid:22222222-2222-4222-8222-222222222222"


class Told:
    """The gateway after the discharge, the client's Patient and Task as the agency reads them."""

    def __init__(self, gateway: Running) -> None:
        self.gateway = gateway
        assert gateway.tell(DISCHARGE).status_code == 200
        self.task = self.get("/fhir/Task")["entry"][0]["resource"]
        self.patient = self.task["for"]["reference"]

    def get(self, path: str) -> Any:
        return self.gateway.as_("greedy", "GET", path).json()

    def post(self, kind: str, *entries: Json, who: str = "greedy", path: str = "/fhir", **headers: str) -> Any:
        bundle = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
        return self.gateway.as_(who, "POST", path, json=bundle, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def appointment(self, **more: Any) -> Json:
        return {
            "resourceType": "Appointment",
            "status": "booked",
            "start": "2026-11-24T10:00:00-06:00",
            "end": "2026-11-24T11:00:00-06:00",
            "participant": [{"actor": {"reference": self.patient}, "status": "accepted"}],
            **more,
        }

    def communication(self, **more: Any) -> Json:
        return {
            "resourceType": "Communication",
            "status": "completed",
            "subject": {"reference": self.patient},
            "sent": "2026-11-22T03:00:00Z",
            **more,
        }

    def count(self, type: str) -> int:
        return int(self.get(f"/fhir/{type}")["total"])

    def inputs(self) -> int:
        with self.gateway.store.reading() as reader:
            return sum(1 for _ in reader.messages(Filter()))


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with running(tmp_path) as made:
        yield Told(made)


def entry(method: str, url: str, resource: Json | None = None, full_url: str = "", **request: str) -> Json:
    made: Json = {"request": {"method": method, "url": url, **request}}
    if resource is not None:
        made["resource"] = resource
    return {**made, **({"fullUrl": full_url} if full_url else {})}


def test_a_claim_a_booking_and_a_call_are_one(told: Told) -> None:
    version = told.task["meta"]["versionId"]
    answer = told.post(
        "transaction",
        entry("GET", f"Task/{told.task['id']}"),
        entry("PUT", f"Task/{told.task['id']}", {**told.task, "status": "accepted"}, ifMatch=f'W/"{version}"'),
        entry("POST", "Communication", told.communication(about=[{"reference": VISIT}]), CALL),
        entry("POST", "Appointment", told.appointment(), VISIT),
    )
    assert answer.status_code == 200
    said = answer.json()
    assert said["type"] == "transaction-response"
    read, claim, call, visit = said["entry"]
    assert [each["response"]["status"] for each in said["entry"]] == ["200", "200", "201", "201"]
    assert read["resource"]["status"] == claim["resource"]["status"] == "accepted", "what is read is read when all is written"
    assert call["resource"]["about"] == [{"reference": f"Appointment/{visit['resource']['id']}"}], "entries name each other, whatever their order"
    for each, type in ((call, "Communication"), (visit, "Appointment")):
        id = each["resource"]["id"]
        assert each["response"]["location"] == f"{BASE}/fhir/{type}/{id}/_history/1"
        assert each["response"]["etag"] == 'W/"1"'
        assert each["response"]["lastModified"] == each["resource"]["meta"]["lastUpdated"] == told.get(f"/fhir/{type}/{id}")["meta"]["lastUpdated"]
    assert "no-follow-up-scheduled" not in told.gateway.flags()


@pytest.mark.parametrize(
    ("wrong", "status", "place"),
    [
        (lambda told: entry("POST", "Appointment", told.appointment(status="actve")), 422, "Bundle.entry[1].resource.status"),
        (lambda told: entry("POST", "Appointment", told.appointment(colour="red")), 422, "Bundle.entry[1].resource.colour"),
        (
            lambda told: entry("POST", "Communication", told.communication(about=[{"reference": CALL}])),
            422,
            "Bundle.entry[1].resource.about[0].reference",
        ),
        (
            lambda told: entry("POST", "Communication", told.communication(about=[{"reference": "Task/none"}])),
            422,
            "Bundle.entry[1].resource.about[0].reference",
        ),
        (lambda told: entry("PUT", f"Task/{told.task['id']}", {**told.task, "status": "accepted"}), 412, "Bundle.entry[1]"),
        (lambda told: entry("PUT", f"Task/{told.task['id']}", {**told.task, "status": "completed"}), 422, "Bundle.entry[1].resource.status"),
        (lambda told: entry("PUT", "Task/none", {**told.task, "id": "none"}), 404, "Bundle.entry[1]"),
        (lambda told: entry("DELETE", "Appointment/none"), 404, "Bundle.entry[1]"),
        (lambda told: entry("DELETE", f"Task/{told.task['id']}"), 422, "Bundle.entry[1].request"),
        (lambda told: entry("POST", "Patient", {"resourceType": "Patient"}), 422, "Bundle.entry[1].request"),
        (lambda told: entry("GET", "Task/none"), 404, "Bundle.entry[1]"),
        (lambda told: entry("GET", "Task?colour=red"), 400, "Bundle.entry[1]"),
        (lambda told: entry("GET", "Task?_format=xml"), 406, "Bundle.entry[1]"),
        (lambda told: entry("BREW", "Appointment"), 422, "Bundle.entry[1].request.method"),
        (lambda told: entry("GET", "https://elsewhere.example/fhir/Task"), 400, "Bundle.entry[1].request.url"),
        (lambda told: entry("GET", ""), 400, "Bundle.entry[1].request.url"),
        (lambda told: entry("POST", "Appointment"), 400, "Bundle.entry[1]"),
        (lambda told: {"resource": told.appointment()}, 400, "Bundle.entry[1].request"),
        (lambda told: "entry", 400, "Bundle.entry[1].request"),
        (lambda told: entry("POST", "Appointment", told.appointment(), VISIT), 422, "Bundle.entry[0]"),
        (lambda told: entry("PATCH", f"Task/{told.task['id']}", {"resourceType": "Parameters"}), 422, "Bundle.entry[1].resource"),
        (lambda told: entry("POST", "Bundle", {"resourceType": "Bundle", "type": "transaction"}), 422, "Bundle.entry[1].request"),
    ],
)
def test_where_one_entry_fails_none_is_done(told: Told, wrong: Any, status: int, place: str) -> None:
    before = told.inputs()
    answer = told.post("transaction", entry("POST", "Appointment", told.appointment(), VISIT), wrong(told))
    assert (answer.status_code, answer.json()["issue"][0].get("expression")) == (status, [place])
    assert (told.count("Appointment"), told.inputs()) == (0, before)


def test_two_entries_about_one_resource_are_refused(told: Told) -> None:
    made = told.gateway.as_("greedy", "POST", "/fhir/Appointment", json=told.appointment(identifier=[{"system": "urn:x", "value": "7"}])).json()
    for url in (f"Appointment/{made['id']}", "Appointment?identifier=urn:x|7"):
        answer = told.post("transaction", entry("PUT", f"Appointment/{made['id']}", {**made, "status": "cancelled"}), entry("DELETE", url))
        assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Bundle.entry[0]"])
    twice = [entry("POST", "Appointment", told.appointment(), ifNoneExist="identifier=urn:x|8") for _ in range(2)]
    assert told.post("transaction", *twice).status_code == 422
    assert told.count("Appointment") == 1


def test_conditions_and_conditional_references_are_resolved_before_anything_is_done(told: Told) -> None:
    seven = {"identifier": [{"system": "urn:x", "value": "7"}]}
    first = told.gateway.as_("greedy", "POST", "/fhir/Appointment", json=told.appointment(**seven)).json()
    by_number = {"actor": {"reference": "Patient?identifier=urn:oid:1.2.3|M17"}, "status": "accepted"}
    answer = told.post(
        "transaction",
        entry("POST", "Appointment", told.appointment(participant=[by_number])),
        entry("POST", "Appointment", told.appointment(**seven), VISIT, ifNoneExist="identifier=urn:x|7"),
        entry("POST", "Communication", told.communication(about=[{"reference": VISIT}], subject={"reference": f"{BASE}/fhir/{told.patient}"})),
    ).json()
    made, stands, call = answer["entry"]
    assert [each["response"]["status"] for each in answer["entry"]] == ["201", "200", "201"]
    assert made["resource"]["participant"][0]["actor"] == {"reference": told.patient}
    assert stands["resource"] == first
    assert call["resource"]["about"] == [{"reference": f"Appointment/{first['id']}"}]
    assert call["resource"]["subject"] == {"reference": told.patient}
    nobody = {"actor": {"reference": "Patient?identifier=urn:oid:1.2.3|M18"}, "status": "accepted"}
    refused = told.post("transaction", entry("POST", "Appointment", told.appointment(participant=[nobody])))
    assert refused.status_code == 412
    assert refused.json()["issue"][0]["expression"] == ["Bundle.entry[0].resource.participant[0].actor.reference"]


def test_deletions_come_first_and_nobody_sees_a_gap_between(told: Told) -> None:
    """A booking that is replaced in one transaction raises no flag: what was scheduled is scheduled still."""
    raised = next(each["resource"]["id"] for each in told.get("/fhir/Flag")["entry"] if "no-follow-up-scheduled" in orjson.dumps(each).decode())
    old = told.gateway.as_("greedy", "POST", "/fhir/Appointment", json=told.appointment()).json()
    before = told.gateway.as_("greedy", "GET", "/api/transitions").json()
    answer = told.post(
        "transaction",
        entry("POST", "Appointment", told.appointment(start="2026-11-25T10:00:00-06:00", end="2026-11-25T11:00:00-06:00")),
        entry("DELETE", f"Appointment/{old['id']}"),
    ).json()
    assert [each["response"]["status"] for each in answer["entry"]] == ["201", "204"]
    (after,) = told.gateway.as_("greedy", "GET", "/api/transitions").json()["transitions"]
    assert after["follow_up"]["start"] == "2026-11-25T10:00:00-06:00"
    assert [each["code"] for each in after["flags"]] == [each["code"] for each in before["transitions"][0]["flags"]]
    with told.gateway.store.reading() as reader:
        versions = reader.history(ALL, "Flag", raised, 50)
    assert [each.body is None for each in versions] == [True, False], "raised by the discharge, cleared by the first booking, and never again"
    named = told.post(
        "transaction",
        entry("DELETE", f"Appointment/{answer['entry'][0]['resource']['id']}"),
        entry("POST", "Communication", told.communication(about=[{"reference": f"Appointment/{answer['entry'][0]['resource']['id']}"}])),
    )
    assert named.status_code == 422, "what is deleted in the same transaction cannot be referred to"


def test_a_rebuild_makes_the_same_of_it(told: Told) -> None:
    """Law 2: every entry is an input of its own, and what its references named is kept with it."""
    told.post(
        "transaction",
        entry("POST", "Communication", told.communication(about=[{"reference": VISIT}])),
        entry("POST", "Appointment", told.appointment(participant=[{"actor": {"reference": "Patient?identifier=M17"}, "status": "accepted"}]), VISIT),
    )
    gone = told.gateway.as_("greedy", "POST", "/fhir/Appointment", json=told.appointment()).json()
    assert told.gateway.as_("greedy", "DELETE", f"/fhir/Appointment/{gone['id']}").status_code == 204
    with told.gateway.store.reading() as reader:
        before = {(each.type, each.id): (each.number, each.body) for each in reader.export(ALL)}
    told.gateway.journey.stop()
    rebuild(told.gateway.store, told.gateway.configuration, told.gateway.now)
    with told.gateway.store.reading() as reader:
        assert {(each.type, each.id): (each.number, each.body) for each in reader.export(ALL)} == before
    told.gateway.journey = type(told.gateway.journey)(told.gateway.store, told.gateway.configuration, lambda: told.gateway.now)
    told.gateway.journey.start()


def test_what_one_deleted_is_gone_and_counts_for_nothing(told: Told) -> None:
    made = told.gateway.as_("greedy", "POST", "/fhir/Appointment", json=told.appointment()).json()
    url = f"/fhir/Appointment/{made['id']}"
    assert "no-follow-up-scheduled" not in told.gateway.flags()
    assert told.gateway.as_("oak", "DELETE", url).status_code == 403, "its token has no such scope"
    assert told.gateway.as_("greedy", "DELETE", url).status_code == 204
    assert "no-follow-up-scheduled" in told.gateway.flags()
    assert [told.gateway.as_("greedy", method, url).status_code for method in ("GET", "DELETE")] == [404, 404]
    assert told.gateway.as_("greedy", "PUT", url, json=made).status_code == 404
    assert told.gateway.as_("coordinator", "GET", url).status_code == 410
    assert told.count("Appointment") == 0
    with told.gateway.store.reading() as reader:
        newest = next(iter(reader.messages(Filter())))
    assert (newest.event, newest.about["method"], newest.raw, newest.state) == ("DELETE Appointment", "DELETE", b"", "processed")


def test_what_a_hospital_said_cannot_be_deleted(told: Told) -> None:
    encounter = told.get("/fhir/Encounter")["entry"][0]["resource"]["id"]
    for url in (f"Encounter/{encounter}", told.patient, f"Task/{told.task['id']}", "CarePlan/any", "Consent/any", "Encounter?status=finished"):
        assert told.gateway.as_("greedy", "DELETE", f"/fhir/{url}").status_code == 405
    assert told.gateway.as_("greedy", "DELETE", "/fhir/Nonsense/1").status_code == 404


def test_a_patch_in_a_bundle_is_a_binary(told: Told) -> None:
    """http://hl7.org/fhir/R4/http.html#jsonpatch"""
    operations = base64.b64encode(b'[{"op": "replace", "path": "/status", "value": "accepted"}]').decode()
    binary = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": operations}
    url, tag = f"Task/{told.task['id']}", f'W/"{told.task["meta"]["versionId"]}"'
    answer = told.post("transaction", entry("PATCH", url, binary, ifMatch=tag)).json()
    assert answer["entry"][0]["resource"]["status"] == "accepted"
    wrong = told.post("batch", entry("PATCH", url, {**binary, "data": "%"}), entry("PATCH", url, {**binary, "data": 7}), entry("PATCH", url))
    assert [each["response"]["status"] for each in wrong.json()["entry"]] == ["400", "400", "422"]


def test_a_stale_version_fails_the_whole_and_an_overtaken_write_is_tried_anew(told: Told) -> None:
    stale = entry("PUT", f"Task/{told.task['id']}", {**told.task, "status": "accepted"}, ifMatch='W/"99"')
    assert told.post("transaction", entry("POST", "Appointment", told.appointment()), stale).status_code == 412
    assert told.count("Appointment") == 0


@pytest.mark.parametrize("path", ["/fhir", "/fhir/"])
def test_a_batch_goes_on_where_one_entry_fails(told: Told, path: str) -> None:
    answer = told.post(
        "batch",
        entry("POST", "Appointment", told.appointment(status="actve")),
        entry("POST", "Appointment", told.appointment(), VISIT),
        entry("POST", "Communication", told.communication(about=[{"reference": VISIT}])),
        entry("DELETE", "Appointment/none"),
        entry("DELETE", f"Task/{told.task['id']}"),
        entry("BREW", "Appointment"),
        entry("GET", "Task?colour=red"),
        entry("POST", "Patient/_search?identifier=M17"),
        entry("GET", f"{BASE}/fhir/{told.patient}"),
        path=path,
    )
    said = answer.json()
    assert (answer.status_code, said["type"]) == (200, "batch-response")
    assert [each["response"]["status"] for each in said["entry"]] == ["422", "201", "422", "404", "405", "422", "400", "200", "200"]
    for each in said["entry"]:
        failed = each["response"]["status"] >= "400"
        assert ("outcome" in each["response"]) is failed
        assert ("resource" in each) is not failed
    assert told.count("Appointment") == 1


def test_what_the_whole_prefers_holds_for_its_entries(told: Told) -> None:
    answer = told.post("batch", entry("POST", "Appointment", told.appointment()), Prefer="return=minimal").json()
    (only,) = answer["entry"]
    assert "resource" not in only
    assert (only["response"]["status"], only["response"]["etag"]) == ("201", 'W/"1"')
    told_so = told.post("transaction", entry("POST", "Appointment", told.appointment()), Prefer="return=OperationOutcome").json()
    assert told_so["entry"][0]["response"]["outcome"]["resourceType"] == "OperationOutcome"


def test_a_bundle_has_a_limit_and_may_be_empty(told: Told) -> None:
    too_many = [entry("GET", "Task?_count=1")] * 201
    for kind in ("batch", "transaction"):
        assert told.post(kind, *too_many).status_code == 413
        assert told.post(kind).json() == {"resourceType": "Bundle", "type": f"{kind}-response"}
    assert told.post("collection").status_code == 422


def test_every_entry_that_shows_something_is_audited_as_it_would_be_alone(told: Told) -> None:
    told.gateway.journey.run(lambda writer, now: None).result()  # what was told before is written
    with told.gateway.store.reading() as reader:
        before = len(reader.audit(0, 1000))
    told.post("transaction", entry("GET", f"Task/{told.task['id']}"), entry("POST", "Appointment", told.appointment()))
    told.gateway.journey.run(lambda writer, now: None).result()
    with told.gateway.store.reading() as reader:
        events = [orjson.loads(body) for _, _, body in reader.audit(0, 1000)][before:]
    assert [each["subtype"][0]["code"] for each in events] == ["read", "create"]


def test_another_agencys_records_and_what_there_is_not_are_told_alike(told: Told) -> None:
    """Law 5: by a literal, by a search, by a condition, and by an address; in a transaction as in a batch."""
    made = told.gateway.as_("greedy", "POST", "/fhir/Appointment", json=told.appointment(identifier=[{"system": "urn:x", "value": "7"}])).json()

    def asked(patient: str, appointment: str, number: str) -> list[tuple[int, str]]:
        entries = [
            entry("POST", "Appointment", told.appointment(participant=[{"actor": {"reference": patient}, "status": "accepted"}])),
            entry("POST", "Communication", told.communication(subject={"reference": f"Patient?identifier={number}"})),
            entry("PUT", f"Appointment/{appointment}", {**made, "id": appointment}),
            entry("DELETE", f"Appointment/{appointment}"),
            entry("DELETE", f"Appointment?identifier=urn:x|{number}"),
            entry("GET", f"Appointment/{appointment}"),
        ]
        answers = [told.post(kind, each, who="greedy-oak") for kind in ("transaction", "batch") for each in entries]
        return [(each.status_code, each.text.replace(patient, "…").replace(appointment, "…").replace(number, "…")) for each in answers]

    foreign = asked(told.patient, made["id"], "7")
    assert foreign == asked("Patient/none", "none", "8")
    assert {status for status, _ in foreign} == {200, 404, 412, 422}, "batches are answered; transactions refused, each for its own reason"
    assert told.get(f"/fhir/Appointment/{made['id']}") == made
