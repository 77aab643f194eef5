"""Long stays: nearing their usual end the discharge is expected; with no word of it at all, the hospital's feed is asked (issue 5, points 3, 4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from gateway.pipeline.feed_states import feed_states
from gateway.pipeline.rebuild import rebuild
from gateway.store.interface import ALL, Store
from tests.pipeline.county import feed, memory_folder, state, wake
from tests.pipeline.test_tracker_stories import DEPRESSION, IN, INFARCTION, OUT, TOLD, adt, moment_of, pv1, said, store_since
from transitions.policy import Policy

DAY = 24 * 3_600_000_000
ADMITTED = "2026-03-02T09:00:00-06:00"
SIXTY_DAYS_LATER = moment_of("2026-05-02T00:00:00-05:00")
"""The stay began on 2 March; 1 May is its sixtieth day, and ends with this midnight."""
TEN = replace(TOLD, policy=replace(TOLD.policy, typical_stay_days=10))


def flags(store: Store, recipient: str = ALL) -> list[dict[str, Any]]:
    with store.reading() as reader:
        return [orjson.loads(each.body) for each in reader.search(recipient, "Flag") if each.body is not None]


def overdue(store: Store) -> dict[str, int]:
    """Stays without a discharge, by the feeds that have any."""
    with store.reading() as reader:
        return {each.name: each.overdue_stays for each in feed_states(reader, TOLD.feeds, 0) if each.overdue_stays}


def test_after_sixty_days_with_no_discharge_the_hospital_s_feed_is_asked_and_the_client_has_no_flag() -> None:
    with memory_folder() as folder, store_since(ADMITTED, folder) as store:
        feed(store, [IN], moment_of(ADMITTED), TOLD)
        wake(store, SIXTY_DAYS_LATER - 1, TOLD)
        assert overdue(store) == {}
        assert wake(store, SIXTY_DAYS_LATER, TOLD) == 1, "the clock looks at exactly that moment"
        assert overdue(store) == {"st-mary": 1}
        assert said(store) == (), "no transition comes of it"
        (flag,) = flags(store)
        assert flag["subject"]["reference"].startswith("Organization/")
        assert flags(store, "river") == []
        before = state(store, TOLD)
        rebuild(store, TOLD, SIXTY_DAYS_LATER)
        assert state(store, TOLD) == before


@pytest.mark.parametrize("answer", [OUT, adt("A11", "0302 1000", pv1()), adt("A23", "0303 1000", pv1())])
def test_the_question_is_answered_by_a_discharge_or_by_taking_the_admission_back(answer: bytes) -> None:
    with memory_folder() as folder, store_since(ADMITTED, folder) as store:
        feed(store, [IN], moment_of(ADMITTED), TOLD)
        wake(store, SIXTY_DAYS_LATER, TOLD)
        feed(store, [answer], SIXTY_DAYS_LATER + DAY, TOLD)
        assert overdue(store) == {}


def test_a_medical_stay_and_an_outpatient_visit_are_nobody_s_question() -> None:
    heart = adt("A01", "0302 0900", pv1("MED3"), INFARCTION)
    visit = adt("A04", "0302 0900", pv1("OPD", "C1", kind="O"), DEPRESSION)
    with memory_folder() as folder, store_since(ADMITTED, folder) as store:
        feed(store, [heart, visit], moment_of(ADMITTED), TOLD)
        wake(store, SIXTY_DAYS_LATER + DAY, TOLD)
        assert overdue(store) == {}


def test_three_days_before_a_stay_is_as_long_as_stays_usually_are_its_discharge_is_expected() -> None:
    """Ten days from 2 March are 12 March; from the midnight that begins 9 March on it is in view."""
    nears = moment_of("2026-03-09T00:00:00-05:00")
    with memory_folder() as folder, store_since(ADMITTED, folder) as store:
        feed(store, [IN], moment_of(ADMITTED), TEN)
        wake(store, nears - 1, TEN)
        assert said(store) == ()
        wake(store, nears, TEN)
        assert said(store) == ("st-mary - anticipated|none|no-follow-up-scheduled",)
        (flag,) = [each for each in flags(store) if each["code"]["coding"][0]["code"] == "no-follow-up-scheduled"]
        assert "10 days that stays usually last" in flag["text"]["div"]


@pytest.mark.parametrize(
    ("sent", "expect"),
    [
        ((adt("A08", "0303 0900", pv1(), "PV2|||||||||20260330"),), ()),  # the hospital knows better: not before 27 March
        ((adt("A16", "0304 0900", pv1()), adt("A25", "0305 0900", pv1())), ("st-mary - void|none|",)),  # it goes on, the hospital says
        ((OUT, adt("A13", "0310 1500", pv1())), ("st-mary - void|none|",)),
    ],
)
def test_what_the_hospital_says_of_the_end_stands_above_the_usual_length(sent: tuple[bytes, ...], expect: tuple[str, ...]) -> None:
    now = moment_of("2026-03-12T12:00:00-05:00")
    with memory_folder() as folder, store_since(ADMITTED, folder) as store:
        feed(store, [IN, *sent], now, TEN)
        wake(store, now, TEN)
        assert said(store) == expect


def test_unless_the_policy_says_a_length_none_is_expected() -> None:
    assert Policy().typical_stay_days is None
