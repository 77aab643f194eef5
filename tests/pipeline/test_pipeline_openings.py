"""Agencies open and close by their own word; who is closed when its turn would begin is passed over, and knows nothing of it; a rebuild agrees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.pipeline import Received
from gateway.pipeline.intake import take
from gateway.pipeline.rebuild import rebuild, replay_all
from gateway.records.times import iso
from gateway.store.interface import ALL, Filter, Store
from tests.pipeline.county import NOW, STORY, feed, memory_folder, message, state, store_at, visit, wake
from tests.pipeline.test_decisions import HOUR, TWO, decide, transition, whose
from transitions.routing import PASSED_OVER

DAY = 24 * HOUR
LIVE = NOW + 28 * HOUR
"""2026-03-21 16:00 UTC, a quarter of an hour after the discharge that A03 tells of."""
A03 = message("ADT^A03^ADT_A03", "20260321110000", "11", visit(discharged="20260321104500", disposition="01"))
PENDING = message("ADT^A08^ADT_A01", "20260321110000", "3", visit(), "PV2|||||||||20260331")
"""The client is expected to leave on the 31st, and so comes into view on the 28th."""


def says(store: Store, agency: str, now: int, open: bool, **more: Any) -> None:
    """An agency's word on its opening, committed now."""
    body = {"agency": agency, "open": open, **more}
    about = {"by": f"{agency}-app", "request": f"{agency}{now}{open}"}
    with store.write(now) as writer:
        take(writer, Received("opening", orjson.dumps(body), about=about), now, TWO)


def same_after_rebuild(store: Store, now: int) -> bool:
    before = state(store, TWO)
    rebuild(store, TWO, now)
    return state(store, TWO) == before


def test_a_client_goes_to_the_next_agency_while_the_first_is_closed_and_stays_there_when_it_opens_again() -> None:
    with memory_folder() as folder, store_at(folder, TWO) as store:
        says(store, "river", LIVE - DAY, False, reason="two on leave")
        feed(store, [A03], LIVE, TWO)
        assert whose(store) == [("harbor", None)]
        assert transition(store)["assignments"][0]["since"] == "2026-03-21T10:45:00-05:00"
        says(store, "river", LIVE + HOUR, True)
        feed(store, [message("ADT^A08^ADT_A01", "20260321180000", "12", visit(discharged="20260321104500", disposition="01"))], LIVE + 2 * HOUR, TWO)
        assert whose(store) == [("harbor", None)]
        assert same_after_rebuild(store, LIVE + 2 * HOUR)


def test_an_agency_that_is_passed_over_learns_nothing_of_it() -> None:
    with memory_folder() as folder, store_at(folder, TWO) as store:
        says(store, "river", LIVE - DAY, False)
        feed(store, [A03], LIVE, TWO)
        with store.reading() as reader:
            assert reader.feed("river", 0, 100) == [], "not even that something was withdrawn"
            assert [each.type for each in reader.export("river")] == []
            told = b"".join(each.body or b"" for each in reader.export("harbor")) + b"".join(row.body or b"" for row in reader.worklist("harbor"))
        assert b"river" not in told.lower()


def test_where_all_are_closed_the_coordinator_has_the_client_at_once_and_is_told_why() -> None:
    with memory_folder() as folder, store_at(folder, TWO) as store:
        says(store, "river", LIVE - DAY, False)
        says(store, "harbor", LIVE - DAY, True, places=0)
        feed(store, [A03], LIVE, TWO)
        assert whose(store) == [(None, None)]
        assert transition(store)["queue"] == "coordinator"
        assert transition(store)["assignments"][0]["why"] == "no agency that the rules name takes new clients: river, harbor"
        with store.reading() as reader:
            decided = [orjson.loads(row.raw) for row in reader.messages(Filter(oldest_first=True)) if row.kind == "decision"]
        assert [(each["what"], each["about"], each["value"]) for each in decided] == [(PASSED_OVER, "river", "1"), (PASSED_OVER, "harbor", "1")]
        assert same_after_rebuild(store, LIVE)


def test_a_closing_takes_no_client_away() -> None:
    with memory_folder() as folder, store_at(folder, TWO) as store:
        feed(store, [A03], LIVE, TWO)
        says(store, "river", LIVE + 60_000_000, False)
        wake(store, LIVE + 3 * HOUR, TWO)
        feed(store, [message("ADT^A08^ADT_A01", "20260321180000", "12", visit(discharged="20260321110000", disposition="07"))], LIVE + 4 * HOUR, TWO)
        assert whose(store) == [("river", None)]
        assert same_after_rebuild(store, LIVE + 4 * HOUR)
        assert whose(store) == [("river", None)]


def test_what_counts_is_whether_it_is_open_when_the_news_comes_however_late() -> None:
    with memory_folder() as folder, store_at(folder, TWO) as store:
        says(store, "river", LIVE - DAY, False)
        says(store, "river", LIVE + 9 * DAY, True)
        feed(store, [A03], LIVE + 10 * DAY, TWO)
        assert whose(store) == [("river", None)], "it was closed on the day of the discharge, and is open now that it is asked"


def test_a_closing_ends_at_its_time() -> None:
    for until, expected in ((LIVE, "river"), (LIVE + 1_000_000, "harbor")):
        with memory_folder() as folder, store_at(folder, TWO) as store:
            says(store, "river", LIVE - DAY, False, until=iso(until))
            feed(store, [A03], LIVE, TWO)
            assert whose(store) == [(expected, None)]


def test_a_turn_that_the_clock_begins_goes_by_what_is_open_then() -> None:
    for closed, expected in ((False, "river"), (True, "harbor")):
        with memory_folder() as folder, store_at(folder, TWO) as store:
            feed(store, [PENDING], LIVE, TWO)
            assert transition(store) == {}
            if closed:
                says(store, "river", LIVE + DAY, False)
            wake(store, LIVE + 7 * DAY, TWO)
            assert whose(store) == [(expected, None)]
            assert same_after_rebuild(store, LIVE + 7 * DAY)


def test_an_agency_that_closes_while_another_has_the_client_is_not_next() -> None:
    with memory_folder() as folder, store_at(folder, TWO) as store:
        feed(store, [A03], LIVE, TWO)
        says(store, "harbor", LIVE + HOUR, False)
        wake(store, LIVE + 25 * HOUR, TWO)
        assert whose(store) == [("river", "unanswered"), (None, None)]
        assert same_after_rebuild(store, LIVE + 25 * HOUR)


def test_a_person_may_route_to_a_closed_agency() -> None:
    with memory_folder() as folder, store_at(folder, TWO) as store:
        says(store, "river", LIVE - DAY, False)
        feed(store, [A03], LIVE, TWO)
        decide(store, LIVE + HOUR, "route", "river")
        assert whose(store) == [("harbor", "routed"), ("river", None)]
        assert same_after_rebuild(store, LIVE + HOUR)


def replayed(store: Store, backwards: bool) -> None:
    with store.reading() as reader:
        numbers = [row.id for row in reader.messages(Filter(oldest_first=not backwards))]
    assert {outcome.state for _, outcome in replay_all(store, numbers, LIVE, TWO)} == {"processed"}


REPAIRS: list[Callable[[Store], object]] = [
    lambda store: rebuild(store, TWO, LIVE),
    lambda store: replayed(store, backwards=False),
    lambda store: replayed(store, backwards=True),
]


@pytest.mark.parametrize("repair", REPAIRS, ids=["rebuild", "replay", "replay backwards"])
def test_however_the_inbox_is_gone_through_again_an_agency_is_as_it_last_said(repair: Callable[[Store], object]) -> None:
    with memory_folder() as folder, store_at(folder, TWO) as store:
        says(store, "river", LIVE - 2 * DAY, True)
        says(store, "river", LIVE - DAY, False)
        repair(store)
        feed(store, [A03], LIVE, TWO)
        assert whose(store) == [("harbor", None)]


STEPS = [
    *(("message", each) for each in STORY),
    *(("opening", (agency, open)) for agency in ("river", "harbor") for open in (False, True, False)),
    *(
        ("decision", each)
        for each in (("route", "harbor"), ("close", "left-region"), ("reopen", ""), ("psychiatric", "yes"), ("route", "coordinator"))
    ),
    *(("wake", hours) for hours in (1, 26, 50)),
]


@settings(max_examples=15, deadline=None)
@given(st.permutations(STEPS))
def test_in_any_order_of_messages_openings_and_decisions_a_rebuild_reaches_the_same_state(steps: list[tuple[str, Any]]) -> None:
    with memory_folder() as folder, store_at(folder, TWO) as store:
        now = NOW
        for kind, what in steps:
            now += HOUR
            if kind == "message":
                feed(store, [what], now, TWO)
            elif kind == "opening":
                says(store, what[0], now, what[1])
            elif kind == "wake":
                now += what * HOUR
                wake(store, now, TWO)
            else:
                with store.reading() as reader:
                    standing = [orjson.loads(row.body) for row in reader.worklist(ALL) if row.body is not None]
                for one in standing:
                    body = {"transition": one["id"], "patient": one["patient"], "what": what[0], "value": what[1], "about": "", "reason": "because"}
                    with store.write(now) as writer:
                        about = {"by": "ann", "request": f"{one['id']}{now}"}
                        take(writer, Received("decision", orjson.dumps(body), about=about), now, TWO)
        wake(store, now, TWO)
        assert same_after_rebuild(store, now)
        assert wake(store, now, TWO) == 0
