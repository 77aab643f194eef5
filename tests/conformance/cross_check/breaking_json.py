"""Ways to break the JSON of a resource: types, forms of primitives, lists and objects, choices, companions."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from cross_check.definitions import PRIMITIVES, Definition, Json, Spot
from cross_check.spots import choose, plain, put


def primitive_of_wrong_type(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A string where a number or boolean is wanted, and the other way round."""
    return put(choose(spots, random, plain), lambda spot: random.choice([17, True]) if isinstance(spot.value, str) else str(spot.value).lower())


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
    kinds = sorted({spot.type for spot in spots if spot.type in MALFORMED and plain(spot)})
    kind = random.choice(kinds) if kinds else ""
    return put(choose(spots, random, lambda spot: spot.type == kind and plain(spot)), lambda spot: random.choice(MALFORMED[kind]))


def single_in_array(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A list, of one or two, where one value is wanted."""
    spot = choose(spots, random, lambda spot: isinstance(spot.key, str) and not isinstance(spot.value, list) and spot.key != "div")
    return put(spot, lambda spot: [spot.value] * random.choice([1, 2]))


def array_unwrapped(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """One value where a list is wanted."""
    return put(choose(spots, random, lambda spot: isinstance(spot.value, list) and bool(spot.value)), lambda spot: spot.value[0])


def array_nested(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A list in a list."""
    return put(choose(spots, random, lambda spot: isinstance(spot.value, list) and bool(spot.value)), lambda spot: [spot.value])


def object_for_primitive(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """An object where a primitive is wanted."""
    return put(choose(spots, random, plain), lambda spot: {"value": spot.value})


def primitive_for_object(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A string where an object is wanted."""
    return put(choose(spots, random, lambda spot: isinstance(spot.value, dict)), lambda spot: random.choice(["text", 17, True]))


def unknown_element(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """A name that R4 does not know, or that only another type has."""
    inside = [spot.value for spot in spots if isinstance(spot.value, dict) and spot.type != "Resource"]
    random.choice([resource, *inside])[random.choice(["favouriteColour", "Status", "_unheardOf", "resourcetype", "valueUnheardOf"])] = "blue"
    return True


def emptied(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """An empty string, object or list."""
    return put(choose(spots, random, lambda spot: isinstance(spot.value, str | dict | list)), lambda spot: type(spot.value)())


def null_value(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """JSON's null, which only a list of primitives with a companion may hold."""
    return put(choose(spots, random, lambda spot: True), lambda spot: None)


def choice_doubled(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """Two of the types of a choice at once."""
    extra = {"Boolean": True, "String": "x", "DateTime": "2026-01-01", "Period": {"start": "2026-01-01"}, "Integer": 1, "Code": "x"}
    spot = choose(spots, random, lambda spot: isinstance(spot.key, str) and spot.element["path"].endswith("[x]"))
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
    spot = choose(
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


def companion_broken(resource: Json, spots: Sequence[Spot], profile: Definition | None, random: Random) -> bool:
    """The companion (`_birthDate`) of a primitive is no element: a string, a list for one value, too long a list, an unknown name in it."""
    spot = choose(spots, random, lambda spot: isinstance(spot.key, str) and spot.type in PRIMITIVES and spot.key not in ("url", "reference"))
    if spot is None or not isinstance(spot.key, str):
        return False
    good = {"extension": [{"url": "http://example.org/a", "valueString": "b"}]}
    if isinstance(spot.value, list):
        spot.holder["_" + spot.key] = random.choice([good, [good, "text"], "text"])
    else:
        spot.holder["_" + spot.key] = random.choice(["text", [good], {"value": "x"}, {"extension": [{"url": "http://example.org/a"}]}])
    return True
