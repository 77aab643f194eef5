"""The pure parts: what is an event of which topic, filters, pauses, and what is due when. Expected values by hand."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import Invalid
from gateway.subscriptions import schedule
from gateway.subscriptions.schedule import SECOND, Breakers
from gateway.subscriptions.topics import TOPICS, criteria, event


def transition(status: str = "open", flags: tuple[str, ...] = (), state: str = "none", **more: Any) -> dict[str, Any]:
    return {
        "status": status,
        "flags": [{"code": code} for code in flags],
        "follow_up": {"state": state, "start": more.pop("start", None)},
        "tier": "high",
        "agency": "river",
        "hospital": "St. Mary",
        "patient": "Patient/p1",
        **more,
    }


@pytest.mark.parametrize(
    ("topic", "before", "now", "detail"),
    [
        ("transition-opened", None, transition("anticipated"), ()),
        ("transition-opened", transition("anticipated"), transition("open"), ()),
        ("transition-opened", transition("closed"), transition("open"), ()),
        ("transition-opened", transition("open"), transition("open", tier="urgent"), None),
        ("transition-opened", transition("open"), transition("closed"), None),
        ("transition-opened", None, transition("void"), None),
        ("transition-flagged", None, transition(flags=("no-contact",)), ("no-contact",)),
        ("transition-flagged", transition(flags=("no-contact",)), transition(flags=("no-contact", "not-picked-up")), ("not-picked-up",)),
        ("transition-flagged", transition(flags=("no-contact",)), transition(flags=("no-contact",), tier="urgent"), None),
        ("transition-flagged", transition(flags=("no-contact",)), transition(), None),
        ("follow-up-changed", transition(), transition(state="booked", start="2026-11-24T10:00:00-06:00"), ()),
        ("follow-up-changed", transition(state="booked", start="a"), transition(state="booked", start="b"), ()),
        ("follow-up-changed", transition(state="booked", start="a"), transition(state="booked", start="a", tier="urgent"), None),
        ("follow-up-changed", transition(state="booked"), transition(state="missed"), ()),
        ("follow-up-changed", None, transition(state="booked"), None),
    ],
)
def test_what_is_an_event_of_a_topic(topic: str, before: Any, now: Any, detail: Any) -> None:
    assert event(TOPICS[topic], (), before, now) == detail


@pytest.mark.parametrize(
    ("topic", "text", "holds"),
    [
        ("transition-flagged", "Task?flag=no-contact", True),
        ("transition-flagged", "flag=emergency-return,no-contact", True),
        ("transition-flagged", "Task?flag=emergency-return", False),
        ("transition-flagged", "Task?flag=no-contact&tier=urgent", False),
        ("transition-flagged", "Task?owner=Organization/river&tier=high&hospital=St.%20Mary", True),
        ("transition-flagged", "Task?owner=river", True),
        ("transition-flagged", "Task?patient=Patient/p1", True),
        ("transition-flagged", "Task?patient=Patient/p", False),
        ("follow-up-changed", "Task?follow-up=booked,missed", True),
        ("follow-up-changed", "Task?follow-up=cancelled", False),
        ("transition-opened", "Task?status=open", True),
        ("transition-opened", "Task?status=anticipated", False),
    ],
)
def test_what_a_filter_lets_through(topic: str, text: str, holds: bool) -> None:
    before = None if topic != "follow-up-changed" else transition()
    now = transition(flags=("no-contact",), state="booked")
    asked = criteria(TOPICS[topic], text)
    assert (event(TOPICS[topic], asked, before, now) is not None) is holds


@pytest.mark.parametrize(
    "text", ["", "Task?", "Task", "Patient?patient=p1", "Task?tier", "Task?tier=", "Task?tier=urgent,", "Task?tier:not=urgent", "Task?_id=1"]
)
def test_a_filter_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        criteria(TOPICS["transition-opened"], text)


def test_pauses_lie_between_a_second_and_an_hour_and_grow() -> None:
    """Full jitter: after the nth failure anything from 1 s to 2 to the nth seconds, an hour at most."""
    for failures, longest in ((1, 2), (2, 4), (5, 32), (12, 3600), (1000, 3600)):
        pauses = [schedule.pause_after(failures) for _ in range(200)]
        assert min(pauses) >= SECOND
        assert max(pauses) <= longest * SECOND
    assert len(set(pauses)) > 100


def test_an_endpoint_is_left_alone_after_five_failures_and_tried_by_one() -> None:
    breakers = Breakers()
    for _ in range(4):
        breakers.failed("a", 0)
    assert breakers.left_alone_until("a", 0, SECOND) is None
    breakers.failed("a", 0)
    until = breakers.left_alone_until("a", 0, SECOND)
    assert until is not None
    assert breakers.left_alone_until("b", 0, SECOND) is None
    assert breakers.left_alone_until("a", until, SECOND) is None, "one tries"
    assert breakers.left_alone_until("a", until, SECOND) == until + SECOND, "the others wait for it"
    breakers.succeeded("a")
    assert breakers.left_alone_until("a", until, SECOND) is None
