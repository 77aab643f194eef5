"""A gateway that is killed between the commit of a change and its notification: the next one sends it."""

from __future__ import annotations

import asyncio
import signal
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from gateway.smart.clients import default_scope
from gateway.store.interface import ClientRow
from gateway.store.outbox import SubscriptionRow
from gateway.store.sqlite import open_sqlite
from gateway.subscriptions.resource import CONTENT
from tests.attacks_feeds.messages import FEEDS, message
from tests.attacks_feeds.processes import configure, serving
from tests.subscriptions.endpoint import Endpoint

LOOPBACK = "[subscriptions]\nloopback = true\n"


def subscribed(data: Path, url: str) -> None:
    """A store with one agency's active subscription, as it is after its handshake."""
    store = open_sqlite(configure(data, FEEDS) / "gateway.sqlite")
    store.credentials.add_client(ClientRow("app", "agency", "river", default_scope("agency")))
    store.subscriptions.allow_endpoint("app", url)
    payload = {"payload": "application/fhir+json", "_payload": {"extension": [{"url": CONTENT, "valueCode": "id-only"}]}}
    content = {"criteria": "https://gw.example/fhir/SubscriptionTopic/transition-opened", "channel": {"endpoint": url, **payload}}
    store.subscriptions.add(SubscriptionRow("one", "app", "river", "active", orjson.dumps(content), (), 1, 1, 1_000_000))
    store.close()


def a_discharge() -> bytes:
    left = datetime.now(UTC) - timedelta(days=1)
    fields = ["PV1", "1", "I", "BHU^1^A", *[""] * 15, "V1^^^STMARY^VN", *[""] * 16, "01", *[""] * 7]
    pv1 = "|".join([*fields, f"{left - timedelta(days=5):%Y%m%d%H%M}", f"{left:%Y%m%d%H%M}"])
    return message(event="ADT^A03^ADT_A03", at=f"{left:%Y%m%d%H%M%S}", pv1=pv1)


def test_what_a_killed_gateway_did_not_deliver_the_next_one_does(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    subscribed(data, f"http://127.0.0.1:{port}")
    with serving(data, LOOPBACK + FEEDS) as running:
        assert b"MSA|AA" in running.send(a_discharge())[0]
        running.stop(signal.SIGKILL)

    async def told() -> list[list[int]]:
        endpoint = Endpoint()
        await endpoint.open(port)
        async with asyncio.timeout(30):
            while not endpoint.events():
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        await endpoint.close()
        return [one.numbers for one in endpoint.events()]

    with serving(data, LOOPBACK + FEEDS):
        assert asyncio.run(told()) == [[1]]
