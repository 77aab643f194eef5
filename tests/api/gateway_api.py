"""A small gateway for the API's tests: SQLite, seeded by hand, and a journey that commits a write as it was translated. No HL7, no assessment."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import orjson
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from gateway.api.edge import guard
from gateway.api.router import api, short_way
from gateway.api.services import Limits, Services
from gateway.errors import Conflict, GatewayError, Invalid, Unauthorized, Unavailable
from gateway.fhir.parsing import parse
from gateway.fhir.references import place
from gateway.fhir.search import terms
from gateway.mappings.fhir.writes import translate_write
from gateway.operations.checks import Check, well
from gateway.operations.stored import guarded
from gateway.pipeline.received import Outcome, Received
from gateway.privacy.audit import Disclosure
from gateway.smart.access import Caller
from gateway.smart.scopes import parse as scopes
from gateway.store.interface import ALL, Change, NewVersion, Store, TransitionRow
from gateway.store.sqlite import open_sqlite

Json = dict[str, Any]
NOW = 1_795_312_800_000_000  # 2026-11-22T02:00:00Z
BASE = "https://gw.example"

AGENCY = (
    "system/Task.rus system/Patient.rs system/Appointment.crus system/Communication.crs system/Practitioner.rs "
    "system/Observation.rs?category=http://x|laboratory"
)
CALLERS = {
    "river": Caller("river-app", "agency", "river", scopes(AGENCY), (), 0),
    "oak": Caller("oak-app", "agency", "oak", scopes(AGENCY), (), 0),
    "narrow": Caller("narrow", "agency", "river", scopes("system/Task.s"), (), 0),
    "includer": Caller("includer", "agency", "river", scopes("system/Task.rs system/Patient.r"), (), 0),
    "greedy": Caller("greedy", "agency", "river", scopes("system/*.cruds"), (), 0),
    "greedy-oak": Caller("greedy-oak", "agency", "oak", scopes("system/*.cruds"), (), 0),
    "deleter": Caller("deleter", "agency", "river", scopes("system/Appointment.d"), (), 0),
    "coordinator": Caller("desk", "coordinator", "county", scopes("system/*.rs system/Task.u system/Consent.cu"), (), 0),
    "reader": Caller("reader", "coordinator", "county", scopes("system/*.rs"), (), 0),
    "all-coordinator": Caller("all-c", "coordinator", "county", scopes("system/*.cruds"), (), 0),
    "all-operator": Caller("all-o", "operator", "county", scopes("system/*.cruds"), (), 0),
    "all-hospital": Caller("all-h", "hospital", "st-mary", scopes("system/*.cruds"), ("st-mary",), 0),
    "hospital": Caller("st-mary", "hospital", "st-mary", scopes("system/Bundle.c"), ("st-mary",), 0),
    "two-feeds": Caller("two", "hospital", "two", scopes("system/Bundle.c"), ("one", "two"), 0),
}


def identify(type: str, key: str) -> str:
    return hashlib.sha256(f"{type}|{key}".encode()).hexdigest()[:32]


def authenticate(header: str | None) -> Caller:
    caller = CALLERS.get((header or "").removeprefix("Bearer "))
    if caller is None:
        raise Unauthorized("an access token is needed")
    return caller


def app_of(services: Services) -> FastAPI:
    """The API alone, with one route that breaks."""
    app = FastAPI(openapi_url=None)
    app.include_router(api(services))
    app.router.routes.insert(0, short_way(services))
    guard(app, services.registry)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("Ann Halvorson, born 1990")

    return app


class Client:
    """HTTP straight into the app, from a thread that is not the app's. The Host header is somebody else's: links must not repeat it."""

    def __init__(self, app: FastAPI) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://evil.example")
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return asyncio.run_coroutine_threadsafe(self._client.request(method, path, **more), self._loop).result(60)

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._client.aclose(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Bench:
    """The gateway and what its journey was given."""

    def _ready(self) -> list[Check]:
        def look() -> Check:
            with self.store.reading() as reader:
                return well("store", f"at {reader.last()}")

        return [guarded("store", look)]

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOW
        self.taken: list[Received] = []
        self.error: GatewayError | None = None  # what the next input is refused with
        self.disclosed: list[Disclosure] = []  # what was shown, since the last look
        self.full = False  # the audit trail takes nothing
        self.between: Any = None  # called once before the next write commits
        self.services = Services(
            store, self, authenticate, identify, BASE, b"k" * 32, self._audit, limits=Limits(body=20_000, scan=500, batch=5), ready=self._ready
        )
        self.http = Client(app_of(self.services))

    def serve(self, **changes: Any) -> None:
        """Serve the same store with other services."""
        self.http.close()
        self.services = replace(self.services, registry=CollectorRegistry(), **changes)
        self.http = Client(app_of(self.services))

    def as_(self, name: str, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {name}", **more.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **more)

    def put(self, recipients: tuple[str, ...], *resources: Json) -> None:
        """Commit the newest version of resources for some recipients."""
        versions = [NewVersion(who, each["resourceType"], each["id"], orjson.dumps(each), terms(each)) for each in resources for who in recipients]
        self._commit(Change(self._partition(), versions))

    def delete(self, recipient: str, type: str, id: str) -> None:
        self._commit(Change(self._partition(), [NewVersion(recipient, type, id, None)]))

    def transition(self, recipient: str, id: str, body: Json | None) -> None:
        row = TransitionRow(recipient, id, orjson.dumps(body) if body else None, "open", True, 1, 0)
        self._commit(Change(self._partition(), transitions=[row]))

    def _partition(self) -> int:
        with self.store.write(self.now) as writer:
            return writer.bind(["person|1"], None)

    def _commit(self, change: Change) -> None:
        self.now += 1_000_000
        with self.store.write(self.now) as writer:
            writer.apply(change)
        self.services.changes.notify()

    def _audit(self, disclosure: Disclosure) -> None:
        if self.full:
            raise Unavailable("too many messages are waiting")
        self.disclosed.append(disclosure)

    # the journey

    def submit(self, received: Received) -> Future[Outcome]:
        self.taken.append(received)
        future: Future[Outcome] = Future()
        try:
            future.set_result(self._take(received))
        except GatewayError as error:
            future.set_exception(error)
        return future

    def submit_together(self, writes: Sequence[Received]) -> Future[list[Outcome]]:
        """One after the other: that all stand or none does is the journey's, which other tests hold."""
        self.taken += writes
        future: Future[list[Outcome]] = Future()
        try:
            future.set_result([self._take(each) for each in writes])
        except GatewayError as error:
            future.set_exception(error)
        return future

    def _take(self, received: Received) -> Outcome:
        if isinstance(self.error, Unavailable):
            raise self.error
        if self.error is not None:
            return Outcome(len(self.taken), "quarantined", error=self.error)
        if received.kind == "fhir-write":
            self._write(received)
        return Outcome(len(self.taken), "processed")

    def _write(self, received: Received) -> None:
        if self.between is not None:
            step, self.between = self.between, None
            step()
        about, deleted = received.about, received.about["method"] == "DELETE"
        body = {} if deleted else parse(received.raw)
        (statement,) = translate_write(body, about, self.now, identify).statements
        who = about["recipient"]
        with self.store.reading() as reader:
            current = reader.read(who, about["type"], about["id"])
        if about.get("if-match") and (current is None or str(current.number) != about["if-match"]):
            raise Conflict("it has changed since it was read")
        if about.get("if-none-match") and current is not None:
            raise Conflict("it exists by now")
        if deleted:
            for recipient in {ALL, who}:
                self.delete(recipient, about["type"], about["id"])
            return
        own = {**(orjson.loads(current.body or b"{}") if current else {}), **(statement.own or {}), "resourceType": about["type"], "id": about["id"]}
        if about["type"] != "Task":
            own = place(own, statement.person[0].replace("urn:gateway:id:Patient|", "Patient/"))
        self.put(tuple({ALL, who}), own)


@cache
def _empty() -> bytes:
    """A migrated store without content: migrating takes longer than most tests."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.sqlite"
        open_sqlite(path).close()
        return path.read_bytes()


def empty_store(folder: Path) -> Store:
    """An open store without content."""
    path = folder / "gateway.sqlite"
    path.write_bytes(_empty())
    return open_sqlite(path)


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    store = empty_store(folder)
    try:
        made = Bench(store)
        try:
            yield made
        finally:
            made.http.close()
    finally:
        store.close()


PATIENT: Json = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Doe"}], "gender": "female"}
TASK: Json = {
    "resourceType": "Task",
    "id": "t1",
    "identifier": [{"system": "urn:care-transition-gateway:task", "value": "tr1#1"}],
    "status": "requested",
    "intent": "order",
    "for": {"reference": "Patient/p1"},
    "owner": {"reference": "Organization/river"},
}
APPOINTMENT: Json = {
    "resourceType": "Appointment",
    "status": "booked",
    "start": "2026-11-24T10:00:00-06:00",
    "end": "2026-11-24T11:00:00-06:00",
    "participant": [{"actor": {"reference": "Patient/p1"}, "status": "accepted"}],
}
REFUSED = Invalid("The class is missing", location="Encounter.class")
