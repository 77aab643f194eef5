"""The MLLP sender: one message at a time over one connection, and the answers that belong to it.

A receiver may read the acknowledgement conditions (MSH-15, MSH-16) as the standard does, or take them for original mode; which, the sender
cannot know. So it waits for those answers alone that are certain: for one where both are empty, for an accept acknowledgement where MSH-15 is
AL, for the application's where MSH-16 is AL. An application's answer, or a refused accept, ends the exchange in any case. What comes
otherwise (ER, SU) is read along with a later message's answers, or when the connection is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl as tls
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self
from urllib.parse import urlsplit

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_exponential, wait_random

from gateway.adapters.hl7v2.frames import Framer, framed
from gateway.er7.acknowledgement_mode import conditions
from gateway.er7.acknowledgements import Acknowledgement, parse_answers
from gateway.er7.batches import envelope, split
from gateway.er7.reader import read
from gateway.errors import Malformed, Unavailable, Usage

__all__ = ["Acknowledgement", "Address", "Sender", "parse_url", "send_file"]

log = structlog.get_logger(__name__)

_ANSWER_BYTES = 16 * 1024 * 1024
_LAST_WORDS = 2.0
"""Seconds that a receiver has for answers that may come or not, once everything was sent."""

Until = Literal["", "one answer", "the application's answer"]
"""What ends the exchange about a message; "" where no answer is certain to come."""


class Address(NamedTuple):
    """Where to send to."""

    host: str
    port: int
    tls: bool


def parse_url(url: str) -> Address:
    """`mllp://host:port` or `mllps://host:port` (TLS); the port is 2575 unless it is said. Raises Usage."""
    advice = "Write it as mllp://host:2575, or mllps://host:2575 for TLS."
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise Usage("The address has no valid port", location=url, advice=advice) from None
    if parts.scheme not in ("mllp", "mllps") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise Usage("The address is not one of MLLP", location=url, advice=advice)
    return Address(parts.hostname, port if port is not None else 2575, parts.scheme == "mllps")


class Sender:
    """`async with Sender("mllp://host:2575") as sender: await sender.send(message)`.

    A connection that breaks before the answer is made anew and the message sent again, `attempts` times in all with growing pauses: a
    receiver that took it the first time gives its first answer again. A time-out is not repeated, for the receiver may be at it still.
    """

    def __init__(self, url: str, *, ssl: tls.SSLContext | None = None, timeout: float = 30.0, attempts: int = 5) -> None:
        """`ssl` replaces the usual verification for mllps; `timeout` is in seconds, for the connection and for each answer."""
        self._address = parse_url(url)
        self._ssl = (ssl or tls.create_default_context()) if self._address.tls else None
        self._timeout = timeout
        self._attempts = attempts
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._framer = Framer(_ANSWER_BYTES)
        self._answers: deque[Acknowledgement] = deque()
        self.skipped: list[Acknowledgement] = []
        """Answers that `send` met and that belonged to no message under way: late ones, mostly."""

    async def __aenter__(self) -> Self:
        async for attempt in self._attempting():
            with attempt:
                await self._connect()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._disconnect()

    async def send(self, message: bytes) -> Acknowledgement:
        """Send one message and wait for the answer that names its MSH-10 in MSA-2; for the application's, where an accept precedes it.

        A message whose control ID cannot be read takes the answer that names none. Raises Unavailable when no answer is to be had, Usage for a
        message that asks for none.
        """
        control_id, until = _expected(message)
        if not until:
            raise Usage("The message asks for no answer", location="MSH-15", advice="Leave MSH-15 and MSH-16 empty, or write AL.")
        *before, last = await self.exchange(message)
        for answer in before:
            if answer.control_id != control_id:
                self.skipped.append(answer)
                log.warning("an answer belongs to no message under way", code=answer.code)
        return last

    async def exchange(self, message: bytes) -> list[Acknowledgement]:
        """Send one message and wait for the answers that it is certain to get; all answers that came meanwhile, in their order, late ones too.

        Raises Unavailable when no answer is to be had.
        """
        control_id, until = _expected(message)
        async for attempt in self._attempting():
            with attempt:
                try:
                    return await asyncio.wait_for(self._exchange(message, control_id, until), self._timeout)
                except TimeoutError:
                    await self._disconnect()  # its answer must not be there when the next message waits for its own
                    raise Unavailable("The receiver did not answer in time", advice="The message may have been taken; send it again.") from None
                except OSError:
                    await self._disconnect()
                    raise
        raise AssertionError("attempts end in an answer or an error")

    async def last_words(self) -> list[Acknowledgement]:
        """Say that nothing more is sent, and take the answers that still come: for a while, for the receiver may have none to give."""
        answers: list[Acknowledgement] = []
        if self._streams is not None:
            with contextlib.suppress(OSError):
                if self._streams[1].can_write_eof():
                    self._streams[1].write_eof()
                await self._gather(answers, min(_LAST_WORDS, self._timeout))
        return answers

    async def _exchange(self, message: bytes, control_id: str, until: Until) -> list[Acknowledgement]:
        _, writer = self._streams or await self._connect()
        writer.write(framed(message))
        await writer.drain()
        answers: list[Acknowledgement] = []
        if not until:
            await self._gather(answers, 0)  # what came for earlier ones must not pile up
            return answers
        while True:
            answer = await self._receive()
            answers.append(answer)
            if answer.control_id == control_id and (until == "one answer" or answer.code != "CA"):
                return answers

    async def _gather(self, answers: list[Acknowledgement], seconds: float) -> None:
        """Take the answers that come within so many seconds; with 0, those that have come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    answers.append(await self._receive())

    async def _receive(self) -> Acknowledgement:
        assert self._streams is not None
        reader, _ = self._streams
        while not self._answers:
            data = await reader.read(65_536)
            if not data:
                raise ConnectionResetError("closed before the answer")
            for frame in self._framer.feed(data):
                self._answers += parse_answers(frame)
            if self._framer.oversized is not None:
                raise Malformed("The answer is larger than any acknowledgement")
        return self._answers.popleft()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port, _ = self._address
        self._framer, self._answers = Framer(_ANSWER_BYTES), deque()
        self._streams = await asyncio.wait_for(asyncio.open_connection(host, port, ssl=self._ssl), self._timeout)
        return self._streams

    async def _disconnect(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            try:
                await asyncio.wait_for(streams[1].wait_closed(), self._timeout)
            except (OSError, TimeoutError):
                return  # it was broken already: there is nobody to take leave of

    def _attempting(self) -> AsyncRetrying:
        return AsyncRetrying(
            stop=stop_after_attempt(self._attempts),
            wait=wait_exponential(multiplier=0.1, max=5.0) + wait_random(0.0, 0.1),
            retry=retry_if_exception_type(OSError),
            retry_error_callback=_unreachable,
        )


async def send_file(path: Path, url: str, *, ssl: tls.SSLContext | None = None, timeout: float = 30.0) -> AsyncIterator[Acknowledgement]:
    """Send every message of a file (one, many, or those of a batch), in order, one after the other's answers; yields all answers as they come.

    Raises Malformed for a file without any.
    """
    data = await asyncio.to_thread(path.read_bytes)
    messages, around = split(data), envelope(data)
    if not messages:
        raise Malformed("The file holds no message")
    for problem in around.problems if around else []:
        log.warning("batch does not agree with its trailer", problem=problem)
    async with Sender(url, ssl=ssl, timeout=timeout) as sender:
        for message in messages:
            for answer in await sender.exchange(message):
                yield answer
        if any(_may_get_more(message) for message in messages):
            for answer in await sender.last_words():
                yield answer


def _expected(message: bytes) -> tuple[str, Until]:
    """(MSH-10, what ends the exchange) of a message that is about to be sent."""
    try:
        sent = read(message)
    except Malformed:
        return "", "one answer"
    accept, application = conditions(sent)
    if application == "AL":
        return sent.control_id, "the application's answer"
    return sent.control_id, "one answer" if accept == "AL" or not (accept or application) else ""


def _may_get_more(message: bytes) -> bool:
    """Whether an answer may come that its exchange did not wait for."""
    try:
        asked = conditions(read(message))
    except Malformed:
        return False
    half = "" in asked and "NE" in asked  # nothing by the standard, one answer by the receivers that take it for original mode
    return half or not {"AL", "NE", ""}.issuperset(asked)


def _unreachable(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, tls.SSLError):
        raise Unavailable("No TLS connection can be made to the receiver", advice="Check its certificate, and ours.") from error
    raise Unavailable("The receiver cannot be reached, or closes unanswered", advice="Check the address, and the receiver's log.") from error
