"""What every HL7 v2 message passes at the door, whatever protocol it comes by: whose it says it is, whether it may come from there, how many are
under way at once, and the counts of what became of it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.adapters.hl7v2.refusals import Mode, as_it_asks, refusal
from gateway.er7.reader import read
from gateway.errors import Forbidden, GatewayError, Unavailable
from gateway.mappings.feeds.profile import FeedProfile, match
from gateway.networks import allowed
from gateway.tracing import span

log = structlog.get_logger(__name__)

UNDER_WAY = 1024
"""Messages that wait for the writer at once, of all connections together; whoever has more to send is not read meanwhile."""

UNNAMED = "default"
"""The feed of a message whose sender cannot be read."""

_CODE = re.compile(rb"(?:\A|\r)MSA[^\w]([AC][AER])")
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Reception:
    """The door of one gateway; `feeds` are the configured profiles, `mode` how a sender wants to be answered."""

    def __init__(self, feeds: Sequence[FeedProfile] = (), mode: Mode = as_it_asks, registry: CollectorRegistry | None = None) -> None:
        self._profile = lru_cache(4096)(lambda start: _profile(feeds, start))
        self._guarded = any(each.allow for each in feeds)
        self._mode = mode
        self._room = asyncio.Semaphore(UNDER_WAY)
        registry = registry or CollectorRegistry()
        self._received = Counter("gateway_messages_received", "HL7 v2 messages that came in.", ["feed"], registry=registry)
        self._answered = Counter("gateway_messages_acknowledged", "Acknowledgements by code (MSA-1).", ["feed", "code"], registry=registry)
        self._unanswered = Counter("gateway_messages_unanswered", "Messages that could not be committed.", ["feed"], registry=registry)
        self._seconds = Histogram(
            "gateway_acknowledgement_seconds", "From a message's receipt to its acknowledgement.", ["feed"], registry=registry, buckets=_BUCKETS
        )
        self._under_way = Gauge("gateway_messages_under_way", "Messages received and not answered yet.", registry=registry)

    async def take(self, raw: bytes, host: str, submit: Callable[[], Awaitable[bytes]]) -> bytes | None:
        """The answers to a message from an address; None where nothing could be committed. Waits for room first."""
        profile = self._profile(_start(raw))
        began = time.monotonic()
        self._received.labels(profile.name).inc()
        self._under_way.inc()
        with span("hl7v2 message", feed=profile.name) as told:
            try:
                answer = await self._admitted(raw, host, profile, submit)
            finally:
                self._under_way.dec()
            told.set_attribute("acknowledged", b" ".join(_CODE.findall(answer or b"")).decode())
        if answer is None:
            self._unanswered.labels(profile.name).inc()
            return None
        for code in _CODE.findall(answer):
            self._answered.labels(profile.name, code.decode()).inc()
        self._seconds.labels(profile.name).observe(time.monotonic() - began)
        return answer

    async def _admitted(self, raw: bytes, host: str, profile: FeedProfile, submit: Callable[[], Awaitable[bytes]]) -> bytes | None:
        if self._guarded and not allowed(profile.allow, host):
            log.warning("message refused: the feed does not come from there", feed=profile.name, peer=host)
            return refusal(
                Forbidden("This feed is not taken from this address", location="MSH-4", advice="Ask the operator to allow it."), raw, self._mode
            )
        async with self._room:
            try:
                return await submit()
            except Unavailable:
                return None


def _start(raw: bytes) -> bytes:
    """A message's header up to MSH-4, by which feeds are matched."""
    header = raw[:1024].lstrip()
    return header[3:4].join(header.split(b"\r", 1)[0].split(header[3:4] or b"|", 4)[:4])


def _profile(feeds: Sequence[FeedProfile], start: bytes) -> FeedProfile:
    try:
        header = read(start + b"\r")
    except GatewayError:
        return FeedProfile(name=UNNAMED)
    return match(feeds, header.application, header.facility)
