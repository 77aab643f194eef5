"""Choices in the configuration that are allowed and should be known of. A table: what was chosen, what follows from it, what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from gateway.operations.checks import Check, warning, well
from gateway.settings import Settings

AUDIT_DAYS = 6 * 365
"""Six years: 45 CFR 164.316(b)(2)(i) for documentation, by which audit trails are commonly kept."""


class Choice(NamedTuple):
    """`made` says whether the configuration has it."""

    made: Callable[[Settings], bool]
    words: str
    advice: str


CHOICES = (
    Choice(
        lambda settings: "*" in settings.http.trusted_proxies,
        "[http] trusted_proxies is *: whoever connects may say that he is somebody else",
        "Name the proxies' addresses.",
    ),
    Choice(
        lambda settings: 0 in (settings.http.client_rate, settings.http.address_rate),
        "[http] has a rate without limit: one client can take all there is",
        "Set client_rate and address_rate.",
    ),
    Choice(
        lambda settings: settings.subscriptions.loopback or settings.subscriptions.private,
        "[subscriptions] lets clients have requests sent into private networks",
        "Take loopback and private out, unless every client is your own.",
    ),
    Choice(
        lambda settings: "password=" in settings.store.url or ("@" in settings.store.url and ":" in settings.store.url.split("//")[-1].split("@")[0]),
        "[store] url holds a password",
        "Leave it out, and give it in ~/.pgpass or PGPASSWORD.",
    ),
    Choice(
        lambda settings: settings.retention.audit_days is not None and settings.retention.audit_days < AUDIT_DAYS,
        "[retention] removes audit events before six years are over",
        "HIPAA wants documentation kept for six years (45 CFR 164.316): set audit_days = 2190 or more.",
    ),
    Choice(
        lambda settings: settings.retention.quarantined_days is not None and settings.retention.quarantined_days < 30,
        "[retention] removes messages from quarantine within a month",
        "Whatever is not replayed until then is lost: its sender may have been told that it need not send again.",
    ),
    Choice(
        lambda settings: any(not each.timezone for each in settings.feeds() if each.kind == "hl7v2"),
        "a [[feed]] has no timezone: times without offset are taken as UTC",
        'Write timezone = "America/Chicago", or whatever is its own.',
    ),
    Choice(
        lambda settings: any(each.accept_quarantined for each in settings.feeds()),
        "a [[feed]] has accept_quarantined: its sender is told AA also of what was not understood",
        "Look at the quarantine every day, for the sender will not.",
    ),
    Choice(
        lambda settings: any(set(each.processing_ids) & {"T", "D"} for each in settings.feeds()),
        "a [[feed]] takes test messages as real",
        "Take T and D out of processing_ids, unless this is a test system.",
    ),
    Choice(
        lambda settings: not settings.agency,
        "no [[agency]] is configured: every transition is the coordinator's",
        "Add an [[agency]] for each that is to be told.",
    ),
    Choice(
        lambda settings: settings.tracing.endpoint.startswith("http://") and "//127.0.0.1" not in settings.tracing.endpoint,
        "[tracing] endpoint is not encrypted",
        "Send traces to an https address, or to a collector on this machine.",
    ),
)


def choices(settings: Settings) -> Iterator[Check]:
    """What is to be known of; one line of praise where there is nothing."""
    made = [warning("settings", each.words, each.advice) for each in CHOICES if each.made(settings)]
    yield from made or [well("settings", "nothing in them is dangerous")]
