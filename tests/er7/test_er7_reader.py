"""The lexical reader: delimiters, numbering, values, line ends, and what is no HL7. Expected values by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.er7.acknowledgements import acknowledge, parse_acknowledgement
from gateway.er7.batches import envelope
from gateway.er7.reader import Delimiters, Message, read, split
from gateway.errors import Malformed

HEADER = "MSH|^~\\&|ADT^1.2.3^ISO|STMARY|GATEWAY|COUNTY|20261122101500-0600||ADT^A03^ADT_A03|4711|P^T|2.5.1^USA|||AL|NE"
MESSAGE = HEADER + (
    "\rEVN|A03|20261122101500"
    '\rPID|1||100234^^^STMARY&1.2&ISO^MR~999^^^SSA^SS||Doe \\T\\ Roe^Jane^""|""|19870311|F|||^^Springfield^IL'
    "\rDG1|1||F33.2\rDG1|2||R45.851\rZFU|1|20261201"
)


def text(more: str, header: str = HEADER) -> Message:
    return read(f"{header}\r{more}".encode())


# segment field component subcomponent repetition -> value
VALUES = [
    ("MSH", (1,), "|"),
    ("MSH", (2,), "^~\\&"),
    ("MSH", (3,), "ADT"),
    ("MSH", (3, 2), "1.2.3"),
    ("MSH", (9, 2), "A03"),
    ("MSH", (10,), "4711"),
    ("MSH", (16,), "NE"),
    ("MSH", (17,), ""),
    ("EVN", (1,), "A03"),
    ("PID", (3,), "100234"),
    ("PID", (3, 4), "STMARY"),
    ("PID", (3, 4, 2), "1.2"),
    ("PID", (3, 4, 3), "ISO"),
    ("PID", (3, 4, 4), ""),
    ("PID", (3, 5), "MR"),
    ("PID", (3, 6), ""),
    ("PID", (3, 1, 1, 2), "999"),
    ("PID", (3, 4, 1, 2), "SSA"),
    ("PID", (3, 1, 1, 3), ""),
    ("PID", (5,), "Doe & Roe"),  # an escaped delimiter delimits nothing
    ("PID", (5, 1, 2), ""),
    ("PID", (5, 3), '""'),
    ("PID", (6,), '""'),
    ("PID", (7, 2), ""),
    ("PID", (7, 1, 2), ""),
    ("PID", (7, 1, 1, 2), ""),
    ("PID", (11,), ""),
    ("PID", (11, 3), "Springfield"),
    ("PID", (99,), ""),
    ("ZFU", (2,), "20261201"),
]


@pytest.mark.parametrize(("name", "place", "value"), VALUES)
def test_values_are_numbered_as_the_standard_numbers_them(name: str, place: tuple[int, ...], value: str) -> None:
    segment = read(MESSAGE.encode()).first(name)
    assert segment is not None
    assert segment.value(*place) == value


def test_a_message_names_itself_by_its_header() -> None:
    message = read(MESSAGE.encode())
    assert (message.type, message.trigger, message.control_id, message.version, message.processing_id) == ("ADT", "A03", "4711", "2.5.1", "P")
    assert (message.application, message.facility, message.timestamp) == ("ADT", "STMARY", "20261122101500-0600")
    assert message.problems == []


def test_segments_are_had_in_order_and_by_name_with_their_number() -> None:
    message = read(MESSAGE.encode())
    assert [segment.name for segment in message.segments] == ["MSH", "EVN", "PID", "DG1", "DG1", "ZFU"]
    assert [(segment.number, segment.value(3)) for segment in message.all("DG1")] == [(1, "F33.2"), (2, "R45.851")]
    assert message.all("PV1") == []
    assert message.first("PV1") is None


def test_raw_fields_repetitions_and_components() -> None:
    patient = read(MESSAGE.encode()).first("PID")
    assert patient is not None
    assert patient.field(5) == 'Doe \\T\\ Roe^Jane^""'
    assert patient.repetitions(3) == ["100234^^^STMARY&1.2&ISO^MR", "999^^^SSA^SS"]
    assert (patient.repetitions(2), patient.repetitions(99)) == ([], [])
    assert patient.components(5) == ["Doe & Roe", "Jane", '""']
    assert patient.components(3, 2) == ["999", "", "", "SSA", "SS"]
    assert (patient.components(3, 3), patient.components(2)) == ([], [])
    assert len(patient) == 11


def test_the_header_holds_its_delimiters_as_they_are() -> None:
    header = read(MESSAGE.encode()).header
    assert (header.field(1), header.field(2), header.repetitions(2), header.components(2)) == ("|", "^~\\&", ["^~\\&"], ["^~\\&"])


@pytest.mark.parametrize(
    ("msh_9", "event", "trigger"),
    [("ADT^A03", "A08", "A03"), ("ADT^A03^ADT_A03", "", "A03"), ("ADT", "A08", "A08"), ("ADT^^ADT_A01", "A01", "A01"), ("ADT", "", ""), ("", "", "")],
)
def test_the_trigger_is_msh_9_2_and_evn_1_where_that_is_empty(msh_9: str, event: str, trigger: str) -> None:
    assert text(f"EVN|{event}", f"MSH|^~\\&|||||||{msh_9}|1").trigger == trigger


@pytest.mark.parametrize(
    ("start", "delimiters", "reported"),
    [
        ("MSH|^~\\&|", Delimiters(), []),
        ("MSH|^~\\&#|", Delimiters(), []),  # 2.7's truncation character
        ("MSH#!@%*#", Delimiters("#", "!", "@", "%", "*"), []),
        ("MSH|^~\\\\&|", Delimiters(), ["102"]),  # doubled
        ("MSH|^^~~\\\\&&|", Delimiters(), ["102"]),
        ("MSH||", Delimiters(), ["101"]),
    ],
)
def test_delimiters_are_the_senders(start: str, delimiters: Delimiters, reported: list[str]) -> None:
    message = read(start.encode() + b"A")
    assert (message.delimiters, [problem.code for problem in message.problems]) == (delimiters, reported)


def test_a_delimiter_that_is_not_declared_delimits_nothing() -> None:
    message = read(b"MSH|^~|A\rPID|1||7^8~9||Smith & Sons \\T\\|x")
    patient = message.segments[1]
    assert (patient.value(3, 2), patient.value(3, 1, 1, 2), patient.value(5)) == ("8", "9", "Smith & Sons \\T\\")
    assert [problem.location for problem in message.problems] == ["MSH-2"]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\n\n", "\r\r\n"])
def test_segments_end_in_any_way(end: str) -> None:
    assert [segment.name for segment in read((MESSAGE + "\r").replace("\r", end).encode()).segments] == ["MSH", "EVN", "PID", "DG1", "DG1", "ZFU"]


def test_a_line_break_within_a_field_is_kept_as_text_and_reported() -> None:
    message = text("OBX|1|TX|||first line\nsecond line\n\nSee also: PID|x and more||F\rNTE|1")
    note = message.segments[1]
    assert (note.value(5), note.value(7)) == ("first line\nsecond line\nSee also: PID", "")
    assert (note.value(6), note.value(8)) == ("x and more", "F")
    assert [segment.name for segment in message.segments] == ["MSH", "OBX", "NTE"]
    assert [problem.severity for problem in message.problems] == ["W"]


def test_a_segment_with_a_wrong_name_is_kept_under_that_name_and_reported() -> None:
    message = text("PIDX|1\rPV|2\r  PV1|3\rpid|4")
    assert [(segment.name, segment.value(1)) for segment in message.segments[1:]] == [("PIDX", "1"), ("PV", "2"), ("PV1", "3"), ("pid", "4")]
    assert len(message.problems) == 3


def test_characters_that_python_takes_for_line_ends_are_text() -> None:
    sent = "a\x85b\u2028c\x0cd\x1de"
    assert text(f"NTE|1||{sent}").segments[1].value(3) == sent


@pytest.mark.parametrize(
    ("data", "location"),
    [
        (b"", "MSH"),
        (b"hello", "MSH"),
        (b"PID|1||7", "MSH"),
        (b"{}", "MSH"),
        (b"\x00\xff\xfe", "MSH"),
        (b"MS", "MSH"),
        (b"msh|^~\\&|", "MSH"),
        (b"MSH", "MSH-1"),
        (b"MSHA^~\\&A", "MSH-1"),
        (b"MSH ^~\\& ", "MSH-1"),
        (b"MSH|ADT|STMARY", "MSH-2"),
        (b"MSH|^ \\&|", "MSH-2"),
    ],
)
def test_what_is_not_hl7_is_refused_with_the_place_and_advice(data: bytes, location: str) -> None:
    with pytest.raises(Malformed) as refused:
        read(data)
    assert (refused.value.location, bool(refused.value.advice), refused.value.acknowledgement) == (location, True, "AR")


# one file or frame -> its messages (A is a message of one segment, B of two)
A, B = b"MSH|^~\\&|A", b"MSH|^~\\&|B\rPID|1"
SPLITS = {
    "one": (A, [A]),
    "ends in CR": (A + b"\r", [A]),
    "two": (A + b"\r" + B, [A, B]),
    "blank lines": (b"\r\n\n" + A + b"\r\n\r\n\n" + B + b"\n\n", [A, B]),
    "CR in, LF between": (B + b"\n\n" + A, [B, A]),
    "byte order mark": (b"\xef\xbb\xbf" + A, [b"\xef\xbb\xbf" + A]),
    "white space before": (b" \t " + A + b"\r  " + B, [A, B]),
    "framing left in": (b"\x0b" + A + b"\r\x1c\r\x0b" + B + b"\r\x1c\r", [A, B]),
    "framing without CR": (b"\x0b" + A + b"\x1c\x0b" + B + b"\x1c", [A, B]),
    "batch": (b"FHS|^~\\&|X\rBHS|^~\\&|Y\r" + A + b"\r" + B + b"\rBTS|2\rFTS|1\r", [A, B]),
    "bare envelope": (b"FHS\rBHS\r" + A + b"\rBTS\rFTS", [A]),
    "several batches": (b"BHS|^~\\&|\r" + A + b"\rBTS|1\rBHS|^~\\&|\n" + B + b"\rBTS|1", [A, B]),
    "other delimiters": (b"MSH#!@%*#A\rMSH|^~\\&|B", [b"MSH#!@%*#A", b"MSH|^~\\&|B"]),
    "rubbish before is a piece of its own": (b"rubbish\r" + A, [b"rubbish", A]),
    "rubbish alone": (b"rubbish", [b"rubbish"]),
    "PID alone": (b"PID|1\r", [b"PID|1"]),
    "nothing": (b" \r\n\x0b\x1c\r", []),
    "MSH within text": (A + b"\rNTE|1||the MSH|^~\\& segment\rNTE|2||MSH", [A + b"\rNTE|1||the MSH|^~\\& segment\rNTE|2||MSH"]),
    "MSH as a line of text": (A + b"\rNTE|1||see\nMSH segment\nBTS stop", [A + b"\rNTE|1||see\nMSH segment\nBTS stop"]),
}


@pytest.mark.parametrize(("data", "messages"), SPLITS.values(), ids=SPLITS)
def test_one_file_or_frame_is_split_into_its_messages(data: bytes, messages: list[bytes]) -> None:
    assert split(data) == messages


def test_a_wide_file_is_split_and_each_piece_stays_wide() -> None:
    pieces = split((A + b"\r" + B).decode().encode("utf-16"))
    assert [read(piece).application for piece in pieces] == ["A", "B"]


def test_the_envelope_of_a_batch_is_found() -> None:
    found = envelope(b"FHS|^~\\&|X\rBHS|^~\\&|Y|Z\r" + A + b"\rBTS|1\r")
    assert found is not None
    assert found.file == ("FHS", "|", "^~\\&", "X")
    assert [(batch.header, batch.messages) for batch in found.batches] == [(("BHS", "|", "^~\\&", "Y", "Z"), 1)]
    assert found.problems == ["There is no FTS; batches found: 1"]
    assert envelope(A) is None


fields = st.text(alphabet="AZaz09 ^~\\&|#\"'\r\n\t\x0b\x1cé山FSTX.-", max_size=30)
lines = st.tuples(st.sampled_from(["MSH|^~\\&|", "MSH|^~|", "MSH#!@%*#", "PID|", "PV1|", "OBX", "Z", "", "BTS|", "BHS|^~\\&|"]), fields).map("".join)
nearly = st.lists(lines, max_size=8).map("\r".join).map(str.encode)
mutated = st.tuples(nearly, st.binary(max_size=4), st.integers(0, 200)).map(lambda given: given[0][: given[2]] + given[1] + given[0][given[2] :])


@given(st.one_of(st.binary(max_size=100), nearly, mutated, st.binary(max_size=60).map(lambda tail: b"MSH|^~\\&|" + tail)))
def test_any_bytes_give_a_message_or_malformed_and_every_message_an_answer(data: bytes) -> None:
    from datetime import UTC, datetime

    for piece in [data, *split(data)]:
        message: Message | None
        try:
            message = read(piece)
        except Malformed:
            message = None
        else:
            for segment in message.segments:
                for number in range(len(segment) + 2):
                    for repetition in range(1, len(segment.repetitions(number)) + 1):
                        segment.components(number, repetition)
                        segment.value(number, 2, 2, repetition)
        answer = acknowledge(message, "AE", [("PID-7", "102", "E", "No | date")], at=datetime(2026, 11, 22, tzinfo=UTC), control_id="g", text="^")
        assert parse_acknowledgement(answer).code == "AE"
        assert not set(answer) & {0x0B, 0x1C}


@given(st.lists(st.lists(st.lists(st.text(alphabet='ab|^~\\&é "', max_size=5), min_size=1, max_size=3), min_size=1, max_size=3), max_size=5))
def test_what_is_written_is_read(content: list[list[list[str]]]) -> None:
    from gateway.er7.escapes import escape

    usual = Delimiters()
    raw = ["~".join("^".join(escape(value, usual) for value in repetition) for repetition in field) for field in content]
    segment = read("\r".join(["MSH|^~\\&|A", "|".join(["ZZZ", *raw])]).encode()).segments[1]
    for number, field in enumerate(content, 1):
        for repetition, values in enumerate(field, 1):
            assert [segment.value(number, component, 1, repetition) for component in range(1, len(values) + 1)] == values


@pytest.mark.parametrize(
    "shape",
    [
        lambda size: MESSAGE.encode() + b"\rOBX|1|ED|||" + b"A" * size,
        lambda size: MESSAGE.encode() + b"\rOBX|1|TX|||" + b"line\n" * (size // 5),
        lambda size: MESSAGE.encode() + b"\rNTE|1" * (size // 6),
        lambda size: b" " * size + MESSAGE.encode(),
        lambda size: MESSAGE.encode() + b"\r" + b"\x0b" * size,
        lambda size: MESSAGE.encode() + b"\rNTE|" + b"~" * size,
    ],
    ids=["document", "broken lines", "segments", "blanks", "framing bytes", "repetitions"],
)
def test_a_message_of_a_megabyte_is_read(shape) -> None:
    for piece in split(shape(1_000_000)):  # benchmarks/reader.py measures that the time grows with the size and not its square
        message = read(piece)
        message.segments[-1].value(5)
    assert message.control_id
