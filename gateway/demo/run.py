"""`gateway demo`: a fresh gateway, the county's fortnight played into it, then its worklist; and it serves on unless told to stop."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console

from gateway.adapters.hl7v2.sender import Sender
from gateway.demo.agencies import new_keys, register_clients
from gateway.demo.county import County, county
from gateway.demo.player import Outcome, play
from gateway.demo.progress import progress_bar
from gateway.demo.scenario import materialize, scenarios
from gateway.errors import Usage
from gateway.settings import load
from gateway.smart.keys import key_bytes
from gateway.store.interface import ALL, Store
from gateway.web.text import print_worklist

if TYPE_CHECKING:
    from gateway.clocks import CareClock
    from gateway.fhir.validation import ProfileCheck
    from gateway.instance import Gateway

CONFIGURATION = "gateway.toml"
KEYS = "keys"


def run_demo(*, once: bool, as_json: bool, data: Path | None, port: int, profiles: ProfileCheck | None = None) -> None:
    """Plays the fortnight; with `once` prints the worklist and returns, else serves until interrupted. Raises `Usage` where `data` is not fresh."""
    if as_json and not once:
        raise Usage("--json needs --once", advice="Without --once the demo serves on; its worklist is then at /api/transitions and /worklist.")
    with _directory(data) as directory:
        keys = prepare(directory, county(), port)
        asyncio.run(_demo(directory, keys, once=once, as_json=as_json, profiles=profiles))


def prepare(directory: Path, county: County, port: int) -> dict[str, dict[str, Any]]:
    """Writes the county's configuration and its clients' private keys into a fresh directory; returns the keys by client id.

    HTTP listens on `port` and MLLP on the next; 0 lets the system choose both.
    """
    listens = f'[http]\nlisten = "127.0.0.1:{port}"\n\n[mllp]\nlisten = "127.0.0.1:{port + 1 if port else 0}"\n\n'
    (directory / CONFIGURATION).write_text(listens + county.configuration, encoding="utf-8")
    keys = new_keys(county)
    folder = directory / KEYS
    folder.mkdir(mode=0o700)
    for client, key in keys.items():
        path = folder / f"{client}.jwk"
        path.touch(mode=0o600)
        path.write_bytes(key_bytes(key))
    return keys


async def fortnight(gateway: Gateway, county: County, keys: Mapping[str, Mapping[str, Any]], end: datetime, **told: Any) -> list[Outcome]:
    """Registers the county's clients with a running gateway and plays all scenarios into it. `told` may hold `progress`."""
    await asyncio.to_thread(register_clients, gateway.store.credentials, keys, time.time())
    address = "mllp://{}:{}".format(*gateway.mllp)
    return await play(
        county,
        scenarios(),
        end=end,
        set_clock=gateway.set_clock,
        connect=lambda hospital: Sender(address),
        base_url=gateway.base_url,
        keys=keys,
        **told,
    )


def worklist(store: Store) -> list[dict[str, Any]]:
    """Every transition as the coordinator sees it, in the list's order."""
    with store.reading() as reader:
        return [orjson.loads(row.body) for row in reader.worklist(ALL) if row.body is not None]


def clock_before(county: County, end: datetime) -> CareClock:
    """A care clock that stands where the fortnight begins, so that everything is written in its time."""
    from gateway.clocks import CareClock

    clock = CareClock()
    clock.set(min(moment.at for moment in materialize(scenarios(), county.zones, end)))
    return clock


async def _demo(directory: Path, keys: Mapping[str, Mapping[str, Any]], *, once: bool, as_json: bool, profiles: ProfileCheck | None) -> None:
    from gateway.app import running
    from gateway.logs import logs_as_json

    logs_as_json()  # to stderr: stdout is the worklist's
    talk = Console(stderr=True, highlight=False)
    people = county()
    end = datetime.now(UTC)
    async with running(load(directory / CONFIGURATION), directory, clock_before(people, end), profiles=profiles) as gateway:
        began = time.monotonic()
        with progress_bar(talk) as told:
            outcomes = await fortnight(gateway, people, keys, end, progress=told)
        failed = sum(1 for outcome in outcomes if not outcome.as_told)
        talk.print(f"A fortnight of three hospitals: {len(outcomes)} steps in {time.monotonic() - began:.0f} s, {failed} of them not as told.")
        if once:
            _print(worklist(gateway.store), end, as_json, people)
            return
        await gateway.set_clock(None)
        _welcome(talk, gateway, directory)
        await _interrupted()


def _print(transitions: list[dict[str, Any]], now: datetime, as_json: bool, county: County) -> None:
    if as_json:
        sys.stdout.write(json.dumps(transitions, indent=2, ensure_ascii=False) + "\n")
    else:
        print_worklist(transitions, now, county.agencies)


def _welcome(talk: Console, gateway: Gateway, directory: Path) -> None:
    talk.print(f"Worklist and console: {gateway.base_url}{gateway.sessions.invite()} (opens once)", soft_wrap=True)
    talk.print(f"FHIR: {gateway.base_url}/fhir", soft_wrap=True)
    talk.print(f"Transitions: {gateway.base_url}/api/transitions", soft_wrap=True)
    talk.print(f"MLLP: {gateway.mllp[0]}:{gateway.mllp[1]}")
    talk.print(f"Configuration and the clients' keys: {directory}", soft_wrap=True)
    talk.print("Serving; Ctrl-C stops.")


async def _interrupted() -> None:
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()


@contextmanager
def _directory(data: Path | None) -> Iterator[Path]:
    """A fresh data directory: the one that was named, or a temporary one."""
    if data is None:
        with tempfile.TemporaryDirectory(prefix="gateway-demo-") as temporary:
            yield Path(temporary)
        return
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise Usage("The directory for the demo is not empty", location=str(data), advice="Name one that is new: the demo starts from nothing.")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        yield data
    except Usage:  # a port in use: nothing was played, so the directory stays free for the next try
        shutil.rmtree(data)
        raise
