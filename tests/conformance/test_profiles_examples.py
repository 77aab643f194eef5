"""The examples inside US Core's own packages, against the package each is in; and what becomes of them when a required element is taken out."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import orjson
import pytest

from conformance.profiles import Profiles, load
from tests.third_party import DATA, third_party

Json = dict[str, Any]

PACKAGES = {"us-core-6.1.0": "us_core_610.tgz", "us-core-8.0.0": "us_core_800.tgz"}
INVALID: dict[str, dict[str, str]] = {"us-core-6.1.0": {}, "us-core-8.0.0": {}}
"""Examples that HL7 published though they break their own profiles, with the reason. There are none."""


@cache
def profiles(name: str) -> Profiles:
    return load(name) if name == "us-core-6.1.0" else load(DATA / "fhir" / "us-core" / PACKAGES[name])


@cache
def members(name: str, folder: str, prefix: str = "") -> dict[str, bytes]:
    with tarfile.open(DATA / "fhir" / "us-core" / PACKAGES[name]) as package:
        wanted = [member for member in package if member.name.startswith(f"{folder}/{prefix}") and member.name.count("/") == folder.count("/") + 1]
        files = {member.name.rpartition("/")[2]: package.extractfile(member) for member in wanted if member.name.endswith(".json")}
        return {file: opened.read() for file, opened in files.items() if opened}


def examples(name: str) -> dict[str, Json]:
    found = {file: orjson.loads(data) for file, data in members(name, "package/example").items()}
    return {file: one for file, one in found.items() if one.get("resourceType")}


@third_party
@pytest.mark.parametrize("name", PACKAGES)
def test_every_example_is_accepted(name: str) -> None:
    refused = {}
    for file, resource in examples(name).items():
        found = [one for one in profiles(name).check(resource) if one.severity == "error"]
        if found and file not in INVALID[name]:
            refused[file] = found
    assert len(examples(name)) > 150
    assert refused == {}


@third_party
def test_a_compiled_package_says_what_the_built_in_one_says() -> None:
    compiled = load(DATA / "fhir" / "us-core" / PACKAGES["us-core-6.1.0"])
    for resource in examples("us-core-6.1.0").values():
        assert compiled.check(resource) == profiles("us-core-6.1.0").check(resource)


def required(name: str) -> dict[str, list[str]]:
    """By profile: the paths of what it requires, read from the StructureDefinition itself."""
    found = {}
    for data in members(name, "package", "StructureDefinition-").values():
        definition = orjson.loads(data)
        elements = definition["snapshot"]["element"][1:]
        found[definition["url"]] = [one["path"] for one in elements if one["min"] and ":" not in one["id"]]
    return found


def without(resource: Json, steps: list[str]) -> Iterator[Json]:
    """A copy with an element taken out wherever it stands; nothing if it is not there."""
    copy = deepcopy(resource)
    if _take_out(copy, steps):
        yield copy


def _take_out(value: Any, steps: list[str]) -> int:
    if isinstance(value, list):
        return sum(_take_out(each, steps) for each in value)
    if not isinstance(value, dict):
        return 0
    step, *rest = steps
    stem = step.removesuffix("[x]")
    names = [name for name in value if name.removeprefix("_") == stem or (step != stem and name.removeprefix("_").startswith(stem))]
    if rest:
        return sum(_take_out(value[name], rest) for name in names)
    for name in names:
        del value[name]
    return len(names)


@third_party
@pytest.mark.parametrize("name", PACKAGES)
def test_an_example_without_what_its_profile_requires_is_refused(name: str) -> None:
    paths = required(name)
    tried = 0
    for file, resource in examples(name).items():
        for url in (one.partition("|")[0] for one in resource.get("meta", {}).get("profile", ())):
            for path in paths.get(url, ()):
                for broken in without(resource, path.split(".")[1:]):
                    tried += 1
                    assert any(one.severity == "error" for one in profiles(name).check(broken)), (file, path)
    assert tried > 500


@third_party
def test_every_profile_of_us_core_accepts_its_examples_and_is_known_by_its_type() -> None:
    found = profiles("us-core-6.1.0")
    claimed = set()
    for resource in examples("us-core-6.1.0").values():
        inner = [resource, *(entry.get("resource", {}) for entry in resource.get("entry", ()))]
        claimed |= {one.partition("|")[0] for each in inner for one in each.get("meta", {}).get("profile", ())}
    definitions = [orjson.loads(data) for data in members("us-core-6.1.0", "package", "StructureDefinition-").values()]
    for definition in definitions:
        assert (definition["url"] in found.for_type(definition["type"])) is True
    abstract = {"http://hl7.org/fhir/us/core/StructureDefinition/us-core-vital-signs"}
    assert {one["url"] for one in definitions if one["kind"] == "resource"} - claimed <= abstract
