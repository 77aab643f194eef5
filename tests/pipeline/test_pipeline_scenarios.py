"""Laws 1 to 3 for every scenario of the demo's county: any order, any repetition, and a rebuild end in the same records and transitions."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.demo.county import county
from gateway.demo.player import encode
from gateway.demo.run import prepare
from gateway.demo.scenario import Scenario, materialize, scenarios
from gateway.pipeline import Configuration
from gateway.pipeline.rebuild import rebuild
from gateway.records.ids import identifier
from gateway.records.times import microseconds
from gateway.settings import load
from tests.pipeline.county import feed, memory_folder, state, store_at, wake

END = datetime(2026, 11, 21, 18, tzinfo=UTC)
NOW = microseconds(END)
COUNTY = county()
SCENARIOS = {scenario.name: scenario for scenario in scenarios()}


@cache
def configuration() -> Configuration:
    """The county's configuration, as the demo writes it."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), COUNTY, 0)
        set_up = load(Path(folder) / "gateway.toml")
    return Configuration(identify=identifier(b"tests"), feeds=set_up.feeds(), policy=set_up.policy())


def messages(scenario: Scenario) -> list[bytes]:
    """What its hospitals send, in the order in which they send it."""
    moments = materialize([scenario], COUNTY.zones, END)
    return [encode(each.message, COUNTY.hospitals[each.step.who].charset) for each in moments if each.step.sends]


def told(raw: list[bytes]) -> dict[str, object]:
    """What the messages come to at the fortnight's end."""
    with memory_folder() as folder, store_at(folder, configuration()) as store:
        feed(store, raw, NOW, configuration())
        wake(store, NOW, configuration())
        return state(store, configuration())


@cache
def in_order(name: str) -> dict[str, object]:
    """What a scenario's messages come to in their own order."""
    return told(messages(SCENARIOS[name]))


@pytest.mark.parametrize("name", SCENARIOS)
def test_reversed_and_twice_over_it_ends_in_the_same(name: str) -> None:
    raw = messages(SCENARIOS[name])
    assert told([*reversed(raw), *raw]) == in_order(name)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_rebuild_ends_in_the_same(name: str) -> None:
    with memory_folder() as folder, store_at(folder, configuration()) as store:
        feed(store, messages(SCENARIOS[name]), NOW, configuration())
        before = state(store, configuration())
        rebuild(store, configuration(), NOW)
        assert state(store, configuration()) == before


@pytest.mark.sweep
@pytest.mark.parametrize("name", SCENARIOS)
def test_any_order_ends_in_the_same(name: str) -> None:
    raw = messages(SCENARIOS[name])

    @settings(max_examples=40, deadline=None, database=None)
    @given(st.permutations(raw), st.lists(st.sampled_from(raw), max_size=3))
    def any_order(order: list[bytes], again: list[bytes]) -> None:
        assert told([*order, *again]) == in_order(name)

    any_order()
