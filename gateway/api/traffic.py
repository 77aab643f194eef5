"""How much of the gateway anybody may use at once: rates, requests in progress, time. Counted in this process alone.

Before anybody is known, an address is counted (RFC 6585 section 4 tells it so by 429); who has shown a token is counted as the client that it is,
wherever it asks from, because one hospital's clients often share an address. This machine's own address is not counted: behind it stands a proxy
that names nobody, or the operator.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.rates import Buckets, Rate
from gateway.errors import GatewayError, TooMany, Unauthorized, Unavailable
from gateway.smart.access import Caller

Refuse = Callable[[str, GatewayError], Response]
"""The answer at an address (path) that tells of a failure."""

_BY_TOKEN = ("/fhir", "/api/", "/hl7/")
"""Addresses at which every request shows a token, but for discovery, which costs nothing."""
FREE = ("/healthz", "/readyz")
"""Addresses by which others see whether the gateway lives: never refused."""


OF_A_CLIENT, OF_AN_ADDRESS = Rate(500, 5_000), Rate(50, 500)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is taken at most. Seconds are those of a body's arrival, and of a request until its answer begins."""

    client: Rate = OF_A_CLIENT
    address: Rate = OF_AN_ADDRESS
    requests: int = 1_000  # in progress
    requests_of_client: int = 100
    body_seconds: float = 60.0
    request_seconds: float = 90.0  # more than the longest poll


@dataclass(slots=True)
class _Request:
    """A request in progress, and whose it turned out to be. `address` is "" once it was counted."""

    address: str
    client: str = ""


_request: ContextVar[_Request | None] = ContextVar("request", default=None)


@dataclass(slots=True)
class Traffic:
    """What is going on, against its bounds."""

    bounds: Bounds = field(default_factory=Bounds)
    clock: Callable[[], float] = time.monotonic
    _clients: Buckets = field(init=False)
    _addresses: Buckets = field(init=False)
    _running: int = 0
    _running_of: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._clients = Buckets(self.bounds.client, self.clock)
        self._addresses = Buckets(self.bounds.address, self.clock)

    @contextmanager
    def request(self, address: str, known: bool) -> Iterator[None]:
        """One request, from its beginning to the end of its answer. `known`: it brings a token. Raises TooMany, Unavailable."""
        if self._running >= self.bounds.requests:
            raise Unavailable("Too many requests are in progress", advice="Ask again in a moment.")
        if not known:
            self._count(self._addresses, address)
        request = _Request(address if known else "")
        self._running += 1
        before = _request.set(request)
        try:
            yield
        finally:
            _request.reset(before)
            self._running -= 1
            if request.client:
                self._leave(request.client)

    def caller(self, authenticate: Callable[[], Caller]) -> Caller:
        """Who asks, counted as the client that it is. A token that does not hold counts for the address. Raises what `authenticate` does, TooMany."""
        request = _request.get()
        try:
            caller = authenticate()
        except Unauthorized:
            if request is not None:
                self._count(self._addresses, request.address)
            raise
        if request is not None and not request.client:
            if self._running_of[caller.client] >= self.bounds.requests_of_client:
                raise TooMany("This client has too many requests in progress", advice="Wait for their answers.")
            self._running_of[caller.client] += 1
            request.client = caller.client
        self.charge(caller.client)
        return caller

    def charge(self, client: str, requests: int = 1) -> None:
        """Count requests of a client: the entries of a batch are as many. Raises TooMany."""
        self._count(self._clients, client, requests)

    def _count(self, buckets: Buckets, key: str, requests: int = 1) -> None:
        wait = buckets.take(key, requests) if key else 0
        if wait:
            raise TooMany("Too many requests", advice="Ask again after the seconds that Retry-After says.", wait=math.ceil(wait))

    def _leave(self, client: str) -> None:
        self._running_of[client] -= 1
        if not self._running_of[client]:
            del self._running_of[client]


class Bounded:
    """Keeps an app within the bounds, as plain ASGI: it is on the path of every request."""

    def __init__(self, app: ASGIApp, traffic: Traffic, refuse: Refuse) -> None:
        self._app, self._traffic, self._refuse = app, traffic, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in FREE:
            await self._app(scope, receive, send)
            return
        try:
            with self._traffic.request(_counted_as(scope["client"][0] if scope.get("client") else ""), _brings_a_token(scope)):
                await self._in_time(scope, receive, send)
        except (TooMany, Unavailable) as error:
            await self._refuse(scope["path"], error)(scope, receive, send)

    async def _in_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        bounds = self._traffic.bounds
        try:
            async with asyncio.timeout(bounds.request_seconds) as limit:

                async def sending(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        limit.reschedule(None)  # what it takes from here is the reader's time, which the connection watches
                    await send(message)

                await self._app(scope, _arriving(receive, bounds.body_seconds) if _has_body(scope) else receive, sending)
        except TimeoutError:
            if not limit.expired():
                raise
            raise Unavailable("The gateway could not answer in time", advice="Look up what was done before you ask again.") from None


def _arriving(receive: Receive, seconds: float) -> Receive:
    """`receive` for a body that has to be there within so many seconds of its first piece being asked for."""
    ends: float | None = None
    arrived = False

    async def receiving() -> Message:
        nonlocal ends, arrived
        if arrived:
            return await receive()  # the reader's going away, which may take as long as it likes
        if ends is None:
            ends = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(ends):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408) from None
        arrived = not message.get("more_body", False)
        return message

    return receiving


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


@lru_cache(4096)
def _counted_as(host: str) -> str:
    """Who is counted before anybody is known: an IPv4 address, an IPv6 network of 64 bits (what one subscriber has), "" for this machine."""
    try:
        found = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return "unknown"
    found = getattr(found, "ipv4_mapped", None) or found
    if found.is_loopback:
        return ""
    return str(found) if isinstance(found, ipaddress.IPv4Address) else str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))


def _brings_a_token(scope: Scope) -> bool:
    """Whether it will be counted by its token: only where a token is looked at, or a false one would be a way round the address's count."""
    path: str = scope["path"]
    return path.startswith(_BY_TOKEN) and any(name == b"authorization" and value[:7].lower() == b"bearer " for name, value in scope["headers"])
