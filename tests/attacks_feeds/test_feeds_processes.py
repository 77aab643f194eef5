"""What is promised of processes: locks, signals, ports, a store that cannot commit; with real ones."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from gateway.adapters.hl7v2.frames import framed
from gateway.store.sqlite import open_sqlite
from tests.attacks_feeds.messages import FAMILY, FEEDS, message
from tests.attacks_feeds.processes import Served, configure, gateway, here, receive, rows, serving, start


def test_commands_work_beside_a_server_and_those_that_must_not_say_so(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, FEEDS) as running:
        running.send(message("C1"))
        assert [row["control_id"] for row in rows("messages", "list", "--data", data, "--json")] == ["C1"]
        assert gateway("messages", "replay", "1", "--data", data).stdout == b"1 processed\n"
        assert b'"Patient"' in gateway("export", "--data", data).stdout
        second = gateway("serve", "--data", data)
        assert second.returncode == 2
        assert b"is serving this data" in second.stderr
        rebuilding = gateway("rebuild", "--data", data)
        assert rebuilding.returncode == 2
        assert b"Stop it" in rebuilding.stderr
        elsewhere = gateway("serve", "--data", tmp_path / "other", "--http", "127.0.0.1:0", "--mllp", f"127.0.0.1:{running.mllp[1]}")
        assert elsewhere.returncode == 2
        assert f"127.0.0.1:{running.mllp[1]}".encode() in elsewhere.stderr
        assert b"Traceback" not in second.stderr + rebuilding.stderr + elsewhere.stderr
        running.stop(signal.SIGKILL)
    with serving(data, FEEDS) as again:  # the killed one left the lock free
        assert b"MSA|AA|C2" in again.send(message("C2"))[0]
        assert again.stop() == 0


class Sender(threading.Thread):
    """A hospital that sends on and on, each message until it is acknowledged, whatever becomes of the gateway meanwhile."""

    def __init__(self, number: int, acknowledged: Counter[str]) -> None:
        super().__init__()
        self.number, self.acknowledged = number, acknowledged
        self.count = 0
        self.unanswered = b""
        self.served: Served | None = None
        self.stopping = threading.Event()

    def run(self) -> None:
        assert self.served is not None
        try:
            with self.served.connect() as wire:
                while not self.stopping.is_set():
                    if not self.unanswered:
                        self.count += 1
                        minute = self.count % 60
                        client = f"PID|1||{1000 + self.count % 9}^^^STMARY^MR||{FAMILY}^Ada"
                        self.unanswered = message(f"S{self.number}-{self.count}", event="ADT^A08", at=f"202603020900{minute:02}", pid=client)
                    wire.sendall(framed(self.unanswered))
                    answer = receive(wire)
                    if not answer:
                        return
                    assert f"MSA|AA|S{self.number}-{self.count}".encode() in answer
                    self.acknowledged[f"S{self.number}-{self.count}"] += 1
                    self.unanswered = b""
        except ConnectionError:
            return

    def again(self) -> Sender:
        """The same hospital, at it again with what was not answered."""
        after = Sender(self.number, self.acknowledged)
        after.count, after.unanswered = self.count, self.unanswered
        return after


def test_law_1_killed_under_load_what_was_acknowledged_is_stored_exactly_once(tmp_path: Path) -> None:
    data = configure(tmp_path / "data", FEEDS)
    acknowledged: Counter[str] = Counter()
    senders = [Sender(number, acknowledged) for number in range(16)]
    for kill in (True, True, False):
        running = start(data)
        for sender in senders:
            sender.served = running
            sender.start()
        before = len(acknowledged)
        while len(acknowledged) < before + 30:
            time.sleep(0.02)
        # SIGTERM finishes what was accepted: nobody who was answered is missing, and it ends by itself
        assert running.stop(signal.SIGKILL if kill else signal.SIGTERM) == (-signal.SIGKILL if kill else 0)
        for sender in senders:
            sender.stopping.set()
            sender.join()
        senders = [sender.again() for sender in senders]
    inbox = rows("messages", "list", "--data", data, "--json")
    stored = Counter(row["control_id"] for row in inbox if row["state"] == "processed")
    assert acknowledged.keys() <= stored.keys()
    assert set(stored.values()) == {1}
    assert len(stored) - len(acknowledged) <= len(senders)  # taken, and its answer lost: at most the one each that was under way
    assert {row["state"] for row in inbox} <= {"processed", "duplicate"}
    before_rebuild = here("export", "--data", data).stdout
    assert here("rebuild", "--data", data).returncode == 0
    assert here("export", "--data", data).stdout == before_rebuild


def test_a_locked_database_is_never_answered_with_acceptance_and_works_again_when_free(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, FEEDS) as running:
        with closing(sqlite3.connect(data / "gateway.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert running.send(message("C1")) == [b""]  # closed unanswered: the sender sends it again
            other.execute("ROLLBACK")
        assert b"MSA|AA|C1" in running.send(message("C1"))[0]
        running.stop()
    assert [row["control_id"] for row in rows("messages", "list", "--data", data, "--json")] == ["C1"]
    assert FAMILY.encode() not in running.said
    assert b"sqlite" not in running.said.lower()


def test_a_full_disk_is_never_answered_with_acceptance(tmp_path: Path) -> None:
    data = configure(tmp_path / "data", FEEDS)
    open_sqlite(data / "gateway.sqlite").close()
    running = start(data, before=["prlimit", "--fsize=400000"])
    sent = [message(f"C{number}") for number in range(60)]
    given = [running.send(each)[0] for each in sent]
    accepted = [f"C{number}" for number, answer in enumerate(given) if f"MSA|AA|C{number}\r".encode() in answer]
    assert 0 < len(accepted) < len(sent)
    assert all(not answer for number, answer in enumerate(given) if f"C{number}" not in accepted)
    assert running.stop() == 0
    assert b"Traceback" not in running.said
    assert FAMILY.encode() not in running.said
    assert {row["control_id"] for row in rows("messages", "list", "--data", data, "--json")} == set(accepted)
    with serving(data, FEEDS) as roomy:
        assert all(b"MSA|AA" in answer for answer in roomy.send(*sent))


def test_an_error_of_the_configuration_stops_every_command_before_it_does_anything(tmp_path: Path) -> None:
    data = configure(tmp_path / "data", 'lissten = "x"\n')
    for command in ("serve", "rebuild", "export", "messages list", "transitions list", "clients list"):
        done = here(*command.split(), "--data", data)
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"mllp.lissten" in done.stderr
    assert not (data / "gateway.sqlite").exists()
