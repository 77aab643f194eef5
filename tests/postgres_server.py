"""A PostgreSQL server for tests: GATEWAY_TEST_POSTGRES, else the one on the usual port, else one that is started from what is installed.

Where there is none, tests that need it are skipped with the reason; with CI=true they fail.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

USUAL = ("postgresql://127.0.0.1:5432/test", "postgresql://postgres@127.0.0.1:5432/postgres")
WAITS = 300
"""Tenths of a second until a server that was started must answer."""
NONE = "no PostgreSQL server: set GATEWAY_TEST_POSTGRES, start one on 127.0.0.1:5432, or install PostgreSQL"


def server() -> str:
    """The URL of a server whose database may be used. Skips the test, or fails it with CI=true, where there is none."""
    url = _found()
    if url is None:
        if os.environ.get("CI") == "true":
            pytest.fail(NONE)
        pytest.skip(NONE)
    return url


@functools.cache
def _found() -> str | None:
    said = os.environ.get("GATEWAY_TEST_POSTGRES")
    if said:
        return said
    return next((url for url in USUAL if _answers(url)), None) or _started()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _started() -> str | None:
    """A server of our own, until this process ends."""
    programs = _programs()
    if programs is None:
        return None
    own = OwnServer(programs)
    atexit.register(own.remove)
    own.start()
    return own.url


class OwnServer:
    """A PostgreSQL server in a folder that goes with it, to be stopped and started."""

    def __init__(self, programs: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gateway-postgres-"))
        self._owner = _owner(self._folder)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        data = self._folder / "data"
        made = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run(made, check=True, capture_output=True, **self._owner)
        self._run = [programs / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", str(self._folder)]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def start(self) -> None:
        """Returns when it answers."""
        self._process = subprocess.Popen(self._run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._owner)
        for _ in range(WAITS):
            if _answers(self.url):
                return
            time.sleep(0.1)
        raise AssertionError("PostgreSQL did not start")

    def stop(self, how: str = "fast") -> None:
        """As pg_ctl has it: "fast" cuts connections and ends in order, "immediate" is a crash."""
        assert self._process is not None
        self._process.send_signal({"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[how])
        self._process.wait(30)

    def remove(self) -> None:
        """Stop it, and leave nothing behind."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def started() -> Iterator[OwnServer]:
    """A server of this test's own. Skips the test, or fails it with CI=true, where none is installed."""
    programs = _programs()
    if programs is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("PostgreSQL's programs are not installed, and this test stops a server")
    own = OwnServer(programs)
    try:
        own.start()
        yield own
    finally:
        own.remove()


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: float(path.parent.name))


def _owner(folder: Path) -> dict[str, str]:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return {}
    shutil.chown(folder, "nobody")
    return {"user": "nobody"}


@contextmanager
def schema(url: str, name: str) -> Iterator[str]:
    """The URL of a new schema of that name, which is dropped in the end."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    try:
        yield in_schema(url, name)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {name} CASCADE")


def in_schema(url: str, name: str) -> str:
    """The same server, with this schema for all tables; its sessions are known by the schema's name."""
    return f"{url}{'&' if '?' in url else '?'}options={quote(f'-csearch_path={name}')}&application_name={name}"
