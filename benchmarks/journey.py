"""Feed to acknowledged commit: 16 MLLP connections into a gateway of its own: embedded SQLite (synchronous=FULL), and PostgreSQL with two gateways.

Each client's stay is told by four messages: admission, a diagnosis, discharge, and a booked appointment. Bars (DESIGN): 1,500 messages/s, and 1,200
on PostgreSQL; with 300 messages/s offered, the 99th percentile of the time to the acknowledgement under 100 ms; 250 MB a process.
`benchmarks.writer` tells what each kind of message costs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.store import schema
from gateway.adapters.hl7v2.sender import Sender

CONNECTIONS = 16
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


def stay(client: int) -> Iterator[bytes]:
    """The four messages of one client's stay."""
    number = client * 4
    person = (
        f"PID|1||M{client:07d}^^^STMARY^MR||Client{client}^Test^Q||19{client % 90 + 10}0214|F"
        f"|||{client} Elm St^^Springfield^IL^627{client % 100:02d}^USA^H"
        f"||^PRN^PH^^1^217^555{client % 10000:04d}|||S|||{client % 1000:03d}-12-{client % 10000:04d}"
    )
    visit = (
        f"PV1|1|I|BHU^1^A^STMARY||||1518^Okafor^Ngozi^^^Dr|||PSY|||||||||V{client}^^^STMARY^VN|||||||||||||||||{{}}||||||||20261102090000-0600|{{}}"
    )

    def message(event: str, at: str, *segments: str) -> bytes:
        nonlocal number
        number += 1
        header = f"MSH|^~\\&|ADT|STMARY|GW|COUNTY|{at}-0600||{event}|{number}|P|2.5.1"
        return "\r".join([header, f"EVN||{at}-0600", person, *segments, ""]).encode()

    diagnosis = "DG1|1||F33.2^Major depressive disorder, recurrent severe^I10|||A|||||||||1"
    yield message("ADT^A01^ADT_A01", "20261102090000", visit.format("", ""))
    yield message("ADT^A08^ADT_A01", "20261103090000", visit.format("", ""), diagnosis)
    yield message("ADT^A03^ADT_A03", "20261110110000", visit.format("01", "20261110104500-0600"), diagnosis)
    booking = f"SCH|P{client}|F{client}||||PSYFU^Psychiatric follow-up^L|||60|min|^^60^20261116100000-0600^20261116110000-0600|||||||||||||Booked"
    yield message("SIU^S12^SIU_S12", "20261110120000", booking, "RGS|1", "AIS|1||PSYFU^Psychiatric follow-up^L|20261116100000-0600||||60|min")


class Served(NamedTuple):
    """A gateway in a process of its own."""

    address: str
    process: subprocess.Popen[bytes]

    def memory(self) -> list[int]:
        """Resident megabytes of the gateway, and of each process that works ahead of it."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ahead = [pid for pid in children if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
        return [_resident(pid) for pid in (str(self.process.pid), *ahead)]


def _resident(pid: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS:"))


@asynccontextmanager
async def served(url: str = "", processes: int | None = None) -> AsyncIterator[Served]:
    """A gateway on a new SQLite file, or on the database that the URL names. `processes` work ahead of the writer; None: its default."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "gateway.toml").write_text(CONFIGURATION + (f"[store]\nurl = {json.dumps(url)}\n" if url else ""))
        ports = [_free_port(), _free_port()]
        command = [sys.executable, "-m", "gateway", "serve", "--data", folder, "--http", f"127.0.0.1:{ports[0]}", "--mllp", f"127.0.0.1:{ports[1]}"]
        environment = os.environ if processes is None else {**os.environ, "GATEWAY_JOURNEY__PROCESSES": str(processes)}
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
        try:
            await _answers(ports[1])
            yield Served(f"mllp://127.0.0.1:{ports[1]}", process)
        finally:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


async def _answers(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise TimeoutError


async def throughput(addresses: Sequence[str], clients: int, first: int = 0) -> float:
    """Messages a second to acknowledged commit, each connection as fast as it is answered; connections are dealt out among the addresses."""

    async def connection(number: int) -> None:
        async with Sender(addresses[number % len(addresses)]) as sender:
            for client in range(first + number, first + clients, CONNECTIONS):
                for raw in stay(client):
                    answer = await sender.send(raw)
                    assert answer.code == "AA", answer

    began = time.perf_counter()
    await asyncio.gather(*(connection(number) for number in range(CONNECTIONS)))
    return clients * 4 / (time.perf_counter() - began)


async def delays(address: str, rate: int, seconds: int, first: int) -> list[float]:
    """Milliseconds to the acknowledgement with `rate` messages a second offered over 16 connections."""
    found: list[float] = []

    async def connection(number: int) -> None:
        async with Sender(address) as sender:
            client, pause = first + number, CONNECTIONS / rate
            following = time.perf_counter() + pause * number / CONNECTIONS
            end = following + seconds
            while following < end:
                for raw in stay(client):
                    await asyncio.sleep(max(0.0, following - time.perf_counter()))
                    await sender.send(raw)
                    found.append((time.perf_counter() - following) * 1000)
                    following += pause
                client += CONNECTIONS

    await asyncio.gather(*(connection(number) for number in range(CONNECTIONS)))
    return found


async def _main(clients: int) -> None:
    for processes in (0, None):
        async with served(processes=processes) as gateway:
            await throughput([gateway.address], CONNECTIONS * 4)
            rate = await throughput([gateway.address], clients, 10_000)
            beside = len(gateway.memory()) - 1
            print(f"MLLP to acknowledged commit, {CONNECTIONS} connections, SQLite, {beside} processes ahead   {rate:8.0f} messages/s")
            for offered in (50, 100, 200, 300):
                waits = sorted(await delays(gateway.address, offered, 10, offered * 1_000_000))
                last = waits[len(waits) * 99 // 100]
                print(f"time to acknowledgement, {offered} messages/s offered      {statistics.median(waits):8.1f} ms median, {last:.1f} ms p99")
                if last > 1000:
                    break  # it does not keep up
            print(f"memory after it                            {' + '.join(map(str, gateway.memory()))} MB")
    await _on_postgres(clients)


async def _on_postgres(clients: int) -> None:
    """Two gateways on one database, in a schema of its own."""
    with schema("gateway_bench_journey") as url:
        if url is None:
            print("MLLP to acknowledged commit: no PostgreSQL server to measure on")
            return
        async with served(url, 0) as one, served(url, 0) as other:
            addresses = [one.address, other.address]
            await throughput(addresses, CONNECTIONS * 4)
            rate = await throughput(addresses, clients, 10_000)
            print(f"MLLP to acknowledged commit, {CONNECTIONS} connections, PostgreSQL, 2 gateways        {rate:8.0f} messages/s")


def main(clients: int = 400) -> None:
    """Measure and print."""
    asyncio.run(_main(clients))


if __name__ == "__main__":
    main()
