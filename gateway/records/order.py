"""The order of statements: when each was recorded, never when it arrived (DESIGN, "Ties")."""

from __future__ import annotations

from typing import NamedTuple

from gateway.records.record import Source
from gateway.records.statements import Heading, Statement, Translation

OrderKey = tuple[int, int, int, tuple[int, int, str], int, str]


class Entry(NamedTuple):
    """One input's translation inside a partition. `digest` (hex) settles what no time can, the same way in every order of arrival."""

    input: int
    digest: str
    translation: Translation


class Said(NamedTuple):
    """One statement with who said it and its place in the order."""

    key: OrderKey
    heading: Heading
    statement: Statement
    source: Source

    @property
    def recorded(self) -> int:
        """When it was recorded: its own time where it has one, else its message's (microseconds UTC)."""
        return self.key[0]


LIFE = {
    "pre-admit": 0,
    "register": 1,
    "admit": 2,
    "to-inpatient": 3,
    "transfer": 4,
    "leave": 5,
    "return": 6,
    "pending-discharge": 7,
    "cancel-pending-discharge": 8,
    "update": 9,
    "cancel-discharge": 10,
    "discharge": 11,
    "to-outpatient": 12,
    "cancel-transfer": 13,
    "cancel-pre-admit": 14,
    "cancel-admit": 15,
    "delete": 16,
}
"""The place of an effect in a stay's life, for statements that nothing else can order. A cancelled discharge sorts before the discharge:
if the two tie, discharged stands."""


def control_id_key(control_id: str) -> tuple[int, int, str]:
    """Control IDs compare as numbers where they are numbers."""
    return (0, int(control_id), "") if control_id.isascii() and control_id.isdigit() and len(control_id) < 19 else (1, 0, control_id)


def in_order(entries: list[Entry]) -> list[Said]:
    """Every statement of the entries, in recorded order."""
    said: list[Said] = []
    for entry in entries:
        heading = entry.translation.heading
        source = Source(entry.input, heading.event, heading.control_id, heading.sender, heading.recorded, heading.control_id or entry.digest)
        control = control_id_key(heading.control_id)
        for position, statement in enumerate(entry.translation.statements):
            life = LIFE.get(statement.facts.get("effect") or "update", 9) if statement.kind == "stay" else 9
            key = (statement.recorded or heading.recorded, heading.message_time, heading.sequence, control, life, f"{entry.digest}{position:04d}")
            said.append(Said(key, heading, statement, source))
    said.sort(key=lambda each: each.key)
    return said


def unordered(one: OrderKey, other: OrderKey) -> bool:
    """Whether nothing that the senders said puts the two in an order."""
    return one[:4] == other[:4]
