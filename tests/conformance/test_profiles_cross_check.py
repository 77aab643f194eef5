"""Our profile validator against two that nobody here wrote: npm's @medplum/core (cardinality, slices, invariants) and `fhir` (codes).

Ours must reject whatever either of them rejects. Each difference stands in `cross_check/differences.csv` with its reason; one that does not
stand there fails.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import orjson
import pytest
from cross_check.breaking import OPERATORS, Valid, broken
from cross_check.comparing import Case, Comparison, Difference, compare, table
from cross_check.definitions import Definition, Json, Types, package, profiles
from cross_check.generated import generated
from cross_check.others import HERE, base_definitions, install, missing, verdicts

from conformance.profiles import Finding, load
from tests.third_party import DATA, third_party

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
PROFILES = {
    "AllergyIntolerance": "allergyintolerance",
    "CarePlan": "careplan",
    "CareTeam": "careteam",
    "Condition": "condition-encounter-diagnosis",
    "Coverage": "coverage",
    "DocumentReference": "documentreference",
    "Encounter": "encounter",
    "Goal": "goal",
    "Location": "location",
    "Organization": "organization",
    "Patient": "patient",
    "Practitioner": "practitioner",
    "PractitionerRole": "practitionerrole",
    "Procedure": "procedure",
    "Provenance": "provenance",
    "RelatedPerson": "relatedperson",
    "ServiceRequest": "servicerequest",
}
"""The profile that a generated resource is held against, by type; the others are held against R4 alone. Examples are held against what they claim."""

SEED = 20261122
EACH = 40
"""Broken resources for each operator."""


class Swept(NamedTuple):
    """Everything that was held against all three, what came of it, and the table."""

    cases: list[Case]
    valid: int
    comparison: Comparison
    differences: list[Difference]


@pytest.fixture(scope="module")
def swept() -> Swept:
    if reason := missing():
        pytest.skip(reason)
    install()
    return sweep(EACH, SEED)


def sweep(each: int, seed: int) -> Swept:
    """Resources as made, the valid among them broken, and examples held against the other profiles of their type."""
    definitions, examples = package(DATA / "fhir" / "us-core" / "us_core_610.tgz")
    known = profiles(definitions)
    sources = made(known, examples)
    cases = [Case(one.id, one.profile.url if one.profile else None, one.resource) for one in sources] + elsewhere(known, examples)
    theirs, ours = verdicts(definitions, (case[:3] for case in cases)), check(cases)

    sound = [one for one in sources if not ours[one.id] and theirs[one.id] == ([], [])]
    spoiled = broken(sound, Types(base_definitions()), each, seed)
    theirs |= verdicts(definitions, (case[:3] for case in spoiled))
    ours |= check(spoiled)
    differences = table()
    return Swept([*cases, *spoiled], len(sound), compare([*cases, *spoiled], theirs, ours, differences), differences)


def made(known: dict[str, Definition], examples: list[tuple[str, Json]]) -> list[Valid]:
    """What the gateway makes, and the package's examples once for each profile that they claim."""
    found = []
    for number, one in enumerate(generated()):
        kind = one["resourceType"]
        found.append(Valid(f"generated {number} {kind}", one, known[US_CORE + PROFILES[kind]] if kind in PROFILES else None))
    for name, one in examples:
        claimed = [known[url] for url in claims(one) if url in known]
        found += [Valid(f"example {name} {profile.url.rpartition('/')[2]}", one, profile) for profile in claimed] or [
            Valid(f"example {name}", one, None)
        ]
    return found


def elsewhere(known: dict[str, Definition], examples: list[tuple[str, Json]]) -> list[Case]:
    """Every example held against every profile of its type that it does not claim."""
    return [
        Case(f"example {name} as {url.rpartition('/')[2]}", url, one, "another-profile")
        for name, one in examples
        for url, profile in known.items()
        if profile.type == one["resourceType"] and url not in claims(one)
    ]


def claims(resource: Json) -> list[str]:
    return [url.partition("|")[0] for url in resource.get("meta", {}).get("profile", [])]


def check(cases: list[Case]) -> dict[str, list[Finding]]:
    """Our errors by case; warnings reject nothing."""
    ours = load("us-core-6.1.0")
    return {case.id: [one for one in ours.check(case.resource, [case.profile] if case.profile else []) if one.severity == "error"] for case in cases}


@pytest.mark.sweep
@third_party
def test_at_least_1000_generated_and_500_broken_resources_are_compared(swept: Swept) -> None:
    by_operator = Counter(case.broken_by for case in swept.cases)
    assert sum(case.id.startswith("generated") and not case.broken_by for case in swept.cases) >= 1000
    assert sum(by_operator[operator] for operator in OPERATORS) >= 500
    assert not OPERATORS.keys() - by_operator.keys()


@pytest.mark.sweep
@third_party
def test_ours_rejects_what_either_rejects_and_every_difference_is_explained(swept: Swept, capsys: pytest.CaptureFixture[str]) -> None:
    by_operator = Counter(case.broken_by for case in swept.cases)
    counts = {
        "as made": by_operator[""],
        "valid": swept.valid,
        "broken": sum(by_operator[operator] for operator in OPERATORS),
        "held against another profile": by_operator["another-profile"],
        **swept.comparison.counts,
        "unexplained": len(swept.comparison.unexplained),
    }
    with capsys.disabled():
        print("\n" + ", ".join(f"{count} {name}" for name, count in counts.items()))
    assert swept.comparison.unexplained == []


@pytest.mark.sweep
@third_party
def test_every_error_of_theirs_that_is_waived_still_occurs(swept: Swept) -> None:
    """A waiver that has outlived its reason could hide a defect of ours."""
    assert [row for row in swept.differences if row.validator != "ours" and not swept.comparison.used[row]] == []


def test_the_lock_file_names_one_version_of_each_package_and_no_private_registry() -> None:
    lock = orjson.loads((HERE / "package-lock.json").read_bytes())
    wanted = orjson.loads((HERE / "package.json").read_bytes())["dependencies"]
    assert {name: lock["packages"][f"node_modules/{name}"]["version"] for name in wanted} == wanted
    resolved = [package["resolved"] for package in lock["packages"].values() if "resolved" in package]
    assert [url for url in resolved if not url.startswith("https://registry.npmjs.org/")] == []
