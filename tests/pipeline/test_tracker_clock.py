"""The clock of real gateways, each in a process of its own: over a restart, over leaps of the system clock, and with two of them on one store.

A gateway here is the one that `gateway serve` runs; the system clock of its process is the machine's, plus a shift that the test sets. Ada Quist left
the ward an hour before the test began (D); River is asked, and says nothing.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.errors import Usage
from gateway.pipeline import Received
from gateway.pipeline.intake import take
from gateway.settings import load
from gateway.store.interface import ALL, Filter, Store
from gateway.stores import configuration_of, open_store
from tests.pipeline.county import DIAGNOSIS, message, visit
from tests.postgres_server import schema, server

TOML = """
[journey]
processes = 0
[http]
listen = "127.0.0.1:0"
[mllp]
listen = "127.0.0.1:0"
[[feed]]
name = "st-mary"
sending_facility = "STMARY"
timezone = "UTC"
psychiatric_units = ["BHU"]
[[agency]]
id = "river"
name = "River Community Mental Health"
postal_codes = ["627*"]
"""
HOUR = timedelta(hours=1)
LEFT = datetime.now(UTC).replace(microsecond=0) - HOUR
DAY_7_ENDS, DAY_30_ENDS = ((LEFT + timedelta(days=days + 1)).replace(hour=0, minute=0, second=0) for days in (7, 30))
WAITS = 60
"""Seconds until a test that waits for something has failed; none of them says how long it takes."""

CONTEXT: ForkServerContext = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["gateway.app", "gateway.http_application", "gateway.api.router", "gateway.store.sqlite", "gateway.store.postgres"])
DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


def serve(data: Path, shift: Any, ready: Any, looks: str, together: Any) -> None:
    """A gateway, until it is killed. `shift`: what its system clock is ahead, in nanoseconds. Each look at a client is written to the file `looks`;
    the first of them begins when `together` says so."""
    from gateway.app import running
    from gateway.pipeline import journey

    system, look = time.time_ns, journey.look_again
    time.time_ns = lambda: system() + shift.value
    time.time = lambda: (system() + shift.value) / 1e9
    journey.WAKE_AT_ONCE = 3
    waiting = [together] if together is not None else []

    def looked(writer: Any, partition: int, now: int, configuration: Any) -> None:
        while waiting:
            waiting.pop().wait(WAITS)
        look(writer, partition, now, configuration)
        with open(looks, "a") as file:  # noqa: PTH123 - appended to by two processes at once
            file.write(f"{os.getpid()} {partition}\n")

    journey.look_again = looked

    async def run() -> None:
        async with running(load(data / "gateway.toml"), data):
            ready.set()
            await asyncio.Event().wait()

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        asyncio.run(run())
    except Usage:
        sys.exit(2)


class County:
    """A store with what was told of its clients, and the gateways that serve it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.looks = data / "looks.txt"
        self.looks.touch()
        self.shift = CONTEXT.Value("q", 0)
        self.gateways: list[ForkServerProcess] = []
        self.signals: list[Any] = []  # kept until the processes that are given them have them
        self.settings = load(data / "gateway.toml")
        self.store: Store = open_store(self.settings, data)
        self.configuration = configuration_of(self.settings, self.store)

    def tell(self, *raw: bytes) -> None:
        """As of what the gateways' clock says."""
        now = time.time_ns() // 1000 + self.shift.value // 1000
        for each in raw:
            with self.store.write(now) as writer:
                assert take(writer, Received("hl7v2", each), now, self.configuration).state == "processed"

    def start(self, together: Any = None, *, wait: bool = True) -> ForkServerProcess:
        ready = CONTEXT.Event()
        self.signals.append(ready)
        gateway = CONTEXT.Process(target=serve, args=(self.data, self.shift, ready, str(self.looks), together))
        gateway.start()
        self.gateways.append(gateway)
        assert not wait or ready.wait(WAITS)
        return gateway

    def kill(self) -> None:
        for gateway in self.gateways:
            gateway.kill()
            gateway.join()
        self.gateways.clear()

    def leap(self, by: timedelta) -> None:
        """Of the system clock."""
        with self.shift.get_lock():
            self.shift.value += by // timedelta(microseconds=1) * 1000

    def transitions(self) -> list[dict[str, Any]]:
        with self.store.reading() as reader:
            return [orjson.loads(row.body) for row in reader.worklist(ALL) if row.body is not None]

    def flags(self) -> dict[str, datetime]:
        """Of the one client: since when each stands."""
        (one,) = self.transitions()
        return {flag["code"]: datetime.fromisoformat(flag["since"]) for flag in one["flags"]}

    def decisions(self) -> int:
        with self.store.reading() as reader:
            return sum(each.kind == "decision" for each in reader.messages(Filter(state="processed")))


def until(holds: Callable[[], bool]) -> None:
    """Wait for it."""
    end = time.monotonic() + WAITS
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


@contextmanager
def stored(kind: str) -> Iterator[str]:
    """The configuration's [store]."""
    if kind == "sqlite":
        yield ""
        return
    with schema(server(), f"clock_{os.getpid()}") as url:
        yield f'[store]\nurl = "{url}"\n'


@pytest.fixture
def county(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[County]:
    with stored(request.param) as toml:
        (tmp_path / "gateway.toml").write_text(toml + TOML)
        made = County(tmp_path)
        with closing(made.store):
            yield made
            made.kill()


def stamp(at: datetime) -> str:
    return f"{at:%Y%m%d%H%M%S}"


def left(number: int = 1) -> bytes:
    stay = visit(number=f"V{number}", admitted=stamp(LEFT - timedelta(days=9)), discharged=stamp(LEFT), disposition="01")
    raw = message("ADT^A03^ADT_A03", stamp(LEFT), str(number), stay, DIAGNOSIS, mrn=str(1000 + number))
    return raw.replace(b"~77^^^COUNTYMPI^PI", b"")


@pytest.mark.parametrize("county", DATABASES, indirect=True)
def test_what_came_due_while_the_gateway_was_down_is_done_when_it_is_up_again(county: County) -> None:
    county.tell(left())
    county.start()
    assert set(county.flags()) == {"no-follow-up-scheduled"}
    county.kill()
    county.leap(26 * HOUR)
    county.start()
    until(lambda: county.decisions() == 1)
    assert county.flags() == {"no-follow-up-scheduled": LEFT, "not-picked-up": LEFT + 24 * HOUR}
    (one,) = county.transitions()
    assert [(each["agency"], each["ended"]) for each in one["assignments"]] == [("river", "unanswered"), (None, None)]


@pytest.mark.parametrize("county", DATABASES, indirect=True)
def test_the_system_clock_leaps_by_months_and_back_by_an_hour(county: County) -> None:
    county.tell(left())
    county.start()
    county.leap(timedelta(days=100))
    until(lambda: "no-follow-up-30-days" in county.flags())
    risen = county.flags()
    assert risen == {
        "no-follow-up-scheduled": LEFT,
        "not-picked-up": LEFT + 24 * HOUR,
        "no-contact": LEFT + 72 * HOUR,
        "no-follow-up-7-days": DAY_7_ENDS,
        "no-follow-up-30-days": DAY_30_ENDS,
    }, "each since its own moment, not since the leap"
    assert county.transitions()[0]["next_look"] is None
    looked = county.looks.read_text().count("\n")
    with county.store.reading() as reader:
        before = reader.position(ALL)
    county.leap(-HOUR)
    county.tell(left(2))
    until(lambda: len(county.transitions()) == 2)
    with county.store.reading() as reader:
        assert reader.position(ALL) > before, "what is written after a step back comes after what was written before it"
    assert county.looks.read_text().count("\n") == looked, "nothing is looked at twice"
    assert [{flag["code"] for flag in one["flags"]} for one in county.transitions()] == [set(risen)] * 2


@pytest.mark.parametrize("county", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_two_gateways_look_at_each_due_transition_once(county: County) -> None:
    clients = 20
    county.tell(*(left(number) for number in range(1, clients + 1)))
    together = CONTEXT.Barrier(2)  # each of the two is at its first clients before either goes on
    first, second = county.start(together), county.start(together)
    county.leap(26 * HOUR)
    until(lambda: county.decisions() >= clients)
    time.sleep(2)  # both have woken again, and found nothing
    looks = [line.split() for line in county.looks.read_text().splitlines()]
    assert Counter(partition for _, partition in looks) == Counter({partition: 1 for _, partition in looks})
    assert len(looks) == county.decisions() == clients
    assert {int(process) for process, _ in looks} == {first.pid, second.pid}


@pytest.mark.parametrize("county", ["sqlite"], indirect=True)
def test_a_second_gateway_on_the_same_file_refuses_and_the_first_goes_on(county: County) -> None:
    county.tell(left())
    county.start()
    second = county.start(wait=False)
    second.join(WAITS)
    assert second.exitcode == 2
    county.leap(26 * HOUR)
    until(lambda: county.decisions() == 1)
