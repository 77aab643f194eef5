"""What every map of one message shares: the message, its feed, and what was noted on the way. One a message, then thrown away."""

from __future__ import annotations

from datetime import UTC, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from gateway.er7 import dates
from gateway.er7.dates import Moment
from gateway.er7.reader import Message, Segment
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2 import keys
from gateway.mappings.hl7v2.events import Event
from gateway.mappings.hl7v2.values import Composite, Values
from gateway.records.statements import Identify, Json, Report, Shared


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError):
        return None


class Context:
    """The state of one translation. Maps read values through it, note reports in it and hand it what many records share."""

    __slots__ = (
        "_moments",
        "_seen",
        "_zone_reported",
        "event",
        "facility",
        "identify",
        "message",
        "profile",
        "received",
        "recorded",
        "reports",
        "sender_key",
        "shared",
        "values",
        "zone",
        "zone_name",
    )

    def __init__(self, message: Message, profile: FeedProfile, event: Event, received: int, identify: Identify) -> None:
        self.message = message
        self.profile = profile
        self.event = event
        self.received = received
        self.recorded = received
        self.identify = identify
        self.values = Values(message)
        header = message.header
        sender = self.values.text(header.value(4)) or self.values.text(header.value(4, 2)) or self.values.text(header.value(3))
        self.facility = keys.escape(sender.upper()) or "unknown"  # part of keys: whose numbers they are
        self.sender_key = profile.name if profile.name != "default" else sender or "unknown"  # StayFacts.facility
        self.reports: list[Report] = [Report(*problem) for problem in message.problems]
        self.shared: dict[str, Shared] = {}
        self._seen: dict[tuple[str, str], Json | None] = {}
        self._moments: dict[str, Moment | None] = {}
        self._zone_reported = bool(profile.timezone)
        self.zone_name = profile.timezone or "UTC"
        zone = _zone(self.zone_name)
        if zone is None:
            self.report("", "103", "W", "The feed profile names a time zone that does not exist; UTC was assumed.")
            self.zone_name, zone = "UTC", UTC
        self.zone = zone

    def about(self, part: Message) -> Context:
        """The context of a part of the message: what is noted and shared there is noted and shared here."""
        one = Context(part, self.profile, self.event, self.received, self.identify)
        one.recorded, one.reports, one.shared = self.recorded, self.reports, self.shared
        return one

    def report(self, location: str, code: str, severity: str, text: str) -> None:
        """Note something that the sender should know: HL7 table 0357 code, severity I, W or E; no values in the text."""
        self.reports.append(Report(location, code, severity, text))

    # reading

    def text(self, segment: Segment, field: int, component: int = 1) -> str:
        """One value of a field's first repetition; "" for none and for `""`."""
        raw = segment.value(field, component)
        return self.values.text(raw) if raw else ""

    def one(self, segment: Segment, field: int) -> Composite | None:
        """The first repetition of a field that holds anything."""
        raw = segment.field(field)
        if not raw or raw == '""':
            return None
        separator = self.message.delimiters.repetition
        if separator not in raw:
            return self.values.composite(raw)
        return next((one for one in map(self.values.composite, raw.split(separator)) if one is not None), None)

    def every(self, segment: Segment, field: int) -> list[Composite]:
        """All repetitions of a field that hold anything."""
        raw = segment.field(field)
        if not raw or raw == '""':
            return []
        separator = self.message.delimiters.repetition
        if separator not in raw:
            one = self.values.composite(raw)
            return [one] if one is not None else []
        return [one for one in map(self.values.composite, raw.split(separator)) if one is not None]

    def moment(self, segment: Segment, field: int, component: int = 1) -> Moment | None:
        """The time in a field; a value that names none is reported and costs nothing else."""
        raw = segment.value(field, component)
        if not raw or raw == '""':
            return None
        return self.parse(raw, segment, field)

    def parse(self, raw: str, segment: Segment, field: int) -> Moment | None:
        """The time that a value of that field names."""
        try:
            moment = self._moments[raw]
        except KeyError:
            moment = self._moments[raw] = dates.parse(raw, self.zone)
        if moment is None:
            self.report(place(segment, field), "102", "W", "The time there is not one; the rest of the message was taken.")
        elif moment.zone_assumed and not self._zone_reported and len(moment.text) > 10:
            self._zone_reported = True
            self.report(place(segment, field), "0", "I", "Neither the time nor the feed's profile says the time zone; UTC was assumed.")
        return moment

    def read(self, raw: str) -> Moment | None:
        """The time that a component names, None when it names none: inside a composite that is not worth a report."""
        if not raw:
            return None
        try:
            return self._moments[raw]
        except KeyError:
            moment = self._moments[raw] = dates.parse(raw, self.zone)
            return moment

    # codes of this feed

    def local(self, code: str, *tables: str) -> str:
        """The standard code for a feed's own, by the profile's map for the first of `tables` that has it; "" when it says nothing."""
        for name in tables:
            table = self.profile.codes.get(name)
            if table:
                found = table.get(code)
                if found:
                    return found
        return ""

    # what many records refer to

    def share(self, kind: str, key: str, resource: Json) -> Json:
        """Hand out a shared resource (Practitioner, Organization, Location) and get its reference; the first word in a message stands."""
        slot = f"{kind}|{key}"
        known = self.shared.get(slot)
        if known is None:
            resource["id"] = self.identify(kind, key)
            self.shared[slot] = known = Shared(key, resource)
        return {"reference": f"{kind}/{known.resource['id']}"}

    def remembered(self, kind: str, raw: str) -> Json | None:
        """The reference that `remember` was given for the same value earlier in this message."""
        return self._seen.get((kind, raw))

    def remember(self, kind: str, raw: str, reference: Json) -> Json:
        """Keep the reference that a composite value led to: the same doctor stands in many fields."""
        self._seen[kind, raw] = reference
        return reference


def place(segment: Segment, field: int) -> str:
    """Where a report points: "PID-7", "DG1[3]-4"."""
    return f"{segment.name}-{field}" if segment.number == 1 else f"{segment.name}[{segment.number}]-{field}"
