"""The CapabilityStatement: what it says is there, is; and what it names is what the standard calls it."""

from __future__ import annotations

import json
import tarfile

import pytest

from gateway.api.capabilities import EVERY, Offer, Operation, definition, statement
from gateway.api.router import OFFERS
from gateway.fhir import search
from tests.third_party import DATA

US_CORE = DATA / "fhir" / "us-core" / "us_core_610.tgz"


@pytest.mark.parametrize(
    ("type", "name", "canonical"),
    [
        ("Patient", "_id", "http://hl7.org/fhir/SearchParameter/Resource-id"),
        ("Patient", "_lastUpdated", "http://hl7.org/fhir/SearchParameter/Resource-lastUpdated"),
        ("Patient", "identifier", "http://hl7.org/fhir/SearchParameter/Patient-identifier"),
        ("Patient", "family", "http://hl7.org/fhir/SearchParameter/individual-family"),
        ("Encounter", "identifier", "http://hl7.org/fhir/SearchParameter/clinical-identifier"),
        ("Task", "patient", "http://hl7.org/fhir/SearchParameter/Task-patient"),
        ("CareTeam", "role", "http://hl7.org/fhir/us/core/SearchParameter/us-core-careteam-role"),
    ],
)
def test_a_search_parameter_is_called_by_its_canonical(type: str, name: str, canonical: str) -> None:
    assert definition(type, name) == canonical


@pytest.mark.third_party
def test_us_core_derives_its_parameters_from_the_same_ones() -> None:
    """Its package says of each which of R4's it is, or that it is its own."""
    compared = 0
    with tarfile.open(US_CORE) as package:
        for member in package.getmembers():
            if not member.name.startswith("package/SearchParameter-"):
                continue
            stated = json.load(package.extractfile(member) or pytest.fail(member.name))
            for type in stated["base"]:
                if stated["code"] in search.parameters(type):
                    assert definition(type, stated["code"]) == stated.get("derivedFrom", stated["url"])
                    compared += 1
    assert compared > 80


def test_an_offer_is_told_where_it_is_served_and_nowhere_else() -> None:
    offer = Offer(
        interactions={"Task": ("delete",)},
        system=("history-system",),
        operations=(Operation("whole", "http://x/whole"), Operation("one", "http://x/one", ("Task",)), Operation("each", "http://x/each", (EVERY,))),
        more={"Task": {"conditionalDelete": "single"}},
    )
    (rest,) = statement("https://g.example", [offer])["rest"]
    told = {each["type"]: each for each in rest["resource"]}
    assert [each["name"] for each in rest["operation"]] == ["whole"]
    assert {"code": "history-system"} in rest["interaction"]
    assert {"code": "delete"} in told["Task"]["interaction"]
    assert told["Task"]["conditionalDelete"] == "single"
    assert [each["name"] for each in told["Task"]["operation"]] == ["one", "each"]
    assert [each["name"] for each in told["Patient"]["operation"]] == ["each"]
    assert {"code": "delete"} not in told["Patient"]["interaction"]


def test_it_says_where_and_what_it_is() -> None:
    said = statement("https://g.example", OFFERS)
    assert said["implementation"]["url"] == "https://g.example/fhir"
    assert (said["fhirVersion"], said["kind"], said["format"][0]) == ("4.0.1", "instance", "application/fhir+json")
    assert said["patchFormat"] == ["application/json-patch+json"]
    assert {each.get("conditionalRead") for each in said["rest"][0]["resource"] if each["type"] in search.searchable()} == {"full-support"}
    names = {one["name"] for each in said["rest"][0]["resource"] for one in each.get("operation", ())}
    assert "validate" in names
    assert {"transaction", "batch"} <= {each["code"] for each in said["rest"][0]["interaction"]}
