"""A soak: 100,000 changes, read while they are made by 20 pollers; none is missed, and nothing comes again behind a cursor that was moved.

Changes are committed straight into the store, as the pipeline commits them (groups of a few, two writers, a clock that jumps, clients routed to and
fro): whole messages would take an hour. Pollers ask the API itself, by ASGI in this process: the same handlers and answers as over a socket.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from fastapi import FastAPI

from gateway.api.services import Changes, Limits, Services
from gateway.fhir.search import terms
from gateway.smart.access import Caller
from gateway.smart.scopes import parse
from gateway.store.interface import ALL, Change, NewVersion, Store, TransitionRow
from gateway.store.postgres import open_postgres
from tests.api.gateway_api import BASE, TASK, app_of, identify
from tests.store.stores import SQLITE, chosen, empty_schema, fresh

Json = dict[str, Any]
AGENCIES = ("a0", "a1", "a2", "a3")
HOUR = 3_600_000_000
NOW = 1_795_312_800_000_000


def authenticate(header: str | None) -> Caller:
    who = (header or "").removeprefix("Bearer ")
    role = "coordinator" if who == ALL else "agency"
    return Caller(who, role, "" if who == ALL else who, parse("system/*.rs"), (), 0)


class Ledger:
    """What was committed: the latest word on each transition for each recipient, -1 where it was taken away."""

    def __init__(self) -> None:
        self.latest: dict[str, dict[str, int]] = {each: {} for each in (ALL, *AGENCIES)}
        self.changes = self.moved = 0
        self._lock = threading.Lock()

    def add(self, changes: int, noted: list[tuple[str, str, int]]) -> None:
        """What a commit changed: (recipient, transition, number)."""
        with self._lock:
            for recipient, name, number in noted:
                self.latest[recipient][name] = number
            self.changes += changes
            self.moved += sum(number == -1 for _, _, number in noted)


class Author:
    """Commits changes of transitions of its own, in groups, by a clock that goes wrong."""

    def __init__(self, store: Store, ledger: Ledger, changes: Changes, name: str, seed: int, transitions: int) -> None:
        self._store, self._ledger, self._changes = store, ledger, changes
        self._random = random.Random(seed)
        self._names = [f"{name}{number}" for number in range(transitions)]
        self._agency: dict[str, str] = {}
        self._number = 0
        self._now = NOW

    def run(self, count: int) -> None:
        """So many changes."""
        while count > 0:
            names = self._random.sample(self._names, min(count, self._random.randint(1, 60)))
            self._commit(names)
            count -= len(names)

    def _commit(self, names: list[str]) -> None:
        self._now += self._random.choice((0, 1, 50_000, 1_000_000))
        now = self._now - (HOUR if self._random.random() < 0.05 else 0)
        noted: list[tuple[str, str, int]] = []
        with self._store.write(now) as writer:
            for name in names:
                self._number += 1
                before = self._agency.get(name)
                agency = self._random.choice(AGENCIES) if before is None or self._random.random() < 0.1 else before
                lost = before if before not in (None, agency) else None
                writer.apply(self._change(writer.bind([name], None), name, agency, lost))
                self._agency[name] = agency
                noted += [(ALL, name, self._number), (agency, name, self._number), *([(lost, name, -1)] if lost else [])]
            if self._random.random() < 0.02:
                time.sleep(0.02)  # a long transaction: on PostgreSQL others overtake it
        self._ledger.add(len(names), noted)
        self._changes.notify()

    def _change(self, partition: int, name: str, agency: str, lost: str | None) -> Change:
        body = orjson.dumps({"id": name, "status": "open", "number": self._number})
        task = {**TASK, "id": name, "owner": {"reference": f"Organization/{agency}"}, "description": str(self._number)}
        stored, found = orjson.dumps(task), terms(task)
        rows = [TransitionRow(each, name, body, "open", True, 1, 0) for each in (ALL, agency)]
        versions = [NewVersion(each, "Task", name, stored, found) for each in (ALL, agency)]
        if lost:
            rows.append(TransitionRow(lost, name, None, "open", True, 1, 0))
            versions.append(NewVersion(lost, "Task", name, None))
        return Change(partition, versions, rows)


class Reader:
    """One poller: how it asks, and what it holds. Every number must be above the last one of its transition, whatever was told in between."""

    def __init__(self, app: FastAPI, who: str, style: str, seed: int) -> None:
        self._app, self.who, self.style = app, who, style
        self._random = random.Random(seed)
        self.kept = ""  # the cursor, or the latest lastUpdated, as a restarted poller finds it
        self.held: dict[str, int] = {}
        self.last: dict[str, int] = {}
        self.told = self.withdrawn = self.repeated = self.polls = 0

    async def _ask(self, path: str, query: str) -> Json:
        pieces: list[bytes] = []
        asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            return next(asked, None) or await asyncio.Event().wait()

        async def send(message: Any) -> None:
            assert message.get("status", 200) == 200
            pieces.append(message.get("body", b""))

        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode(),
                 "query_string": query.encode(), "headers": [(b"authorization", f"Bearer {self.who}".encode())], "scheme": "http",
                 "server": ("gw.example", 80), "client": ("127.0.0.1", 1), "root_path": ""}  # fmt: skip
        await self._app(scope, receive, send)
        self.polls += 1
        return orjson.loads(b"".join(pieces))  # type: ignore[no-any-return]

    async def poll(self) -> int:
        """One question; how many were told."""
        return await (self._by_last_updated() if self.style == "updated" else self._by_cursor())

    async def _by_cursor(self) -> int:
        wait = "&wait=1" if self.style == "long" else ""
        page = await self._ask("/api/transitions", f"cursor={self.kept}&limit={self._random.choice((7, 100, 500))}{wait}")
        if self.style == "restarting" and page["transitions"] and self._random.random() < 0.1:
            return 1  # it was killed before it had taken the page in, and begins where it was
        for each in page["transitions"]:
            self._take(each["id"], each.get("number", -1))
        self.kept = page["cursor"]
        return len(page["transitions"])

    async def _by_last_updated(self) -> int:
        since = f"&_lastUpdated=gt{quote(self.kept)}" if self.kept else ""
        bundle = await self._ask("/fhir/Task", f"owner=Organization/{self.who}&_count={self._random.choice((7, 100, 500))}{since}")
        for entry in bundle.get("entry", []):
            task = entry["resource"]
            self._take(task["id"], int(task["description"]))
            assert task["meta"]["lastUpdated"] > self.kept
            self.kept = task["meta"]["lastUpdated"]
        return len(bundle.get("entry", []))

    def _take(self, name: str, number: int) -> None:
        self.told += 1
        if number == -1:
            self.withdrawn += 1
            self.repeated += self.held.get(name) == -1
        else:
            self.repeated += number <= self.last.get(name, 0)
            self.last[name] = number
        self.held[name] = number

    def missed(self, ledger: Ledger) -> int:
        """How many transitions it does not hold as they are. A search does not tell what was taken away."""
        latest = ledger.latest[self.who]
        return sum(number != self.held.get(name) for name, number in latest.items() if number != -1 or self.style != "updated")


STYLES = ("long",) * 7 + ("plain",) * 4 + ("restarting",) * 4 + ("updated",) * 5


def whose(number: int, style: str) -> str:
    """The coordinator owns no Task, so it does not ask for its own."""
    return AGENCIES[number % 4] if style == "updated" else (*AGENCIES, ALL)[number % 5]


async def soak(app: FastAPI, authors: list[threading.Thread]) -> list[Reader]:
    """Let the authors write and 20 pollers read, until all is written and nobody is told anything new."""
    readers = [
        Reader(app, (*AGENCIES, ALL)[number % 5] if style != "updated" else AGENCIES[number % 4], style, number)
        for number, style in enumerate(STYLES)
    ]
    for each in authors:
        each.start()

    async def read(reader: Reader) -> None:
        quiet = 0
        while quiet < 2:
            over = not any(each.is_alive() for each in authors)  # asked before the poll: what was written by then has to be told
            told = await reader.poll()
            quiet = quiet + 1 if over and not told else 0
            await asyncio.sleep(0 if told else 0.02)

    await asyncio.gather(*(read(each) for each in readers))
    for each in authors:
        each.join()
    return readers


def services(store: Store, changes: Changes) -> Services:
    return Services(store, None, authenticate, identify, BASE, b"k" * 32, lambda _: None, changes=changes, limits=Limits(page=500))  # type: ignore[arg-type]


def report(name: str, ledger: Ledger, readers: list[Reader], seconds: float) -> str:
    told = Counter[str]()
    for each in readers:
        told[each.style] += each.told
    styles = ", ".join(f"{STYLES.count(style)} {style} were told {number}" for style, number in told.items())
    polls = sum(each.polls for each in readers)
    missed, repeated = sum(each.missed(ledger) for each in readers), sum(each.repeated for each in readers)
    return (
        f"\n{name}: {ledger.changes} changes ({ledger.moved} taken away from somebody), {len(readers)} pollers, {polls} polls: "
        f"{styles}; {missed} missed, {repeated} repeated; {seconds:.0f} s"
    )


def held(readers: list[Reader], ledger: Ledger) -> None:
    """What the soak is for."""
    for each in readers:
        assert each.missed(ledger) == 0, (each.who, each.style)
        assert each.repeated == 0, (each.who, each.style)
        assert each.told > 0


@pytest.mark.sweep
def test_20_pollers_miss_nothing_of_100_000_changes(capsys: pytest.CaptureFixture[str]) -> None:
    run("SQLite", 100_000, capsys)


def test_20_pollers_miss_nothing_of_some_changes(capsys: pytest.CaptureFixture[str]) -> None:
    """The soak's shape, in a moment."""
    run("", 600, capsys)


def run(name: str, changes: int, capsys: pytest.CaptureFixture[str]) -> None:
    """On SQLite: two authors on one file, who take turns."""
    with chosen(SQLITE), fresh(busy=60) as store:
        ledger, wakes = Ledger(), Changes()
        authors = [Author(store, ledger, wakes, each, number, max(changes // 20, 60)) for number, each in enumerate("xy")]
        tell(name, ledger, app_of(services(store, wakes)), authors, changes, capsys)


@pytest.mark.sweep
@pytest.mark.postgres
def test_20_pollers_miss_nothing_of_10_000_changes_that_two_gateways_commit(capsys: pytest.CaptureFixture[str]) -> None:
    with empty_schema() as url, ExitStack() as stack:
        stores = [stack.enter_context(closing(open_postgres(url, busy=60))) for _ in range(3)]
        ledger, wakes = Ledger(), Changes()
        authors = [Author(store, ledger, wakes, each, number, 500) for number, (store, each) in enumerate(zip(stores, "xy", strict=False))]
        tell("PostgreSQL", ledger, app_of(services(stores[2], wakes)), authors, 10_000, capsys)


def tell(name: str, ledger: Ledger, app: FastAPI, authors: list[Author], changes: int, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    threads = [threading.Thread(target=each.run, args=(changes // len(authors),)) for each in authors]
    readers = asyncio.run(soak(app, threads))
    if name:
        with capsys.disabled():
            print(report(name, ledger, readers, time.monotonic() - began))
    held(readers, ledger)
    assert ledger.changes == changes
