"""Histories of a resource, a type and everything; formats, conditional reads, POST searches, the compartment, methods that there are not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.store.interface import ALL
from tests.api.gateway_api import BASE, PATIENT, TASK, Bench, bench

Json = dict[str, Any]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        made.put((ALL, "river"), PATIENT, TASK)
        yield made


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("http")) as made:
        made.put((ALL, "river"), PATIENT, TASK)
        yield made


def told(gateway: Bench, who: str, address: str) -> list[str]:
    """The versions of a history's pages, as they follow each other: "Task/t1/2", or "Task/t1 gone"."""
    seen: list[str] = []
    while address:
        answer = gateway.as_(who, "GET", address)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        for each in page.get("entry", []):
            if "resource" in each:
                seen.append("{resourceType}/{id}/{meta[versionId]}".format(**each["resource"]))
                assert each["response"]["status"] == ("201" if each["request"]["method"] == "POST" else "200")
            else:
                assert each["request"]["method"] == "DELETE"
                seen.append(f"{each['request']['url']} gone")
        address = next((each["url"].removeprefix(BASE) for each in page["link"] if each["relation"] == "next"), "")
    return seen


# --- histories


def test_a_types_history_is_every_change_that_the_recipient_saw(gateway: Bench) -> None:
    gateway.put((ALL, "river"), {**TASK, "id": "t2"})
    gateway.put((ALL, "river"), {**TASK, "status": "accepted"})
    gateway.put((ALL,), {**TASK, "status": "accepted", "priority": "stat"})  # River's version does not differ
    assert told(gateway, "river", "/fhir/Task/_history") == ["Task/t1/2", "Task/t2/1", "Task/t1/1"]
    assert told(gateway, "river", "/fhir/Task/_history?_count=1") == ["Task/t1/2", "Task/t2/1", "Task/t1/1"]
    assert told(gateway, "coordinator", "/fhir/Task/_history")[0] == "Task/t1/3"
    assert told(gateway, "oak", "/fhir/Task/_history") == []


def test_a_withdrawn_resource_has_no_history_and_a_deletion_is_told_to_who_sees_everything(gateway: Bench) -> None:
    gateway.put((ALL, "river"), {**TASK, "id": "t2"})
    gateway.delete("river", "Task", "t1")
    assert told(gateway, "river", "/fhir/Task/_history") == ["Task/t2/1"]
    gateway.delete(ALL, "Task", "t1")
    assert told(gateway, "coordinator", "/fhir/Task/_history") == ["Task/t1 gone", "Task/t2/1", "Task/t1/1"]
    assert told(gateway, "coordinator", "/fhir/Task/t1/_history") == ["Task/t1 gone", "Task/t1/1"]
    assert gateway.as_("coordinator", "GET", "/fhir/Task/t1").status_code == 410
    assert gateway.as_("river", "GET", "/fhir/Task/t1/_history").status_code == 404
    gateway.put((ALL, "river"), TASK)
    assert told(gateway, "river", "/fhir/Task/_history")[0] == "Task/t1/3"
    assert told(gateway, "river", "/fhir/Task/t1/_history") == ["Task/t1/3", "Task/t1/1"]


def test_an_older_version_with_a_label_that_is_gone_is_in_no_types_history(gateway: Bench) -> None:
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "SUD"}
    gateway.put((ALL, "river"), {**TASK, "meta": {"security": [label]}})
    gateway.put((ALL, "river"), TASK)
    assert told(gateway, "river", "/fhir/Task/_history") == ["Task/t1/3", "Task/t1/1"]
    assert told(gateway, "coordinator", "/fhir/Task/_history") == ["Task/t1/3", "Task/t1/2", "Task/t1/1"]


def test_the_history_of_everything_is_of_the_types_that_scopes_open(gateway: Bench) -> None:
    gateway.put((ALL, "river"), {"resourceType": "Flag", "id": "f1", "status": "active"})
    gateway.put((ALL, "river"), {**PATIENT, "gender": "male"})
    assert told(gateway, "river", "/fhir/_history?_count=2") == ["Patient/p1/2", "Task/t1/1", "Patient/p1/1"], "no scope of River's opens Flags"
    assert told(gateway, "coordinator", "/fhir/_history") == ["Patient/p1/2", "Flag/f1/1", "Task/t1/1", "Patient/p1/1"]
    assert told(gateway, "narrow", "/fhir/_history") == ["Task/t1/1"]
    assert gateway.as_("hospital", "GET", "/fhir/_history").status_code == 403


def test_a_history_since_a_moment(gateway: Bench) -> None:
    gateway.put((ALL, "river"), {**TASK, "status": "accepted"})
    (newest, _) = gateway.as_("river", "GET", "/fhir/Task/t1/_history").json()["entry"]
    since = newest["resource"]["meta"]["lastUpdated"]
    for address in ("/fhir/Task/t1/_history", "/fhir/Task/_history", "/fhir/_history"):
        assert told(gateway, "river", f"{address}?_since={since}") == ["Task/t1/2"]
        assert told(gateway, "river", f"{address}?_since=2027-01-01T00:00:00Z") == []


@pytest.mark.parametrize("query", ["_since=yesterday", "_since=2026", "_count=0", "_count=x", "_at=2026", "status=requested", "_cursor=x"])
@pytest.mark.parametrize("address", ["/fhir/Task/t1/_history", "/fhir/Task/_history", "/fhir/_history"])
def test_what_a_history_does_not_take_is_refused(asked: Bench, address: str, query: str) -> None:
    answer = asked.as_("river", "GET", f"{address}?{query}")
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


def test_a_historys_cursor_serves_its_history_and_recipient_alone(gateway: Bench) -> None:
    gateway.put((ALL, "river", "oak"), {**TASK, "status": "accepted"}, {**TASK, "id": "t2"})
    page = gateway.as_("river", "GET", "/fhir/Task/_history?_count=1").json()
    address = page["link"][1]["url"].removeprefix(BASE)
    assert gateway.as_("river", "GET", address).status_code == 200
    assert gateway.as_("oak", "GET", address).status_code == 400
    assert gateway.as_("river", "GET", address.replace("/Task/", "/Patient/")).status_code == 400
    assert gateway.as_("river", "GET", address.replace("/Task/", "/Task/t1/")).status_code == 400


def test_a_history_is_audited_as_one(gateway: Bench) -> None:
    told(gateway, "river", "/fhir/Task/_history")
    gateway.as_("river", "GET", "/fhir/Patient/p1/Task")
    assert [each.act for each in gateway.disclosed] == ["history", "search"]
    assert gateway.disclosed[0].shown.resources == ("Task/t1/_history/1",)


# --- reads


def test_a_reader_is_told_that_nothing_changed_since(gateway: Bench) -> None:
    modified = gateway.as_("river", "GET", "/fhir/Task/t1").headers["last-modified"]
    same = gateway.as_("river", "GET", "/fhir/Task/t1", headers={"If-Modified-Since": modified})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", 'W/"1"')
    earlier = {"If-Modified-Since": "Sun, 22 Nov 2026 01:00:00 GMT"}
    assert gateway.as_("river", "GET", "/fhir/Task/t1", headers=earlier).status_code == 200
    both = {"If-Modified-Since": modified, "If-None-Match": 'W/"7"'}
    assert gateway.as_("river", "GET", "/fhir/Task/t1", headers=both).status_code == 200, "the tag decides where there is one"
    assert gateway.as_("river", "GET", "/fhir/Task/t1", headers={"If-Modified-Since": "yesterday"}).status_code == 200


@pytest.mark.parametrize("format", ["json", "application/json", "application/fhir%2Bjson", "application/fhir+json", "text/json"])
def test_json_by_any_of_its_names(asked: Bench, format: str) -> None:
    for address in ("/fhir/Task/t1", "/fhir/Task", "/fhir/Task/_history", "/fhir/Task/t1/_history/1"):
        answer = asked.as_("river", "GET", f"{address}?_format={format}", headers={"Accept": "application/fhir+xml"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fhir+json")


@pytest.mark.parametrize("format", ["xml", "application/fhir%2Bxml", "ttl", "html"])
def test_no_other_format_is_to_be_had(asked: Bench, format: str) -> None:
    for address in ("/fhir/Task/t1", "/fhir/Task", "/fhir/_history"):
        answer = asked.as_("river", "GET", f"{address}?_format={format}")
        assert (answer.status_code, answer.json()["resourceType"]) == (406, "OperationOutcome")


def test_indented_for_people(asked: Bench) -> None:
    for address in ("/fhir/Task/t1", "/fhir/Task", "/fhir/Task/_history"):
        plain, indented = (asked.as_("river", "GET", f"{address}?_pretty={pretty}") for pretty in ("false", "true"))
        assert b"\n  " in indented.content
        assert b"\n" not in plain.content
        assert int(indented.headers["content-length"]) == len(indented.content)
        assert indented.json() == plain.json()


def test_a_read_takes_no_filter(asked: Bench) -> None:
    assert asked.as_("river", "GET", "/fhir/Task/t1?status=accepted").status_code == 400
    assert asked.as_("river", "GET", "/fhir/Task/t1/_history/1?_count=3").status_code == 400
    assert asked.as_("river", "GET", "/fhir/Task/t1?status=accepted", headers={"Prefer": "handling=lenient"}).status_code == 200


# --- searches by POST, and in the compartment


def test_a_form_and_an_address_are_searched_together(gateway: Bench) -> None:
    gateway.put((ALL, "river"), {**TASK, "id": "t2", "status": "accepted"})
    answer = gateway.as_("river", "POST", "/fhir/Task/_search?patient=p1&_count=1", data={"status": "accepted", "_sort": "-_lastUpdated"})
    assert [each["resource"]["id"] for each in answer.json()["entry"]] == ["t2"]
    (self,) = [each["url"] for each in answer.json()["link"] if each["relation"] == "self"]
    assert parse_qs(urlsplit(self).query) == {"patient": ["p1"], "_count": ["1"], "status": ["accepted"], "_sort": ["-_lastUpdated"]}
    assert len(gateway.as_("river", "POST", "/fhir/Task/_search").json()["entry"]) == 2


def test_a_posted_search_that_is_no_form_is_not_taken_for_an_empty_one(asked: Bench) -> None:
    assert asked.as_("river", "POST", "/fhir/Task/_search", json={"status": "accepted"}).status_code == 415
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert asked.as_("river", "POST", "/fhir/Task/_search", content=b"status=\xff", headers=form).status_code == 400
    assert asked.as_("river", "POST", "/fhir/Task/_search", content=b"colour=red", headers=form).status_code == 400


def test_a_patients_compartment(gateway: Bench) -> None:
    gateway.put((ALL, "river"), {**TASK, "id": "t2", "for": {"reference": "Patient/p2"}})
    answer = gateway.as_("river", "GET", "/fhir/Patient/p1/Task?status=requested").json()
    assert [each["resource"]["id"] for each in answer["entry"]] == ["t1"]
    assert "entry" not in gateway.as_("oak", "GET", "/fhir/Patient/p1/Task").json()
    assert gateway.as_("river", "GET", "/fhir/Patient/p1/Encounter").status_code == 403
    assert gateway.as_("river", "GET", "/fhir/Patient/p1/Practitioner").status_code == 405
    assert gateway.as_("river", "GET", "/fhir/Patient/p1/Nothing").status_code == 405


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/fhir/Patient/p1", "GET, HEAD"),
        ("DELETE", "/fhir/Task/t1", "GET, HEAD, PUT, PATCH"),
        ("POST", "/fhir/Task", "GET, HEAD, PUT, PATCH"),
        ("POST", "/fhir/Patient", "GET, HEAD"),
        ("POST", "/fhir/Task/t1/_history", "GET, HEAD"),
        ("DELETE", "/fhir/Task/t1/_history/1", "GET, HEAD"),
        ("PUT", "/fhir/_history", "GET, HEAD"),
    ],
)
def test_a_method_that_there_is_not_is_answered_with_those_that_there_are(asked: Bench, method: str, path: str, allow: str) -> None:
    answer = asked.as_("greedy", method, path, json={})
    assert (answer.status_code, answer.json()["resourceType"]) == (405, "OperationOutcome")
    assert set(answer.headers["allow"].split(", ")) == set(allow.split(", "))


def test_what_is_searched_is_told_in_the_capability_statement(asked: Bench) -> None:
    (rest,) = asked.http.get("/fhir/metadata").json()["rest"]
    task = next(each for each in rest["resource"] if each["type"] == "Task")
    assert {"_id", "_lastUpdated", "owner", "business-status", "_tag"} <= {each["name"] for each in task["searchParam"]}
    assert {"Provenance:target", "CarePlan:activity-reference"} & set(task["searchRevInclude"]) == {"Provenance:target"}, "what is indexed"
    assert "Task:patient" in task["searchInclude"]
    assert {"history-type", "history-instance"} <= {each["code"] for each in task["interaction"]}
    assert "history-system" in {each["code"] for each in rest["interaction"]}
