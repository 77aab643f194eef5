"""The tables as objects that a resource can be walked with: base structures, and the constraints of profiles.

Both are made from facts when first asked for, because a run meets few of R4's types.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple

from conformance.profiles.facts import BASE

Json = dict[str, Any]

ANY = 1_000_000_000
"""What `*` is as a number."""


class Type(NamedTuple):
    """One type that an element may have, with the profiles and reference targets that it may conform to."""

    code: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


class Rule(NamedTuple):
    """An invariant: a FHIRPath expression that holds."""

    key: str
    severity: str
    expression: str


class Binding(NamedTuple):
    """The value set that an element's codes come from."""

    strength: str
    value_set: str


@dataclass(slots=True)
class Element:
    """What R4 says of one element. `path` is FHIRPath's base path, `json` the properties that may hold it, by type code for a choice."""

    name: str
    path: str
    min: int
    max: int
    repeats: bool
    modifier: bool
    types: tuple[Type, ...]
    binding: Binding | None
    rules: tuple[Rule, ...]
    content_of: Callable[[], Structure | None]
    json: dict[str, Type] = field(default_factory=dict)

    @property
    def content(self) -> Structure | None:
        """The elements inside of a backbone element; looked up late, because some contain themselves (`Parameters.parameter.part`)."""
        return self.content_of()

    @property
    def label(self) -> str:
        """The name as FHIRPath says it: without `[x]`."""
        return self.name.removesuffix("[x]")


@dataclass(slots=True)
class Property:
    """One JSON property: its element, its type, and how its value is walked. A `primitive` has no `content`."""

    label: str
    element: Element
    type: Type
    content: Structure | None
    primitive: str
    of_primitive: str = ""


class Structure:
    """A type or backbone element: its elements by name, and its JSON properties."""

    def __init__(self, model: Model, name: str, facts: Json, path: str, base: str) -> None:
        self._model = model
        self._facts = facts
        self.base = base
        self.name = name
        self.path = path
        self.is_resource = facts.get("kind") == "resource"
        self.rules: tuple[Rule, ...] = (*(model.structure(base).rules if base and not self.is_backbone else ()), *model.rules(facts))

    @property
    def is_backbone(self) -> bool:
        """A structure inside of a type: its invariants stand on its element."""
        return "." in self.path

    @cached_property
    def elements(self) -> dict[str, Element]:
        """Every element, the inherited first."""
        found = dict(self._model.structure(self.base).elements) if self.base else {}
        for name, facts in self._facts.get("elements", {}).items():
            found[name] = self._model.element(f"{self.path}.{name}", name, facts)
        return found

    @cached_property
    def properties(self) -> dict[str, Property]:
        """Every JSON property, `_birthDate` and its like among them."""
        found: dict[str, Property] = {}
        for element in self.elements.values():
            for name, kind in element.json.items():
                content = element.content or self._model.complex(kind.code)
                primitive = "" if content or kind.code not in self._model.primitives else kind.code
                found[name] = Property(element.label, element, kind, content, primitive)
                if primitive and kind.code != "xhtml":
                    found[f"_{name}"] = Property(element.label, element, kind, self._model.structure("Element"), "", name)
        return found

    @cached_property
    def choices(self) -> tuple[tuple[Element, tuple[str, ...]], ...]:
        """The elements of several types, of which only one may be there, with their properties."""
        return tuple((one, tuple(one.json)) for one in self.elements.values() if len(one.json) > 1)

    @cached_property
    def required(self) -> tuple[tuple[Element, tuple[str, ...]], ...]:
        """The elements that must be there, with the properties that may hold them."""
        return tuple((one, _with_siblings(one)) for one in self.elements.values() if one.min)


def _with_siblings(element: Element) -> tuple[str, ...]:
    return tuple(name for each in element.json for name in (each, f"_{each}"))


@dataclass(slots=True)
class Slicing:
    """How a list is told apart: discriminators (type, path), rules, and whether the order counts."""

    by: tuple[tuple[str, str], ...] = ()
    rules: str = "open"
    ordered: bool = False


@dataclass(slots=True)
class Constraint:
    """What a profile says of one element beyond its base. `element` is None for the root, `kind` the one type that is left."""

    element: Element | None
    kind: str
    min: int = 0
    max: int = ANY
    types: tuple[Type, ...] = ()
    binding: Binding | None = None
    fixed: Any = None
    pattern: Any = None
    rules: tuple[Rule, ...] = ()
    must_support: bool = False
    slicing: Slicing | None = None
    slices: dict[str, Constraint] = field(default_factory=dict)
    elements: dict[str, Constraint] = field(default_factory=dict)


@dataclass(slots=True)
class Profile:
    """A profile or an extension's definition. `context` names the elements that an extension may stand on; () is anywhere."""

    url: str
    type: str
    derived: str
    context: tuple[str, ...]
    modifier: bool
    root: Constraint


class Model:
    """The types of R4 and the profiles of one package (which may be R4's own extensions)."""

    def __init__(self, base: Json, *packages: Json) -> None:
        self._types: Json = base["types"]
        self._rows: list[list[str]] = base["rules"]
        self._profiles: dict[str, tuple[Json, list[list[str]]]] = {}
        for tables in (base, *packages):
            self._profiles |= {url: (facts, tables["rules"]) for url, facts in tables["profiles"].items()}
        self._structures: dict[str, Structure] = {}
        self._made: dict[str, Profile] = {}
        self.primitives = frozenset(name for name, facts in self._types.items() if facts["kind"] == "primitive-type")
        self.resources = frozenset(name for name, facts in self._types.items() if facts["kind"] == "resource" and not facts.get("abstract"))

    def structure(self, name: str) -> Structure:
        """A type of R4 by its name."""
        if name not in self._structures:
            facts = self._types[name]
            self._structures[name] = Structure(self, name, facts, name, facts.get("base", ""))
        return self._structures[name]

    def complex(self, name: str) -> Structure | None:
        """A data type that has elements of its own, or an abstract resource; None for a primitive."""
        return self.structure(name) if name in self._types and name not in self.primitives else None

    def line(self, kind: str) -> list[str]:
        """A type and its base types, the nearest first."""
        found = [kind]
        while above := self._types[found[-1]].get("base"):
            found.append(above)
        return found

    def rules(self, facts: Json, rows: list[list[str]] | None = None) -> tuple[Rule, ...]:
        """The invariants that facts name by number."""
        return tuple(Rule(*(rows or self._rows)[number]) for number in facts.get("rules", ()))

    def element(self, path: str, name: str, facts: Json) -> Element:
        """An element of a base type."""
        if same := facts.get("same"):
            types: tuple[Type, ...] = (Type("BackboneElement"),)
            content_of: Callable[[], Structure | None] = partial(self._inline, same)
        else:
            types = _types(facts)
            content = Structure(self, path, facts, path, types[0].code) if facts.get("elements") else None
            content_of = lambda: content  # noqa: E731 - what is known now
        found = Element(
            name=name,
            path=path,
            min=facts.get("min", 0),
            max=_maximum(facts.get("max", "1")),
            repeats=facts.get("max", "1") not in ("0", "1"),
            modifier=facts.get("modifier", False),
            types=types,
            binding=Binding(*facts["binding"]) if "binding" in facts else None,
            rules=self.rules(facts),
            content_of=content_of,
        )
        found.json = {found.label + (one.code[0].upper() + one.code[1:] if name.endswith("[x]") else ""): one for one in types}
        return found

    def _inline(self, path: str) -> Structure | None:
        kind, *steps = path.split(".")
        content: Structure | None = self.structure(kind)
        for step in steps:
            content = content.elements[step].content if content else None
        return content

    def knows(self, url: str) -> bool:
        """Whether a profile or extension of this URL is in the tables."""
        return url in self._profiles

    def profile(self, url: str) -> Profile:
        """A profile by its canonical URL."""
        if url not in self._made:
            facts, rows = self._profiles[url]
            root = self._constraint(facts, rows, None, facts["type"], self.complex(facts["type"]))
            self._made[url] = Profile(url, facts["type"], facts["derived"], tuple(facts.get("context", ())), facts.get("modifier", False), root)
        return self._made[url]

    def type_of(self, url: str) -> str:
        """The type that a canonical URL or a base type's name stands for; "" if nobody knows."""
        if url in self._types:
            return url
        if url in self._profiles:
            return str(self._profiles[url][0]["type"])
        name = url.removeprefix(BASE)
        return name if name in self._types else ""

    def _constraint(self, facts: Json, rows: list[list[str]], element: Element | None, kind: str, content: Structure | None) -> Constraint:
        types = _types(facts) if element else ()
        kinds = types or (element.types if element else ())
        if element and element.content is None:
            kind = kinds[0].code if len(kinds) == 1 else ""
            content = self.complex(kind)
        found = Constraint(
            element=element,
            kind=kind,
            min=facts.get("min", 0),
            max=_maximum(facts.get("max", "*")),
            types=types,
            binding=Binding(*facts["binding"]) if "binding" in facts else None,
            fixed=facts.get("fixed"),
            pattern=facts.get("pattern"),
            rules=self.rules(facts, rows),
            must_support=facts.get("mustSupport", False),
        )
        if slicing := facts.get("slicing"):
            found.slicing = Slicing(tuple((one[0], one[1]) for one in slicing["by"]), slicing["rules"], slicing.get("ordered", False))
        found.slices = {name: self._constraint(each, rows, element, kind, content) for name, each in facts.get("slices", {}).items()}
        for name, each in facts.get("elements", {}).items():
            if below := self._child(content, name):
                found.elements[name] = self._constraint(each, rows, below, "", below.content)
        return found

    def _child(self, content: Structure | None, name: str) -> Element | None:
        """The element that a profile speaks of; below an element of several types, or a primitive, only what every element has."""
        return (content or self.structure("Element")).elements.get(name)


def _types(facts: Json) -> tuple[Type, ...]:
    return tuple(Type(one[0], tuple(one[1]) if len(one) > 1 else (), tuple(one[2]) if len(one) > 2 else ()) for one in facts.get("types", ()))


def _maximum(text: str) -> int:
    return ANY if text == "*" else int(text)
