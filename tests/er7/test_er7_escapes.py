"""Escape sequences: HL7 v2 chapter 2, "Use of escape sequences in text fields"."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.er7.escapes import escape, unescape
from gateway.er7.reader import Delimiters

USUAL = Delimiters()
OTHERS = Delimiters("#", "!", "@", "%", "*")

# as sent                       meaning
GOLDEN = [
    ("plain", "plain"),
    ("", ""),
    ('""', '""'),
    (r"a\F\b\S\c\T\d\R\e\E\f\P\g", "a|b^c&d~e\\f#g"),
    (r"Smith \T\ Sons", "Smith & Sons"),
    (r"one\.br\two", "one\ntwo"),
    (r"one\.sp3\two", "one\n\n\ntwo"),
    (r"one\.sp+2\two", "one\n\ntwo"),
    (r"\.ce\Title\.br\text", "\nTitle\ntext"),
    (r"a\.sk5\b", "a     b"),
    (r"\.in+4\\.ti-2\\.fi\\.nf\text", "text"),
    (r"very \H\important\N\ indeed", "very important indeed"),
    (r"\X0D\\X0A\end", "\r\nend"),
    (r"\X0D0A\end", "\r\nend"),
    (r"\XC3A9\t\XC3A9\ ", "été "),
    (r"\XE9\t", "ét"),  # no UTF-8: the byte as it is
    (r"\X0g\ ", r"\X0g\ "),
    (r"\X0\ ", r"\X0\ "),
    (r"\X\ ", r"\X\ "),
    (r"before \Zabc\ after", r"before \Zabc\ after"),
    (r"\Q\ ", r"\Q\ "),
    (r"\.xx\ ", r"\.xx\ "),
    (r"C:\temp", r"C:\temp"),
    (r"C:\temp\new", r"C:\temp\new"),
    (r"C:\temp\F\new", r"C:\temp|new"),  # a stray mark does not spoil what follows it
    (r"\E\F\E\ ", r"\F\ "),  # read once: what comes out is not read again
    ("\\", "\\"),
    ("\\\\", "\\\\"),
    (r"end\E", r"end\E"),
    (r"\M2442\;3ED\C2842\ end", "山田 end"),  # JIS X 0208 bytes 3B 33 45 44
]


@pytest.mark.parametrize(("sent", "meaning"), GOLDEN)
def test_what_an_escaped_text_means(sent: str, meaning: str) -> None:
    assert unescape(sent, USUAL) == meaning


def test_the_senders_own_delimiters_are_meant() -> None:
    assert unescape("a%F%b%S%c%T%d%R%e%E%f", OTHERS) == "a#b!c*d@e%f"
    assert unescape(r"a\F\b", OTHERS) == r"a\F\b"


def test_hexadecimal_is_of_the_messages_character_set() -> None:
    assert unescape(r"\X80\ ", USUAL, "cp1252") == "€ "


def test_what_is_escaped_holds_nothing_that_delimits_or_frames() -> None:
    assert escape("a|b^c&d~e\\f\r\n\x0b\x1c", USUAL) == r"a\F\b\S\c\T\d\R\e\E\f\X0D\\X0A\\X0B\\X1C" + "\\"


@given(st.text(max_size=60), st.sampled_from([USUAL, OTHERS]))
def test_escaping_and_reading_gives_the_text_again(text: str, delimiters: Delimiters) -> None:
    sent = escape(text, delimiters)
    assert not set(sent) & {delimiters.field, delimiters.component, delimiters.repetition, delimiters.subcomponent, "\r", "\n", "\x0b", "\x1c"}
    assert unescape(sent, delimiters) == text


@given(st.text(alphabet="\\FSTREXHNCMZ.brspin+-0123456789AaGg ", max_size=60), st.sampled_from(["utf-8", "ascii", "utf-16", "shift_jis", "no-such"]))
def test_any_text_can_be_read(text: str, charset: str) -> None:
    unescape(text, USUAL, charset)


def test_many_marks_take_linear_time() -> None:
    assert unescape("\\" * 1_000_000, USUAL)
    assert unescape("\\F\\" * 300_000, USUAL) == "|" * 300_000
