"""The laws of the journey on PostgreSQL: the county's story there ends in what it ends in on SQLite."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from gateway.pipeline import Journey, Received
from gateway.pipeline.rebuild import rebuild, replay_all
from gateway.store.interface import ALL, Filter, Store
from gateway.store.postgres import open_postgres
from tests.pipeline.county import CONFIGURATION, NOW, STORY, feed, memory_folder, prepare, state, store_at, wake
from tests.store.stores import empty_schema

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def told() -> dict[str, object]:
    """What the story comes to on SQLite, told in order."""
    with memory_folder() as folder, store_at(folder) as store:
        feed(store, STORY)
        return state(store)


@pytest.fixture
def url() -> Iterator[str]:
    with empty_schema() as schema:
        yield schema


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with closing(open_postgres(url)) as opened:
        prepare(opened)
        yield opened


@pytest.mark.parametrize("seed", range(3))
def test_any_order_and_repetition_end_in_what_sqlite_has(store: Store, told: dict[str, object], seed: int) -> None:
    chance = random.Random(seed)
    feed(store, chance.sample([*STORY, *chance.sample(STORY, 3)], len(STORY) + 3))
    assert state(store) == told


def test_a_whole_story_in_one_transaction_ends_in_the_same(store: Store, told: dict[str, object]) -> None:
    from gateway.pipeline.intake import attempt

    with store.write(NOW) as writer:
        for raw in [*STORY, *STORY]:
            attempt(writer, Received("hl7v2", raw), NOW, CONFIGURATION)
    assert state(store) == told
    with store.reading() as reader:
        assert reader.counts()["duplicate"] == len(STORY)


def test_a_rebuild_and_a_replay_reach_the_same_and_write_nothing(store: Store, told: dict[str, object]) -> None:
    feed(store, STORY)
    wake(store, NOW)
    before = state(store)
    with store.reading() as reader:
        positions = {recipient: reader.position(recipient) for recipient in (ALL, "river")}
        numbers = [row.id for row in reader.messages(Filter(oldest_first=True))]
    done = rebuild(store, CONFIGURATION, NOW)
    assert (done.inputs, done.failed, done.removed) == (len(STORY), 0, 0)
    assert {outcome.state for _, outcome in replay_all(store, numbers, NOW, CONFIGURATION)} == {"processed"}
    assert state(store) == before == told
    with store.reading() as reader:
        assert {recipient: reader.position(recipient) for recipient in (ALL, "river")} == positions


def test_two_gateways_that_take_the_same_people_at_once_take_each_message_once(url: str, store: Store, told: dict[str, object]) -> None:
    """Every message is sent to both, as a sender does that fails over: they meet in the same input, and in the same people."""
    with ExitStack() as stack:
        stores = [store, stack.enter_context(closing(open_postgres(url)))]
        journeys = [Journey(each, CONFIGURATION, lambda: NOW) for each in stores]
        for journey in journeys:
            journey.start()
        chance = random.Random(1)
        futures = [journey.submit(Received("hl7v2", raw)) for journey in journeys for raw in chance.sample(STORY, len(STORY))]
        outcomes = [future.result(60) for future in futures]
        for journey in journeys:
            journey.stop()
    assert [each.state for each in outcomes].count("processed") == len(STORY)
    assert [each.state for each in outcomes].count("duplicate") == len(STORY)
    assert state(store) == told


def test_any_bytes_are_kept_and_answered(store: Store) -> None:
    odd = [
        b"\0",
        STORY[1].replace(b"|2|P|", b"|a\0b|P|"),
        STORY[1].replace(b"Quist", b"Qu\0ist\xff"),
        STORY[1].replace(b"1001", b"10\0" * 90),
        b"MSH|^~\\&|\0",
    ]
    assert len(feed(store, odd)) == len(odd)
    with store.reading() as reader:
        assert [row.raw for row in reader.messages(Filter(oldest_first=True))] == odd
