"""What the API is given by the composition root."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client import CollectorRegistry

from gateway.api.answers import Answer
from gateway.api.capabilities import Offer
from gateway.api.requests import Call
from gateway.fhir.validation import ProfileCheck
from gateway.mappings.feeds.profile import FeedProfile
from gateway.operations.checks import Check
from gateway.pipeline.received import Outcome, Received
from gateway.privacy.audit import Audit
from gateway.records.statements import Identify
from gateway.smart.access import Caller
from gateway.store.interface import Store


class Takes(Protocol):
    """The journey, as far as the API knows it."""

    def submit(self, received: Received) -> Future[Outcome]: ...
    def submit_together(self, writes: Sequence[Received]) -> Future[list[Outcome]]: ...


class Changes:
    """Wakes those who wait for something new. `notify` may be called from any thread, after every commit."""

    def __init__(self) -> None:
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def notify(self) -> None:
        """Something was committed: everybody looks again."""
        for loop, event in tuple(self._waiting):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def watch(self) -> Watch:
        """Start watching. What is committed from now on is not missed, so watch first and look then."""
        return Watch(self._waiting)


class Watch:
    """One poller's watch: a context in which `wait` returns at the next commit."""

    def __init__(self, waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
        self._waiting = waiting
        self._me = (asyncio.get_running_loop(), asyncio.Event())

    def __enter__(self) -> Watch:
        self._waiting.add(self._me)
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.discard(self._me)

    async def wait(self, seconds: float) -> bool:
        """True at the next commit since the last wait, False when the time is over."""
        event = self._me[1]
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return False
        event.clear()
        return True


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken and given at most."""

    body: int = 16 * 1024 * 1024  # bytes
    page: int = 1_000  # resources a search page
    page_default: int = 50
    scan: int = 100_000  # resources that one search may look at outside the index
    batch: int = 200  # entries of a client's batch
    feed_batch: int = 5_000  # entries of a feed's Bundle, which is one input and so one turn of the writer
    wait: float = 60.0  # seconds of a long poll


@dataclass(frozen=True, slots=True)
class OwnType:
    """A resource type that another room serves whole: its interactions, and what the CapabilityStatement says of it."""

    interact: Callable[[Caller, Call], Awaitable[Answer]]
    offer: Offer


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the routes use. `base_url` is what links say ("https://gateway.example.org", no slash); `key` seals cursors."""

    store: Store
    journey: Takes
    authenticate: Callable[[str | None], Caller]  # the Authorization header -> who asks; raises Unauthorized
    identify: Identify
    base_url: str
    key: bytes
    audit: Audit
    changes: Changes = field(default_factory=Changes)
    limits: Limits = field(default_factory=Limits)
    feeds: Sequence[FeedProfile] = ()  # the feeds that are configured
    agencies: frozenset[str] = frozenset()  # the ids of those that are configured
    charge: Callable[[str, int], None] = lambda client, requests: None  # counts a client's further requests; raises TooMany
    profiles: ProfileCheck | None = None  # holds a resource to a profile, for $validate
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    ready: Callable[[], Sequence[Check]] = tuple  # what /readyz tells of
    own_types: dict[str, OwnType] = field(default_factory=dict)  # by resource type, registered before the API is put together

    @property
    def fhir_url(self) -> str:
        """The FHIR base."""
        return f"{self.base_url}/fhir"
