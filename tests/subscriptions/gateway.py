"""A gateway with its whole journey, one hospital, two agencies, and a subscriber's endpoint. Both clocks are in the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from prometheus_client import generate_latest

from gateway.api.services import Changes, Services
from gateway.errors import Unauthorized
from gateway.mappings.feeds.profile import FeedProfile
from gateway.pipeline import Configuration, Journey
from gateway.pipeline.audit_trail import AuditTrail
from gateway.pipeline.own import put_own_resources
from gateway.records.ids import identifier
from gateway.smart.access import Caller
from gateway.smart.clients import default_scope
from gateway.smart.outbound import Reach
from gateway.smart.scopes import parse as scopes
from gateway.store.interface import ClientRow, Store
from gateway.store.outbox import SubscriptionRow
from gateway.subscriptions.dispatcher import Dispatcher, Surroundings
from gateway.subscriptions.resource import CONTENT, FILTER, HEARTBEAT, MOST, TIMEOUT
from gateway.subscriptions.routes import serve
from gateway.subscriptions.schedule import Policy as Sending
from tests.api.gateway_api import BASE, Client, app_of
from tests.api.running import DISCHARGE, DISCHARGED, message
from tests.store.stores import fresh
from tests.subscriptions.endpoint import Endpoint
from transitions.policy import Agency, Policy

Json = dict[str, Any]
SECOND = 1_000_000
HOUR = 3600 * SECOND
CLIENTS = {
    "river": ("agency", "river"),
    "river-too": ("agency", "river"),
    "oak": ("agency", "oak"),
    "desk": ("coordinator", "county"),
    "operator": ("operator", ""),
    "st-mary": ("hospital", "st-mary"),
}


class Running:
    """One gateway on a store, that delivers when it is told to."""

    def __init__(self, store: Store, sending: Sending | None = None) -> None:
        self.now, self.wall = DISCHARGED, DISCHARGED
        self.store = store
        policy = Policy(agencies=(Agency("river", "River Community Mental Health", ("627*",)), Agency("oak", "Oak Counselling", ("999*",))))
        feeds = (FeedProfile(name="st-mary", kind="fhir", hospital="St. Mary", timezone="America/Chicago"),)
        self.configuration = Configuration(identify=identifier(store.installation_key()), feeds=feeds, policy=policy)
        self.start(sending or Sending(Reach(loopback=True)))
        for name, (role, organization) in CLIENTS.items():
            feed = ("st-mary",) if role == "hospital" else ()
            store.credentials.add_client(ClientRow(name, role, organization, default_scope(role), feeds=feed))

    def start(self, sending: Sending) -> None:
        with self.store.write(self.now) as writer:
            put_own_resources(writer, self.configuration)
        self.changes = Changes()
        self.journey = Journey(self.store, self.configuration, lambda: self.now, self.changes.notify)
        self.journey.start()
        trail = AuditTrail(self.journey, lambda: self.now)
        identify = self.configuration.identify
        self.services = Services(
            self.store, self.journey, self._authenticate, identify, BASE, b"k" * 32, trail.add, self.changes, agencies=frozenset({"river", "oak"})
        )
        around = Surroundings(self.store, identify, lambda: BASE, trail.add, self.changes, lambda: self.wall, sending)
        self.dispatcher = Dispatcher(around)
        routes = serve(self.services, self.dispatcher)
        app = app_of(self.services)
        app.router.routes[:0] = routes.routes
        self.http = Client(app)
        self.endpoint = Endpoint()
        self.run(self.endpoint.open())

    def close(self) -> None:
        self.run(self.endpoint.close())
        self.run(self.dispatcher.close())
        self.http.close()
        self.journey.stop()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do it on the gateway's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.http._loop).result(30)

    def _authenticate(self, header: str | None) -> Caller:
        client = self.store.credentials.client((header or "").removeprefix("Bearer "))
        if client is None or client.revoked is not None:
            raise Unauthorized("an access token is needed")
        return Caller(client.id, client.role, client.organization, scopes(client.scopes), client.feeds, 0)

    def as_(self, who: str, method: str, path: str, **more: Any) -> Any:
        self.now += SECOND
        self.wall += SECOND
        return self.http.request(method, path, headers={"Authorization": f"Bearer {who}", **more.pop("headers", {})}, **more)

    # --- the county

    def tell(self, body: Json) -> None:
        answer = self.as_("st-mary", "POST", "/fhir/$process-message", json=body)
        assert answer.status_code == 200, answer.text

    def discharge(self, number: str = "17") -> None:
        """Another client leaves hospital, and is river's."""
        self.tell(renamed(DISCHARGE, number))

    def transition(self, who: str = "river") -> Json:
        found: Json = self.as_(who, "GET", "/api/transitions").json()["transitions"][0]
        return found

    def task(self, who: str = "river") -> Json:
        found: Json = self.as_(who, "GET", "/fhir/Task").json()["entry"][0]["resource"]
        return found

    def book(self, start: str = "2026-11-24T10:00:00-06:00", who: str = "river") -> Json:
        """The agency books an appointment for its client."""
        booked = {
            "resourceType": "Appointment",
            "status": "booked",
            "start": start,
            "end": start.replace("T10", "T11"),
            "participant": [{"actor": self.task(who)["for"], "status": "accepted"}],
        }
        answer = self.as_(who, "POST", "/fhir/Appointment", json=booked)
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    def route(self, agency: str) -> None:
        """The coordinator gives the client to another agency."""
        transition = self.as_("desk", "GET", "/api/transitions").json()["transitions"][0]["id"]
        said = {"what": "route", "value": agency, "about": "", "reason": "moved"}
        answer = self.as_("desk", "POST", f"/api/transitions/{transition}/decisions", json=said)
        assert answer.status_code == 200, answer.text

    # --- subscriptions

    def wish(self, topic: str = "transition-opened", content: str = "id-only", *filters: str, **more: Any) -> Json:
        """A Subscription to write. `more`: heartbeat, timeout, most, header, path, and elements of the resource."""
        numbers = [(HEARTBEAT, "valueUnsignedInt", "heartbeat"), (TIMEOUT, "valueUnsignedInt", "timeout"), (MOST, "valuePositiveInt", "most")]
        extensions = [{"url": url, element: more.pop(name)} for url, element, name in numbers if name in more]
        header = more.pop("header", [])
        channel = {
            "type": "rest-hook",
            "endpoint": self.endpoint.url + more.pop("path", "/hook"),
            "payload": "application/fhir+json",
            "_payload": {"extension": [{"url": CONTENT, "valueCode": content}]},
            **({"header": header} if header else {}),
            **({"extension": extensions} if extensions else {}),
        }
        return {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": "To act on what changes",
            "criteria": f"{BASE}/fhir/SubscriptionTopic/{topic}",
            **({"_criteria": {"extension": [{"url": FILTER, "valueString": each} for each in filters]}} if filters else {}),
            "channel": channel,
            **more,
        }

    def allow(self, who: str = "river") -> None:
        self.store.subscriptions.allow_endpoint(who, self.endpoint.url)

    def subscribe(self, topic: str = "transition-opened", content: str = "id-only", *filters: str, who: str = "river", **more: Any) -> str:
        """Made, with its handshake done; its id."""
        self.allow(who)
        answer = self.as_(who, "POST", "/fhir/Subscription", json=self.wish(topic, content, *filters, **more))
        assert answer.status_code == 201, answer.text
        self.deliver()
        id: str = answer.json()["id"]
        return id

    def deliver(self) -> None:
        """Send all that is due now."""
        self.run(self._deliver())

    async def _deliver_once(self) -> None:
        await self.dispatcher.look()
        await self.dispatcher.settled()

    async def _deliver(self) -> None:
        for _ in range(50):
            await self._deliver_once()
            following = self.store.subscriptions.next_due()
            if following is None or following > self.wall:
                return
        raise AssertionError("it does not come to rest")

    def later(self, **time: float) -> None:
        """Some time passes, and what is due by then is sent."""
        self.wall += int(sum(value * {"seconds": 1, "hours": 3600, "days": 86_400}[unit] for unit, value in time.items()) * SECOND)
        self.deliver()

    def row(self, id: str) -> SubscriptionRow:
        found = self.store.subscriptions.get(id)
        assert found is not None
        return found

    def read(self, id: str, who: str = "river") -> Json:
        found: Json = self.as_(who, "GET", f"/fhir/Subscription/{id}").json()
        return found

    def audited(self) -> list[Json]:
        """The audit trail, with what is on its way into it."""
        self.journey.wake().result(10)
        with self.store.reading() as reader:
            return [orjson.loads(body) for _, _, body in reader.audit(0, 1000)]

    def metrics(self) -> str:
        return generate_latest(self.services.registry).decode()


def renamed(body: Json, number: str) -> Json:
    """A message of another client and stay."""
    text = orjson.dumps(body).decode()
    return orjson.loads(text.replace('"M17"', f'"M{number}"').replace('"V9"', f'"V{number}"').replace('"m2"', f'"m{number}"'))  # type: ignore[no-any-return]


@contextmanager
def running(sending: Sending | None = None) -> Iterator[Running]:
    """On a fresh store of the chosen kind."""
    with fresh() as store:
        made = Running(store, sending)
        try:
            yield made
        finally:
            made.close()


__all__ = ["DISCHARGE", "HOUR", "SECOND", "Running", "message", "renamed", "running"]
