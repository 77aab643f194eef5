"""Which codes a value set has. Value sets are composed when first asked for; what cannot be enumerated here is unknown, not wrong.

Source: HL7 FHIR R4, 4.9.5 Value Set Content Logical Definition.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

Codes = dict[str, frozenset[str] | None]
"""The codes by system; None where a system has more than these tables know."""


class Terminology:
    """The code systems and value sets of R4 and one package."""

    def __init__(self, *packages: Json) -> None:
        self._systems: dict[str, Json] = {}
        self._sets: dict[str, Json] = {}
        for tables in packages:
            self._systems |= tables["systems"]
            self._sets |= tables["sets"]
        self._expanded: dict[str, Codes | None] = {}
        self._complete: dict[str, frozenset[str]] = {}

    def system(self, url: str) -> frozenset[str] | None:
        """All codes of a code system, or None if it is not in the tables."""
        if url not in self._systems:
            return None
        if url not in self._complete:
            self._complete[url] = frozenset(self._systems[url]["codes"])
        return self._complete[url]

    def codes(self, value_set: str) -> Codes | None:
        """The codes of a value set by system, or None if it is unknown, or of unknown extent."""
        if value_set not in self._expanded:
            self._expanded[value_set] = None  # a value set that includes itself has nothing of its own to say
            self._expanded[value_set] = self._expand(value_set)
        return self._expanded[value_set]

    def has(self, value_set: str, system: str | None, code: str) -> bool | None:
        """Whether a value set has a code; None if that cannot be known here. Without a system, the code may be of any."""
        codes = self.codes(value_set)
        if codes is None:
            return None
        if system is None:
            found = [one is None or code in one for one in codes.values()]
            return None if any(one is None for one in codes.values()) else any(found)
        known = codes.get(system, frozenset())
        return None if known is None else code in known

    def _expand(self, value_set: str) -> Codes | None:
        facts = self._sets.get(value_set)
        if facts is None:
            return {value_set: known} if (known := self.system(value_set)) is not None else None
        found: Codes = {}
        for one in facts["include"]:
            included = self._included(one)
            if included is None:
                return None
            for system, codes in included.items():
                already = found.get(system, frozenset())
                found[system] = None if codes is None or already is None else already | codes
        for one in facts.get("exclude", ()):
            for system, codes in (self._included(one) or {}).items():
                if (already := found.get(system)) is not None and codes is not None:
                    found[system] = already - codes
        return found

    def _included(self, one: Json) -> Codes | None:
        """One include or exclude: what its system's part and all of its value sets have in common."""
        parts: list[Codes | None] = [self.codes(each) for each in one.get("sets", ())]
        if system := one.get("system"):
            parts.append({system: self._part(system, one)})
        if not parts or any(part is None for part in parts):
            return None
        first, *others = [part for part in parts if part is not None]
        for other in others:
            first = {each: _common(first[each], other[each]) for each in first if each in other}
        return first

    def _part(self, system: str, one: Json) -> frozenset[str] | None:
        if "codes" in one:
            return frozenset(one["codes"])
        codes = self.system(system)
        for prop, operator, value in one.get("filters", ()):
            if codes is None or prop not in ("concept", "code") or operator not in ("is-a", "descendent-of", "is-not-a"):
                return None
            below = self._below(system, value)
            codes &= {"is-a": below | {value}, "descendent-of": below, "is-not-a": codes - below - {value}}[operator]
        return codes

    def _below(self, system: str, code: str) -> frozenset[str]:
        parents = self._systems[system].get("parents", {})
        found: set[str] = set()
        waiting = {code}
        while waiting:
            waiting = {child for child, above in parents.items() if waiting.intersection(above)} - found
            found |= waiting
        return frozenset(found)


def _common(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return None
    return one & other
