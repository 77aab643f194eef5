"""Assessment: stays a second on one core, over a mix like a county's list. The bar is 20,000 (issue 5)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from transitions.assess import assess
from transitions.model import Claim, Client, Code, Contact, Evidence, FollowUp, Placement, Stay, Visit
from transitions.policy import Agency, Policy

ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
LEFT = datetime(2026, 11, 22, 16, tzinfo=UTC)
NOW = LEFT + timedelta(days=3, hours=2)
POLICY = Policy(agencies=tuple(Agency(f"agency-{number}", postal_codes=(f"6{number:02}*",)) for number in range(40)))

Given = tuple[Stay, tuple[FollowUp, ...], tuple[Contact, ...]]


def typical() -> list[Given]:
    """Eight stays as they come: nothing done, booked, missed, readmitted, in hospital, expected, undecided, against advice."""
    booked = FollowUp(
        "Appointment/1", "booked", LEFT, LEFT + timedelta(days=5), services=(Code("Psychiatric follow-up"),), evidence=(Evidence("SIU^S12"),)
    )
    missed = FollowUp("Appointment/2", "noshow", LEFT, LEFT + timedelta(days=2), mental_health=True)
    call = Contact("Communication/1", LEFT + timedelta(hours=20), "phone", True, "agency-27")
    accepted = (Claim("Task/1", "agency-27", "accepted", LEFT + timedelta(hours=3)),)
    again = Visit("again", "IMP", "Lakeside", LEFT + timedelta(days=2), None, False, "yes", True)
    inside = {"state": "in-hospital", "discharged": None, "discharge_recorded": None}
    return [
        (_stay(), (), ()),
        (_stay(claims=accepted), (booked,), (call,)),
        (_stay(claims=accepted), (missed, booked), (call,)),
        (_stay(other_visits=(again,)), (), ()),
        (_stay(**inside), (), ()),
        (_stay(**inside, pending_since=LEFT, expected_discharge=NOW + timedelta(days=1)), (booked,), ()),
        (_stay(placements=(), diagnoses=()), (), ()),
        (_stay(disposition=Code("AMA", "07")), (), ()),
    ]


def _stay(**changes: object) -> Stay:
    given: dict[str, object] = {
        "id": "stay",
        "transition": "transition",
        "client": Client("client", postal_code="62704"),
        "hospital": "St. Mary",
        "zone": "America/Chicago",
        "state": "discharged",
        "first_seen": LEFT - timedelta(days=9),
        "admitted": LEFT - timedelta(days=9),
        "discharged": LEFT,
        "discharge_recorded": LEFT,
        "placements": (Placement(LEFT - timedelta(days=9), "BHU", "psychiatric"),),
        "diagnoses": (Code("Major depressive disorder", "F33.1", ICD10, True), Code("Opioid dependence", "F11.20", ICD10)),
        "disposition": Code("Home", "01"),
        "evidence": (Evidence("ADT^A01", "message 1"),),
        "discharge_evidence": (Evidence("ADT^A03", "message 2"),),
    }
    return Stay(**(given | changes))  # type: ignore[arg-type]


def stays_a_second(seconds: float = 1.0) -> float:
    """How many stays one core assesses in a second: the best of many short rounds, for others use the machine too."""
    mix = typical() * 25
    best, end = float("inf"), time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        for stay, follow_ups, contacts in mix:
            assess(stay, follow_ups, contacts, NOW, POLICY)
        best = min(best, time.perf_counter() - start)
    return len(mix) / best


if __name__ == "__main__":
    print(f"{stays_a_second():,.0f} stays/s")
