"""`gateway doctor`: everything that can be looked at from beside a gateway, what is wrong with it, and what to do."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path

from gateway.errors import GatewayError
from gateway.operations import machine, stored
from gateway.operations.checks import Check, failed, warning, well
from gateway.operations.choices import choices
from gateway.pipeline.feed_states import FeedState, feed_states
from gateway.records.times import moment
from gateway.sections import HttpSettings, MllpSettings
from gateway.settings import Settings
from gateway.store.interface import Store

SOON = timedelta(days=30)
"""How long before its end a certificate is to be renewed."""
_KEY_DAYS = 365
"""After how many days a signing key should be rotated."""


def examine(
    settings: Settings,
    directory: Path,
    opening: Callable[[], AbstractContextManager[Store]],
    expiry: Callable[[Path], datetime],
    now: int,
) -> list[Check]:
    """All checks, in the order in which things depend on each other. `expiry`: until when a certificate file holds; `now` in microseconds UTC."""
    found = [*choices(settings), *_permissions(settings, directory), *_certificates(settings, expiry, moment(now))]
    if not machine.synchronized():
        found.append(warning("clock", "nothing keeps this machine's clock right", "Turn on NTP: timedatectl set-ntp true."))
    if not settings.store.url and directory.is_dir():
        found.append(machine.disk(directory))
    try:
        with opening() as store:
            found += _stored(settings, store, now)
    except GatewayError as error:
        found.append(failed("store", error.message, error.advice))
    return found


def _stored(settings: Settings, store: Store, now: int) -> Iterator[Check]:
    yield stored.writable(store, now)
    yield stored.migrated(store)
    yield stored.sound(store)
    yield stored.guarded("clock", lambda: machine.clock(now, _last(store)))
    yield stored.backlog(store, now)
    yield stored.quarantine(store)
    yield from _feeds(settings, store, now)
    yield from _subscriptions(store)
    yield _signing_key(store, now)


def _last(store: Store) -> int:
    with store.reading() as reader:
        return reader.last()


# --- files


def _permissions(settings: Settings, directory: Path) -> Iterator[Check]:
    private = [("a TLS key", Path(each.tls_key)) for each in (settings.http, settings.mllp) if each.tls_key]
    if settings.smart.upstream is not None:
        private.append(("smart.upstream's client_secret_file", Path(settings.smart.upstream.client_secret_file)))
    if not settings.store.url:
        private.append(("the store's file", directory / "gateway.sqlite"))
    open_to_others = [what for what, path in private if _is_open(path)]
    for what in open_to_others:
        yield failed("permissions", f"{what} can be read by others on this machine", "Take that from them: chmod go= on it.")
    if _is_open(directory):
        yield warning("permissions", "others on this machine can look into the data directory", "Take that from them: chmod go= on it.")
    elif not open_to_others:
        yield well("permissions", "what is private can be read by its owner alone")


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _certificates(settings: Settings, expiry: Callable[[Path], datetime], now: datetime) -> Iterator[Check]:
    for section, each in (("http", settings.http), ("mllp", settings.mllp)):
        for key in ("tls_certificate", "tls_client_ca"):
            path = getattr(each, key)
            if path:
                yield _certificate(f"[{section}] {key}", Path(path), expiry, now)
        if _is_far(each) and not each.tls_certificate:
            behind = isinstance(each, HttpSettings) and each.base_url.startswith("https:")
            words = f"[{section}] listens beyond this machine without TLS"
            if behind:
                yield well("tls", f"{words}, behind a proxy that has it")
            else:
                advice = "Set tls_certificate and tls_key, or let only a TLS proxy or a VPN reach it."
                yield warning("tls", words, advice)


def _certificate(name: str, path: Path, expiry: Callable[[Path], datetime], now: datetime) -> Check:
    try:
        ends = expiry(path)
    except GatewayError as error:
        return failed("certificate", f"{name} cannot be read", error.advice)
    words = f"{name} holds until {ends:%Y-%m-%d}"
    if ends <= now:
        return failed("certificate", f"{name} has ended on {ends:%Y-%m-%d}", "Renew it; a running gateway takes the new files by itself.")
    if ends - now < SOON:
        return warning("certificate", words, "Renew it; a running gateway takes the new files by itself.")
    return well("certificate", words)


def _is_far(listener: HttpSettings | MllpSettings) -> bool:
    return listener.listen.rpartition(":")[0].strip("[]") not in ("127.0.0.1", "::1", "localhost")


# --- what is stored


def _feeds(settings: Settings, store: Store, now: int) -> Iterator[Check]:
    try:
        with store.reading() as reader:
            states = feed_states(reader, settings.feeds(), now)
    except GatewayError as error:
        yield failed("feeds", error.message, error.advice)
        return
    for state in states:
        yield _feed(state)
    if not states:
        yield warning("feeds", "none is configured, and none was heard", "Add a [[feed]] for each hospital: gateway feed new.")


def _feed(state: FeedState) -> Check:
    name = f"feed {state.name}"
    if state.last is None:
        return warning(name, "never heard", "Let the hospital send a test message; gateway feed test shows what would become of it.")
    heard = f"last heard {moment(state.last):%Y-%m-%d %H:%M} UTC"
    if state.silent:
        return warning(name, f"silent: {heard}, which is too long by its own rhythm", "Ask the hospital whether its interface runs.")
    if state.day_quarantined:
        advice = f"gateway messages list --state quarantined --feed {state.name} says why."
        return warning(name, f"{state.day_quarantined:,} of its {state.day:,} messages of the last day were not understood", advice)
    return well(name, f"{heard}, {state.day:,} messages in the last day")


def _subscriptions(store: Store) -> Sequence[Check]:
    def look() -> list[Check]:
        rows = store.subscriptions.listed()
        found = []
        for row in rows:
            name, behind = f"subscription {row.id[:8]}", row.events - row.delivered
            if row.status == "error":
                words = f"{row.client} is told nothing any more; {behind:,} events wait"
                found.append(failed(name, words, "Ask its owner to mend the endpoint, then to set its status to requested."))
            elif row.failures:
                words = f"{row.client} could not be reached {row.failures:,} times in a row; {behind:,} events wait"
                found.append(warning(name, words, "Ask its owner whether the endpoint runs; it is tried again by itself."))
        return found or [well("subscriptions", f"{len(rows)}, none of them failing")]

    try:
        return look()
    except GatewayError as error:
        return [failed("subscriptions", error.message, error.advice)]


def _signing_key(store: Store, now: int) -> Check:
    def look() -> Check:
        keys = store.signing_keys.all()
        if not keys:
            return well("signing key", "none yet: one is made when it is first needed")
        days = (now // 1_000_000 - max(key.created for key in keys)) // 86_400
        if days > _KEY_DAYS:
            return warning("signing key", f"it is {days} days old", "Rotate it: gateway keys rotate.")
        return well("signing key", f"{days} days old")

    return stored.guarded("signing key", look)
