"""R4's rules that a resource of the right shape may still break: those of every resource, and those of the types that are written here. Pure.

Held to what clients write. Not to what hospitals send: a message with an empty list is understood, and tells of somebody who is leaving.
The rules' names are R4's (http://hl7.org/fhir/R4/ and, for a type's own, its definition).
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from gateway.fhir import elements, times
from gateway.fhir.outcome import Issue

Json = dict[str, Any]

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_COUNTS = {"Appointment": ("minutesDuration", "priority")}
"""Elements that are whole numbers: JSON writes them without quotes, and true is none."""
_UNSCHEDULED = ("proposed", "cancelled", "waitlist")
"""app-3: the statuses of an Appointment that may have no time."""


def broken(resource: Json) -> list[Issue]:
    """The rules that a resource breaks. But for members that are null, it has R4's shape (`validation`)."""
    kind = resource["resourceType"]
    found = [issue for place, name, value in _nodes(kind, resource) for issue in _of_any(place, name, value)]
    if found:
        return found
    found += _contained(resource)
    found += _targets(resource)
    found += _counts(resource)
    if "id" in resource and not _ID.fullmatch(str(resource["id"])):
        found.append(Issue("value", "The value is not of the form that R4 gives for this type.", f"{kind}.id"))
    if "implicitRules" in resource:
        found.append(Issue("not-supported", "Rules that are not known here make a resource unsafe to read.", f"{kind}.implicitRules"))
    return found + list(_OF_TYPE.get(kind, _no_rules)(resource))


def _nodes(place: str, resource: Json) -> Iterator[tuple[str, str, Any]]:
    """(place, element's name, value) of every object and list within."""
    stack: list[tuple[str, str, Any]] = [(place, "", resource)]
    while stack:
        where, name, value = stack.pop()
        yield where, name, value
        if isinstance(value, dict):
            stack += [(f"{where}.{key}", key, child) for key, child in value.items() if isinstance(child, (dict, list))]
        elif isinstance(value, list):
            stack += [(f"{where}[{number}]", name, child) for number, child in enumerate(value) if isinstance(child, (dict, list))]


def _of_any(place: str, name: str, value: Any) -> Iterator[Issue]:
    if not value:
        yield Issue("structure", "Nothing is ever empty in FHIR: leave the element out.", place)  # ele-1
    elif isinstance(value, list):
        return
    elif nothing := next((key for key, child in value.items() if child is None), ""):
        yield Issue("structure", "Nothing is ever null in FHIR: leave the element out.", f"{place}.{nothing}")
    elif name == "modifierExtension":
        yield Issue("extension", "A modifier extension that is not known makes a resource unsafe to read.", place)
    elif name == "extension" and ("extension" in value) == any(key.startswith("value") for key in value):
        yield Issue("invariant", "An extension has either a value or extensions (ext-1).", place)
    elif isinstance(value.get("start"), str) and isinstance(value.get("end"), str) and name != "" and _ends_first(value):
        yield Issue("invariant", "A period does not end before it starts (per-1).", place)


def _ends_first(period: Json) -> bool:
    start, end = times.stretch(period["start"]), times.stretch(period["end"])
    return start is not None and end is not None and end[1] <= start[0]


def _contained(resource: Json) -> Iterator[Issue]:
    """dom-3: what is contained is referred to from elsewhere in the resource, or refers to what contains it."""
    inside = [one for one in resource.get("contained", []) if isinstance(one, dict)]
    if not inside:
        return
    own = [Counter(reference["reference"] for _, reference in elements.references(one)) for one in inside]
    named = Counter(reference["reference"] for _, reference in elements.references(resource))
    for number, (one, said) in enumerate(zip(inside, own, strict=True)):
        name = f"#{one.get('id')}"
        if named[name] == said[name] and "#" not in said:
            yield Issue("invariant", "Nothing refers to this contained resource (dom-3).", f"{resource['resourceType']}.contained[{number}]")


@cache
def _reference_targets() -> Mapping[str, list[tuple[str, frozenset[str]]]]:
    table: dict[str, list[tuple[str, frozenset[str]]]] = {}
    with files("gateway.fhir").joinpath("reference_targets.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            table.setdefault(row["type"], []).append((row["path"], frozenset(row["targets"].split())))
    return table


def _targets(resource: Json) -> Iterator[Issue]:
    """A reference leads to one of the types that its element is for."""
    for path, allowed in _reference_targets().get(resource["resourceType"], ()):
        for place, value in elements.located(resource, path):
            target = elements.relative(str(value.get("reference", ""))).partition("/")[0] if isinstance(value, dict) else ""
            if target and target not in allowed:
                yield Issue("value", "This element does not refer to resources of that type.", f"{place}.reference")


def _counts(resource: Json) -> Iterator[Issue]:
    for name in _COUNTS.get(resource["resourceType"], ()):
        if name in resource and type(resource[name]) is not int:
            yield Issue("value", "A whole number is wanted here.", f"{resource['resourceType']}.{name}")


# --- rules of single types --------------------------------------------------------------------------------------------


def _no_rules(_: Json) -> Iterator[Issue]:
    yield from ()


def _appointment(resource: Json) -> Iterator[Issue]:
    """app-1 to app-4. A missing end is taken from the duration, or the policy (DOMAIN, "SIU status")."""
    for number, one in enumerate(resource.get("participant", [])):
        if "type" not in one and "actor" not in one:
            yield Issue("invariant", "A participant has a type or an actor (app-1).", f"Appointment.participant[{number}]")
    if "start" not in resource and ("end" in resource or resource.get("status") not in _UNSCHEDULED):
        yield Issue("invariant", "An appointment that is not only proposed or cancelled has a start (app-2, app-3).", "Appointment.start")
    if "cancelationReason" in resource and resource.get("status") not in ("cancelled", "noshow"):
        yield Issue("invariant", "A reason for cancelling is one's that was cancelled or not kept (app-4).", "Appointment.cancelationReason")


def _consent(resource: Json) -> Iterator[Issue]:
    """ppc-1."""
    if "policy" not in resource and "policyRule" not in resource:
        yield Issue("invariant", "A consent names its policy, by policy or policyRule (ppc-1).", "Consent")


_OF_TYPE: Mapping[str, Callable[[Json], Iterator[Issue]]] = {"Appointment": _appointment, "Consent": _consent}
