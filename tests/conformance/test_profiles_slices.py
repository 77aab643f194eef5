"""Slicing as R4 has it, on small profiles of their own: each kind of discriminator, closed and ordered lists, slices of slices."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.profiles import Profiles
from conformance.profiles.packages import package_tables
from conformance.profiles.profiles import table

Json = dict[str, Any]

URL = "http://example.org/StructureDefinition/p"
SYSTEM = "http://example.org/codes"


def element(identifier: str, base: str, **facts: Any) -> Json:
    """One element of a snapshot; `base` is the path of the element that it constrains."""
    path = ".".join(step.partition(":")[0] for step in identifier.split("."))
    name = {"sliceName": identifier.rpartition(":")[2]} if ":" in identifier.split(".")[-1] else {}
    return {"id": identifier, "path": path, "base": {"path": base}, **name, **facts}


def slicing(*by: tuple[str, str], rules: str = "open", ordered: bool = False) -> Json:
    return {"discriminator": [{"type": kind, "path": path} for kind, path in by], "rules": rules, "ordered": ordered}


def profile(kind: str, *elements: Json, url: str = URL) -> Json:
    return {
        "resourceType": "StructureDefinition",
        "url": url,
        "type": kind,
        "kind": "resource" if kind in ("Observation", "Patient", "CareTeam", "Bundle") else "complex-type",
        "derivation": "constraint",
        "baseDefinition": f"http://hl7.org/fhir/StructureDefinition/{kind}",
        "snapshot": {"element": [{"id": kind, "path": kind, "base": {"path": kind}}, *elements]},
    }


def errors(resource: Json, *definitions: Json) -> list[tuple[str, str]]:
    base = table("r4")
    profiles = Profiles("test", base, package_tables(definitions, base))
    return [(one.location, one.rule) for one in profiles.check(resource, [definitions[0]["url"]]) if one.severity == "error"]


def category(*codes: str) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "category": [{"coding": [{"system": SYSTEM, "code": code}]} for code in codes],
    }


def categories(slicing_rules: Json, first: Json | None = None) -> Json:
    """Two slices of Observation.category, told apart by a pattern: `a`, which is required, and `b`."""
    return profile(
        "Observation",
        element("Observation.category", "Observation.category", min=1, max="*", slicing=slicing_rules),
        element(
            "Observation.category:a", "Observation.category", min=1, max="1", **(first or {"patternCodeableConcept": {"coding": [{"code": "a"}]}})
        ),
        element("Observation.category:b", "Observation.category", min=0, max="*", patternCodeableConcept={"coding": [{"code": "b"}]}),
    )


@pytest.mark.parametrize(
    ("rules", "codes", "expected"),
    [
        (slicing(("pattern", "$this")), ("b", "x", "a"), []),
        (slicing(("value", "$this")), ("b", "x", "a"), []),
        (slicing(("pattern", "$this")), ("b",), [("Observation.category", "slice")]),
        (slicing(("pattern", "$this")), ("a", "a"), [("Observation.category", "slice")]),
        (slicing(("pattern", "$this"), rules="closed"), ("a", "x"), [("Observation.category[1]", "slice")]),
        (slicing(("pattern", "$this"), rules="closed"), ("b", "a"), []),
        (slicing(("pattern", "$this"), ordered=True), ("b", "a"), [("Observation.category", "slice")]),
        (slicing(("pattern", "$this"), ordered=True), ("a", "b", "b"), []),
        (slicing(("pattern", "$this"), rules="openAtEnd"), ("a", "x", "b"), [("Observation.category", "slice")]),
        (slicing(("pattern", "$this"), rules="openAtEnd"), ("a", "b", "x"), []),
    ],
)
def test_a_list_falls_into_slices_by_pattern(rules: Json, codes: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    assert errors(category(*codes), categories(rules)) == expected


def test_a_value_below_tells_slices_apart() -> None:
    by_code = profile(
        "Observation",
        element(
            "Observation.category", "Observation.category", min=1, max="*", slicing=slicing(("value", "coding.code"), ("value", "coding.system"))
        ),
        element("Observation.category:a", "Observation.category", min=1, max="1"),
        element("Observation.category:a.coding", "CodeableConcept.coding", min=1, max="*"),
        element("Observation.category:a.coding.system", "Coding.system", min=1, max="1", fixedUri=SYSTEM),
        element("Observation.category:a.coding.code", "Coding.code", min=1, max="1", fixedCode="a"),
    )
    assert errors(category("x", "a"), by_code) == []
    assert errors(category("x"), by_code) == [("Observation.category", "slice")]


def test_a_required_value_set_tells_slices_apart() -> None:
    codes = {"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/administrative-gender"}
    bound = categories(slicing(("value", "$this")), {"binding": codes})
    with_gender = category("x")
    with_gender["category"].append({"coding": [{"system": "http://hl7.org/fhir/administrative-gender", "code": "female"}]})
    assert errors(with_gender, bound) == []
    assert errors(category("female"), bound) == [("Observation.category", "slice")]


def test_existence_tells_slices_apart() -> None:
    names = profile(
        "Patient",
        element("Patient.name", "Patient.name", min=0, max="*", slicing=slicing(("exists", "period"))),
        element("Patient.name:dated", "Patient.name", min=1, max="1"),
        element("Patient.name:dated.period", "HumanName.period", min=1, max="1"),
    )
    assert errors({"resourceType": "Patient", "name": [{"text": "a"}, {"text": "b", "period": {"start": "2026"}}]}, names) == []
    assert errors({"resourceType": "Patient", "name": [{"text": "a"}]}, names) == [("Patient.name", "slice")]


def test_the_type_of_a_choice_tells_slices_apart() -> None:
    values = profile(
        "Observation",
        element("Observation.value[x]", "Observation.value[x]", min=0, max="1", slicing=slicing(("type", "$this"), rules="closed")),
        element("Observation.value[x]:valueQuantity", "Observation.value[x]", min=0, max="1", type=[{"code": "Quantity"}]),
        element("Observation.value[x]:valueQuantity.code", "Quantity.code", min=1, max="1"),
    )
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    assert errors({**observation, "valueQuantity": {"value": 1, "code": "kg", "system": "http://unitsofmeasure.org"}}, values) == []
    assert errors({**observation, "valueQuantity": {"value": 1}}, values) == [("Observation.value.code", "cardinality")]
    assert errors({**observation, "valueString": "x"}, values) == [("Observation.value", "slice")]
    assert errors(observation, values) == []


MEMBERS = profile(
    "CareTeam",
    element("CareTeam.participant", "CareTeam.participant", min=0, max="*", slicing=slicing(("type", "member.resolve()"))),
    element("CareTeam.participant:lead", "CareTeam.participant", min=1, max="1"),
    element(
        "CareTeam.participant:lead.member",
        "CareTeam.participant.member",
        min=1,
        max="1",
        type=[{"code": "Reference", "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Practitioner"]}],
    ),
)


def test_the_type_of_a_reference_s_target_tells_slices_apart() -> None:
    def team(*references: str) -> Json:
        return {"resourceType": "CareTeam", "participant": [{"member": {"reference": one}} for one in references]}

    assert errors(team("Patient/1", "Practitioner/1"), MEMBERS) == []
    assert errors(team("Patient/1"), MEMBERS) == [("CareTeam.participant", "slice")]
    inside = {"resourceType": "Practitioner", "id": "bone"}
    assert errors({**team("#bone"), "contained": [inside]}, MEMBERS) == []


def test_the_type_of_a_resource_tells_a_bundle_s_entries_apart() -> None:
    entries = profile(
        "Bundle",
        element("Bundle.entry", "Bundle.entry", min=0, max="*", slicing=slicing(("type", "resource"))),
        element("Bundle.entry:team", "Bundle.entry", min=1, max="1"),
        element("Bundle.entry:team.resource", "Bundle.entry.resource", min=1, max="1", type=[{"code": "CareTeam"}]),
    )
    assert errors({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "CareTeam"}}]}, entries) == []
    assert errors({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "Patient"}}]}, entries) == [
        ("Bundle.entry", "slice")
    ]


def test_conformance_to_a_profile_tells_slices_apart() -> None:
    dated = "http://example.org/StructureDefinition/dated-name"
    names = profile(
        "Patient",
        element("Patient.name", "Patient.name", min=0, max="*", slicing=slicing(("profile", "$this"))),
        element("Patient.name:dated", "Patient.name", min=1, max="*", type=[{"code": "HumanName", "profile": [dated]}]),
    )
    dated_name = profile("HumanName", element("HumanName.period", "HumanName.period", min=1, max="1"), url=dated)
    assert errors({"resourceType": "Patient", "name": [{"text": "a"}, {"text": "b", "period": {"start": "2026"}}]}, names, dated_name) == []
    assert errors({"resourceType": "Patient", "name": [{"text": "a"}]}, names, dated_name) == [("Patient.name", "slice")]


def test_slices_inside_slices_are_checked_in_each_member() -> None:
    nested = profile(
        "Observation",
        element("Observation.category", "Observation.category", min=0, max="*", slicing=slicing(("value", "text"))),
        element("Observation.category:kind", "Observation.category", min=0, max="*"),
        element("Observation.category:kind.text", "CodeableConcept.text", min=1, max="1", fixedString="kind"),
        element("Observation.category:kind.coding", "CodeableConcept.coding", min=1, max="*", slicing=slicing(("value", "system"))),
        element("Observation.category:kind.coding:local", "CodeableConcept.coding", min=1, max="1"),
        element("Observation.category:kind.coding:local.system", "Coding.system", min=1, max="1", fixedUri=SYSTEM),
    )
    good = {"text": "kind", "coding": [{"system": SYSTEM, "code": "a"}]}
    bad = {"text": "kind", "coding": [{"system": "http://x.org", "code": "a"}]}
    other = {"text": "other", "coding": [{"system": "http://x.org", "code": "a"}]}
    resource = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    assert errors({**resource, "category": [good, other, bad]}, nested) == [("Observation.category[2].coding", "slice")]


def test_a_slice_of_a_slice_takes_from_that_slice_s_members() -> None:
    again = profile(
        "Observation",
        element("Observation.category", "Observation.category", min=0, max="*", slicing=slicing(("value", "coding.system"))),
        element("Observation.category:local", "Observation.category", min=0, max="*", slicing=slicing(("value", "coding.code"))),
        element("Observation.category:local.coding", "CodeableConcept.coding", min=1, max="*"),
        element("Observation.category:local.coding.system", "Coding.system", min=1, max="1", fixedUri=SYSTEM),
        element("Observation.category:local/first", "Observation.category", min=1, max="1"),
        element("Observation.category:local/first.coding", "CodeableConcept.coding", min=1, max="*"),
        element("Observation.category:local/first.coding.code", "Coding.code", min=1, max="1", fixedCode="a"),
    )
    assert errors(category("b", "a"), again) == []
    assert errors(category("b"), again) == [("Observation.category", "slice")]


def test_a_pattern_is_contained_and_a_fixed_value_is_the_whole() -> None:
    concept = {"coding": [{"system": SYSTEM, "code": "a"}]}
    resource = {"resourceType": "Observation", "status": "final", "code": {**concept, "text": "more"}}
    pattern = profile("Observation", element("Observation.code", "Observation.code", min=1, max="1", patternCodeableConcept=concept))
    fixed = profile("Observation", element("Observation.code", "Observation.code", min=1, max="1", fixedCodeableConcept=concept))
    assert errors(resource, pattern) == []
    assert errors(resource, fixed) == [("Observation.code", "fixed")]
    assert errors({**resource, "code": concept}, fixed) == []


def test_an_extension_slice_is_found_by_its_url_even_if_its_definition_is_not_in_the_package() -> None:
    url = "http://elsewhere.org/StructureDefinition/e"
    extended = profile(
        "Patient",
        element("Patient.extension", "DomainResource.extension", min=0, max="*", slicing=slicing(("value", "url"))),
        element("Patient.extension:e", "DomainResource.extension", min=1, max="1", type=[{"code": "Extension", "profile": [url]}]),
    )
    assert errors({"resourceType": "Patient", "extension": [{"url": url, "valueString": "x"}]}, extended) == []
    assert errors({"resourceType": "Patient", "extension": [{"url": "http://x.org", "valueString": "x"}]}, extended) == [
        ("Patient.extension", "slice")
    ]
