"""What each kind of message costs the one writer, in processor time, on embedded SQLite: without help, and where another process has foreseen it.

`python -m benchmarks.writer` prints milliseconds a message, in groups of 16 as 16 connections send them: a new stay, an update of it, its discharge
(which makes the care records), a booking, and an update of a person who has four earlier stays. `--profile` prints where the time goes instead.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.journey import CONFIGURATION, CONNECTIONS, stay
from gateway.pipeline import Configuration, Received
from gateway.pipeline.foreseen import foresee
from gateway.pipeline.intake import attempt
from gateway.settings import load
from gateway.store.interface import Store
from gateway.store.sqlite import open_sqlite
from gateway.stores import configuration_of

KINDS = ("new stay", "update", "discharge", "booking")
NOW = 1_794_000_000_000_000
EARLIER = 4


def groups(clients: int, first: int) -> Iterator[tuple[str, list[bytes]]]:
    """(kind, messages of as many clients as there are connections), stay after stay."""
    for start in range(first, first + clients, CONNECTIONS):
        stays = zip(*(stay(client) for client in range(start, start + CONNECTIONS)), strict=True)
        yield from ((kind, list(messages)) for kind, messages in zip(KINDS, stays, strict=True))


def again(clients: int, first: int) -> Iterator[tuple[str, list[bytes]]]:
    """Clients who were here before: their earlier stays ("" is not counted), then two updates of one of them."""
    for start in range(first, first + clients, CONNECTIONS):
        mine = range(start, start + CONNECTIONS)
        for number in range(EARLIER + 1):
            renamed = [[raw.replace(b"|V%d^" % client, b"|V%d-%d^" % (client, number)) for raw in stay(client)] for client in mine]
            told = [list(messages) for messages in zip(*([_again(raw, number) for raw in messages] for messages in renamed), strict=True)]
            yield from (("", messages) for messages in told)
        yield "the same person again", [_again(list(stay(client))[1].replace(b"|V%d^" % client, b"|V%d-0^" % client), 9) for client in mine]


def _again(raw: bytes, number: int) -> bytes:
    """The same message with a control ID of its own."""
    return raw.replace(b"|P|2.5.1", b"%d|P|2.5.1" % number, 1)


def measure(store: Store, configuration: Configuration, work: Sequence[tuple[str, list[bytes]]], *, helped: bool) -> dict[str, float]:
    """Milliseconds of processor a message, by kind. What is foreseen is foreseen outside the count: another process does it."""
    spent: dict[str, list[float]] = {}
    for number, (kind, messages) in enumerate(work):
        now = NOW + number * 1_000_000
        received = [Received("hl7v2", raw) for raw in messages]
        hints = [foresee(store, one, now, configuration) if helped else None for one in received]
        begun = time.process_time()
        with store.write(now) as writer:
            outcomes = [attempt(writer, one, now, configuration, foreseen=hint) for one, hint in zip(received, hints, strict=True)]
        spent.setdefault(kind, []).append((time.process_time() - begun) * 1000 / len(messages))
        assert all(outcome.state == "processed" for outcome in outcomes)
    return {kind: sum(times) / len(times) for kind, times in spent.items() if kind}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=160)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.toml"
        path.write_text(CONFIGURATION)
        with closing(open_sqlite(Path(folder) / "gateway.sqlite")) as store:
            configuration = configuration_of(load(path), store)
            measure(store, configuration, list(groups(CONNECTIONS * 2, 0)), helped=False)
            gc.freeze()
            gc.set_threshold(50_000, 20, 50)
            if options.profile:
                with cProfile.Profile() as profile:
                    measure(store, configuration, list(groups(options.clients, 10_000)), helped=False)
                pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
                return
            for helped, first in ((False, 10_000), (True, 20_000)):
                work = [*groups(options.clients, first), *again(CONNECTIONS * 2, first + 5_000)]
                found = measure(store, configuration, work, helped=helped)
                told = ", ".join(f"{kind} {spent:.2f}" for kind, spent in found.items())
                mean = sum(found[kind] for kind in KINDS) / len(KINDS)
                print(f"writer, ms of processor a message{', foreseen' if helped else ''}: {told}; mean of a stay {mean:.2f}")


if __name__ == "__main__":
    main()
