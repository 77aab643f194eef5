"""The timeline of a transition, written out by hand; times are the hospital's."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transitions.given import CHICAGO, POLICY, appointment, at, claim, decided, left, reached, tried, visit
from tests.transitions.test_transitions_properties import contacts, follow_ups, near, stays
from transitions.assess import assess
from transitions.model import Contact, FollowUp, Placement, Stay
from transitions.timeline import timeline


def told(stay: Stay, follow_ups_: tuple[FollowUp, ...], contacts_: tuple[Contact, ...], as_of: str) -> list[str]:
    transition = assess(stay, follow_ups_, contacts_, at(as_of), POLICY)
    assert transition is not None
    return [f"{entry.at.astimezone(ZoneInfo(CHICAGO)):%m-%d %H:%M} {entry.kind}: {entry.text}" for entry in timeline(transition)]


def test_a_story_from_admission_to_the_visit() -> None:
    ward = (Placement(at("11-10 08:00"), "MED3", "other"), Placement(at("11-12 09:00"), "BHU", "psychiatric"))
    stay = left(placements=ward, claims=(claim("accepted", "12-01 13:00"),), other_visits=(visit("12-03 21:00", "12-04 06:00", "EMER"),))
    first = appointment("12-03 10:00", "noshow", "12-03 11:00", first_recorded=at("12-01 15:00"))
    second = appointment("12-07 10:00", "fulfilled", "12-07 11:00", "2", first_recorded=at("12-04 09:00"), moved=at("12-05 09:00"))
    assert told(stay, (first, second), (tried("12-02 09:00"), reached("12-04 08:00")), "12-08 10:00") == [
        "11-10 08:00 stay: Admitted (St. Mary)",
        "11-12 09:00 stay: Moved to BHU",
        "12-01 10:00 stay: Discharged: home",
        "12-01 10:00 turn: river has the client (it serves postal codes 627*)",
        "12-01 13:00 answer: river: accepted",
        "12-01 15:00 appointment: Psychiatric follow-up: booked (2026-12-03 10:00)",
        "12-02 09:00 contact: Call: the client was not reached (river)",
        "12-03 10:00 appointment: Psychiatric follow-up: its time",
        "12-03 11:00 appointment: Psychiatric follow-up: noshow (2026-12-03 10:00)",
        "12-03 21:00 visit: Came to an emergency department (Lakeside)",
        "12-04 06:00 visit: Left an emergency department (Lakeside)",
        "12-04 08:00 contact: Call: the client was reached (river)",
        "12-04 09:00 appointment: Psychiatric follow-up: booked (2026-12-07 10:00)",
        "12-05 09:00 appointment: Psychiatric follow-up: moved (2026-12-07 10:00)",
        "12-07 10:00 appointment: Psychiatric follow-up: its time",
        "12-07 10:00 turn: No longer with river: follow-up-kept",
        "12-07 10:00 closed: Closed: the client was seen",
        "12-07 11:00 appointment: Psychiatric follow-up: fulfilled (2026-12-07 10:00)",
    ]


def test_flags_stand_where_they_rose_and_decisions_where_they_were_taken() -> None:
    stay = left(decisions=(decided("route", "harbor", "12-01 12:00"),))
    assert told(stay, (), (), "12-04 10:00")[1:] == [
        "12-01 10:00 stay: Discharged: home",
        "12-01 10:00 turn: river has the client (it serves postal codes 627*)",
        "12-01 10:00 flag: No follow-up scheduled",
        "12-01 12:00 decision: Sent to harbor, decided by ann",
        "12-01 12:00 turn: No longer with river: routed",
        "12-01 12:00 turn: harbor has the client (routed by ann)",
        "12-02 12:00 flag: Not picked up by an agency",
        "12-04 10:00 flag: Not reached yet",
    ]


@settings(max_examples=100, deadline=None)
@given(stays(near), st.lists(follow_ups(near), max_size=3).map(tuple), st.lists(contacts(near), max_size=2).map(tuple), near)
def test_any_timeline_is_in_order_and_says_the_same_of_what_came_in_another(stay: Stay, told_: Any, contacts_: Any, as_of: Any) -> None:
    found = assess(stay, told_, contacts_, as_of, POLICY)
    if found is None:
        return
    entries = timeline(found)
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    assert all(entry.text for entry in entries)
    turned = found._replace(follow_ups=found.follow_ups[::-1], contacts=found.contacts[::-1])
    assert timeline(turned) == entries
