"""A silent feed is a flag: by its own rhythm of weekdays and hours, counted by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from gateway.pipeline.silence import silence
from gateway.store.interface import HOUR, Heard

MONDAY = datetime(2026, 9, 7, tzinfo=UTC)


def hours(moments: Iterable[datetime]) -> list[Heard]:
    """Heard once at half past in each of these hours."""
    seconds = [int(each.timestamp()) for each in moments]
    return [Heard(each // 3600, 1, 0, (each // 3600 * 3600 + 1800) * 1_000_000) for each in seconds]


def weeks(number: int, days: Iterable[int], daily: range) -> list[datetime]:
    """Every one of these hours of the day on these weekdays (0 is Monday), for so many weeks."""
    chosen = set(days)
    return [MONDAY + timedelta(days=day, hours=hour) for day in range(7 * number) if day % 7 in chosen for hour in daily]


def alarm(heard: list[Heard], zone: str = "UTC") -> datetime:
    found = silence(heard, ZoneInfo(zone))
    assert found.alarm is not None
    return datetime.fromtimestamp(found.alarm / 1e6, UTC)


def test_a_feed_that_sends_every_hour_is_missed_after_three_silent_hours() -> None:
    """Last heard on Sunday at 23:30; 0, 1 and 2 o'clock pass without a word: one in a thousand."""
    assert alarm(hours(weeks(4, range(7), range(24)))) == MONDAY + timedelta(weeks=4, hours=3)


def test_a_feed_that_sleeps_at_night_and_at_weekends_is_not_missed_then() -> None:
    """Last heard on Friday at 17:30; it is missed on Monday, after 8, 9 and 10 o'clock."""
    assert alarm(hours(weeks(8, range(5), range(8, 18)))) == MONDAY + timedelta(weeks=8, hours=11)


def test_a_small_ward_that_sends_once_a_day_is_missed_within_days_not_hours() -> None:
    """Heard at another hour each day: an hour of its week was heard in once in four weeks, or never."""
    heard = hours(MONDAY + timedelta(days=day, hours=(7 * day) % 24) for day in range(28))
    days = (alarm(heard) - heard_last(heard)) / timedelta(days=1)
    assert 2 < days < 12


def heard_last(heard: list[Heard]) -> datetime:
    return datetime.fromtimestamp(max(each.last for each in heard) / 1e6, UTC)


def test_the_rhythm_is_the_hospitals_own_time_when_the_clocks_change() -> None:
    """8 to 18 in Chicago, to the Friday before the clocks went back (1 November 2026): on Monday it is missed by its own clock, at 11."""
    chicago = ZoneInfo("America/Chicago")
    local = [each.replace(tzinfo=chicago) for each in weeks(8, range(5), range(8, 18))]
    assert alarm(hours(local), "America/Chicago") == datetime(2026, 11, 2, 11, tzinfo=chicago)


def test_while_a_feed_is_new_two_days_of_silence_are_an_alarm() -> None:
    heard = hours(weeks(1, range(7), range(24)))
    assert alarm(heard) - heard_last(heard) == timedelta(hours=48)
    assert silence(heard, UTC).learning


def test_a_new_feed_that_was_heard_once_is_missed_after_a_week() -> None:
    """Once a day is all that is known: 24 hours times the logarithm of 500 is 149 hours and more, 150."""
    heard = hours([MONDAY])
    assert alarm(heard) - heard_last(heard) == timedelta(hours=150)


def test_a_feed_that_was_never_heard_has_no_rhythm_to_miss() -> None:
    found = silence([], UTC)
    assert (found.last, found.alarm) == (None, None)
    assert not found.is_alarm(2**62)


def test_silence_teaches_nothing_so_a_feed_that_was_off_for_a_month_is_missed_as_before() -> None:
    """The hours are counted up to when it was last heard: how long ago that was makes no difference."""
    heard = hours(weeks(4, range(7), range(24)))
    found = silence(heard, UTC)
    assert found.alarm is not None
    assert found.is_alarm(found.alarm + 30 * 24 * HOUR)
    assert not found.is_alarm(found.alarm - 1)


@given(st.lists(st.integers(450_000, 460_000), min_size=1, max_size=60, unique=True))
def test_every_feed_that_was_heard_is_missed_at_some_time_and_never_before_a_full_silent_hour(chosen: list[int]) -> None:
    heard = [Heard(each, 1, 0, each * HOUR + 1) for each in chosen]
    found = silence(heard, UTC)
    assert found.last is not None
    assert found.alarm is not None
    assert found.last + HOUR < found.alarm <= found.last + 367 * 24 * HOUR
    assert silence(reversed(heard), UTC) == found
