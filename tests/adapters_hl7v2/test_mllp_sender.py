"""The sender takes only the answer that belongs to its message, and tries again where that is safe."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.adapters.hl7v2.frames import framed
from gateway.adapters.hl7v2.mllp import Limits, Peer, listen
from gateway.adapters.hl7v2.sender import Address, Sender, parse_url, send_file
from gateway.er7.acknowledgements import acknowledge, acknowledge_batch
from gateway.er7.reader import read
from gateway.errors import Malformed, Unavailable, Usage
from tests.third_party import DATA, third_party

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def adt(control_id: str, accept: str = "", application: str = "") -> bytes:
    return f"MSH|^~\\&|ADT|STMARY|||20261122100000||ADT^A08|{control_id}|P|2.5.1|||{accept}|{application}\rPID|1||7\r".encode()


def ack(control_id: str, code: str = "AA") -> bytes:
    return framed(acknowledge(read(adt(control_id)), code, at=AT, control_id="g"))


@contextlib.asynccontextmanager
async def receiver(answers: Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]):
    """A receiver that does what `answers` says with its n-th connection (from 1); yields its URL."""
    connections = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await answers(connections, reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    def begun(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(connected(reader, writer)))

    tasks: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(begun, "127.0.0.1", 0)
    try:
        yield f"mllp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*tasks)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


def test_a_late_answer_is_not_taken_for_the_next_messages() -> None:
    async def late(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x1c\r")
        writer.write(ack("0", "AE") + ack("1"))
        await reader.readuntil(b"\x1c\r")
        writer.write(ack("1") + ack("2", "AE"))
        await reader.read()

    async def test() -> None:
        async with receiver(late) as url, Sender(url) as sender:
            assert await sender.send(adt("1")) == ("1", "AA", "")
            assert await sender.send(adt("2")) == ("2", "AE", "")
            assert [answer.control_id for answer in sender.skipped] == ["0", "1"]

    run(test)


def test_after_a_time_out_the_next_message_has_a_connection_of_its_own() -> None:
    async def slow_at_first(connection: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\x1c\r")
            if connection == 1:
                await asyncio.sleep(0.3)
            writer.write(ack("same"))

    async def test() -> None:
        async with receiver(slow_at_first) as url, Sender(url, timeout=0.1) as sender:
            with pytest.raises(Unavailable, match="did not answer in time"):
                await sender.send(adt("same"))
            assert (await sender.send(adt("same"))).code == "AA"

    run(test)


def test_a_message_is_sent_again_when_the_connection_breaks_before_its_answer() -> None:
    async def breaks_twice(connection: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x1c\r")
        if connection == 3:
            writer.write(ack("1"))
            await reader.read()

    async def test() -> None:
        async with receiver(breaks_twice) as url, Sender(url) as sender:
            assert (await sender.send(adt("1"))).code == "AA"

    run(test)


def test_a_receiver_that_is_not_there_is_said_in_plain_words() -> None:
    async def test() -> None:
        listener = await listen("127.0.0.1", 0, None)  # type: ignore[arg-type]
        url = f"mllp://127.0.0.1:{listener.port}"
        await listener.close()
        with pytest.raises(Unavailable, match="cannot be reached"):
            async with Sender(url, attempts=2):
                pass

    run(test)


def test_enhanced_mode_waits_for_the_applications_answer_where_it_was_asked_for() -> None:
    async def both(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in ("1", "2"):
            await reader.readuntil(b"\x1c\r")
            writer.write(ack(number, "CA"))
            if number == "1":
                await asyncio.sleep(0.02)
                writer.write(ack(number, "AE"))
        await reader.read()

    async def test() -> None:
        async with receiver(both) as url, Sender(url, timeout=2) as sender:
            assert (await sender.send(adt("1", "AL", "AL"))).code == "AE"
            assert (await sender.send(adt("2", "AL", "NE"))).code == "CA"

    run(test)


def test_all_answers_are_told_in_the_order_in_which_they_come() -> None:
    async def both(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x1c\r")
        writer.write(ack("0", "AE") + ack("1", "CA") + ack("0", "AR"))
        await asyncio.sleep(0.02)
        writer.write(ack("1", "AA"))
        await reader.read()

    async def test() -> None:
        async with receiver(both) as url, Sender(url, timeout=2) as sender:
            told = await sender.exchange(adt("1", "AL", "AL"))
            assert [answer[:2] for answer in told] == [("0", "AE"), ("1", "CA"), ("0", "AR"), ("1", "AA")]

    run(test)


@pytest.mark.parametrize("code", ["CE", "CR", "AA", "AE", "AR"])
def test_a_refused_accept_or_an_applications_answer_ends_the_exchange(code: str) -> None:
    async def one(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x1c\r")
        writer.write(ack("1", code))
        await reader.read()

    async def test() -> None:
        async with receiver(one) as url, Sender(url, timeout=2) as sender:
            assert (await sender.send(adt("1", "AL", "AL"))).code == code

    run(test)


@pytest.mark.parametrize(("accept", "application"), [("AL", ""), ("AL", "NE"), ("AL", "ER"), ("", "")])
@pytest.mark.parametrize("code", ["CA", "AA"])
def test_a_receiver_in_either_mode_is_understood(accept: str, application: str, code: str) -> None:
    async def one(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x1c\r")
        writer.write(ack("1", code))
        await reader.read()

    async def test() -> None:
        async with receiver(one) as url, Sender(url, timeout=2) as sender:
            assert (await sender.send(adt("1", accept, application))).code == code

    run(test)


def test_a_batch_of_answers_is_understood() -> None:
    async def batched(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x1c\r")
        said = [acknowledge(read(adt(number)), code, at=AT, control_id="g") for number, code in (("0", "AE"), ("1", "AA"))]
        writer.write(framed(acknowledge_batch([], at=AT, control_id="g")) + framed(acknowledge_batch(said, at=AT, control_id="g")))
        await reader.read()

    async def test() -> None:
        async with receiver(batched) as url, Sender(url, timeout=2) as sender:
            assert await sender.send(adt("1")) == ("1", "AA", "")
            assert sender.skipped == [("0", "AE", "")]

    run(test)


def test_a_message_that_asks_for_no_answer_is_not_waited_for_and_an_error_it_may_get_is_told_when_it_comes(tmp_path: Path) -> None:
    async def late(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            await reader.readuntil(b"\x1c\r")
        writer.write(ack("2", "CR") + ack("3"))
        assert await reader.read() == b"", "the sender says that it is done"
        writer.write(ack("1", "AE"))

    async def test() -> None:
        path = tmp_path / "feed.hl7"
        path.write_bytes(adt("1", "NE", "ER") + adt("2", "ER", "NE") + adt("3"))
        async with receiver(late) as url:
            answers = [answer async for answer in send_file(path, url, timeout=2)]
        assert [answer[:2] for answer in answers] == [("2", "CR"), ("3", "AA"), ("1", "AE")]

    run(test)


def test_nobody_can_wait_for_the_answer_of_a_message_that_asks_for_none() -> None:
    async def silent(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def test() -> None:
        async with receiver(silent) as url, Sender(url) as sender:
            with pytest.raises(Usage, match="asks for no answer"):
                await sender.send(adt("1", "NE", "NE"))
            assert await sender.exchange(adt("1", "NE", "NE")) == []

    run(test)


def test_a_file_without_messages_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        path = tmp_path / "empty.hl7"
        path.write_bytes(b"\r\n \x1c\r")
        with pytest.raises(Malformed, match="holds no message"):
            _ = [answer async for answer in send_file(path, "mllp://127.0.0.1:1")]

    run(test)


def test_a_file_is_sent_message_by_message_and_rubbish_in_it_gets_its_answer(tmp_path: Path) -> None:
    async def handle(message: bytes, peer: Peer) -> bytes | None:
        if not message.startswith(b"MSH"):
            return acknowledge(None, "AR", at=AT, control_id="g", text="Not HL7.")
        return acknowledge(read(message), "AA", at=AT, control_id="g")

    async def test() -> None:
        path = tmp_path / "feed.hl7"
        path.write_bytes(b"rubbish\n" + adt("1") + b"\n\n" + adt("2"))
        listener = await listen("127.0.0.1", 0, handle, limits=Limits(close_seconds=1))
        try:
            answers = [answer async for answer in send_file(path, f"mllp://127.0.0.1:{listener.port}")]
        finally:
            await listener.close()
        assert answers == [("", "AR", "Not HL7."), ("1", "AA", ""), ("2", "AA", "")]

    run(test)


@third_party
def test_the_simulated_hospitals_whole_feed_gets_491_answers_in_its_order() -> None:
    async def handle(message: bytes, peer: Peer) -> bytes | None:
        return acknowledge(read(message), "AA", at=AT, control_id="g")

    async def test() -> None:
        listener = await listen("127.0.0.1", 0, handle, limits=Limits(close_seconds=1))
        try:
            path = DATA / "hl7v2" / "simhospital" / "feed.hl7"
            answers = [answer async for answer in send_file(path, f"mllp://127.0.0.1:{listener.port}")]
        finally:
            await listener.close()
        assert [int(answer.control_id) for answer in answers] == list(range(1, 492))
        assert {answer.code for answer in answers} == {"AA"}

    run(test)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mllp://localhost:2600", Address("localhost", 2600, False)),
        ("mllps://gateway.example.org:2576", Address("gateway.example.org", 2576, True)),
        ("mllp://10.0.0.1", Address("10.0.0.1", 2575, False)),
        ("mllp://[::1]:2575", Address("::1", 2575, False)),
    ],
)
def test_addresses(url: str, address: Address) -> None:
    assert parse_url(url) == address


@pytest.mark.parametrize("url", ["localhost:2575", "http://h:1", "mllp://", "mllp://h:port", "mllp://h:99999", "mllp://h:1/path", ""])
def test_wrong_addresses_are_usage_errors(url: str) -> None:
    with pytest.raises(Usage):
        parse_url(url)
