"""What tests of transitions are given: a county, a stay, and words to change them. Times are local to the hospital, "12-01 10:00" in 2026."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from transitions.model import Claim, Client, Code, Contact, Decision, Evidence, FollowUp, Placement, Stay, TakenBack, Visit
from transitions.policy import Agency, Policy

CHICAGO = "America/Chicago"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
POLICY = Policy(agencies=(Agency("river", "River", ("627*",)), Agency("harbor", "Harbor", ("625*", "62650"))))
CLIENT = Client("client", postal_code="62704")
DEPRESSION = Code("Major depressive disorder", "F33.1", ICD10, principal=True)
INFARCTION = Code("Myocardial infarction", "I21.9", ICD10, principal=True)
UNCERTAIN = (Evidence("one number, two birth dates"),)


def at(text: str, zone: str = CHICAGO, fold: int = 0) -> datetime:
    """ "12-01 10:00" or "2027-01-01 10:00:30" in the hospital's zone."""
    return datetime.fromisoformat(text if text[2] != "-" else f"2026-{text}").replace(tzinfo=ZoneInfo(zone), fold=fold)


CANCELLED = (TakenBack("discharge", at("12-01 10:00"), at("12-02 08:15")),)
"""The discharge of 12-01, taken back the next morning."""


def inside(**changes: Any) -> Stay:
    """A stay on the psychiatric unit since 11-10, with no end in view."""
    stay = Stay(
        id="stay",
        transition="transition",
        client=CLIENT,
        hospital="St. Mary",
        zone=CHICAGO,
        state="in-hospital",
        first_seen=at("11-10 09:00"),
        admitted=at("11-10 08:00"),
        placements=(Placement(at("11-10 08:00"), "BHU", "psychiatric", "PSY", "", "IMP"),),
        diagnoses=(DEPRESSION,),
        evidence=(Evidence("ADT^A01", "message 1"),),
    )
    return replace(stay, **changes)


def left(discharged: str = "12-01 10:00", code: str | None = "01", **changes: Any) -> Stay:
    """The same, discharged home and heard of at once; `code` None: the hospital said nothing of where to."""
    given: dict[str, Any] = {
        "state": "discharged",
        "discharged": at(discharged),
        "discharge_recorded": at(discharged),
        "disposition": None if code is None else Code("", code),
        "discharge_evidence": (Evidence("ADT^A03", "message 2"),),
    }
    return inside(**(given | changes))


def pending(told: str = "12-01 09:00", expected: str | None = "12-03 11:00", **changes: Any) -> Stay:
    """The same, its discharge announced by an A16."""
    given: dict[str, Any] = {
        "pending_since": at(told),
        "expected_discharge": at(expected) if expected else None,
        "expectation_recorded": at(told),
        "expectation_evidence": (Evidence("ADT^A16", "message 2"),),
    }
    return inside(**(given | changes))


def expected(on: str, told: str = "11-20 09:00", **changes: Any) -> Stay:
    """The same, with an expected date alone (PV2-9)."""
    return pending(told, on, **({"pending_since": None} | changes))


def claim(status: str, when: str, agency: str = "river", reason: str = "", number: int = 0) -> Claim:
    """What an agency said of its Task."""
    return Claim(f"task-of-{agency}", agency, status, at(when), reason, number=number)


ACCEPTED = (claim("accepted", "12-01 11:00"),)


def taken(discharged: str = "12-01 10:00", code: str | None = "01", **changes: Any) -> Stay:
    """Left, and River has accepted."""
    return left(discharged, code, **({"claims": ACCEPTED} | changes))


def visit(
    admitted: str, discharged: str | None = None, visit_class: str = "IMP", *, tracked: bool = True, cancelled: bool = False, name: str = "other"
) -> Visit:
    """Another stay or visit of the client's."""
    left_at = None if discharged is None else at(discharged)
    return Visit(name, visit_class, "Lakeside", at(admitted), left_at, cancelled, "yes" if tracked else "no", tracked)


def appointment(start: str | None, status: str = "booked", told: str = "11-30 09:00", name: str = "1", **changes: Any) -> FollowUp:
    """A psychiatric visit, unless its `services` say otherwise."""
    given: dict[str, Any] = {
        "recorded": at(told),
        "first_recorded": at("11-30 09:00"),
        "start": None if start is None else at(start),
        "services": (Code("Psychiatric follow-up"),),
        "evidence": (Evidence("SIU", f"message of {name}"),),
    }
    return FollowUp(f"Appointment/{name}", status, **(given | changes))


def plain(start: str, status: str = "booked", **changes: Any) -> FollowUp:
    """An appointment that does not say of what kind it is."""
    return appointment(start, status, **({"services": (Code("Clinic visit", "CLINICVISIT"),)} | changes))


def reached(when: str, by: str = "river") -> Contact:
    """A call that the client answered."""
    return Contact(f"Communication/{when}", at(when), "phone", True, by)


def tried(when: str, means: str = "phone", by: str = "river") -> Contact:
    """A call or visit that reached nobody."""
    return Contact(f"Communication/{when}", at(when), means, False, by, (Evidence("not reached", f"Communication/{when}"),))


def written(means: str, when: str = "12-02 15:00", by: str = "river") -> Contact:
    """A letter or message that was sent."""
    return Contact(f"Communication/{when}", at(when), means, True, by)


def decided(what: str, value: str = "", when: str = "12-02 09:00", about: str = "") -> Decision:
    """A named person's decision."""
    return Decision(what, value, at(when), "ann", about)


def hours(count: float) -> timedelta:
    """Elapsed time."""
    return timedelta(hours=count)


def in_utc(text: str) -> datetime:
    """A moment written in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
