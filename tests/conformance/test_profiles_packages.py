"""Packages and tables: what is read of them, what is refused, and what the repository holds."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from conformance.profiles import load
from conformance.profiles.packages import package_tables
from conformance.profiles.profiles import table
from conformance.profiles.terminology import Terminology
from gateway.errors import Usage

Json = dict[str, Any]

TABLES = Path(__file__).resolve().parents[2] / "conformance" / "profiles" / "tables"


def packed(path: Path, *resources: Any, folder: str = "package") -> Path:
    with tarfile.open(path, "w:gz") as package:
        for number, resource in enumerate(resources):
            data = resource if isinstance(resource, bytes) else orjson.dumps(resource)
            member = tarfile.TarInfo(f"{folder}/StructureDefinition-{number}.json")
            member.size = len(data)
            package.addfile(member, io.BytesIO(data))
    return path


CLIENT = "http://example.org/StructureDefinition/client"
DEFINITION: Json = {
    "resourceType": "StructureDefinition",
    "url": CLIENT,
    "type": "Patient",
    "kind": "resource",
    "derivation": "constraint",
    "description": "Prose that no table holds.",
    "snapshot": {
        "element": [
            {"id": "Patient", "path": "Patient", "base": {"path": "Patient"}},
            {"id": "Patient.gender", "path": "Patient.gender", "base": {"path": "Patient.gender"}, "min": 1, "max": "1", "short": "Prose."},
        ]
    },
}


def test_a_package_is_compiled_from_its_tgz(tmp_path: Path) -> None:
    profiles = load(packed(tmp_path / "p.tgz", DEFINITION))
    assert profiles.for_type("Patient") == [CLIENT]
    found = profiles.check({"resourceType": "Patient", "meta": {"profile": [CLIENT]}})
    assert [(one.location, one.rule) for one in found if one.severity == "error"] == [("Patient.gender", "cardinality")]


def test_tables_hold_facts_and_no_prose() -> None:
    tables = orjson.dumps(package_tables([DEFINITION], table("r4")))
    assert b"Prose" not in tables
    for name in ("r4", "us-core-6.1.0"):
        strings = words({part: rows for part, rows in table(name).items() if part != "rules"})
        assert [one for one in strings if one.count(" ") > 4] == []


def words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from words(each)


def test_the_tables_of_the_repository_are_small() -> None:
    assert sum(each.stat().st_size for each in TABLES.iterdir()) < 2_000_000


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"url": 7},
        {"snapshot": {"element": []}},
        {"snapshot": {"element": [{}]}},
        {"snapshot": {"element": [{"id": "Patient", "path": "Patient"}, {"path": "Patient.gender"}]}},
        {"snapshot": {"element": [{"id": "Patient", "path": "Patient"}, {"id": "Patient.x", "path": "Patient.x", "type": 7}]}},
        {"context": [7]},
        {"type": ["Patient"]},
    ],
)
def test_a_package_whose_definitions_are_broken_is_refused_or_read_but_never_fails(tmp_path: Path, definition: Json) -> None:
    path = packed(tmp_path / "p.tgz", {**DEFINITION, **definition})
    try:
        profiles = load(path)
    except Usage:
        return
    assert isinstance(profiles.check({"resourceType": "Patient"}, profiles.for_type("Patient")), list)


@pytest.mark.parametrize("content", [b"", b"not a package", b"\x1f\x8b\x08\x00broken"])
def test_a_file_that_is_no_package_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.tgz"
    path.write_bytes(content)
    with pytest.raises(Usage):
        load(path)


def test_an_unknown_name_is_refused_and_the_built_in_ones_are_named() -> None:
    with pytest.raises(Usage, match=r"us-core-6\.1\.0"):
        load("us-core-99")


def test_a_package_of_broken_json_or_without_profiles_is_refused(tmp_path: Path) -> None:
    for path in (packed(tmp_path / "a.tgz", b"{"), packed(tmp_path / "b.tgz", DEFINITION, folder="package/example")):
        with pytest.raises(Usage):
            load(path)


SYSTEM = "http://example.org/system"


def terminology(**sets: Json) -> Terminology:
    systems = {SYSTEM: {"codes": ["a", "b", "c", "d"], "parents": {"b": ["a"], "c": ["b"]}}}
    return Terminology({"systems": systems, "sets": sets})


@pytest.mark.parametrize(
    ("value_set", "code", "expected"),
    [
        ({"include": [{"system": SYSTEM}]}, "d", True),
        ({"include": [{"system": SYSTEM}]}, "e", False),
        ({"include": [{"system": SYSTEM, "codes": ["a"]}]}, "b", False),
        ({"include": [{"system": SYSTEM, "filters": [["concept", "is-a", "b"]]}]}, "b", True),
        ({"include": [{"system": SYSTEM, "filters": [["concept", "is-a", "a"]]}]}, "c", True),
        ({"include": [{"system": SYSTEM, "filters": [["concept", "is-a", "b"]]}]}, "a", False),
        ({"include": [{"system": SYSTEM, "filters": [["concept", "descendent-of", "b"]]}]}, "b", False),
        ({"include": [{"system": SYSTEM, "filters": [["concept", "is-not-a", "b"]]}]}, "c", False),
        ({"include": [{"system": SYSTEM, "filters": [["status", "=", "active"]]}]}, "a", None),
        ({"include": [{"system": SYSTEM}], "exclude": [{"system": SYSTEM, "codes": ["a"]}]}, "a", False),
        ({"include": [{"system": "http://loinc.org"}]}, "a", False),
        ({"include": [{"sets": ["other"]}]}, "a", True),
        ({"include": [{"sets": ["other", "third"]}]}, "a", False),
        ({"include": [{"sets": ["other", "third"]}]}, "b", True),
        ({"include": [{"sets": ["unknown"]}]}, "a", None),
        ({"include": [{"sets": ["it"]}]}, "a", None),
    ],
)
def test_a_value_set_is_composed_as_r4_says(value_set: Json, code: str, expected: bool | None) -> None:
    others = {"other": {"include": [{"system": SYSTEM, "codes": ["a", "b"]}]}, "third": {"include": [{"system": SYSTEM, "codes": ["b"]}]}}
    assert terminology(it=value_set, **others).has("it", SYSTEM, code) is expected


def test_codes_of_systems_published_elsewhere_are_not_judged() -> None:
    found = terminology(it={"include": [{"system": "http://loinc.org"}, {"system": SYSTEM, "codes": ["a"]}]})
    assert found.has("it", "http://loinc.org", "1-8") is None
    assert found.has("it", SYSTEM, "b") is False
    assert found.has("it", None, "b") is None
    assert found.has("unknown", SYSTEM, "a") is None
