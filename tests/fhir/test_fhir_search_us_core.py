"""US Core's server CapabilityStatements (6.1.0, 8.0.0) against our table: what a server SHALL or SHOULD let be searched of the types that we hold."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from gateway.fhir import search
from tests.third_party import DATA, MARKS

pytestmark = list(MARKS)

Json = dict[str, Any]

ALWAYS = ("_id", "_lastUpdated")
"""Known for every type, apart from the table."""

NOT_HELD = {
    "Endpoint": "no feed names technical endpoints",
    "Media": "documents and pictures are DocumentReferences here",
    "Medication": "orders name their medication by code; one that refers to a Medication is taken, the Medication is not kept apart",
    "Questionnaire": "forms are their publishers'; answers and scores are held",
    "Specimen": "laboratory work is not the gateway's",
    "ValueSet": "the gateway is no terminology server",
}

REFUSED = {
    "MedicationRequest:medication": "Medication is not held",
    "MedicationDispense:medication": "Medication is not held",
    "PractitionerRole:endpoint": "Endpoint is not held",
}
"""Inclusions that US Core wants and that are not there, with the reason."""


@cache
def statement(version: str) -> list[Json]:
    """The resources of US Core's server CapabilityStatement."""
    with tarfile.open(DATA / "fhir" / "us-core" / f"us_core_{version}.tgz") as package:
        file = package.extractfile("package/CapabilityStatement-us-core-server.json")
        assert file is not None
        resources: list[Json] = json.load(file)["rest"][0]["resource"]
    return resources


def expected(element: Json) -> str:
    """SHALL, SHOULD or MAY."""
    return next((each["valueCode"] for each in element.get("extension", []) if each["url"].endswith("expectation")), "")


def combinations(resource: Json) -> Iterator[list[str]]:
    for each in resource.get("extension", []):
        if each["url"].endswith("search-parameter-combination"):
            yield [part["valueString"] for part in each["extension"] if part["url"] == "required"]


@pytest.mark.parametrize("version", ["610", "800"])
def test_each_search_parameter_is_known_with_its_kind(version: str) -> None:
    missing = []
    for resource in statement(version):
        known = search.parameters(resource["type"])
        for parameter in resource.get("searchParam", []):
            name = parameter["name"]
            if resource["type"] in NOT_HELD or name in ALWAYS:
                continue
            if name not in known or known[name].kind != parameter["type"]:
                missing.append(f"{resource['type']}.{name} {expected(parameter)}")
    assert missing == [], "all of them, the MAYs as well"


@pytest.mark.parametrize("version", ["610", "800"])
def test_each_combination_can_be_asked_and_begins_at_the_index(version: str) -> None:
    """A combination holds its patient, except for Patient's own: so none of them looks at more than one person's records."""
    for resource in statement(version):
        for names in combinations(resource):
            if resource["type"] in NOT_HELD:
                continue
            known = search.parameters(resource["type"])
            assert all(name in known or name in ALWAYS for name in names), (resource["type"], names)
            assert any(name in known and known[name].indexed for name in names), (resource["type"], names)


@pytest.mark.parametrize("version", ["610", "800"])
def test_each_inclusion_is_a_reference_of_ours(version: str) -> None:
    for resource in statement(version):
        if resource["type"] in NOT_HELD:
            continue
        for included in (*resource.get("searchInclude", []), *resource.get("searchRevInclude", [])):
            source, name, *target = included.split(":")
            if f"{source}:{name}" in REFUSED:
                assert name not in search.parameters(source), "it is there: the reason is out of date"
                continue
            parameter = search.parameters(source)[name]
            assert parameter.kind == "reference"
            assert not target or target[0] in parameter.targets
            assert included not in resource.get("searchRevInclude", []) or parameter.indexed, "what refers back is found by the index"


def test_what_is_not_held_is_not_searchable() -> None:
    assert not set(NOT_HELD) & set(search.searchable()), "it is held: the reason is out of date"
