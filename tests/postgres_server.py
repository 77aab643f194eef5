"""A PostgreSQL server for tests: GATEWAY_TEST_POSTGRES, else the one on the usual port, else one that is started from what is installed.

Where there is none, tests that need it are skipped with the reason; with CI=true they fail.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
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
    """A server of our own, in a folder that goes with it."""
    programs = _programs()
    if programs is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="gateway-postgres-"))
    owner = _owner(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    subprocess.run(
        [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8"], check=True, capture_output=True, **owner
    )
    run = [programs / "postgres", "-D", folder / "data", "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", str(folder)]
    process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **owner)

    def stop() -> None:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    for _ in range(WAITS):
        if _answers(url):
            return url
        time.sleep(0.1)
    return None


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
