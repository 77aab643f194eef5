"""Subscriptions as the API serves them: its routes, its metrics, and what the CapabilityStatement says of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from fastapi import APIRouter, Request, Response
from prometheus_client import Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.api.capabilities import Offer, Operation
from gateway.api.requests import call_of, check_accept
from gateway.api.router import interact
from gateway.api.services import OwnType, Services
from gateway.records.statements import Json
from gateway.store.outbox import SubscriptionRow
from gateway.subscriptions.dispatcher import Dispatcher
from gateway.subscriptions.interactions import PARAMETERS, TYPE, Desk
from gateway.subscriptions.operations import BINDING_TOKEN, EVENTS, STATUS
from gateway.subscriptions.resource import PROFILE
from gateway.subscriptions.topics import TOPICS, canonical

_GUIDE = "http://hl7.org/fhir/uv/subscriptions-backport"
TOPIC_EXTENSION = f"{_GUIDE}/StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
STATUSES = ("requested", "active", "error", "off")


def serve(services: Services, dispatcher: Dispatcher) -> APIRouter:
    """Adds Subscription to what the API serves. The routes go before the API's own, which take any type."""
    services.own_types[TYPE] = OwnType(Desk(services, dispatcher).interact, offer(services.base_url))
    services.registry.register(SubscriptionMetrics(services.store.subscriptions.listed))
    routes = APIRouter()

    def route(*path: str) -> Callable[[Request], Awaitable[Response]]:
        async def asked(request: Request) -> Response:
            caller = services.authenticate(request.headers.get("authorization"))
            steps = [request.path_params.get(step, step) for step in path]
            call = await call_of(request, services.limits.body, TYPE, *steps)
            check_accept(call)
            return await interact(services, caller, call)

        return asked

    routes.add_api_route(f"/fhir/{TYPE}/{{id}}", route("id"), methods=["GET", "HEAD", "PUT", "DELETE", "POST"], response_class=Response)
    for name in (STATUS, EVENTS, BINDING_TOKEN):
        routes.add_api_route(f"/fhir/{TYPE}/{{id}}/{name}", route("id", name), methods=["GET", "HEAD", "POST"], response_class=Response)
    return routes


def offer(base_url: str) -> Offer:
    """What there is to do with Subscriptions, and the topics that there are."""
    topics: list[Json] = [{"url": TOPIC_EXTENSION, "valueCanonical": canonical(base_url, name)} for name in TOPICS]
    return Offer(
        interactions={TYPE: ("create", "read", "update", "delete", "search-type")},
        operations=[
            Operation("status", f"{_GUIDE}/OperationDefinition/backport-subscription-status", (TYPE,)),
            Operation("events", f"{_GUIDE}/OperationDefinition/backport-subscription-events", (TYPE,)),
        ],
        more={TYPE: {"extension": topics, "supportedProfile": [PROFILE], "searchParam": list(PARAMETERS)}},
    )


class SubscriptionMetrics(Collector):
    """`rows` tells how each subscription stands, when it is asked."""

    def __init__(self, rows: Callable[[], list[SubscriptionRow]]) -> None:
        self._rows = rows

    def collect(self) -> Iterable[Metric]:
        """Status, what waits, and failures since the last success, by subscription; no names of people are in any of them."""
        labels = ["subscription", "client"]
        status = GaugeMetricFamily("gateway_subscription_status", "1 for the status that the subscription has.", labels=[*labels, "status"])
        waiting = GaugeMetricFamily("gateway_subscription_waiting_events", "Events that were not delivered yet.", labels=labels)
        failures = GaugeMetricFamily("gateway_subscription_failures", "Failed attempts since the last success.", labels=labels)
        last = GaugeMetricFamily("gateway_subscription_last_delivery_timestamp_seconds", "When the endpoint last took something.", labels=labels)
        for row in self._rows():
            names = [row.id, row.client]
            for each in STATUSES:
                status.add_metric([*names, each], float(row.status == each))
            waiting.add_metric(names, float(row.events - row.delivered))
            failures.add_metric(names, float(row.failures))
            if row.sent:
                last.add_metric(names, row.sent / 1e6)
        return (status, waiting, failures, last)

    def describe(self) -> Iterable[Metric]:
        """Nothing is looked up while it is registered."""
        return ()
