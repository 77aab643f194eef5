"""One gateway: its store, its configuration, its journey and its clock."""

from __future__ import annotations

import asyncio
import ssl
from datetime import datetime
from pathlib import Path

from gateway.adapters.hl7v2.admission import Counters
from gateway.certificates import Certificates, certificates
from gateway.clocks import CareClock, wall_clock
from gateway.fhir.validation import ProfileCheck
from gateway.listening import acknowledgement_mode
from gateway.operations.running import Operations
from gateway.pipeline import Journey
from gateway.pipeline.ahead import Ahead
from gateway.pipeline.feed_states import FeedState, feed_states
from gateway.sections import HttpSettings, MllpSettings
from gateway.settings import Settings
from gateway.store.interface import Store
from gateway.stores import configuration_of


class Gateway:
    """A running gateway: the journey, its listeners and its clock. Made by `running`."""

    def __init__(self, store: Store, settings: Settings, clock: CareClock, ahead: Ahead | None = None, data: Path | None = None) -> None:
        from prometheus_client import CollectorRegistry

        from gateway.adapters.hl7v2.reception import Reception
        from gateway.api.export_work import Worker
        from gateway.api.services import Changes  # with FastAPI, for which commands that only open the store should not wait
        from gateway.pipeline.audit_trail import AuditTrail
        from gateway.smart.outbound import Reach
        from gateway.subscriptions.dispatcher import Dispatcher, Surroundings
        from gateway.subscriptions.schedule import Policy
        from gateway.web.session import Sessions

        self.store = store
        self.settings = settings
        self.configuration = configuration_of(settings, store)
        self.clock = clock
        self.http: tuple[str, int] = ("", 0)
        self.mllp: tuple[str, int] = ("", 0)
        self.profiles: ProfileCheck | None = None
        self.changes = Changes()
        self.sessions = Sessions()
        self.journey = Journey(store, self.configuration, clock, self.changes.notify, ahead)
        self.registry = CollectorRegistry()
        self.reception = Reception(self.configuration.feeds, acknowledgement_mode(self.configuration.feeds), self.registry)
        self.operations = Operations(store, settings, data, self.journey, clock)
        self.certificates: dict[str, Certificates] = {}  # by listener
        self.connections: Counters | None = None  # of the MLLP listener, once it listens
        self.trail = AuditTrail(self.journey, clock)
        self._exports = Worker(store, clock)
        self._last = 0
        said = settings.subscriptions
        self.dispatcher = Dispatcher(
            Surroundings(
                store,
                self.configuration.identify,
                lambda: self.base_url,
                self.trail.add,
                self.changes,
                wall_clock,
                Policy(Reach(said.loopback, said.private), give_up_hours=said.give_up_hours, keep_days=said.keep_days),
                alone=not settings.store.url,
            )
        )

    @property
    def base_url(self) -> str:
        """What links say: as configured, else where HTTP listens."""
        return self.settings.http.base_url.rstrip("/") or f"http://{self.http[0]}:{self.http[1]}"

    def context(self, name: str, listener: HttpSettings | MllpSettings) -> ssl.SSLContext | None:
        """The TLS context of a listener, renewed with its files; None without TLS. Raises `Usage` for files that cannot be used."""
        found = certificates(listener)
        if found is None:
            return None
        self.certificates[name] = found
        return found.context

    async def renew_certificates(self, *, anyway: bool = False) -> None:
        """Show renewed certificates from now on; connections that stand are not touched."""
        for each in self.certificates.values():
            await asyncio.to_thread(each.renew, anyway=anyway)

    async def set_clock(self, at: datetime | None) -> None:
        """Set the care clock; returns when everything that has come due by then is done."""
        self.clock.set(at)
        await self.wake()

    def feed_states(self) -> list[FeedState]:
        """How each feed is doing now."""
        with self.store.reading() as reader:
            return feed_states(reader, self.configuration.feeds, self.clock())

    async def work_exports(self) -> None:
        """Do what there is to do on bulk exports."""
        while await asyncio.to_thread(self._exports.step):
            pass

    async def notice(self) -> None:
        """Wake those who wait for something new, also where another process has committed it."""
        last = await asyncio.to_thread(self._last_position)
        if last != self._last:
            self._last = last
            self.changes.notify()

    def _last_position(self) -> int:
        with self.store.reading() as reader:
            return reader.last()

    async def wake(self) -> None:
        """Look again at every transition whose next look has come."""
        while await asyncio.wrap_future(self.journey.wake()):
            pass
