"""Character sets: HL7 table 0211, the names met in the wild, and what is done when they are wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.er7 import charsets
from gateway.er7.reader import read, split

# MSH-18                 bytes of PID-5                     read as
GOLDEN = [
    ("", "Müller".encode(), "Müller", "utf-8", ""),
    ("", b"M\xfcller", "Müller", "cp1252", "102"),
    ("UNICODE UTF-8", "Müller".encode(), "Müller", "utf-8", ""),
    ("UNICODE", "Müller".encode(), "Müller", "utf-8", ""),
    ("utf-8", "Müller".encode(), "Müller", "utf-8", ""),
    ("8859/1", b"M\xfcller", "Müller", "latin-1", ""),
    ("8859/1", b"M\xfcller \x93x\x94", "Müller “x”", "cp1252", "102"),  # nobody sends C1 controls
    ("ISO-8859-1", b"M\xfcller", "Müller", "latin-1", ""),
    ("8859/2", "Łódź".encode("iso8859_2"), "Łódź", "iso8859_2", ""),
    ("8859/5", "Иванов".encode("iso8859_5"), "Иванов", "iso8859_5", ""),
    ("8859/15", "€".encode("iso8859_15"), "€", "iso8859_15", ""),
    ("WINDOWS-1252", "“x” €".encode("cp1252"), "“x” €", "cp1252", ""),
    ("ASCII", "Müller".encode(), "Müller", "utf-8", "102"),
    ("ASCII", b"M\xfcller", "Müller", "cp1252", "102"),
    ("ASCII", b"\x81\xfc", "\x81ü", "latin-1", "102"),  # 81 is nothing in Windows-1252
    ("UNICODE UTF-8", b"M\xfcller", "Müller", "cp1252", "102"),
    ("KLINGON", "Müller".encode(), "Müller", "utf-8", "103"),
    ("GB 18030-2000", "王".encode("gb18030"), "王", "gb18030", ""),
    ("BIG-5", "許".encode("big5"), "許", "big5", ""),  # its second byte is an ASCII backslash or bar in many characters
    ("KS X 1001", "김".encode("euc_kr"), "김", "euc_kr", ""),
    ("ISO IR14", "ﾔﾏﾀﾞ".encode("shift_jis"), "ﾔﾏﾀﾞ", "shift_jis", ""),
    ("ASCII~ISO IR87", "山田".encode("iso2022_jp"), "山田", "iso2022_jp_2", ""),
    ("~ISO IR87", "山田".encode("iso2022_jp"), "山田", "iso2022_jp_2", ""),
]


@pytest.mark.parametrize(("named", "sent", "text", "used", "reported"), GOLDEN, ids=[f"{row[0] or 'none'}-{row[2]}" for row in GOLDEN])
def test_text_is_read_as_announced_or_as_it_fits_and_that_is_said(named: str, sent: bytes, text: str, used: str, reported: str) -> None:
    message = read(b"MSH|^~\\&|A|B|||2026||ADT^A08|1|P|2.5||||||" + named.encode() + b"\rPID|1||7||" + sent + b"^X")
    patient = message.first("PID")
    assert patient is not None
    assert (patient.value(5), patient.value(5, 2), message.charset) == (text, "X", used)
    assert [(problem.location, problem.code, problem.severity) for problem in message.problems] == ([("MSH-18", reported, "W")] if reported else [])


def test_an_unknown_set_is_reported_even_where_it_does_no_harm() -> None:
    message = read(b"MSH|^~\\&|A|B|||2026||ADT^A08|1|P|2.5||||||KLINGON\rPID|1||7||Doe")
    assert [problem.code for problem in message.problems] == ["103"]


def test_the_feeds_default_holds_where_the_sender_is_silent_and_only_there() -> None:
    start = b"MSH|^~\\&|A|B|||2026||ADT^A08|1|P|2.5||||||"
    silent, stated = read(start + b"\rPID|||||\xb1", "8859/2"), read(start + b"8859/1\rPID|||||\xb1", "8859/2")
    assert [message.segments[1].value(5) for message in (silent, stated)] == ["ą", "±"]
    assert [message.problems for message in (silent, stated)] == [[], []]


@pytest.mark.parametrize("form", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_what_the_bytes_show_goes_before_what_the_sender_says(form: str) -> None:
    sent = "MSH|^~\\&|A|B|||2026||ADT^A08|1|P|2.5||||||8859/1\rPID|||||Müller\r".encode(form)
    [piece] = split(sent)
    assert read(piece).segments[1].value(5) == "Müller"


@pytest.mark.parametrize("name", ["rot13", "idna", "unicode_escape", "base64", "utf_7", "mbcs", "../etc", "undefined", "\x00"])
def test_no_name_from_outside_reaches_pythons_other_codecs(name: str) -> None:
    assert charsets.codec(name) == ""


def test_every_codec_named_exists() -> None:
    for name in charsets._CODECS.values():
        assert "a".encode(name)


@given(st.binary(max_size=80), st.text(max_size=20), st.sampled_from(["", "8859/1", "UNICODE UTF-16", "BIG-5", "nonsense"]))
def test_any_bytes_can_be_read(data: bytes, declared: str, default: str) -> None:
    charsets.decode(data, declared, default)
