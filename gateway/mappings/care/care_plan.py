"""The CarePlan: what a caller must know, why, for what, who, and what has to happen next. Derived, and said to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.mappings.care import narrative as page
from gateway.mappings.care.callers import Known
from gateway.mappings.care.goals import set_by_others
from gateway.mappings.care.other_plans import named, other_plans, still_open
from gateway.mappings.care.scene import Scene, ended, why_ended, words
from gateway.records.statements import Json
from transitions.describe import FLAGS
from transitions.dispositions import disposition

CATEGORY = {
    "system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category",
    "code": "assess-plan",
    "display": "Assessment and Plan of Treatment",
}


def care_plan(scene: Scene, to_know: Sequence[Known], requests: Sequence[Json], goals: Sequence[Json], tasks: Sequence[Json], team: Json) -> Json:
    """One CarePlan a transition; `requests` and `goals` are its own, `tasks` those that the recipient may see, the last of them current."""
    plans = other_plans(scene)
    notes = list(remarks(scene, plans))
    aims = [*set_by_others(scene), *goals]
    activities = [*(f"ServiceRequest/{one['id']}" for one in requests), *scene.appointments(), *(f"Task/{one['id']}" for one in tasks[-1:])]
    plan: Json = {
        "resourceType": "CarePlan",
        "id": scene.identify("CarePlan", "care-plan"),
        "text": text(scene, to_know, requests, aims, notes),
        "status": ended(scene, "completed", "revoked") or ("draft" if scene.transition.status == "anticipated" else "active"),
        "intent": "proposal",
        "category": [{"coding": [CATEGORY]}],
        "title": "Aftercare plan",
        "description": page.plain("Before you call: " + "; ".join(f"{known.subject}: {known.answer}" for known in to_know)),
        "subject": scene.subject,
        "encounter": scene.encounter,
        "period": period(scene),
        "created": scene.time(scene.begun),
        "author": scene.device,
        "contributor": [*([scene.hospital] if scene.hospital else []), scene.gateway],
        "careTeam": [{"reference": f"CareTeam/{team['id']}"}],
        "addresses": [{"reference": f"Condition/{condition['id']}"} for condition in scene.conditions],
        "goal": [{"reference": f"Goal/{goal['id']}"} for goal in aims],
        "basedOn": [{"reference": f"CarePlan/{one['id']}"} for one in plans],
        "supportingInfo": [{"reference": name} for name in documents(scene)],
        "activity": [{"reference": {"reference": name}} for name in activities],
        "note": [{"text": page.plain(note)} for note in notes],
    }
    return {key: value for key, value in plan.items() if value != []}


def period(scene: Scene) -> Json:
    """From the discharge, or its expectation, to the end of the plan; open-ended while no day is known."""
    stay = scene.transition.stay
    start = scene.time(stay.discharged or scene.begun) if stay.discharged or not stay.expected_discharge else scene.day(0)
    end = scene.day(scene.context.policy.follow_up.plan_days)
    return {"start": start, **({"end": end} if end else {})}


def documents(scene: Scene) -> list[str]:
    """The stay's documents."""
    mine = (one.resource for one in scene.person.documents if one.stay == scene.stay.id)
    return sorted(f"DocumentReference/{one['id']}" for one in mine if one["resourceType"] == "DocumentReference" and one.get("status") == "current")


def remarks(scene: Scene, plans: Sequence[Json]) -> Iterator[str]:
    """What is to be said beside the plan: why it is over, and what of others' plans is still open."""
    over = why_ended(scene)
    if over:
        yield over
    for plan in plans:
        left = still_open(scene, plan)
        state = f"Still open in it: {'; '.join(left)}." if left else f"It is {plan['status']}, and nothing in it is open."
        yield f"Another system's plan, {named(plan)}, stands beside this one. {state}"


def text(scene: Scene, to_know: Sequence[Known], requests: Sequence[Json], goals: Sequence[Json], notes: Sequence[str]) -> Json:
    """The plan for a person to read: what a caller must know stands at its top."""
    transition = scene.transition
    return page.narrative(
        page.heading("Before you call"),
        page.table([(known.subject, known.answer) for known in to_know]),
        page.heading("Aftercare plan (proposed by the gateway from the messages it received)"),
        page.paragraph(" ".join(summary(scene))),
        page.items(transition.reasons),
        *(page.paragraph(note) for note in notes),
        page.section("Open problems", (FLAGS[raised.code] for raised in transition.flags)),
        page.section("Diagnoses", (words(condition.get("code")) for condition in scene.conditions)),
        page.section("Goals", (words(goal.get("description")) for goal in goals)),
        page.section("To do", (to_do(request) for request in requests)),
    )


def summary(scene: Scene) -> Iterator[str]:
    """Who, from where, since when and where to, and how follow-up stands."""
    transition = scene.transition
    stay, follow_up = transition.stay, transition.follow_up
    yield f"{stay.client.name or 'Name unknown'}."
    if stay.discharged:
        yield f"Left {stay.hospital} on {scene.spoken(stay.discharged)}. Discharge disposition: {disposition(stay).words}."
    elif stay.state == "entered-in-error":
        yield f"The stay in {stay.hospital} was entered in error."
    else:
        yield f"In {stay.hospital}."
        if stay.expected_discharge:
            yield f"Discharge expected {scene.spoken(stay.expected_discharge)}."
    yield f"Follow-up: {follow_up.state}{f', {scene.spoken(follow_up.start)}' if follow_up.start else ''}. Tier: {transition.tier}."


def to_do(request: Json) -> str:
    """A request in words: what, by when, by whom, and whether it is done."""
    due = str(request.get("occurrencePeriod", {}).get("end", ""))[:10]
    who = ", ".join(str(one["display"]) for one in request.get("performer", []) if one.get("display"))
    told = [f"by {due}" if due else "", who, request["status"] if request["status"] in ("completed", "revoked") else ""]
    return ", ".join(filter(None, [request["code"]["text"], *told]))
