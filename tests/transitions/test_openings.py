"""Agencies that take no new clients are passed over, turn by turn; what they have stays theirs; who answers a later turn keeps the client."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.transitions.given import CANCELLED, at, claim, decided, left
from transitions.assess import assess
from transitions.model import Assignment, Decision
from transitions.openings import Opening
from transitions.policy import Agency, Policy

COUNTY = Policy(agencies=(Agency("river", "River", ("627*",)), Agency("harbor", "Harbor", ("62*",))))


def turns(**changes: Any) -> list[tuple[int, str | None, str, str]]:
    """Each turn: its number, whose, the Task's status, and how it ended."""
    return [(each.number, each.agency, each.status, each.ended) for each in assignments(**changes)]


def assignments(**changes: Any) -> tuple[Assignment, ...]:
    transition = assess(left(**changes), (), (), at("12-08 10:00"), COUNTY)
    assert transition is not None
    return transition.assignments


def passed(agency: str, turn: int = 1, when: str = "12-01 10:05") -> Decision:
    """The policy's word that the agency took no new clients when that turn would have begun."""
    return Decision("passed-over", str(turn), at(when), "policy", agency)


def test_the_next_agency_has_the_turn_of_one_that_was_closed_from_the_beginning() -> None:
    assert turns(decisions=(passed("river"),)) == [(1, "harbor", "requested", "")]
    (turn,) = assignments(decisions=(passed("river"),))
    assert (turn.since, turn.why) == (at("12-01 10:00"), "it serves postal codes 62*")


def test_where_all_are_closed_the_coordinator_has_the_client_and_is_told_why() -> None:
    (turn,) = assignments(decisions=(passed("river"), passed("harbor")))
    assert (turn.agency, turn.why) == (None, "no agency that the rules name takes new clients: river, harbor")


def test_one_that_was_passed_over_once_may_have_a_later_turn() -> None:
    declined = claim("rejected", "12-02 09:00", "harbor", number=1)
    given = (passed("river"),)
    assert turns(decisions=given, claims=(declined,)) == [(1, "harbor", "rejected", "declined"), (2, "river", "requested", "")]
    again = (*given, passed("river", 2, "12-02 09:00"))
    assert turns(decisions=again, claims=(declined,)) == [(1, "harbor", "rejected", "declined"), (2, None, "requested", "")]


NAMED: list[tuple[str, dict[str, Any]]] = [
    ("a referral names it", {"referred_to": ("river",)}),
    ("it has answered", {"claims": (claim("accepted", "12-01 11:00", "river", number=1),)}),
]


@pytest.mark.parametrize(("why", "changes"), NAMED, ids=[row[0] for row in NAMED])
def test_an_agency_that_is_named_or_has_answered_is_not_passed_over(why: str, changes: dict[str, Any]) -> None:
    assert turns(decisions=(passed("river"),), **changes)[0][1] == "river"


def test_a_person_may_send_a_client_to_an_agency_that_is_closed_and_it_keeps_whom_it_takes() -> None:
    given = (passed("river"), decided("route", "river", "12-01 12:00"))
    before = (1, "harbor", "cancelled", "routed")
    assert turns(decisions=given) == [before, (2, "river", "requested", "")]
    accepted = claim("accepted", "12-01 13:00", "river", number=2)
    assert turns(decisions=given, claims=(accepted,)) == [before, (2, "river", "accepted", "")]


def test_after_a_cancelled_discharge_the_agency_that_had_the_client_is_passed_over_if_it_has_closed_meanwhile() -> None:
    discharged: dict[str, Any] = {"discharged": "12-05 10:00", "taken_back": CANCELLED}
    assert turns(**discharged)[-1][:2] == (2, "river")
    assert turns(**discharged, decisions=(passed("river", 2, "12-05 10:05"),))[-1][:2] == (2, "harbor")


LATER: list[tuple[str, dict[str, Any], list[Any]]] = [
    (
        "a person routed to harbor, which accepts",
        {"decisions": (decided("route", "harbor", "12-01 12:00"),), "claims": (claim("accepted", "12-01 13:00", "harbor", number=2),)},
        [(1, "river", "cancelled", "routed"), (2, "harbor", "accepted", "")],
    ),
    (
        "river let its time go by, and harbor accepts",
        {
            "decisions": (Decision("unanswered", "1", at("12-02 10:00"), "policy", "river"),),
            "claims": (claim("accepted", "12-02 13:00", "harbor", number=2),),
        },
        [(1, "river", "cancelled", "unanswered"), (2, "harbor", "accepted", "")],
    ),
]


@pytest.mark.parametrize(("words", "changes", "expected"), LATER, ids=[row[0] for row in LATER])
def test_who_answers_a_later_turn_keeps_the_client_and_the_earlier_turns_stay_what_they_were(
    words: str, changes: dict[str, Any], expected: list[Any]
) -> None:
    assert turns(**changes) == expected


OPEN = Opening(open=True)
CLOSED = Opening(open=False, reason="two on leave")
FROM, UNTIL, AFTER = at("12-01 10:00"), at("12-03 08:00"), at("12-03 08:01")
STATES: list[tuple[str, Opening, Any, bool]] = [
    ("open", OPEN, FROM, True),
    ("open, with places", Opening(open=True, places=3), FROM, True),
    ("open, and no place is left", Opening(open=True, places=0), FROM, False),
    ("closed", CLOSED, FROM, False),
    ("closed, though it has places", replace(CLOSED, places=3), FROM, False),
    ("closed for a time", replace(CLOSED, until=UNTIL), FROM, False),
    ("that moment itself is past", replace(CLOSED, until=UNTIL), UNTIL, True),
    ("no places for a time", Opening(open=True, places=0, until=UNTIL), AFTER, True),
]


@pytest.mark.parametrize(("words", "opening", "when", "takes"), STATES, ids=[row[0] for row in STATES])
def test_when_an_agency_takes_new_clients(words: str, opening: Opening, when: Any, takes: bool) -> None:
    assert opening.takes_clients(when) is takes
