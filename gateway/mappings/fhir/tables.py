"""The code tables of the FHIR mappings, read once from the CSV files beside this module."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files


@cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    """The rows of a table ("effects")."""
    with files("gateway.mappings.fhir").joinpath(f"{name}.csv").open(encoding="utf-8") as lines:
        return tuple(csv.DictReader(lines))


@cache
def effects(source: str) -> dict[str, str]:
    """Code -> effect on the stay, for `source` "event" (Da Vinci notification-event) or "status" (Encounter.status).

    "start" is an admission or a registration, by the class.
    """
    return {row["code"]: row["effect"] for row in rows("effects") if row["source"] == source}


@cache
def dispositions() -> dict[tuple[str, str], str]:
    """(system, code) -> NUBC FL17 code, for code systems that are not NUBC's own."""
    return {(row["system"], row["code"]): row["nubc"] for row in rows("dispositions")}


@cache
def contact_means() -> dict[str, str]:
    """v3-ParticipationMode code -> the means of a contact."""
    return {row["code"]: row["means"] for row in rows("contact_means")}


@cache
def task_states() -> dict[str, frozenset[str]]:
    """Task.status -> the statuses that its agency may set next (Gravity SDOHCC's closed loop)."""
    return {row["from"]: frozenset(row["to"].split()) for row in rows("task_states")}
