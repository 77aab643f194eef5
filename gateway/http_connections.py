"""HTTP connections within bounds of time and size. uvicorn watches over none of these: a client that never ends its headers or its body, headers
without end, a reader that does not read, connections without number.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


@dataclass(frozen=True, slots=True)
class ConnectionBounds:
    """What one connection may take, and how many there may be."""

    header_bytes: int = 65_536
    header_seconds: float = 15.0  # from the connection, or the answer before, to the end of a request's headers
    body_seconds: float = 65.0  # from there to the end of its body: more than the app grants, whose answer is to be read before the connection ends
    stalled_seconds: float = 60.0  # for which a reader may take nothing of what waits for it
    connections: int = 2_000


def protocol(bounds: ConnectionBounds) -> type[asyncio.Protocol]:
    """A protocol for uvicorn's `http` that keeps to these bounds."""

    class Bounded(_Connection):
        pass

    Bounded.bounds = bounds
    return Bounded


class _Connection(HttpToolsProtocol):
    bounds = ConnectionBounds()

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._deadline: asyncio.TimerHandle | None = None  # of what the client has yet to send
        self._watch: asyncio.TimerHandle | None = None  # on a reader that is behind
        self._in_headers = False
        self._header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections:
            transport.abort()
        else:
            self._expect(self.bounds.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect(None)
        self._leave_reader()
        super().connection_lost(exc)

    # what the client sends

    def data_received(self, data: bytes) -> None:
        self._header_bytes += len(data)
        super().data_received(data)
        if not self._in_headers:
            self._header_bytes = 0
        elif self._header_bytes > self.bounds.header_bytes and not self.transport.is_closing():
            self.send_400_response("The headers are too large.")

    def on_message_begin(self) -> None:
        self._in_headers = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._expect(self.bounds.body_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._expect(None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_reader()
        else:
            self._expect_next()

    def timeout_keep_alive_handler(self) -> None:
        self._close()

    def _expect_next(self) -> None:
        """The next request may begin, unless one has, or the client is still at the last answer."""
        answered = self.cycle is not None and self.cycle.response_complete
        if answered and self._deadline is None and not self.pipeline and not self.flow.write_paused:
            self._expect(self.bounds.header_seconds)

    def _expect(self, seconds: float | None) -> None:
        """The client has so long for what is next; None: nothing is awaited of it."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._close)

    def _close(self) -> None:
        self.transport.close()
        self._watch_reader()

    # what the client reads

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._leave_reader()
            self._expect_next()

    def _watch_reader(self) -> None:
        """End the connection if what waits for the reader is not less after a while; else look again."""
        self._leave_reader()
        self._watch = self.loop.call_later(self.bounds.stalled_seconds, self._look_at_reader, self.transport.get_write_buffer_size())

    def _look_at_reader(self, waited: int) -> None:
        if self.transport.get_write_buffer_size() < waited:
            self._watch_reader()
        else:
            self.transport.abort()

    def _leave_reader(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
