"""Logging in at the operator's own OpenID provider: what it says is believed where it holds, and nowhere else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from joserfc import jws

from gateway.errors import Usage
from gateway.http_application import upstream_of
from gateway.settings import load
from gateway.smart import upstream_pages, users
from gateway.smart.outbound import Reach
from gateway.smart.upstream import LASTS, Provider, Rule, Upstream
from gateway.store.users import UserRow
from tests.api.gateway_api import BASE, bench
from tests.smart.launching import CALLBACK, NOW, QUICK, VERIFIER, Browser, Town, hidden, request, told
from tests.smart.openid_provider import CLIENT, KEY, SECRET, STRANGERS, Claims, Login, a_login, signed

RULES = (Rule("groups", "county-office", "coordinator"), Rule("groups", "river-team", "agency", "river"))


class CountyTown(Town):
    """A town in which people also log in at the county's."""

    upstream = "County login"
    login: Login  # set before it is made

    def _app(self) -> FastAPI:
        app = super()._app()
        self.published: list[UserRow] = []
        configured = Upstream(self.login.issuer, CLIENT, SECRET, self.upstream, RULES)
        self.provider = Provider(configured, BASE + upstream_pages.CALLBACK, b"k" * 32, self.clock, Reach(loopback=True))
        app.include_router(upstream_pages.router(self.entrance, self.provider, self._publish))
        return app

    def _publish(self, user: UserRow) -> Future[None]:
        self.published.append(user)
        done: Future[None] = Future()
        done.set_result(None)
        return done


@pytest.fixture(scope="module")
def served() -> Iterator[Login]:
    with a_login(lambda: 0.0) as login:
        yield login


@contextmanager
def county_town(folder: Path, login: Login) -> Iterator[CountyTown]:
    CountyTown.login = login
    with mock.patch.object(users, "_HASHER", QUICK), bench(folder) as made:
        yield CountyTown(made)


def begin_anew(login: Login, town: CountyTown) -> None:
    """The provider as good as ever."""
    login.__dict__.update({**Login(town.clock).__dict__, "issuer": login.issuer})
    town.provider._known_until = float("-inf")


@pytest.fixture
def town(served: Login, tmp_path: Path) -> Iterator[CountyTown]:
    with county_town(tmp_path, served) as made:
        begin_anew(served, made)
        yield made


@pytest.fixture(scope="module")
def closed_town(served: Login, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CountyTown]:
    with county_town(tmp_path_factory.mktemp("town"), served) as made:
        yield made


@pytest.fixture
def closed(served: Login, closed_town: CountyTown) -> CountyTown:
    """One town for all tests in which nobody gets in."""
    begin_anew(served, closed_town)
    closed_town.now = NOW
    return closed_town


def to_the_county(browser: Browser, **asked: str) -> str:
    """The login page's link, as far as the provider's address."""
    page = browser.authorize(**asked)
    assert "Sign in with County login" in page.text
    answer = browser.send("GET", f"/oauth/upstream?{hidden(page, '/oauth/login')['request']}")
    assert answer.status_code == 303, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.headers["location"]


def at_the_county(url: str) -> str:
    """Somebody logs in there; where the browser is sent back to, below our own address."""
    answer = httpx.get(url, verify=False)
    assert answer.status_code == 302, answer.text
    back = answer.headers["location"]
    assert back.startswith(BASE + upstream_pages.CALLBACK)
    return back.removeprefix(BASE)


def come_back(browser: Browser, back: str) -> httpx.Response:
    answer = browser.send("GET", back)
    while answer.is_redirect and answer.headers["location"].startswith("/"):
        answer = browser.send("GET", answer.headers["location"])
    return answer


def log_in(browser: Browser, **asked: str) -> httpx.Response:
    return come_back(browser, at_the_county(to_the_county(browser, **asked)))


# --- good -------------------------------------------------------------------------------------------------------------


def test_somebody_logs_in_at_the_county_and_lets_an_app_in(town: CountyTown) -> None:
    browser = town.browser()
    page = log_in(browser)
    assert 'action="/oauth/choose"' in page.text
    page = browser.submit(page, "/oauth/choose", patient="p1")
    assert "Ann Case-Manager" in page.text
    answer = town.redeem(told(browser.allow(page))["code"])
    assert answer.status_code == 200
    token = answer.json()["access_token"]
    assert town.ids("/fhir/Condition", token) == {"c1", "c2"}  # river's, of the one client that was chosen
    (user,) = town.published
    assert (user.role, user.organization, user.full_name) == ("agency", "river", "Ann Case-Manager")
    assert user.name == f"Ann-77 at {town.login.issuer.removeprefix('http://')}"


def test_what_the_county_is_asked(town: CountyTown) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1, RFC 7636 section 4.3."""
    url = urlsplit(to_the_county(town.browser()))
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert asked["response_type"] == "code"
    assert asked["client_id"] == CLIENT
    assert "openid" in asked["scope"].split()
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert min(len(asked["state"]), len(asked["nonce"])) >= 43  # 256 bits
    assert CALLBACK not in url.query  # what the app asked for is sealed in the state
    assert "st%26te" not in url.query


def test_no_two_logins_share_state_nonce_or_verifier(town: CountyTown) -> None:
    browser = town.browser()
    asked = [parse_qs(urlsplit(to_the_county(browser)).query) for _ in range(2)]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]


def test_an_app_that_asks_for_a_new_login_gets_one_there(town: CountyTown) -> None:
    asked = parse_qs(urlsplit(to_the_county(town.browser(), prompt="login", max_age="60")).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["60"])


def test_two_windows_of_one_browser_log_in_one_after_the_other(town: CountyTown) -> None:
    browser = town.browser()
    first, second = to_the_county(browser), to_the_county(browser)
    assert come_back(browser, at_the_county(first)).status_code == 200
    assert come_back(browser, at_the_county(second)).status_code == 200


def test_the_county_says_each_time_what_somebody_is_here(town: CountyTown) -> None:
    log_in(town.browser())
    town.login.person |= {"groups": ["county-office", "river-team"], "name": "Ann Director"}
    log_in(town.browser())
    first, second = town.published
    assert first.id == second.id
    assert (second.role, second.organization, second.full_name) == ("coordinator", "", "Ann Director")


def test_who_is_another_there_is_another_here(town: CountyTown) -> None:
    """OpenID Connect Core 1.0 section 5.7: sub, and with it the issuer, tells people apart; never a name or an address."""
    log_in(town.browser())
    town.login.person["sub"] = "ann-77"
    log_in(town.browser())
    assert len({user.id for user in town.published}) == 2


def test_nobody_logs_in_here_with_a_password_as_somebody_of_the_county(town: CountyTown) -> None:
    log_in(town.browser())
    (user,) = town.published
    for password in ("", "argon2", user.password):
        browser = town.browser()
        assert browser.log_in(browser.authorize(), user.name, password).status_code == 401


def test_whom_the_operator_ended_the_county_does_not_bring_back(town: CountyTown) -> None:
    log_in(town.browser())
    (user,) = town.published
    town.store.credentials.users.revoke(user.id, int(town.now))
    refused = log_in(town.browser())
    assert (refused.status_code, "was ended" in refused.text) == (403, True)
    assert len(town.published) == 1


def test_another_organizations_app_is_not_opened_by_a_login_there(town: CountyTown) -> None:
    town.register("oak-app", public=True, organization="oak")
    page = log_in(town.browser(), client_id="oak-app")
    assert page.status_code == 403


def test_keys_that_the_county_changed_are_looked_for_anew(town: CountyTown) -> None:
    log_in(town.browser())
    new = dict(STRANGERS.as_dict(private=False)) | {"kid": "county-2"}
    town.login.keys = [new]
    town.login.sign = lambda claims: signed(claims, STRANGERS, kid="county-2")
    town.now += 20  # a set is not asked for more often than every ten seconds
    assert log_in(town.browser()).status_code == 200


def test_one_key_needs_no_name(town: CountyTown) -> None:
    """OpenID Connect Core 1.0 section 10.1."""

    def unnamed(claims: Claims) -> str:
        return jws.serialize_compact({"alg": "RS256"}, json.dumps(claims), KEY, algorithms=["RS256"])

    town.login.sign = unnamed
    assert log_in(town.browser()).status_code == 200


# --- bad: the id_token ------------------------------------------------------------------------------------------------


def without(name: str) -> Callable[[Claims], Any]:
    return lambda claims: claims.pop(name)


def with_(**changes: Any) -> Callable[[Claims], Any]:
    return lambda claims: claims.update(changes)


CLAIMS: list[tuple[str, Callable[[Claims], Any]]] = [
    ("another nonce", with_(nonce="x" * 43)),
    ("no nonce", without("nonce")),
    ("a nonce that is no text", with_(nonce=None)),
    ("another audience", with_(aud="another-app")),
    ("another audience beside ours", with_(aud=[CLIENT, "another-app"])),
    ("no audience", with_(aud=[])),
    ("issued to another", with_(azp="another-app")),
    ("another issuer", with_(iss="https://evil.example.org")),
    ("the issuer with a slash", lambda claims: claims.update(iss=claims["iss"] + "/")),
    ("no issuer", without("iss")),
    ("expired", lambda claims: claims.update(exp=claims["iat"] - 31)),
    ("no expiry", without("exp")),
    ("an expiry that is no number", with_(exp="never")),
    ("an expiry that is true", with_(exp=True)),
    ("an expiry without end", with_(exp=float("inf"))),
    ("issued in the future", lambda claims: claims.update(iat=claims["iat"] + 31)),
    ("issued at no time", without("iat")),
    ("nobody", without("sub")),
    ("an empty subject", with_(sub="")),
    ("a subject that is a number", with_(sub=77)),
    ("an endless subject", with_(sub="x" * 256)),
    ("a subject with a line's end", with_(sub="ann\nroot")),
    ("no role here", with_(groups=["cooks"])),
    ("groups as one text that holds ours", with_(groups="not-river-team")),
]


@pytest.mark.parametrize("spoil", [pytest.param(spoil, id=name) for name, spoil in CLAIMS])
def test_claims_that_do_not_hold_log_nobody_in(closed: CountyTown, spoil: Callable[[Claims], Any]) -> None:
    """OpenID Connect Core 1.0 section 3.1.3.7."""
    closed.login.spoil = spoil
    browser = closed.browser()
    refused = log_in(browser)
    assert refused.status_code == 403
    assert_nobody(closed, browser)


def b64(words: str | bytes) -> str:
    return base64.urlsafe_b64encode(words if isinstance(words, bytes) else words.encode()).decode().rstrip("=")


def by_hmac(claims: Claims, secret: bytes) -> str:
    """By hand, for the library refuses to take a public key for a secret."""
    said = b64(json.dumps({"alg": "HS256", "kid": "county-1"})) + "." + b64(json.dumps(claims))
    return f"{said}.{b64(hmac.digest(secret, said.encode(), hashlib.sha256))}"


def swapped(token: str, claims: Claims) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{b64(json.dumps(claims))}.{signature}"


SIGNATURES: list[tuple[str, Callable[[Claims], str]]] = [
    ("alg none", lambda claims: ".".join([b64('{"alg":"none","kid":"county-1"}'), b64(json.dumps(claims)), ""])),
    ("HS256 by the public key", lambda claims: by_hmac(claims, KEY.as_pem(private=False))),
    ("HS256 by the client's secret", lambda claims: by_hmac(claims, SECRET.encode())),
    ("a stranger's key", lambda claims: signed(claims, STRANGERS)),
    ("an unknown key", lambda claims: signed(claims, STRANGERS, kid="county-2")),
    ("another RSA algorithm", lambda claims: signed(claims, alg="PS256")),
    ("RS512", lambda claims: signed(claims, alg="RS512")),
    ("changed after signing", lambda claims: swapped(signed(claims), {**claims, "sub": "root"})),
    ("no signature", lambda claims: signed(claims).rsplit(".", 1)[0] + "."),
    ("no token", lambda claims: "x"),
    ("an empty token", lambda claims: ""),
    ("two parts", lambda claims: signed(claims).rsplit(".", 1)[0]),
]


@pytest.mark.parametrize("sign", [pytest.param(sign, id=name) for name, sign in SIGNATURES])
def test_signatures_that_do_not_hold_log_nobody_in(closed: CountyTown, sign: Callable[[Claims], str]) -> None:
    closed.login.sign = sign
    browser = closed.browser()
    assert log_in(browser).status_code == 403
    assert_nobody(closed, browser)


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [dict(KEY.as_dict(private=False)), dict(STRANGERS.as_dict(private=False))],
        [dict(KEY.as_dict(private=True))],
        [dict(KEY.as_dict(private=False)) | {"use": "enc"}],
        [dict(KEY.as_dict(private=False)) | {"alg": "RS512"}],
        [{"kty": "RSA", "kid": "county-1", "n": "AQAB", "e": "AQAB"}],
    ],
    ids=["none", "two of one kid", "private", "for secrets", "for another algorithm", "weak"],
)
def test_key_sets_that_give_no_key_log_nobody_in(closed: CountyTown, keys: list[Claims]) -> None:
    closed.login.keys = keys
    browser = closed.browser()
    assert log_in(browser).status_code == 403
    assert_nobody(closed, browser)


def assert_nobody(town: CountyTown, browser: Browser) -> None:
    assert town.published == []
    assert [user.name for user in town.store.credentials.users.all()] == ["ann"]
    assert "Sign in with County login" in browser.authorize().text  # still not logged in


# --- bad: the way back ------------------------------------------------------------------------------------------------


def test_a_login_that_another_browser_began_is_not_finished_here(closed: CountyTown) -> None:
    """Login CSRF, and a code slipped in: RFC 6749 section 10.12, RFC 9700 section 2.1.2."""
    back = at_the_county(to_the_county(closed.browser()))
    victim = closed.browser()
    assert come_back(victim, back).status_code == 403
    to_the_county(victim)  # it has a cookie of its own by now
    assert come_back(victim, back).status_code == 403
    assert_nobody(closed, victim)


def test_mixed_up_states_of_one_browser_do_not_fit_their_codes(closed: CountyTown) -> None:
    """The code of one login with the state of another: PKCE and nonce are those of the state."""
    browser = closed.browser()
    first, second = at_the_county(to_the_county(browser)), at_the_county(to_the_county(browser))
    codes = [parse_qs(urlsplit(back).query)["code"][0] for back in (first, second)]
    mixed = first.replace(codes[0], codes[1])
    assert mixed != first
    assert come_back(browser, mixed).status_code == 403
    assert_nobody(closed, browser)


def test_an_answer_is_good_once(town: CountyTown) -> None:
    browser = town.browser()
    back = at_the_county(to_the_county(browser))
    assert come_back(browser, back).status_code == 200
    assert come_back(browser, back).status_code == 403


def test_a_login_that_took_too_long_is_begun_again(closed: CountyTown) -> None:
    browser = closed.browser()
    back = at_the_county(to_the_county(browser))
    closed.now += LASTS + 1
    assert come_back(browser, back).status_code == 403


@pytest.mark.parametrize("query", ["", "code=x", "code=x&state=", "code=x&state=x", "code=x&state=a.b.c.d.e", "code=x&code=y&state=x", "state=%ff"])
def test_an_answer_without_what_was_sealed_is_refused_in_words(closed: CountyTown, query: str) -> None:
    browser = closed.browser()
    to_the_county(browser)
    refused = come_back(browser, f"{upstream_pages.CALLBACK}?{query}")
    assert refused.status_code in (400, 403)
    assert refused.headers["content-type"].startswith("text/html")


def test_the_answer_of_another_provider_is_refused(town: CountyTown) -> None:
    """RFC 9207: mix-up."""
    town.login.answer = {"iss": "https://evil.example.org"}
    assert log_in(town.browser()).status_code == 403
    town.login.answer = {"iss": town.login.issuer}
    assert log_in(town.browser()).status_code == 200


def test_who_turns_back_at_the_county_is_told_so(closed: CountyTown) -> None:
    closed.login.answer = {"code": None, "error": "access_denied", "error_description": "<script>"}
    refused = log_in(closed.browser())
    assert (refused.status_code, "was not completed" in refused.text) == (403, True)
    assert "<script>" not in refused.text


def test_a_request_that_no_app_may_make_is_not_taken_along(closed: CountyTown) -> None:
    browser = closed.browser()
    for changes in ({"client_id": "nobody"}, {"redirect_uri": "https://evil.example.org/"}):
        answer = browser.send("GET", "/oauth/upstream", params=request(**changes))
        assert answer.status_code == 400
        assert "location" not in answer.headers
    unsafe = browser.send("GET", "/oauth/upstream", params=request(code_challenge_method="plain"))
    assert told(unsafe)["error"] == "invalid_request"


def test_a_code_is_no_way_round_the_verifier(town: CountyTown) -> None:
    """An app's own PKCE is untouched by ours."""
    browser = town.browser()
    page = browser.submit(log_in(browser), "/oauth/choose", patient="p1")
    code = told(browser.allow(page))["code"]
    assert town.redeem(code, code_verifier=VERIFIER[::-1]).status_code == 400


# --- bad: a provider that is not there --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502])
def test_a_county_that_is_down_is_told_and_local_logins_go_on(closed: CountyTown, status: int) -> None:
    closed.login.status = status
    browser = closed.browser()
    assert log_in(browser).status_code == 503
    assert 'action="/oauth/choose"' in browser.log_in(browser.authorize()).text


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://evil.example.org"},
        {"issuer": None},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": "https://169.254.169.254/latest"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": "http://example.org/keys"},
        {"jwks_uri": 7},
    ],
    ids=str,
)
def test_a_configuration_that_is_not_the_countys_is_not_gone_by(closed: CountyTown, wrong: dict[str, Any]) -> None:
    """OpenID Connect Discovery 1.0 section 4.3."""
    closed.login.configuration = wrong
    browser = closed.browser()
    page = browser.authorize()
    answer = browser.send("GET", f"/oauth/upstream?{hidden(page, '/oauth/login')['request']}")
    assert answer.status_code == 503
    assert "location" not in answer.headers


# --- configuration ----------------------------------------------------------------------------------------------------

TOML = """
[smart.upstream]
issuer = "https://login.county.example.org"
client_id = "gateway"
client_secret_file = "county.secret"
name = "County login"

[[smart.upstream.user]]
claim = "groups"
value = "river-team"
role = "agency"
organization = "river"

[[agency]]
id = "river"
name = "River"
"""


def test_the_provider_is_configured(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(TOML)
    (tmp_path / "county.secret").write_text("s3cret\n")
    settings = load(tmp_path / "gateway.toml").smart.upstream
    assert settings is not None
    upstream = upstream_of(settings, BASE, b"k" * 32).upstream
    assert upstream.rules == (Rule("groups", "river-team", "agency", "river"),)
    assert (upstream.issuer, upstream.client_secret) == ("https://login.county.example.org", "s3cret")


def test_a_secret_that_is_not_there_is_told_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(TOML)
    settings = load(tmp_path / "gateway.toml").smart.upstream
    assert settings is not None
    with pytest.raises(Usage) as refused:
        upstream_of(settings, BASE, b"k" * 32)
    assert str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("https://login.county", "http://login.county", 3),
        ('name = "County login"', 'nmae = "County login"', 6),
        ('role = "agency"', 'role = "queen"', 11),
        ('organization = "river"', 'organization = "oak"', 8),
        ('value = "river-team"', 'vlaue = "river-team"', 8),
    ],
)
def test_a_mistake_in_the_configuration_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int) -> None:
    (tmp_path / "gateway.toml").write_text(TOML.replace(old, new))
    with pytest.raises(Usage) as refused:
        load(tmp_path / "gateway.toml")
    assert f"line {line}" in refused.value.location


def test_without_a_provider_there_is_no_such_page(tmp_path: Path) -> None:
    with mock.patch.object(users, "_HASHER", QUICK), bench(tmp_path) as made:
        town = Town(made)
        assert "Sign in with" not in town.browser().authorize().text
        assert town.browser().send("GET", "/oauth/upstream", params=request()).status_code == 404
