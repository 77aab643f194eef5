"""Processes that work ahead of the writer, so that it does on one core what only one can do: write, in order.

Each input is shown to a process when it is received, and asked for when its turn at the writer has come. What a process gives is only ever a hint
(`foreseen`): where there is none, because all are busy or one was lost, the writer works it out, and nothing else is different.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection

import structlog

from gateway.errors import GatewayError
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.foreseen import Foreseen, foresee
from gateway.pipeline.received import Received
from gateway.store.interface import Store

log = structlog.get_logger(__name__)

Opened = Callable[[], AbstractContextManager[tuple[Store, Configuration]]]
"""Opens the store in another process, and tells what its pure steps are given."""

FIRST, MOST = 2, 16
"""Inputs that a process has before it, at first and at most: one more with each that was ready when the writer came to it, one fewer with each that
the writer had to wait for. What no process has room for the writer works out itself, so that none of them is idle while another has much to do."""
LARGEST = 8 * 1024
"""Bytes of an input that is shown; a document goes to the writer alone. As many as are shown at most find room in the link: showing never waits."""
PATIENCE = 30.0
"""Seconds that the writer waits for one input before it takes the process for lost."""


class Ticket:
    """One input that was shown to a process."""

    def __init__(self, process: _Process, number: int) -> None:
        self._process, self._number = process, number
        self._asked = False
        self._answer: Foreseen | None = None

    def answer(self) -> Foreseen | None:
        """What the process made of it; None where it made nothing. For the writer's thread alone, in the order in which inputs were shown."""
        if not self._asked:
            self._asked, self._answer = True, self._process.answer(self._number)
        return self._answer


class _Process:
    """One process, from the writer's side."""

    def __init__(self, opened: Opened) -> None:
        context = multiprocessing.get_context("spawn")
        self._link, theirs = context.Pipe()
        self._lock = threading.Lock()
        self._shown = 0
        self._outstanding: deque[int] = deque()
        self._window = FIRST
        self._lost = False
        self._process = context.Process(target=work, args=(theirs, opened), name="ahead", daemon=True)
        self._process.start()
        theirs.close()

    def room(self) -> int:
        """How many more inputs it takes."""
        return 0 if self._lost else self._window - len(self._outstanding)

    def show(self, received: Received, as_of: int) -> Ticket | None:
        with self._lock:
            try:
                self._link.send((received, as_of))
            except OSError:
                self._lose()
                return None
            self._shown += 1
            self._outstanding.append(self._shown)
            return Ticket(self, self._shown)

    def answer(self, number: int) -> Foreseen | None:
        """Takes the answers out in order, those that nobody has asked for among them."""
        while not self._lost and self._outstanding and self._outstanding[0] <= number:
            try:
                ready = self._link.poll()
                if not ready and not self._link.poll(PATIENCE):
                    self._lose()
                    return None
                found: Foreseen | None = self._link.recv()
                self._window = min(self._window + 1, MOST) if ready else max(self._window - 1, 1)
            except (OSError, EOFError):
                self._lose()
                return None
            if self._outstanding.popleft() == number:
                return found
        return None

    def _lose(self) -> None:
        self._lost = True
        log.error("a process that works ahead was lost; the writer goes on without it")

    def close(self) -> None:
        self._link.close()
        self._process.join(1)
        self._process.kill()
        self._process.join()


class Ahead:
    """Some processes that work ahead. Started at once; `close` ends them."""

    def __init__(self, opened: Opened, processes: int) -> None:
        self._processes = [_Process(opened) for _ in range(processes)]

    def show(self, received: Received, as_of: int) -> Ticket | None:
        """Shows an input, received at `as_of` (microseconds UTC, care clock), to the process with least to do; None where none takes it."""
        if len(received.raw) > LARGEST:
            return None
        process = max(self._processes, key=_Process.room)
        return process.show(received, as_of) if process.room() > 0 else None

    def close(self) -> None:
        """Ends the processes: nothing that they work on is lost, for they write nothing."""
        for process in self._processes:
            process.close()


def work(link: Connection, opened: Opened) -> None:
    """What such a process does until the link is closed, which is when the gateway is gone. It writes nothing: it may be killed at any time."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)  # of the terminal or the service manager: the gateway finishes what it accepted, then closes the link
    with contextlib.suppress(EOFError, OSError, GatewayError), opened() as (store, configuration):
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        while True:
            received, as_of = link.recv()
            link.send(_foreseen(store, received, as_of, configuration))


def _foreseen(store: Store, received: Received, as_of: int, configuration: Configuration) -> Foreseen | None:
    try:
        return foresee(store, received, as_of, configuration)
    except Exception:  # noqa: BLE001 - the writer will meet the same, answer the sender, and tell of it
        return None
