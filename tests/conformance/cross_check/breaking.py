"""Named ways to break a valid resource. Each takes a copy and spoils one thing in it; the choice among its places is by a seed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from cross_check.definitions import PRIMITIVES, Definition, Json, Spot, Types, holds, of_slice
from cross_check.invariants import INVARIANTS


class Valid(NamedTuple):
    """A resource that is valid under a profile (None: under R4 alone)."""

    id: str
    resource: Json
    profile: Definition | None


class Broken(NamedTuple):
    """A resource with one thing wrong."""

    id: str
    operator: str
    resource: Json
    profile: str | None


Operator = Callable[[Json, "Sequence[Spot]", "Definition | None", Random], bool]


def broken(sources: Sequence[Valid], types: Types, each: int, seed: int) -> list[Broken]:
    """`each` broken resources for every operator that finds so many places, of as many resource types and profiles as can be."""
    found = []
    for name, operator in OPERATORS.items():
        random = Random(f"{seed} {name}")
        made = 0
        for source in _mixed(sources, random):
            spoiled = copy.deepcopy(source.resource)
            if made < each and operator(spoiled, list(types.walk(spoiled)), source.profile, random) and spoiled != source.resource:
                found.append(Broken(f"{source.id} / {name}", name, spoiled, source.profile.url if source.profile else None))
                made += 1
    return found


def _mixed(sources: Sequence[Valid], random: Random) -> list[Valid]:
    """The sources in a random order in which every profile's turn comes equally often."""
    by_profile: dict[str, list[Valid]] = {}
    for source in random.sample(sources, len(sources)):
        by_profile.setdefault(source.profile.url if source.profile else source.resource["resourceType"], []).append(source)
    turns = [(place, name, source) for name, group in by_profile.items() for place, source in enumerate(group)]
    return [source for _, _, source in sorted(turns, key=lambda turn: turn[:2])]


def _plain(spot: Spot) -> bool:
    return spot.type in PRIMITIVES and not isinstance(spot.value, list | dict)


def _path(spot: Spot) -> str:
    return "".join(part for part in spot.location.replace("]", "[").split("[") if not part.isdigit())


def _choose(spots: Sequence[Spot], random: Random, wanted: Callable[[Spot], bool]) -> Spot | None:
    fitting = [spot for spot in spots if wanted(spot)]
    return random.choice(fitting) if fitting else None


def _put(spot: Spot | None, value: Callable[[Spot], Any]) -> bool:
    if spot is None:
        return False
    spot.holder[spot.key] = value(spot)
    return True


def _drop(spot: Spot | None) -> bool:
    if spot is None:
        return False
    del spot.holder[spot.key]
    spot.holder.pop(f"_{spot.key}", None)
    return True


def required_removed(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """An element that R4 or the profile requires is not there."""
    required = profile.required if profile else ()

    def wanted(spot: Spot) -> bool:
        return isinstance(spot.key, str) and bool(spot.element.get("min") or _named(spot, required))

    return _drop(_choose(spots, random, wanted))


def _named(spot: Spot, paths: Sequence[str]) -> bool:
    path = _path(spot)
    return any(path == one or (one.endswith("[x]") and path.startswith(one[:-3]) and "." not in path[len(one) - 3 :]) for one in paths)


def required_emptied(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A required element keeps its name and loses all that it says."""
    required = profile.required if profile else ()
    spot = _choose(spots, random, lambda spot: isinstance(spot.key, str) and isinstance(spot.value, str | dict | list) and _named(spot, required))
    return _put(spot, lambda spot: type(spot.value)())


def slice_removed(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """No item of a slice that must be there is left."""
    slices = [one for one in profile.slices if one.min] if profile else []
    for slice_ in random.sample(slices, len(slices)):
        for spot in spots:
            if isinstance(spot.value, list) and _path(spot) == slice_.path and any(of_slice(item, slice_) for item in spot.value):
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
            if isinstance(spot.value, list) and _path(spot) == slice_.path:
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
        inside = [spot for spot in spots if (_path(spot) == path or _path(spot).startswith(path + ".")) and _plain(spot) and spot.type == "code"]
        inside = [
            spot
            for spot in inside
            if mark is None or any(holds(mark, each) for each in (spot.value, {"code": spot.value}, {"coding": [{"code": spot.value}]}))
        ]
        if inside:
            return _put(random.choice(inside), lambda spot: "changed")
    return False


def required_code_misspelt(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A code that must come from a value set has two letters changed about, or one too many."""

    def wanted(spot: Spot) -> bool:
        return (
            _plain(spot)
            and spot.type == "code"
            and spot.element.get("binding", {}).get("strength") == "required"
            and bool(spot.element["binding"].get("valueSet"))
        )

    return _put(_choose(spots, random, wanted), lambda spot: misspelt(spot.value, random))


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
        bound = spot.element.get("binding", {}).get("strength") == "required" or _path(spot) in required
        return bound and spot.type in ("CodeableConcept", "Coding") and isinstance(spot.value, dict) and bool(_codings(spot.value))

    spot = _choose(spots, random, wanted)
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

    return _put(_choose(spots, random, wanted), lambda spot: {"reference": "Basic/1"})


def reference_malformed(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A reference is no reference: an unknown type, a bare number, a fragment of nothing, an object."""
    bad = random.choice(["Patients/1", "17", "#nobody", "patient/1", "Patient/a b", {"id": "1"}])
    spot = _choose(spots, random, lambda spot: spot.type == "Reference" and isinstance(spot.value, dict) and "reference" in spot.value)
    return _put(spot, lambda spot: {"reference": bad})


def primitive_of_wrong_type(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A string where a number or boolean is wanted, and the other way round."""
    return _put(_choose(spots, random, _plain), lambda spot: random.choice([17, True]) if isinstance(spot.value, str) else str(spot.value).lower())


MALFORMED: dict[str, tuple[Any, ...]] = {
    "date": ("2026-13-01", "2026-02-30", "03/12/1984", "19840312", "2026-1-1", "2026-01-01T00:00:00Z"),
    "dateTime": ("2026-11-22T10:15", "2026-11-22 10:15:00Z", "2026-11-22T25:00:00Z", "2026-11-22T10:15:00", "yesterday", "2026-11-22T10:15:00+15:00"),
    "instant": ("2026-11-22", "2026-11-22T10:15:00", "2026-11-22T10:15Z"),
    "time": ("25:00:00", "10:15", "10:15:00Z"),
    "id": ("a b", "a" * 65, "a_b", "ä"),
    "code": (" home", "home ", "ho  me", "a\tb"),
    "uri": ("http://a b", " urn:x"),
    "url": ("http://a b",),
    "canonical": ("http://a b",),
    "base64Binary": ("abc", "*", "ab c="),
    "positiveInt": (0, -1, 1.5, 2**31),
    "unsignedInt": (-1, 0.5),
    "integer": (1.5, 2**31),
    "string": ("\u0000", "a\u0007b"),
    "markdown": ("\u0001",),
}


def malformed(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A value of the right JSON type that its FHIR type does not allow."""
    kinds = sorted({spot.type for spot in spots if spot.type in MALFORMED and _plain(spot)})
    kind = random.choice(kinds) if kinds else ""
    return _put(_choose(spots, random, lambda spot: spot.type == kind and _plain(spot)), lambda spot: random.choice(MALFORMED[kind]))


def single_in_array(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A list, of one or two, where one value is wanted."""
    spot = _choose(spots, random, lambda spot: isinstance(spot.key, str) and not isinstance(spot.value, list) and spot.key != "div")
    return _put(spot, lambda spot: [spot.value] * random.choice([1, 2]))


def array_unwrapped(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """One value where a list is wanted."""
    return _put(_choose(spots, random, lambda spot: isinstance(spot.value, list) and bool(spot.value)), lambda spot: spot.value[0])


def array_nested(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A list in a list."""
    return _put(_choose(spots, random, lambda spot: isinstance(spot.value, list) and bool(spot.value)), lambda spot: [spot.value])


def object_for_primitive(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """An object where a primitive is wanted."""
    return _put(_choose(spots, random, _plain), lambda spot: {"value": spot.value})


def primitive_for_object(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A string where an object is wanted."""
    return _put(_choose(spots, random, lambda spot: isinstance(spot.value, dict)), lambda spot: random.choice(["text", 17, True]))


def unknown_element(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A name that R4 does not know, or that only another type has."""
    inside = [spot.value for spot in spots if isinstance(spot.value, dict) and spot.type != "Resource"]
    random.choice([resource, *inside])[random.choice(["favouriteColour", "Status", "_unheardOf", "resourcetype", "valueUnheardOf"])] = "blue"
    return True


def emptied(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """An empty string, object or list."""
    return _put(_choose(spots, random, lambda spot: isinstance(spot.value, str | dict | list)), lambda spot: type(spot.value)())


def null_value(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """JSON's null, which only a list of primitives with a companion may hold."""
    return _put(_choose(spots, random, lambda spot: True), lambda spot: None)


def choice_doubled(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """Two of the types of a choice at once."""
    extra = {"Boolean": True, "String": "x", "DateTime": "2026-01-01", "Period": {"start": "2026-01-01"}, "Integer": 1, "Code": "x"}
    spot = _choose(spots, random, lambda spot: isinstance(spot.key, str) and spot.element["path"].endswith("[x]"))
    if spot is None:
        return False
    label = spot.element["path"].rpartition(".")[2][:-3]
    others = [kind["code"][0].upper() + kind["code"][1:] for kind in spot.element["type"]]
    fitting = [other for other in others if other in extra and label + other not in spot.holder]
    if fitting:
        other = random.choice(fitting)
        spot.holder[label + other] = extra[other]
    return bool(fitting)


def choice_of_wrong_type(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A choice's type that is not among those allowed."""
    spot = _choose(
        spots,
        random,
        lambda spot: isinstance(spot.key, str) and spot.element["path"].endswith("[x]") and spot.element["path"] != "Extension.value[x]",
    )
    if spot is None:
        return False
    label = spot.element["path"].rpartition(".")[2][:-3]
    spot.holder[label + "Oid"] = "urn:oid:1.2.3"
    del spot.holder[spot.key]
    return True


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


def companion_broken(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """The companion (`_birthDate`) of a primitive is no element: a string, a list for one value, too long a list, an unknown name in it."""
    spot = _choose(spots, random, lambda spot: isinstance(spot.key, str) and spot.type in PRIMITIVES and spot.key not in ("url", "reference"))
    if spot is None or not isinstance(spot.key, str):
        return False
    good = {"extension": [{"url": "http://example.org/a", "valueString": "b"}]}
    if isinstance(spot.value, list):
        spot.holder["_" + spot.key] = random.choice([good, [good, "text"], "text"])
    else:
        spot.holder["_" + spot.key] = random.choice(["text", [good], {"value": "x"}, {"extension": [{"url": "http://example.org/a"}]}])
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
        spot = _choose((whole, *spots), random, lambda spot, kind=kind: spot.type == kind and isinstance(spot.value, dict))
        before = copy.deepcopy(spot.value) if spot else None
        if spot:
            spoil(spot.value)
            if spot.value != before:
                return True
    return False


OPERATORS: dict[str, Operator] = {
    operator.__name__.replace("_", "-"): operator
    for operator in (
        required_removed,
        required_emptied,
        slice_removed,
        slice_doubled,
        pattern_changed,
        required_code_misspelt,
        concept_misspelt,
        reference_turned,
        reference_malformed,
        primitive_of_wrong_type,
        malformed,
        single_in_array,
        array_unwrapped,
        array_nested,
        object_for_primitive,
        primitive_for_object,
        unknown_element,
        emptied,
        null_value,
        choice_doubled,
        choice_of_wrong_type,
        extension_broken,
        companion_broken,
        type_changed,
        contained_broken,
        invariant_broken,
    )
}
