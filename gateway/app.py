"""The composition root: opens the store, puts the parts together, and serves."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import structlog

from gateway import tracing
from gateway.clocks import CareClock
from gateway.errors import Unavailable
from gateway.fhir.validation import ProfileCheck
from gateway.http_application import serving_http
from gateway.instance import Gateway
from gateway.listening import acknowledgement_mode, bound, hl7v2_handler, mllp_limits, plain_os_errors
from gateway.logs import logs_as_json
from gateway.memory import give_back_large_blocks
from gateway.pipeline.ahead import Ahead
from gateway.records.times import moment
from gateway.settings import Settings, address
from gateway.stores import ensure_own_resources, make_directory, opened_beside, served_store

log = structlog.get_logger(__name__)

WAKE_EVERY = 1.0
"""Seconds between looks at what has come due."""
LOOK_EVERY = 1.0
"""Seconds between looks at what other processes committed, and at which exports wait to be worked."""
SILENCE_EVERY = 60.0
"""Seconds between looks at which feed has fallen silent."""

TALLY_EVERY = 15.0
"""Seconds between counts of what /metrics tells of and is not counted as it happens."""
CERTIFICATES_EVERY = 10.0
"""Seconds between looks at whether a certificate was renewed."""
RETENTION_EVERY = 3600.0
"""Seconds between removals of what has outlived its use."""


@asynccontextmanager
async def running(
    settings: Settings, data: Path, clock: CareClock | None = None, *, processes: int = 0, profiles: ProfileCheck | None = None
) -> AsyncIterator[Gateway]:
    """A gateway that listens and keeps its clock until the context ends; what was accepted is finished first. `processes` work ahead of its writer.

    `profiles` holds resources to profiles, for $validate. Raises `Usage` when a port is in use or another gateway serves the same data.
    """
    from gateway.adapters.hl7v2.mllp import listen
    from gateway.subscriptions.dispatcher import delivering

    make_directory(data)
    care = clock or CareClock()
    with bound(settings.http.listen) as http_socket, served_store(settings, data) as store:
        ahead = Ahead(partial(opened_beside, settings, data), processes) if processes else None
        gateway = Gateway(store, settings, care, ahead, data)
        gateway.profiles = profiles
        journey = gateway.journey
        gateway.http = http_socket.getsockname()[:2]
        ensure_own_resources(store, settings, care())
        journey.start()
        try:
            host, port = address(settings.mllp.listen)
            with plain_os_errors(settings.mllp.listen):
                mllp = await listen(
                    host,
                    port,
                    hl7v2_handler(journey, gateway.reception),
                    limits=mllp_limits(settings.mllp),
                    ssl=gateway.context("mllp", settings.mllp),
                    mode=acknowledgement_mode(settings.feeds()),
                )
            gateway.mllp = (host, mllp.port)
            gateway.connections = mllp.counters
            watch = _SilenceWatch(gateway)
            async with (
                serving_http(gateway, http_socket),
                delivering(gateway.dispatcher),
                _every(WAKE_EVERY, gateway.wake),
                _every(LOOK_EVERY, gateway.notice),
                _every(LOOK_EVERY, gateway.work_exports),
                _every(SILENCE_EVERY, watch.look),
                _every(TALLY_EVERY, gateway.operations.tally),
                _every(CERTIFICATES_EVERY, gateway.renew_certificates),
                _every(RETENTION_EVERY, gateway.operations.retain),
            ):
                try:
                    yield gateway
                finally:
                    gateway.operations.stop()
                    await mllp.close()
        finally:
            await asyncio.to_thread(journey.stop)
            if ahead is not None:
                ahead.close()


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


def serve(settings: Settings, data: Path, profiles: ProfileCheck | None = None) -> None:
    """Serve until told to stop (SIGINT, SIGTERM)."""
    logs_as_json()
    give_back_large_blocks()
    if settings.tracing.endpoint:
        tracing.start(settings.tracing.endpoint, settings.tracing.sample)
    try:
        asyncio.run(_serve(settings, data, profiles))
    finally:
        tracing.stop()


def _begin(tasks: set[asyncio.Task[None]], work: Coroutine[None, None, None]) -> None:
    task = asyncio.ensure_future(work)
    tasks.add(task)  # the loop alone would let it go
    task.add_done_callback(tasks.discard)


async def _serve(settings: Settings, data: Path, profiles: ProfileCheck | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # before there is anything to renew, it must not end the process
    async with running(settings, data, processes=settings.journey.ahead(), profiles=profiles) as gateway:
        renewals: set[asyncio.Task[None]] = set()
        loop.add_signal_handler(signal.SIGHUP, lambda: _begin(renewals, gateway.renew_certificates(anyway=True)))
        gc.freeze()  # what was loaded to serve stays; collecting it again and again took a sixth of the writer's time
        gc.set_threshold(50_000, 20, 50)
        print(f"MLLP on {gateway.mllp[0]}:{gateway.mllp[1]}, HTTP on {gateway.base_url}, data in {data}", file=sys.stderr, flush=True)
        print(f"worklist and console: {gateway.base_url}{gateway.sessions.invite()} (opens once)", file=sys.stderr, flush=True)
        await stop.wait()
        print("finishing what was accepted", file=sys.stderr, flush=True)
