"""Framing is the same however the bytes are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.hl7v2.frames import Framer, framed

# Bytes that matter to framing, often; any other, sometimes.
streams = st.lists(
    st.one_of(st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\n", b"MSH|", b"\x1c\r\x0b", b" "]), st.binary(max_size=6)), max_size=40
).map(b"".join)


@given(streams, st.lists(st.integers(1, 9), max_size=60))
def test_any_cut_of_a_stream_gives_the_same_frames(stream: bytes, sizes: list[int]) -> None:
    whole, cut = Framer(20), Framer(20)
    frames: list[bytes] = []
    position = 0
    for size in [*sizes, len(stream)]:
        frames += cut.feed(stream[position : position + size])
        position += size
    assert frames == whole.feed(stream)
    assert (cut.unfinished, cut.between) == (whole.unfinished, whole.between)
    assert (cut.oversized is None) == (whole.oversized is None)


@given(st.lists(st.binary(max_size=50).filter(lambda message: b"\x1c" not in message), max_size=10))
def test_what_is_framed_comes_out_as_it_went_in(messages: list[bytes]) -> None:
    assert Framer(1000).feed(b"".join(framed(message) for message in messages)) == messages


def test_text_between_frames_is_counted_without_its_white_space() -> None:
    framer = Framer(100)
    assert framer.feed(b"ab\r\n\x0bMSH\x1c\r\n cd ") == [b"MSH"]
    assert framer.between == 2  # since the last frame
