"""Inferno's (g)(10) Standardized API Test Kit with SMART App Launch 2.2 and US Core 6.1.0: its launches, scopes and errors, by its checks' ids.

The launches' own steps (redirect, code, exchange, body, headers, OpenID Connect) are those of `test_inferno_smart`.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.clients.house import Person
from tests.inferno.app import EHR, EHR_V1, HELD, ORIGIN, STANDALONE, STANDALONE_V1, App, Launched

Json = dict[str, Any]
PATIENTS = [type for type in HELD if type not in ("Location", "Medication", "Organization", "Practitioner", "PractitionerRole")]
"""Types that are read by patient."""
CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
OBSERVED = "http://terminology.hl7.org/CodeSystem/observation-category"
REQUIRED = {
    "standalone": {
        "launch-standalone",
        "client-public",
        "client-confidential-symmetric",
        "client-confidential-asymmetric",
        "sso-openid-connect",
        "context-standalone-patient",
        "permission-offline",
        "permission-patient",
        "authorize-post",
        "permission-v2",
        "permission-v1",
    },
    "ehr": {
        "launch-ehr",
        "client-confidential-symmetric",
        "client-confidential-asymmetric",
        "sso-openid-connect",
        "context-banner",
        "context-style",
        "context-ehr-patient",
        "context-ehr-encounter",
        "permission-offline",
        "permission-user",
        "authorize-post",
        "permission-v2",
        "permission-v1",
    },
}


@pytest.fixture(scope="module", params=[STANDALONE, STANDALONE_V1], ids=["v2", "v1"])
def standalone(request: pytest.FixtureRequest, app: App) -> Launched:
    return app.launched("inf-secret", request.param, patient=app.patient)


@pytest.fixture(scope="module", params=[EHR, EHR_V1], ids=["v2", "v1"])
def ehr(request: pytest.FixtureRequest, app: App) -> Launched:
    launch = app.begin("inf-secret", app.patient, app.encounter(app.patient))["launch"]
    return app.launched("inf-secret", request.param, method="POST", launch=launch)


def found(app: App, type: str, token: str, patient: str) -> int:
    """The status of the search with which the kit looks whether it has access."""
    return app.get(f"/fhir/{type}", token, params={"_id" if type == "Patient" else "patient": patient}).status_code


@pytest.mark.parametrize("way", ["standalone", "ehr"])
def test_g10_smart_well_known_capabilities(app: App, way: str) -> None:
    assert set(app.get("/fhir/.well-known/smart-configuration").json()["capabilities"]) >= REQUIRED[way]


# --- 1 Standalone Patient App


def test_g10_smart_scopes(standalone: Launched) -> None:
    assert set(standalone.body["scope"].split()) == set(standalone.asked.split())


def test_g10_unauthorized_access(app: App) -> None:
    assert app.get(f"/fhir/Patient/{app.patient}").status_code == 401


def test_g10_patient_context(app: App, standalone: Launched) -> None:
    answer = app.get(f"/fhir/Patient/{standalone.body['patient']}", standalone.token)
    assert (answer.status_code, answer.json()["id"]) == (200, app.patient)


def test_g10_unrestricted_resource_type_access(app: App, standalone: Launched) -> None:
    assert {type: found(app, type, standalone.token, app.patient) for type in PATIENTS} == dict.fromkeys(PATIENTS, 200)


def test_g10_token_refresh_and_patient_context(app: App) -> None:
    made = app.launched("inf-secret", STANDALONE, patient=app.patient)
    body = app.refresh(made, made.body["refresh_token"]).json()
    assert app.get(f"/fhir/Patient/{body['patient']}", body["access_token"]).status_code == 200


def test_g10_invalid_token_refresh(app: App) -> None:
    made = app.launched("inf-secret", STANDALONE, patient=app.patient)
    assert app.refresh(made, "a_token_that_nobody_gave").status_code in (400, 401)


# --- 2 Limited access app


def test_g10_limited_scope_grant_and_restricted_resource_type_access(app: App) -> None:
    """The user takes away all but Patient, Condition and Observation."""
    kept = ("Patient", "Condition", "Observation")
    without = tuple(f"patient/{type}.rs" for type in HELD if type not in kept)
    made = app.launched("inf-secret", STANDALONE, patient=app.patient, without=without)
    assert {scope for scope in made.body["scope"].split() if "/" in scope} == {"launch/patient", *(f"patient/{type}.rs" for type in kept)}
    assert {type: found(app, type, made.token, app.patient) for type in PATIENTS} == {type: 200 if type in kept else 403 for type in PATIENTS}


# --- 3 EHR Practitioner App


def test_g10_smart_scopes_of_users(ehr: Launched) -> None:
    assert set(ehr.body["scope"].split()) == set(ehr.asked.split())


def test_g10_encounter_context(app: App, ehr: Launched) -> None:
    assert ehr.body["patient"] == app.patient
    assert app.get(f"/fhir/Encounter/{ehr.body['encounter']}", ehr.token).status_code == 200


def test_g10_smart_style_url(app: App, ehr: Launched) -> None:
    """The app's scripts may fetch it from their own origin."""
    answer = app.get(ehr.body["smart_style_url"], headers={"Origin": ORIGIN})
    assert answer.status_code == 200
    assert set(answer.json()) >= {"color_background", "color_text", "font_family_body"}
    assert answer.headers["access-control-allow-origin"] == "*"


def test_g10_smart_need_patient_banner(ehr: Launched) -> None:
    assert ehr.body["need_patient_banner"] is True


# --- Additional authorization tests


def test_g10_public_standalone_launch(app: App) -> None:
    made = app.launched("inf-public", STANDALONE, patient=app.patient)
    assert app.get(f"/fhir/Patient/{app.patient}", made.token).status_code == 200


def test_g10_asymmetric_launch(app: App) -> None:
    made = app.launched("inf-keys", STANDALONE, patient=app.patient)
    assert app.get(f"/fhir/Patient/{app.patient}", made.token).status_code == 200


def test_g10_smart_ehr_patient_launch(app: App) -> None:
    launch = app.begin("inf-secret", app.patient)["launch"]
    made = app.launched("inf-secret", STANDALONE.replace("launch/patient", "launch"), launch=launch)
    assert made.body["patient"] == app.patient
    assert app.get(f"/fhir/Patient/{app.patient}", made.token).status_code == 200


def asked(app: App, person: Person, **changes: str) -> httpx.Response:
    """A request for authorization that is wrong in one thing."""
    good = {"response_type": "code", "client_id": "inf-public", "redirect_uri": f"{ORIGIN}/callback", "scope": STANDALONE, "state": "s"}
    pkce = {"aud": app.home.fhir, "code_challenge": "x" * 43, "code_challenge_method": "S256"}
    return person.send("GET", "/oauth/authorize", params={**good, **pkce, **changes})


def test_g10_smart_app_launch_invalid_aud(app: App) -> None:
    answer = asked(app, app.person(), aud="https://inferno.healthit.gov/invalid_aud")
    assert answer.is_redirect
    assert "error=invalid_request" in answer.headers["location"]


def test_g10_smart_invalid_launch(app: App) -> None:
    """A launch that nobody began: told when the user is known, with an error and no code."""
    person = app.person()
    answer = person.log_in(asked(app, person, scope=EHR, launch="invalid_launch_parameter"))
    assert answer.is_redirect
    assert "error=invalid_request" in answer.headers["location"]


@pytest.mark.parametrize("changes", [{"code": "BAD_CODE"}, {"client": "inf-keys"}], ids=["invalid_code", "invalid_client_id"])
def test_g10_smart_invalid_token_request(app: App, changes: dict[str, str]) -> None:
    redirect, verifier = app.code("inf-secret", STANDALONE, patient=app.patient)
    answer = app.exchange(changes.get("client", "inf-secret"), changes.get("code", redirect["code"]), verifier)
    assert answer.status_code in (400, 401)


@pytest.mark.parametrize("sent", ["none", "blank", "wrong", "the challenge"])
def test_g10_smart_invalid_pkce_code_verifier(app: App, sent: str) -> None:
    redirect, verifier = app.code("inf-public", STANDALONE, patient=app.patient)
    form = {"grant_type": "authorization_code", "code": redirect["code"], "redirect_uri": f"{ORIGIN}/callback", "client_id": "inf-public"}
    wrong = {"none": {}, "blank": {"code_verifier": ""}, "wrong": {"code_verifier": f"{verifier}x"}, "the challenge": {"code_verifier": "E" * 43}}
    assert app.http.post("/oauth/token", data={**form, **wrong[sent]}).status_code in (400, 401)


def test_g10_token_revocation(app: App) -> None:
    made = app.launched("inf-secret", STANDALONE, patient=app.patient)
    assert app.post("/oauth/revoke", "inf-secret", token=made.body["refresh_token"]).status_code == 200
    assert app.get(f"/fhir/Patient/{app.patient}", made.token).status_code == 401
    assert app.refresh(made, made.body["refresh_token"]).status_code in (400, 401)


def test_g10_smart_granular_scope_selection(app: App) -> None:
    """All Conditions and Observations are asked for, and a category of each is allowed."""
    parts = (f"patient/Condition.rs?category={CATEGORY}|encounter-diagnosis", f"patient/Observation.rs?category={OBSERVED}|laboratory")
    whole = ("patient/Condition.rs", "patient/Observation.rs")
    scope = "launch/patient openid fhirUser offline_access patient/Condition.rs patient/Observation.rs patient/Patient.rs"
    made = app.launched("inf-keys", scope, patient=app.patient, without=whole, parts=parts)
    assert set(made.body["scope"].split()) == {*(set(scope.split()) - set(whole)), *parts}
    assert app.get("/fhir/Condition", made.token).json()["total"] == 1
    assert app.get("/fhir/Observation", made.token).json()["total"] == 0


@pytest.mark.parametrize(
    ("type", "category", "count"),
    [
        ("Condition", f"{CATEGORY}|encounter-diagnosis", 1),
        ("Condition", f"{CATEGORY}|problem-list-item", 0),
        ("Condition", "http://hl7.org/fhir/us/core/CodeSystem/condition-category|health-concern", 0),
        ("Observation", f"{OBSERVED}|laboratory", 0),
        ("Observation", f"{OBSERVED}|social-history", 0),
        ("Observation", f"{OBSERVED}|vital-signs", 0),
        ("Observation", f"{OBSERVED}|survey", 1),
        ("Observation", "http://hl7.org/fhir/us/core/CodeSystem/us-core-category|sdoh", 0),
    ],
)
def test_g10_smart_fine_grained_scopes(app: App, type: str, category: str, count: int) -> None:
    """Of the diagnosis and the PHQ-9 score, what is of the scope's category, whatever is searched for."""
    scope = f"patient/{type}.rs?category={category}"
    made = app.launched("inf-secret", f"launch/patient openid fhirUser patient/Patient.rs {scope}", patient=app.patient)
    assert scope in made.body["scope"].split()
    for query in ({"patient": app.patient}, {"patient": app.patient, "category": category}):
        answer = app.get(f"/fhir/{type}", made.token, params=query)
        assert (answer.status_code, answer.json()["total"]) == (200, count)
