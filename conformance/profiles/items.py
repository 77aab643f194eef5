"""The values of an element in a resource, as a profile looks at them.

Source: HL7 FHIR R4, 2.6.2 JSON Representation; 2.24 ElementDefinition.pattern[x].
"""

from __future__ import annotations

from typing import Any, NamedTuple

from conformance.profiles.model import Element, Type

Json = dict[str, Any]


class Item(NamedTuple):
    """One value of an element: where it stands, its type, the value (None if it has only extensions), and its `_sibling`."""

    location: str
    kind: Type
    value: Any
    sibling: Any = None

    @property
    def object(self) -> Json:
        """Where the item's own elements are: the value, or of a primitive its sibling."""
        inside = self.value if isinstance(self.value, dict) else self.sibling
        return inside if isinstance(inside, dict) else {}


def resource_type(value: Any) -> str:
    """The resourceType of a value; "" if it has none."""
    kind = value.get("resourceType") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else ""


def items(location: str, element: Element, value: Json) -> list[Item]:
    """The values of an element in an object."""
    found = []
    where = f"{location}.{element.label}"
    for name, kind in element.json.items():
        one, sibling = value.get(name), value.get(f"_{name}")
        if one is None and sibling is None:
            continue
        if isinstance(one, list) or isinstance(sibling, list):
            ones, siblings = (one if isinstance(one, list) else []), (sibling if isinstance(sibling, list) else [])
            for number in range(max(len(ones), len(siblings))):
                pair = (ones[number] if number < len(ones) else None, siblings[number] if number < len(siblings) else None)
                if pair != (None, None):
                    found.append(Item(f"{where}[{number}]", kind, *pair))
        else:
            found.append(Item(where, kind, one, sibling))
    return found


def fits(value: Any, pattern: Any) -> bool:
    """Whether a value contains a pattern: what the pattern states, and each item of its lists somewhere in the value's list."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(name in value and fits(value[name], wanted) for name, wanted in pattern.items())
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(fits(each, wanted) for each in value) for wanted in pattern)
    return bool(value == pattern) and isinstance(value, bool) == isinstance(pattern, bool)
