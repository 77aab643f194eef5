"""Reading and searching: FHIR's HTTP, and that another agency's resource does not exist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.store.interface import ALL
from tests.api.gateway_api import BASE, PATIENT, TASK, Bench, bench


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        made.put((ALL, "river"), PATIENT, TASK)
        yield made


def test_read_tells_version_and_time(gateway: Bench) -> None:
    answer = gateway.as_("river", "GET", "/fhir/Task/t1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/fhir+json"
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["last-modified"].endswith("GMT")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["meta"]["versionId"] == "1"
    assert answer.json()["status"] == "requested"


def test_a_reader_who_has_this_version_is_told_so(gateway: Bench) -> None:
    assert gateway.as_("river", "GET", "/fhir/Task/t1", headers={"If-None-Match": 'W/"1"'}).status_code == 304
    assert gateway.as_("river", "GET", "/fhir/Task/t1", headers={"If-None-Match": 'W/"2"'}).status_code == 200


def test_another_agencys_resource_and_one_that_never_was_are_told_alike(gateway: Bench) -> None:
    for suffix in ("", "/_history", "/_history/1"):
        foreign = gateway.as_("oak", "GET", f"/fhir/Task/t1{suffix}")
        unknown = gateway.as_("oak", "GET", f"/fhir/Task/t2{suffix}")
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.text.replace("t1", "t2") == unknown.text
    assert gateway.as_("oak", "GET", "/fhir/Task").json()["total"] == 0


def test_history_and_vread(gateway: Bench) -> None:
    gateway.put((ALL, "river"), {**TASK, "status": "accepted"})
    history = gateway.as_("river", "GET", "/fhir/Task/t1/_history").json()
    assert [each["resource"]["meta"]["versionId"] for each in history["entry"]] == ["2", "1"]
    assert gateway.as_("river", "GET", "/fhir/Task/t1/_history/1").json()["status"] == "requested"
    assert gateway.as_("river", "GET", "/fhir/Task/t1/_history/3").status_code == 404
    page = gateway.as_("river", "GET", "/fhir/Task/t1/_history?_count=1").json()
    (following,) = [each["url"] for each in page["link"] if each["relation"] == "next"]
    rest = gateway.as_("river", "GET", following.removeprefix(BASE)).json()
    assert [each["resource"]["meta"]["versionId"] for each in rest["entry"]] == ["1"]


def test_what_was_taken_away_leaves_no_history(gateway: Bench) -> None:
    gateway.delete("river", "Task", "t1")
    for suffix in ("", "/_history", "/_history/1"):
        assert gateway.as_("river", "GET", f"/fhir/Task/t1{suffix}").status_code == 404
    assert gateway.as_("coordinator", "GET", "/fhir/Task/t1").status_code == 200


def test_an_older_version_with_a_label_that_is_gone_is_withheld(gateway: Bench) -> None:
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "SUD"}
    gateway.put((ALL, "river"), {**TASK, "meta": {"security": [label]}})
    gateway.put((ALL, "river"), TASK)
    assert gateway.as_("river", "GET", "/fhir/Task/t1/_history/2").status_code == 404
    assert gateway.as_("coordinator", "GET", "/fhir/Task/t1/_history/2").status_code == 200
    assert [each["resource"]["meta"]["versionId"] for each in gateway.as_("river", "GET", "/fhir/Task/t1/_history").json()["entry"]] == ["3", "1"]


def test_polling_by_last_updated_never_misses_and_never_repeats(gateway: Bench) -> None:
    seen: list[str] = []
    since = "1970-01-01"
    for round in range(5):
        for number in range(3):
            gateway.put((ALL, "river"), {**TASK, "id": f"r{round}n{number}"})
        while True:
            found = gateway.as_("river", "GET", f"/fhir/Task?owner=Organization/river&_lastUpdated=gt{since}&_count=2").json()
            for each in found.get("entry", []):
                seen.append(each["resource"]["id"])
                since = each["resource"]["meta"]["lastUpdated"]
            if len(found["link"]) == 1:
                break
    assert seen == ["t1"] + [f"r{round}n{number}" for round in range(5) for number in range(3)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["t1", "t2", "t3"]),
        ("?_id=t1,t3", ["t1", "t3"]),
        ("?status=requested", ["t1", "t2"]),
        ("?status:not=requested", ["t3"]),
        ("?owner=river", ["t1", "t3"]),
        ("?owner:missing=true", ["t2"]),
        ("?patient=p1&status=accepted", ["t3"]),
        ("?patient=Patient/p2", []),
        ("?identifier=urn:care-transition-gateway:task|tr1%231", ["t1"]),
        ("?_sort=-_lastUpdated", ["t3", "t2", "t1"]),
        ("?_sort=_lastUpdated&_count=50", ["t1", "t2", "t3"]),
        ("?_lastUpdated=lt2026-11-22T02:00:02Z", ["t1"]),
        ("?_lastUpdated=ge2026-11-22T02:00:02Z", ["t2", "t3"]),
        ("?_lastUpdated=2026-11-22", ["t1", "t2", "t3"]),
        ("?_format=json", ["t1", "t2", "t3"]),
    ],
)
def test_searching_tasks(gateway: Bench, query: str, found: list[str]) -> None:
    unowned = {name: value for name, value in TASK.items() if name not in ("owner", "identifier")}
    gateway.put((ALL,), {**unowned, "id": "t2"})
    gateway.put((ALL,), {**TASK, "id": "t3", "status": "accepted", "identifier": []})
    answer = gateway.as_("coordinator", "GET", f"/fhir/Task{query}")
    assert answer.status_code == 200
    assert [each["resource"]["id"] for each in answer.json().get("entry", [])] == found
    assert answer.json()["total"] == len(found)


def test_pages_are_followed_by_their_links_both_ways(gateway: Bench) -> None:
    for number in range(7):
        gateway.put((ALL, "river"), {**TASK, "id": f"n{number}"})
    expected = ["t1", *(f"n{number}" for number in range(7))]
    for sort, wanted in (("_lastUpdated", expected), ("-_lastUpdated", expected[::-1])):
        got, address = [], f"/fhir/Task?status:not=accepted&_count=3&_sort={sort}"
        while address:
            page = gateway.as_("river", "GET", address).json()
            got += [each["resource"]["id"] for each in page["entry"]]
            following = [each["url"] for each in page["link"] if each["relation"] == "next"]
            assert all(urlsplit(each).netloc == "gw.example" for each in following), "the Host header is not trusted"
            address = following[0].removeprefix(BASE) if following else ""
        assert got == wanted


def test_a_page_link_serves_its_recipient_and_its_search_alone(gateway: Bench) -> None:
    gateway.put((ALL, "river", "oak"), {**TASK, "id": "n1"}, {**TASK, "id": "n2"})
    page = gateway.as_("river", "GET", "/fhir/Task?_count=1").json()
    (address,) = [each["url"].removeprefix(BASE) for each in page["link"] if each["relation"] == "next"]
    assert gateway.as_("river", "GET", address).status_code == 200
    assert gateway.as_("oak", "GET", address).status_code == 400
    assert gateway.as_("river", "GET", address.replace("_count=1", "_count=1&status=requested")).status_code == 400


def test_post_search_is_the_same_search(gateway: Bench) -> None:
    answer = gateway.as_("river", "POST", "/fhir/Task/_search", data={"status": "requested"})
    assert [each["resource"]["id"] for each in answer.json()["entry"]] == ["t1"]
    assert gateway.as_("river", "POST", "/fhir/Task/_search", data={"status": "accepted"}).json()["total"] == 0


@pytest.mark.parametrize(
    "query", ["colour=red", "status:text=x", "_totalMethod=count", "subject:Encounter.identifier=x", "_sort=colour", "_count=x", "_include=*"]
)
def test_what_is_not_known_is_refused(gateway: Bench, query: str) -> None:
    answer = gateway.as_("river", "GET", f"/fhir/Task?{query}")
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


def test_lenient_leaves_out_what_is_not_known(gateway: Bench) -> None:
    answer = gateway.as_("river", "GET", "/fhir/Task?_totalMethod=count&status=requested", headers={"Prefer": "handling=lenient"})
    assert answer.json()["total"] == 1
    assert answer.json()["link"][0]["url"] == f"{BASE}/fhir/Task?status=requested", "the self link says what was used"


def test_include_gives_what_the_caller_may_see(gateway: Bench) -> None:
    page = gateway.as_("river", "GET", "/fhir/Task?_include=Task:patient").json()
    assert [(each["resource"]["resourceType"], each["search"]["mode"]) for each in page["entry"]] == [("Task", "match"), ("Patient", "include")]
    gateway.delete("river", "Patient", "p1")
    assert len(gateway.as_("river", "GET", "/fhir/Task?_include=Task:patient").json()["entry"]) == 1
    assert gateway.as_("narrow", "GET", "/fhir/Task?_include=Task:patient").status_code == 403
    assert gateway.as_("narrow", "GET", "/fhir/Task").status_code == 200


def test_a_scopes_constraint_holds_for_search_and_read(gateway: Bench) -> None:
    lab = {"resourceType": "Observation", "id": "o1", "status": "final", "category": [{"coding": [{"system": "http://x", "code": "laboratory"}]}]}
    other = {"resourceType": "Observation", "id": "o2", "status": "final", "category": [{"coding": [{"system": "http://x", "code": "survey"}]}]}
    gateway.put((ALL, "river"), lab, other)
    assert [each["resource"]["id"] for each in gateway.as_("river", "GET", "/fhir/Observation").json()["entry"]] == ["o1"]
    assert gateway.as_("river", "GET", "/fhir/Observation/o1").status_code == 200
    assert gateway.as_("river", "GET", "/fhir/Observation/o2").status_code == 404


def test_a_search_that_would_look_at_too_much_is_refused(gateway: Bench) -> None:
    gateway.put((ALL,), *({**TASK, "id": f"n{number}"} for number in range(600)))
    assert gateway.as_("coordinator", "GET", "/fhir/Task?priority=stat").status_code == 413
    assert gateway.as_("coordinator", "GET", "/fhir/Task?priority=stat&status=accepted").status_code == 200


def test_head_and_trailing_slash_are_as_get(gateway: Bench) -> None:
    assert gateway.as_("river", "HEAD", "/fhir/Task/t1").status_code == 200
    assert gateway.as_("river", "GET", "/fhir/Task/t1/").json()["id"] == "t1"
    assert gateway.as_("river", "GET", "/fhir/Task/").json()["total"] == 1
