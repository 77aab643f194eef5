"""A transition as JSON, in the shape that the command line, the API and the page share (DESIGN, "JSON shapes")."""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime

from gateway.mappings.care.case_manager import names
from gateway.mappings.care.scene import zone_of
from gateway.privacy.disclosure import resources_of
from gateway.records.record import PersonRecord
from gateway.records.statements import Json
from transitions.dispositions import by_code, decided
from transitions.model import Assignment, Evidence, Stay, Transition
from transitions.timeline import timeline


def transition_json(transition: Transition, person: PersonRecord, *, recipient: str | None = None) -> Json:
    """One transition: times ISO 8601 with the facility's offset, absent facts null.

    `recipient` is the agency that reads it: it sees its own turns alone, and no reference to what it cannot read. None is the coordinator, who sees
    all. The day of another agency's appointment is that agency's.
    """
    stay, client = transition.stay, transition.stay.client
    zone = zone_of(stay.zone)

    def time(moment: datetime | None) -> str | None:
        return moment.astimezone(zone).isoformat() if moment else None

    def turn(assignment: Assignment) -> Json:
        return {
            "number": assignment.number,
            "agency": assignment.agency,
            "status": assignment.status,
            "since": time(assignment.since),
            "until": time(assignment.until),
            "why": assignment.why or None,
            "ended": assignment.ended or None,
            "reason": assignment.reason or None,
        }

    readable = None if recipient is None else {f"{one['resourceType']}/{one['id']}" for one in resources_of(person)}
    follow_up = transition.follow_up
    foreign = (follow_up.reference or "").startswith("Appointment/") and _readable(follow_up.reference, readable) is None
    mine = [one for one in transition.assignments if recipient is None or one.agency == recipient]
    return {
        "id": transition.id,
        "client": {
            "name": client.name or None,
            "birth_date": client.birth_date.isoformat() if client.birth_date else None,
            "identifiers": [{"system": one.get("system"), "value": one.get("value")} for one in person.patient.get("identifier", [])],
        },
        "hospital": stay.hospital or None,
        "admitted": time(stay.admitted),
        "discharged": time(stay.discharged),
        "expected_discharge": time(stay.expected_discharge),
        "status": transition.status,
        "follow_up": {
            "state": follow_up.state,
            "start": None if foreign else time(follow_up.start),
            "evidence": evidence(follow_up.evidence, readable),
            "reference": _readable(follow_up.reference, readable),
        },
        "flags": [
            {
                "code": flag.code,
                "since": time(flag.since),
                "evidence": evidence(flag.evidence, readable),
                "clears": flag.clears,
                "owner": flag.owner,
                "due": time(flag.due),
                "next_step": flag.next_step,
            }
            for flag in transition.flags
        ],
        "tier": transition.tier,
        "reasons": list(transition.reasons),
        "agency": transition.agency,
        "queue": transition.queue,
        "case_managers": names(person, transition),
        "closed_as": transition.closed_as,
        "next_look": time(transition.next_look),
        "due": time(transition.due),
        "since": time(transition.since),
        "patient": f"Patient/{person.id}",
        "encounter": f"Encounter/{stay.id}",
        "disposition": _disposition(stay),
        "psychiatric": {"answer": transition.psychiatric, "reasons": list(transition.psychiatric_reasons)},
        "assignments": [turn(one) for one in mine],
        "zone": stay.zone,
    }


def _disposition(stay: Stay) -> Json | None:
    """Where the client went: as a person recorded it, else as it was sent."""
    chosen = decided(stay)
    if chosen:
        return {"code": chosen, "text": by_code(chosen).words}
    return {"code": stay.disposition.code or None, "text": stay.disposition.text or None} if stay.disposition else None


def timeline_json(transition: Transition) -> list[Json]:
    """What happened, oldest first: {"at", "kind", "text", "reference", "agency"}, with the facility's offset; `agency` is the id that the text names.

    The coordinator's: it names every agency.
    """
    zone = zone_of(transition.stay.zone)
    return [
        {"at": one.at.astimezone(zone).isoformat(), "kind": one.kind, "text": one.text, "reference": one.reference, "agency": one.agency or None}
        for one in timeline(transition)
    ]


def evidence(entries: tuple[Evidence, ...], readable: Set[str] | None = None) -> list[Json]:
    """Evidence as text and reference; a reference that is not among the `readable` ones (None: all are) is null."""
    return [{"text": one.text, "reference": _readable(one.reference, readable)} for one in entries]


def _readable(reference: str | None, readable: Set[str] | None) -> str | None:
    """The reference to a resource if it can be read; a message's is none to a resource."""
    if readable is None or not reference or "/" not in reference:
        return reference
    return reference if reference in readable else None
