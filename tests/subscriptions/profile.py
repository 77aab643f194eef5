"""The guide's two notification profiles, by hand: what each slice holds, and how often (backport-subscription-status-r4, 1.1.0)."""

from __future__ import annotations

from typing import Any

from tests.produced import us_core

Json = dict[str, Any]

STATUS = {
    "subscription": (1, 1, "valueReference"),
    "topic": (0, 1, "valueCanonical"),
    "status": (1, 1, "valueCode"),
    "type": (1, 1, "valueCode"),
    "events-since-subscription-start": (0, 1, "valueString"),
    "notification-event": (0, None, "part"),
    "error": (0, None, "valueCodeableConcept"),
}
EVENT = {
    "event-number": (1, 1, "valueString"),
    "timestamp": (0, 1, "valueInstant"),
    "focus": (0, 1, "valueReference"),
    "additional-context": (0, None, "valueReference"),
}
STATUSES = {"requested", "active", "error", "off"}  # http://hl7.org/fhir/ValueSet/subscription-status
TYPES = {"handshake", "heartbeat", "event-notification", "query-status", "query-event"}  # http://hl7.org/fhir/ValueSet/subscription-notification-type


def status_problems(parameters: Json) -> list[str]:
    """What is wrong with a SubscriptionStatus as R4 has it."""
    if parameters.get("resourceType") != "Parameters":
        return ["it is no Parameters resource"]
    given = parameters["parameter"]
    found = _slices(given, STATUS)
    for one in given:
        if one["name"] == "notification-event":
            found += _slices(one["part"], EVENT)
        if one["name"] == "status" and one.get("valueCode") not in STATUSES:
            found.append("the status is not of its value set")
        if one["name"] == "type" and one.get("valueCode") not in TYPES:
            found.append("the type is not of its value set")
    return found


def _slices(given: list[Json], slices: dict[str, tuple[int, int | None, str]]) -> list[str]:
    found = []
    for name, (least, most, value) in slices.items():
        named = [one for one in given if one["name"] == name]
        if len(named) < least or (most is not None and len(named) > most):
            found.append(f"{name} is there {len(named)} times")
        found += [f"{name} has no {value} alone" for one in named if set(one) != {"name", value}]
    return found


def base_problems(resource: Json) -> list[str]:
    """What R4 itself has against a resource, and US Core against what is in it."""
    return [f"{one.location}: {one.text}" for one in us_core("6.1.0").check(resource, meant=True) if one.severity == "error"]


def history_problems(bundle: Json, subscription: str) -> list[str]:
    """What is wrong with a notification: a history Bundle whose first entry is the status, and each entry of which says request and response."""
    found = [] if bundle.get("resourceType") == "Bundle" and bundle.get("type") == "history" else ["it is no Bundle of type history"]
    entries = bundle.get("entry") or [{}]
    found += [f"entry {number} has no {name}" for number, each in enumerate(entries) for name in ("request", "response") if not each.get(name)]
    if not entries[0].get("request", {}).get("url", "").endswith(f"Subscription/{subscription}/$status"):
        found.append("the status's request is not that of $status")
    return [*found, *status_problems(entries[0].get("resource", {})), *base_problems(bundle)]
