"""The composition root: opens the store, puts the parts together, and serves."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from gateway import __version__
from gateway.er7.reader import Message
from gateway.errors import Forbidden, Unavailable, Usage
from gateway.logs import logs_as_json as logs_as_json
from gateway.mappings.feeds.profile import FeedProfile, match
from gateway.memory import give_back_large_blocks
from gateway.pipeline import Configuration, Journey
from gateway.pipeline.feed_states import FeedState, feed_states
from gateway.pipeline.own import put_own_resources
from gateway.records.ids import identifier
from gateway.records.times import microseconds, moment
from gateway.settings import HttpSettings, MllpSettings, Settings, address
from gateway.store.sqlite import is_being_served, lock_for_serving, open_sqlite

if TYPE_CHECKING:
    from datetime import datetime

    from fastapi import FastAPI, Request

    from gateway.api.services import Services
    from gateway.store.interface import Store
    from gateway.store.postgres import PostgresStore

log = structlog.get_logger(__name__)

DATABASE = "gateway.sqlite"
WAKE_EVERY = 1.0
"""Seconds between looks at what has come due."""
SILENCE_EVERY = 60.0
"""Seconds between looks at which feed has fallen silent."""


def open_store(settings: Settings, data: Path) -> Store:
    """The store that the settings name, made and migrated if there is none. Raises `Usage`, and `Unavailable` where it cannot be used."""
    if settings.store.url:
        return _open_postgres(settings)
    _make(data)
    return open_sqlite(data / DATABASE)


def _open_postgres(settings: Settings) -> PostgresStore:
    if not settings.store.url.startswith(("postgresql://", "postgres://")):
        raise Usage(
            "store.url names a store of an unknown kind", location="store.url", advice="Write postgresql://…, or leave it out: SQLite in --data."
        )
    from gateway.store.postgres import open_postgres  # with psycopg, for which whoever has a file should not wait

    return open_postgres(settings.store.url)


@contextmanager
def served_store(settings: Settings, data: Path) -> Iterator[Store]:
    """The store, held for serving. A file is served by one gateway, a database by any number. Raises `Usage` where another one serves the file."""
    if settings.store.url:
        with contextlib.closing(_open_postgres(settings)) as store, store.serving():
            yield store
    else:
        with contextlib.closing(open_store(settings, data)) as file, lock_for_serving(data):  # opened first: it may have to be migrated
            yield file


@contextmanager
def stopped(settings: Settings, data: Path) -> Iterator[None]:
    """Keeps every gateway from serving this store, for what can only be done while none does. Raises `Usage` where one serves."""
    if settings.store.url:
        with contextlib.closing(_open_postgres(settings)) as store, store.alone():
            yield
        return
    _make(data)
    if is_being_served(data):
        raise Usage("a gateway is serving this data", advice="Stop it, do this, and start it again.")
    with lock_for_serving(data):
        yield


def _make(data: Path) -> None:
    """The data directory, which its owner alone may look into."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        raise Usage("the data directory is none, and none can be made there", location=str(data), advice="Name another with --data.") from None


def configuration_of(settings: Settings, store: Store) -> Configuration:
    """What the pure steps are given."""
    return Configuration(identify=identifier(store.installation_key()), feeds=settings.feeds(), policy=settings.policy(), care=settings.care_policy())


def ensure_own_resources(store: Store, settings: Settings, now: int) -> None:
    """The gateway's Device and the agencies' Organizations, as configured today; `now` by the care clock, in microseconds UTC."""
    configuration = configuration_of(settings, store)  # before the transaction: it may write the installation's key
    with store.write(now) as writer:
        put_own_resources(writer, configuration)


def wall_clock() -> int:
    """Microseconds since 1970 UTC, by this machine's clock."""
    return time.time_ns() // 1000


class CareClock:
    """The clock that receipt, flags and due work go by: the wall clock, unless somebody set it (the demo, tests)."""

    def __init__(self) -> None:
        self._set: int | None = None

    def __call__(self) -> int:
        return wall_clock() if self._set is None else self._set

    def set(self, at: datetime | None) -> None:
        """Stand at a moment; None goes back to the wall clock."""
        self._set = None if at is None else microseconds(at)


class Gateway:
    """A running gateway: the journey, its listeners and its clock. Made by `running`."""

    def __init__(self, store: Store, settings: Settings, clock: CareClock) -> None:
        from gateway.api.services import Changes  # with FastAPI, for which commands that only open the store should not wait
        from gateway.web.session import Sessions

        self.store = store
        self.settings = settings
        self.configuration = configuration_of(settings, store)
        self.clock = clock
        self.http: tuple[str, int] = ("", 0)
        self.mllp: tuple[str, int] = ("", 0)
        self.changes = Changes()
        self.sessions = Sessions()
        self.journey = Journey(store, self.configuration, clock, self.changes.notify)

    @property
    def base_url(self) -> str:
        """What links say: as configured, else where HTTP listens."""
        return self.settings.http.base_url.rstrip("/") or f"http://{self.http[0]}:{self.http[1]}"

    async def set_clock(self, at: datetime | None) -> None:
        """Set the care clock; returns when everything that has come due by then is done."""
        self.clock.set(at)
        await self.wake()

    def feed_states(self) -> list[FeedState]:
        """How each feed is doing now."""
        with self.store.reading() as reader:
            return feed_states(reader, self.configuration.feeds, self.clock())

    async def wake(self) -> None:
        """Look again at every transition whose next look has come."""
        while await asyncio.wrap_future(self.journey.wake()):
            pass


@asynccontextmanager
async def running(settings: Settings, data: Path, clock: CareClock | None = None) -> AsyncIterator[Gateway]:
    """A gateway that listens and keeps its clock until the context ends; what was accepted is finished first.

    Raises `Usage` when a port is in use or another gateway serves the same data.
    """
    from gateway.adapters.hl7v2.mllp import Limits, listen

    _make(data)
    care = clock or CareClock()
    with _bound(settings.http.listen) as http_socket, served_store(settings, data) as store:
        gateway = Gateway(store, settings, care)
        journey = gateway.journey
        gateway.http = http_socket.getsockname()[:2]
        ensure_own_resources(store, settings, care())
        journey.start()
        try:
            host, port = address(settings.mllp.listen)
            with _plain_os_errors(settings.mllp.listen):
                mllp = await listen(
                    host,
                    port,
                    hl7v2_handler(journey),
                    limits=Limits(frame_bytes=settings.mllp.max_frame),
                    ssl=tls(settings.mllp),
                    mode=acknowledgement_mode(settings.feeds()),
                )
            gateway.mllp = (host, mllp.port)
            watch = _SilenceWatch(gateway)
            async with _serving_http(gateway, http_socket), _every(WAKE_EVERY, gateway.wake), _every(SILENCE_EVERY, watch.look):
                try:
                    yield gateway
                finally:
                    await mllp.close()
        finally:
            await asyncio.to_thread(journey.stop)


def acknowledgement_mode(feeds: Sequence[FeedProfile]) -> Callable[[Message], str]:
    """How the profile of a message's sender wants it answered, for what is refused before it goes through the journey."""
    return lambda message: match(feeds, message.application, message.facility).acknowledgement


def hl7v2_handler(journey: Journey) -> Callable[[bytes, object], Awaitable[bytes | None]]:
    """What the MLLP listener does with a message: through the journey, answered after the commit; unanswered when the store cannot commit."""
    from gateway.pipeline import Received

    async def handle(raw: bytes, peer: object) -> bytes | None:
        try:
            outcome = await asyncio.wrap_future(journey.submit(Received("hl7v2", raw)))
        except Unavailable:
            return None
        return outcome.answer

    return handle


def application(gateway: Gateway) -> FastAPI:
    """Everything that is served over HTTP."""
    from fastapi import FastAPI

    from gateway.adapters.hl7v2 import http as hl7v2_over_http
    from gateway.api.edge import guard
    from gateway.api.metrics import FeedMetrics
    from gateway.api.router import api
    from gateway.api.services import Limits, Services
    from gateway.pipeline.audit_trail import AuditTrail
    from gateway.smart import access, discovery, endpoints
    from gateway.smart.jwks import KeySets
    from gateway.web import pages

    store, settings = gateway.store, gateway.settings
    trail = AuditTrail(gateway.journey, gateway.clock)
    services = Services(
        store=store,
        journey=gateway.journey,
        authenticate=lambda header: access.authenticate(header, store.credentials, time.time()),
        identify=gateway.configuration.identify,
        base_url=gateway.base_url,
        key=store.installation_key(),
        audit=trail.add,
        changes=gateway.changes,
        limits=Limits(body=settings.http.max_body),
        agencies=frozenset(each.id for each in settings.agency),
    )
    shown = pages.Services(
        store=store,
        now=lambda: moment(gateway.clock()),
        sessions=gateway.sessions,
        audit=trail.add,
        feeds=gateway.configuration.feeds,
        agencies={each.id: each.name for each in settings.agency},
        submit=gateway.journey.submit,
        secure=gateway.base_url.startswith("https:"),
    )
    services.registry.register(FeedMetrics(gateway.feed_states))
    app = FastAPI(title="Care-transition gateway", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(discovery.router(gateway.base_url))
    app.include_router(endpoints.router(store.credentials, base_url=gateway.base_url, clock=time.time, key_sets=KeySets(time.time)))
    app.include_router(
        hl7v2_over_http.router(
            hl7v2_requests(gateway), admit=hl7v2_senders(services), body_bytes=settings.http.max_body, mode=acknowledgement_mode(settings.feeds())
        )
    )
    app.include_router(api(services))
    app.include_router(pages.pages(shown))
    guard(app, services.registry)
    return app


def hl7v2_senders(services: Services) -> Callable[[Request], None]:
    """Who may call POST /hl7/v2: a hospital's client, bound to its feeds, or the operator's; with a scope for Bundle."""
    from gateway.smart.access import require

    def admit(request: Request) -> None:
        caller = services.authenticate(request.headers.get("authorization"))
        require(caller, "Bundle", "c")
        if caller.role not in ("hospital", "operator"):
            raise Forbidden("this client is no hospital's", advice="Ask the operator to register it with the role hospital.")
        request.state.client = caller.client
        request.state.feeds = caller.feeds or ((caller.organization,) if caller.role == "hospital" else ())

    return admit


def hl7v2_requests(gateway: Gateway) -> Callable[[bytes, Request], Awaitable[bytes | None]]:
    """What POST /hl7/v2 does with a message of somebody who was admitted: through the journey."""
    from gateway.pipeline import Received

    async def handle(raw: bytes, request: Request) -> bytes | None:
        received = Received("hl7v2", raw, ",".join(request.state.feeds), {"client": request.state.client})
        try:
            outcome = await asyncio.wrap_future(gateway.journey.submit(received))
        except Unavailable:
            return None
        return outcome.answer

    return handle


def tls(settings: HttpSettings | MllpSettings) -> ssl.SSLContext | None:
    """The TLS context that a listener's settings name; with a client CA, mutual. Raises `Usage` for files that cannot be used."""
    if not settings.tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key or None)
        if settings.tls_client_ca:
            context.load_verify_locations(settings.tls_client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError):
        raise Usage(
            "the TLS certificate, key or client CA cannot be read", location="tls_certificate", advice="Name PEM files that belong together."
        ) from None
    return context


@contextmanager
def _bound(listen: str) -> Iterator[socket.socket]:
    host, port = address(listen)
    with _plain_os_errors(listen):
        bound = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    # asyncio turns Nagle's delay off only on sockets that say they are TCP; create_server's do not say
    with socket.socket(bound.family, bound.type, socket.IPPROTO_TCP, fileno=bound.detach()) as listening:
        yield listening


@contextmanager
def _plain_os_errors(listen: str) -> Iterator[None]:
    try:
        yield
    except OSError:
        raise Usage(f"{listen} cannot be listened on: it is in use, or not this machine's", advice="Choose another with --http or --mllp.") from None


class _SilenceWatch:
    """Raises an alarm in the log once for each silence of a feed that is longer than its rhythm explains."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._told: set[tuple[str, int | None]] = set()

    async def look(self) -> None:
        """Look at all feeds."""
        states = await asyncio.to_thread(self._gateway.feed_states)
        silent = {(state.name, state.last) for state in states if state.silent}
        for name, last in sorted(silent - self._told):
            log.warning("feed is silent", feed=name, last=moment(last).isoformat() if last is not None else None)
        self._told = silent


@asynccontextmanager
async def _every(seconds: float, do: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Do it now and again until the context ends, whatever the store's troubles meanwhile."""

    async def keep() -> None:
        while True:
            try:
                await do()
            except Unavailable:
                log.warning("the store could not be asked; trying again", what=do.__name__)
            await asyncio.sleep(seconds)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def _serving_http(gateway: Gateway, bound: socket.socket) -> AsyncIterator[None]:
    import uvicorn

    class Server(uvicorn.Server):
        """Leaves signals to whoever runs the gateway."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    settings = gateway.settings.http
    tls(settings)  # refused in plain words before uvicorn meets the files
    config = uvicorn.Config(
        application(gateway),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
        ssl_ca_certs=settings.tls_client_ca or None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if settings.tls_client_ca else ssl.CERT_NONE,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await task


def serve(settings: Settings, data: Path) -> None:
    """Serve until told to stop (SIGINT, SIGTERM)."""
    logs_as_json()
    give_back_large_blocks()
    asyncio.run(_serve(settings, data))


async def _serve(settings: Settings, data: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with running(settings, data) as gateway:
        gc.freeze()  # what was loaded to serve stays; collecting it again and again took a sixth of the writer's time
        gc.set_threshold(50_000, 20, 50)
        print(f"MLLP on {gateway.mllp[0]}:{gateway.mllp[1]}, HTTP on {gateway.base_url}, data in {data}", file=sys.stderr, flush=True)
        print(f"worklist and console: {gateway.base_url}{gateway.sessions.invite()} (opens once)", file=sys.stderr, flush=True)
        await stop.wait()
        print("finishing what was accepted", file=sys.stderr, flush=True)
