"""Attacks on app launch, each named after the rule that it breaks. RFC 6749, 7636, 8252, 9700; SMART App Launch 2.2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.smart.launching import CALLBACK, FHIR, PASSWORD, VERIFIER, Browser, Town, a_town, basic, challenge, encounter, hidden, request, told

OTHER_VERIFIER = "x" * 43


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with a_town(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town for what leaves no trace."""
    with a_town(tmp_path_factory.mktemp("still")) as made:
        made.register("desk", secret="s3cret")
        yield made


def refused(town: Town, code: str, error: str = "invalid_grant", **changes: str) -> None:
    answer = town.redeem(code, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.headers["cache-control"] == "no-store"


# the code


def test_code_replay_ends_the_tokens_that_it_gave(town: Town) -> None:
    """RFC 6749 section 4.1.2: SHOULD revoke all tokens previously issued based on that authorization code."""
    code = town.browser().code()
    body = town.redeem(code).json()
    refused(town, code)
    assert town.get("/fhir/Patient/p1", body["access_token"]).status_code == 401
    assert town.refresh(body["refresh_token"]).json()["error"] == "invalid_grant"


def test_code_replay_is_noticed_also_without_the_verifier_and_after_its_minute(town: Town) -> None:
    code = town.browser().code()
    body = town.redeem(code).json()
    town.now += 600
    refused(town, code, code_verifier=OTHER_VERIFIER)
    assert town.get("/fhir/Patient/p1", body["access_token"]).status_code == 401


def test_a_code_lasts_a_minute(town: Town) -> None:
    first, second = town.browser().code(), town.browser().code()
    town.now += 59
    assert town.redeem(first).status_code == 200
    town.now += 1
    refused(town, second)


def test_code_of_another_client(town: Town) -> None:
    town.register("thief", public=True)
    code = town.browser().code()
    refused(town, code, client_id="thief")
    assert town.redeem(code).status_code == 200  # the owner's is not spent by it


def test_a_code_that_nobody_gave(town: Town) -> None:
    refused(town, "nonsense")
    refused(town, "ü" * 40)


def test_a_confidential_clients_code_is_not_given_without_its_secret(town: Town) -> None:
    town.register("desk", secret="s3cret")
    code = town.browser().code(client_id="desk")
    refused(town, code, "invalid_client", client_id="desk")
    for pair in (("desk", "wrong"), ("desk", ""), ("nobody", "s3cret"), ("app", "")):
        answer = town.redeem(code, client_id="", authorization=basic(*pair))
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic ")
    assert town.redeem(code, client_id="", client_secret="s3cret").status_code == 400  # client_secret_post is not offered
    assert town.redeem(code, client_id="", authorization=basic("desk", "s3cret")).status_code == 200


# PKCE


def test_missing_verifier(town: Town) -> None:
    refused(town, town.browser().code(), "invalid_request", code_verifier="")


@pytest.mark.parametrize("verifier", [OTHER_VERIFIER, VERIFIER[:-1] + "j", VERIFIER.lower(), challenge(VERIFIER), VERIFIER + "=", "short", "é" * 50])
def test_wrong_verifier(still: Town, verifier: str) -> None:
    refused(still, still.browser().code(), code_verifier=verifier)


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge_method": "plain", "code_challenge": VERIFIER},
        {"code_challenge_method": ""},  # left out, it means plain
        {"code_challenge_method": "s256"},
        {"code_challenge": ""},
        {"code_challenge": "", "code_challenge_method": ""},
        {"code_challenge": "short"},
        {"code_challenge": "*" * 43},
    ],
)
@pytest.mark.parametrize("client", ["app", "desk"])
def test_pkce_with_s256_is_required_of_every_client(still: Town, client: str, changes: dict[str, str]) -> None:
    answer = told(still.browser().authorize(client_id=client, **changes))
    assert (answer["error"], answer["state"]) == ("invalid_request", "st&te")


# where the answer goes


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/callback",
        CALLBACK + "/",
        CALLBACK + "?x=1",
        CALLBACK + "#x",
        CALLBACK.upper(),
        "http://app.example.org/callback",
        "https://app.example.org@evil.example/callback",
        "https://app.example.org/callback/../evil",
        "javascript:alert(1)",
        "//evil.example",
        "",
    ],
)
def test_open_redirect(still: Town, uri: str) -> None:
    """Nobody is sent to an address that is not registered, whatever else is wrong (RFC 9700 section 4.11)."""
    for more in ({}, {"response_type": "token"}, {"scope": ""}):
        answer = still.browser().authorize(redirect_uri=uri, **more)
        assert answer.status_code == 400
        assert "location" not in answer.headers


def test_an_unknown_or_revoked_or_backend_client_is_told_to_the_user_alone(town: Town) -> None:
    from tests.smart.memory import JWKS

    town.register("backend", redirect_uris=(), organization="river", jwks=JWKS)
    town.register("gone", public=True)
    town.store.credentials.revoke_client("gone", 1)
    for client in ("nobody", "gone", "backend", ""):
        answer = town.browser().authorize(client_id=client)
        assert answer.status_code == 400
        assert "location" not in answer.headers


def test_two_redirect_uris_are_none(town: Town) -> None:
    pairs = [*request().items(), ("redirect_uri", "https://evil.example/")]
    assert town.browser().send("GET", "/oauth/authorize", params=pairs).status_code == 400


def test_redirect_mismatch_at_the_token_endpoint(town: Town) -> None:
    town.register("app2", public=True, redirect_uris=(CALLBACK, "https://app.example.org/other"))
    code = town.browser().code(client_id="app2")
    refused(town, code, client_id="app2", redirect_uri="https://app.example.org/other")
    refused(town, code, "invalid_request", client_id="app2", redirect_uri="")


def test_a_native_app_takes_the_port_it_can_get_and_nobody_else_does(town: Town) -> None:
    """RFC 8252 section 7.3, for addresses of this machine alone; a confidential client's is exact."""
    town.register("native", public=True, redirect_uris=("http://127.0.0.1/cb", "com.example.app:/cb"))
    town.register("desk", secret="s3cret", redirect_uris=("http://127.0.0.1/cb",))
    browser = town.browser()
    assert browser.authorize(client_id="native", redirect_uri="http://127.0.0.1:51004/cb").status_code == 200
    assert (
        "form-action 'self' com.example.app:"
        in browser.authorize(client_id="native", redirect_uri="com.example.app:/cb").headers["content-security-policy"]
    )
    for uri in ("http://127.0.0.1:51004/other", "http://127.0.0.1:51004@evil.example/cb", "http://127.0.0.2:80/cb", "http://127.0.0.1:5x/cb"):
        assert browser.authorize(client_id="native", redirect_uri=uri).status_code == 400
    assert browser.authorize(client_id="desk", redirect_uri="http://127.0.0.1:51004/cb").status_code == 400
    assert browser.authorize(redirect_uri=CALLBACK.replace(".org", ".org:444")).status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"aud": "https://evil.example/fhir"}, "invalid_request"),
        ({"aud": FHIR + "/Patient"}, "invalid_request"),
        ({"aud": ""}, "invalid_request"),
        ({"scope": ""}, "invalid_request"),
        ({"scope": "nonsense"}, "invalid_scope"),
        ({"response_type": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "x.y.z"}, "request_not_supported"),
        ({"request_uri": "https://evil.example/"}, "request_uri_not_supported"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"launch": "x"}, "invalid_request"),  # without its scope
        ({"scope": "launch patient/*.rs"}, "invalid_request"),  # without its handle
        ({"nonce": "n" * 3000}, "invalid_request"),
    ],
)
def test_what_is_wrong_with_a_request_is_told_to_the_app(still: Town, changes: dict[str, str], error: str) -> None:
    answer = still.browser().authorize(**changes)
    assert answer.status_code == 302
    assert (told(answer)["error"], told(answer)["state"]) == (error, "st&te")


def test_state_is_required(town: Town) -> None:
    answer = told(town.browser().authorize(state=""))
    assert answer["error"] == "invalid_request"
    assert "state" not in answer


# scopes and tokens


@pytest.mark.parametrize("scope", ["patient/*.cruds", "user/*.rs", "patient/Patient.u", "system/Patient.r", "patient/*.rs nonsense", "online_access"])
def test_scope_escalation_on_refresh(town: Town, scope: str) -> None:
    body = town.launched()
    answer = town.refresh(body["refresh_token"], scope=scope)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert town.refresh(body["refresh_token"]).status_code == 200  # a refused request spends nothing


def test_refresh_reuse_ends_the_family(town: Town) -> None:
    """RFC 9700 section 4.14.2: one of the two is a thief."""
    first = town.launched()
    second = town.refresh(first["refresh_token"]).json()
    assert town.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert town.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
    for body in (first, second):
        assert town.get("/fhir/Patient/p1", body["access_token"]).status_code == 401


def test_a_refresh_token_is_its_own_clients_alone(town: Town) -> None:
    town.register("thief", public=True)
    body = town.launched()
    assert town.refresh(body["refresh_token"], client_id="thief").json()["error"] == "invalid_grant"
    assert town.browser().send("POST", "/oauth/revoke", data={"token": body["refresh_token"], "client_id": "thief"}).status_code == 400
    assert town.refresh(body["refresh_token"]).status_code == 200


@pytest.mark.parametrize("which", ["refresh_token", "id_token"])
def test_only_an_access_token_opens_records(town: Town, which: str) -> None:
    assert town.get("/fhir/Patient/p1", town.launched()[which]).status_code == 401


def test_an_apps_user_scopes_are_nothing_for_client_credentials(town: Town) -> None:
    """A backend token stands for no user: an app with keys gets no user, patient or OpenID scope without one."""
    import json

    from tests.smart.launching import APP_KEY, assertion

    keys = json.dumps({"keys": [APP_KEY.as_dict(private=False)]})
    town.register("both", organization="river", jwks=keys, scope="openid user/*.rs patient/*.rs system/Patient.rs")
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    for scope, status in (("user/*.rs", 400), ("patient/*.rs", 400), ("openid", 400), ("system/Patient.rs", 200)):
        form = {"grant_type": "client_credentials", "scope": scope, "client_assertion_type": kind, "client_assertion": assertion("both", town.now)}
        assert town.token(**form).status_code == status


def test_a_public_or_symmetric_app_gets_no_backend_token(town: Town) -> None:
    town.register("desk", secret="s3cret", organization="river")
    form = {"grant_type": "client_credentials", "scope": "system/*.rs"}
    assert town.token(**form, client_id="app").status_code == 400
    assert town.token(**form, authorization=basic("desk", "s3cret")).status_code == 401


# whose patient


def test_cross_organization_patient_in_a_launch(town: Town) -> None:
    """A handle opens nothing: for who may not see its patient, there is no such launch."""
    town.register("ehr", public=True, launch_url="https://app.example.org/launch")
    for patient in ("p3", "nobody"):
        handle = town.launch("ehr", patient)
        browser = town.browser()
        answer = browser.log_in(browser.authorize(client_id="ehr", scope="launch patient/*.rs", launch=handle))
        assert told(answer)["error"] == "invalid_request"
        assert "Poe" not in answer.text


@pytest.mark.parametrize("seen", [(), ("river",)])
def test_an_encounter_that_the_user_does_not_see_is_not_in_context(town: Town, seen: tuple[str, ...]) -> None:
    """Whoever opened the app may have seen more than whoever logs in; and a stay of somebody else's is none of this patient's."""
    town.bench.put(("*", *seen), encounter("e9", "p1" if seen else "p2"))
    town.register("ehr", public=True, launch_url="https://app.example.org/launch")
    code = town.browser().code(client_id="ehr", scope="launch patient/*.rs", launch=town.launch("ehr", "p2", "e9"))
    body = town.redeem(code, client_id="ehr").json()
    assert body["patient"] == "p2"
    assert "encounter" not in body


def test_a_launch_is_its_own_apps_once_and_not_for_long(town: Town) -> None:
    for id in ("ehr", "thief"):
        town.register(id, public=True, launch_url="https://app.example.org/launch")
    handle = town.launch("ehr", "p1")
    asked = {"scope": "launch patient/*.rs", "launch": handle}
    browser = town.browser()
    assert told(browser.consent_page(client_id="thief", **asked))["error"] == "invalid_request"
    first, second = (browser.consent_page(client_id="ehr", **asked) for _ in range(2))
    assert "code" in told(browser.allow(first))
    assert told(browser.allow(second))["error"] == "invalid_request"
    late = {"scope": "launch patient/*.rs", "launch": town.launch("ehr", "p1")}
    town.now += 601
    assert told(browser.authorize(client_id="ehr", **late))["error"] == "invalid_request"


def test_cross_organization_patient_in_the_picker_does_not_exist(town: Town) -> None:
    browser = town.browser()
    page = browser.log_in(browser.authorize())
    for wanted in ("p3", "nobody", "../p1", ""):
        answer = browser.submit(page, "/oauth/choose", patient=wanted)
        assert "Poe" not in answer.text
        assert 'action="/oauth/consent"' not in answer.text


def test_cross_organization_patient_swapped_on_the_consent_page(town: Town) -> None:
    browser = town.browser()
    page = browser.consent_page()
    for wanted in ("p3", ""):
        fields = {"decision": "allow", "scope": ["patient/*.rs"], "patient": wanted}
        answer = browser.submit(page, "/oauth/consent", **fields)
        assert answer.status_code in (400, 404)
        assert "location" not in answer.headers


def test_scopes_that_were_not_asked_for_are_not_granted_by_a_changed_form(town: Town) -> None:
    browser = town.browser()
    page = browser.consent_page(scope="launch/patient patient/Patient.r")
    answer = browser.submit(page, "/oauth/consent", decision="allow", scope=["patient/Patient.r", "patient/*.cruds", "user/*.cruds"])
    assert set(town.redeem(told(answer)["code"]).json()["scope"].split()) == {"launch/patient", "patient/Patient.r"}


def test_an_agencys_app_is_not_lent_a_coordinators_eyes(town: Town) -> None:
    town.user("cora", "coordinator")
    town.user("oda", "agency", "oak")
    town.register("rivers", public=True, organization="river")
    for name in ("cora", "oda"):
        browser = town.browser()
        page = browser.log_in(browser.authorize(client_id="rivers"), name)
        assert page.status_code == 403
        assert 'action="/oauth/consent"' not in page.text
        assert "Doe" not in page.text
    assert "code" in told(town.browser().allow_as("ann", client_id="rivers"))


def test_a_hospitals_user_has_no_records_to_give(town: Town) -> None:
    town.user("hal", "hospital", "river")  # its organization is called as an agency is
    browser = town.browser()
    assert told(browser.log_in(browser.authorize(), "hal"))["error"] == "access_denied"


# forms


@pytest.mark.parametrize("change", ["no token", "another's token", "another request", "another site", "no cookie", "another page"])
def test_csrf_on_consent(town: Town, change: str) -> None:
    """A form that was not on our own page, in this browser, for this very request, allows nothing."""
    browser = town.browser()
    page = browser.consent_page()
    form = {**hidden(page, "/oauth/consent"), "decision": "allow", "scope": "patient/*.rs"}
    headers = {"Sec-Fetch-Site": "same-origin"}
    if change == "no token":
        del form["token"]
    elif change == "another's token":
        form["token"] = hidden(town.browser().consent_page(), "/oauth/consent")["token"]
    elif change == "another request":
        form["request"] = form["request"].replace("patient%2F%2A.rs", "user%2F%2A.rs")
    elif change == "another site":
        headers = {"Sec-Fetch-Site": "cross-site"}
    elif change == "no cookie":
        browser = town.browser()
    else:
        form["token"] = hidden(page, "/oauth/logout")["token"]
    answer = browser.send("POST", "/oauth/consent", data=form, headers=headers)
    assert answer.status_code == 403
    assert "location" not in answer.headers


def test_csrf_on_login(town: Town) -> None:
    """Nobody is logged in as somebody else by another site's form."""
    page = town.browser().authorize()
    form = {**hidden(page, "/oauth/login"), "name": "ann", "password": PASSWORD}
    answer = town.browser().send("POST", "/oauth/login", data=form)
    assert answer.status_code == 403
    assert "gateway-login=" not in answer.headers.get("set-cookie", "")


def test_a_login_gets_a_new_cookie_that_scripts_and_other_sites_have_no_use_for(town: Town) -> None:
    browser = town.browser()
    browser.cookies.set("gateway-login", "chosen-by-the-attacker")
    page = browser.authorize()
    answer = browser.send("POST", "/oauth/login", data={**hidden(page, "/oauth/login"), "name": "ann", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert "chosen-by-the-attacker" not in cookie
    for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/oauth"):
        assert word in cookie


def test_pages_are_not_framed_not_kept_and_run_no_script(town: Town) -> None:
    browser = town.browser()
    for page in (browser.authorize(), browser.consent_page(), browser.authorize(client_id="nobody")):
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "script" not in policy
        assert (page.headers["x-frame-options"], page.headers["cache-control"]) == ("DENY", "no-store")
        assert "<script" not in page.text


def test_what_an_app_and_a_user_are_called_is_text(town: Town) -> None:
    town.register("odd", public=True, name="<script>alert(1)</script>")
    page = town.browser().consent_page(client_id="odd", state='"><script>')
    assert "<script" not in page.text


# logging in


def wrong(browser: Browser, name: str = "ann", password: str = "wrong password!") -> int:
    return browser.log_in(browser.authorize(), name, password).status_code


def test_login_throttle_by_user(town: Town) -> None:
    """Five failures, then none is heard for a quarter of an hour, the right password among them."""
    browser = town.browser()
    assert [wrong(browser) for _ in range(5)] == [401] * 5
    refused = browser.log_in(browser.authorize(), " ANN ")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "900"
    town.now += 901
    assert browser.log_in(browser.authorize()).status_code == 200


def test_login_throttle_by_address(town: Town) -> None:
    browser = town.browser()
    assert [wrong(browser, f"user{number}") for number in range(20)] == [401] * 20
    assert browser.log_in(browser.authorize()).status_code == 429


def test_an_unknown_user_is_answered_as_a_wrong_password_is(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither words, status nor work tell whether there is an account: a hash is checked for nobody, too."""
    from gateway.smart import users

    checked: list[str] = []
    plain = users._matches
    monkeypatch.setattr(users, "_matches", lambda kept, password: checked.append(kept[:24]) or plain(kept, password))
    town.user("gone", "agency", "river")
    town.store.credentials.users.revoke(town.store.credentials.users.named("gone").id, 1)  # type: ignore[union-attr]
    pages = [town.browser() for _ in range(3)]
    answers = [browser.log_in(browser.authorize(), name, "wrong password!") for browser, name in zip(pages, ("ann", "nobody", "gone"), strict=True)]
    assert {answer.status_code for answer in answers} == {401}
    assert all("Name and password do not go together." in answer.text for answer in answers)
    assert checked == [checked[0]] * 3  # with the same parameters, and so for as long


def test_a_right_password_clears_the_users_failures(town: Town) -> None:
    browser = town.browser()
    for _ in range(2):
        assert [wrong(browser) for _ in range(4)] == [401] * 4
        assert browser.log_in(browser.authorize(prompt="login")).status_code == 200
        browser = town.browser()


def test_the_store_knows_codes_tokens_logins_launches_and_secrets_by_their_digests_alone(town: Town, tmp_path: Path) -> None:
    town.register("desk", secret="s3cret-of-the-desk", launch_url="https://app.example.org/launch")
    handle = town.launch("desk", "p1")
    browser = town.browser()
    code = told(browser.allow(browser.consent_page()))["code"]
    body = town.redeem(code).json()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    for secret in (code, body["access_token"], body["refresh_token"], handle, "s3cret-of-the-desk", PASSWORD, browser.cookies["gateway-login"]):
        assert secret.encode() not in kept
    assert body["patient"].encode() in kept


def test_an_error_tells_the_app_nothing_of_the_user(town: Town) -> None:
    answer = town.browser().authorize(aud="https://evil.example/fhir")
    assert set(parse_qs(urlsplit(answer.headers["location"]).query)) == {"error", "error_description", "state"}
