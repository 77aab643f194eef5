"""Days and hours: calendar days in the facility's zone, elapsed hours, and a clock that remembers what it was asked.

Two kinds of time run side by side. A *day* is the facility's calendar day, 23 or 25 hours long when the clocks change: "day 7" is the seventh
calendar day after the day of discharge (which is day 0 and never counts), and its deadline is the midnight that ends it. *Hours* are elapsed
time: 72 hours are 72 hours whatever the clocks do. Every moment returned here is in UTC, because datetimes that share a zone compare by
their wall clocks, which is wrong in the hour that comes twice.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

END_OF_TIME = datetime.max.replace(tzinfo=UTC)
"""Stands for every moment that a datetime cannot hold; no clock reaches it."""

_BEGIN_OF_TIME = datetime.min.replace(tzinfo=UTC)


class Clock:
    """The moment of assessment, and the earliest later moment that it was asked about.

    All of an assessment's dependence on time goes through `passed`; so the answer cannot change by itself before `next_look`.
    """

    __slots__ = ("as_of", "next_look")

    def __init__(self, as_of: datetime) -> None:
        self.as_of = utc(as_of)
        self.next_look: datetime | None = None

    def passed(self, moment: datetime) -> bool:
        """Whether the moment (UTC) has come; if not, it is worth a look when it does."""
        if moment <= self.as_of:
            return True
        if moment != END_OF_TIME and (self.next_look is None or moment < self.next_look):
            self.next_look = moment
        return False


def utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises TypeError for a naive datetime."""
    if moment.tzinfo is UTC:
        return moment
    offset = moment.utcoffset()
    if offset is None:
        raise TypeError("a datetime without a time zone says no moment")
    try:
        return (moment.replace(tzinfo=None) - offset).replace(tzinfo=UTC)
    except OverflowError:
        return END_OF_TIME if moment.year > 1 else _BEGIN_OF_TIME


def after(moment: datetime, elapsed: timedelta) -> datetime:
    """A moment (UTC) and so much elapsed time."""
    try:
        return moment + elapsed
    except OverflowError:
        return END_OF_TIME if elapsed > timedelta() else _BEGIN_OF_TIME


def local_day(moment: datetime, zone: str) -> date:
    """The facility's calendar day on which the moment falls."""
    try:
        return moment.astimezone(_zone(zone)).date()
    except OverflowError:
        return moment.date()


def local_time(moment: datetime, zone: str) -> str:
    """The moment for people, in the facility's zone: "2026-12-01 10:00"."""
    try:
        return f"{moment.astimezone(_zone(zone)):%Y-%m-%d %H:%M}"
    except OverflowError:
        return f"{moment:%Y-%m-%d %H:%M}"


def start_of_day(day: date, later: int, zone: str) -> datetime:
    """The moment (UTC) at which the calendar day `later` days after `day` begins in the zone."""
    return _start(day.toordinal() + later, zone)


@lru_cache(maxsize=16384)
def _start(ordinal: int, zone: str) -> datetime:
    if ordinal > date.max.toordinal():
        return END_OF_TIME
    if ordinal < 1:
        return _BEGIN_OF_TIME
    day = date.fromordinal(ordinal)
    return utc(datetime(day.year, day.month, day.day, tzinfo=_zone(zone)))


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo:
    """The IANA zone; UTC where no such zone is known, for a wrong name must not cost a client."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC
