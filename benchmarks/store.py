"""The store's layout measured alone: no translation, no fold, bodies made beforehand.

`python -m benchmarks.store` prints one line a figure. A message, as the gateway writes it: one inbox row of 2 KB, one statements blob of 3 KB, a
refold of 20 resources of 900 B for two recipients of which a later message of the stay changes 4 (the first writes all), six search terms each, one
transition; the earlier statements and heads are read first, as the fold does. Groups of 16, synchronous=FULL. On PostgreSQL (GATEWAY_TEST_POSTGRES,
or the usual port) the same in one process and in two, each with stays of its own, and in two that write of the same stays.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import multiprocessing
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.store import sql
from gateway.store.interface import ALL, Busy, Change, Input, NewVersion, Store, TransitionRow
from gateway.store.sqlite import SqliteStore, open_sqlite

Message = tuple[int, int, list[NewVersion]]
"""Stay, step, and what the stay comes to by then."""

AGENCY = "river-cmhc"
RESOURCES = 20
CHANGED = 4
MESSAGES_A_STAY = 8
GROUP = 16
FILLER = os.urandom(450).hex().encode()  # does not compress, as long as a body


def _stay(stay: int, step: int) -> list[NewVersion]:
    """The views of a stay's resources after its message number `step`: the first CHANGED of them differ from step to step."""
    versions = []
    for index in range(RESOURCES):
        name = hashlib.blake2b(f"{stay}/{index}".encode(), digest_size=16).hexdigest()
        body = f'{{"id":"{name}","step":{step if index < CHANGED else 0},"x":"'.encode() + FILLER[: 900 - 64] + b'"}'
        terms = (
            ("patient", f"Patient/{stay:032x}"),
            ("encounter", f"Encounter/{stay:032x}"),
            ("status", "active" if step % 2 or index else "planned"),
            ("code", f"http://snomed.info/sct|{index}"),
            ("identifier", f"urn:oid:1.2.3|{name}"),
            ("date", f"2026-11-{1 + step:02d}" if index < CHANGED else "2026-11-01"),
        )
        versions += [NewVersion(recipient, "Condition", name, body, terms) for recipient in (ALL, AGENCY)]
    return versions


def _messages(count: int, *, first: int = 0) -> Iterator[tuple[int, int]]:
    """(stay, step) of each message: some hundred stays are under way at once, as in a county."""
    under_way = [(stay, 0) for stay in range(first, first + 200)]
    fresh = first + 200
    chance = random.Random(1)
    for _ in range(count):
        index = chance.randrange(len(under_way))
        stay, step = under_way[index]
        yield stay, step
        if step + 1 < MESSAGES_A_STAY:
            under_way[index] = (stay, step + 1)
        else:
            under_way[index] = (fresh, 0)
            fresh += 1


def _write_one(store: Store, now: int, group: list[Message]) -> list[Message]:
    """Writes a group; those that another process was in the way of are given back."""
    contended: list[Message] = []
    raw, statements = FILLER * 2 + b"r" * 248, FILLER * 3 + b"s" * 372
    with store.write(now) as writer:
        for stay, step, versions in group:
            control_id = f"{stay}-{step}"
            digest = hashlib.sha256(control_id.encode()).digest()
            with _contended(contended, (stay, step, versions)), writer.savepoint():
                writer.accepted("st-mary", control_id, digest)
                keys = [f"mrn|{stay}", f"visit|{stay}"]
                found = writer.partitions(keys)
                partition = writer.bind(keys, found[0] if found else None)
                writer.statements(partition)
                number = writer.add_input(
                    Input(
                        0, "hl7v2", "st-mary", control_id, digest, now, raw, event="ADT^A08", answer=b"MSA|AA", identifiers=(f"M{stay}", f"V{stay}")
                    )
                )
                writer.put_statements(number, {partition: statements})
                rows = [
                    TransitionRow(recipient, f"t{stay}", FILLER + bytes([65 + step]), "open", step < 4, stay % 3, stay, "St Mary", AGENCY)
                    for recipient in (ALL, AGENCY)
                ]
                writer.apply(Change(partition, versions, rows, next_look=now + 1000, whole=True))
    return contended


@contextmanager
def _contended(messages: list[Message], message: Message) -> Iterator[None]:
    try:
        yield
    except Busy:
        messages.append(message)


USUAL = "postgresql://127.0.0.1:5432/test"


@contextmanager
def schema(name: str) -> Iterator[str | None]:
    """A URL of a new schema on the PostgreSQL server, dropped in the end; None where there is no server."""
    import psycopg

    url = os.environ.get("GATEWAY_TEST_POSTGRES", USUAL)
    try:
        operator = psycopg.connect(url, autocommit=True, connect_timeout=2)
    except psycopg.OperationalError:
        yield None
        return
    own = f"{name}_{os.getpid()}"
    with operator:
        operator.execute(f"CREATE SCHEMA {own}".encode())
        try:
            yield f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{own}"
        finally:
            operator.execute(f"DROP SCHEMA {own} CASCADE".encode())


def on_postgres(count: int) -> Iterator[str]:
    """Sustained rate of one process, and of two at once, on a schema of its own."""
    for name, firsts in (("1 process", [0]), ("2 processes", [0, 10**6]), ("2 processes, the same people", [0, 0])):
        with schema("gateway_bench_store") as url:
            if url is None:
                yield "store: no PostgreSQL server to measure on"
                return
            rate, again = _rate(url, firsts, count // len(firsts))
        yield f"store: PostgreSQL, {name}: {rate:,.0f} messages/s in groups of {GROUP}; {again} tried again"


def _rate(url: str, firsts: list[int], count: int) -> tuple[float, int]:
    """Messages a second of all processes together, from when all are ready; and how many met another process."""
    from gateway.store.postgres import open_postgres

    open_postgres(url).close()
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(len(firsts)), context.Queue()
    workers = [context.Process(target=_work, args=(url, first, number, count, ready, results)) for number, first in enumerate(firsts)]
    for worker in workers:
        worker.start()
    times = [results.get(timeout=600) for _ in workers]
    for worker in workers:
        worker.join()
    return count * len(workers) / (max(end for _, end, _ in times) - min(begun for begun, _, _ in times)), sum(again for _, _, again in times)


def _work(url: str, first: int, number: int, count: int, ready: Any, results: Any) -> None:
    from gateway.store.postgres import open_postgres

    work = [(stay, step * 10 + number, _stay(stay, step)) for stay, step in _messages(count, first=first)]
    again = 0
    store = open_postgres(url)
    ready.wait()
    begun = time.time()
    while work:
        group, work = work[:GROUP], work[GROUP:]
        contended = _write_one(store, 1_700_000_000_000_000, group)
        again += len(contended)
        work = contended + work
    results.put((begun, time.time(), again))
    store.close()


def messages_per_second(directory: Path, count: int) -> Iterator[str]:
    """Sustained rate, and how long a sender waits for its group."""
    store = open_sqlite(directory / "messages.db")
    work = [(stay, step, _stay(stay, step)) for stay, step in _messages(count)]
    gc.collect()
    gc.freeze()  # what was made beforehand is not the store's to look through
    commits = []
    processor = time.process_time()
    for start in range(0, len(work), GROUP):
        begun = time.perf_counter()
        _write_one(store, 1_700_000_000_000_000 + start, work[start : start + GROUP])
        commits.append(time.perf_counter() - begun)
    busy = (time.process_time() - processor) / count
    yield f"store: {count / sum(commits):,.0f} messages/s in groups of {GROUP} ({busy * 1e6:.0f} us of processor each)"
    yield f"store: a group of {GROUP} p50 {_ms(commits, 50)} p99 {_ms(commits, 99)} max {max(commits) * 1e3:.1f} ms"
    store.close()
    size = (directory / "messages.db").stat().st_size
    yield f"store: {size / count / 1024:.1f} KiB a message on disk"


def _ms(samples: list[float], percent: int) -> str:
    return f"{statistics.quantiles(samples, n=100)[percent - 1] * 1e3:.2f} ms"


def a_million_transitions(directory: Path, count: int) -> Iterator[str]:
    """Worklist page, flagged query and poll, with so many transitions stored."""
    path = directory / "transitions.db"
    store = open_sqlite(path)
    with store.write(1) as writer:
        writer.apply(Change(0, transitions=[TransitionRow(recipient, "first", b"{}", "open", True, 1, 1) for recipient in (ALL, AGENCY)]))
    _fill(path, count)
    with store.reading() as reader:
        last = reader.position(AGENCY)
    chance = random.Random(2)
    questions: dict[str, Callable[[], object]] = {
        "worklist page": lambda: _read(store, lambda r: r.worklist(ALL, limit=50)),
        "flagged page": lambda: _read(store, lambda r: r.worklist(AGENCY, flagged=True, limit=50)),
        "open page": lambda: _read(store, lambda r: r.worklist(AGENCY, status="open", limit=50)),
        "flagged and open page": lambda: _read(store, lambda r: r.worklist(ALL, flagged=True, status="open", limit=50)),
        "tenth flagged page": lambda: _read(store, lambda r: r.worklist(ALL, flagged=True, limit=50, offset=450)),
        "poll, nothing new": lambda: _read(store, lambda r: r.feed(AGENCY, last, 100)),
        "poll, 100 of the history": lambda: _read(store, lambda r: r.feed(AGENCY, chance.randrange(last), 100)),
        "position": lambda: _read(store, lambda r: r.position(AGENCY)),
        "counts": lambda: _read(store, lambda r: r.counts()),
    }
    for name, ask in questions.items():
        samples = []
        for _ in range(5 if name == "counts" else 400):
            begun = time.perf_counter()
            ask()
            samples.append(time.perf_counter() - begun)
        yield f"store: {name} at {count:,} transitions: p50 {_ms(samples, 50)} p99 {_ms(samples, 99)}"
    store.close()


def _read(store: SqliteStore, ask: Callable[..., object]) -> object:
    with store.reading() as reader:
        return ask(reader)


def _fill(path: Path, count: int) -> None:
    """Rows straight into the table: what a year of a state's hospitals leaves. One in fifty is flagged."""
    connection = sqlite3.connect(path)
    recipients = [number for number, _ in connection.execute(sql.ALL_RECIPIENTS)]
    chance = random.Random(3)
    body = FILLER + FILLER[:600]
    for start in range(0, count, 10_000):
        rows = []
        for number in range(start, min(start + 10_000, count)):
            flagged = number % 50 == 0
            status = "open" if flagged or number % 20 == 0 else "closed"
            name = hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()
            position = 10 + number
            rows.append(
                (
                    1000 + number,
                    name,
                    recipients[number // 50 % 2],
                    number,
                    position,
                    status,
                    flagged,
                    chance.randrange(3),
                    chance.randrange(10**9),
                    "",
                    "",
                    1,
                    body,
                )
            )
        connection.executemany(sql.ADD_TRANSITION, rows)
    connection.commit()
    connection.close()


def polls_per_second(directory: Path) -> Iterator[str]:
    """Polls with nothing new from one thread: the store's share of such a request."""
    store = open_sqlite(directory / "transitions.db")
    begun = time.perf_counter()
    for _ in range(5000):
        _read(store, lambda r: r.feed(AGENCY, 10**15, 100))
    yield f"store: {5000 / (time.perf_counter() - begun):,.0f} polls/s with nothing new"
    store.close()


def main() -> None:
    """Prints every figure."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--messages", type=int, default=8000)
    arguments.add_argument("--transitions", type=int, default=1_000_000)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        for line in messages_per_second(Path(directory), chosen.messages):
            print(line)
        for line in on_postgres(chosen.messages):
            print(line)
        if chosen.transitions:
            for line in a_million_transitions(Path(directory), chosen.transitions):
                print(line)
            for line in polls_per_second(Path(directory)):
                print(line)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
