"""What is removed once it has outlived its use, by the operator's settings; a few rows a transaction, off the path of messages.

Law 2 decides what may be set. Inputs that were accepted are the truth from which everything is derived: they are never removed, neither are their raw
bytes. What may go changes nothing that a rebuild gives: repetitions of an accepted input, messages in quarantine (their content was never in any
record; once removed they cannot be replayed), superseded versions, the audit trail, and whatever has expired.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from gateway.sections import RetentionSettings
from gateway.store import upkeep
from gateway.store.interface import Store
from gateway.store.upkeep import Kind

DAY = 86_400
PAUSE = 0.02
"""Seconds between two transactions, in which others write."""


class Rule(NamedTuple):
    """Something that is removed when it is older than a moment: seconds of the wall clock for what expires, else microseconds of the care clock."""

    name: str
    kind: Kind
    before: int


class Removed(NamedTuple):
    """How much a rule removed, or would remove."""

    name: str
    number: int


_EXPIRED = (
    ("expired access tokens", upkeep.TOKENS),
    ("spent assertions", upkeep.ASSERTIONS),
    ("expired logins", upkeep.LOGINS),
    ("expired launches", upkeep.LAUNCHES),
    ("expired invitations", upkeep.INVITATIONS),
    ("ended grants", upkeep.GRANTS),
    ("expired exports", upkeep.EXPORTS),
)


def rules(settings: RetentionSettings, wall: int, care: int) -> Iterator[Rule]:
    """What the settings remove now; `wall` in seconds, `care` in microseconds UTC."""
    yield from (Rule(name, kind, wall) for name, kind in _EXPIRED)
    for name, kind, days in (
        ("duplicates", upkeep.DUPLICATES, settings.duplicates_days),
        ("quarantined messages", upkeep.QUARANTINED, settings.quarantined_days),
        ("superseded versions", upkeep.SUPERSEDED, settings.superseded_days),
        ("audit events", upkeep.AUDIT, settings.audit_days),
    ):
        if days is not None:
            yield Rule(name, kind, care - int(days * DAY * 1_000_000))


def would_remove(store: Store, rule: Rule) -> Removed:
    """How much a rule would remove, and nothing removed."""
    return Removed(rule.name, store.upkeep.count(rule.kind, rule.before))


def remove(store: Store, rule: Rule, go_on: Callable[[], bool] = lambda: True) -> Removed:
    """Remove what a rule says, in short transactions, until there is no more or `go_on` says no. Raises `Unavailable`; what is done is done."""
    number = 0
    for removed in store.upkeep.remove(rule.kind, rule.before):
        number += removed
        if not go_on():
            break
        time.sleep(PAUSE)
    return Removed(rule.name, number)
