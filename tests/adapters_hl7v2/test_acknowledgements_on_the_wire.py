"""Acknowledgements over real MLLP sockets, from a gateway with its store: both modes, batches, repetitions, clients that are not ours."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import hl7
import pytest

from gateway.adapters.hl7v2.frames import framed
from gateway.adapters.hl7v2.mllp import Limits, Listener, Peer, listen
from gateway.er7.acknowledgements import parse_answers
from gateway.listening import acknowledgement_mode, hl7v2_handler
from gateway.mappings.feeds.profile import FeedProfile
from gateway.pipeline import Journey
from gateway.store.interface import Filter, Store
from tests.er7.test_er7_acknowledgement_mode import ENHANCED, HALF, rows
from tests.pipeline.county import CONFIGURATION, NOW, memory_folder, store_at

FEEDS = (
    FeedProfile(name="st-mary", sending_facility="STMARY", timezone="UTC"),
    FeedProfile(name="strict", sending_facility="STRICT", timezone="UTC", strict=True),
    FeedProfile(name="patient", sending_facility="PATIENT", timezone="UTC", accept_quarantined=True),
    FeedProfile(name="by-the-book", sending_facility="BOOK", timezone="UTC", acknowledgement="enhanced", strict=True),
    FeedProfile(name="plain", sending_facility="PLAIN", timezone="UTC", acknowledgement="original"),
)
PID = "PID|1||7^^^STMARY^MR||Doe^Jo||19800101|F"

Answers = list[tuple[str, str]]
"""(MSA-2, MSA-1), in the order in which they came."""


def adt(control_id: str, accept: str = "", application: str = "", *, facility: str = "STMARY", event: str = "ADT^A08", pid: str = PID) -> bytes:
    """An update that is understood; without its PID it is quarantined; of a strict sender's unknown event it is rejected."""
    header = f"MSH|^~\\&|ADT|{facility}|GW|COUNTY|20260320100000||{event}|{control_id}|P|2.5.1|||{accept}|{application}"
    return "\r".join(segment for segment in (header, "EVN||20260320100000", pid, "PV1|1|I") if segment).encode() + b"\r"


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with memory_folder() as folder, store_at(folder) as store:
        yield store


class Client:
    """A connection that sends raw bytes and takes frames as they come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def frame(self) -> bytes:
        frame = await asyncio.wait_for(self.reader.readuntil(b"\x1c\r"), 5)
        assert frame.startswith(b"\x0b")
        return frame[1:-2]

    async def answers(self, *messages: bytes) -> Answers:
        """All that comes for the messages up to the answer to a last one, in original mode, that is sent after them."""
        self.writer.write(b"".join(map(framed, (*messages, adt("the last")))))
        found: Answers = []
        while ("the last", "AA") not in found:
            told = parse_answers(await self.frame())
            assert len(told) == 1, "a message a frame"
            found.append((told[0].control_id, told[0].code))
        return found[:-1]


@contextlib.asynccontextmanager
async def gateway(store: Store) -> AsyncIterator[Listener]:
    journey = Journey(store, replace(CONFIGURATION, feeds=FEEDS), lambda: NOW)
    journey.start()
    listener = await listen("127.0.0.1", 0, hl7v2_handler(journey), limits=Limits(close_seconds=1))
    try:
        yield listener
    finally:
        await listener.close()
        await asyncio.to_thread(journey.stop)


@contextlib.asynccontextmanager
async def client(listener: Listener) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 50))


def states(store: Store, control_id: str) -> list[str]:
    """The states in which the inbox holds the messages of a control ID, newest first."""
    with store.reading() as reader:
        return [each.state for each in reader.messages(Filter(control_id=control_id))]


def sent(facility: str, accept: str, application: str, outcome: str) -> bytes:
    control_id = f"{facility} {accept} {application} {outcome}"
    if outcome == "AR":
        return adt(control_id, accept, application, facility=facility, event="ADT^Z99")
    return adt(control_id, accept, application, facility=facility, pid="" if outcome == "AE" else PID)


@pytest.mark.parametrize(("facility", "table"), [("STRICT", rows(ENHANCED)), ("BOOK", rows(ENHANCED) + rows(HALF))])
def test_each_message_gets_what_its_header_asks_for_and_is_kept_whatever_that_is(
    store: Store, facility: str, table: list[tuple[str, str, str, tuple[str, ...]]]
) -> None:
    table = [row for row in table if row[2] != "CE"]

    async def test() -> None:
        async with gateway(store) as listener, client(listener) as sender:
            expected = [(f"{facility} {accept} {application} {outcome}", code) for accept, application, outcome, codes in table for code in codes]
            found = await sender.answers(*(sent(facility, accept, application, outcome) for accept, application, outcome, _ in table))
            assert found == expected
        for accept, application, outcome, _ in table:
            assert states(store, f"{facility} {accept} {application} {outcome}") == ["processed" if outcome == "AA" else "quarantined"]

    run(test)


def test_a_sender_that_fills_in_half_or_whose_profile_says_original_gets_one_answer(store: Store) -> None:
    async def test() -> None:
        async with gateway(store) as listener, client(listener) as sender:
            messages = (
                adt("half", "AL"),
                adt("half", "", "NE", pid=""),
                adt("plain", "NE", "NE", facility="PLAIN"),
                adt("plain", "AL", "AL", facility="PLAIN"),
            )
            assert await sender.answers(*messages) == [("half", "AA"), ("half", "AE"), ("plain", "AA"), ("plain", "AA")]

    run(test)


def test_an_accept_acknowledgement_comes_after_the_commit(store: Store) -> None:
    async def test() -> None:
        async with gateway(store) as listener, client(listener) as sender:
            sender.writer.write(framed(adt("committed", "AL", "AL")))
            assert [answer.code for answer in parse_answers(await sender.frame())] == ["CA"]
            assert states(store, "committed") == ["processed"]
            assert [answer.code for answer in parse_answers(await sender.frame())] == ["AA"]

    run(test)


def test_an_accepted_message_sent_again_gets_both_its_first_answers_again(store: Store) -> None:
    async def test() -> None:
        async with gateway(store) as listener, client(listener) as sender:
            frames = []
            for _ in range(2):
                sender.writer.write(framed(adt("again", "AL", "AL")))
                frames.append([await sender.frame(), await sender.frame()])
            assert frames[0] == frames[1]
            own = [frame.split(b"|")[9] for frame in frames[0]]
            assert own[0] != own[1], "each answer has a control ID of its own"
        assert states(store, "again") == ["duplicate", "processed"]

    run(test)


def test_a_refused_message_sent_again_is_tried_again_and_answered_again(store: Store) -> None:
    async def test() -> None:
        async with gateway(store) as listener, client(listener) as sender:
            faulty = adt("refused", "AL", "ER", pid="")
            assert await sender.answers(faulty, faulty) == [("refused", "CA"), ("refused", "AE")] * 2

    run(test)


@pytest.mark.parametrize(("accept", "application", "codes"), [("", "", ["AA"]), ("AL", "AL", ["CA", "AA"])])
def test_a_profile_that_accepts_quarantined_messages_gets_aa_with_a_warning(store: Store, accept: str, application: str, codes: list[str]) -> None:
    async def test() -> None:
        async with gateway(store) as listener, client(listener) as sender:
            control_id = f"patient{accept}"
            sender.writer.write(framed(adt(control_id, accept, application, facility="PATIENT", pid="")))
            frames = [await sender.frame() for _ in codes]
            assert [answer.code for frame in frames for answer in parse_answers(frame)] == codes
            errors = hl7.parse(frames[-1].decode()).segments("ERR")
            assert [str(error[4]) for error in errors] == ["W"]
            assert states(store, control_id) == ["quarantined"]

    run(test)


@pytest.mark.parametrize(
    ("accept", "application", "code"),
    [("AL", "AL", "CE"), ("ER", "NE", "CE"), ("NE", "AL", "AR"), ("NE", "NE", None), ("SU", "SU", None), ("", "", None), ("AL", "", None)],
)
def test_what_cannot_be_committed_is_answered_ce_207_or_not_at_all(accept: str, application: str, code: str | None) -> None:
    async def full(message: bytes, peer: Peer) -> bytes | None:
        return None

    async def test() -> None:
        listener = await listen("127.0.0.1", 0, full, limits=Limits(close_seconds=1))
        try:
            async with client(listener) as sender:
                sender.writer.write(framed(adt("1", accept, application)))
                if code is None:
                    assert await asyncio.wait_for(sender.reader.read(), 5) == b"", "closes unanswered"
                    return
                answer = hl7.parse((await sender.frame()).decode())
                assert (str(answer["MSA"][0][1]), str(answer["MSA"][0][2]), str(answer["ERR"][0][3][0][0])) == (code, "1", "207")
                sender.writer.write(framed(adt("2", accept, application)))
                assert parse_answers(await sender.frame())[0][:2] == ("2", code)  # the connection stays
        finally:
            await listener.close()

    run(test)


def test_a_frame_too_large_is_refused_in_the_mode_of_its_header(store: Store) -> None:
    async def test() -> None:
        listener = await listen("127.0.0.1", 0, lambda message, peer: pytest.fail("taken"), limits=Limits(frame_bytes=500, close_seconds=0.2))
        try:
            for accept, application, expected in (("AL", "AL", [("1", "CR")]), ("", "", [("1", "AR")]), ("NE", "NE", [])):
                async with client(listener) as sender:
                    sender.writer.write(b"\x0b" + adt("1", accept, application, pid="NTE|" + "x" * 600))
                    sender.writer.write_eof()
                    data = await asyncio.wait_for(sender.reader.read(), 5)
                    assert [answer[:2] for frame in data.split(b"\x1c\r")[:-1] for answer in parse_answers(frame)] == expected
        finally:
            await listener.close()

    run(test)


def test_of_a_batch_with_one_bad_message_the_others_are_taken_and_each_is_told(store: Store) -> None:
    batch = (
        b"FHS|^~\\&|ADT|STMARY|GW|COUNTY|2026||||F7\rBHS|^~\\&|ADT|STMARY|GW|COUNTY|2026||||B7\r"
        + adt("b1")
        + adt("b2", pid="")
        + adt("b3", "AL", "AL")
        + adt("b4", "NE", "NE")
        + adt("b5", "AL", "NE")
        + b"BTS|6\rFTS|1\r"
    )

    async def test() -> None:
        async with gateway(store) as listener, client(listener) as sender:
            sender.writer.write(framed(batch))
            lines = (await sender.frame()).decode().split("\r")
            assert [line[:3] for line in lines] == ["FHS", "BHS", "MSH", "MSA", "MSH", "MSA", "ERR", "MSH", "MSA", "MSH", "MSA", "BTS", "FTS", ""]
            assert [line.split("|")[1:3] for line in lines if line.startswith("MSA")] == [["AA", "b1"], ["AE", "b2"], ["AA", "b3"], ["CA", "b5"]]
            assert lines[-3:] == ["BTS|4|BTS-1 says 6; messages found: 5", "FTS|1", ""]
            assert [lines[0].split("|")[11], lines[1].split("|")[11]] == ["F7", "B7"]
        assert [states(store, f"b{number}") for number in range(1, 6)] == [
            ["processed"],
            ["quarantined"],
            ["processed"],
            ["processed"],
            ["processed"],
        ]

    run(test)


def test_an_empty_batch_is_answered_by_an_empty_batch(store: Store) -> None:
    async def test() -> None:
        async with gateway(store) as listener, client(listener) as sender:
            sender.writer.write(framed(b"BHS|^~\\&|A||||||||B7\rBTS|0\r"))
            assert (await sender.frame()).endswith(b"|B7\rBTS|0\r")

    run(test)


def test_a_batch_sent_again_counts_nothing_twice(store: Store) -> None:
    batch = b"BHS|^~\\&|A\r" + adt("twice1") + adt("twice2") + b"BTS|2\r"

    async def test() -> None:
        async with gateway(store) as listener, client(listener) as sender:
            told = []
            for _ in range(2):
                sender.writer.write(framed(batch))
                told.append(parse_answers(await sender.frame()))
            assert told == [[("twice1", "AA", ""), ("twice2", "AA", "")]] * 2
        assert states(store, "twice1") == states(store, "twice2") == ["duplicate", "processed"]

    run(test)


def test_an_acknowledgement_is_kept_and_not_acknowledged(store: Store) -> None:
    async def test() -> None:
        async with gateway(store) as listener, client(listener) as sender:
            assert await sender.answers(b"MSH|^~\\&|A|STMARY|||2026||ACK^A01|an ack|P|2.5.1\rMSA|AA|1\r") == []
        assert states(store, "an ack") == ["quarantined"]

    run(test)


async def command(*words: str) -> tuple[int, str]:
    """What a program prints, and how it ends."""
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
    printed, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, printed.decode()


def test_python_hl7s_mllp_send_takes_our_answers(store: Store, tmp_path: Path) -> None:
    feed = tmp_path / "feed.mllp"
    feed.write_bytes(b"".join(map(framed, (adt("p1"), adt("p2", pid=""), adt("p3", "AL", "AL"), adt("p4", "AL", "NE")))))

    async def test() -> None:
        async with gateway(store) as listener:
            mllp_send = str(Path(sys.executable).parent / "mllp_send")
            code, printed = await command(mllp_send, "--port", str(listener.port), "--file", str(feed), "127.0.0.1")
        assert code == 0
        answers = [hl7.parse(frame.strip("\x0b\r\n") + "\r") for frame in printed.split("\x1c") if frame.strip()]
        assert [(str(answer["MSA"][0][1]), str(answer["MSA"][0][2])) for answer in answers] == [
            ("AA", "p1"),
            ("AE", "p2"),
            ("CA", "p3"),
            ("AA", "p3"),
            ("CA", "p4"),
        ]
        assert {str(answer["MSH"][0][9]) for answer in answers} == {"ACK^A08^ACK"}

    run(test)


def test_gateway_send_prints_a_line_an_answer(store: Store, tmp_path: Path) -> None:
    feed = tmp_path / "feed.hl7"
    messages = (
        adt("s1"),
        adt("s2", "AL", "AL"),
        adt("s3", "NE", "NE"),
        adt("s4", "ER", "ER"),
        adt("s5", "AL", "ER", pid=""),
        adt("s6", "ER", "ER", pid=""),
    )
    feed.write_bytes(b"BHS|^~\\&|A\r" + b"".join(messages) + b"BTS|6\r")

    async def test() -> None:
        async with gateway(store) as listener:
            command_line = (sys.executable, "-m", "gateway", "send", str(feed), "--to", f"mllp://127.0.0.1:{listener.port}")
            code, printed = await command(*command_line)
        assert code == 1
        assert [line.split(" ")[:2] for line in printed.splitlines()] == [
            ["s1", "AA"],
            ["s2", "CA"],
            ["s2", "AA"],
            ["s5", "CA"],
            ["s5", "AE"],
            ["s6", "AE"],
        ]
        assert [states(store, f"s{number}") for number in (3, 4)] == [["processed"], ["processed"]]

    run(test)


@pytest.mark.parametrize(
    ("facility", "accept", "application", "told"),
    [
        ("BOOK", "AL", "", [("9", "CE")]),  # the standard's rule: either field
        ("STMARY", "AL", "", []),  # half a header: original mode, and the connection closes
        ("STMARY", "AL", "AL", [("9", "CE")]),
        ("PLAIN", "AL", "AL", []),  # its profile says original, whatever the message asks for
    ],
)
def test_what_could_not_be_committed_is_answered_in_the_mode_of_the_senders_profile(
    facility: str, accept: str, application: str, told: list[tuple[str, str]]
) -> None:
    async def unavailable(message: bytes, peer: Peer) -> bytes | None:
        return None

    async def check() -> None:
        listener = await listen("127.0.0.1", 0, unavailable, limits=Limits(close_seconds=1), mode=acknowledgement_mode(FEEDS))
        try:
            async with client(listener) as sender:
                sender.writer.write(framed(adt("9", accept, application, facility=facility)))
                if told:
                    assert [(one.control_id, one.code) for one in parse_answers(await sender.frame())] == told
                else:
                    assert await asyncio.wait_for(sender.reader.read(), 5) == b""
        finally:
            await listener.close()

    run(check)
