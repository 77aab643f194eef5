"""The MLLP listener on real sockets: order, back-pressure, tolerance, limits and every kind of bad client."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from gateway.adapters.hl7v2.frames import framed
from gateway.adapters.hl7v2.mllp import Handle, Limits, Listener, Peer, listen
from gateway.adapters.hl7v2.sender import Acknowledgement, Sender
from gateway.er7.acknowledgements import acknowledge, parse_acknowledgement
from gateway.er7.batches import split
from gateway.er7.reader import read
from gateway.errors import Malformed, Usage

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def adt(control_id: str, more: str = "") -> bytes:
    return f"MSH|^~\\&|ADT|STMARY|GATEWAY|COUNTY|20261122100000||ADT^A08|{control_id}|P|2.5.1\rPID|1||7^^^STMARY^MR||Doe{more}\r".encode()


async def accept(message: bytes, peer: Peer) -> bytes | None:
    try:
        return acknowledge(read(message), "AA", at=AT, control_id="g")
    except Malformed as error:
        return acknowledge(None, "AR", at=AT, control_id="g", text=error.message)


class Client:
    """A socket that sends raw bytes and reads framed answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> Acknowledgement:
        data = await asyncio.wait_for(self.reader.readuntil(b"\x1c\r"), 5)
        assert data[:1] == b"\x0b"
        return parse_acknowledgement(data[1:-2])

    async def closed(self) -> bool:
        """Whether the other side closes, with nothing more to be read."""
        try:
            return await asyncio.wait_for(self.reader.read(1), 5) == b""
        except ConnectionResetError:
            return True


@contextlib.asynccontextmanager
async def gateway(handle: Handle = accept, limits: Limits | None = None):
    listener = await listen("127.0.0.1", 0, handle, limits=limits or Limits(close_seconds=1))
    try:
        yield listener
    finally:
        await listener.close()


@contextlib.asynccontextmanager
async def client(listener: Listener):
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about")


FRAMES = {
    "as the standard says": b"\x0b" + adt("1") + b"\x1c\r",
    "without the CR": b"\x0b" + adt("1") + b"\x1c",
    "with CR LF": b"\x0b" + adt("1") + b"\x1c\r\n",
    "text before it": b"hello\r\n\x0b" + adt("1") + b"\x1c\r",
    "LF line ends": b"\x0b" + adt("1").replace(b"\r", b"\n") + b"\x1c\r",
    "a byte order mark": b"\x0b\xef\xbb\xbf" + adt("1") + b"\x1c\r",
}


@pytest.mark.parametrize("sent", FRAMES.values(), ids=FRAMES)
def test_a_frame_is_answered_in_every_form_that_senders_give_it(sent: bytes) -> None:
    async def test() -> None:
        async with gateway() as listener, client(listener) as sender:
            for _ in range(2):  # the next one is found again
                await sender.send(sent)
                assert await sender.answer() == ("1", "AA", "")

    run(test)


def test_several_messages_in_one_frame_are_answered_each_in_order() -> None:
    async def test() -> None:
        async with gateway() as listener, client(listener) as sender:
            await sender.send(framed(adt("1") + adt("2") + adt("3")))
            assert [(await sender.answer()).control_id for _ in range(3)] == ["1", "2", "3"]

    run(test)


def test_a_batch_in_one_frame_is_answered_by_one_batch() -> None:
    async def test() -> None:
        async with gateway() as listener, client(listener) as sender:
            await sender.send(framed(b"BHS|^~\\&|ADT|STMARY|||||||B7\r" + adt("1") + adt("2") + b"BTS|2\r"))
            answer = await asyncio.wait_for(sender.reader.readuntil(b"\x1c\r"), 5)
            assert answer.startswith(b"\x0bBHS|^~\\&|GATEWAY||ADT|STMARY|")
            assert answer.split(b"\r")[0].split(b"|")[11] == b"B7"
            assert [parse_acknowledgement(piece).control_id for piece in split(answer)] == ["1", "2"]

    run(test)


def test_answers_keep_the_order_of_the_messages_though_handling_does_not() -> None:
    async def slow_first(message: bytes, peer: Peer) -> bytes | None:
        await asyncio.sleep(0.1 if b"A08|1|" in message else 0)
        return await accept(message, peer)

    async def test() -> None:
        async with gateway(slow_first) as listener, client(listener) as sender:
            await sender.send(b"".join(framed(adt(str(number))) for number in range(1, 6)))
            assert [(await sender.answer()).control_id for _ in range(5)] == ["1", "2", "3", "4", "5"]

    run(test)


def test_no_more_messages_are_handled_at_once_than_the_limit_says_and_reading_waits() -> None:
    running, most = 0, 0
    gate = asyncio.Event()

    async def held(message: bytes, peer: Peer) -> bytes | None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        return await accept(message, peer)

    async def test() -> None:
        async with gateway(held, Limits(in_flight=3, close_seconds=1)) as listener, client(listener) as sender:
            await sender.send(b"".join(framed(adt(str(number))) for number in range(8)))
            await until(lambda: running == 3)
            before = listener.counters.bytes
            await sender.send(framed(adt("8")))
            await asyncio.sleep(0.1)
            assert listener.counters.bytes == before  # it waits in the socket
            gate.set()
            assert [(await sender.answer()).control_id for _ in range(9)] == [str(number) for number in range(9)]
            assert most == 3

    run(test)


def test_rubbish_in_a_frame_is_answered_and_the_connection_lives_on() -> None:
    async def test() -> None:
        async with gateway() as listener, client(listener) as sender:
            for rubbish in (b"", b"hello", b"\xff\x00\xfe", b"PID|1", b"MSH", b"<html>" * 100):
                await sender.send(framed(rubbish))
                assert (await sender.answer()).code == "AR"
            await sender.send(framed(adt("1")))
            assert (await sender.answer()).code == "AA"

    run(test)


def test_a_frame_beyond_the_cap_is_answered_with_the_reason_and_its_control_id_and_closed() -> None:
    async def test() -> None:
        async with gateway(limits=Limits(frame_bytes=100_000, close_seconds=1)) as listener, client(listener) as sender:
            await sender.send(framed(adt("1")))
            with contextlib.suppress(ConnectionError):
                await sender.send(framed(adt("2", "x" * 3_000_000)))
            assert await sender.answer() == ("1", "AA", "")
            assert await sender.answer() == ("2", "AR", "The frame is larger than the 100,000 bytes that are taken")
            assert await sender.closed()
            assert listener.counters.refused == 1

    run(test)


def test_a_frame_of_exactly_the_cap_is_taken() -> None:
    async def test() -> None:
        message = adt("1")
        async with gateway(limits=Limits(frame_bytes=len(message), close_seconds=1)) as listener, client(listener) as sender:
            await sender.send(framed(message))
            assert (await sender.answer()).code == "AA"
            await sender.send(framed(message + b"\r"))
            assert (await sender.answer()).code == "AR"

    run(test)


def test_a_frame_that_never_ends_is_refused_in_time_though_bytes_keep_coming() -> None:
    async def test() -> None:
        async with gateway(limits=Limits(frame_seconds=0.2, close_seconds=1)) as listener, client(listener) as sender:
            await sender.send(b"\x0b" + adt("1"))

            async def trickle() -> None:
                with contextlib.suppress(ConnectionError):
                    while True:
                        await sender.send(b"x")
                        await asyncio.sleep(0.02)

            task = asyncio.create_task(trickle())
            answer = await sender.answer()
            task.cancel()
            assert (answer.code, answer.text) == ("AR", "The frame did not end in time")
            assert await sender.closed()

    run(test)


def test_a_client_that_does_not_speak_mllp_is_told_and_closed() -> None:
    async def test() -> None:
        async with gateway(limits=Limits(between_bytes=1000, close_seconds=1)) as listener, client(listener) as sender:
            await sender.send(b"GET / HTTP/1.1\r\n" * 100)
            assert (await sender.answer()).text == "What was sent is not framed as MLLP"
            assert await sender.closed()

    run(test)


def test_an_idle_connection_is_closed() -> None:
    async def test() -> None:
        async with gateway(limits=Limits(idle_seconds=0.2, close_seconds=1)) as listener, client(listener) as sender:
            assert await sender.closed()
            await until(lambda: listener.counters.open == 0)

    run(test)


def test_a_client_that_hangs_up_half_way_leaves_a_count_and_nothing_else() -> None:
    seen: list[bytes] = []

    async def note(message: bytes, peer: Peer) -> bytes | None:
        seen.append(message)
        return await accept(message, peer)

    async def test() -> None:
        async with gateway(note) as listener:
            async with client(listener) as sender:
                await sender.send(framed(adt("1")) + b"\x0b" + adt("2")[:50])
                assert (await sender.answer()).control_id == "1"
            await until(lambda: listener.counters.hung_up == 1 and listener.counters.open == 0)
            assert len(seen) == 1

    run(test)


def test_a_client_that_resets_before_its_answer_harms_nobody_and_its_message_is_handled() -> None:
    handled: list[bytes] = []
    gate = asyncio.Event()

    async def held(message: bytes, peer: Peer) -> bytes | None:
        await gate.wait()
        handled.append(message)
        return await accept(message, peer)

    async def test() -> None:
        async with gateway(held) as listener:
            raw = socket.create_connection(("127.0.0.1", listener.port))
            raw.sendall(framed(adt("1")) * 40)  # more than are in flight at once
            await until(lambda: listener.counters.frames == 40)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            raw.close()
            await asyncio.sleep(0.05)
            gate.set()
            await until(lambda: len(handled) == 40 and listener.counters.open == 0)

    run(test)


def test_a_client_that_closes_its_side_after_sending_still_gets_its_answers() -> None:
    async def test() -> None:
        async with gateway() as listener, client(listener) as sender:
            await sender.send(framed(adt("1")) + framed(adt("2")))
            sender.writer.write_eof()
            assert [(await sender.answer()).control_id for _ in range(2)] == ["1", "2"]
            assert await sender.closed()

    run(test)


@pytest.mark.parametrize("failure", ["none", "exception"])
def test_what_cannot_be_handled_closes_the_connection_unanswered_after_the_answers_before_it(
    failure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fails(message: bytes, peer: Peer) -> bytes | None:
        if b"A08|2|" in message:
            if failure == "exception":
                raise RuntimeError("Doe cannot be stored")
            return None
        return await accept(message, peer)

    async def test() -> None:
        async with gateway(fails) as listener, client(listener) as sender:
            await sender.send(framed(adt("1")) + framed(adt("2")) + framed(adt("3")))
            assert (await sender.answer()).control_id == "1"
            assert await sender.closed()
            assert listener.counters.failed == 1

    run(test)
    said = capsys.readouterr()
    assert "Doe" not in said.out + said.err  # an exception's text may hold what the sender sent


def test_an_empty_answer_writes_nothing() -> None:
    async def quiet(message: bytes, peer: Peer) -> bytes | None:
        return b"" if b"A08|1|" in message else await accept(message, peer)

    async def test() -> None:
        async with gateway(quiet) as listener, client(listener) as sender:
            await sender.send(framed(adt("1")) + framed(adt("2")))
            assert (await sender.answer()).control_id == "2"

    run(test)


def test_closing_finishes_what_was_taken_and_drops_what_was_not() -> None:
    async def slow(message: bytes, peer: Peer) -> bytes | None:
        await asyncio.sleep(0.05)
        return await accept(message, peer)

    async def test() -> None:
        async with gateway(slow, Limits(in_flight=2, close_seconds=5)) as listener, client(listener) as sender:
            await sender.send(b"".join(framed(adt(str(number))) for number in range(6)) + b"\x0b" + adt("6"))
            await until(lambda: listener.counters.frames == 6)
            closing = asyncio.create_task(listener.close())
            assert [(await sender.answer()).control_id for _ in range(6)] == ["0", "1", "2", "3", "4", "5"]
            assert await sender.closed()
            await closing
            assert (listener.counters.open, listener.counters.hung_up) == (0, 1)

    run(test)


def test_closing_does_not_wait_for_ever() -> None:
    async def never(message: bytes, peer: Peer) -> bytes | None:
        await asyncio.Event().wait()
        return b""

    async def test() -> None:
        async with gateway(never, Limits(close_seconds=0.2, in_flight=1)) as listener, client(listener) as sender:
            await sender.send(framed(adt("1")) * 3)
            await until(lambda: listener.counters.frames == 3)
            await asyncio.wait_for(listener.close(), 2)
            assert await sender.closed()

    run(test)


def test_too_many_connections_are_turned_away_and_room_is_made_when_one_ends() -> None:
    async def test() -> None:
        async with gateway(limits=Limits(connections=1, close_seconds=1)) as listener:
            async with client(listener) as first:
                await first.send(framed(adt("1")))
                await first.answer()
                async with client(listener) as second:
                    assert await second.closed()
            await until(lambda: listener.counters.open == 0)
            async with client(listener) as third:
                await third.send(framed(adt("3")))
                assert (await third.answer()).control_id == "3"

    run(test)


def test_a_client_that_never_fetches_its_answers_is_not_read_for_ever() -> None:
    async def long_answer(message: bytes, peer: Peer) -> bytes | None:
        return b"MSH|" + b"x" * 200_000

    async def test() -> None:
        async with gateway(long_answer, Limits(in_flight=4, idle_seconds=0.5, close_seconds=1)) as listener:
            raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect(("127.0.0.1", listener.port))
            raw.setblocking(False)
            message = framed(adt("1", "x" * 10_000))
            sent = 0
            for _ in range(200):
                with contextlib.suppress(BlockingIOError):
                    sent += raw.send(message)
                await asyncio.sleep(0.001)
                if listener.counters.open == 0 and sent:
                    break
            await until(lambda: listener.counters.open == 0)  # it neither reads nor lets anything move: idle
            raw.close()

    run(test)


def test_a_port_in_use_is_said_in_plain_words() -> None:
    async def test() -> None:
        async with gateway() as listener:
            with pytest.raises(Usage, match=r"is in use by another program .*Choose another"):
                await listen("127.0.0.1", listener.port, accept)

    run(test)


def test_a_megabyte_frame_in_small_pieces_takes_linear_time() -> None:
    async def took(size: int) -> float:
        async with gateway() as listener, client(listener) as sender:
            data = framed(adt("1", "x" * size))
            start = asyncio.get_running_loop().time()
            for position in range(0, len(data), 1400):
                sender.writer.write(data[position : position + 1400])
                await asyncio.sleep(0)
            await sender.answer()
            return asyncio.get_running_loop().time() - start

    async def test() -> None:
        small = min([await took(500_000) for _ in range(3)])
        large = min([await took(4_000_000) for _ in range(2)])
        assert large < small * 8 * 4  # eight times the bytes; quadratic would be sixty-four times

    run(test)


def test_any_cut_of_the_stream_gives_the_same_answers() -> None:
    async def test() -> None:
        cuts = random.Random(4711)
        async with gateway() as listener, client(listener) as sender:
            stream = b"".join(framed(adt(str(number))) for number in range(60))
            position = 0
            while position < len(stream):
                size = cuts.choice((1, 2, 3, 50, 400))
                await sender.send(stream[position : position + size])
                position += size
                await asyncio.sleep(0)
            assert [(await sender.answer()).control_id for _ in range(60)] == [str(number) for number in range(60)]

    run(test)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A self-signed certificate and key for localhost, in one PEM file."""
    from datetime import timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "pair.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return str(path)


def test_mutual_tls_names_the_client_by_its_certificate(certificate: str) -> None:
    peers: list[Peer] = []

    async def note(message: bytes, peer: Peer) -> bytes | None:
        peers.append(peer)
        return await accept(message, peer)

    async def test() -> None:
        ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate)
        ours.load_cert_chain(certificate)
        ours.verify_mode = ssl.CERT_REQUIRED
        theirs = ssl.create_default_context(cafile=certificate)
        theirs.load_cert_chain(certificate)
        listener = await listen("127.0.0.1", 0, note, ssl=ours, limits=Limits(close_seconds=1))
        try:
            async with Sender(f"mllps://localhost:{listener.port}", ssl=theirs) as sender:
                assert await sender.send(adt("1")) == ("1", "AA", "")
                assert await sender.send(adt("2", "x" * 200_000)) == ("2", "AA", "")
        finally:
            await listener.close()
        assert {peer.certificate for peer in peers} == {"localhost"}

    run(test)
