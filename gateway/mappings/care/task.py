"""The Task that asks an agency to act: one for each assignment of a transition, the last of them current. The only order that the gateway gives.

Statuses follow Gravity's closed loop on a base Task; businessStatus uses the codes of BSeR's TaskBusinessStatusCS (DOMAIN, Closed loop).
"""

from __future__ import annotations

from gateway.mappings.care import case_manager
from gateway.mappings.care.context import task_id
from gateway.mappings.care.members import ACCEPTED
from gateway.mappings.care.scene import ENDED_WELL, Scene, ended, organization, why_ended
from gateway.records.statements import Json
from transitions.describe import CLOSED_AS
from transitions.model import Assignment

TASK_CODE = {"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill", "display": "Fulfill the focal request"}
BUSINESS_STATUS = "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS"
BUSINESS = {
    "2.0": "Request created",
    "3.0": "Request accepted",
    "4.0": "Request declined",
    "5.1.1": "Visit scheduled",
    "5.1.2": "Visit not attended",
    "5.1.3": "Visit cancelled",
    "5.1.4": "Visit completed",
    "7.0": "Service completed",
}
CREATED = "2.0"
BY_STATUS = {"rejected": "4.0", "completed": "7.0", "requested": CREATED, "received": CREATED, "draft": CREATED}
"""What a status alone settles."""
BY_FOLLOW_UP = {"booked": "5.1.1", "missed": "5.1.2", "cancelled": "5.1.3", "kept": "5.1.4"}
TERMINAL = frozenset({"completed", "cancelled", "rejected", "failed", "entered-in-error"})
WHY_ENDED: dict[str, str] = {
    "declined": "Declined by the agency",
    "unanswered": "Not picked up in time",
    "routed": "Routed elsewhere",
    "withheld": "No longer routed to the agency",
    "void": "The discharge was cancelled",
    **{name: f"Closed: {words}" for name, words in CLOSED_AS.items()},
}


def tasks(scene: Scene, focus: str) -> tuple[tuple[int, Json], ...]:
    """Every assignment's Task with its number; `focus` is the ServiceRequest's reference. A recipient gets its own alone."""
    running = scene.transition.status in ("anticipated", "open")
    assignments = scene.transition.assignments
    if not assignments and running:
        agency = scene.transition.agency if scene.transition.queue == "agency" else None
        assignments = (Assignment(1, agency, scene.begun, ""),)
    recipient = scene.context.recipient
    mine = (one for one in assignments if recipient is None or one.agency == recipient)
    return tuple((one.number, task(scene, focus, one, current=one is assignments[-1])) for one in mine)


def task(scene: Scene, focus: str, assignment: Assignment, current: bool) -> Json:
    """One assignment's Task. No owner: it waits in the coordinator's queue."""
    status = status_of(scene, assignment, current)
    transition = scene.transition
    resource: Json = {
        "resourceType": "Task",
        "id": task_id(scene.context.identify, transition.id, assignment.number),
        "identifier": [{"system": "urn:care-transition-gateway:task", "value": f"{transition.id}#{assignment.number}"}],
        "status": status,
        "businessStatus": business_status(scene, assignment, status, current),
        "intent": "order",
        "priority": scene.context.policy.priority[transition.tier],
        "code": {"coding": [TASK_CODE]},
        "description": "Arrange community mental-health follow-up after the hospital stay, and report what comes of it",
        "focus": {"reference": focus},
        "for": scene.subject,
        "encounter": scene.encounter,
        "executionPeriod": {"start": scene.time(assignment.since), **({"end": scene.time(assignment.until)} if assignment.until else {})},
        "authoredOn": scene.time(assignment.since),
        "requester": scene.gateway,
    }
    last = scene.day(scene.context.policy.follow_up.last_day)
    if last:
        resource["restriction"] = {"period": {"end": last}}
    if assignment.agency:
        resource["owner"] = organization(scene.context, assignment.agency)
    reason = why(scene, assignment, status, current)
    if reason:
        resource["statusReason"] = {"text": reason}
    noted = notes(scene, resource["id"])
    if noted:
        resource["note"] = noted
    made = case_manager.output(scene, resource["id"])
    if made:
        resource["output"] = made
    return resource


def notes(scene: Scene, task: str) -> list[Json]:
    """The agency's notes as it last wrote them: it reads back what it wrote."""
    said = [claim.facts.get("note") for claim in scene.person.claims if claim.facts.get("task") == task]
    last = said[-1] if said else None
    return list(last) if isinstance(last, list) else []


def status_of(scene: Scene, assignment: Assignment, current: bool) -> str:
    """The status as it stands: what the agency set while it runs, an end of the gateway's once the turn or the transition is over."""
    if current and ended(scene, "completed", "cancelled") == "entered-in-error":
        return "entered-in-error"
    if assignment.status in TERMINAL:
        return assignment.status
    if current and scene.transition.closed_as == ENDED_WELL and assignment.status in ACCEPTED:
        return assignment.status  # the agency itself completes what it has done
    if not current or assignment.until:
        return "rejected" if assignment.ended == "declined" else "cancelled"
    return ended(scene, "completed", "cancelled") or assignment.status


def business_status(scene: Scene, assignment: Assignment, status: str, current: bool) -> Json:
    """How far the service itself has come: what the status settles, else the follow-up while this turn runs, else the agency's own word.

    That the request was created is the gateway's word alone: an agency that writes a Task back whole repeats it, and says nothing by it.
    """
    task = task_id(scene.context.identify, scene.transition.id, assignment.number)
    mine = [claim for claim in scene.transition.stay.claims if claim.task == task]
    spoken = next((claim.business_status for claim in reversed(mine) if claim.business_status in BUSINESS.keys() - {CREATED}), None)
    by_follow_up = BY_FOLLOW_UP.get(scene.transition.follow_up.state) if current and status != "cancelled" else None
    accepted = assignment.status in ACCEPTED or any(claim.status in ACCEPTED for claim in mine)
    code = BY_STATUS.get(status) or by_follow_up or spoken or ("3.0" if accepted else CREATED)
    return {"coding": [{"system": BUSINESS_STATUS, "code": code}], "text": BUSINESS[code]}


def why(scene: Scene, assignment: Assignment, status: str, current: bool) -> str:
    """The agency's reason where it gave one, else why the transition is over, or this turn of it."""
    if status not in TERMINAL or assignment.reason:
        return assignment.reason
    over = why_ended(scene).rstrip(".") if current else ""
    return over or WHY_ENDED.get(assignment.ended, assignment.ended)
