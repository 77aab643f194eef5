"""Statements for tests, short to write: `tell("A03", "10:00", visit="V1", …)`."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.records.ids import identifier
from gateway.records.order import Entry
from gateway.records.reconcile import reconcile
from gateway.records.record import PersonRecord
from gateway.records.statements import Heading, Statement, Translation

START = datetime(2026, 3, 2, tzinfo=UTC)
IDENTIFY = identifier(b"test")
EFFECTS = {
    "A01": "admit",
    "A02": "transfer",
    "A03": "discharge",
    "A04": "register",
    "A06": "to-inpatient",
    "A07": "to-outpatient",
    "A08": "update",
    "A11": "cancel-admit",
    "A12": "cancel-transfer",
    "A13": "cancel-discharge",
    "A16": "pending-discharge",
    "A21": "leave",
    "A22": "return",
    "A23": "delete",
    "A25": "cancel-pending-discharge",
}


def at(day: int, clock: str = "00:00") -> datetime:
    """A moment on a day of the test's calendar; day 0 is 2 March 2026."""
    hours, minutes = clock.split(":")
    return START + timedelta(days=day, hours=int(hours), minutes=int(minutes))


def micro(day: int, clock: str = "00:00") -> int:
    """The same in microseconds UTC."""
    return int(at(day, clock).timestamp() * 1_000_000)


def tell(
    event: str,
    day: int,
    clock: str = "10:00",
    *,
    mrn: str | tuple[str, ...] = "1",
    visit: str = "",
    account: str = "",
    control: str = "1",
    sender: str = "st-mary",
    patient: dict[str, Any] | None = None,
    retires: tuple[str, ...] = (),
    **facts: Any,
) -> Translation:
    """One message: its person, the visit it names, or a merge (A40)."""
    mrns = (mrn,) if isinstance(mrn, str) else mrn
    person = tuple(f"urn:mrn:{sender}|{each}" for each in mrns)
    own = patient if patient is not None else {"resourceType": "Patient", "name": [{"family": "Doe"}], "birthDate": "1980-01-01"}
    own = {**own, "identifier": [{"system": f"urn:mrn:{sender}", "value": each} for each in mrns]}
    statements = [Statement("person", person, person, own=own)]
    if retires:
        statements.append(Statement("merge", person, person, retires=tuple(f"urn:mrn:{sender}|{each}" for each in retires)))
    if event in EFFECTS:
        keys = tuple(
            key
            for key in (f"urn:gateway:visit:{sender}|{visit}" if visit else "", f"urn:gateway:account:{sender}|{account}" if account else "")
            if key
        )
        said = {"effect": EFFECTS[event], "facility": sender, "zone": "UTC", **facts}
        statements.append(Statement("stay", keys, person, own={"resourceType": "Encounter", "class": {"code": "IMP"}}, facts=said))
    heading = Heading(sender, sender, f"ADT^{event}", control, micro(day, clock), "EVN-2", micro(day, clock))
    return Translation(heading, tuple(statements))


def fold(*told: Translation) -> tuple[PersonRecord, ...]:
    """What the messages come to."""
    entries = [Entry(number, hashlib.sha256(repr(each).encode()).hexdigest()[:16], each) for number, each in enumerate(told, start=1)]
    return reconcile(entries, IDENTIFY)


def one(*told: Translation) -> PersonRecord:
    """What the messages come to, where they are about one person."""
    (person,) = fold(*told)
    return person
