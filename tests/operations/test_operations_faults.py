"""The faults that one gateway survives, each with real files, servers and signals, and each counted: sent, acknowledged, stored, once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from gateway.adapters.hl7v2.frames import framed
from gateway.settings import load
from gateway.store.interface import Filter
from gateway.store.migrate import REVISION
from gateway.store.sqlite import open_sqlite
from gateway.stores import open_store
from tests.attacks_feeds.messages import FAMILY, FEEDS, message
from tests.attacks_feeds.processes import configure, receive, rows, serving
from tests.operations.beside import Authority, beside
from tests.operations.hospitals import count, sending
from tests.operations.test_operations_watched import DISCHARGED, send
from tests.postgres_server import schema, server
from tests.postgres_server import started as own_server
from tests.store.stores import to_the_first_version


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own, in memory. Skips the test where this user may not mount one."""
    path.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", path], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip("this user may not mount a tmpfs")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as written:
        while True:
            written.write(b"x" * 4096)


def test_a_full_disk_takes_nothing_loses_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 24) as disk:
        data = configure(disk / "data", FEEDS)
        with serving(data, FEEDS) as running:
            first = message("C0")
            assert b"MSA|AA|C0" in running.send(first)[0]
            filler = disk / "filler"
            with pytest.raises(OSError, match="No space"):
                fill(filler)
            # a message that would take more than the log's last page
            large = [message(f"C{number}") + b"NTE|1||" + b"x" * 500_000 + b"\r" for number in range(1, 5)]
            answers = [running.send(each)[0] for each in large]
            assert not any(b"MSA|AA" in answer for answer in answers)
            assert b"MSA|AA|C0" in running.send(first)[0] or running.send(first)[0] == b""
            not_ready = httpx.get(running.url + "/readyz", timeout=10)
            assert not_ready.status_code == 503
            assert "failed disk" in not_ready.text
            assert httpx.get(running.url + "/healthz").status_code == 200
            filler.unlink()
            assert all(b"MSA|AA" in running.send(each)[0] for each in large)
            assert running.stop() == 0
            assert FAMILY.encode() not in running.said
            assert b"Traceback" not in running.said
        inbox = rows("messages", "list", "--data", data, "--json")
        assert sorted(row["control_id"] for row in inbox if row["state"] == "processed") == ["C0", "C1", "C2", "C3", "C4"]


# --- PostgreSQL


@pytest.mark.postgres
def test_postgresql_stopped_and_started_costs_nothing_but_time(tmp_path: Path) -> None:
    with own_server() as database:
        data = tmp_path / "data"
        with beside(data, f'[store]\nurl = "{database.url}"\n{FEEDS}') as gateway:
            with sending(gateway.mllp) as hospitals:
                for how in ("immediate", "fast"):  # a crash, and an orderly end
                    hospitals.wait_for(30)
                    database.stop(how)
                    before = hospitals.acknowledged
                    time.sleep(0.5)
                    assert hospitals.acknowledged <= before + len(hospitals.each)  # what was on its way when it was stopped
                    database.start()
                hospitals.wait_for(30)
            time.sleep(2.1)  # longer than an answer is given again
            assert httpx.get(gateway.url + "/readyz", timeout=20).status_code == 200
        settings = load(data / "gateway.toml")
        with closing(open_store(settings, data)) as store:
            count(store, settings, hospitals)


@pytest.mark.postgres
def test_connections_that_are_cut_again_and_again_cost_nothing_but_time(tmp_path: Path) -> None:
    with schema(server(), f"cut_{os.getpid()}") as url:
        name = url.rpartition("application_name=")[2]
        with (
            beside(tmp_path, f'[store]\nurl = "{url}"\n{FEEDS}') as gateway,
            psycopg.connect(server(), autocommit=True) as administrator,
            sending(gateway.mllp) as hospitals,
        ):
            for _ in range(10):
                hospitals.wait_for(10)
                administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", (name,))
            hospitals.wait_for(20)
        settings = load(tmp_path / "gateway.toml")
        with closing(open_store(settings, tmp_path)) as store:
            count(store, settings, hospitals)


@pytest.mark.postgres
def test_deadlocks_with_somebody_elses_locks_cost_nothing_but_time(tmp_path: Path) -> None:
    """An administrator's session takes tables in another order than the gateway does: PostgreSQL ends one of the two, again and again."""
    with schema(server(), f"locked_{os.getpid()}") as url:
        with (
            beside(tmp_path, f'[store]\nurl = "{url}"\n{FEEDS}') as gateway,
            psycopg.connect(url, autocommit=True) as other,
            sending(gateway.mllp) as hospitals,
        ):
            for _ in range(5):
                hospitals.wait_for(5)
                with suppress(psycopg.errors.DeadlockDetected), other.transaction():
                    other.execute("SET LOCAL deadlock_timeout = '5s'")  # so that it is the gateway that is ended
                    other.execute("LOCK TABLE version IN ACCESS EXCLUSIVE MODE")
                    time.sleep(0.05)
                    other.execute("LOCK TABLE input IN ACCESS EXCLUSIVE MODE")
            hospitals.wait_for(20)
        settings = load(tmp_path / "gateway.toml")
        with closing(open_store(settings, tmp_path)) as store:
            count(store, settings, hospitals)


# --- migrations

_KILLED = """
import os, signal, sys
from pathlib import Path
from gateway.stores import open_store
from gateway.settings import Settings
steps = 0
import alembic.runtime.migration as migration
stamp = migration.HeadMaintainer.update_to_step
def step(self, each):
    global steps
    stamp(self, each)
    steps += 1
    if steps == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
migration.HeadMaintainer.update_to_step = step
open_store(Settings(store={"url": sys.argv[3]} if len(sys.argv) > 3 else {}), Path(sys.argv[1]))
"""


@pytest.mark.parametrize("after", [1, 3])
def test_a_migration_that_is_killed_half_way_leaves_the_store_as_it_was(tmp_path: Path, after: int) -> None:
    data = configure(tmp_path, FEEDS)
    file = data / "gateway.sqlite"
    with beside(data, FEEDS) as gateway:
        send(gateway, message("C1"))
    to_the_first_version(file)
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(data), str(after)], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with closing(open_sqlite(file)) as store, store.reading() as reader:
        assert store.upkeep.revision() == REVISION
        assert [row.control_id for row in reader.messages(Filter())] == ["C1"]


@pytest.mark.postgres
def test_a_migration_of_postgresql_that_is_killed_half_way_leaves_nothing(tmp_path: Path) -> None:
    with schema(server(), f"migrated_{os.getpid()}") as url:
        killed = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path), "3", url], capture_output=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        with psycopg.connect(url) as look:
            assert look.execute("SELECT to_regclass('alembic_version'), to_regclass('input')").fetchone() == (None, None)
        with beside(tmp_path, f'[store]\nurl = "{url}"\n{FEEDS}') as gateway:
            send(gateway, message("C1"))
            assert gateway.gateway.store.upkeep.revision() == REVISION


# --- clocks and signals


def test_a_clock_that_jumps_back_an_hour_loses_nobody(tmp_path: Path) -> None:
    """What is committed after the jump comes after what was committed before it, for whoever polls; and the gateway says that its clock is wrong."""
    at = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    with beside(tmp_path, FEEDS) as gateway:
        gateway.do(gateway.gateway.set_clock(at))
        left = {"event": "ADT^A03^ADT_A03", "at": "20260303090000", "pv1": DISCHARGED}
        send(gateway, message("C1", **left))
        with gateway.gateway.store.reading() as reader:
            before = reader.last()
        gateway.do(gateway.gateway.set_clock(at - timedelta(hours=1)))
        send(gateway, message("C2", pid=f"PID|1||1002^^^STMARY^MR||{FAMILY}^Eve", **(left | {"pv1": DISCHARGED.replace("V1", "V2")})))
        with gateway.gateway.store.reading() as reader:
            new = reader.feed("*", before, 10)
            assert len(new) == 1
            assert new[0].position > before
            assert len(reader.feed("*", 0, 10)) == 2
        assert "warning clock: the last commit lies 60 minutes ahead of it" in httpx.get(gateway.url + "/readyz").text


def test_sighup_takes_renewed_certificates_and_cuts_nobody_off(tmp_path: Path) -> None:
    data = configure(tmp_path / "data")
    first, second = Authority("county"), Authority("county, next year")
    first.issue(data / "server", "first")
    tls = 'tls_certificate = "server.crt"\ntls_key = "server.key"\n'
    with serving(data, tls + FEEDS) as running:
        with first.client().wrap_socket(socket.create_connection(running.mllp, timeout=10), server_hostname="localhost") as old:
            second.issue(data / "server", "second")
            running.process.send_signal(signal.SIGHUP)
            end = time.monotonic() + 30
            while True:
                try:
                    with second.client().wrap_socket(socket.create_connection(running.mllp, timeout=10), server_hostname="localhost") as new:
                        new.sendall(framed(message("C1")))
                        assert b"MSA|AA|C1" in receive(new)
                        break
                except OSError:
                    assert time.monotonic() < end, "the renewed certificate was not taken"
                    time.sleep(0.05)
            old.sendall(framed(message("C2")))
            assert b"MSA|AA|C2" in receive(old)
        assert running.stop() == 0
        assert b"certificate renewed" in running.said
