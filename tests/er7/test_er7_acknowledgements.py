"""Acknowledgements, written by hand from HL7 v2 chapter 2 (MSH, MSA, ERR with ELD before 2.5 and ERL from it on; BHS, FHS)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.er7.acknowledgements import Problem, acknowledge, acknowledge_batch, answers, apart, one_of, parse_acknowledgement, parse_answers
from gateway.er7.batches import envelope, split
from gateway.er7.reader import read
from gateway.errors import Malformed

AT = datetime(2026, 11, 22, 10, 15, 30, 999, tzinfo=timezone(timedelta(hours=-6)))
BAD_DATE = Problem("PID-7", "102", "W", "PID-7 is not a date.")
NO_VISIT = Problem("PV1-19", "101", "E", "There is no visit number.")


def header(version: str, event: str = "ADT^A03^ADT_A03", more: str = "") -> bytes:
    return f"MSH|^~\\&|ADT^1.2^ISO|STMARY|GATE|COUNTY|20261122100000||{event}|4711|T|{version}{more}\rPID|1||7".encode()


GOLDEN = {
    "2.5.1, accepted": (
        header("2.5.1"),
        "AA",
        [],
        "",
        "MSH|^~\\&|GATE|COUNTY|ADT^1.2^ISO|STMARY|20261122101530-0600||ACK^A03^ACK|g1|T|2.5.1\rMSA|AA|4711\r",
    ),
    "2.5.1, two faults": (
        header("2.5.1"),
        "AE",
        [BAD_DATE, NO_VISIT],
        "Quarantined.",
        "MSH|^~\\&|GATE|COUNTY|ADT^1.2^ISO|STMARY|20261122101530-0600||ACK^A03^ACK|g1|T|2.5.1\r"
        "MSA|AE|4711|Quarantined.\r"
        "ERR||PID^1^7^1|102^Data type error^HL70357|W||||PID-7 is not a date.\r"
        "ERR||PV1^1^19^1|101^Required field missing^HL70357|E||||There is no visit number.\r",
    ),
    "2.7, MSA-3 is withdrawn": (
        header("2.7"),
        "AR",
        [],
        "This event is not taken.",
        "MSH|^~\\&|GATE|COUNTY|ADT^1.2^ISO|STMARY|20261122101530-0600||ACK^A03^ACK|g1|T|2.7\r"
        "MSA|AR|4711\rERR|||207^Application error^HL70357|E||||This event is not taken.\r",
    ),
    "2.3, the old ERR": (
        header("2.3", "ADT^A03"),
        "AE",
        [BAD_DATE, NO_VISIT],
        "Quarantined.",
        "MSH|^~\\&|GATE|COUNTY|ADT^1.2^ISO|STMARY|20261122101530-0600||ACK^A03|g1|T|2.3\r"
        "MSA|AE|4711|Quarantined.\r"
        "ERR|PID^1^7^102&Data type error&HL70357~PV1^1^19^101&Required field missing&HL70357\r",
    ),
    "2.3, whose ERR has no room for words": (
        header("2.3", "ADT^A03"),
        "AA",
        [BAD_DATE],
        "",
        "MSH|^~\\&|GATE|COUNTY|ADT^1.2^ISO|STMARY|20261122101530-0600||ACK^A03|g1|T|2.3\r"
        "MSA|AA|4711|PID-7 is not a date.\r"
        "ERR|PID^1^7^102&Data type error&HL70357\r",
    ),
    "2.3.1, the first with a structure in MSH-9": (
        header("2.3.1", "ADT^A03^ADT_A03"),
        "AA",
        [],
        "",
        "MSH|^~\\&|GATE|COUNTY|ADT^1.2^ISO|STMARY|20261122101530-0600||ACK^A03^ACK|g1|T|2.3.1\rMSA|AA|4711\r",
    ),
    "an odd control ID comes back as it was sent": (
        b"MSH|^~\\&|A|B|||2026||ADT^A01| 4\\T\\7^x&y~\t'\"<>#|P|2.5",
        "AA",
        [],
        "",
        "MSH|^~\\&|||A|B|20261122101530-0600||ACK^A01^ACK|g1|P|2.5\rMSA|AA| 4\\T\\7^x&y~\t'\"<>#\r",
    ),
    "2.1, no event in MSH-9": (
        header("2.1", "ADT^A03"),
        "AA",
        [],
        "",
        "MSH|^~\\&|GATE|COUNTY|ADT^1.2^ISO|STMARY|20261122101530-0600||ACK|g1|T|2.1\rMSA|AA|4711\r",
    ),
    "the sender's delimiters, and text that holds them": (
        b"MSH#!@%*#ADT#A!B#G#C#2026##ADT!A03!ADT_A03#47%F%11#P#2.5",
        "AE",
        [Problem("PV1-44[2].1.3", "102", "E", "50% are #1!")],
        "",
        "MSH#!@%*#G#C#ADT#A!B#20261122101530-0600##ACK!A03!ACK#g1#P#2.5\r"
        "MSA#AE#47%F%11\r"
        "ERR##PV1!1!44!2!1!3#102!Data type error!HL70357#E####50%E% are %F%1%S%\r",
    ),
    "the sender's character set": (
        "MSH|^~\\&|Müller|STMARY|||2026||ADT^A03|1|P|2.3||||||8859/1".encode("latin-1"),
        "AA",
        [],
        "",
        "MSH|^~\\&|||Müller|STMARY|20261122101530-0600||ACK^A03|g1|P|2.3||||||8859/1\rMSA|AA|1\r",
    ),
    "an empty header": (
        b"MSH|^~\\&|",
        "AE",
        [Problem("MSH-10", "101", "E", "There is no control ID."), Problem("DG1[3]-4", "102", "W", "x"), Problem("", "207", "E", "y")],
        "",
        "MSH|^~\\&|||||20261122101530-0600||ACK|g1|P|2.5.1\rMSA|AE|\r"
        "ERR||MSH^1^10^1|101^Required field missing^HL70357|E||||There is no control ID.\r"
        "ERR||DG1^3^4^1|102^Data type error^HL70357|W||||x\r"
        "ERR|||207^Application error^HL70357|E||||y\r",
    ),
    "no message at all": (
        None,
        "AR",
        [Problem("MSH", "100", "E", "No MSH.")],
        "",
        "MSH|^~\\&|GATEWAY||||20261122101530-0600||ACK|g1|P|2.5.1\rMSA|AR|\rERR||MSH^1|100^Segment sequence error^HL70357|E||||No MSH.\r",
    ),
}


@pytest.mark.parametrize(("sent", "code", "problems", "text", "expected"), GOLDEN.values(), ids=GOLDEN)
def test_the_answer_is_in_the_senders_version_and_delimiters(
    sent: bytes | None, code: str, problems: list[Problem], text: str, expected: str
) -> None:
    message = read(sent) if sent is not None else None
    answer = acknowledge(message, code, problems, at=AT, control_id="g1", text=text)
    assert answer.decode(message.charset if message else "ascii") == expected
    assert parse_acknowledgement(answer).code == code
    if message is not None:
        assert parse_acknowledgement(answer).control_id == message.control_id


@pytest.mark.parametrize("version", ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9"])
@pytest.mark.parametrize("code", ["AA", "AE", "AR", "CA", "CE", "CR"])
def test_every_version_and_code_can_be_read_back(version: str, code: str) -> None:
    answer = acknowledge(read(header(version)), code, [BAD_DATE], at=AT, control_id="g1", text="One fault.")
    control_id, said, text = parse_acknowledgement(answer)
    assert (control_id, said) == ("4711", code)
    assert text in ("One fault.", BAD_DATE.text)


@pytest.mark.parametrize("version", ["2.5.1", "2.7", "2.8.2"])
def test_hl7apy_finds_nothing_wrong_with_an_answer(version: str) -> None:
    from hl7apy.consts import VALIDATION_LEVEL
    from hl7apy.parser import parse_message

    answer = acknowledge(read(header(version)), "AE", [BAD_DATE, NO_VISIT], at=AT, control_id="g1")
    assert parse_message(answer.decode(), validation_level=VALIDATION_LEVEL.TOLERANT).validate(report_file=None)


def test_nothing_that_frames_gets_from_a_header_into_the_answer() -> None:
    answer = acknowledge(read(b"MSH|^~\\&|A\x1cB|C\x0bD\x00|||2026||ADT^A01|1\x1c|P|2.5"), "AA", at=AT, control_id="g")
    assert not set(answer) & {0x00, 0x0B, 0x1C}


def test_the_senders_header_stays_itself_where_it_declares_few_delimiters() -> None:
    answer = acknowledge(read(b"MSH|^~|A&B|C\\D|||2026||ADT^A01|1|P|2.5"), "AE", [Problem("PID-5.1.2", "102", "E", "A & B")], at=AT, control_id="g")
    read_back = read(answer)
    assert (read_back.header.value(5), read_back.header.value(6)) == ("A&B", "C\\D")
    assert read_back.segments[2].value(8) == "A & B"


BATCHES = {
    "one batch": (
        b"BHS|^~\\&|ADT|STMARY|GATE|COUNTY|2026||||B7\r{messages}BTS|2\r",
        "BHS|^~\\&|GATE|COUNTY|ADT|STMARY|20261122101530-0600||||g1|B7\r{0}{1}BTS|2\r",
    ),
    "a batch in a file, in other delimiters": (
        b"FHS#!@%*#ADT#STMARY#####F1\rBHS|^~\\&|\r{messages}BTS|2\rFTS#1",
        "FHS#!@%*#GATEWAY##ADT#STMARY#20261122101530-0600####g1#\rBHS|^~\\&|GATEWAY||||20261122101530-0600||||g1|\r{0}{1}BTS|2\rFTS#1\r",
    ),
    "a batch for each batch": (
        b"FHS|^~\\&|A\rBHS|^~\\&|A||||||||B1\r{0}BTS|1\rBHS|^~\\&|B||||||||B2\r{1}BTS|1\rFTS|2",
        "FHS|^~\\&|GATEWAY||A||20261122101530-0600||||g1|\rBHS|^~\\&|GATEWAY||A||20261122101530-0600||||g1|B1\r{0}BTS|1\r"
        "BHS|^~\\&|GATEWAY||B||20261122101530-0600||||g1|B2\r{1}BTS|1\rFTS|2\r",
    ),
    "counts that are wrong are told of": (
        b"FHS|^~\\&|A\rBHS|^~\\&|A\r{messages}BTS|003\rFTS|two",
        "FHS|^~\\&|GATEWAY||A||20261122101530-0600||||g1|\rBHS|^~\\&|GATEWAY||A||20261122101530-0600||||g1|\r"
        "{0}{1}BTS|2|BTS-1 says 3; messages found: 2\rFTS|1|FTS-1 is no number; batches found: 1\r",
    ),
    "a batch that was cut off is told of": (
        b"BHS|^~\\&|A\r{messages}",
        "BHS|^~\\&|GATEWAY||A||20261122101530-0600||||g1|\r{0}{1}BTS|2|There is no BTS; messages found: 2\r",
    ),
    "a trailer without its header": (
        b"{messages}BTS|2",
        "BHS|^~\\&|GATEWAY||||20261122101530-0600||||g1|\r{0}{1}BTS|2\r",
    ),
    "no envelope": (b"{messages}", "BHS|^~\\&|GATEWAY||||20261122101530-0600||||g1|\r{0}{1}BTS|2\r"),
    "a name that is no UTF-8": (
        b"BHS|^~\\&|M\xfcller\r{messages}BTS|2",
        "BHS|^~\\&|GATEWAY||M\xfcller||20261122101530-0600||||g1|\r{0}{1}BTS|2\r",
    ),
}


@pytest.mark.parametrize(("sent", "expected"), BATCHES.values(), ids=BATCHES)
def test_a_batch_is_answered_in_a_batch(sent: bytes, expected: str) -> None:
    first, second = header("2.5") + b"\r", header("2.5").replace(b"4711", b"4712") + b"\r"
    sent = sent.replace(b"{messages}", first + second).replace(b"{0}", first).replace(b"{1}", second)
    said = [acknowledge(read(message), "AA", at=AT, control_id="g") for message in split(sent)]
    batch = acknowledge_batch(said, envelope(sent), at=AT, control_id="g1")
    assert batch.decode("latin-1") == expected.format(*(answer.decode() for answer in said))


pieces = st.lists(
    st.sampled_from(
        [
            "MSH|^~\\&|A\r",
            "FHS|^~\\&|A\r",
            "BHS|^~\\&|B\r",
            "BHS\r",
            "BTS|1\r",
            "BTS\r",
            "BTS|²\r",
            "FTS|1\r",
            "FTS#\r",
            "x\r",
            "\r",
            "\0\0",
            "\ufeff",
        ]
    ),
    max_size=12,
)


@given(pieces.map("".join), st.sampled_from(["utf-8", "latin-1", "utf-16", "utf-16-le", "utf-32"]))
def test_every_message_has_its_place_in_the_answer_to_any_batch(text: str, charset: str) -> None:
    data = text.encode(charset, "replace")
    messages, around = split(data), envelope(data)
    assert around is None or sum(batch.messages for batch in around.batches) == len(messages)
    told = [acknowledge(None, "AR", at=AT, control_id="g")] * len(messages)
    assert len(parse_answers(acknowledge_batch(told, around, at=AT, control_id="g1"))) == len(messages)


def test_a_message_whose_sender_wants_no_answer_has_no_place_in_the_batch_and_is_not_counted() -> None:
    answer = acknowledge(read(header("2.5")), "AA", at=AT, control_id="g")
    batch = acknowledge_batch([b"", answer, b""], None, at=AT, control_id="g1")
    assert batch.split(b"\r")[-2] == b"BTS|1"
    assert parse_answers(batch) == [("4711", "AA", "")]
    assert parse_answers(acknowledge_batch([b""], None, at=AT, control_id="g1")) == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"MSH|^~\\&|X|||Y|2026||ACK|1|P|2.3\rMSA|AE|4711|It failed", ("4711", "AE", "It failed")),
        (b"MSH|^~\\&|X|||Y|2026||ACK|1|P|2.3\nMSA|AA|4711", ("4711", "AA", "")),
        (b"MSH|^~\\&|X|||Y|2026||ACK|1|P|2.3\rMSA|AE|4711\rERR|PID^1^7^102&Data type error&HL70357", ("4711", "AE", "Data type error")),
        (b"MSH|^~\\&|X|||Y|2026||ACK|1|P|2.6\rMSA|AE|4711\rERR||PID^1^7|102^Bad|E\rERR||PID^1^8|102^x|E||||Worse", ("4711", "AE", "Bad; Worse")),
    ],
)
def test_answers_of_others_are_read(answer: bytes, expected: tuple[str, str, str]) -> None:
    assert parse_acknowledgement(answer) == expected


@pytest.mark.parametrize("answer", [b"", b"OK", b"MSH|^~\\&|X"])
def test_what_is_no_acknowledgement_is_malformed(answer: bytes) -> None:
    with pytest.raises(Malformed):
        parse_acknowledgement(answer)


def test_the_time_of_an_answer_has_its_offset() -> None:
    answer = acknowledge(None, "AR", at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), control_id="g")
    assert read(answer).timestamp == "20260102030405+0000"


def own(code: str) -> str:
    return f"our-{code}"


def test_in_enhanced_mode_each_answer_is_a_message_of_its_own_and_wants_none_in_its_turn() -> None:
    message = read(header("2.5.1", more="|||AL|AL||8859/1"))
    sent = answers(message, "AE", [NO_VISIT], at=AT, control_id=own, text="Quarantined.")
    head = "MSH|^~\\&|GATE|COUNTY|ADT^1.2^ISO|STMARY|20261122101530-0600||ACK^A03^ACK|our-{}|T|2.5.1|||NE|NE||8859/1\r"
    accepted = head.format("CA") + "MSA|CA|4711\r"
    faulty = head.format("AE") + "MSA|AE|4711|Quarantined.\rERR||PV1^1^19^1|101^Required field missing^HL70357|E||||There is no visit number.\r"
    assert [answer.decode() for answer in apart(sent)] == [accepted, faulty]
    assert one_of(sent).decode() == faulty
    assert parse_answers(sent) == [("4711", "CA", ""), ("4711", "AE", "Quarantined.")]


def test_an_accept_acknowledgement_alone_tells_of_faults_as_warnings() -> None:
    message = read(header("2.7", more="|||AL|NE"))
    assert answers(message, "AE", [NO_VISIT], at=AT, control_id=own, text="Quarantined.").decode() == (
        "MSH|^~\\&|GATE|COUNTY|ADT^1.2^ISO|STMARY|20261122101530-0600||ACK^A03^ACK|our-CA|T|2.7|||NE|NE\r"
        "MSA|CA|4711\rERR||PV1^1^19^1|101^Required field missing^HL70357|W||||There is no visit number.\r"
    )


def test_a_message_that_cannot_be_read_is_answered_in_original_mode() -> None:
    for outcome, code in (("AR", "AR"), ("CE", "AR"), ("AE", "AE")):
        assert [answer[:2] for answer in parse_answers(answers(None, outcome, at=AT, control_id=own))] == [("", code)]


def test_a_byte_order_mark_is_not_answered_by_one() -> None:
    message = read(b"\xef\xbb\xbf" + header("2.5", more="|||AL|AL"))
    assert [answer[:4] for answer in apart(answers(message, "AA", at=AT, control_id=own))] == [b"MSH|", b"MSH|"]


def test_nothing_to_send_is_nothing() -> None:
    assert apart(b"") == []
    assert one_of(b"") == b""
    assert answers(read(header("2.5", more="|||NE|NE")), "AE", [NO_VISIT], at=AT, control_id=own) == b""
