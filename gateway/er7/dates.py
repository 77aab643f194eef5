"""HL7 v2 times (TS, DTM, DT) -> ISO 8601 as FHIR writes it, in the precision and with the offset that were sent."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal, NamedTuple

Precision = Literal["year", "month", "day", "minute", "second", "fraction"]

# YYYY[MM[DD[HH[MM[SS[.S…]]]]]][+/-HH[MM]]. Some senders leave the point of the fraction out: that is read when three to nine
# digits follow the seconds, for one or two would more likely be a digit too many elsewhere.
_TIME = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.([0-9]+)|([0-9]{3,9}))?)?)?)?)?)?"
    r"(?:(Z)|([+-])([0-9]{2})([0-9]{2})?)?"
)
_EPOCH = date(1970, 1, 1).toordinal()
_DAY = 86_400_000_000
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
    length = len(value)
    if (length == 19 or length == 14) and value.isascii() and value[:14].isdigit():  # what most times are, read without an expression
        start = _start(value[:8], value[14:]) if length == 19 else _start_in(value[:8], zone)
        hour, minute, second = value[8:10], value[10:12], value[12:14]
        if start is not None and hour < "24" and minute < "60" and second < "60":
            begun, written, shown = start
            instant = begun + (int(hour) * 3600 + int(minute) * 60 + int(second)) * 1_000_000
            return Moment(f"{written}T{hour}:{minute}:{second}{shown}", instant, "second", length == 14)
    elif length == 8 and value.isascii() and value.isdigit():
        midnights, number = _midnights(value[:6], zone), int(value[6:])
        if not 0 < number <= len(midnights):
            return None
        return Moment(f"{value[:4]}-{value[4:6]}-{value[6:]}", midnights[number - 1], "day", True)
    match = _TIME.fullmatch(value.strip(" "))
    if match is None:
        return None
    year, month, day, hour, minute, second, pointed, bare, utc, sign, offset_hours, offset_minutes = match.groups()
    midnight = _midnight(year, month or "01", day or "01")
    if midnight is None:
        return None
    seconds, since_midnight = 0, 0
    if hour is not None:
        if hour > "23" or (minute or "") > "59" or (second or "") > "59":
            return None
        seconds = int(hour) * 3600 + int(minute or 0) * 60 + int(second or 0)
        since_midnight = seconds * 1_000_000
    if sign:
        known = _stated(sign, offset_hours, offset_minutes or "00")
        if known is None:
            return None
        offset, shown = known
    elif utc:
        offset, shown = 0, "Z"
    else:
        ask = _offset if hour else _at  # a day that starts as a whole needs its midnight alone
        offset, shown = ask(year, month or "01", day or "01", seconds, zone)
    assumed = not sign and not utc
    if hour is None:
        instant = midnight - offset * 60_000_000
        if month is None:
            return Moment(year, instant, "year", assumed)
        if day is None:
            return Moment(f"{year}-{month}", instant, "month", assumed)
        return Moment(f"{year}-{month}-{day}", instant, "day", assumed)
    instant = midnight + since_midnight - offset * 60_000_000
    if pointed or bare:
        fraction = (pointed or bare)[:_FRACTION_DIGITS]
        instant += int(fraction[:6].ljust(6, "0"))
        return Moment(f"{year}-{month}-{day}T{hour}:{minute}:{second}.{fraction}{shown}", instant, "fraction", assumed)
    if second:
        return Moment(f"{year}-{month}-{day}T{hour}:{minute}:{second}{shown}", instant, "second", assumed)
    return Moment(f"{year}-{month}-{day}T{hour}:{minute or '00'}:00{shown}", instant, "minute", assumed)


def birth_date(value: str) -> str | None:
    """A FHIR date ("1984", "1984-03", "1984-03-12") of a TS, DTM or DT value: the day as written, whatever time and offset follow it."""
    moment = parse(value, UTC)
    return moment.text[:10] if moment else None


@lru_cache(maxsize=2048)
def _midnights(month: str, zone: tzinfo) -> tuple[int, ...]:
    """YYYYMM -> when each of its days starts in the zone, in microseconds since 1970 UTC; nothing for what is no month."""
    found: list[int] = []
    for day in range(1, 32):
        try:
            start = datetime(int(month[:4]), int(month[4:]), day, tzinfo=zone)
        except ValueError:
            break
        found.append((start.toordinal() - _EPOCH) * _DAY - _ahead(start) * 60_000_000)
    return tuple(found)


@lru_cache(maxsize=4096)
def _start(digits: str, offset: str) -> tuple[int, str, str] | None:
    """YYYYMMDD and +/-HHMM -> (when that day starts, in microseconds since 1970 UTC; the day and the offset as FHIR writes them)."""
    midnight = _midnight(digits[:4], digits[4:6], digits[6:])
    stated = _stated(offset[0], offset[1:3], offset[3:]) if offset[0] in "+-" else None
    if midnight is None or stated is None:
        return None
    return midnight - stated[0] * 60_000_000, f"{digits[:4]}-{digits[4:6]}-{digits[6:]}", stated[1]


def _midnight(year: str, month: str, day: str) -> int | None:
    """Microseconds from 1970 to the start of that day, as if it were in UTC; None when the calendar has no such day."""
    try:
        return (date(int(year), int(month), int(day)).toordinal() - _EPOCH) * _DAY
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _start_in(digits: str, zone: tzinfo) -> tuple[int, str, str] | None:
    """The same in a zone; None for a day on which the clocks are put forward or back."""
    year, month, day = digits[:4], digits[4:6], digits[6:]
    midnight = _midnight(year, month, day)
    every = _offsets(year, month, day, zone) if midnight is not None else ()
    if midnight is None or len(every) != 1:
        return None
    return midnight - every[0][0] * 60_000_000, f"{year}-{month}-{day}", every[0][1]


@lru_cache(maxsize=256)
def _stated(sign: str, hours: str, minutes: str) -> tuple[int, str] | None:
    """An offset as sent: in minutes, and as FHIR writes it; None for none, and beyond 14 hours."""
    if not (hours.isdigit() and minutes.isdigit()):
        return None
    offset = int(hours) * 60 + int(minutes)
    if offset > 14 * 60 or minutes > "59":
        return None
    return -offset if sign == "-" else offset, f"{sign}{hours}:{minutes}"


def _offset(year: str, month: str, day: str, seconds: int, zone: tzinfo) -> tuple[int, str]:
    """The zone's offset at a local time: in minutes, and as FHIR writes it."""
    every = _offsets(year, month, day, zone)
    return every[0] if len(every) == 1 else _at(year, month, day, seconds, zone)


@lru_cache(maxsize=4096)
def _offsets(year: str, month: str, day: str, zone: tzinfo) -> tuple[tuple[int, str], ...]:
    """The offsets that a zone has at the hours of one day: one, but for the days on which clocks are put forward or back."""
    return tuple(dict.fromkeys(_at(year, month, day, seconds, zone) for seconds in (*range(0, 86_400, 3600), 86_399)))


def _at(year: str, month: str, day: str, seconds: int, zone: tzinfo) -> tuple[int, str]:
    """The zone's offset at a local time: in minutes, and as FHIR writes it, from the zone itself."""
    local = datetime(int(year), int(month), int(day)) + timedelta(seconds=seconds)  # noqa: DTZ001 - the zone is asked about it
    minutes = _ahead(local.replace(tzinfo=zone))
    hours, rest = divmod(abs(minutes), 60)
    return minutes, f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def _ahead(local: datetime) -> int:
    """How many minutes its zone is ahead of UTC at a local time. Seconds (mean solar time, before zones) are cut off."""
    try:
        ahead = local.utcoffset() or _NOTHING
    except (OverflowError, ValueError):
        ahead = _NOTHING  # the first and last day of the calendar, in a zone that looks beyond it
    whole = ahead.days * 86_400 + ahead.seconds
    return whole // 60 if whole >= 0 else -(-whole // 60)
