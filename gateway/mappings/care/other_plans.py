"""Plans that other systems sent for the client (an EHR's CarePlan, a PTH of PPP or PPG): ours rests on them, and says what of them is still open."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.mappings.care.scene import Scene, others, words
from gateway.records.statements import Json

OPEN = {
    "detail": frozenset({"not-started", "scheduled", "in-progress", "on-hold", "unknown"}),
    "ServiceRequest": frozenset({"draft", "active", "on-hold", "unknown"}),
    "Task": frozenset({"draft", "requested", "received", "accepted", "ready", "in-progress", "on-hold"}),
    "Appointment": frozenset({"proposed", "pending", "booked", "arrived", "checked-in", "waitlist"}),
    "MedicationRequest": frozenset({"draft", "active", "on-hold", "unknown"}),
    "Goal": frozenset({"proposed", "planned", "accepted", "active", "on-hold"}),
}
"""Statuses (R4) of what is still to be done, by the kind of what stands for an activity."""
OVER = frozenset({"revoked", "completed", "entered-in-error"})


def other_plans(scene: Scene) -> list[Json]:
    """The plans of others, for this stay or for none; one that was entered in error is none."""
    return [plan for plan in others(scene, "CarePlan") if plan.get("status") != "entered-in-error"]


def still_open(scene: Scene, plan: Json) -> list[str]:
    """What of somebody's plan is still open, in words: activities, and goals; nothing of a plan that is over."""
    return sorted(set(_open(scene, plan))) if plan.get("status") not in OVER else []


def named(plan: Json) -> str:
    """What a plan is called."""
    return str(plan.get("title") or next((text for category in plan.get("category", []) if (text := words(category))), "")) or "plan without a title"


def _open(scene: Scene, plan: Json) -> Iterator[str]:
    for activity in plan.get("activity", []):
        detail, target = activity.get("detail"), scene.known.get(str(activity.get("reference", {}).get("reference", "")))
        if detail is not None and detail.get("status", "unknown") in OPEN["detail"]:
            yield str(detail.get("description") or words(detail.get("code")) or "an activity without a name")
        elif target is not None and target.get("status") in OPEN.get(target["resourceType"], frozenset()):
            yield _called(target)
        elif detail is None and target is None:
            yield str(activity.get("reference", {}).get("display") or "an activity that was not sent with it")
    for reference in plan.get("goal", []):
        goal = scene.known.get(str(reference.get("reference", "")))
        if goal is not None and goal.get("lifecycleStatus") in OPEN["Goal"]:
            yield f"goal: {words(goal.get('description'))}"


def _called(resource: Json) -> str:
    said = words(resource.get("code")) or next((text for kind in resource.get("serviceType", []) if (text := words(kind))), "")
    return said or str(resource.get("description") or resource["resourceType"])
