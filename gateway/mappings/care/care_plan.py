"""The CarePlan: what a caller must know, why, for what, who, and what has to happen next. Derived, and said to be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from gateway.mappings.care import narrative as words
from gateway.mappings.care.callers import Known, before_calling
from gateway.mappings.care.flag import TEXT
from gateway.mappings.care.policy import Activity
from gateway.mappings.care.scene import Scene, ended
from gateway.mappings.care.scene import words as concept_words
from gateway.records.statements import Json

CATEGORY = {
    "system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category",
    "code": "assess-plan",
    "display": "Assessment and Plan of Treatment",
}


def care_plan(scene: Scene, requests: Sequence[Json], tasks: Sequence[Json], team: Json) -> Json:
    """One CarePlan a transition; `requests` are its ServiceRequests, `tasks` the Tasks that the recipient may see."""
    to_know = before_calling(scene)
    status = ended(scene, "completed", "revoked") or ("draft" if scene.transition.status == "anticipated" else "active")
    plan: Json = {
        "resourceType": "CarePlan",
        "id": scene.identify("CarePlan", "care-plan"),
        "text": text(scene, to_know, requests),
        "status": status,
        "intent": "proposal",
        "category": [{"coding": [CATEGORY]}],
        "title": "Aftercare plan",
        "description": "Before you call: " + "; ".join(f"{known.subject}: {known.answer}" for known in to_know),
        "subject": scene.subject,
        "encounter": scene.encounter,
        "period": period(scene),
        "created": scene.time(scene.begun),
        "author": scene.device,
        "contributor": [scene.gateway],
        "careTeam": [{"reference": f"CareTeam/{team['id']}"}],
        "addresses": [{"reference": f"Condition/{condition['id']}"} for condition in scene.conditions],
        "goal": [{"reference": name} for name in others(scene, "Goal")],
        "basedOn": [{"reference": name} for name in others(scene, "CarePlan")],
        "supportingInfo": [{"reference": name} for name in documents(scene)],
        "activity": [
            *({"reference": {"reference": f"ServiceRequest/{request['id']}"}} for request in requests),
            *({"reference": {"reference": name}} for name in scene.appointments()),
            *({"reference": {"reference": f"Task/{task['id']}"}} for task in tasks),
            *({"detail": detail(scene, activity)} for activity in scene.context.policy.activities),
        ],
    }
    reason = why_ended(scene)
    if reason:
        plan["note"] = [{"text": reason}]
    return {key: value for key, value in plan.items() if value != []}


def period(scene: Scene) -> Json:
    """From the discharge, or its expectation, to the end of the plan; open-ended while no day is known."""
    start = scene.discharge or scene.begun
    end = scene.day(scene.context.policy.follow_up.plan_days)
    return {"start": scene.time(start), **({"end": end} if end else {})}


def others(scene: Scene, kind: str) -> list[str]:
    """What somebody else's system sent of a kind, for this stay or for none: ours rests on it and never replaces it."""
    mine = (one for one in scene.person.care if one.stay in (None, scene.stay.id))
    return sorted(f"{kind}/{one.resource['id']}" for one in mine if one.resource["resourceType"] == kind)


def documents(scene: Scene) -> list[str]:
    """The stay's documents."""
    mine = (one.resource for one in scene.person.documents if one.stay == scene.stay.id)
    return sorted(f"DocumentReference/{one['id']}" for one in mine if one["resourceType"] == "DocumentReference" and one.get("status") == "current")


def detail(scene: Scene, activity: Activity) -> Json:
    """An activity that is nobody's request."""
    shown: Json = {"status": activity_status(scene, activity), "description": activity.text}
    if activity.code:
        shown["code"] = {"coding": [dict(activity.code)], "text": activity.text}
    if activity.hours is not None and scene.discharge:
        due = scene.discharge + timedelta(hours=activity.hours)
        shown["scheduledPeriod"] = {"start": scene.time(scene.discharge), "end": scene.time(due)}
    return shown


def activity_status(scene: Scene, activity: Activity) -> str:
    """Completed only where somebody reported it; `unknown` once the transition has ended without a word."""
    if scene.transition.status == "void":
        return "cancelled"
    discharged = scene.transition.stay.discharged
    reached = any(contact.reached and discharged and contact.at >= discharged for contact in scene.transition.contacts)
    if activity.done_by == "contact" and (reached or scene.transition.follow_up.state == "kept"):
        return "completed"
    return "unknown" if scene.transition.status == "closed" else "not-started"


def why_ended(scene: Scene) -> str:
    """Why a plan that is over is over."""
    stay = scene.transition.stay
    if scene.transition.status == "void":
        return "Entered in error." if stay.state == "entered-in-error" else "The discharge was cancelled."
    return f"Closed: {scene.transition.closed_as}." if scene.transition.closed_as else ""


def text(scene: Scene, to_know: Sequence[Known], requests: Sequence[Json]) -> Json:
    """The plan for a person to read: what a caller must know stands at its top."""
    transition = scene.transition
    stay = transition.stay
    follow_up = transition.follow_up
    booked = f", {scene.time(follow_up.start)}" if follow_up.start else ""
    left = f"Left {stay.hospital} on {scene.time(stay.discharged)}." if stay.discharged else f"In {stay.hospital}."
    expected = f" Discharge expected {scene.time(stay.expected_discharge)}." if stay.expected_discharge and not stay.discharged else ""
    return words.narrative(
        words.heading("Before you call"),
        words.table([(known.subject, known.answer) for known in to_know]),
        words.heading("Aftercare plan (proposed by the gateway from the messages it received)"),
        words.paragraph(f"{stay.client.name or 'Name unknown'}. {left}{expected} Follow-up: {follow_up.state}{booked}. Tier: {transition.tier}."),
        words.items(transition.reasons),
        words.heading("Open problems") + words.items(TEXT[raised.code] for raised in transition.flags) if transition.flags else "",
        words.heading("Diagnoses") + words.items(concept_words(condition.get("code")) for condition in scene.conditions) if scene.conditions else "",
        words.heading("Goals") + words.items(scene.context.policy.goals) if scene.context.policy.goals else "",
        words.heading("Services proposed") + words.items(request["code"]["text"] for request in requests) if requests else "",
        words.heading("To do") + words.items(activity.text for activity in scene.context.policy.activities),
        words.paragraph(why_ended(scene)) if why_ended(scene) else "",
    )
