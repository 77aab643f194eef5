"""Inferno's SMART App Launch Test Kit, suite STU 2.2: each of its checks by its id. The kit itself is not run; what its checks say was read there."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from tests.inferno.app import EHR, KIND, ORIGIN, STANDALONE, App, Launched

Json = dict[str, Any]
WELL_KNOWN = "/fhir/.well-known/smart-configuration"


@pytest.fixture(scope="module")
def discovery(app: App) -> Json:
    return dict(app.get(WELL_KNOWN, headers={"Accept": "application/json"}).json())


@pytest.fixture(scope="module", params=["standalone-public", "standalone-secret", "standalone-keys", "ehr-secret", "ehr-keys"])
def launched(request: pytest.FixtureRequest, app: App) -> Launched:
    """A launch of each way by each kind of client; from a client's page the request is posted."""
    way, kind = request.param.split("-")
    patient = app.home.patients[0]
    if way == "standalone":
        return app.launched(f"inf-{kind}", STANDALONE, patient=patient)
    told = app.begin(f"inf-{kind}", patient, app.encounter(patient))
    assert set(told) == {"iss", "launch"}  # smart_app_launch, smart_launch_received
    assert told["iss"] == app.home.fhir
    return app.launched(f"inf-{kind}", EHR, method="POST", launch=told["launch"])


# --- SMART on FHIR Discovery (smart_discovery_stu2_2)


def test_well_known_endpoint(app: App) -> None:
    answer = app.get(WELL_KNOWN, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


def test_well_known_capabilities_stu2(discovery: Json) -> None:
    for name in ("authorization_endpoint", "token_endpoint", "issuer", "jwks_uri"):
        assert isinstance(discovery[name], str)
    for name in ("capabilities", "grant_types_supported", "code_challenge_methods_supported"):
        assert discovery[name]
        assert all(isinstance(each, str) for each in discovery[name])
    assert "authorization_code" in discovery["grant_types_supported"]
    assert discovery["code_challenge_methods_supported"] == ["S256"]
    assert "sso-openid-connect" in discovery["capabilities"]


@pytest.mark.parametrize("path", [WELL_KNOWN, "/fhir/metadata"])
def test_smart_cors_well_known_endpoint_and_metadata_request(app: App, path: str) -> None:
    answer = app.get(path, headers={"Origin": "https://inferno.example.org"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"


# --- Standalone Launch, EHR Launch (smart_standalone_launch_stu2_2, smart_ehr_launch_stu2_2)


def test_smart_app_redirect_and_code_received(launched: Launched) -> None:
    assert "error" not in launched.redirect
    assert launched.redirect["code"]
    assert launched.redirect["state"] == launched.state


def test_smart_token_exchange_stu2_2(launched: Launched) -> None:
    assert launched.answer.status_code == 200


def test_smart_token_response_body_stu2_2(launched: Launched) -> None:
    body = launched.body
    assert body["token_type"].lower() == "bearer"
    assert all(isinstance(body[name], str) and body[name] for name in ("access_token", "scope", "refresh_token", "id_token", "patient"))
    assert isinstance(body["expires_in"], int)
    assert set(body["scope"].split()) == set(launched.asked.split())  # "all requested scopes": else a warning


def test_smart_token_response_headers(launched: Launched) -> None:
    assert "no-store" in launched.answer.headers["cache-control"]
    assert "no-cache" in launched.answer.headers["pragma"]


def test_smart_cors_token_exchange(app: App) -> None:
    """For the registered origins of apps that run in a browser; a client that keeps a secret is a server, and no browser asks for it."""
    answer = app.launched("inf-public", STANDALONE, patient=app.home.patients[0]).answer
    assert answer.headers["access-control-allow-origin"] == ORIGIN


# --- OpenID Connect (smart_openid_connect_stu2_2)


@pytest.fixture(scope="module")
def provider(app: App, discovery: Json) -> Json:
    return dict(app.get(discovery["issuer"] + "/.well-known/openid-configuration").json())


@pytest.fixture(scope="module")
def keys(app: App, provider: Json) -> Json:
    answer = app.get(provider["jwks_uri"])
    assert answer.status_code == 200
    return dict(answer.json())


def decoded(token: str, keys: Json) -> tuple[Json, Json]:
    """The header and the claims of a token that is signed by one of the keys, with RS256."""

    found = jws.deserialize_compact(token, KeySet.import_key_set(keys), algorithms=["RS256"])
    return dict(found.headers()), dict(json.loads(found.payload))


def test_smart_openid_required_configuration_fields(provider: Json, discovery: Json) -> None:
    """With smart_openid_retrieve_configuration."""
    for name in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported", "subject_types_supported"):
        assert provider[name]
    assert provider["issuer"] == discovery["issuer"]
    assert "RS256" in provider["id_token_signing_alg_values_supported"]


def test_smart_openid_retrieve_jwks(keys: Json) -> None:
    assert any(key["kty"] == "RSA" and key["kid"] for key in keys["keys"])
    assert not any({"d", "p", "q"} & set(key) for key in keys["keys"])


def test_smart_openid_token_header(launched: Launched, keys: Json) -> None:
    """With smart_openid_decode_id_token."""
    header, _ = decoded(launched.body["id_token"], keys)
    assert header["alg"] == "RS256"
    assert [key["kid"] for key in keys["keys"]].count(header["kid"]) == 1


def test_smart_openid_token_payload(launched: Launched, keys: Json, provider: Json) -> None:
    _, claims = decoded(launched.body["id_token"], keys)
    assert (claims["iss"], claims["aud"]) == (provider["issuer"], launched.id)
    assert claims["exp"] > time.time()
    assert claims["iat"] <= time.time() + 1
    assert 0 < len(claims["sub"]) < 256


def test_smart_openid_fhir_user_claim(app: App, launched: Launched, keys: Json) -> None:
    """With smart_cors_openid_fhir_user_claim."""
    _, claims = decoded(launched.body["id_token"], keys)
    assert claims["fhirUser"].split("/")[-2] == "Practitioner"
    answer = app.get(claims["fhirUser"], launched.token, headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.json()["resourceType"]) == (200, "Practitioner")
    assert answer.headers["access-control-allow-origin"] == ORIGIN


# --- Token refresh (smart_token_refresh_stu2)


@pytest.mark.parametrize("scoped", [False, True], ids=["smart_standalone_refresh_without_scopes", "smart_standalone_refresh_with_scopes"])
@pytest.mark.parametrize("kind", ["public", "secret", "keys"])
def test_smart_token_refresh_stu2(app: App, kind: str, scoped: bool) -> None:
    made = app.launched(f"inf-{kind}", STANDALONE, patient=app.home.patients[0])
    more = {"scope": made.body["scope"]} if scoped else {}
    answer = app.refresh(made, made.body["refresh_token"], **more)
    body = answer.json()
    assert answer.status_code == 200
    assert "no-store" in answer.headers["cache-control"]
    assert "no-cache" in answer.headers["pragma"]
    assert body["access_token"] not in ("", made.token)
    assert body["token_type"].lower() == "bearer"
    assert isinstance(body["expires_in"], int)
    assert set(body["scope"].split()) <= set(made.body["scope"].split())
    assert app.get(f"/fhir/Patient/{body['patient']}", body["access_token"]).status_code == 200


# --- Backend Services (backend_services_authorization)


def backend(app: App, **changes: str) -> Any:
    form = {"grant_type": "client_credentials", "scope": "system/Patient.rs", "client_assertion_type": KIND}
    form |= {"client_assertion": app.assertion("inf-backend"), **changes}
    return app.http.post("/oauth/token", data=form)


def test_smart_backend_services_invalid_grant_type(app: App) -> None:
    assert backend(app, grant_type="not_a_grant_type").status_code == 400


def test_smart_backend_services_invalid_client_assertion(app: App) -> None:
    assert backend(app, client_assertion_type="not_an_assertion_type").status_code == 400


def test_smart_backend_services_invalid_jwt(app: App) -> None:
    """The kit signs for another client than the registered one."""
    assert backend(app, client_assertion=app.assertion("inf-backend", iss="not_a_valid_iss")).status_code == 400


def test_smart_backend_services_auth_request_success_and_response_body(app: App) -> None:
    answer = backend(app)
    body = answer.json()
    assert answer.status_code == 200
    assert (body["token_type"].lower(), body["expires_in"], body["scope"]) == ("bearer", 300, "system/Patient.rs")
    assert app.get("/fhir/Patient", body["access_token"]).status_code == 200


# --- Token introspection (smart_token_introspection_stu2_2)


def test_token_introspection_of_an_active_token(app: App, keys: Json) -> None:
    """smart_token_introspection_request_group and token_introspection_response_group; the resource server asks as an operator's client."""
    patient = app.home.patients[0]
    encounter = app.encounter(patient)
    made = app.launched("inf-secret", EHR, launch=app.begin("inf-secret", patient, encounter)["launch"])
    answer = app.post("/oauth/introspect", "inf-operator", token=made.token)
    told = answer.json()
    _, claims = decoded(made.body["id_token"], keys)
    assert answer.status_code == 200
    assert told["active"] is True
    assert (told["client_id"], told["patient"], told["encounter"]) == ("inf-secret", patient, encounter)
    assert set(told["scope"].split()) == set(made.body["scope"].split())
    assert told["exp"] > time.time()
    assert [told[name] for name in ("iss", "sub", "fhirUser")] == [claims[name] for name in ("iss", "sub", "fhirUser")]


def test_token_introspection_of_an_invalid_token(app: App) -> None:
    answer = app.post("/oauth/introspect", "inf-operator", token="invalid_token_value")
    assert (answer.status_code, answer.json()) == (200, {"active": False})
