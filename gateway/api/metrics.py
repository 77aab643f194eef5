"""What /metrics says that is not counted as it happens: each feed, the writer's queue, flags, subscriptions and the store. No name of a person is
in any of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.adapters.hl7v2.admission import Counters
from gateway.errors import Unavailable
from gateway.operations.checks import Check, Verdict, any_failed
from gateway.operations.running import Tallies
from gateway.pipeline.feed_states import FeedState


class Queue(Protocol):
    """The journey, as far as it is told of here."""

    @property
    def waiting(self) -> int: ...
    @property
    def longest_wait(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where it is looked up, each when it is asked for."""

    states: Callable[[], Sequence[FeedState]]  # how each feed is doing now
    tallies: Callable[[], Tallies]  # what was last counted in the store
    checks: Callable[[], Sequence[Check]]  # what /readyz tells of
    queue: Queue
    certificates: Callable[[], Mapping[str, float]]  # until when each listener's holds, seconds
    connections: Callable[[], Counters | None]  # of the MLLP listener


class GatewayMetrics(Collector):
    """All of it. What the store cannot tell just now is left out, so that the rest is still told."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterable[Metric]:
        """One family after the other."""
        with suppress(Unavailable):
            yield from _feeds(self._sources.states())
        yield from _checks(self._sources.checks())
        yield GaugeMetricFamily("gateway_queue_depth", "Inputs that wait for the writer.", value=self._sources.queue.waiting)
        oldest = self._sources.queue.longest_wait
        yield GaugeMetricFamily("gateway_oldest_unprocessed_seconds", "How long the oldest of them has waited.", value=oldest)
        yield from _stored(self._sources.tallies())
        yield from _listeners(self._sources.certificates(), self._sources.connections())

    def describe(self) -> Iterable[Metric]:
        """Nothing is looked up while it is registered."""
        return ()


def _checks(checks: Sequence[Check]) -> Iterator[Metric]:
    each = GaugeMetricFamily("gateway_check", "0 well, 1 to look at, 2 failed.", labels=["check"])
    for check in checks:
        each.add_metric([check.name], list(Verdict).index(check.verdict))
    yield each
    yield GaugeMetricFamily("gateway_ready", "1 while messages can be taken.", value=float(not any_failed(checks)))


def _listeners(certificates: Mapping[str, float], connections: Counters | None) -> Iterator[Metric]:
    ends = GaugeMetricFamily("gateway_certificate_expiry_timestamp_seconds", "Until when a listener's certificate holds.", labels=["listener"])
    for listener, until in certificates.items():
        ends.add_metric([listener], until)
    yield ends
    if connections is not None:
        yield GaugeMetricFamily("gateway_mllp_connections", "Open MLLP connections.", value=connections.open)
        yield CounterMetricFamily("gateway_mllp_refused", "Connections and frames that were refused.", value=connections.refused)
        yield CounterMetricFamily("gateway_mllp_hung_up", "Connections that ended before their answer.", value=connections.hung_up)


def _feeds(states: Sequence[FeedState]) -> Iterator[Metric]:
    last = GaugeMetricFamily("gateway_feed_last_received_timestamp_seconds", "When the feed was last heard.", labels=["feed"])
    silent = GaugeMetricFamily("gateway_feed_silent", "1 while the feed's silence is an alarm by its own rhythm.", labels=["feed"])
    day = GaugeMetricFamily("gateway_feed_received_last_day", "Inputs of the last 24 hours.", labels=["feed", "state"])
    overdue = GaugeMetricFamily("gateway_feed_overdue_stays", "Stays that are too long without a word of their discharge.", labels=["feed"])
    for state in states:
        if state.last is not None:
            last.add_metric([state.name], state.last / 1e6)
        silent.add_metric([state.name], float(state.silent))
        overdue.add_metric([state.name], float(state.overdue_stays))
        day.add_metric([state.name, "taken"], float(state.day - state.day_quarantined))
        day.add_metric([state.name, "quarantined"], float(state.day_quarantined))
    return iter((last, silent, day, overdue))


def _stored(tallies: Tallies) -> Iterator[Metric]:
    flags = GaugeMetricFamily("gateway_transition_flags", "Transitions with this flag raised.", labels=["flag"])
    for code, number in sorted(tallies.flags.items()):
        flags.add_metric([code], number)
    yield flags
    yield GaugeMetricFamily("gateway_transitions_flagged", "Transitions with any flag raised.", value=tallies.inputs.get("flagged", 0))
    yield GaugeMetricFamily("gateway_messages_quarantined", "Messages that wait in the quarantine.", value=tallies.inputs.get("quarantined", 0))
    yield GaugeMetricFamily("gateway_clients_overdue", "Clients whose records wait to be looked at again.", value=tallies.overdue)
    yield GaugeMetricFamily("gateway_store_bytes", "What the store takes.", value=tallies.bytes)
    labels = ["subscription", "client"]
    events = CounterMetricFamily("gateway_subscription_events", "Events of a subscription.", labels=labels)
    behind = GaugeMetricFamily("gateway_subscription_behind", "Events that are not delivered yet.", labels=labels)
    failures = GaugeMetricFamily("gateway_subscription_failures", "Failures since the endpoint last took something.", labels=labels)
    dead = GaugeMetricFamily("gateway_subscription_dead", "1 while nothing is delivered any more: its status is error.", labels=labels)
    for row in tallies.subscriptions:
        who = [row.id, row.client]
        events.add_metric(who, row.events)
        behind.add_metric(who, max(0, row.events - row.delivered))
        failures.add_metric(who, row.failures)
        dead.add_metric(who, float(row.status == "error"))
    yield from (events, behind, failures, dead)
