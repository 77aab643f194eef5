"""Trigger events: what is taken, and what each means. The table is `events.csv`."""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import NamedTuple

from gateway.errors import Unsupported


class Event(NamedTuple):
    """One trigger event. `subject` is whom it is first about: stay, person, appointment, slot, document, observation."""

    type: str  # MSH-9.1
    code: str  # MSH-9.2
    subject: str
    stay: str  # StayEffect; "" where a visit in the message is context alone
    person: str  # "merge" | "link" | "unlink" | "delete" | ""
    meaning: str

    @property
    def name(self) -> str:
        """As the heading says it: "ADT^A03"."""
        return f"{self.type}^{self.code}"


def _read() -> dict[tuple[str, str], Event]:
    text = files(__package__).joinpath("events.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    events = [Event(row["type"], row["event"], row["subject"], row["stay"], row["person"], row["meaning"]) for row in csv.DictReader(lines)]
    return {(event.type, event.code): event for event in events}


EVENTS = _read()
_TYPES = {event.type for event in EVENTS.values()}


def find(message_type: str, code: str) -> Event:
    """The event of MSH-9. Raises Unsupported, with MSH-9 as the place, when the gateway does not take it."""
    event = EVENTS.get((message_type, code))
    if event is not None and event.subject:
        return event
    if not message_type:
        raise Unsupported("The message does not say its type", location="MSH-9", advice="Send type and trigger event there.", condition="200")
    if message_type not in _TYPES:
        raise Unsupported("Messages of this type are not taken", location="MSH-9.1", condition="200")
    raise Unsupported("This trigger event is not taken", location="MSH-9.2", condition="201")
