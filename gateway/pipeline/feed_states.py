"""How each hospital's feed is doing: when it was last heard, how much it sends, and whether its silence is an alarm. For the console, /metrics and
the command line alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.mappings.care.feed_flag import FEED
from gateway.mappings.feeds.profile import FeedProfile
from gateway.pipeline.silence import WEEKS, silence
from gateway.records.times import zone_of
from gateway.store.interface import ALL, HOUR, Reader

DAY = 24 * HOUR
_HOURS_KEPT = WEEKS * 7 * 24


@dataclass(frozen=True, slots=True)
class FeedState:
    """A feed at a moment. Times in microseconds UTC; `last` None: never heard. `alarm`: since when (or from when on) its silence is an alarm."""

    name: str
    hospital: str
    last: int | None
    alarm: int | None
    silent: bool  # the alarm has risen
    learning: bool  # its rhythm is not known yet
    day: int  # inputs of the last 24 hours, to the hour
    day_quarantined: int
    usual_day: float  # inputs a day over the last weeks before it was last heard
    overdue_stays: int  # admissions of which no discharge was told in all the policy's time


def feed_states(reader: Reader, profiles: Iterable[FeedProfile], now: int) -> list[FeedState]:
    """The configured feeds in their order; after them the built-in `default`, if somebody was taken by it."""
    listed = {profile.name: profile for profile in profiles}
    if "default" in reader.feeds():
        listed.setdefault("default", FeedProfile(hospital="senders that no feed names"))
    return [_state(reader, profile, now) for profile in listed.values()]


def _state(reader: Reader, profile: FeedProfile, now: int) -> FeedState:
    heard = reader.heard(profile.name, _HOURS_KEPT)
    found = silence(heard, zone_of(profile.timezone))
    recent = [each for each in heard if each.hour > (now - DAY) // HOUR]
    counted = [each for each in heard if heard[0].hour - each.hour < _HOURS_KEPT]
    days = (counted[0].hour - counted[-1].hour + 1) / 24 if counted else 1
    return FeedState(
        name=profile.name,
        hospital=profile.hospital or profile.sending_facility or profile.name,
        last=found.last,
        alarm=found.alarm,
        silent=found.is_alarm(now) and profile.name != "default",  # nobody in particular is silent there
        learning=found.learning,
        day=sum(each.inputs for each in recent),
        day_quarantined=sum(each.quarantined for each in recent),
        usual_day=sum(each.inputs for each in counted) / max(1, days),
        overdue_stays=len(reader.search(ALL, "Flag", terms=[("identifier", [f"{FEED}|{profile.name}"])])),
    )
