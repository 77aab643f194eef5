"""Law 1 under kill -9, at random moments of start, load and commit, embedded and on PostgreSQL: 30 each in `make test`, 200 in `make sweep`."""

from __future__ import annotations

import multiprocessing
import os
import random
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gateway.settings import load
from gateway.stores import open_store
from tests.attacks_feeds.messages import FEEDS
from tests.operations.hospitals import count, sending
from tests.postgres_server import schema, server

MOMENTS, SWEPT = 30, 200
SEED = 20261122
_PRELOADED = ["gateway.app", "gateway.http_application", "gateway.api.router", "gateway.store.sqlite", "gateway.store.postgres", "gateway.web.pages"]


def _serve(data: Path) -> None:
    """`gateway serve` in a process that has its modules already: it starts in a fraction of a second."""
    from gateway.app import serve

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    serve(load(data / "gateway.toml"), data)


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The configuration's [store]."""
    if kind == "sqlite":
        yield ""
        return
    with schema(server(), f"killed_{os.getpid()}") as url:
        yield f'[store]\nurl = "{url}"\n'


def kill_again_and_again(data: Path, kind: str, moments: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    rng = random.Random(SEED)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    with database(kind) as toml:
        (data / "gateway.toml").write_text(
            f'{toml}[journey]\nprocesses = 0\n[http]\nlisten = "127.0.0.1:0"\n[mllp]\nlisten = "127.0.0.1:{port}"\n{FEEDS}'
        )
        settings = load(data / "gateway.toml")
        open_store(settings, data).close()  # a migration that is killed has a test of its own
        with sending(("127.0.0.1", port)) as hospitals:
            for _ in range(moments):
                process = context.Process(target=_serve, args=(data,))
                process.start()
                if rng.random() < 0.8:  # else while it starts
                    hospitals.wait_for(1)
                time.sleep(rng.random() * 0.1)
                process.kill()
                process.join()
            process = context.Process(target=_serve, args=(data,))
            process.start()
            hospitals.wait_for(60)
            hospitals.stop()
            process.terminate()  # SIGTERM: it finishes what it accepted, and ends by itself
            process.join(60)
            assert process.exitcode == 0
        with closing(open_store(settings, data)) as store:
            count(store, settings, hospitals)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_what_was_acknowledged_is_stored_once_whenever_the_gateway_is_killed(kind: str, tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, kind, MOMENTS)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_killed_two_hundred_times(kind: str, tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, kind, SWEPT)
