"""The topics that may be subscribed to, and the filters that each allows. Pure.

A topic is asked with a transition as the subscriber saw it before a change and sees it now, in the shape of the transitions feed. So nothing that the
subscriber may not see can be an event, or decide whether something is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, get_args
from urllib.parse import parse_qsl

from gateway.errors import Invalid
from gateway.records.statements import Json
from transitions.model import FlagCode, FollowUpState, Status, Tier

Detail = tuple[str, ...]
"""What an event is about beside its transition: the codes of new flags."""


class Filter(NamedTuple):
    """A filter's name, the values it can have (none: any), and what it holds against an event."""

    name: str
    values: frozenset[str]
    of: Callable[[Json, Detail], Sequence[str | None]]


class Topic(NamedTuple):
    """A topic. `event` says what a change is of it: the event's detail, None where it is no event."""

    name: str
    about: str
    filters: tuple[Filter, ...]
    event: Callable[[Json | None, Json], Detail | None]


class Criterion(NamedTuple):
    """A filter as a subscriber set it: any of the values holds."""

    name: str
    values: frozenset[str]


_COMMON = (
    Filter("owner", frozenset(), lambda now, _: [now.get("agency")]),
    Filter("patient", frozenset(), lambda now, _: [str(now.get("patient", "")).removeprefix("Patient/")]),
    Filter("hospital", frozenset(), lambda now, _: [now.get("hospital")]),
    Filter("tier", frozenset(get_args(Tier)), lambda now, _: [now.get("tier")]),
)
_REFERENCES = {"owner": "Organization/", "patient": "Patient/"}
"""Filters whose values may be written as references."""


def _opened(before: Json | None, now: Json) -> Detail | None:
    new = before is None or before["status"] != now["status"]
    return () if new and now["status"] in ("anticipated", "open") else None


def _flagged(before: Json | None, now: Json) -> Detail | None:
    had = {flag["code"] for flag in before["flags"]} if before else set()
    return tuple(flag["code"] for flag in now["flags"] if flag["code"] not in had) or None


def _follow_up_changed(before: Json | None, now: Json) -> Detail | None:
    if before is None:
        return None
    return () if any(before["follow_up"].get(key) != now["follow_up"].get(key) for key in ("state", "start")) else None


TOPICS = {
    topic.name: topic
    for topic in (
        Topic(
            "transition-opened",
            "A client is leaving inpatient care, or has left, and is yours to follow up; or one whose transition was closed is open again.",
            (*_COMMON, Filter("status", frozenset(get_args(Status)), lambda now, _: [now.get("status")])),
            _opened,
        ),
        Topic(
            "transition-flagged",
            "A flag was raised on a transition.",
            (*_COMMON, Filter("flag", frozenset(get_args(FlagCode)), lambda _, codes: codes)),
            _flagged,
        ),
        Topic(
            "follow-up-changed",
            "Follow-up was booked, moved, kept, missed or cancelled.",
            (*_COMMON, Filter("follow-up", frozenset(get_args(FollowUpState)), lambda now, _: [now["follow_up"].get("state")])),
            _follow_up_changed,
        ),
    )
}


def canonical(base_url: str, name: str) -> str:
    """The canonical URL of a topic here."""
    return f"{base_url}/fhir/SubscriptionTopic/{name}"


def topic_of(base_url: str, url: str) -> Topic | None:
    """The topic with this canonical URL."""
    return next((topic for name, topic in TOPICS.items() if canonical(base_url, name) == url), None)


def criteria(topic: Topic, text: str) -> tuple[Criterion, ...]:
    """A filter as the subscriber wrote it: `Task?owner=Organization/river&tier=urgent,high`, with or without `Task?`. Raises Invalid."""
    kind, _, query = text.rpartition("?")
    if kind not in ("", "Task"):
        raise Invalid("Filters are of the Task, which is the focus of every topic", advice="Write it as Task?tier=urgent.")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=20)
    except ValueError:
        pairs = []
    known = {each.name: each for each in topic.filters}
    if not pairs or any(name not in known for name, _ in pairs):
        raise Invalid("This topic has no such filter", advice=f"It has {', '.join(known)}.")
    return tuple(_criterion(known[name], value) for name, value in pairs)


def _criterion(known: Filter, value: str) -> Criterion:
    values = frozenset(each.removeprefix(_REFERENCES.get(known.name, "")) for each in value.split(","))
    if "" in values or (known.values and not values <= known.values):
        raise Invalid("This filter has no such value", advice=f"{known.name} is one of {', '.join(sorted(known.values))}." if known.values else "")
    return Criterion(known.name, values)


def event(topic: Topic, asked: Sequence[Criterion], before: Json | None, now: Json) -> Detail | None:
    """The detail of the event that a change is of this topic and within these filters; None where it is none."""
    detail = topic.event(before, now)
    if detail is None:
        return None
    known = {each.name: each for each in topic.filters}
    return detail if all(set(known[one.name].of(now, detail)) & one.values for one in asked) else None
