"""A tracker that has a million transitions: the year's measure, waking those that are due, and the flagged page. On SQLite and on PostgreSQL.

`python -m benchmarks.measure [--transitions N]` prints one line a figure. What is woken and shown are real clients, told by messages; the rest of the
million are copies of their rows, with a case of the measure and a partition to wake in another year for each. The measure runs as the command does,
in a process of its own, whose peak of memory is its own; its bars are 30 s and 500 MB (issue 5).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
from fastapi import FastAPI

from gateway.mappings.care.measure_report import measured
from gateway.pipeline import Configuration, Received
from gateway.pipeline.audit_trail import AuditTrail
from gateway.pipeline.intake import take
from gateway.pipeline.journey import Journey
from gateway.records.times import microseconds
from gateway.settings import load
from gateway.store.interface import ALL, Store
from gateway.stores import DATABASE, configuration_of, open_store
from gateway.web.pages import Services, pages
from gateway.web.session import Sessions
from transitions.measure import Case

YEAR = 2026
DUE = 100
FEW = 10_000
ANSWERED = timedelta(hours=24, minutes=1)
"""After a discharge: the agency has had its time, and the transition moves on."""
BAR_SECONDS, BAR_MEGABYTES = 30, 500
FAR = microseconds(datetime(2100, 1, 1, tzinfo=UTC))
FIRST_ID = 10**12
"""Of the rows that are copies: above every id that the store gives out itself."""

CONFIGURATION = """
[[feed]]
name = "st-mary"
sending_facility = "STMARY"
timezone = "America/Chicago"
psychiatric_units = ["BHU"]
[[agency]]
id = "river"
name = "River Community Mental Health"
postal_codes = ["627*"]
"""
USUAL = "postgresql://127.0.0.1:5432/test"

Execute = Callable[[str, Sequence[Sequence[Any]]], None]
"""Writes the rows of a table, as many columns as its schema has."""


class Town(NamedTuple):
    """A gateway's directory with its store open."""

    name: str
    folder: Path
    store: Store
    configuration: Configuration
    write: Execute


@contextmanager
def on_sqlite() -> Iterator[Town]:
    """An empty store in a file."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "gateway.toml").write_text(CONFIGURATION)
        settings = load(folder / "gateway.toml")
        with closing(open_store(settings, folder)) as store:

            def write(table: str, rows: Sequence[Sequence[Any]]) -> None:
                with closing(sqlite3.connect(folder / DATABASE)) as file, file:
                    file.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)

            yield Town("SQLite", folder, store, configuration_of(settings, store), write)


@contextmanager
def on_postgres() -> Iterator[Town]:
    """An empty store in a schema of its own. Raises `psycopg.OperationalError` where there is no server."""
    url, schema = os.environ.get("GATEWAY_TEST_POSTGRES", USUAL), f"gateway_bench_{os.getpid()}"
    with psycopg.connect(url, autocommit=True, connect_timeout=2) as operator, tempfile.TemporaryDirectory() as directory:
        operator.execute(f"CREATE SCHEMA {schema}")
        folder = Path(directory)
        own = f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{schema}"
        (folder / "gateway.toml").write_text(f'[store]\nurl = "{own}"\n{CONFIGURATION}')
        settings = load(folder / "gateway.toml")

        def write(table: str, rows: Sequence[Sequence[Any]]) -> None:
            with operator.cursor() as cursor, cursor.copy(f"COPY {schema}.{table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)

        try:
            with closing(open_store(settings, folder)) as store:
                yield Town("PostgreSQL", folder, store, configuration_of(settings, store), write)
        finally:
            operator.execute(f"DROP SCHEMA {schema} CASCADE")


def discharged(town: Town, first: int, left: datetime) -> None:
    """DUE clients who left the ward at a moment, and of whom nothing is booked."""
    at = left.strftime("%Y%m%d%H%M%S+0000")
    with town.store.write(microseconds(left)) as writer:
        for number in range(first, first + DUE):
            segments = (
                f"MSH|^~\\&|ADT|STMARY|GW|COUNTY|{at}||ADT^A03^ADT_A03|{number}|P|2.5.1",
                f"EVN||{at}",
                f"PID|1||{number}^^^STMARY^MR||Quist^Ada||19800214|F|||1 Elm St^^Springfield^IL^62701^USA^H",
                f"PV1|1|I|BHU^1^A||||||||||||||||V{number}^^^STMARY^VN{'|' * 17}01{'|' * 9}{at}",
                "DG1|1||F33.2^Major depressive disorder^I10|||A|||||||||1",
            )
            outcome = take(writer, Received("hl7v2", "\r".join(segments).encode()), microseconds(left), town.configuration)
            assert outcome.state == "processed", outcome


def fill(town: Town, first: int, count: int) -> None:
    """Rows straight into the tables: transitions like the real ones, of which one in fifty is flagged, with their cases and their partitions."""
    with town.store.reading() as reader:
        bodies = [row.body or b"" for row in reader.worklist(ALL, limit=DUE)]
    chance = random.Random(first)
    for start in range(first, first + count, 10_000):
        numbers = range(start, min(start + 10_000, first + count))
        town.write("transition", [_transition(number, bodies[number % len(bodies)], chance) for number in numbers])
        town.write("measured", [(FIRST_ID + number, *measured(_case(number, chance), f"Patient/{_name(number)}")) for number in numbers])
        town.write("partition", [(FIRST_ID + number, FAR + number) for number in numbers])


def _name(number: int) -> str:
    return hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()


def _transition(number: int, body: bytes, chance: random.Random) -> tuple[object, ...]:
    flagged = number % 50 == 0
    status = "open" if flagged or number % 20 == 0 else "closed"
    order = (status, int(flagged), chance.randrange(3), chance.randrange(10**9))
    return (FIRST_ID + number, _name(number), 1, FIRST_ID + number, 10 + number, *order, "St. Mary", "river", 1, body)


def _case(number: int, chance: random.Random) -> Case:
    day = date(YEAR, 1, 1) + timedelta(days=chance.randrange(335))
    seen = chance.randrange(1, 31) if number % 2 else None
    visit = None if seen is None else day + timedelta(days=seen)
    reference = "" if seen is None else f"Appointment/{_name(number)}"
    return Case(_name(number), f"Hospital {number % 40}", f"agency-{number % 30}", day, "counted", "", visit, seen, reference)


def waking(town: Town, stored: int, now: datetime) -> Iterator[str]:
    """What the clock does when DUE clients are due: ask who they are, and look at each."""
    samples = []
    for _ in range(200):
        with town.store.write(microseconds(now)) as writer:
            begun = time.perf_counter()
            due = writer.due(microseconds(now), 256)
            samples.append((time.perf_counter() - begun) * 1e3)
    assert len(due) == DUE, due
    journey = Journey(town.store, town.configuration, lambda: microseconds(now))
    journey.start()
    begun = time.perf_counter()
    assert journey.wake().result() == DUE
    took = time.perf_counter() - begun
    assert journey.wake().result() == 0
    journey.stop()
    yield f"{town.name}: waking {DUE} due among {stored:,}: {took * 1e3:,.0f} ms; to find them {statistics.median(samples):.2f} ms"


def flagged_page(town: Town, stored: int, now: datetime) -> Iterator[str]:
    """The flagged page: found in the store, and as HTML over the application, its AuditEvent handed over."""
    at_the_store = []
    for _ in range(400):
        begun = time.perf_counter()
        with town.store.reading() as reader:
            assert len(reader.worklist(ALL, flagged=True, limit=100)) == 100
        at_the_store.append((time.perf_counter() - begun) * 1e3)
    yield f"{town.name}: flagged page at {stored:,}, in the store: {_spread(at_the_store)}"
    journey = Journey(town.store, town.configuration, lambda: microseconds(now))
    journey.start()
    sessions, audit = Sessions(), AuditTrail(journey, lambda: microseconds(now))
    app = FastAPI()
    app.include_router(pages(Services(town.store, lambda: now, sessions, audit.add, town.configuration.feeds, {}, journey.submit)))
    gc.collect()
    gc.freeze()  # as `gateway serve` does
    gc.set_threshold(50_000, 20, 50)
    processor = time.process_time()
    samples = asyncio.run(_asked(app, sessions.invite()))
    processor = (time.process_time() - processor) * 1e3 / len(samples)
    yield f"{town.name}: flagged page at {stored:,}, as HTML: {_spread(samples)}; {processor:.1f} ms of the processor"
    journey.stop()


async def _asked(app: FastAPI, invitation: str) -> list[float]:
    samples = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", follow_redirects=True) as http:
        await http.get(invitation)
        for _ in range(200):
            begun = time.perf_counter()
            answer = await http.get("/worklist?show=flagged")
            samples.append((time.perf_counter() - begun) * 1e3)
            assert answer.status_code == 200, answer
    return samples


def _spread(samples: list[float]) -> str:
    cuts = statistics.quantiles(samples, n=100)
    return f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms (bar 50 ms)"


_MEASURED = """
import sys, time
from gateway.cli.main import app
app(standalone_mode=False)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) / 1024, time.process_time(), file=sys.stderr)
"""
"""The command, and then the peak of its own memory in MB (what a parent is told of a child counts the parent's as well) and its processor time."""


def the_year(town: Town, stored: int) -> Iterator[str]:
    """The command, to a file: seconds from start to end, and the peak of its memory."""
    for option in ("", "--json", "--fhir"):
        with (town.folder / "output").open("wb") as output:
            command = [sys.executable, "-c", _MEASURED, "measure", "--year", str(YEAR), "--data", str(town.folder), *option.split()]
            begun = time.perf_counter()
            done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, check=True)
            took = time.perf_counter() - begun
        peak, processor = (float(word) for word in done.stderr.split()[-2:])
        seconds = f"{took:.1f} s, {processor:.1f} of them of the processor (bar {BAR_SECONDS})"
        size = (town.folder / "output").stat().st_size / 1e6
        how = f"measure of {stored:,} discharges, {option or 'text'}"
        yield f"{town.name}: {how}: {seconds}; peak {peak:.0f} MB (bar {BAR_MEGABYTES}); {size:,.1f} MB printed"


def figures(town: Town, count: int) -> Iterator[str]:
    """All of them: first with FEW stored, then with all. The first clients that are woken are not told of: much is done once in a process."""
    first, second, third = (datetime(2026, 11, 20, 16, tzinfo=UTC) + timedelta(hours=hours) for hours in (0, 10, 20))
    discharged(town, 0, first)
    fill(town, 0, FEW)
    list(waking(town, FEW, first + ANSWERED))
    discharged(town, DUE, second)
    yield from waking(town, FEW, second + ANSWERED)
    discharged(town, 2 * DUE, third)
    fill(town, 10 * FEW, count - FEW)  # the store has given the ids in between itself
    yield from waking(town, count, third + ANSWERED)
    yield from flagged_page(town, count, third + timedelta(hours=25))
    yield from the_year(town, count)


def main() -> None:
    """Print every figure."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--transitions", type=int, default=1_000_000)
    count = arguments.parse_args().transitions
    for make in (on_sqlite, on_postgres):
        try:
            with make() as town:
                for line in figures(town, count):
                    print(line, flush=True)
        except psycopg.OperationalError:
            print("PostgreSQL: no server to measure on")


if __name__ == "__main__":
    main()
