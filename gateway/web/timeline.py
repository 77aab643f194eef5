"""A transition's timeline for people: what happened, where today is, and what lies ahead, as lines for the terminal and rows for the page. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from gateway.records.times import zone_of
from gateway.web.wording import owner, read_time
from transitions.describe import flag_words

MARKS: Mapping[str, tuple[str, str]] = {
    "stay": ("o", "the stay"),
    "visit": ("o", "the stay"),
    "turn": (">", "whose turn it is"),
    "answer": (">", "whose turn it is"),
    "appointment": ("*", "appointment"),
    "contact": ("+", "contact"),
    "decision": ("#", "decision"),
    "flag": ("!", "flag"),
    "closed": ("x", "closed"),
    "now": ("=", "now"),
    "ahead": (".", "ahead"),
}
"""A kind of entry -> how it is marked on the line, and what the mark means."""

_KEPT = "\N{NO-BREAK SPACE}"
_WHEN = len("Mon 16 Nov 2026 12:45")
_MARGIN = len("-123  ") + _WHEN + len("  o  ")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing on the line. `day` counts from the day of discharge, expected or real; None where no such day is known."""

    at: datetime
    kind: str
    text: str
    day: int | None = None

    @property
    def date(self) -> str:
        """ "Mon 16 Nov 2026", as wide for every day."""
        return f"{self.at:%a} {self.at.day:>2} {self.at:%b %Y}"

    @property
    def time(self) -> str:
        """ "12:45"."""
        return f"{self.at:%H:%M}"

    @property
    def mark(self) -> str:
        """How it is marked where there is only text."""
        return MARKS[self.kind][0]


def rows(transition: Mapping[str, Any], now: datetime, agencies: Mapping[str, str] | None = None) -> tuple[Row, ...]:
    """The transition's `timeline` with now and what lies ahead, oldest first. `now` is the care clock (aware); `agencies` gives names to ids."""
    told = list(_told(transition, agencies or {}))
    if not told:
        return ()
    discharge = read_time(transition.get("discharged") or transition.get("expected_discharge"))
    here = now.astimezone(zone_of(transition["zone"]))
    found = [*told, *_ahead(transition, now, agencies or {}), Row(here, "now", "Now")]
    found.sort(key=lambda row: (row.at, row.kind == "ahead"))  # what was told comes first of one moment, and in its own order
    return tuple(Row(row.at, row.kind, row.text, _day(row.at.date(), discharge)) for row in found)


def lines(found: Sequence[Row], width: int) -> Iterator[str]:
    """The rows as text, one under the other along a line, none wider than `width`; a day and a time are written once for all that they hold."""
    yield f"{'Day':>4}  {'When':<{_WHEN}}  |"
    before: Row | None = None
    for row in found:
        is_new_day = before is None or row.date != before.date
        day = "" if row.day is None or not is_new_day else str(row.day)
        when = f"{row.date} {row.time}" if is_new_day else f"{row.time:>{_WHEN}}"
        if before is not None and not is_new_day and row.time == before.time:
            when = ""
        first, *more = textwrap.wrap(row.text, max(20, width - _MARGIN)) or [""]
        yield f"{day:>4}  {when:<{_WHEN}}  {row.mark}  {first}".rstrip()
        for words in more:
            yield f"{'':>4}  {'':<{_WHEN}}  |  {words}"
        before = row
    yield ""
    used = dict.fromkeys(MARKS[row.kind] for row in found)
    legend = "   ".join(f"{mark} {words}".replace(" ", _KEPT) for mark, words in used)
    for line in textwrap.wrap(legend, width, initial_indent="      ", subsequent_indent="      "):
        yield line.replace(_KEPT, " ")


def _told(transition: Mapping[str, Any], agencies: Mapping[str, str]) -> Iterator[Row]:
    for entry in transition.get("timeline") or ():
        at, text, agency = read_time(entry["at"]), entry["text"], entry.get("agency")
        if at is not None:
            yield Row(at, entry["kind"], text.replace(agency, agencies.get(agency, agency), 1) if agency else text)


def _ahead(transition: Mapping[str, Any], now: datetime, agencies: Mapping[str, str]) -> Iterator[Row]:
    """What is due, and when what stands here can change by itself, as far as it lies ahead."""
    for flag in transition["flags"]:
        due = read_time(flag.get("due"))
        if due is not None and due > now:
            yield Row(due, "ahead", f"{owner(flag, transition, agencies)} is to have acted: {flag_words(flag['code'])}")
    expected, look = read_time(transition.get("expected_discharge")), read_time(transition.get("next_look"))
    if transition["status"] == "anticipated" and expected is not None and expected > now:
        yield Row(expected, "ahead", "The discharge is expected")
    if look is not None and look > now:
        yield Row(look, "ahead", "Looked at again: a deadline passes")


def _day(day: date, discharge: datetime | None) -> int | None:
    return None if discharge is None else (day - discharge.date()) // timedelta(days=1)
