"""Doors: no token, too narrow a token, another agency's resource, ids that never were, writes that are nobody's to make."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.attacks_privacy.town import Client, Json, Town, booking

NEVER = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def case(attacked: Town) -> tuple[Town, str, str]:
    """The town, a Patient of River's and one of Harbor's."""
    mine = attacked.discharged(Client("2001", "Adair^Ruth"))
    theirs = attacked.discharged(Client("2002", "Bell^Omar", postal_code="62501"))
    return attacked, mine, theirs


SHARED = ("Organization/", "Device/", "Practitioner/", "Location/")


def ids_of(town: Town) -> list[str]:
    """Everything that Harbor reads about its clients."""
    return [key for key in town.harbor.everything() if key.count("/") == 1 and not key.startswith(("/", *SHARED))]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/fhir/Patient"),
        ("GET", f"/fhir/Patient/{NEVER}"),
        ("GET", f"/fhir/Task/{NEVER}/_history"),
        ("POST", "/fhir/Appointment"),
        ("POST", "/fhir/Patient/_search"),
        ("PUT", f"/fhir/Task/{NEVER}"),
        ("PATCH", f"/fhir/Task/{NEVER}"),
        ("POST", "/fhir"),
        ("POST", "/fhir/$process-message"),
        ("POST", "/hl7/v2"),
        ("GET", "/api/transitions"),
    ],
)
def test_without_a_token_every_door_answers_401_with_a_challenge(case: Any, method: str, path: str) -> None:
    answer = case[0].nobody.ask(method, path, content=b"{}")
    assert (answer.status_code, answer.headers["WWW-Authenticate"].split()[0]) == (401, "Bearer")


def test_outside_its_scope_a_client_is_refused_whatever_there_is(case: Any) -> None:
    town, mine, _ = case
    narrow = town.partners["narrow"]
    [task] = town.river.search("Task", patient=mine)
    for method, path in [
        ("GET", f"/fhir/Patient/{mine}"),
        ("GET", f"/fhir/Patient/{NEVER}"),
        ("GET", "/fhir/Patient"),
        ("GET", f"/fhir/Task/{task['id']}"),
        ("PUT", f"/fhir/Task/{task['id']}"),
        ("GET", "/fhir/Task?_include=Task:patient"),
        ("GET", "/api/transitions"),
        ("POST", "/fhir/Appointment"),
    ]:
        assert narrow.ask(method, path, json=task).status_code == 403, path


def test_a_hospitals_client_reads_nothing_even_with_every_scope(case: Any) -> None:
    town, mine, _ = case
    for path in (f"/fhir/Patient/{mine}", "/fhir/Patient", "/fhir/Task", "/api/transitions", f"/fhir/Patient/{mine}/_history", "/fhir/AuditEvent"):
        answer = town.hospital.get(path)
        assert answer.status_code == 403
        assert mine not in answer.text
    assert town.hospital.ask("POST", "/fhir/Appointment", json=booking(mine, town.at)).status_code == 403


def same(one: Any, other: Any) -> bool:
    """The same answer but for the id that was asked for."""

    def plain(answer: Any) -> tuple[int, dict[str, str], str]:
        headers = {name: value for name, value in answer.headers.items() if name not in ("date",)}
        return answer.status_code, headers, answer.text.replace(answer.request.url.path.split("/")[3], "ID")

    return plain(one) == plain(other)


def test_another_agencys_resource_is_answered_as_one_that_never_was(case: Any) -> None:
    town, _, _ = case
    others = ids_of(town)
    assert {name.split("/")[0] for name in others} >= {"Patient", "Encounter", "Task", "CarePlan", "CareTeam", "Flag", "Provenance", "ServiceRequest"}
    for name in others:
        kind = name.split("/")[0]
        for tail in ("", "/_history", "/_history/1"):
            assert same(town.river.get(f"/fhir/{name}{tail}"), town.river.get(f"/fhir/{kind}/{NEVER}{tail}")), name
        body = {"resourceType": kind, "id": name.split("/")[1]}
        for method, content_type in (("PUT", "application/fhir+json"), ("PATCH", "application/json-patch+json")):
            known = town.river.ask(method, f"/fhir/{name}", content=json.dumps(body), headers={"Content-Type": content_type})
            never = town.river.ask(method, f"/fhir/{kind}/{NEVER}", content=json.dumps(body), headers={"Content-Type": content_type})
            assert same(known, never)
            assert known.status_code in (404, 405)
        assert town.river.search(kind, _id=name.split("/")[1]) == []


def test_an_operators_or_coordinators_feed_is_not_the_agencys(case: Any) -> None:
    town, mine, theirs = case
    assert {row["patient"] for row in town.coordinator.feed()[0]} >= {f"Patient/{mine}", f"Patient/{theirs}"}
    mine_alone = {row["patient"] for row in town.river.feed()[0]}
    assert f"Patient/{mine}" in mine_alone
    assert f"Patient/{theirs}" not in mine_alone


def test_a_booking_for_another_agencys_client_is_refused_like_one_for_nobody(case: Any) -> None:
    town, _, theirs = case
    answers = [town.river.ask("POST", "/fhir/Appointment", json=booking(name, town.at)) for name in (theirs, NEVER)]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].text == answers[1].text
    assert town.coordinator.search("Appointment", patient=theirs) == []


@pytest.mark.parametrize(
    "reference", ["Patient/{theirs}", "ServiceRequest/{request}", "Encounter/{stay}", "Task/{task}", "Organization/harbor-house", f"Patient/{NEVER}"]
)
@pytest.mark.parametrize("element", ["basedOn", "supportingInformation", "participant", "reasonReference"])
def test_a_reference_to_what_is_not_the_callers_is_refused_like_one_to_nothing(case: Any, element: str, reference: str) -> None:
    town, mine, theirs = case
    known = {
        "theirs": theirs,
        "request": town.harbor.search("ServiceRequest", patient=theirs)[0]["id"],
        "stay": town.harbor.search("Encounter", patient=theirs)[0]["id"],
        "task": town.harbor.search("Task", patient=theirs)[0]["id"],
    }
    name = reference.format(**known)
    kind = name.split("/")[0]

    def bring(target: str) -> Any:
        body = booking(mine, town.at + timedelta(days=3))
        if element == "participant":
            body["participant"].append({"actor": {"reference": target}, "status": "accepted"})
        else:
            body[element] = [{"reference": target}]
        return town.river.ask("POST", "/fhir/Appointment", json=body)

    refused, never = bring(name), bring(f"{kind}/{NEVER}")
    assert (refused.status_code, refused.text) == (never.status_code, never.text)
    assert refused.status_code == 422
    for form in (f"{name}/_history/1", f"{town.gateway.base_url}/fhir/{name}"):
        assert bring(form).status_code == 422
    assert town.river.search("Appointment", patient=mine) == []


def test_a_task_is_written_only_where_an_agency_may(case: Any) -> None:
    town, mine, theirs = case
    task, tag = town.river.task(mine)
    changes: list[Json] = [
        {"owner": {"reference": "Organization/harbor-house"}},
        {"for": {"reference": f"Patient/{theirs}"}},
        {"priority": "stat"},
        {"focus": {"reference": "ServiceRequest/1"}},
        {"identifier": []},
        {"restriction": {"repetitions": 3}},
        {"description": "nothing to do"},
        {"authoredOn": "2020-01-01"},
        {"intent": "plan"},
        {"status": "completed"},
        {"status": "entered-in-error"},
        {"status": "rejected"},
        {"_status": {"extension": [{"url": "http://x.example", "valueString": "y"}]}},
        {"extension": [{"url": "http://x.example", "valueString": "y"}]},
        {"output": [{"type": {"text": "x"}, "valueString": "y"}]},
        {"note": [{"text": "x", "authorReference": {"reference": f"Patient/{theirs}"}}]},
    ]
    for change in changes:
        answer = town.river.ask("PUT", f"/fhir/Task/{task['id']}", json=task | change, headers={"If-Match": tag})
        assert answer.status_code in (400, 422), change
    patch = [{"op": "replace", "path": "/owner/reference", "value": "Organization/harbor-house"}]
    headers = {"If-Match": tag, "Content-Type": "application/json-patch+json"}
    assert town.river.ask("PATCH", f"/fhir/Task/{task['id']}", content=json.dumps(patch), headers=headers).status_code == 422
    assert town.river.task(mine) == (task, tag)


def test_what_may_not_be_written_over_rest_is_not(case: Any) -> None:
    town, mine, _ = case
    for kind in ("Patient", "Encounter", "Flag", "CarePlan", "Provenance", "AuditEvent", "Practitioner"):
        answer = town.river.ask("POST", f"/fhir/{kind}", json={"resourceType": kind})
        assert answer.status_code in (404, 405), kind
    assert town.river.ask("PUT", f"/fhir/Patient/{mine}", json={"resourceType": "Patient", "id": mine}).status_code == 405
    assert town.river.ask("DELETE", f"/fhir/Patient/{mine}").status_code == 405


def test_a_cursor_serves_only_whom_it_was_given_to(case: Any) -> None:
    town, _, _ = case
    _, cursor = town.river.feed()
    for partner in (town.harbor, town.coordinator):
        assert partner.get("/api/transitions", params={"cursor": cursor}).status_code == 400
    next_page = next(link["url"] for link in town.river.get("/fhir/Provenance?_count=1").json()["link"] if link["relation"] == "next")
    page = "/fhir" + next_page.split("/fhir", 1)[1]
    assert town.river.get(page).status_code == 200
    assert town.harbor.get(page).status_code == 400


def test_pages_for_people_open_to_nobody_without_a_session_and_to_no_token(case: Any) -> None:
    town, mine, _ = case
    transition = next(row["id"] for row in town.river.feed()[0] if row["patient"] == f"Patient/{mine}")
    for path in ("/worklist", f"/worklist/{transition}", "/console", "/console/messages/1", "/worklist?show=all"):
        for partner in (town.nobody, town.river, town.hospital):
            answer = partner.get(path, headers={"Cookie": "gateway-session=x"})
            assert answer.status_code == 401
            assert "Adair" not in answer.text
    assert "Adair" not in town.nobody.get("/metrics").text


def test_a_session_cookie_is_for_this_site_and_no_script_and_its_link_opens_once(case: Any) -> None:
    town, _, _ = case
    link = town.gateway.sessions.invite()
    answer = town.nobody.get(link)
    cookie = answer.headers["Set-Cookie"].casefold()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/"))
    assert "set-cookie" not in town.nobody.get(link).headers


def test_a_hostile_name_stays_text_on_the_page_and_in_the_terminal(case: Any, capsys: pytest.CaptureFixture[str]) -> None:
    town, _, _ = case
    patient = town.discharged(Client("2003", "<script>alert(1)</script>^\x1b[2J\x1b]0;owned\x07Eve"))
    value = town.nobody.get(town.gateway.sessions.invite()).headers["Set-Cookie"].split(";")[0]
    row = next(row for row in town.river.feed()[0] if row["patient"] == f"Patient/{patient}")
    for path in ("/worklist", f"/worklist/{row['id']}", "/console"):
        page = town.nobody.get(path, headers={"Cookie": value})
        assert page.status_code == 200
        assert "<script" not in page.text
    plan = next(iter(town.river.search("CarePlan", patient=patient)))
    assert "<script" not in plan["text"]["div"]
    from gateway.web.text import print_worklist

    print_worklist([row], town.at, {"river-cmhc": "River"})
    assert "\x1b[2J" not in capsys.readouterr().out
