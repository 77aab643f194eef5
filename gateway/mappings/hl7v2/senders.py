"""Who sends, with its ways: what its values mean, remembered from message to message.

A cache and nothing more. What is remembered follows from the profile, the header's first fields, the installation's ids and the text of the value, so
that translation stays a pure function. The same doctors, wards and codes stand in most messages of a hospital, and need be read once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from gateway.er7.reader import Delimiters, Message
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2 import keys
from gateway.mappings.hl7v2.values import Repeated, Values
from gateway.records.statements import Identify, Json, Shared

_MOST_SENDERS = 32
MOST_SEGMENTS = 512
"""How many whole segments of one sender are remembered, with what was made of them."""


class Known(NamedTuple):
    """What a value names: the reference to it (None where it names nobody), and the shared resources behind it by their own references."""

    reference: Json | None
    shared: tuple[tuple[str, Shared], ...] = ()


def _any_case(names: Mapping[str, str]) -> Mapping[str, str]:
    """What a profile says of its sender's names, also under each name in capitals: looked up as sent first, then in capitals."""
    return {**{name.upper(): meaning for name, meaning in names.items()}, **names}


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError):
        return None


class Sender:
    """One sender with its ways: what its values mean, remembered from message to message."""

    __slots__ = (
        "assigned",
        "authorities",
        "codes",
        "facility",
        "hospitals",
        "identify",
        "key",
        "profile",
        "repeated",
        "segments",
        "values",
        "whole_time",
        "zone",
        "zone_name",
    )

    def __init__(self, message: Message, profile: FeedProfile, identify: Identify) -> None:
        self.profile = profile
        self.identify = identify
        self.authorities = _any_case(profile.authorities)
        self.codes = {table: _any_case(codes) for table, codes in profile.codes.items()}
        self.values = values = Values(message.delimiters, message.charset)
        # A time with its offset that fills a field, where neither sign is a delimiter: nothing is to be split off it.
        self.whole_time = re.compile(r"(?!)" if {"+", "-"}.intersection(message.delimiters) else r"[0-9]{14}[+-][0-9]{4}").fullmatch
        header = message.header
        name = values.text(header.value(4)) or values.text(header.value(4, 2)) or values.text(header.value(3))
        self.facility = keys.escape(name.upper()) or "unknown"  # part of keys: whose numbers they are
        self.key = profile.name if profile.name != "default" else name or "unknown"  # StayFacts.facility
        zone = _zone(profile.timezone or "UTC")
        self.zone_name = profile.timezone or "UTC" if zone is not None else "UTC"
        self.zone: tzinfo = zone or UTC
        self.assigned: dict[tuple[tuple[str, str, str], str, str], tuple[str, Json | None]] = {}
        self.hospitals: dict[str, Known] = {}
        self.repeated = Repeated()
        self.segments: dict[tuple[str | tuple[str, ...], int, Any], tuple[Any, dict[str, Shared]]] = {}


_senders: dict[tuple[str, str, str, str, Delimiters], Sender] = {}


def of(message: Message, profile: FeedProfile, identify: Identify) -> Sender:
    """The sender of a message."""
    header = message.header
    slot = (profile.name, header.field(3), header.field(4), message.charset, message.delimiters)
    known = _senders.get(slot)
    if known is None or known.identify is not identify or (known.profile is not profile and known.profile != profile):
        if len(_senders) >= _MOST_SENDERS:
            _senders.clear()
        _senders[slot] = known = Sender(message, profile, identify)
    return known


def shared(sender: Sender, kind: str, key: str, resource: Json, display: str = "", behind: tuple[tuple[str, Shared], ...] = ()) -> Known:
    """A shared resource, which gets its id, with the reference to it and `behind` what it refers to itself."""
    resource["id"] = name = sender.identify(kind, key)
    reference = f"{kind}/{name}"
    said: Json = {"reference": reference, "display": display} if display else {"reference": reference}
    return Known(said, (*behind, (reference, Shared(key, resource))))
