"""App launch from end to end: SMART App Launch 2.2, OpenID Connect Core 1.0."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws

from tests.api.gateway_api import BASE
from tests.smart.launching import (
    APP_KEY,
    CALLBACK,
    FHIR,
    NOW,
    SIGNING,
    Town,
    a_town,
    assertion,
    basic,
    encounter,
    offered,
    request,
    told,
)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with a_town(tmp_path) as made:
        yield made


def claims(token: str) -> dict[str, Any]:
    return dict(json.loads(jws.deserialize_compact(token, SIGNING, algorithms=["RS256"]).payload))


# standalone launch


def test_a_public_app_is_launched_with_a_patient_that_the_user_chose(town: Town) -> None:
    """Access token response: access_token, token_type, expires_in, scope, patient, need_patient_banner, refresh_token, id_token."""
    answer = town.redeem(town.browser().code())
    body = answer.json()
    assert answer.status_code == 200
    context = {"patient", "need_patient_banner", "smart_style_url"}
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token", *context}
    assert (body["token_type"], body["patient"], body["need_patient_banner"]) == ("Bearer", "p1", True)
    assert 0 < body["expires_in"] <= 3600
    assert set(body["scope"].split()) == {"launch/patient", "openid", "fhirUser", "offline_access", "patient/*.rs"}
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_state_comes_back_as_it_was(town: Town, method: str) -> None:
    browser = town.browser()
    browser.consent_page()
    page = browser.authorize(method, scope="user/Patient.r", state='a&b="c" d')
    assert told(browser.allow(page))["state"] == 'a&b="c" d'


def test_a_posted_request_reaches_the_login_page_too(town: Town) -> None:
    """authorize-post: another site's form brings no cookie, so the request goes on by GET."""
    answer = town.browser().authorize("POST")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/oauth/authorize?")
    assert 'action="/oauth/login"' in town.browser().send("GET", answer.headers["location"]).text


def test_the_picker_finds_by_name_and_record_number_within_the_users_view(town: Town) -> None:
    browser = town.browser()
    page = browser.log_in(browser.authorize())
    assert 'value="p1"' in page.text
    assert "Poe" not in page.text
    by_name = browser.submit(page, "/oauth/choose", find="roe")
    assert 'value="p2"' in by_name.text
    assert 'value="p1"' not in by_name.text
    assert 'value="p2"' in browser.submit(page, "/oauth/choose", find="MR-p2").text
    for text in ("Poe", "MR-p3", "p3"):
        nobody = browser.submit(page, "/oauth/choose", find=text)
        assert "Nobody whom you may see is called so." in nobody.text
        assert 'name="patient"' not in nobody.text


def test_showing_clients_to_choose_from_is_audited_with_the_user(town: Town) -> None:
    browser = town.browser()
    browser.log_in(browser.authorize())
    last = town.disclosed[-1]
    assert (last.act, last.user, last.person, last.who) == ("view", "ann", f"Practitioner/{town.ann.id}", "app")
    assert set(last.shown.patients) == {"Patient/p1", "Patient/p2"}


def test_what_an_app_reads_is_audited_with_the_user_and_the_app(town: Town) -> None:
    token = town.launched()["access_token"]
    town.get("/fhir/Patient/p1", token)
    last = town.disclosed[-1]
    assert (last.who, last.user, last.person) == ("app", "ann", f"Practitioner/{town.ann.id}")


def test_a_user_may_take_scopes_away(town: Town) -> None:
    """A user can grant less than was asked; offline access and each resource scope can be left out."""
    code = town.browser().code(
        scope="launch/patient offline_access patient/Patient.r patient/Condition.rs", without=("offline_access", "patient/Condition.rs")
    )
    body = town.redeem(code).json()
    assert set(body["scope"].split()) == {"launch/patient", "patient/Patient.r"}
    assert "refresh_token" not in body
    assert town.get("/fhir/Patient/p1", body["access_token"]).status_code == 200
    assert town.get("/fhir/Condition", body["access_token"]).status_code == 403


def test_saying_no_is_access_denied(town: Town) -> None:
    browser = town.browser()
    answer = browser.submit(browser.consent_page(), "/oauth/consent", decision="deny")
    assert told(answer) == {"error": "access_denied", "state": "st&te"} | {k: v for k, v in told(answer).items() if k == "error_description"}


def test_scopes_beyond_the_registration_are_not_offered(town: Town) -> None:
    town.register("small", public=True, scope="launch/patient patient/Patient.rs")
    page = town.browser().consent_page(client_id="small", scope="launch/patient patient/Patient.r patient/Condition.r system/*.cruds email nonsense")
    assert offered(page) == ["patient/Patient.r"]


def test_an_app_of_which_nothing_may_be_granted_is_told_invalid_scope(town: Town) -> None:
    town.register("small", public=True, scope="patient/Patient.rs")
    assert told(town.browser().authorize(client_id="small", scope="system/Patient.r user/Task.r"))["error"] == "invalid_scope"


# EHR launch


def test_an_app_is_launched_from_here_with_its_client_and_encounter_in_context(town: Town) -> None:
    town.register("ehr", public=True, launch_url="https://app.example.org/launch")
    town.bench.put(("*", "river"), encounter("e9", "p2"))
    handle = town.launch("ehr", "p2", "e9")
    code = town.browser().code(client_id="ehr", scope="launch openid patient/*.rs", launch=handle)
    body = town.redeem(code, client_id="ehr").json()
    assert (body["patient"], body["encounter"], body["need_patient_banner"]) == ("p2", "e9", True)


def test_launch_names_the_fhir_server_and_a_handle(town: Town) -> None:
    from gateway.smart import launches

    row = town.register("ehr", public=True, launch_url="https://app.example.org/launch?x=1")
    url = launches.begin(town.store.credentials, row, FHIR, "p1", "", town.now)
    assert url.startswith("https://app.example.org/launch?x=1&iss=https%3A%2F%2Fgw.example%2Ffhir&launch=")
    assert "p1" not in url


# confidential apps


def test_a_symmetric_app_proves_itself_by_its_secret_in_the_header(town: Town) -> None:
    town.register("desk", secret="s:e%cret")
    code = town.browser().code(client_id="desk")
    assert town.redeem(code, client_id="").json()["error"] in ("invalid_request", "invalid_client")
    body = town.redeem(code, client_id="", authorization=basic("desk", "s%3Ae%25cret")).json()
    assert body["patient"] == "p1"
    assert town.store.credentials.client("desk").secret not in ("", "s:e%cret")  # type: ignore[union-attr]


def test_an_asymmetric_app_proves_itself_by_an_assertion(town: Town) -> None:
    town.register("server", jwks=json.dumps({"keys": [APP_KEY.as_dict(private=False)]}), scope="openid patient/*.rs launch/patient")
    code = town.browser().code(client_id="server")
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert town.redeem(code, client_id="server").json()["error"] == "invalid_client"
    answer = town.redeem(code, client_id="", client_assertion_type=kind, client_assertion=assertion("server", town.now))
    assert answer.json()["patient"] == "p1"


# who the user is


def test_the_id_token_says_who_logged_in_and_the_fhir_user_can_be_read(town: Town) -> None:
    """OpenID Connect Core 1.0 section 2; SMART: fhirUser is the URL of a resource that the app can read."""
    town.now = NOW + 100
    body = town.redeem(town.browser().code(scope="openid fhirUser", nonce="n-0S6")).json()
    said = claims(body["id_token"])
    assert said == {
        "iss": BASE,
        "sub": town.ann.id,
        "aud": "app",
        "iat": NOW + 100,
        "exp": NOW + 100 + 3600,
        "auth_time": NOW + 100,
        "nonce": "n-0S6",
        "fhirUser": f"{FHIR}/Practitioner/{town.ann.id}",
    }
    own = town.get(said["fhirUser"].removeprefix(BASE), body["access_token"])
    assert own.json()["identifier"][0]["value"] == "ann"
    assert town.get("/fhir/Patient/p1", body["access_token"]).status_code == 403


def test_sub_is_the_same_for_every_app_and_login(town: Town) -> None:
    town.register("other", public=True)
    first = claims(town.launched()["id_token"])["sub"]
    assert claims(town.redeem(town.browser().code(client_id="other"), client_id="other").json()["id_token"])["sub"] == first


def test_no_other_users_practitioner_is_read_by_an_agencys_app(town: Town) -> None:
    other = town.user("bob", "agency", "oak")
    body = town.launched("openid fhirUser user/*.rs")
    assert town.get(f"/fhir/Practitioner/{other.id}", body["access_token"]).status_code == 404


def test_without_openid_there_is_no_id_token(town: Town) -> None:
    assert "id_token" not in town.launched("launch/patient patient/*.rs")


@pytest.mark.parametrize(
    ("prompt", "logged_in", "error"), [("none", False, "login_required"), ("none", True, "consent_required"), ("none login", True, "invalid_request")]
)
def test_prompt_none_shows_no_page(town: Town, prompt: str, logged_in: bool, error: str) -> None:
    browser = town.browser()
    if logged_in:
        browser.consent_page()
    assert told(browser.authorize(prompt=prompt))["error"] == error


def test_prompt_login_and_max_age_ask_for_the_password_again(town: Town) -> None:
    browser = town.browser()
    browser.consent_page()
    assert 'action="/oauth/login"' not in browser.authorize().text
    assert 'action="/oauth/login"' in browser.authorize(prompt="login").text
    town.now += 61
    assert 'action="/oauth/login"' not in browser.authorize(max_age="3600").text
    page = browser.authorize(max_age="60")
    assert 'action="/oauth/login"' in page.text
    assert 'action="/oauth/choose"' in browser.log_in(page).text


# refreshing


def test_offline_access_outlasts_the_login_and_online_access_does_not(town: Town) -> None:
    offline = town.launched("offline_access user/*.rs")["refresh_token"]
    online = town.launched("online_access user/*.rs")["refresh_token"]
    town.now += 3 * 3600
    online = town.refresh(online).json()["refresh_token"]
    town.now += 6 * 3600  # a login lasts eight hours
    assert town.refresh(online).json()["error"] == "invalid_grant"
    assert town.refresh(offline).status_code == 200


def test_logging_out_ends_online_access(town: Town) -> None:
    browser = town.browser()
    page = browser.consent_page(scope="online_access user/*.rs")
    token = town.redeem(told(browser.allow(page))["code"]).json()["refresh_token"]
    browser.submit(browser.authorize(), "/oauth/logout")
    assert 'action="/oauth/login"' in browser.authorize().text
    assert town.refresh(token).json()["error"] == "invalid_grant"


def test_a_refresh_keeps_the_context_and_may_narrow_the_scope_once(town: Town) -> None:
    """RFC 6749 section 6: the next refresh token has the whole scope again."""
    body = town.launched()
    narrow = town.refresh(body["refresh_token"], scope="patient/Patient.r").json()
    assert (narrow["scope"], narrow["patient"]) == ("patient/Patient.r", "p1")
    assert town.get("/fhir/Condition", narrow["access_token"]).status_code == 403
    assert set(town.refresh(narrow["refresh_token"]).json()["scope"].split()) == set(body["scope"].split())


# what is told


def test_introspection_tells_of_the_user_and_the_patient(town: Town) -> None:
    town.register("ops", role="operator", redirect_uris=(), jwks=json.dumps({"keys": [APP_KEY.as_dict(private=False)]}))
    body = town.launched()
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    about: dict[str, Any] = {}
    for text in (body["access_token"], body["refresh_token"]):
        form = {"token": text, "client_assertion_type": kind, "client_assertion": assertion("ops", town.now)}
        about = town.browser().send("POST", "/oauth/introspect", data=form).json()
        assert about["active"] is True
        assert (about["client_id"], about["sub"], about["patient"], about["iss"]) == ("app", town.ann.id, "p1", BASE)
        assert about["fhirUser"] == f"{FHIR}/Practitioner/{town.ann.id}"
        assert set(about["scope"].split()) == set(body["scope"].split())
        assert about["exp"] > NOW


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_the_whole_family(town: Town, which: str) -> None:
    body = town.launched()
    assert town.browser().send("POST", "/oauth/revoke", data={"token": body[which], "client_id": "app"}).status_code == 200
    assert town.get("/fhir/Patient/p1", body["access_token"]).status_code == 401
    assert town.refresh(body["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_revoked_users_tokens_and_logins_end_at_once(town: Town) -> None:
    browser = town.browser()
    page = browser.consent_page()
    body = town.redeem(told(browser.allow(page))["code"]).json()
    town.store.credentials.users.revoke(town.ann.id, NOW)
    assert town.get("/fhir/Patient/p1", body["access_token"]).status_code == 401
    assert town.refresh(body["refresh_token"]).json()["error"] == "invalid_grant"
    assert 'action="/oauth/login"' in browser.authorize().text


def test_discovery_is_whole_and_openids_is_next_to_the_issuer(town: Town) -> None:
    said = town.browser().send("GET", "/fhir/.well-known/smart-configuration").json()
    assert said["authorization_endpoint"] == f"{BASE}/oauth/authorize"
    assert (said["issuer"], said["jwks_uri"]) == (BASE, f"{BASE}/oauth/jwks.json")
    assert {"authorization_code", "refresh_token", "client_credentials"} <= set(said["grant_types_supported"])
    assert {"client_secret_basic", "private_key_jwt"} <= set(said["token_endpoint_auth_methods_supported"])
    assert said["response_types_supported"] == ["code"]
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert {
        "launch-ehr",
        "launch-standalone",
        "authorize-post",
        "client-public",
        "client-confidential-symmetric",
        "client-confidential-asymmetric",
        "sso-openid-connect",
        "context-banner",
        "context-style",
        "context-ehr-patient",
        "context-ehr-encounter",
        "context-standalone-patient",
        "permission-offline",
        "permission-online",
        "permission-patient",
        "permission-user",
        "permission-v1",
        "permission-v2",
    } == set(said["capabilities"])
    provider = town.browser().send("GET", "/.well-known/openid-configuration").json()
    for name in ("issuer", "jwks_uri", "authorization_endpoint", "token_endpoint"):
        assert provider[name] == said[name]
    assert provider["id_token_signing_alg_values_supported"] == ["RS256"]
    assert provider["subject_types_supported"] == ["public"]


def test_a_request_is_good_with_aud_with_or_without_a_slash(town: Town) -> None:
    for aud in (FHIR, FHIR + "/"):
        assert town.browser().send("GET", "/oauth/authorize", params=request(aud=aud)).status_code == 200
    assert CALLBACK.startswith("https://")
