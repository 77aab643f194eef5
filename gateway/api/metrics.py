"""What /metrics says of each feed, looked up when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.pipeline.feed_states import FeedState


class FeedMetrics(Collector):
    """`states` tells how each feed is doing now."""

    def __init__(self, states: Callable[[], Sequence[FeedState]]) -> None:
        self._states = states

    def collect(self) -> Iterable[Metric]:
        """Last heard, alarm, and the inputs of the last day, by feed; no names of people are in any of them."""
        last = GaugeMetricFamily("gateway_feed_last_received_timestamp_seconds", "When the feed was last heard.", labels=["feed"])
        silent = GaugeMetricFamily("gateway_feed_silent", "1 while the feed's silence is an alarm by its own rhythm.", labels=["feed"])
        day = GaugeMetricFamily("gateway_feed_received_last_day", "Inputs of the last 24 hours.", labels=["feed", "state"])
        overdue = GaugeMetricFamily("gateway_feed_overdue_stays", "Stays that are too long without a word of their discharge.", labels=["feed"])
        for state in self._states():
            if state.last is not None:
                last.add_metric([state.name], state.last / 1e6)
            silent.add_metric([state.name], float(state.silent))
            overdue.add_metric([state.name], float(state.overdue_stays))
            day.add_metric([state.name, "taken"], float(state.day - state.day_quarantined))
            day.add_metric([state.name, "quarantined"], float(state.day_quarantined))
        return (last, silent, day, overdue)

    def describe(self) -> Iterable[Metric]:
        """Nothing is looked up while it is registered."""
        return ()
