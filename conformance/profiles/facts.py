"""StructureDefinitions, value sets and code systems as facts: what may be checked of a resource, without a word of prose.

A node is a dict with only the keys that say something: `min`, `max`, `types` ([[code, profiles, targets], …]), `binding` ([strength, value set]),
`fixed`, `pattern`, `rules` (numbers in the package's list of invariants), `slicing`, `slices`, `elements`, `mustSupport`, `same` (content reference).
Of a base type a node holds all facts; of a profile only those in which it differs from its base type, so that both stay small and nothing is
checked twice.

Source: HL7 FHIR R4, 5.1 StructureDefinition, 2.24 ElementDefinition, 4.8 CodeSystem, 4.9 ValueSet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Json = dict[str, Any]

BASE = "http://hl7.org/fhir/StructureDefinition/"
_FHIR_TYPE = f"{BASE}structuredefinition-fhir-type"
_WALKED = ("ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5", "ref-1")
"""R4 states these of every element, every resource or every reference; the walk itself checks them."""


class Rules:
    """The invariants of one package, each once: [key, severity, expression]."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self._numbers: dict[tuple[str, ...], int] = {}

    def numbers(self, definition: Json, without: frozenset[str] = frozenset()) -> list[int]:
        """The numbers of an element's invariants, but for the keys that are checked elsewhere."""
        found = []
        for one in definition.get("constraint", ()):
            if one["key"] in _WALKED or one["key"] in without or not one.get("expression"):
                continue
            row = (one["key"], one["severity"], one["expression"])
            if row not in self._numbers:
                self._numbers[row] = len(self.rows)
                self.rows.append(list(row))
            found.append(self._numbers[row])
        return found


def structure(definition: Json, rules: Rules, inherited: frozenset[str] = frozenset()) -> Json:
    """A base type whole: its elements as a tree, without those that its own base type has."""
    root, *elements = definition["snapshot"]["element"]
    found: Json = {"kind": definition["kind"], "elements": {}}
    if base := definition.get("baseDefinition"):
        found["base"] = base.removeprefix(BASE)
    if definition.get("abstract"):
        found["abstract"] = True
    if numbers := rules.numbers(root, inherited):
        found["rules"] = numbers
    for element in elements:
        steps = element["path"].split(".")[1:]
        if _owner(element) != ".".join(element["path"].split(".")[:-1]):
            continue
        at = found
        for step in steps[:-1]:
            at = at["elements"][step]
        at.setdefault("elements", {})[steps[-1]] = _facts(element, rules)
    return found


def _owner(element: Json) -> str:
    """The path of the structure that introduced an element."""
    return str(element.get("base", {}).get("path", element["path"])).rpartition(".")[0]


def _facts(element: Json, rules: Rules) -> Json:
    found: Json = {}
    if element.get("min"):
        found["min"] = element["min"]
    if element.get("max", "1") != "1":
        found["max"] = element["max"]
    if types := [*_types(element)]:
        found["types"] = types
    if binding := _binding(element):
        found["binding"] = binding
    if numbers := rules.numbers(element):
        found["rules"] = numbers
    if element.get("isModifier"):
        found["modifier"] = True
    if same := element.get("contentReference"):
        found["same"] = same.partition("#")[2]
    found |= _values(element)
    return found


def _types(element: Json) -> Iterator[list[Any]]:
    for one in element.get("type", ()):
        code = one["code"]
        if code.startswith("http://hl7.org/fhirpath/"):
            code = next((each.get("valueUrl") for each in one.get("extension", ()) if each["url"] == _FHIR_TYPE), "string")
        if element.get("base", {}).get("path") == "Resource.id":
            code = "id"
        row: list[Any] = [code, [each.partition("|")[0] for each in one.get("profile", ())], [*map(short, one.get("targetProfile", ()))]]
        while not row[-1]:
            row.pop()
        yield row


def short(canonical: str) -> str:
    """A canonical URL without its version; of a type of R4 itself only the name."""
    url = canonical.partition("|")[0]
    name = url.removeprefix(BASE)
    return name if name[:1].isupper() else url


def _binding(element: Json) -> list[str] | None:
    """Strength and value set; what is only preferred or an example binds nobody."""
    binding = element.get("binding", {})
    if binding.get("strength") not in ("required", "extensible") or not binding.get("valueSet"):
        return None
    return [binding["strength"], binding["valueSet"].partition("|")[0]]


def _values(element: Json) -> Json:
    found = {}
    for key, value in element.items():
        if key.startswith("fixed"):
            found["fixed"] = value
        elif key.startswith("pattern"):
            found["pattern"] = value
    return found


def profile(definition: Json, rules: Rules, base: Base) -> Json:
    """A profile as its differences from its base type."""
    root, *elements = definition["snapshot"]["element"]
    kind = definition["type"]
    found: Json = {"type": kind, "derived": short(definition.get("baseDefinition", ""))}
    contexts = definition.get("context", ())
    if contexts and all(one["type"] == "element" for one in contexts):
        found["context"] = [one["expression"] for one in contexts]
    if kind == "Extension" and root.get("isModifier"):
        found["modifier"] = True
    if numbers := rules.numbers(root, base.keys(kind)):
        found["rules"] = numbers
    for element in elements:
        _place(found, element, _difference(element, rules, base))
    _prune(found)
    return found


class Base:
    """What the base types say, as far as differences need it."""

    def __init__(self, structures: Json, rows: list[list[str]]) -> None:
        self._structures = structures
        self._rows = rows

    def keys(self, kind: str) -> frozenset[str]:
        """The keys of the invariants that a type has by itself and by its base types."""
        found: set[str] = set()
        while kind in self._structures:
            found |= {self._rows[number][0] for number in self._structures[kind].get("rules", ())}
            kind = self._structures[kind].get("base", "")
        return frozenset(found)

    def element(self, path: str) -> Json:
        """The facts of an element as its base path names it (`Observation.component.code`, `Quantity.code`); {} if unknown."""
        kind, *steps = path.split(".")
        while kind in self._structures:
            at = self._structures[kind]
            for step in steps:
                at = at.get("elements", {}).get(step)
                if at is None:
                    break
            else:
                return dict(at)
            kind = self._structures[kind].get("base", "")
        return {}

    def rule_keys(self, node: Json) -> frozenset[str]:
        """The keys of the invariants that stand on an element."""
        return frozenset(self._rows[number][0] for number in node.get("rules", ()))


def _difference(element: Json, rules: Rules, base: Base) -> Json:
    was = base.element(element.get("base", {}).get("path", element["path"]))
    is_slice = "sliceName" in element
    now = _facts({key: value for key, value in element.items() if key != "constraint"}, rules)
    found: Json = {key: now[key] for key in ("binding", "fixed", "pattern") if key in now and now[key] != was.get(key)}
    if element.get("min", 0) > (0 if is_slice else was.get("min", 0)):
        found["min"] = element["min"]
    if element.get("max", "*") != was.get("max", "1"):
        found["max"] = element["max"]
    if "types" in now and "types" in was and now["types"] != was["types"]:
        found["types"] = now["types"]
    kinds = [one[0] for one in now.get("types", ())]
    known = base.rule_keys(was) | (base.keys(kinds[0]) if len(kinds) == 1 else frozenset())
    if numbers := rules.numbers(element, known):
        found["rules"] = numbers
    if element.get("mustSupport"):
        found["mustSupport"] = True
    if slicing := element.get("slicing"):
        found["slicing"] = {
            "by": [[one["type"], one["path"]] for one in slicing.get("discriminator", ())],
            "rules": slicing.get("rules", "open"),
            **({"ordered": True} if slicing.get("ordered") else {}),
        }
    return found


def _place(root: Json, element: Json, facts: Json) -> None:
    """Put an element's facts where its id says; a slice of a slice stands among the slices of that slice."""
    at = root
    for step in element["id"].split(".")[1:]:
        name, _, slices = step.partition(":")
        at = at.setdefault("elements", {}).setdefault(name, {})
        for part in _slice_steps(slices):
            at = at.setdefault("slices", {}).setdefault(part, {})
    at |= facts


def _slice_steps(name: str) -> list[str]:
    parts = name.split("/") if name else []
    return ["/".join(parts[: number + 1]) for number in range(len(parts))]


def _prune(node: Json) -> None:
    """Leave out elements that say nothing, and slicing that slices nothing."""
    for group in ("elements", "slices"):
        for child in node.get(group, {}).values():
            _prune(child)
        if group == "elements":
            kept = {name: child for name, child in node.get(group, {}).items() if child}
            node.pop(group, None)
            if kept:
                node[group] = kept
    if "slices" not in node and node.get("slicing", {}).get("rules", "open") == "open":
        node.pop("slicing", None)


def code_system(resource: Json) -> Json | None:
    """All codes of a complete code system, and each one's parents; None where the codes are not all there."""
    if resource.get("content") != "complete" or not resource.get("concept"):
        return None
    codes: list[str] = []
    parents: dict[str, list[str]] = {}
    for code, above in _concepts(resource["concept"], ()):
        codes.append(code)
        if above:
            parents[code] = sorted({*parents.get(code, ()), *above})
    return {"codes": [*dict.fromkeys(codes)], "parents": parents} if parents else {"codes": [*dict.fromkeys(codes)]}


def _concepts(concepts: Iterable[Json], above: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for one in concepts:
        stated = tuple(each["valueCode"] for each in one.get("property", ()) if each.get("code") in ("subsumedBy", "parent") and "valueCode" in each)
        yield one["code"], (*above, *stated)
        yield from _concepts(one.get("concept", ()), (one["code"],))


def value_set(resource: Json) -> Json | None:
    """What a value set includes and excludes, by system, code, filter and other value sets."""
    compose = resource.get("compose", {})
    found = {part: [_include(one) for one in compose.get(part, ())] for part in ("include", "exclude")}
    found = {part: rows for part, rows in found.items() if rows}
    return found if "include" in found else None


def _include(one: Json) -> Json:
    row: Json = {key: one[key] for key in ("system",) if key in one}
    if concepts := one.get("concept"):
        row["codes"] = [each["code"] for each in concepts]
    if filters := one.get("filter"):
        row["filters"] = [[each["property"], each["op"], each["value"]] for each in filters]
    if sets := one.get("valueSet"):
        row["sets"] = [each.partition("|")[0] for each in sets]
    return row
