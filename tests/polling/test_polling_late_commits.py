"""A poller misses nothing of what transactions commit late, or commit under a clock that stepped back (DESIGN, law 8); on every store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import orjson
import pytest

from gateway.fhir.search import terms
from gateway.store.interface import ALL, Change, NewVersion, Store, TransitionRow, Writer
from gateway.store.postgres import open_postgres
from tests.api.gateway_api import TASK, Bench
from tests.polling.polling_support import FeedPoller, UpdatedPoller
from tests.store.stores import POSTGRES, SQLITE, chosen, empty_schema, fresh

Json = dict[str, Any]
HOUR = 3_600_000_000
NOW = 1_795_312_800_000_000


@pytest.fixture(params=[SQLITE, pytest.param(POSTGRES, marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with chosen(request.param), fresh() as made:
        yield made


class Pollers:
    """River's two pollers, over the API."""

    def __init__(self, store: Store) -> None:
        self.bench = Bench(store)
        self.feed = FeedPoller(self._ask, limit=2)
        self.tasks = UpdatedPoller(self._ask, "river", count=2)

    def _ask(self, address: str) -> Any:
        return self.bench.as_("river", "GET", address)

    def told(self) -> tuple[list[str], list[str]]:
        """What each is told, one after the other: where others commit meanwhile, the second may be told more."""
        return self.feed.poll(), self.tasks.poll()

    def news(self) -> list[str]:
        """What both are told alike."""
        found, also = self.told()
        assert also == found
        return found


@pytest.fixture
def pollers(store: Store) -> Iterator[Pollers]:
    made = Pollers(store)
    yield made
    made.bench.http.close()


def write(writer: Writer, id: str, said: str = "") -> None:
    """A transition of River's, and its Task."""
    task = {**TASK, "id": id, "description": said}
    version = NewVersion("river", "Task", id, orjson.dumps(task), terms(task))
    row = TransitionRow("river", id, orjson.dumps({"id": id, "status": "open", "said": said}), "open", True, 1, 5)
    writer.apply(Change(writer.bind([id], None), [version], [row]))


def commit(store: Store, now: int, *ids: str, said: str = "") -> None:
    with store.write(now) as writer:
        for id in ids:
            write(writer, id, said)


@pytest.mark.postgres
def test_what_commits_after_a_later_one_is_told_after_it() -> None:
    """Two gateways: one holds its transaction open, with an earlier time, while the other commits and a poller moves on."""
    with empty_schema() as url, ExitStack() as stack:
        slow, quick = (stack.enter_context(closing(open_postgres(url))) for _ in range(2))
        pollers = Pollers(quick)
        stack.callback(pollers.bench.http.close)
        with slow.write(NOW) as writer:
            write(writer, "slow")
            for number in range(3):
                commit(quick, NOW + number + 1, f"quick{number}")
                assert pollers.news() == [f"quick{number}"]
        assert pollers.news() == ["slow"]
        commit(quick, NOW + 9, "last")
        assert pollers.news() == ["last"]


@pytest.mark.postgres
def test_two_that_were_open_at_once_are_told_as_they_committed() -> None:
    """The first that began commits last; both were given their times long before. In between nobody sees half of one."""
    with empty_schema() as url, ExitStack() as stack:
        stores = [stack.enter_context(closing(open_postgres(url))) for _ in range(3)]
        pollers = Pollers(stores[2])
        stack.callback(pollers.bench.http.close)
        with stores[0].write(NOW) as first:
            with stores[1].write(NOW + 1) as second:
                for number in range(2):
                    write(first, f"a{number}")
                    write(second, f"b{number}")
                    assert pollers.news() == []
            assert pollers.news() == ["b0", "b1"]
        assert pollers.news() == ["a0", "a1"]


def test_on_one_store_whoever_writes_later_waits_and_is_told_later(store: Store, pollers: Pollers) -> None:
    """The same shape in one process: a long transaction is open, others want to write, a poller looks all the time."""
    others = [threading.Thread(target=commit, args=(store, NOW + number + 1, f"other{number}")) for number in range(3)]
    with store.write(NOW) as writer:
        write(writer, "long")
        for each in others:
            each.start()
        told = [pollers.told()]
        write(writer, "longer")
        told.append(pollers.told())
    for each in others:
        each.join()
    told.append(pollers.told())
    for found in ([id for each in told for id in each[way]] for way in (0, 1)):
        assert sorted(found) == ["long", "longer", "other0", "other1", "other2"]
        assert found.index("longer") == found.index("long") + 1


def test_a_clock_that_steps_back_an_hour_puts_nothing_behind_a_poller(store: Store, pollers: Pollers) -> None:
    found = []
    for number, now in enumerate((NOW, NOW + HOUR, NOW, NOW + 1, NOW + HOUR // 2, NOW - 24 * HOUR, NOW + 2 * HOUR)):
        commit(store, now, f"n{number}a", f"n{number}b")
        found += pollers.news()
    assert found == [f"n{number}{part}" for number in range(7) for part in "ab"]


def test_many_changes_of_one_microsecond_are_all_told_a_few_at_a_time(store: Store, pollers: Pollers) -> None:
    """All committed under a clock that stands: each has a moment of its own, and pages of two cut between no two that are alike."""
    commit(store, NOW, *(f"n{number:02}" for number in range(11)))
    commit(store, NOW, *(f"m{number:02}" for number in range(11)))
    assert pollers.news() == [*(f"n{number:02}" for number in range(11)), *(f"m{number:02}" for number in range(11))]
    stamps = [task["meta"]["lastUpdated"] for task in pollers.tasks.known.values()]
    assert len(set(stamps)) == len(stamps)
    assert stamps == sorted(stamps)


def test_a_poller_that_writes_fewer_digits_is_given_a_task_twice_rather_than_never(store: Store, pollers: Pollers) -> None:
    """JavaScript has milliseconds: it cuts off what lastUpdated says beyond them."""
    commit(store, NOW + 1_000, "a", "b")
    pollers.news()
    cut = pollers.tasks.since[:23] + "Z"
    commit(store, NOW + 1_000, "c")
    answer = pollers.bench.as_("river", "GET", f"/fhir/Task?owner=Organization/river&_lastUpdated=gt{cut}")
    assert {entry["resource"]["id"] for entry in answer.json()["entry"]} >= {"c"}


def test_a_change_between_two_pages_moves_behind_and_is_not_lost(store: Store, pollers: Pollers) -> None:
    """A poller is on the first of three pages when what stands on the third changes, and what stood on the first does."""
    commit(store, NOW, "a", "b", "c", "d", "e")
    first = pollers.bench.as_("river", "GET", "/fhir/Task?owner=Organization/river&_count=2").json()
    seen = {entry["resource"]["id"]: entry["resource"]["description"] for entry in first["entry"]}
    commit(store, NOW + 1, "e", "a", said="changed")
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    while following:
        page = pollers.bench.as_("river", "GET", "/fhir/" + following.partition("/fhir/")[2]).json()
        seen.update({entry["resource"]["id"]: entry["resource"]["description"] for entry in page["entry"]})
        following = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    assert seen == {"a": "changed", "b": "", "c": "", "d": "", "e": "changed"}


def test_what_only_others_may_see_moves_neither_cursor_nor_last_updated(store: Store, pollers: Pollers) -> None:
    commit(store, NOW, "a")
    pollers.news()
    cursor, since = pollers.feed.cursor, pollers.tasks.since
    with store.write(NOW + HOUR) as writer:
        hidden = {**TASK, "id": "a", "description": "the coordinator's word"}
        writer.apply(Change(writer.bind(["a"], None), [NewVersion(ALL, "Task", "a", orjson.dumps(hidden), terms(hidden))]))
    assert pollers.news() == []
    assert (pollers.feed.cursor, pollers.tasks.since) == (cursor, since)


@pytest.mark.postgres
def test_a_long_poll_ends_with_what_another_process_commits() -> None:
    """The running gateway looks every second whether somebody else has committed (`Gateway.notice`)."""
    import asyncio

    from gateway.clocks import CareClock
    from gateway.instance import Gateway
    from gateway.settings import Settings

    with empty_schema() as url, ExitStack() as stack:
        here, elsewhere = (stack.enter_context(closing(open_postgres(url))) for _ in range(2))
        gateway = Gateway(here, Settings(), CareClock())

        async def waits() -> tuple[bool, bool]:
            await gateway.notice()
            with gateway.changes.watch() as watch:
                await gateway.notice()
                before = await watch.wait(0.05)
                await asyncio.to_thread(commit, elsewhere, NOW, "a")
                await gateway.notice()
                return before, await watch.wait(5)

        assert asyncio.run(waits()) == (False, True)
