"""What to look for in messages to find why a transition ended, or whose turn it came to be. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.mappings.hl7v2.events import EVENTS
from gateway.web.care.looks import LEFT_AS, Look
from transitions.dispositions import by_code

_CANCELLING = frozenset(
    event.name
    for event in EVENTS.values()
    if event.stay in ("cancel-discharge", "cancel-admit", "cancel-pre-admit", "cancel-pending-discharge", "delete") or event.person == "delete"
)
_ADMITTING = frozenset(event.name for event in EVENTS.values() if event.stay in ("admit", "to-inpatient", "register")) | {"notification-admit"}
_TAKEN_BACK = frozenset({"in-progress", "planned", "cancelled", "entered-in-error"})
_GIVEN_UP = Look(("Task.status",), frozenset({"failed"}))
_ENDED: Mapping[str, tuple[Look, ...]] = {
    "declined": (Look(("Task.status",), frozenset({"rejected"})), Look(("Task.statusReason",))),
    "given up": (_GIVEN_UP, Look(("Task.statusReason",))),
    "unanswered": (Look(events=frozenset({"decision unanswered"})),),
    "passed-over": (Look(events=frozenset({"decision passed-over"})),),
    "routed": (Look(events=frozenset({"decision route"})),),
}
"""How a turn ended -> what says so."""


def looks_of_ending(transition: Mapping[str, Any]) -> tuple[Look, ...]:
    """Why the three records are over, by the status of the transition and what it was closed as."""
    decided = Look(events=frozenset({"decision close"}))
    if transition["status"] == "void":
        return (Look(events=_CANCELLING), Look(("Encounter.status",), _TAKEN_BACK))
    match transition.get("closed_as"):
        case "died" if not _disposed_of_as(transition, "died"):
            return (Look(("Patient.deceased",)), decided)
        case "readmitted" | "transferred":
            return (Look(events=_ADMITTING, elsewhere=True), decided)
        case "died" | "hospice":
            return (*LEFT_AS, decided)
        case "follow-up-kept":
            return (Look(("Appointment.status",), frozenset({"fulfilled", "complete", "completed"})), decided)
        case _:
            return (decided, _GIVEN_UP)


def looks_of_turns(transition: Mapping[str, Any]) -> tuple[Look, ...]:
    """What ended the turns of the agencies before the present one, and who decided whose it is."""
    ended = dict.fromkeys(str(one.get("ended") or "") for one in transition.get("assignments") or ())
    return tuple(look for how in ended for look in _ENDED.get(how, ()))


def _disposed_of_as(transition: Mapping[str, Any], fate: str) -> bool:
    return by_code(str((transition.get("disposition") or {}).get("code") or "")).fate == fate
