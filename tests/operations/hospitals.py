"""Hospitals that send on and on, each message until it is acknowledged, whatever becomes of the gateway meanwhile; and what is counted in the end."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.adapters.hl7v2.frames import framed
from gateway.pipeline.rebuild import rebuild
from gateway.settings import Settings
from gateway.store.interface import ALL, Filter, Store
from gateway.stores import configuration_of
from tests.attacks_feeds.messages import FAMILY, message
from tests.attacks_feeds.processes import receive

SECONDS = 60.0
"""How long a gateway that should answer is waited for."""


class Hospital(threading.Thread):
    """One sender. What was acknowledged is in `acknowledged`; what was accepted is AA, anything else is a fault of the test."""

    def __init__(self, number: int, target: tuple[str, int], stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self.number, self.target, self.stopping = number, target, stopping
        self.acknowledged: list[str] = []
        self.wrong: list[bytes] = []
        self.attempts = 0

    def run(self) -> None:
        wire: socket.socket | None = None
        while not self.stopping.is_set():
            control = f"H{self.number}-{len(self.acknowledged)}"
            try:
                wire = wire or socket.create_connection(self.target, timeout=SECONDS)
                self.attempts += 1
                wire.sendall(framed(self.message(control)))
                answer = receive(wire)
            except OSError:
                answer = b""
            if f"MSA|AA|{control}\r".encode() in answer:
                self.acknowledged.append(control)
                continue
            if answer:
                self.wrong.append(answer)
                return
            if wire is not None:
                wire.close()
            wire = None
            time.sleep(0.02)
        if wire is not None:
            wire.close()

    def message(self, control: str) -> bytes:
        """An update of one of nine clients, who are other hospitals' too."""
        count = len(self.acknowledged)
        client = f"PID|1||{1000 + count % 9}^^^STMARY^MR||{FAMILY}^Ada"
        return message(control, event="ADT^A08", at=f"2026030209{count // 60 % 60:02}{count % 60:02}", pid=client)


class Hospitals:
    """Several of them."""

    def __init__(self, target: tuple[str, int], number: int) -> None:
        self._stopping = threading.Event()
        self.each = [Hospital(one, target, self._stopping) for one in range(number)]

    @property
    def acknowledged(self) -> int:
        return sum(len(one.acknowledged) for one in self.each)

    def wait_for(self, more: int) -> None:
        """Until so many more were acknowledged."""
        wanted, end = self.acknowledged + more, time.monotonic() + SECONDS
        while self.acknowledged < wanted:
            assert not any(one.wrong for one in self.each), [one.wrong for one in self.each]
            assert time.monotonic() < end, f"{wanted - self.acknowledged} acknowledgements did not come"
            time.sleep(0.01)

    def stop(self) -> None:
        self._stopping.set()
        for one in self.each:
            one.join(SECONDS)
            assert not one.is_alive()
            assert not one.wrong, one.wrong


@contextmanager
def sending(target: tuple[str, int], number: int = 6) -> Iterator[Hospitals]:
    """So many hospitals send while the context lasts."""
    hospitals = Hospitals(target, number)
    for one in hospitals.each:
        one.start()
    try:
        yield hospitals
    finally:
        hospitals.stop()


def count(store: Store, settings: Settings, hospitals: Hospitals) -> None:
    """What was acknowledged is stored exactly once, nothing else is but what was under way, and a rebuild reaches the same state."""
    acknowledged = {control for one in hospitals.each for control in one.acknowledged}
    assert acknowledged
    with store.reading() as reader:
        rows = [(row.control_id, row.state) for row in reader.messages(Filter())]
    stored = Counter(control for control, state in rows if state == "processed")
    assert acknowledged <= stored.keys()
    assert set(stored.values()) == {1}
    assert len(stored.keys() - acknowledged) <= len(hospitals.each)  # taken, and its answer lost: one each, at most
    assert {state for _, state in rows} <= {"processed", "duplicate"}
    before = exported(store)
    done = rebuild(store, configuration_of(settings, store), time.time_ns() // 1000)
    assert (done.failed, done.inputs) == (0, len(stored))
    assert exported(store) == before


def exported(store: Store) -> list[tuple[str, str, int, bytes | None]]:
    """Every current resource, with the number of its version."""
    with store.reading() as reader:
        return [(each.type, each.id, each.number, each.body) for each in reader.export(ALL)]
