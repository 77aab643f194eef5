"""The MLLP listener: frames in, each message handled and answered in the order in which it came.

A connection is read no further while `Limits.in_flight` of its messages are being handled, so that a fast sender waits in its own socket
and not in our memory. What was taken whole is handled and answered even when the listener closes; what was not is forgotten, and the
sender, which has no answer, sends it again.

A sender in enhanced mode may be owed two answers: each goes out in a frame of its own over the same connection, the accept acknowledgement
first, both after the commit; or none: then nothing is written, and the next message is taken. A batch is answered by one batch, one answer a
message. What could not be committed is answered CE where the sender is in enhanced mode and wants to hear of it; for any other the connection
closes unanswered, since many senders take AR for the last word and would drop the message.
"""

from __future__ import annotations

import asyncio
import errno
import ssl as tls
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

import structlog

from gateway.adapters.hl7v2.admission import Admission, Counters, Limits
from gateway.adapters.hl7v2.frames import Framer, framed
from gateway.adapters.hl7v2.refusals import Mode, as_it_asks, not_taken, own_control_id, refusal
from gateway.er7.acknowledgements import acknowledge, acknowledge_batch, apart, one_of
from gateway.er7.batches import Envelope, envelope
from gateway.er7.reader import split
from gateway.errors import GatewayError, Malformed, TooLarge, Usage

log = structlog.get_logger(__name__)


class Peer(NamedTuple):
    """Who is at the other end: its address, and the common name of its certificate under mutual TLS ("" without)."""

    host: str
    port: int
    certificate: str = ""


Handle = Callable[[bytes, Peer], Awaitable[bytes | None]]
"""One message -> its answers, one after the other as `acknowledgements.answers` makes them; b"" where the sender wants none, None where nothing was
committed."""


_MUCH = 1024 * 1024
"""Bytes of an unfinished frame that a connection may hold whatever the others do."""

_Job = Callable[[], Coroutine[None, None, bytes | None]]
"""What is to be written when it is done, in its frames; None closes the connection."""


class Listener:
    """A listening socket and its connections."""

    def __init__(self, handle: Handle, limits: Limits, mode: Mode) -> None:
        self.handle = handle
        self.mode = mode
        self.limits = limits
        self.counters = Counters()
        self.connections: set[_Connection] = set()
        self.admission = Admission(limits, self.counters)
        self.held = 0
        self.work: set[asyncio.Task[bytes | None]] = set()
        self.server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port listened on (useful where 0 was asked for)."""
        assert self.server is not None
        return int(self.server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Take no more; handle and answer what was taken whole; then close. Twice does nothing."""
        server, self.server = self.server, None
        if server is None:
            return
        server.close()
        connections = list(self.connections)
        for connection in connections:
            connection.finish()
        loop = asyncio.get_running_loop()
        end = loop.time() + self.limits.close_seconds
        # A connection that is gone may still have messages waiting: each task that ends starts the next.
        while (ends := [*(connection.ended for connection in self.connections), *self.work]) and loop.time() < end:
            await asyncio.wait(ends, timeout=end - loop.time(), return_when=asyncio.FIRST_COMPLETED)
        for connection in connections:
            connection.drop()
        for task in self.work:
            task.cancel()
        await asyncio.gather(*self.work, return_exceptions=True)
        await server.wait_closed()


async def listen(
    host: str, port: int, handle: Handle, *, limits: Limits | None = None, ssl: tls.SSLContext | None = None, mode: Mode = as_it_asks
) -> Listener:
    """Listen for MLLP, with TLS where a context is given (which may ask for client certificates). Raises Usage when the port is taken."""
    listener = Listener(handle, limits or Limits(), mode)
    try:
        listener.server = await asyncio.get_running_loop().create_server(lambda: _Connection(listener), host, port, ssl=ssl, backlog=512)
    except OSError as error:
        reason = "is in use by another program" if error.errno == errno.EADDRINUSE else "cannot be listened on"
        raise Usage(f"{host}:{port} {reason}", location="[mllp] listen", advice="Choose another address or port.") from error
    return listener


class _Connection(asyncio.Protocol):
    """One client. What it sent waits in `_waiting`, is handled by tasks in `_handled`, and is answered from the left end of that."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._limits = listener.limits
        self._loop = asyncio.get_running_loop()
        self._framer = Framer(self._limits.frame_bytes)
        self._waiting: deque[_Job] = deque()
        self._handled: deque[asyncio.Task[bytes | None]] = deque()
        self._active = self._loop.time()
        self._frame_began: float | None = None
        self._held = 0
        self._last = False  # nothing more is taken; closes when all is answered
        self._refused = False  # the client may still be sending: its bytes are thrown away until it has fetched its answer
        self._lingers = False
        self._blocked = False  # the client does not fetch its answers
        self._timer: asyncio.TimerHandle | None = None
        self.ended: asyncio.Future[bytes | None] = self._loop.create_future()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peer = _peer(transport)
        counters = self._listener.counters
        counters.connections += 1
        counters.open += 1
        self._listener.connections.add(self)
        if not self._listener.admission.takes(self._peer.host, counters.open, self._loop.time(), stopping=self._listener.server is None):
            self._last = True
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        self._active = self._loop.time()
        self._listener.counters.bytes += len(data)
        if self._last:
            return
        frames = self._framer.feed(data)
        self._hold(self._framer.size)
        self._listener.counters.frames += len(frames)
        for frame in frames:
            self._waiting.extend(self._jobs(frame))
        if frames or not self._framer.unfinished:
            self._frame_began = None
        if self._framer.unfinished and self._frame_began is None:
            self._frame_began = self._active
        if self._framer.oversized is not None:
            limit = f"The frame is larger than the {self._limits.frame_bytes:,} bytes that are taken"
            self._refuse(TooLarge(limit, advice="Send the message in parts."), self._framer.oversized)
        elif self._framer.between > self._limits.between_bytes:
            self._refuse(Malformed("What was sent is not framed as MLLP", advice="Begin each message with 0B and end it with 1C 0D."))
        elif self._held > _MUCH and self._listener.held > self._limits.held_bytes:
            self._listener.counters.refused += 1
            log.warning("mllp connection dropped", reason="too much is being sent at once", peer=self._peer.host)
            self.drop()  # unanswered: its sender sends it again
            return
        self._proceed()

    def eof_received(self) -> bool:
        self._note_unfinished()
        self._last = True
        self._refused = False  # it has sent all that it will
        return bool(self._waiting or self._handled)  # True keeps our side open until all is answered

    def connection_lost(self, error: Exception | None) -> None:
        self._note_unfinished()
        if self._handled:
            self._listener.counters.hung_up += 1
            log.warning("mllp client hung up before its answer", peer=self._peer.host, unanswered=len(self._handled))
        # What was taken whole is handled all the same: its sender finds that out by sending it again.
        self._last = True
        self._blocked = False
        self._proceed()
        if self._timer:
            self._timer.cancel()
        self._listener.counters.open -= 1
        self._listener.admission.left(self._peer.host)
        self._listener.connections.discard(self)
        self._hold(0)
        if not self.ended.done():
            self.ended.set_result(None)

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        self._proceed()

    # What the listener calls

    def finish(self) -> None:
        """Take no more; close when everything taken is answered."""
        self._note_unfinished()
        self._last = True
        self._proceed()

    def drop(self) -> None:
        """Close at once, and begin nothing more."""
        self._waiting.clear()
        self._transport.abort()

    # The work

    def _jobs(self, frame: bytes) -> list[_Job]:
        """What there is to do for one frame, in order: a message each; but one whole batch, answered by one batch."""
        messages, around = split(frame), envelope(frame)
        if around is not None:
            return [partial(self._handle_batch, messages, around)]  # which may hold no message: some are sent by the clock
        if not messages:
            return [partial(_said, acknowledge(None, "AR", at=_now(), control_id=own_control_id(), text="The frame is empty."))]
        return [partial(self._handle, message) for message in messages]

    async def _handle(self, message: bytes) -> bytes | None:
        answer = await self._answer(message)
        return None if answer is None else b"".join(map(framed, apart(answer)))

    async def _answer(self, message: bytes) -> bytes | None:
        try:
            answer = await self._listener.handle(message, self._peer)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the connection's other work, and its text may hold PHI
            log.error("mllp message could not be handled", error=type(error).__name__, peer=self._peer.host)
            answer = None
        return not_taken(message, self._listener.mode) if answer is None else answer

    async def _handle_batch(self, messages: list[bytes], around: Envelope) -> bytes | None:
        for problem in around.problems:
            log.warning("batch does not agree with its trailer", problem=problem, peer=self._peer.host)
        told: list[bytes] = []
        for begin in range(0, len(messages), self._limits.in_flight):
            for answer in await asyncio.gather(*map(self._answer, messages[begin : begin + self._limits.in_flight])):
                if answer is None:
                    return None
                told.append(one_of(answer))
        return framed(acknowledge_batch(told, around, at=_now(), control_id=own_control_id()))

    def _proceed(self) -> None:
        """Write the answers that are due, begin what may begin, read on or not, and close when it is over."""
        while self._handled and self._handled[0].done() and not self._blocked:
            self._write(self._handled.popleft())
        while self._waiting and len(self._handled) < self._limits.in_flight:
            task = asyncio.create_task(self._waiting.popleft()())
            self._handled.append(task)
            self._listener.work.add(task)
            task.add_done_callback(self._done)
        if self._transport.is_closing():
            return
        if self._last and not self._waiting and not self._handled:
            self._close()
        elif self._last or len(self._handled) < self._limits.in_flight:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _done(self, task: asyncio.Task[bytes | None]) -> None:
        self._listener.work.discard(task)
        self._proceed()

    def _write(self, task: asyncio.Task[bytes | None]) -> None:
        if self._transport.is_closing():
            return
        answer = None if task.cancelled() else task.result()
        if answer is None:
            self._listener.counters.failed += 1
            self._last = True
            self._transport.close()  # after the answers written before it; the sender sends the rest again
        elif answer:
            self._active = self._loop.time()
            self._transport.write(answer)

    def _refuse(self, error: GatewayError, head: bytes = b"") -> None:
        """Answer AR with the reason, after the answers that are due, and take nothing more."""
        self._listener.counters.refused += 1
        log.warning("mllp frame refused", reason=error.message, peer=self._peer.host)
        self._last = self._refused = True
        self._waiting.append(partial(_said, refusal(error, head, self._listener.mode)))

    def _close(self) -> None:
        """Close; but a refused client that is still sending would lose its answer to a reset, so it is heard out for a while."""
        if not self._refused:
            self._transport.close()
            return
        if self._lingers:
            return
        self._lingers = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(self._limits.close_seconds, self._transport.abort)

    def _hold(self, size: int) -> None:
        """Count the bytes of the frame that is not whole yet."""
        self._listener.held += size - self._held
        self._held = size

    def _note_unfinished(self) -> None:
        if not self._last and self._framer.unfinished:
            self._listener.counters.hung_up += 1
            log.warning("mllp connection ended within a frame", peer=self._peer.host)

    def _watch(self) -> None:
        """End what takes too long; looks four times within the shorter limit."""
        now = self._loop.time()
        busy = bool(self._waiting or self._handled)
        if self._frame_began is not None and not self._last:
            if not self._transport.is_reading():
                self._frame_began = now  # it is we who keep it waiting
            elif now - self._frame_began > self._limits.frame_seconds:
                self._refuse(Malformed("The frame did not end in time", advice="End each message with 1C 0D."))
                self._proceed()
        if now - self._active > self._limits.idle_seconds and (self._blocked or not busy):
            log.info("mllp connection idle", peer=self._peer.host)
            self._transport.abort()
        interval = min(self._limits.frame_seconds, self._limits.idle_seconds) / 4
        self._timer = self._loop.call_later(interval, self._watch)


async def _said(answer: bytes) -> bytes:
    return framed(answer) if answer else b""


def _peer(transport: asyncio.Transport) -> Peer:
    host, port = (transport.get_extra_info("peername") or ("", 0))[:2]
    names = (transport.get_extra_info("peercert") or {}).get("subject", ())
    common = [value for part in names for key, value in part if key == "commonName"]
    return Peer(str(host), int(port), common[0] if common else "")


def _now() -> datetime:
    return datetime.now(UTC)
