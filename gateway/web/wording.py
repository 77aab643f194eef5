"""A transition's JSON as words for people: what the pages and the terminal both say. Pure.

A transition here is the JSON object of DESIGN's "JSON shapes"; times in it carry the facility's offset, and are shown as they read there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from transitions.describe import flag_words

CLOSED_AS: Mapping[str, str] = {
    "follow-up-kept": "seen",
    "readmitted": "readmitted",
    "transferred": "transferred",
    "died": "died",
    "hospice": "hospice care",
    "left-region": "left the region",
    "unable-to-contact": "could not be reached",
    "window-elapsed": "window elapsed",
}

COORDINATOR = "Coordinator"
"""Who has what is no agency's."""

FOLLOW_UP: Mapping[str, str] = {
    "none": "none",
    "booked": "booked",
    "kept": "kept",
    "missed": "missed",
    "cancelled": "cancelled",
    "outcome-unknown": "outcome unknown",
}


@dataclass(frozen=True, slots=True)
class FlagLine:
    """One flag: its code and words, since when, what would clear it, and what it rests on as (words, reference); whose it is, and what to do next."""

    code: str
    title: str
    since: str
    clears: str
    evidence: tuple[tuple[str, str], ...]
    whose: str = ""  # "Coordinator, overdue since Fri 20 Nov 2026 11:00", "River CMH, due Tue 24 Nov 2026 10:00"
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One transition as a line of the list."""

    id: str
    name: str
    born: str
    numbers: tuple[str, ...]
    hospital: str
    status: str  # "anticipated" | "open" | "closed" | "void"
    since: str  # "8 days ago", "leaves in 2 days", "seen", "discharge cancelled"
    on: str  # the date behind `since`
    tier: str
    reasons: tuple[str, ...]
    flags: tuple[FlagLine, ...]
    follow_up: str  # "booked", "none" …
    follow_up_at: str  # "Thu 26 Nov 10:00", "" without one
    agency: str
    next_look: str


def entry(transition: Mapping[str, Any], now: datetime, agencies: Mapping[str, str] | None = None) -> Entry:
    """A transition as words. `now` is the care clock (aware); `agencies` gives names to agency ids."""
    client = transition["client"]
    since, on = _since(transition, now)
    agency = transition.get("agency")
    return Entry(
        id=transition["id"],
        name=client.get("name") or "Name not known",
        born=client.get("birth_date") or "birth date not known",
        numbers=tuple(identifier["value"] for identifier in client.get("identifiers") or ()),
        hospital=transition.get("hospital") or "hospital not known",
        status=transition["status"],
        since=since,
        on=on,
        tier=transition["tier"],
        reasons=tuple(transition.get("reasons") or ()),
        flags=tuple(_flag(flag, transition, now, agencies or {}) for flag in transition["flags"]),
        follow_up=FOLLOW_UP.get(transition["follow_up"]["state"], transition["follow_up"]["state"]),
        follow_up_at=_start(transition["follow_up"].get("start")),
        agency=(agencies or {}).get(agency, agency) if agency else COORDINATOR,
        next_look=moment_words(transition.get("next_look")),
    )


@lru_cache(maxsize=4096)
def moment_words(text: str | None) -> str:
    """An ISO 8601 time as people write it, "Thu 26 Nov 2026 10:00"; "" for none. A date alone has no hour."""
    moment = read_time(text)
    if moment is None:
        return ""
    return f"{moment:%a} {moment.day} {moment:%b %Y}" + (f" {moment:%H:%M}" if text and len(text) > len("2026-11-26") else "")


def read_time(text: str | None) -> datetime | None:
    """An aware datetime, in the offset that was written; UTC where none was."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def owner(flag: Mapping[str, Any], transition: Mapping[str, Any], agencies: Mapping[str, str]) -> str:
    """Who has a flag, by name."""
    match flag.get("owner"):
        case "agency":
            agency = transition.get("agency") or "the agency"
            return agencies.get(agency, agency)
        case "hospital":
            return transition.get("hospital") or "the hospital"
        case _:
            return COORDINATOR


def _flag(flag: Mapping[str, Any], transition: Mapping[str, Any], now: datetime, agencies: Mapping[str, str]) -> FlagLine:
    whose, due = owner(flag, transition, agencies), read_time(flag.get("due"))
    if due is not None:
        whose = f"{whose}, {'overdue since' if due <= now else 'due'} {moment_words(flag['due'])}"
    evidence = tuple((item["text"], item.get("reference") or "") for item in flag.get("evidence") or ())
    return FlagLine(
        flag["code"], flag_words(flag["code"]), moment_words(flag.get("since")), flag["clears"], evidence, whose, flag.get("next_step") or ""
    )


def _since(transition: Mapping[str, Any], now: datetime) -> tuple[str, str]:
    status = transition["status"]
    if status == "void":
        return "discharge cancelled", ""
    discharged, expected = transition.get("discharged"), transition.get("expected_discharge")
    if status == "closed":
        return CLOSED_AS.get(transition.get("closed_as") or "", "closed"), _day(transition.get("since") or discharged)
    if status == "anticipated":
        if not expected:
            return "leaves soon", ""
        days = _days(expected, now)
        return f"{'was to leave' if days.endswith(('ago', 'yesterday')) else 'leaves'} {days}", _day(expected)
    return f"left {_days(discharged, now)}" if discharged else "left, day not known", _day(discharged)


def _days(text: str | None, now: datetime) -> str:
    """A day seen from today, counted in calendar days where it was written."""
    moment = read_time(text)
    if moment is None:
        return "on a day not known"
    offset = timezone(moment.utcoffset() or timedelta())
    days = (moment.date() - now.astimezone(offset).date()).days
    if days == 0:
        return "today"
    if abs(days) == 1:
        return "tomorrow" if days > 0 else "yesterday"
    return f"in {days} days" if days > 0 else f"{-days} days ago"


def _day(text: str | None) -> str:
    moment = read_time(text)
    return f"{moment:%a} {moment.day} {moment:%b}" if moment else ""


def _start(text: str | None) -> str:
    start = read_time(text)
    return f"{start:%a} {start.day} {start:%b} {start:%H:%M}" if start else ""
