"""FHIR's date, dateTime and instant as stretches of time, in microseconds since 1970 UTC. http://hl7.org/fhir/R4/datatypes.html#dateTime"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SHAPE = re.compile(
    r"^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?$",
    re.ASCII,
)


def stretch(value: str, zone: tzinfo = UTC) -> tuple[int, int] | None:
    """[first, next) of a date or time in the precision it has; None when it is none. A time without an offset is read in `zone`."""
    found = _SHAPE.match(value)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        start = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), min(int(second or 0), 59), tzinfo=zone)
        start = start.replace(microsecond=int((fraction or "")[:6].ljust(6, "0")))
        if offset:
            start = datetime.fromisoformat(start.replace(tzinfo=None).isoformat() + offset.replace("Z", "+00:00"))
        if hour is not None:
            width = 1 if fraction else 1_000_000 if second is not None else 60_000_000
            first = micros(start)
            return first, first + width
        return micros(start), micros(_next(start, month is not None, day is not None))
    except (ValueError, OverflowError):
        return None


def _next(start: datetime, has_month: bool, has_day: bool) -> datetime:
    if has_day:
        return start + timedelta(days=1)
    if has_month:
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return start.replace(year=start.year + 1)


def micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware moment."""
    return (moment - _EPOCH) // _MICROSECOND


def first(value: object) -> int | None:
    """The first microsecond of a FHIR date or time; None when `value` is none."""
    found = stretch(value) if isinstance(value, str) else None
    return found[0] if found else None


def instant(at: int) -> str:
    """A FHIR instant with microseconds: what meta.lastUpdated says, so that equal stamps cannot lose rows."""
    second, microseconds = divmod(at, 1_000_000)
    return f"{_second(second)}.{microseconds:06d}Z"


@lru_cache(4096)
def _second(at: int) -> str:
    """A second since 1970, without its offset: what a group commits mostly shares it."""
    return (_EPOCH + timedelta(seconds=at)).isoformat()[:-6]


def http_date(at: int) -> str:
    """An HTTP date (RFC 9110, 5.6.7), whole seconds, rounded down."""
    moment = _EPOCH + timedelta(microseconds=at)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[moment.month - 1]
    return f"{day}, {moment.day:02d} {month} {moment.year:04d} {moment:%H:%M:%S} GMT"
