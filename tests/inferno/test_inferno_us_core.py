"""The single patient API of Inferno's (g)(10) kit with US Core 6.1.0: what its generated groups ask of each type, for an app with one patient."""

from __future__ import annotations

import json
import tarfile
from functools import cache
from typing import Any

import pytest

from gateway.fhir import search
from tests.inferno.app import STANDALONE, App
from tests.produced import errors
from tests.third_party import DATA

Json = dict[str, Any]
CANONICAL = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"
SERVER = "http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server"
EXPECTATION = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-expectation"
TOGETHER = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-search-parameter-combination"
MORE = " patient/RelatedPerson.rs patient/MedicationDispense.rs patient/QuestionnaireResponse.rs"
NOT_HELD = {"Specimen", "Medication", "Questionnaire"}
SEEN = ["AllergyIntolerance", "CarePlan", "CareTeam", "Condition", "Coverage", "DiagnosticReport", "Encounter", "Goal", "Observation", "Procedure"]
SEEN += ["Patient", "ServiceRequest"]
"""Types of which the patient has records."""
VALUES = {"date": "ge2020-01-01", "token": "x", "reference": "x", "string": "x", "uri": "x", "quantity": "1"}


@pytest.fixture(scope="module")
def token(app: App) -> str:
    return app.launched("inf-secret", STANDALONE + MORE, patient=app.patient).token


@pytest.fixture(scope="module")
def told(app: App) -> Json:
    return dict(app.get("/fhir/metadata").json())


def entries(app: App, token: str, type: str, **query: str) -> list[Json]:
    about = {"_id": app.patient} if type == "Patient" else {"patient": app.patient}
    answer = app.get(f"/fhir/{type}", token, params={**about, **query})
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", [])]


# --- Capability statement


def test_us_core_fhir_version_and_json_support(told: Json) -> None:
    assert told["fhirVersion"] == "4.0.1"
    assert "json" in told["format"]


def test_us_core_conformance_support(told: Json) -> None:
    assert errors(told, "6.1.0") == []


def test_us_core_instantiate(told: Json) -> None:
    assert SERVER in told["instantiates"]


def test_us_core_profile_support(told: Json) -> None:
    """Those of types that are not held are missing, and so the kit's check, which wants Specimen, fails."""
    claimed = {profile for each in told["rest"][0]["resource"] for profile in each.get("supportedProfile", [])}
    assert CANONICAL in claimed
    assert len([each for each in claimed if "/us/core/" in each]) == 47


@pytest.mark.third_party
def test_the_profiles_that_are_claimed_are_those_of_us_core(told: Json) -> None:
    claimed = {each["type"]: each.get("supportedProfile", []) for each in told["rest"][0]["resource"]}
    for each in us_core():
        wanted = [] if each["type"] in NOT_HELD else [one.split("|")[0] for one in each.get("supportedProfile", [])]
        assert claimed.get(each["type"], []) == wanted


# --- Searches


@cache
def us_core() -> list[Json]:
    """What US Core 6.1.0 asks of a server, by type."""
    with tarfile.open(DATA / "fhir" / "us-core" / "us_core_610.tgz") as package:
        stated = json.load(package.extractfile("package/CapabilityStatement-us-core-server.json") or pytest.fail("the package has no such file"))
    return list(stated["rest"][0]["resource"])


def searches(each: Json, wanted: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The parameters, and combinations of them, that a server shall (or should) take."""

    def is_wanted(one: Json) -> bool:
        return any(part["url"] == EXPECTATION and part.get("valueCode") in wanted for part in one.get("extension", []))

    alone = [(one["name"],) for one in each.get("searchParam", []) if is_wanted(one)]
    several = [one for one in each.get("extension", []) if one["url"] == TOGETHER and is_wanted(one)]
    return alone + [tuple(part["valueString"] for part in one["extension"] if part["url"] == "required") for one in several]


def value_of(type: str, name: str) -> str:
    return "x" if name == "_id" else VALUES[search.parameters(type)[name].kind]


@pytest.mark.third_party
@pytest.mark.parametrize("expectation", ["SHALL", "SHOULD"])
def test_us_core_search_parameters(app: App, token: str, expectation: str) -> None:
    """By GET with the patient's id and its reference, and by POST; each search that US Core names of a type that is held."""
    refused = []
    asked = 0
    for each in us_core():
        type = each["type"]
        if type not in search.searchable() or type == "HealthcareService":
            continue
        for names in searches(each, (expectation,)):
            query = {name: app.patient if name == "patient" else value_of(type, name) for name in names}
            answers = [app.get(f"/fhir/{type}", token, params=query)]
            answers.append(app.http.post(f"/fhir/{type}/_search", data=query, headers={"Authorization": f"Bearer {token}"}))
            asked += 1
            refused += [(type, names, answer.text) for answer in answers if answer.status_code != 200]
    assert refused == []
    assert asked > 15


@pytest.mark.parametrize("type", [type for type in SEEN if type != "Patient"])
def test_us_core_patient_search(app: App, token: str, type: str) -> None:
    """With test_reference_variants and test_post_search: the same by reference, and by POST."""
    ids = {one["id"] for one in entries(app, token, type)}
    assert ids
    assert {one["id"] for one in entries(app, token, type, patient=f"Patient/{app.patient}")} == ids
    posted = app.http.post(f"/fhir/{type}/_search", data={"patient": app.patient}, headers={"Authorization": f"Bearer {token}"})
    assert {entry["resource"]["id"] for entry in posted.json()["entry"]} == ids


@pytest.mark.parametrize(("type", "name"), [("Condition", "category"), ("CarePlan", "category"), ("Observation", "code")])
def test_us_core_token_search_with_and_without_system(app: App, token: str, type: str, name: str) -> None:
    (one, *_) = entries(app, token, type)
    held = one[name][0] if isinstance(one[name], list) else one[name]
    coding = held["coding"][0]
    for value in (coding["code"], f"{coding['system']}|{coding['code']}"):
        assert one["id"] in {each["id"] for each in entries(app, token, type, **{name: value})}


@pytest.mark.parametrize("comparator", ["gt", "ge", "lt", "le"])
def test_us_core_date_comparators(app: App, token: str, comparator: str) -> None:
    (one,) = entries(app, token, "Observation")
    value = {"g": "2026-03-17T00:00:00Z", "l": "2026-03-19T00:00:00Z"}[comparator[0]]
    assert [each["id"] for each in entries(app, token, "Observation", date=comparator + value)] == [one["id"]]
    other = {"g": "2026-03-19T00:00:00Z", "l": "2026-03-17T00:00:00Z"}[comparator[0]]
    assert entries(app, token, "Observation", date=comparator + other) == []


# --- Read, validation, references, provenance


@pytest.mark.parametrize("type", SEEN)
def test_us_core_read_and_validation(app: App, token: str, type: str) -> None:
    for one in entries(app, token, type):
        answer = app.get(f"/fhir/{type}/{one['id']}", token)
        assert (answer.status_code, answer.json()) == (200, one)
        assert app.get(f"/fhir/{type}/{one['id']}/_history/{one['meta']['versionId']}", token).json() == one
        assert errors(one, "6.1.0") == []


@pytest.mark.parametrize("type", SEEN)
def test_us_core_reference_resolution(app: App, token: str, type: str) -> None:
    """The kit wants one of each element; here each resolves that is of a type in the scopes."""
    for one in entries(app, token, type):
        for target in references(one):
            if target.split("/")[0] in STANDALONE:
                assert app.get(f"/fhir/{target}", token).status_code == 200, (type, target)


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for each in node for found in references(each)]
    if not isinstance(node, dict):
        return []
    own = [node["reference"]] if isinstance(node.get("reference"), str) and not node["reference"].startswith("#") else []
    return own + [found for each in node.values() for found in references(each)]


@pytest.mark.parametrize("type", SEEN)
def test_us_core_provenance_revinclude_search(app: App, token: str, type: str) -> None:
    """Each of what is included is of a record on the page; what the gateway derived has one."""
    found = entries(app, token, type, _revinclude="Provenance:target")
    here = {f"{type}/{one['id']}" for one in found if one["resourceType"] == type}
    provenances = [one for one in found if one["resourceType"] == "Provenance"]
    targets = {each["reference"].split("/_history")[0] for one in provenances for each in one["target"]}
    assert targets <= here
    if type in ("CarePlan", "CareTeam", "ServiceRequest"):
        assert targets == here
    assert all(errors(one, "6.1.0") == [] for one in provenances)
