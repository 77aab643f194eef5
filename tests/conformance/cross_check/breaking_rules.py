"""Ways to break what R4 and a profile say of a resource: cardinality, slices, codes, references, extensions, invariants."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from random import Random
from typing import Any

from cross_check.definitions import Definition, Json, Spot, holds, of_slice
from cross_check.invariants import INVARIANTS
from cross_check.spots import choose, drop, place, plain, put


def required_removed(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """An element that R4 or the profile requires is not there."""
    required = profile.required if profile else ()

    def wanted(spot: Spot) -> bool:
        return isinstance(spot.key, str) and bool(spot.element.get("min") or _named(spot, required))

    return drop(choose(spots, random, wanted))


def _named(spot: Spot, paths: Sequence[str]) -> bool:
    path = place(spot)
    return any(path == one or (one.endswith("[x]") and path.startswith(one[:-3]) and "." not in path[len(one) - 3 :]) for one in paths)


def required_emptied(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A required element keeps its name and loses all that it says."""
    required = profile.required if profile else ()
    spot = choose(spots, random, lambda spot: isinstance(spot.key, str) and isinstance(spot.value, str | dict | list) and _named(spot, required))
    return put(spot, lambda spot: type(spot.value)())


def slice_removed(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """No item of a slice that must be there is left."""
    slices = [one for one in profile.slices if one.min] if profile else []
    for slice_ in random.sample(slices, len(slices)):
        for spot in spots:
            if isinstance(spot.value, list) and place(spot) == slice_.path and any(of_slice(item, slice_) for item in spot.value):
                rest = [item for item in spot.value if not of_slice(item, slice_)]
                if rest:
                    spot.holder[spot.key] = rest
                else:
                    del spot.holder[spot.key]
                return True
    return False


def slice_doubled(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A slice that may hold one item holds two."""
    slices = [one for one in profile.slices if one.max == "1" and one.marks] if profile else []
    for slice_ in random.sample(slices, len(slices)):
        for spot in spots:
            if isinstance(spot.value, list) and place(spot) == slice_.path:
                belong = [item for item in spot.value if of_slice(item, slice_)]
                if belong:
                    spot.value.append(copy.deepcopy(belong[0]))
                    return True
    return False


def pattern_changed(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A value that the profile fixes is another."""
    marks = [(path, mark) for path, mark in profile.marked if "." in path] if profile else []
    marks += [(slice_.path, None) for slice_ in profile.slices if slice_.min and slice_.marks] if profile else []
    for path, mark in random.sample(marks, len(marks)):
        inside = [spot for spot in spots if (place(spot) == path or place(spot).startswith(path + ".")) and plain(spot) and spot.type == "code"]
        inside = [
            spot
            for spot in inside
            if mark is None or any(holds(mark, each) for each in (spot.value, {"code": spot.value}, {"coding": [{"code": spot.value}]}))
        ]
        if inside:
            return put(random.choice(inside), lambda spot: "changed")
    return False


def required_code_misspelt(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A code that must come from a value set has two letters changed about, or one too many."""

    def wanted(spot: Spot) -> bool:
        return (
            plain(spot)
            and spot.type == "code"
            and spot.element.get("binding", {}).get("strength") == "required"
            and bool(spot.element["binding"].get("valueSet"))
        )

    return put(choose(spots, random, wanted), lambda spot: misspelt(spot.value, random))


def misspelt(code: str, random: Random) -> str:
    """A slip of the keys."""
    at = random.randrange(len(code))
    slips = [
        code[:at] + code[at + 1 :],
        code[:at] + code[at : at + 1] * 2 + code[at + 1 :],
        code.swapcase(),
        code[:at] + code[at + 1 : at + 2] + code[at : at + 1] + code[at + 2 :],
    ]
    return next((slip for slip in random.sample(slips, len(slips)) if slip not in ("", code)), code + "x")


def concept_misspelt(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """The code of a CodeableConcept or Coding whose binding is required."""
    required = (
        [one["path"] for one in profile.elements if one.get("binding", {}).get("strength") == "required" and ":" not in one["id"]] if profile else []
    )

    def wanted(spot: Spot) -> bool:
        bound = spot.element.get("binding", {}).get("strength") == "required" or place(spot) in required
        return bound and spot.type in ("CodeableConcept", "Coding") and isinstance(spot.value, dict) and bool(_codings(spot.value))

    spot = choose(spots, random, wanted)
    for coding in _codings(spot.value) if spot else ():
        coding["code"] = misspelt(coding["code"], random)
    return spot is not None


def _codings(value: Json) -> list[Json]:
    return [one for one in value.get("coding", [value]) if "code" in one]


def reference_turned(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A reference points at a type that cannot stand there."""

    def wanted(spot: Spot) -> bool:
        targets = [target.rpartition("/")[2] for kind in spot.element.get("type", ()) for target in kind.get("targetProfile", ())]
        return (
            spot.type == "Reference"
            and isinstance(spot.value, dict)
            and "reference" in spot.value
            and bool(targets)
            and not {"Resource", "Basic"} & set(targets)
        )

    return put(choose(spots, random, wanted), lambda spot: {"reference": "Basic/1"})


def reference_malformed(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A reference is no reference: an unknown type, a bare number, a fragment of nothing, an object."""
    bad = random.choice(["Patients/1", "17", "#nobody", "patient/1", "Patient/a b", {"id": "1"}])
    spot = choose(spots, random, lambda spot: spot.type == "Reference" and isinstance(spot.value, dict) and "reference" in spot.value)
    return put(spot, lambda spot: {"reference": bad})


BAD_EXTENSIONS: tuple[Any, ...] = (
    {"url": "http://example.org/nothing"},
    {"valueString": "no url"},
    {"url": "", "valueString": "x"},
    {"url": "http://example.org/two", "valueString": "x", "valueCode": "y"},
    {"url": "http://example.org/both", "valueString": "x", "extension": [{"url": "a", "valueString": "b"}]},
    {"url": "http://example.org/bare", "value": "x"},
    {"url": 17, "valueString": "x"},
    {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex", "valueString": "F"},
    {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race", "valueString": "white"},
    {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity", "extension": [{"url": "ombCategory", "valueCoding": {"code": "x"}}]},
    {"url": "http://example.org/odd", "extension": {"url": "a", "valueString": "b"}},
)


def extension_broken(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """An extension without url or value, with both, with two, or not as its own definition says."""
    bad = random.choice(BAD_EXTENSIONS)
    at_patient = isinstance(bad.get("url"), str) and "us-core" in bad["url"]
    inside = [spot.value for spot in spots if isinstance(spot.value, dict) and spot.type not in ("Resource", "Extension", "Narrative")]
    holder = resource if at_patient else random.choice([resource, *inside])
    if at_patient and resource["resourceType"] != "Patient":
        return False
    if isinstance(holder.get("extension", []), list):
        holder["extension"] = [one for one in holder.get("extension", []) if one.get("url") != bad.get("url")] + [copy.deepcopy(bad)]
    return True


def type_changed(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A resource type that R4 does not have, or none, or another's."""
    other = random.choice(["Patients", "patient", None, "Basic", "DomainResource", ""])
    if other is None:
        del resource["resourceType"]
    else:
        resource["resourceType"] = other
    return True


def contained_broken(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A contained resource that lacks what it needs, contains another, or has no type."""
    resource["contained"] = [
        random.choice(
            [
                {"resourceType": "Observation", "id": "in"},
                {"resourceType": "Patient", "id": "in", "contained": [{"resourceType": "Patient", "id": "deep"}]},
                {"id": "in"},
                {"resourceType": "Patient", "id": "in", "gender": "mael"},
                {"resourceType": "Patient", "id": "in", "birthDate": 1984},
                {"resourceType": "Patient", "id": "in", "favouriteColour": "blue"},
                {"resourceType": "Patients", "id": "in"},
            ]
        )
    ]
    resource.setdefault("extension", []).append({"url": "http://example.org/contained", "valueReference": {"reference": "#in"}})
    return True


def invariant_broken(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """One of R4's or US Core's invariants does not hold."""
    whole = Spot({"resource": resource}, "resource", {}, resource["resourceType"], resource["resourceType"])
    for kind, spoil in random.sample(INVARIANTS, len(INVARIANTS)):
        fitting = [spot for spot in (whole, *spots) if spot.type == kind and isinstance(spot.value, dict)]
        if not fitting:
            continue
        spoiled = random.choice(fitting).value
        before = copy.deepcopy(spoiled)
        spoil(spoiled)
        if spoiled != before:
            return True
    return False
