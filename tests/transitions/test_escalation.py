"""Whose each flag is, until when, and when it rises to the coordinator: by hand from the policy's clocks (issue 5, point 6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transitions.given import POLICY, UNCERTAIN, appointment, at, claim, left, pending, plain, reached, taken, visit
from tests.transitions.test_transitions_properties import contacts, follow_ups, near, stays
from transitions.assess import assess
from transitions.describe import NEXT_STEPS
from transitions.escalation import MISSED_DEADLINES
from transitions.model import FlagCode, FollowUp, Stay, Transition

CALL = reached("12-01 15:00")
NOSHOW = appointment("12-03 09:00", "noshow", "12-03 10:00")
EMERGENCY = (visit("12-03 21:00", "12-04 06:00", "EMER"),)
UNDECIDED: dict[str, Any] = {"placements": (), "diagnoses": ()}
DECLINED = (claim("rejected", "12-01 13:00"),)


def now(stay: Stay, told: tuple[Any, ...], as_of: str) -> Transition:
    found = assess(
        stay, [one for one in told if isinstance(one, FollowUp)], [one for one in told if not isinstance(one, FollowUp)], at(as_of), POLICY
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("stay", "told", "as_of", "code", "owner", "due"),
    [
        # the agency has 72 hours from the discharge to book, as it has to reach the client
        (left(), (), "12-01 10:00", "no-follow-up-scheduled", "agency", "12-04 10:00"),
        (left(), (), "12-04 09:59", "no-follow-up-scheduled", "agency", "12-04 10:00"),
        (left(), (), "12-04 10:00", "no-follow-up-scheduled", "coordinator", "12-04 10:00"),
        (taken(), (CALL, appointment("12-13 10:00")), "12-02 10:00", "follow-up-too-late", "agency", "12-04 10:00"),
        # what was booked and is lost late: 24 hours from then
        (taken(), (CALL, appointment("12-06 09:00", "cancelled", "12-05 08:00")), "12-05 09:00", "no-follow-up-scheduled", "agency", "12-06 08:00"),
        (taken(), (CALL, NOSHOW), "12-03 10:00", "missed-appointment", "agency", "12-04 10:00"),
        (taken(), (CALL, NOSHOW), "12-04 10:00", "missed-appointment", "coordinator", "12-04 10:00"),
        (taken(code="07"), (CALL,), "12-01 15:00", "left-against-advice", "agency", "12-02 10:00"),
        (taken(code="07"), (CALL,), "12-02 10:00", "left-against-advice", "coordinator", "12-02 10:00"),
        (taken(other_visits=EMERGENCY), (CALL,), "12-04 08:00", "emergency-return", "agency", "12-04 21:00"),
        # what rises by the clock is overdue when it rises
        (left(), (), "12-02 10:00", "not-picked-up", "coordinator", "12-02 10:00"),
        (left(), (), "12-04 10:00", "no-contact", "coordinator", "12-04 10:00"),
        (taken(), (CALL,), "12-09 00:00", "no-follow-up-7-days", "coordinator", "12-09 00:00"),
        (taken(), (CALL,), "2027-01-01 00:00", "no-follow-up-30-days", "coordinator", "2027-01-01 00:00"),
        (taken(), (CALL, appointment("12-03 09:00")), "12-04 09:00", "outcome-unknown", "coordinator", "12-04 09:00"),
        (left(code="65"), (), "12-02 10:00", "arrival-not-seen", "coordinator", "12-02 10:00"),
        # the hospital's to answer, for a day
        (taken(code=None), (CALL,), "12-01 15:00", "disposition-unknown", "hospital", "12-02 10:00"),
        (taken(code=None), (CALL,), "12-02 10:00", "disposition-unknown", "coordinator", "12-02 10:00"),
        # the coordinator's to decide
        (taken(), (CALL, plain("12-04 09:00")), "12-02 10:00", "kind-unconfirmed", "coordinator", "12-02 10:00"),
        (left(**UNDECIDED), (), "12-01 10:00", "service-unknown", "coordinator", "12-02 10:00"),
        (left(uncertain=UNCERTAIN), (), "12-01 10:00", "identity-uncertain", "coordinator", "12-02 10:00"),
        # no agency has the client: the coordinator's from the start, due all the same
        (left(claims=DECLINED), (), "12-01 14:00", "no-follow-up-scheduled", "coordinator", "12-04 10:00"),
        # the agency calls its Task completed, and nobody was seen
        (left(claims=(claim("completed", "12-01 13:00"),)), (), "12-01 14:00", "no-follow-up-scheduled", "coordinator", "12-04 10:00"),
        # on the ward: before the client leaves
        (pending(), (), "12-01 09:00", "no-follow-up-scheduled", "agency", "12-03 11:00"),
        (pending(), (), "12-03 11:00", "no-follow-up-scheduled", "coordinator", "12-03 11:00"),
        (pending(expected=None), (), "12-01 09:00", "no-follow-up-scheduled", "agency", "12-04 09:00"),
    ],
)
def test_whose_a_flag_is_and_until_when(stay: Stay, told: tuple[Any, ...], as_of: str, code: str, owner: str, due: str) -> None:
    (flag,) = [each for each in now(stay, told, as_of).flags if each.code == code]
    assert (flag.owner, flag.due) == (owner, at(due))


def test_every_flag_has_its_next_step_and_the_last_day_where_it_names_one() -> None:
    assert set(NEXT_STEPS) == set(get_args(FlagCode))
    (flag,) = now(left(), (), "12-01 10:00").flags
    assert flag.next_step == "Book a mental-health visit for 2026-12-08 at the latest."


@pytest.mark.parametrize("told", [(), (appointment("12-20 10:00"),)], ids=["nothing booked", "booked too late"])
def test_what_clears_and_what_to_do_name_no_day_that_is_over(told: tuple[Any, ...]) -> None:
    for as_of, is_over in (("12-08 23:59", False), ("12-09 00:00", True)):
        flag = now(taken(), (CALL, *told), as_of).flags[0]
        assert flag.code in ("no-follow-up-scheduled", "follow-up-too-late")
        assert [("2026-12-08" in words, "at the latest" in words) for words in (flag.clears, flag.next_step)] == [(not is_over, not is_over)] * 2


def test_an_expected_discharge_long_past_names_no_day_that_is_over() -> None:
    """Expected on 12-03, and the client is still there: day 7 would have been 12-10."""
    (flag,) = now(pending(), (), "12-11 00:00").flags
    assert flag.clears == "A mental-health appointment is booked: the next that is free."
    assert now(pending(), (), "12-10 23:59").next_look == at("12-11 00:00")


def test_where_nobody_has_the_client_the_coordinator_s_flags_need_no_further_look_for_their_due_times() -> None:
    """Declined and reached: the next change is day 7 alone."""
    assert now(left(claims=DECLINED), (CALL,), "12-02 10:00").next_look == at("12-09 00:00")


@settings(max_examples=150, deadline=None)
@given(stays(near), st.lists(follow_ups(near), max_size=3).map(tuple), st.lists(contacts(near), max_size=2).map(tuple), near)
def test_no_flag_is_nobody_s_and_none_that_is_overdue_is_left_with_its_owner(stay: Stay, told: Any, contacts_: Any, as_of: Any) -> None:
    found = assess(stay, told, contacts_, as_of, POLICY)
    for flag in found.flags if found is not None else ():
        assert flag.next_step
        assert flag.due is not None
        if flag.due <= as_of:
            assert flag.owner == "coordinator"
        if flag.owner == "agency":
            assert found is not None
            assert found.agency is not None
            assert found.next_look is not None
            assert found.next_look <= flag.due
        assert flag.code in MISSED_DEADLINES or flag.due >= flag.since or found.status == "anticipated"  # type: ignore[union-attr]


def test_the_hours_are_the_policy_s() -> None:
    stay = taken(code="07")
    found = assess(stay, (), (CALL,), at("12-01 15:00"), replace(POLICY, pick_up=timedelta(hours=6), first_contact=timedelta(hours=48)))
    assert found is not None
    assert {flag.code: flag.due for flag in found.flags} == {"no-follow-up-scheduled": at("12-03 10:00"), "left-against-advice": at("12-01 16:00")}
