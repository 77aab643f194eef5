"""HL7 v2 times (TS, DTM, DT) -> ISO 8601 as FHIR writes it, in the precision and with the offset that were sent."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal, NamedTuple

Precision = Literal["year", "month", "day", "minute", "second", "fraction"]

# YYYY[MM[DD[HH[MM[SS[.S…]]]]]][+/-HH[MM]]. Some senders leave the point of the fraction out: that is read when three to nine
# digits follow the seconds, for one or two would more likely be a digit too many elsewhere.
_TIME = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.([0-9]+)|([0-9]{3,9}))?)?)?)?)?)?"
    r"(?:(Z)|([+-])([0-9]{2})([0-9]{2})?)?"
)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose: the offset is taken off by hand
_MICROSECOND = timedelta(microseconds=1)
_NOTHING = timedelta(0)
_FRACTION_DIGITS = 9
"""FHIR R5's allowance, which R4 leaves open; what is beyond a nanosecond is cut off, not rounded."""


class Moment(NamedTuple):
    """A point in time as a sender said it."""

    text: str
    """"2026", "2026-11", "2026-11-22" or "2026-11-22T10:00:00-06:00": a FHIR dateTime."""
    instant: int
    """Its start, in microseconds since 1970 UTC. A fraction finer than that is cut off."""
    precision: Precision
    """What was sent. A time without seconds is "minute", and so is an hour alone: FHIR asks for seconds, so `text` says :00."""
    zone_assumed: bool
    """True where the sender gave no offset, and the feed's time zone gave it (or, for a date, placed its `instant`)."""


def parse(value: str, zone: tzinfo) -> Moment | None:
    """The moment that a TS, DTM or DT value names; None when it names none (garbage, 24:00, second 60, 31 November). Never raises.

    An offset in the value is kept as it is. Without one, `zone` says what it was on that day: in the hour that comes twice in autumn the
    first is meant (summer time), and in the hour that is left out in spring the offset from before it holds (Python's `fold=0`).
    """
    match = _TIME.fullmatch(value.strip(" "))
    if match is None:
        return None
    year, month, day, hour, minute, second, pointed, bare, utc, sign, offset_hours, offset_minutes = match.groups()
    fraction = (pointed or bare or "")[:_FRACTION_DIGITS]
    try:
        local = datetime(  # noqa: DTZ001
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int(fraction[:6].ljust(6, "0")) if fraction else 0,
        )
    except ValueError:
        return None
    assumed = False
    if sign:
        offset = int(offset_hours) * 60 + int(offset_minutes or 0)
        if offset > 14 * 60 or int(offset_minutes or 0) > 59:
            return None
        shown = f"{sign}{offset_hours}:{offset_minutes or '00'}"
        if sign == "-":
            offset = -offset
    elif utc:
        offset, shown = 0, "Z"
    else:
        assumed = True
        offset, shown = _offset(local, zone)
    instant = (local - _EPOCH) // _MICROSECOND - offset * 60_000_000
    if hour is None:
        if month is None:
            return Moment(year, instant, "year", assumed)
        if day is None:
            return Moment(f"{year}-{month}", instant, "month", assumed)
        return Moment(f"{year}-{month}-{day}", instant, "day", assumed)
    clock = f"{year}-{month}-{day}T{hour}:{minute or '00'}:{second or '00'}"
    if fraction:
        return Moment(f"{clock}.{fraction}{shown}", instant, "fraction", assumed)
    return Moment(f"{clock}{shown}", instant, "second" if second else "minute", assumed)


def birth_date(value: str) -> str | None:
    """A FHIR date ("1984", "1984-03", "1984-03-12") of a TS, DTM or DT value: the day as written, whatever time and offset follow it."""
    moment = parse(value, UTC)
    return moment.text[:10] if moment else None


def _offset(local: datetime, zone: tzinfo) -> tuple[int, str]:
    """The zone's offset at a local time: in minutes, and as FHIR writes it. Seconds (mean solar time, before zones) are cut off."""
    try:
        ahead = local.replace(tzinfo=zone).utcoffset() or _NOTHING
    except (OverflowError, ValueError):
        ahead = _NOTHING  # the first and last day of the calendar, in a zone that looks beyond it
    seconds = ahead.days * 86_400 + ahead.seconds
    minutes = seconds // 60 if seconds >= 0 else -(-seconds // 60)
    return minutes, _shown(minutes)


@lru_cache(maxsize=256)
def _shown(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
