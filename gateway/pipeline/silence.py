"""When is a hospital's silence an alarm? Its own rhythm, by weekday and hour, says. Pure.

A feed's history is the hours in which it was heard. For each hour of its week we know in how many of the last weeks it was heard in that hour. While
it is silent, the chances that it would have stayed silent in each full hour are multiplied; when what is left is less than one in five hundred, it is
an alarm. A ward that never sends at night is not missed at night; one that sends every daytime hour is missed after three.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from math import ceil, log

from gateway.store.interface import HOUR, Heard

WEEKS = 8
"""How far back a rhythm is learnt from, counted from when the feed was last heard: silence teaches nothing."""
_LEARNT_AFTER = 14 * 24
_WHILE_LEARNING = 48
"""Hours that a new feed may be silent, or longer if it speaks seldom: nights and weekends are not known yet."""
_UNLIKELY = 1 / 500
_SUREST = 0.9
"""However regular a feed was, one silent hour alone says little."""
_DOUBT = 0.1
"""Weight of the feed's average hour beside what is known of the hour itself."""
_GIVE_UP = 24 * 366
"""So many silent hours are an alarm whatever the rhythm was."""


@dataclass(frozen=True, slots=True)
class Silence:
    """How silent a feed is. Times in microseconds UTC; `alarm` is when the silence became one (or will), None for a feed that was never heard."""

    last: int | None
    alarm: int | None
    learning: bool

    def is_alarm(self, now: int) -> bool:
        """Whether the silence has become an alarm by now."""
        return self.alarm is not None and self.alarm <= now


def silence(heard: Iterable[Heard], zone: tzinfo) -> Silence:
    """The silence since a feed was last heard, by its rhythm in its own time zone."""
    hours = sorted(heard, key=lambda each: each.hour)
    if not hours:
        return Silence(None, None, learning=True)
    last = hours[-1]
    counted = [each.hour for each in hours if each.hour > last.hour - WEEKS * 7 * 24]
    if last.hour - counted[0] < _LEARNT_AFTER:
        lived = max(24, last.hour - counted[0] + 1)
        patience = max(_WHILE_LEARNING, ceil(-log(_UNLIKELY) * lived / len(counted)))
        return Silence(last.last, last.last + patience * HOUR, learning=True)
    chances = _chances(counted, zone)
    left, hour = 1.0, last.hour
    while left >= _UNLIKELY and hour - last.hour < _GIVE_UP:
        hour += 1
        left *= 1 - chances[_slot(hour, zone)]
    return Silence(last.last, (hour + 1) * HOUR, learning=False)


def _chances(counted: list[int], zone: tzinfo) -> dict[tuple[int, int], float]:
    """The chance of being heard in each hour of the week."""
    first, last = counted[0], counted[-1]
    lived = Counter(_slot(hour, zone) for hour in range(first, last + 1))
    heard = Counter(_slot(hour, zone) for hour in counted)
    average = len(counted) / (last + 1 - first)
    every = ((day, hour) for day in range(7) for hour in range(24))
    return {slot: min(_SUREST, (heard[slot] + _DOUBT * average) / (lived[slot] + _DOUBT)) for slot in every}


def _slot(hour: int, zone: tzinfo) -> tuple[int, int]:
    """(weekday, hour of the day) in the zone."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hour)).astimezone(zone)
    return local.weekday(), local.hour
