"""Times as statements and records carry them: ISO 8601 texts and microseconds since 1970 UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """The IANA zone; "" is UTC. Names were checked when the feed profile was read."""
    return ZoneInfo(name or "UTC")


def instant(value: Any, zone: str = "UTC") -> int | None:
    """Microseconds UTC of an ISO 8601 date or date-time; a date alone starts at local midnight of the zone; None for anything else."""
    if not isinstance(value, str) or not value:
        return None
    try:
        if len(value) > 10:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone_of(zone))
        else:
            day = date.fromisoformat(value + "-01" * (2 - value.count("-")))
            moment = datetime(day.year, day.month, day.day, tzinfo=zone_of(zone))
    except ValueError:
        return None
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment(at: int, zone: str = "UTC") -> datetime:
    """Microseconds UTC as an aware datetime in the zone."""
    return (EPOCH + timedelta(microseconds=at)).astimezone(zone_of(zone))


def microseconds(at: datetime) -> int:
    """An aware datetime as microseconds UTC."""
    return (at - EPOCH) // timedelta(microseconds=1)


def iso(at: int, zone: str = "UTC") -> str:
    """Microseconds UTC as an ISO 8601 date-time in the zone."""
    value = moment(at, zone)
    return value.isoformat(timespec="microseconds" if value.microsecond else "seconds")
