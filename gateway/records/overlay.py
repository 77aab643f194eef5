"""Laying statements over each other: what a resource says once every sender has been heard, in recorded order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.fhir.confidential_address import together
from gateway.records.attendance import attended, changed, replaced, vacated
from gateway.records.order import Said
from gateway.records.statements import Fragment, Json
from gateway.records.times import iso

CHOICES = ("deceased", "onset", "abatement", "occurrence", "value", "effective", "performed", "multipleBirth", "start")
"""FHIR choice elements of the types that are folded: saying one form takes the place of another."""


def _role(participant: Json) -> str:
    """The role of an Appointment's participant. An Encounter's are more than that: see `attendance`."""
    return next((str(coding.get("code")) for concept in participant.get("type", []) for coding in concept.get("coding", [])), "")


def _number(identifier: Json) -> str:
    """What kind of number it is: visit and account number of a stay, filler's and placer's of an appointment stand in fields of their own."""
    kinds = (str(coding.get("code")) for coding in (identifier.get("type") or {}).get("coding", []))
    return next(kinds, "") or str(identifier.get("system", ""))


MERGED: dict[str, Callable[[Json], str]] = {
    "identifier": _number,
    "hospitalization": str,
    "extension": lambda each: str(each.get("url")),
    "participant": _role,
}
"""Elements that several fields fill, and what tells their entries apart: a message says some of them, and nothing of the others."""


def _choice(element: str) -> str:
    for stem in CHOICES:
        if element.startswith(stem) and element[len(stem) : len(stem) + 1].isupper():
            return stem
    return ""


def overlay(said: list[Said]) -> Json:
    """The subject's own resource: each top-level element as last stated (absent says nothing, a delete removes).

    A statement that is `whole` (FHIR) takes the place of everything that its sender said before.
    """
    values: Json = {}
    owner: dict[str, str] = {}
    for each in said:
        statement, sender = each.statement, each.heading.sender
        if statement.whole and statement.own is not None:
            for element in [name for name, who in owner.items() if who == sender and name not in statement.own]:
                values.pop(element, None)
                owner.pop(element)
        for element in statement.deletes:
            values.pop(element, None)
            owner.pop(element, None)
        if "participant" in values and (emptied := statement.facts.get("vacated")):
            values["participant"] = vacated(values["participant"], emptied, at(each))
        for element, value in (statement.own or {}).items():
            stem = _choice(element)
            if stem:
                for other in [name for name in values if name != element and _choice(name) == stem]:
                    values.pop(other)
                    owner.pop(other, None)
            if element == "participant" and statement.kind == "stay" and not statement.whole:
                values[element] = attended(values.get(element, []), value, at(each))
            else:
                values[element] = value if statement.whole else _merged(element, values.get(element), value)
            owner[element] = sender
    if "address" in values:
        values["address"] = together(_addresses(said), values["address"])
    return values


def _addresses(said: list[Said]) -> list[list[Json]]:
    """Each sender's latest addresses."""
    latest: dict[str, list[Json]] = {}
    for each in said:
        if "address" in each.statement.deletes:
            latest.pop(each.heading.sender, None)
        if each.statement.own and "address" in each.statement.own:
            latest[each.heading.sender] = each.statement.own["address"]
    return list(latest.values())


def _merged(element: str, before: Any, now: Any) -> Any:
    """An element that HL7 v2 fills from several fields: what this message leaves unsaid stands."""
    if before is None or element not in MERGED:
        return now
    if isinstance(now, dict):
        return {**before, **now}
    stated = {MERGED[element](each) for each in now}
    return [*now, *(each for each in before if MERGED[element](each) not in stated)]


def at(said: Said) -> str:
    """When it was recorded, in the zone of the facility."""
    return iso(said.recorded, str(said.statement.facts.get("zone") or "UTC"))


def parts(said: list[Said]) -> list[tuple[str, Fragment]]:
    """(segment, fragment) of all groups that stand.

    A group replaces what the same sender said in that segment before, unless its action codes rule: then each fragment adds, updates
    or deletes by its identifier. Members of a team who leave stay in it, with the end of their time (`attendance`).
    """
    groups: dict[tuple[str, str], dict[str, Fragment]] = {}
    for each in said:
        for segment, group in each.statement.parts.items():
            slot = (each.heading.sender, segment)
            if any(fragment.action for fragment in group):
                standing = groups.setdefault(slot, {})
            else:
                standing = groups[slot] = replaced(groups.get(slot, {}), group, at(each))
            for fragment in group:
                name = f"{fragment.resource.get('resourceType', '')}|{fragment.local}"
                if fragment.resource.get("resourceType") == "CareTeam":
                    changed(standing, name, fragment, at(each))
                elif fragment.action == "D":
                    standing.pop(name, None)
                else:
                    standing[name] = fragment
    seen: dict[str, tuple[str, Fragment]] = {}
    for (_, segment), standing in groups.items():
        for name, fragment in standing.items():
            seen[name] = (segment, fragment)
    return list(seen.values())
