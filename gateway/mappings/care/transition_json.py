"""A transition as JSON, in the shape that the command line, the API and the page share (DESIGN, "JSON shapes")."""

from __future__ import annotations

from datetime import datetime

from gateway.mappings.care.scene import zone_of
from gateway.records.record import PersonRecord
from gateway.records.statements import Json
from transitions.model import Assignment, Evidence, Transition


def transition_json(transition: Transition, person: PersonRecord, *, recipient: str | None = None) -> Json:
    """One transition: times ISO 8601 with the facility's offset, absent facts null.

    `recipient` is the agency that reads it: it sees its own turns alone. None is the coordinator, who sees all.
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
            "state": transition.follow_up.state,
            "start": time(transition.follow_up.start),
            "evidence": evidence(transition.follow_up.evidence),
            "reference": transition.follow_up.reference,
        },
        "flags": [
            {"code": flag.code, "since": time(flag.since), "evidence": evidence(flag.evidence), "clears": flag.clears} for flag in transition.flags
        ],
        "tier": transition.tier,
        "reasons": list(transition.reasons),
        "agency": transition.agency,
        "queue": transition.queue,
        "closed_as": transition.closed_as,
        "next_look": time(transition.next_look),
        "due": time(transition.due),
        "since": time(transition.since),
        "patient": f"Patient/{person.id}",
        "encounter": f"Encounter/{stay.id}",
        "disposition": {"code": stay.disposition.code or None, "text": stay.disposition.text or None} if stay.disposition else None,
        "psychiatric": {"answer": transition.psychiatric, "reasons": list(transition.psychiatric_reasons)},
        "assignments": [turn(one) for one in mine],
        "zone": stay.zone,
    }


def evidence(entries: tuple[Evidence, ...]) -> list[Json]:
    """Evidence as text and reference."""
    return [{"text": one.text, "reference": one.reference} for one in entries]
