"""The gateway as its users meet it: real processes, real sockets, the installed command."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import orjson

from gateway.adapters.hl7v2.frames import framed

COMMAND = str(Path(sys.executable).parent / "gateway")
FREE = '[http]\nlisten = "127.0.0.1:0"\n[mllp]\nlisten = "127.0.0.1:0"\n'
"""Ports that the system chooses, so that tests may run beside each other."""


def environment(**more: str) -> dict[str, str]:
    """This process's environment without the gateway's own variables, and with `more`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")} | more


def gateway(*arguments: str | Path, stdin: bytes = b"", cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end."""
    return subprocess.run(
        [COMMAND, *map(str, arguments)], input=stdin, capture_output=True, timeout=60, cwd=cwd, env=environment(**more), check=False
    )


def here(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[bytes]:
    """Run one command in this process: for promises that are about its words and exit code, and not about processes."""
    from gateway.cli import main

    out, err = io.BytesIO(), io.BytesIO()
    streams = [io.TextIOWrapper(each, encoding="utf-8", write_through=True) for each in (out, err)]
    words = ["gateway", *map(str, arguments)]
    code: object = 0
    with (
        mock.patch.object(sys, "argv", words),
        mock.patch.object(sys, "stdout", streams[0]),
        mock.patch.object(sys, "stderr", streams[1]),
        mock.patch.dict(os.environ, environment(**more), clear=True),
        mock.patch("gateway.logs.logs_as_json"),  # it would bind every logger to a stream that ends with this command
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(words, code if isinstance(code, int) else int(code is not None), out.getvalue(), err.getvalue())


def rows(*arguments: str | Path) -> Any:
    """What a command prints as JSON."""
    done = here(*arguments)
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout)


@dataclass
class Served:
    """A running `gateway serve`."""

    process: subprocess.Popen[bytes]
    mllp: tuple[str, int]
    url: str
    said: bytes = b""

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait; its exit code. What it wrote on stderr is then in `said`."""
        self.process.send_signal(number)
        self.said += self.process.communicate(timeout=30)[1]
        return self.process.returncode

    def connect(self, seconds: float = 30.0) -> socket.socket:
        """A connection to its MLLP listener."""
        return socket.create_connection(self.mllp, timeout=seconds)

    def send(self, *messages: bytes) -> list[bytes]:
        """Messages over one connection, each answered before the next; b"" where the connection was closed instead."""
        answers = []
        with self.connect() as wire:
            for message in messages:
                wire.sendall(framed(message))
                answers.append(receive(wire))
        return answers


def receive(wire: socket.socket) -> bytes:
    """One answer without its frame; b"" when the other side closes."""
    got = b""
    while not got.endswith(b"\x1c\r"):
        try:
            data = wire.recv(65536)
        except ConnectionError:
            return b""
        if not data:
            return b""
        got += data
    return got[1:-2]


def configure(data: Path, toml: str = "") -> Path:
    """Write DIR/gateway.toml with free ports; the directory."""
    data.mkdir(parents=True, exist_ok=True)
    (data / "gateway.toml").write_text(FREE + toml, encoding="utf-8")
    return data


def start(data: Path, *arguments: str, before: list[str] | None = None) -> Served:
    """Start `gateway serve` on a configured directory; returns when it listens."""
    process = subprocess.Popen(
        [*(before or []), COMMAND, "serve", "--data", str(data), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.match(rb"MLLP on (\S+):(\d+), HTTP on (\S+),", line)
    if found is None:
        process.kill()
        raise AssertionError(line + process.communicate()[1])
    return Served(process, (found[1].decode(), int(found[2])), found[3].decode(), line)


@contextmanager
def serving(data: Path, toml: str = "", *arguments: str) -> Iterator[Served]:
    """A gateway that serves a directory while the context lasts."""
    served = start(configure(data, toml), *arguments)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.stop()
        for pipe in (served.process.stdout, served.process.stderr):
            if pipe is not None:
                pipe.close()
