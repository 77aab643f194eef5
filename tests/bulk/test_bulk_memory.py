"""An export of 200,000 resources takes less than 50 MB more than an idle gateway: while it is worked, and while its files are read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from gateway.store.interface import Change, NewVersion
from gateway.store.sqlite import open_sqlite
from tests.bulk.bulk_support import flag, patient

RESOURCES = 200_000
MOST = 50  # MB

EXPORTS = """
import asyncio, os, sys
from pathlib import Path
import orjson
from gateway.api.export_work import Worker
from gateway.api.services import Services
from gateway.store.sqlite import open_sqlite
from tests.api.gateway_api import BASE, app_of, authenticate, identify

store = open_sqlite(Path(sys.argv[1]))
app = app_of(Services(store, None, authenticate, identify, BASE, b"k" * 32, lambda disclosure: None))
worker = Worker(store, lambda: 10**15)
most = 0

def memory():
    global most
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    most = max(most, pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
    return most

async def ask(path, query=""):
    status, headers, kept, size, lines = 0, {}, b"", 0, 0
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])
    async def receive():
        return next(asked, None) or await asyncio.Event().wait()  # the reader stays
    async def send(message):
        nonlocal status, headers, kept, size, lines
        if message["type"] == "http.response.start":
            status, headers = message["status"], {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            size += len(message["body"])
            lines += message["body"].count(b"\\n")
            kept = message["body"] if not kept else kept
            memory()
    sent = [(b"authorization", b"Bearer greedy"), (b"prefer", b"respond-async")]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": path,
             "raw_path": path.encode(), "query_string": query.encode(), "headers": sent, "scheme": "http",
             "server": ("gw.example", 80), "client": ("127.0.0.1", 1), "root_path": ""}
    await app(scope, receive, send)
    return status, headers, kept, size, lines

async def export(types):
    _, headers, *_ = await ask("/fhir/$export", f"_type={types}")
    status = headers["content-location"].removeprefix(BASE)
    while await asyncio.to_thread(worker.step):
        memory()
    manifest = orjson.loads((await ask(status))[2])
    found = [await ask(each["url"].removeprefix(BASE)) for each in manifest["output"]]
    return len(found), sum(one[3] for one in found), sum(one[4] for one in found)

async def main():
    await export("Patient")
    before = memory()
    files, size, lines = await export("Flag")
    print(orjson.dumps({"files": files, "bytes": size, "lines": lines, "before": before, "more": most - before}).decode())

asyncio.run(main())
"""


@pytest.mark.sweep
def test_an_export_takes_little_memory_however_large_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gateway.sqlite"
    store = open_sqlite(path)
    padding = "No follow-up scheduled. " * 20
    for start in range(0, RESOURCES, 5_000):
        with store.write(1_000_000) as writer:
            partition = writer.bind([f"k{start}"], None)
            made = [flag(f"f{number}", "p1", padding + str(number)) for number in range(start, start + 5_000)]
            writer.apply(Change(partition, [NewVersion("river", "Flag", each["id"], orjson.dumps(each)) for each in made]))
    with store.write(1_000_000) as writer:
        writer.apply(Change(writer.bind(["p1"], None), [NewVersion("river", "Patient", "p1", orjson.dumps(patient("p1")))]))
    store.close()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run([sys.executable, "-c", EXPORTS, str(path)], capture_output=True, text=True, check=True, env=environment)
    told = orjson.loads(done.stdout.splitlines()[-1])
    with capsys.disabled():
        print(f"\n{told['lines']} resources, {told['bytes'] / 1e6:.0f} MB in {told['files']} files: {told['more']:.1f} MB over {told['before']:.0f}")
    assert told["lines"] == RESOURCES
    assert told["files"] == 4
    assert told["more"] < MOST
