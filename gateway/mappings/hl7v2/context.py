"""What every map of one message shares: the message, its feed, and what was noted on the way. One a message, then thrown away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from gateway.er7 import dates
from gateway.er7.dates import Moment
from gateway.er7.reader import Message, Segment
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2 import senders
from gateway.mappings.hl7v2.events import Event
from gateway.mappings.hl7v2.senders import MOST_SEGMENTS, Known
from gateway.mappings.hl7v2.values import Composite
from gateway.records.statements import Identify, Json, Report, Shared

Result = TypeVar("Result")
Made = TypeVar("Made")


class Context:
    """The state of one translation. Maps read values through it, note reports in it and hand it what many records share."""

    __slots__ = (
        "_repetition",
        "_whole_time",
        "_zone_reported",
        "event",
        "facility",
        "identify",
        "message",
        "occurred",
        "profile",
        "received",
        "recorded",
        "reports",
        "sender",
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
        self.occurred: Moment | None = None  # EVN-6
        self.identify = identify
        self.sender = sender = senders.of(message, profile, identify)
        self.values = sender.values
        self.facility = sender.facility
        self.sender_key = sender.key
        self.zone = sender.zone
        self.zone_name = sender.zone_name
        self.reports: list[Report] = [Report(*problem) for problem in message.problems]
        self.shared: dict[str, Shared] = {}
        self._repetition = message.delimiters.repetition
        self._whole_time = sender.whole_time
        self._zone_reported = bool(profile.timezone)
        if sender.zone_name != (profile.timezone or "UTC"):
            self.report("", "103", "W", "The feed profile names a time zone that does not exist; UTC was assumed.")

    def about(self, part: Message) -> Context:
        """The context of a part of the message: what is noted and shared there is noted and shared here."""
        one = Context(part, self.profile, self.event, self.received, self.identify)
        one.recorded, one.occurred, one.reports, one.shared = self.recorded, self.occurred, self.reports, self.shared
        return one

    def report(self, location: str, code: str, severity: str, text: str) -> None:
        """Note something that the sender should know: HL7 table 0357 code, severity I, W or E; no values in the text."""
        self.reports.append(Report(location, code, severity, text))

    # reading

    def text(self, segment: Segment, field: int, component: int = 1) -> str:
        """One value of a field's first repetition; "" for none and for `""`."""
        fields = segment.fields
        raw = fields[field] if field < len(fields) else ""
        if not raw:
            return ""
        if component == 1 and raw.isalnum():  # no delimiter is a letter or digit: it is the whole value
            return raw
        raw = segment.value(field, component)
        return self.values.text(raw) if raw else ""

    def one(self, segment: Segment, field: int) -> Composite | None:
        """The first repetition of a field that holds anything."""
        fields = segment.fields
        raw = fields[field] if field < len(fields) else ""
        if not raw:
            return None
        if self._repetition not in raw:
            return self.values[raw]
        return next((one for raw in raw.split(self._repetition) if (one := self.values[raw]) is not None), None)

    def every(self, segment: Segment, field: int) -> Sequence[Composite]:
        """All repetitions of a field that hold anything."""
        fields = segment.fields
        raw = fields[field] if field < len(fields) else ""
        if not raw:
            return ()
        if self._repetition not in raw:
            one = self.values[raw]
            return (one,) if one is not None else ()
        return [one for raw in raw.split(self._repetition) if (one := self.values[raw]) is not None]

    def each(self, segment: Segment, field: int, read: Callable[[Context, Composite, str], Made | None], default: str = "") -> list[Made]:
        """What `read` makes of each repetition of a field that holds one person's own: names, numbers, addresses.

        They hardly come again, and are not remembered. `default` is what the field implies where the value does not say it (use, type).
        """
        fields = segment.fields
        raw = fields[field] if field < len(fields) else ""
        if not raw:
            return []
        found = []
        for one in raw.split(self._repetition) if self._repetition in raw else (raw,):
            said = self.values.read(one)
            made = read(self, said, default) if said is not None else None
            if made is not None:
                found.append(made)
        return found

    def moment(self, segment: Segment, field: int, component: int = 1) -> Moment | None:
        """The time in a field; a value that names none is reported and costs nothing else."""
        fields = segment.fields
        raw = fields[field] if field < len(fields) else ""
        if not raw:
            return None
        if component != 1 or not (raw.isalnum() or self._whole_time(raw)):
            raw = segment.value(field, component)
            if not raw or raw == '""':
                return None
        return self.parse(raw, segment, field)

    def parse(self, raw: str, segment: Segment, field: int) -> Moment | None:
        """The time that a value of that field names."""
        moment = dates.parse(raw, self.zone)
        if moment is None:
            self.report(place(segment, field), "102", "W", "The time there is not one; the rest of the message was taken.")
        elif moment.zone_assumed and not self._zone_reported and len(moment.text) > 10:
            self._zone_reported = True
            self.report(place(segment, field), "0", "I", "Neither the time nor the feed's profile says the time zone; UTC was assumed.")
        return moment

    def read(self, raw: str) -> Moment | None:
        """The time that a component names, None when it names none: inside a composite that is not worth a report."""
        return dates.parse(raw, self.zone) if raw else None

    def once(self, segment: Segment, read: Callable[[Context, Segment], Result], fields: tuple[str, ...] | None = None) -> Result:
        """What a map makes of one segment alone: `read(context, segment)`, or what it made of the very same segment in an earlier message.

        A stay's messages say most of their segments again word for word. The map may depend on the segment and its sender alone, not on the event.
        `fields` are those that it reads, as sent, where they are few: many people's segments agree in them.
        What is given may be given again, and is not to be changed.
        """
        sender = self.sender
        # Where no zone is known, the first time without an offset is reported, wherever it stands: nothing is remembered then.
        told = segment.line if fields is None else fields
        slot = (told, segment.number, read) if told and self.profile.timezone else None
        known = sender.segments.get(slot) if slot is not None else None
        if known is not None:
            result, behind = known
        else:
            outer, said = self.shared, len(self.reports)
            self.shared = behind = {}
            try:
                result = read(self, segment)
            finally:
                self.shared = outer
            if slot is not None and len(self.reports) == said and sender.repeated.again(slot):
                if len(sender.segments) >= MOST_SEGMENTS:
                    sender.segments.clear()
                sender.segments[slot] = (result, behind)
        for reference in behind:
            if reference not in self.shared:
                self.shared[reference] = behind[reference]
        return cast(Result, result)

    # codes of this feed

    def local(self, code: str, *tables: str) -> str:
        """The standard code for a feed's own (any case), by the profile's map for the first of `tables` that has it; "" when it says nothing."""
        codes = self.sender.codes
        if not codes:
            return ""
        for name in tables:
            table = codes.get(name)
            if table:
                found = table.get(code) or table.get(code.upper())
                if found:
                    return found
        return ""

    def standard(self, code: str, *tables: str) -> str:
        """A code in capitals, as our tables have it: what the feed's own stands for, else itself."""
        return (self.local(code, *tables) or code).upper() if self.sender.codes else code.upper()

    def code(self, segment: Segment, field: int, *tables: str) -> str:
        """The code in a field's first repetition, as `standard` gives it."""
        return self.standard(self.text(segment, field), *tables)

    # what many records refer to

    def share(self, kind: str, key: str, resource: Json) -> Json:
        """Hand out a shared resource (Practitioner, Organization, Location) and get its reference; the first word in a message stands.

        The resource is not to be changed from then on: it may be handed out again.
        """
        known = senders.shared(self.sender, kind, key, resource)
        self.named(known)
        return {"reference": known.shared[-1][0]}

    def named(self, known: Known) -> Json | None:
        """The reference to what a value names; the shared resources behind it are part of the message, and the first word in it stands."""
        mine = self.shared
        for reference, one in known.shared:
            if reference not in mine:
                mine[reference] = one
        return known.reference


def place(segment: Segment, field: int) -> str:
    """Where a report points: "PID-7", "DG1[3]-4"."""
    return f"{segment.name}-{field}" if segment.number == 1 else f"{segment.name}[{segment.number}]-{field}"
