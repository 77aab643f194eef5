"""Opening an app from a client's page: SMART App Launch 2.2, EHR launch."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.smart import clients, launches
from tests.attacks_privacy.town import Client, Town, town


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("town")) as made:
        for id, organization in (("helper", ""), ("rivers", "river-cmhc")):
            about = {"redirect_uris": (f"https://{id}.example/cb",), "launch_url": f"https://{id}.example/launch", "name": f"The {id}"}
            clients.register(made.gateway.store.credentials, id=id, organization=organization, public=True, now=time.time(), **about)
        yield made


@pytest.fixture
def browser(place: Town) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=place.gateway.base_url, trust_env=False, timeout=30) as made:
        assert made.get(place.gateway.sessions.invite()).status_code == 303
        yield made


@pytest.fixture(scope="module")
def one(place: Town) -> tuple[str, str]:
    """A client who has just left: the transition's id and the Patient's."""
    patient = place.discharged(Client("L1", "Ada^Test"))
    return next(str(row["id"]) for row in place.coordinator.feed()[0] if row.get("patient") == f"Patient/{patient}"), patient


def form(page: str) -> dict[str, str]:
    found = re.search(r'<form[^>]*action="/worklist/[^"]*/launch".*?</form>', page, re.S)
    assert found is not None
    return {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', found[0])}


def test_the_page_offers_the_apps_that_its_reader_may_log_in_to(browser: httpx.Client, one: tuple[str, str]) -> None:
    """An agency's app is not the coordinator's to open; and the page's forms lead to the apps that it offers, and nowhere else."""
    page = browser.get(f"/worklist/{one[0]}")
    assert "The helper" in page.text
    assert "The rivers" not in page.text
    assert "form-action 'self' https://helper.example;" in page.headers["content-security-policy"]


def test_an_app_is_opened_with_a_handle_of_its_client_and_stay(place: Town, browser: httpx.Client, one: tuple[str, str]) -> None:
    answer = browser.post(f"/worklist/{one[0]}/launch", data=form(browser.get(f"/worklist/{one[0]}").text), headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 303
    url = urlsplit(answer.headers["location"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://helper.example/launch"
    said = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert said["iss"] == f"{place.gateway.base_url}/fhir"
    assert one[1] not in answer.headers["location"]
    credentials = place.gateway.store.credentials
    app = credentials.client("helper")
    assert app is not None
    launch = launches.of(credentials, said["launch"], app, time.time())
    assert launch is not None
    assert launch.patient == one[1]
    assert launch.encounter


@pytest.mark.parametrize(
    ("fields", "headers", "status"),
    [
        ({"token": "rubbish"}, {}, 403),
        ({}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({"app": "rivers"}, {}, 404),
        ({"app": "nobody"}, {}, 404),
    ],
)
def test_nothing_is_launched_but_by_the_pages_own_form(
    browser: httpx.Client, one: tuple[str, str], fields: dict[str, str], headers: dict[str, str], status: int
) -> None:
    good = form(browser.get(f"/worklist/{one[0]}").text)
    answer = browser.post(f"/worklist/{one[0]}/launch", data=good | fields, headers={"Sec-Fetch-Site": "same-origin"} | headers)
    assert answer.status_code == status
    assert "location" not in answer.headers


def test_without_a_session_nothing_is_launched(place: Town, one: tuple[str, str]) -> None:
    answer = httpx.post(f"{place.gateway.base_url}/worklist/{one[0]}/launch", data={"app": "helper"}, trust_env=False)
    assert answer.status_code == 401
