"""Deciding on a transition's page, against the whole gateway: one click, no script; and nothing is taken that is not the session's own form."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from gateway.store.interface import ALL, Filter
from tests.attacks_privacy.town import Client, Town, town

HOSTILE = "\"><script>alert(1)</script> & O'Brien"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("town")) as made:
        yield made


@pytest.fixture
def browser(place: Town) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=place.gateway.base_url, trust_env=False, timeout=30) as made:
        assert made.get(place.gateway.sessions.invite()).status_code == 303
        yield made


_number = iter(range(100))


@pytest.fixture
def one(place: Town) -> str:
    """A client who has just left, and the id of the transition."""
    return left(place)


def left(place: Town, name: str = "Ada^Test") -> str:
    patient = place.discharged(Client(f"W{next(_number)}", name))
    return next(str(row["id"]) for row in place.coordinator.feed()[0] if row.get("patient") == f"Patient/{patient}")


def standing(place: Town, one: str) -> dict[str, Any]:
    with place.gateway.store.reading() as reader:
        row = reader.transition(ALL, one)
    return orjson.loads(row.body) if row is not None and row.body is not None else {}


def decisions(place: Town) -> list[tuple[str, dict[str, Any]]]:
    with place.gateway.store.reading() as reader:
        return [(row.about["by"], orjson.loads(row.raw)) for row in reader.messages(Filter(oldest_first=True)) if row.kind == "decision"]


def forms(page: str) -> list[dict[str, str]]:
    """The hidden fields of each form of a page."""
    found = re.findall(r"<form.*?</form>", page, re.S)
    return [{name: html.unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)} for form in found]


def decide(browser: httpx.Client, one: str, what: str, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
    """Fill in the page's form and send it."""
    form = next(each for each in forms(browser.get(f"/worklist/{one}").text) if each["what"] == what)
    return browser.post(f"/worklist/{one}", data=form | fields, headers={"Sec-Fetch-Site": "same-origin"} | (headers or {}))


def test_a_form_is_taken_in_the_session_s_name_and_leads_back_to_the_page_that_tells_of_it(place: Town, browser: httpx.Client, one: str) -> None:
    answer = decide(browser, one, "close", value="left-region", reason=HOSTILE)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/worklist/{one}")
    assert standing(place, one)["closed_as"] == "left-region"
    by, said = decisions(place)[-1]
    assert re.fullmatch(r"session [0-9a-f]{16}", by)
    assert said["reason"] == HOSTILE
    page = browser.get(f"/worklist/{one}").text
    assert "closed: left the region" in page
    assert "<script" not in page
    assert html.escape(HOSTILE, quote=False)[2:10] in page
    assert [form["what"] for form in forms(page)] == ["reopen", "psychiatric", "disposition"]
    assert decide(browser, one, "reopen", reason="came back").status_code == 303
    assert standing(place, one)["status"] == "open"


def test_one_click_confirms_what_kind_of_appointment_it_is(place: Town, browser: httpx.Client) -> None:
    for kind, expected in (("mental-health", "booked"), ("other", "none")):
        who = Client(f"W{next(_number)}", "Bea^Test")
        patient = place.discharged(who)
        one = next(str(row["id"]) for row in place.coordinator.feed()[0] if row.get("patient") == f"Patient/{patient}")
        start = (place.at + timedelta(days=2)).strftime("%Y%m%d%H%M%S+0000")
        visit = ("RGS|1", f"AIS|1||CLINIC^Clinic visit^L|{start}||||30|min")
        sch = f"SCH|P{who.mrn}|F{who.mrn}||||CLINIC^Clinic visit^L|CLINIC^Clinic visit^L||30|min|^^30^{start}" + "|" * 14 + "Booked"
        place.send("SIU^S12^SIU_S12", who, sch, *visit)
        assert "kind-unconfirmed" in [flag["code"] for flag in standing(place, one)["flags"]]
        page = browser.get(f"/worklist/{one}").text
        assert "It is mental-health follow-up" in page
        assert decide(browser, one, "confirm-kind", value=kind).status_code == 303
        after = standing(place, one)
        assert "kind-unconfirmed" not in [flag["code"] for flag in after["flags"]]
        assert after["follow_up"]["state"] == expected


def test_route_disposition_and_not_psychiatric_which_can_be_taken_back(place: Town, browser: httpx.Client, one: str) -> None:
    assert decide(browser, one, "route", value="harbor-house").status_code == 303
    assert standing(place, one)["agency"] == "harbor-house"
    assert decide(browser, one, "disposition", value="21").status_code == 303
    assert decide(browser, one, "psychiatric", value="no").status_code == 303
    assert standing(place, one) == {}
    gone = browser.get(f"/worklist/{one}")
    assert gone.status_code == 200
    assert "on the list no more" in gone.text
    assert decide(browser, one, "psychiatric", value="yes").status_code == 303
    assert standing(place, one)["agency"] == "harbor-house"


def test_what_cannot_be_decided_is_said_on_the_page_and_changes_nothing(place: Town, browser: httpx.Client, one: str) -> None:
    before = decisions(place)
    answer = decide(browser, one, "close", value="left-region", reason="  ")
    assert answer.status_code == 422
    assert "Nothing was changed." in answer.text
    assert "Who closes or reopens says why" in answer.text
    assert decide(browser, one, "close", value=HOSTILE, reason="x").status_code == 422
    assert decide(browser, one, "close", value="died", reason="x" * 2001).status_code == 422
    assert decisions(place) == before


def test_a_form_without_the_session_s_token_is_refused(place: Town, browser: httpx.Client, one: str) -> None:
    before = decisions(place)
    with httpx.Client(base_url=place.gateway.base_url, trust_env=False) as other:
        other.get(place.gateway.sessions.invite())
        foreign = forms(other.get(f"/worklist/{one}").text)[0]["token"]
        name = place.gateway.sessions.session(browser.cookies["gateway-session"])
        assert name is not None
        for token in ("", "x", "é", foreign, name.name, browser.cookies["gateway-session"]):
            assert decide(browser, one, "close", token=token, value="died", reason="x").status_code == 403
    said = {"what": "close", "value": "died", "reason": "x"}
    assert browser.post(f"/worklist/{one}", data=said).status_code == 403
    own = forms(browser.get(f"/worklist/{one}").text)[0]["token"]
    for content, kind in (
        (orjson.dumps(said | {"token": own}), "application/json"),
        (f"token={own}&what=close&value=died&reason=x".encode(), "text/plain"),
        (f"token={own}&what=close&value=died&reason={'x' * 70_000}".encode(), "application/x-www-form-urlencoded"),
        (b"\xff&" * 50, "application/x-www-form-urlencoded"),
    ):
        assert browser.post(f"/worklist/{one}", content=content, headers={"Content-Type": kind}).status_code == 403
    assert decisions(place) == before


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"}],
    ids=str,
)
def test_a_form_from_another_site_is_refused_even_with_the_token(place: Town, browser: httpx.Client, one: str, headers: dict[str, str]) -> None:
    before = decisions(place)
    assert decide(browser, one, "close", headers, value="died", reason="x").status_code == 403
    assert decisions(place) == before


@pytest.mark.parametrize(("origin", "status"), [("https://evil.example", 403), ("null", 403), ("own", 303), ("", 303)])
def test_browsers_that_say_only_the_origin_are_held_to_it(place: Town, browser: httpx.Client, one: str, origin: str, status: int) -> None:
    form = next(each for each in forms(browser.get(f"/worklist/{one}").text) if each["what"] == "disposition")
    said = {"Origin": place.gateway.base_url if origin == "own" else origin} if origin else {}
    assert browser.post(f"/worklist/{one}", data=form | {"value": "01"}, headers=said).status_code == status


def test_without_a_session_nothing_is_taken(place: Town, one: str) -> None:
    with httpx.Client(base_url=place.gateway.base_url, trust_env=False) as stranger:
        assert stranger.post(f"/worklist/{one}", data={"what": "reopen", "reason": "x"}).status_code == 401
    with httpx.Client(base_url=place.gateway.base_url, trust_env=False) as other:
        other.get(place.gateway.sessions.invite())
        token = forms(other.get(f"/worklist/{one}").text)[0]["token"]
        said = {"token": token, "what": "reopen", "reason": "x"}
        assert other.post(f"/worklist/{'0' * 32}", data=said).status_code == 404


def test_a_decision_on_the_page_leaves_an_audit_event(place: Town, browser: httpx.Client, one: str) -> None:
    assert decide(browser, one, "disposition", value="01").status_code == 303
    place.later(seconds=1)
    with place.gateway.store.reading() as reader:
        told = [orjson.loads(body) for _, _, body in reader.audit(0, 100_000)]
    event = [each for each in told if each["action"] == "U"][-1]
    assert event["agent"][0]["who"]["identifier"]["value"].startswith("session ")
    assert [each["what"].get("identifier", {}).get("value") for each in event["entity"]][-1] == one


def test_the_page_has_no_script_and_its_forms_go_nowhere_else(browser: httpx.Client, one: str) -> None:
    answer = browser.get(f"/worklist/{one}")
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert "onclick" not in answer.text
    assert set(re.findall(r'action="([^"]*)"', answer.text)) == {f"/worklist/{one}"}
