"""People at a browser, Chromium: an app is let in, from its own page and from a client's page of ours. SMART App Launch 2.2, with PKCE."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from gateway.smart import clients
from tests.clients.browsing import app_server, chromium
from tests.clients.house import PEOPLE, House
from tests.smart.launching import PASSWORD

pytestmark = pytest.mark.browser

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
SCOPE = "launch/patient openid fhirUser patient/Patient.rs patient/Task.rs"
PICTURES = os.environ.get("GATEWAY_TEST_PICTURES", "")
"""A folder for pictures of each page, for whoever wants to look at them."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def origin(home: House) -> Iterator[str]:
    with app_server() as made:
        about = {"redirect_uris": (f"{made}/callback",), "launch_url": f"{made}/launch", "name": "Small app"}
        credentials = home.gateway.store.credentials
        clients.register(credentials, id="in-browser", public=True, scope=f"launch {SCOPE}", now=time.time(), **about)
        yield made


@pytest.fixture
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A page of a browser that has never been here. A fault of a script, or something that a policy kept out, fails the test."""
    context = browser.new_context(viewport=getattr(request, "param", DESK))
    made = context.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on("console", lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None)
    yield made
    context.close()
    assert faults == []


at_both_widths = pytest.mark.parametrize("page", [DESK, PHONE], ids=["desk", "phone"], indirect=True)


def picture(page: Page, name: str) -> None:
    """What a page must have at any width: nothing that sticks out at the side, a title, a heading, and every field with its name."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name} is {wide} pixels too wide"
    assert page.title()
    assert page.locator("h1").count() == 1
    unnamed = page.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden]),select')].filter(each => !each.labels.length && !each.ariaLabel).length"
    )
    assert unnamed == 0
    if PICTURES:
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.screenshot(path=Path(PICTURES) / f"{name}-{width}.png", full_page=True)


def start(page: Page, origin: str, home: House, scope: str = SCOPE) -> None:
    page.goto(f"{origin}/launch?{urlencode({'iss': home.fhir, 'scope': scope})}")
    page.wait_for_url(f"{home.url}/oauth/authorize?*")


def log_in(page: Page, name: str = "ann", password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def told(page: Page, origin: str) -> str:
    """What the app says when it is done."""
    page.wait_for_url(f"{origin}/callback?*")
    said = page.locator("#said")
    expect(said).not_to_have_text("…")
    return said.inner_text()


@at_both_widths
def test_an_app_is_launched_on_its_own_and_its_user_chooses_a_client(page: Page, origin: str, home: House) -> None:
    start(page, origin, home)
    picture(page, "login")
    log_in(page)
    expect(page.get_by_role("heading")).to_have_text("Whom is this about?")
    picture(page, "choose")
    page.get_by_label("Name, or the whole record number").fill("dogw")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("button", name="Ida Ash")).to_have_count(0)
    page.get_by_role("button", name="Ida Dogwood").click()
    expect(page.get_by_role("heading")).to_have_text("What may Small app do?")
    expect(page.get_by_text("Ida Dogwood")).to_be_visible()
    picture(page, "consent")
    page.get_by_role("button", name="Allow", exact=True).click()
    assert told(page, origin) == f"Dogwood | {home.patients[3]} | 1 task | {' '.join(sorted(SCOPE.split()))}"


def test_what_the_user_takes_away_is_not_granted(page: Page, origin: str, home: House) -> None:
    start(page, origin, home)
    log_in(page)
    page.get_by_role("button", name="Ida Elm").click()
    page.locator("input[value='patient/Task.rs']").uncheck()
    picture(page, "consent-less")
    page.get_by_role("button", name="Allow", exact=True).click()
    said = told(page, origin)
    assert said.startswith(f"Elm | {home.patients[4]} | tasks: 403 | ")
    assert "patient/Task.rs" not in said


def test_whoever_does_not_allow_it_is_sent_back_with_the_reason(page: Page, origin: str, home: House) -> None:
    start(page, origin, home)
    log_in(page)
    page.get_by_role("button", name="Ida Fir").click()
    page.get_by_role("button", name="Do not allow").click()
    assert told(page, origin) == "refused: access_denied"


def test_a_wrong_password_is_told_and_the_right_one_goes_on(page: Page, origin: str, home: House) -> None:
    start(page, origin, home)
    log_in(page, password="not the password")
    expect(page.get_by_role("alert")).to_have_text("Name and password do not go together.")
    picture(page, "wrong-password")
    log_in(page)
    expect(page.get_by_role("heading")).to_have_text("Whom is this about?")


@at_both_widths
def test_an_app_is_opened_from_a_clients_page_with_that_client(page: Page, origin: str, home: House) -> None:
    page.goto(home.url + home.gateway.sessions.invite())
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text("No follow-up scheduled").first).to_be_in_viewport(ratio=1)  # what the page is there for, at any width
    picture(page, "worklist")
    page.get_by_role("link", name=f"Ida {PEOPLE[6]}").first.click()
    picture(page, "transition")
    page.get_by_role("button", name="Small app").click()
    page.wait_for_url(f"{home.url}/oauth/authorize?*")
    log_in(page, "cora")
    expect(page.get_by_text(f"Ida {PEOPLE[6]}")).to_be_visible()
    page.get_by_role("button", name="Allow", exact=True).click()
    assert told(page, origin).startswith(f"{PEOPLE[6]} | {home.patients[6]} | 1 task | ")


def test_whoever_is_logged_in_is_not_asked_again_and_can_log_out(page: Page, origin: str, home: House) -> None:
    start(page, origin, home)
    log_in(page)
    start(page, origin, home)
    expect(page.get_by_role("heading")).to_have_text("Whom is this about?")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading")).to_have_text("Log in")


@at_both_widths
def test_pages_of_ours_without_an_app(page: Page, home: House) -> None:
    """The console, and what says that something does not work."""
    page.goto(f"{home.url}/worklist")
    picture(page, "closed")
    page.goto(home.url + home.gateway.sessions.invite())
    page.get_by_role("link", name="Console").click()
    picture(page, "console")
    page.goto(f"{home.url}/oauth/authorize?client_id=nobody")
    picture(page, "refused")
