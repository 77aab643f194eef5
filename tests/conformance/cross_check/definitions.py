"""StructureDefinitions read plainly, by nobody's tables: what stands where in a resource, and which slices a profile asks for."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import orjson

Json = dict[str, Any]

STRINGS = ("string", "markdown", "code", "id", "uri", "url", "canonical", "oid", "uuid", "base64Binary", "date", "dateTime", "instant", "time")
PRIMITIVES = frozenset((*STRINGS, "boolean", "decimal", "integer", "positiveInt", "unsignedInt"))


class Spot(NamedTuple):
    """One value in a resource: `holder[key]`, what R4 says of it, its type, and where it is (`Patient.name[0].family`)."""

    holder: Any
    key: str | int
    element: Json
    type: str
    location: str

    @property
    def value(self) -> Any:
        return self.holder[self.key]


class Slice(NamedTuple):
    """A slice of a list: `path` of the list, and the (path below an item, value or part of it) by which an item belongs to it."""

    path: str
    name: str
    min: int
    max: str
    marks: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Definition:
    """A profile's snapshot."""

    url: str
    type: str
    elements: tuple[Json, ...]

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Paths of elements that must be there wherever their parent is, slices aside."""
        return tuple(one["path"] for one in self.elements if one.get("min", 0) and "." in one["path"] and ":" not in one["id"])

    @cached_property
    def marked(self) -> tuple[tuple[str, Any], ...]:
        """Paths, slices aside, with the fixed value or pattern that stands there."""
        return tuple((one["path"], value) for one in self.elements if ":" not in one["id"] and (value := _mark(one)) is not None)

    @cached_property
    def slices(self) -> tuple[Slice, ...]:
        """The slices of lists directly in the resource or in an extension."""
        found = []
        for one in self.elements:
            if "sliceName" not in one or one["id"].count(":") > 1 or one["path"].endswith("[x]"):
                continue
            inside = [each for each in self.elements if each["id"] == one["id"] or each["id"].startswith(one["id"] + ".")]
            marks = [(each["path"].removeprefix(one["path"]).lstrip("."), value) for each in inside if (value := _mark(each)) is not None]
            marks += [("url", url) for kind in one.get("type", ()) if kind["code"] == "Extension" for url in kind.get("profile", ())]
            found.append(Slice(one["path"], one["sliceName"], one.get("min", 0), one["max"], tuple(marks)))
        return tuple(found)


class Types:
    """R4's own types and resources, to walk a resource with."""

    def __init__(self, definitions: list[Json]) -> None:
        self._children: dict[str, dict[str, Json]] = {}
        for definition in definitions:
            for element in definition.get("snapshot", {}).get("element", ()):
                parent, _, name = element["path"].rpartition(".")
                self._children.setdefault(parent, {})[name] = element
        self.resources = frozenset(one["type"] for one in definitions if one["kind"] == "resource" and not one.get("abstract"))

    def walk(self, resource: Json) -> Iterator[Spot]:
        """Every value that R4 knows of, the outer before the inner."""
        yield from self._walk(resource, resource["resourceType"], resource["resourceType"])

    def _walk(self, holder: Json, path: str, location: str) -> Iterator[Spot]:
        known = self._children.get(path, {})
        for name in [each for each in holder if each != "resourceType"]:
            element, kind = self._find(known, name)
            if element is None:
                continue
            value = holder[name]
            yield Spot(holder, name, element, kind, f"{location}.{name}")
            items = [(value, name, at, f"{location}.{name}[{at}]") for at in range(len(value))] if isinstance(value, list) else []
            for among, _, at, place in items:
                yield Spot(among, at, element, kind, place)
            for item, place in [(among[at], place) for among, _, at, place in items] or [(value, f"{location}.{name}")]:
                if isinstance(item, dict):
                    below = element.get("contentReference", "#" + element["path"])[1:] if kind in ("BackboneElement", "Element") else kind
                    yield from self._walk(item, item.get("resourceType", "") if kind == "Resource" else below, place)

    def _find(self, known: Mapping[str, Json], name: str) -> tuple[Json | None, str]:
        if name in known:
            code = known[name].get("type", [{"code": "BackboneElement"}])[0]["code"]
            return known[name], "string" if code.startswith("http://hl7.org/fhirpath/") else code
        for label, element in known.items():
            if label.endswith("[x]") and name.startswith(label[:-3]):
                for kind in element["type"]:
                    if name == label[:-3] + kind["code"][0].upper() + kind["code"][1:]:
                        return element, kind["code"]
        return None, ""


def package(file: Path) -> tuple[list[Json], list[tuple[str, Json]]]:
    """The StructureDefinitions of an IG package, and its examples by file name."""
    definitions, examples = [], []
    with tarfile.open(file) as archive:
        for member in archive:
            folder, _, name = member.name.rpartition("/")
            if not name.endswith(".json") or name.startswith(".") or folder not in ("package", "package/example"):
                continue
            opened = archive.extractfile(member)
            assert opened is not None
            content = orjson.loads(opened.read())
            if folder == "package/example" and "resourceType" in content:
                examples.append((name.removesuffix(".json"), content))
            elif content.get("resourceType") == "StructureDefinition":
                definitions.append(content)
    return definitions, sorted(examples, key=lambda one: one[0])


def profiles(definitions: list[Json]) -> dict[str, Definition]:
    """The profiles of resources by their canonical URLs."""
    return {
        one["url"]: Definition(one["url"], one["type"], tuple(one["snapshot"]["element"]))
        for one in definitions
        if one["kind"] == "resource" and one.get("derivation") == "constraint"
    }


def _mark(element: Json) -> Any:
    return next((value for name, value in element.items() if name.startswith(("fixed", "pattern"))), None)


def holds(value: Any, mark: Any) -> bool:
    """Whether a value has at least what the mark has: how a pattern is met (ElementDefinition.pattern[x])."""
    if isinstance(mark, dict):
        return isinstance(value, dict) and all(name in value and holds(value[name], each) for name, each in mark.items())
    if isinstance(mark, list):
        return isinstance(value, list) and all(any(holds(one, each) for one in value) for each in mark)
    return bool(value == mark)


def below(value: Any, path: str) -> list[Any]:
    """The values at a path below a value, lists opened."""
    found = [value]
    for step in filter(None, path.split(".")):
        found = [
            each[name]
            for each in found
            if isinstance(each, dict)
            for name in each
            if name == step or (step.endswith("[x]") and name.startswith(step[:-3]))
        ]
        found = [one for each in found for one in (each if isinstance(each, list) else [each])]
    return found


def of_slice(item: Any, slice_: Slice) -> bool:
    """Whether an item of the list belongs to the slice; where nothing marks it, every item may."""
    return all(any(holds(value, mark) for value in below(item, path)) for path, mark in slice_.marks)
