"""Who may send, from where, and how much at once: allow-lists, bounds by address, and waiting instead of memory."""

from __future__ import annotations

import asyncio
import resource
import socket
import threading
import time
from concurrent.futures import Future
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.hl7v2.admission import Counters, Limits
from gateway.adapters.hl7v2.frames import framed
from gateway.adapters.hl7v2.mllp import listen
from gateway.adapters.hl7v2.reception import UNDER_WAY, Reception
from gateway.errors import Unavailable, Usage
from gateway.listening import hl7v2_handler
from gateway.mappings.feeds.profile import FeedProfile
from gateway.networks import allowed, is_network
from gateway.pipeline.received import Outcome, Received
from gateway.settings import load
from tests.attacks_feeds.messages import FEEDS, message
from tests.attacks_feeds.processes import receive, serving
from tests.operations.beside import beside

GUARDED = """
[[feed]]
name = "st-mary"
sending_facility = "STMARY"
timezone = "America/Chicago"
allow = ["127.0.0.2", "10.1.0.0/16"]
[[feed]]
name = "county"
sending_facility = "COUNTY"
timezone = "America/Chicago"
"""


def from_address(target: tuple[str, int], address: str) -> socket.socket:
    return socket.create_connection(target, timeout=10, source_address=(address, 0))


def exchange(wire: socket.socket, sent: bytes) -> bytes:
    wire.sendall(framed(sent))
    return receive(wire)


@pytest.mark.parametrize(
    ("networks", "host", "is_allowed"),
    [
        ((), "203.0.113.9", True),
        (("10.1.0.0/16",), "10.1.255.255", True),
        (("10.1.0.0/16",), "10.2.0.1", False),
        (("10.1.0.0/16", "192.0.2.7"), "192.0.2.7", True),
        (("10.1.0.0/16",), "::ffff:10.1.2.3", True),  # IPv4 that came in on an IPv6 socket
        (("2001:db8::/32",), "2001:db8:1::5", True),
        (("2001:db8::/32",), "fe80::1%eth0", False),
        (("0.0.0.0/0",), "2001:db8::1", False),
        (("10.1.0.0/16",), "", False),
    ],
)
def test_an_allow_list_names_networks(networks: tuple[str, ...], host: str, is_allowed: bool) -> None:
    assert allowed(networks, host) is is_allowed


def test_what_is_no_network_is_refused_where_it_stands(tmp_path: Path) -> None:
    assert not is_network("10.1.2.3/16")  # whoever writes host bits may mean one host, or a network
    file = tmp_path / "gateway.toml"
    for toml, named in (
        ('[mllp]\nallow = ["10.1.0.0/33"]\n', "mllp.allow"),
        ('[[feed]]\nname = "x"\nallow = ["hospital"]\n', "allow"),
    ):
        file.write_text(toml)
        with pytest.raises(Usage, match=named) as refused:
            load(file)
        assert "line" in str(refused.value)


def test_a_feed_is_taken_from_its_own_networks_alone(tmp_path: Path) -> None:
    with beside(tmp_path, GUARDED) as gateway:
        with closing(from_address(gateway.mllp, "127.0.0.2")) as hospital:
            assert b"MSA|AA|C1" in exchange(hospital, message("C1"))
        with closing(from_address(gateway.mllp, "127.0.0.3")) as elsewhere:
            refused = exchange(elsewhere, message("C2"))
            assert b"MSA|AR|C2" in refused
            assert b"|207^" in refused
            assert b"MSA|AA|C3" in exchange(elsewhere, message("C3", facility="COUNTY"))  # the connection is another feed's, too
        with gateway.gateway.store.reading() as reader:
            assert reader.counts("processed", "quarantined") == {"processed": 2, "quarantined": 0}


def test_a_listener_takes_connections_from_its_networks_alone(tmp_path: Path) -> None:
    with beside(tmp_path, FEEDS, mllp='allow = ["127.0.0.2"]') as gateway:
        with closing(from_address(gateway.mllp, "127.0.0.3")) as stranger:
            assert stranger.recv(1) == b""
        with closing(from_address(gateway.mllp, "127.0.0.2")) as hospital:
            assert b"MSA|AA|C1" in exchange(hospital, message("C1"))


class SlowStore:
    """A journey whose store commits only when it is told to; and then refuses, if it is down."""

    def __init__(self) -> None:
        self.waiting: list[Future[Outcome]] = []
        self.is_open, self.is_down = False, False

    def submit(self, received: Received) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        if self.is_down:
            future.set_exception(Unavailable("the store is down"))
        elif self.is_open:
            future.set_result(self.outcome(received.raw))
        else:
            self.waiting.append(future)
            future.raw = received.raw  # type: ignore[attr-defined]
        return future

    def outcome(self, raw: bytes) -> Outcome:
        control = raw.split(b"|")[9]
        return Outcome(1, "processed", b"MSH|^~\\&|GW|COUNTY|ADT|STMARY|20260302||ACK|1|P|2.5.1\rMSA|AA|" + control + b"\r")

    def open(self) -> None:
        self.is_open = True
        for future in self.waiting:
            future.set_result(self.outcome(future.raw))  # type: ignore[attr-defined]
        self.waiting.clear()


def test_a_slow_store_makes_senders_wait_and_costs_no_memory() -> None:
    """Of what 66 hospitals send at once, only so much is taken in as is under way; the rest waits in their sockets, and nobody is turned away."""
    senders, each = 66, 80
    frame = framed(message("C1") + b"NTE|1||" + b"x" * 32_000 + b"\r")

    async def test() -> None:
        store = SlowStore()
        door = Reception((FeedProfile(name="st-mary", sending_facility="STMARY"),))
        listener = await listen("127.0.0.1", 0, hl7v2_handler(store, door), limits=Limits(close_seconds=1))  # type: ignore[arg-type]
        wires = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(senders)]

        async def send(writer: asyncio.StreamWriter) -> None:
            for _ in range(each):
                writer.write(frame)
                await writer.drain()

        sending = [asyncio.ensure_future(send(writer)) for _, writer in wires]  # the sockets themselves hold some megabytes
        taken = -1
        while taken != listener.counters.bytes:  # until nothing more is read
            taken = listener.counters.bytes
            await asyncio.sleep(0.3)
        assert len(store.waiting) == UNDER_WAY
        # each connection has at most 16 messages handled and one read's worth of others: 256 KiB of asyncio
        assert taken <= senders * (16 * len(frame) + 2 * 262_144)
        assert taken < senders * each * len(frame) / 2
        store.open()
        for reader, _ in wires:
            for _ in range(each):
                assert b"MSA|AA|C1" in await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 60)
        assert (listener.counters.failed, listener.counters.refused) == (0, 0)
        await asyncio.gather(*sending)
        for _, writer in wires:
            writer.close()
        await listener.close()

    asyncio.run(test())


def test_while_the_store_is_down_nobody_is_told_aa() -> None:
    async def test() -> None:
        store = SlowStore()
        store.is_down = True
        listener = await listen("127.0.0.1", 0, hl7v2_handler(store), limits=Limits(close_seconds=1))  # type: ignore[arg-type]
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(framed(message("C1")))
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()
        assert listener.counters.failed == 3
        await listener.close()

    asyncio.run(test())


def test_frames_that_grow_and_never_end_are_bounded_in_all() -> None:
    """Large frames of many senders together: whoever holds much is dropped when all together hold too much; who holds little is not."""

    async def test() -> None:
        limits = Limits(held_bytes=8 * 1024 * 1024, close_seconds=1)
        store = SlowStore()
        store.is_open = True
        listener = await listen("127.0.0.1", 0, hl7v2_handler(store), limits=limits)  # type: ignore[arg-type]
        small_reader, small = await asyncio.open_connection("127.0.0.1", listener.port)
        small.write(b"\x0b" + message("C1")[:100])
        greedy = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(10)]
        for _, writer in greedy:
            writer.write(b"\x0bMSH|" + b"x" * 2_000_000)
        while listener.counters.refused < 6:
            await asyncio.sleep(0.01)
        assert listener.held <= limits.held_bytes + 2 * 262_144
        small.write(message("C1")[100:] + b"\x1c\r")
        assert b"MSA|AA|C1" in await asyncio.wait_for(small_reader.readuntil(b"\x1c\r"), 10)
        for _, writer in [(None, small), *greedy]:
            writer.close()
        await listener.close()
        assert listener.held == 0

    asyncio.run(test())


def _rss(process: int) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_ten_thousand_connections_idle_and_dripping_cost_no_other_sender_anything(tmp_path: Path) -> None:
    """10,000 connections of one address, every other one dripping bytes of a frame: it holds what one address may, and others are served."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 11_000:
        pytest.skip(f"this system lets a process have {hard} open files; 11,000 are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 11_000), hard))
    try:
        with ExitStack() as stack, serving(tmp_path / "data", FEEDS) as running:
            drain = threading.Thread(target=_drain, args=(running.process.stderr,), daemon=True)
            drain.start()
            before = _rss(running.process.pid)
            wires = []
            for _ in range(10_000):
                wires.append(stack.enter_context(closing(from_address(running.mllp, "127.0.0.9"))))
            for number, wire in enumerate(wires):
                if number % 2:
                    try:
                        wire.send(b"\x0b")
                    except ConnectionError:
                        continue
            for wire in wires:
                wire.setblocking(False)
            with closing(from_address(running.mllp, "127.0.0.8")) as hospital:
                assert b"MSA|AA|C1" in exchange(hospital, message("C1"))
            while sum(_is_open(wire) for wire in wires) > 250:  # what was connected before it has been looked at is closed by and by
                time.sleep(0.1)
            assert sum(_is_open(wire) for wire in wires) == 250
            assert _rss(running.process.pid) - before < 60 * 1024 * 1024
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _drain(pipe: Any) -> None:
    while pipe.read1(65536):
        pass


def _is_open(wire: socket.socket) -> bool:
    try:
        return wire.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_connections_of_one_address_are_counted_apart_and_told_of_once_a_second() -> None:
    from gateway.adapters.hl7v2.admission import Admission

    counters = Counters()
    door = Admission(Limits(connections=100, address_connections=2), counters)
    assert [door.takes("a", number, 0.0, stopping=False) for number in (1, 2, 3)] == [True, True, False]
    door.left("a")
    assert door.takes("b", 3, 0.0, stopping=False)
    door.left("a")
    assert door.takes("a", 3, 0.0, stopping=False)
    assert not door.takes("b", 101, 0.0, stopping=False)
    assert not door.takes("c", 1, 0.0, stopping=True)
    assert counters.refused == 3
