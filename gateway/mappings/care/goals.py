"""Goals: what somebody set for the client, and what the policy proposes beside it."""

from __future__ import annotations

from gateway.mappings.care.needs import Said, reasons, stated
from gateway.mappings.care.policy import Goal
from gateway.mappings.care.scene import Scene, ended, others, why_ended
from gateway.records.statements import Json


def goals(scene: Scene) -> tuple[tuple[Goal, Json], ...]:
    """The goals that the policy proposes for this stay, in the policy's order."""
    said = stated(scene)
    wanted = ((goal, reasons(goal, scene, said)) for goal in scene.context.policy.goals)
    return tuple((goal, proposed(goal, scene, why)) for goal, why in wanted if why is not None)


def proposed(goal: Goal, scene: Scene, why: tuple[Said, ...]) -> Json:
    """One Goal: proposed, since nobody has agreed on it yet."""
    follow_up = scene.context.policy.follow_up
    due = scene.day(follow_up.last_day if goal.window else follow_up.plan_days)
    start = scene.day(0)
    resource: Json = {
        "resourceType": "Goal",
        "id": scene.identify("Goal", f"goal|{goal.name}"),
        "lifecycleStatus": ended(scene, "completed", "cancelled") or "proposed",
        "description": {"text": goal.text},
        "subject": scene.subject,
    }
    if start and due:
        resource |= {"startDate": start, "target": [{"dueDate": due}]}
    over = why_ended(scene)
    if over:
        resource["statusReason"] = over
    held = dict.fromkeys(one.reference for one in why if one.reference)
    if held and not goal.everyone:
        resource["addresses"] = [{"reference": reference} for reference in held]
    return resource


def set_by_others(scene: Scene) -> tuple[Json, ...]:
    """Goals that came in messages (GOL, or FHIR) for this stay or for none."""
    return tuple(goal for goal in others(scene, "Goal") if goal.get("lifecycleStatus") != "entered-in-error")
