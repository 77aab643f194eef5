"""Contacts with the client: who was reached, and whether enough was tried to say that a client cannot be reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from transitions.follow_up import Booking
from transitions.model import Contact, Evidence
from transitions.policy import Policy
from transitions.windows import local_day, utc

_ONE_WAY = frozenset({"message", "letter"})
"""Sending says nothing of who has read it."""


def has_reached(contact: Contact) -> bool:
    """Whether somebody spoke with the client: by phone, visit or telehealth, or by means that nobody states."""
    return contact.reached and contact.means not in _ONE_WAY


def reached_at(contacts: Iterable[Contact], bookings: Iterable[Booking], since: datetime) -> tuple[datetime, ...]:
    """When the client was reached at or after `since`: by a contact, or by coming to a mental-health visit (on the day of discharge too)."""
    reached = [utc(each.at) for each in contacts if has_reached(each)]
    reached += [each.start for each in bookings if each.came and each.kind == "mental-health" and each.start is not None]
    return tuple(moment for moment in reached if moment >= since)


def attempts(contacts: Iterable[Contact], since: datetime) -> tuple[Contact, ...]:
    """The tries from `since` on that reached nobody, oldest first."""
    failed = [each for each in contacts if not has_reached(each) and utc(each.at) >= since]
    return tuple(sorted(failed, key=lambda each: (utc(each.at), each.reference)))


def are_enough(tries: Sequence[Contact], zone: str, policy: Policy) -> bool:
    """Whether the policy lets a client be called unable to contact: three tries, on different days, by two means."""
    days = {local_day(each.at, zone) for each in tries}
    means = {each.means for each in tries if each.means}
    return len(tries) >= policy.attempts and len(days) >= policy.attempt_days and len(means) >= policy.attempt_means


def evidence(contacts: Iterable[Contact]) -> tuple[Evidence, ...]:
    """The messages that told of the contacts, or their references."""
    return tuple(
        piece for each in contacts for piece in (each.evidence or (Evidence(f"contact by {each.means or 'unknown means'}", each.reference),))
    )
