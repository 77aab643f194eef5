"""Taking out of a resource whatever would reveal what is withheld, so that what is left is valid and does not look cut.

A value goes as a whole: the smallest list item or element around a code, word, name or reference that reveals. Nothing is put in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.fhir.required import complete
from gateway.privacy import labels, sensitivity
from gateway.records.remembered import Remembered
from gateway.records.statements import Json

ALWAYS_KEPT = {
    "Patient": frozenset({"resourceType", "id", "meta", "active", "name", "gender", "birthDate", "deceasedBoolean", "deceasedDateTime"}),
    "Encounter": frozenset({"resourceType", "id", "meta", "status", "class", "subject", "period"}),
}
"""Elements without which the resource would not be one; none of them holds a message's free text."""

OURS = frozenset({"reference", "id", "resourceType"})

FREE_TEXT = frozenset({"text", "note", "comment", "conclusion", "contained", "patientInstruction", "valueString", "presentedForm", "content"})
"""Elements that hold words nobody has parsed."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """What does not exist for a recipient."""

    references: frozenset[str] = frozenset()  # "Practitioner/…" of protected stays and of what was removed
    names: frozenset[str] = frozenset()  # of protected units, facilities and places, casefolded
    substance_use: bool = True
    pattern: re.Pattern[str] | None = field(default=None, compare=False)
    full_names: re.Pattern[str] | None = field(default=None, compare=False)  # of two words or more: a street may be called Cedar, or North

    @classmethod
    def of(cls, references: Iterable[str], names: Iterable[str], substance_use: bool = True) -> Withheld:
        kept = frozenset(name.casefold().strip() for name in names if name.strip())
        return cls(frozenset(references), kept, substance_use, _pattern(kept), _pattern(name for name in kept if " " in name))

    def attesting(self, attested: bool) -> Withheld:
        """The same for content whose source attests that its substance-use content is not Part 2."""
        return replace(self, substance_use=self.substance_use and not attested)

    def without(self, references: Iterable[str]) -> Withheld:
        """The same with these references gone too."""
        return replace(self, references=self.references | frozenset(references))

    def reveals(self, value: Any) -> bool:
        """Whether a value holds anything that is withheld."""
        if self.substance_use and sensitivity.about_substance_use(value):
            return True
        return self.names_a_place(value) or self.refers(value)

    def names_a_place(self, value: Any) -> bool:
        """Whether any string in it, identifiers and systems included, names a protected place. Names of two letters count only alone.

        People's names and addresses are read for names of several words alone: they were there before the place was withheld, and an address that
        goes because its street is called like a ward would tell of the ward.
        """
        if not self.names:
            return False
        words, of_people = _Words(), _Words()
        _strings(value, words, of_people)
        if self.full_names and any(self.full_names.search(text.casefold()) for text in of_people):
            return True
        return any(text.casefold().strip() in self.names or (self.pattern and self.pattern.search(text.casefold())) for text in words)

    def refers(self, value: Any) -> bool:
        """Whether it refers to anything that is withheld."""
        return bool(self.references) and not self.references.isdisjoint(references(value))


def strings(value: Any) -> list[str]:
    """Every string in a value, references, ids and labels excepted: those are ours and mean nothing."""
    found = _Words()
    _strings(value, found, found)
    return found


class _Words(list[str]):
    """Strings that were found."""


def _strings(value: Any, found: _Words, of_people: _Words) -> None:
    """Collects the strings of a value; those of people's names and addresses into `of_people`."""
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, dict):
        mine = of_people if _is_of_people(value) else found
        for key, inner in value.items():
            if isinstance(inner, str):
                if key == "data":
                    mine.append(sensitivity.attached(value))
                elif key not in OURS:
                    mine.append(inner)
            elif key != "meta":
                _strings(inner, mine, of_people)
    elif isinstance(value, list | tuple):
        for inner in value:
            _strings(inner, found, of_people)


def _is_of_people(value: Json) -> bool:
    """Whether it is a HumanName, an Address, or a reference to a person."""
    if not value.keys().isdisjoint(("family", "given", "line", "postalCode")):
        return True
    return str(value.get("reference", "")).startswith(("Practitioner/", "RelatedPerson/", "Patient/"))


def _pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    """Finds any of the names as whole words in casefolded text; those of one or two letters are too short to look for."""
    words = sorted((re.escape(name) for name in names if len(name) > 2), key=len, reverse=True)
    return re.compile(rf"(?<![a-z0-9])(?:{'|'.join(words)})(?![a-z0-9])") if words else None


def references(value: Any) -> frozenset[str]:
    """Every literal reference in a value."""
    return _of_value(value)


@Remembered
def _of_value(value: Any) -> frozenset[str]:
    found: set[str] = set()
    _references(value, found)
    return frozenset(found)


def _references(value: Any, found: set[str]) -> None:
    if type(value) is dict:
        reference = value.get("reference")
        if type(reference) is str:
            found.add(reference)
        for inner in value.values():
            if type(inner) is dict or type(inner) is list:
                _references(inner, found)
    elif type(value) is list or type(value) is tuple:
        for inner in value:
            _references(inner, found)


def pruned(resource: Json, withheld: Withheld) -> Json:
    """The resource without any element that reveals. List items go whole; an element of one value goes whole unless only a part of it reveals.

    What has to be there is then unknown, as it is where nobody said it.
    """
    kept = ALWAYS_KEPT.get(resource["resourceType"], frozenset({"resourceType", "id", "meta"}))
    result: Json = {}
    for key, value in resource.items():
        left = value if key in kept else without(value, withheld)
        if left not in (None, [], {}):
            result[key] = left
    return complete(result)


def without(value: Any, withheld: Withheld) -> Any:
    """A value less what reveals; None when nothing is left."""
    if not withheld.reveals(value):
        return value
    if isinstance(value, list):
        return [item for item in value if not withheld.reveals(item)] or None
    if isinstance(value, dict) and not {"coding", "code", "reference", "text", "value"} & value.keys():
        left = {key: without(inner, withheld) for key, inner in value.items()}
        return {key: inner for key, inner in left.items() if inner is not None} or None
    return None


def unreferenced(resource: Json, withheld: Withheld) -> Json:
    """The resource without references to what is withheld, and without the list items that hold them."""
    return pruned(resource, Withheld(references=withheld.references, substance_use=False)) if withheld.refers(resource) else resource


def without_free_text(resource: Json) -> Json:
    """The resource without the words that nobody has parsed."""
    return {key: value for key, value in resource.items() if key not in FREE_TEXT}


def without_narrative(resource: Json) -> Json:
    """The resource without its narrative and contained resources: a narrative is regenerated, never passed on."""
    return {key: value for key, value in resource.items() if key not in ("text", "contained")}


def relabelled(resource: Json, attested: bool, confidentiality: str | None, mental_health: bool) -> Json:
    """The labels of what is left: those that tell of what went are gone, and so is the confidentiality that they asked for."""
    gone = sensitivity.PART_2 if not attested else frozenset({"42CFRPart2"})
    meta = dict(resource.get("meta", {}))
    meta["security"] = [
        coding for coding in meta.get("security", []) if coding.get("code") not in gone and coding.get("system") != labels.CONFIDENTIALITY
    ]
    cleaned = {**resource, "meta": {key: value for key, value in meta.items() if value}}
    return labels.label(cleaned, sud_attested=attested, confidentiality=confidentiality, mental_health=mental_health)
