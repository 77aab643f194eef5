"""The inbox: nothing accepted is counted twice, what was received is kept verbatim, and everything can be found again."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import psycopg
import pytest

from gateway.store.interface import HOUR, Filter, Heard
from tests.store.stores import an_input, fresh, on_every_store

pytestmark = on_every_store

EVERY_BYTE = bytes(range(256)) * 3


def test_the_same_feed_control_id_and_bytes_are_found_again() -> None:
    with fresh() as store:
        first = an_input(EVERY_BYTE, answer=b"MSA|AA|1", identifiers=("mrn-1", "visit-1"), about={"path": "/hl7/v2"})
        with store.write(10) as writer:
            number = writer.add_input(first)
            assert writer.accepted("st-mary", "1", first.digest) == replace(first, id=number)
            assert writer.accepted("lakeside", "1", first.digest) is None
            assert writer.accepted("st-mary", "2", first.digest) is None
            assert writer.accepted("st-mary", "1", an_input(b"other").digest) is None
        with store.write(11) as writer:
            assert writer.accepted("st-mary", "1", first.digest) == writer.input(number) == replace(first, id=number)


def test_the_store_itself_refuses_to_accept_the_same_twice() -> None:
    with fresh() as store:
        with store.write(10) as writer:
            writer.add_input(an_input())
        with pytest.raises((sqlite3.IntegrityError, psycopg.errors.UniqueViolation)), store.write(11) as writer:
            writer.add_input(an_input())
        with store.reading() as reader:
            assert reader.counts()["processed"] == 1


def test_other_bytes_under_a_used_control_id_are_a_new_message_and_reported() -> None:
    with fresh() as store, store.write(10) as writer:
        writer.add_input(an_input(b"one"))
        other = an_input(b"two")
        assert writer.control_id_reused("st-mary", "1", other.digest)
        assert not writer.control_id_reused("st-mary", "1", an_input(b"one").digest)
        assert not writer.control_id_reused("lakeside", "1", other.digest)
        writer.add_input(other)


def test_a_quarantined_input_is_tried_anew_under_its_own_row() -> None:
    with fresh() as store:
        with store.write(10) as writer:
            number = writer.add_input(an_input(state="quarantined", error="The person is missing", location="PID", identifiers=("old",)))
        with store.write(11) as writer:
            refused = writer.refused("st-mary", "1", an_input().digest)
            assert refused is not None
            assert refused.id == number
            assert not writer.control_id_reused("st-mary", "1", an_input(b"other").digest)
            writer.settle_input(replace(refused, state="processed", error="", location="", identifiers=("new",), answer=b"AA"))
            assert writer.refused("st-mary", "1", an_input().digest) is None
            assert writer.accepted("st-mary", "1", an_input().digest) == replace(an_input(answer=b"AA"), id=number, identifiers=("new",))
        with store.reading() as reader:
            assert [found.id for found in reader.messages(Filter(identifiers=("new",)))] == [number]
            assert list(reader.messages(Filter(identifiers=("old",)))) == []


def test_a_duplicate_is_a_light_row_that_names_the_original_and_shows_its_bytes() -> None:
    with fresh() as store:
        with store.write(10) as writer:
            number = writer.add_input(an_input(EVERY_BYTE))
            duplicate = writer.add_input(an_input(EVERY_BYTE, state="duplicate", original=number, received=9))
        with store.reading() as reader:
            rows = list(reader.messages(Filter(state="duplicate")))
            assert [(row.id, row.original, row.raw) for row in rows] == [(duplicate, number, EVERY_BYTE)]
            assert reader.counts() == {"processed": 1, "quarantined": 0, "duplicate": 1, "transitions": 0, "flagged": 0}
            assert reader.counts("processed", at_most=0) == {"processed": 0}, "no further than it is asked to"


def test_messages_are_found_by_everything_that_a_filter_names() -> None:
    with fresh() as store:
        with store.write(10) as writer:
            one = writer.add_input(an_input(b"MSH|A\xff", received=100, identifiers=("m1", "v1")))
            two = writer.add_input(an_input(b"MSH|B", received=200, control_id="2", feed="lakeside", identifiers=("m1",)))
            three = writer.add_input(an_input(b"rubbish", received=300, control_id="", state="quarantined"))

        def found(filter: Filter) -> list[int]:
            with store.reading() as reader:
                return [row.id for row in reader.messages(filter)]

        assert found(Filter()) == [three, two, one]
        assert found(Filter(oldest_first=True)) == [one, two, three]
        assert found(Filter(state="quarantined")) == [three]
        assert found(Filter(feed="lakeside")) == [two]
        assert found(Filter(since=200)) == [three, two]
        assert found(Filter(control_id="2")) == [two]
        assert found(Filter(identifiers=("m1",))) == [two, one]
        assert found(Filter(contains=b"\xff")) == [one]
        assert found(Filter(contains=b"MSH|", limit=1)) == [two]
        assert found(Filter(before=two)) == [one]
        assert found(Filter(identifiers=("m1",), feed="st-mary")) == [one]
        assert found(Filter(identifiers=("nobody",))) == []


def test_messages_are_read_as_they_are_asked_for() -> None:
    with fresh() as store:
        with store.write(10) as writer:
            for number in range(50):
                writer.add_input(an_input(b"%d" % number, control_id=str(number)))
        with store.reading() as reader:
            rows = reader.messages(Filter(oldest_first=True))
            assert next(rows).control_id == "0"
            with store.write(11) as writer:  # a writer is not in the way, and is not seen
                writer.add_input(an_input(b"late", control_id="late"))
            assert [row.control_id for row in rows] == [str(number) for number in range(1, 50)]


def test_the_hours_in_which_a_feed_was_heard_are_counted_also_for_refused_and_repeated_messages() -> None:
    with fresh() as store:
        with store.write(10) as writer:
            first = writer.add_input(an_input(b"a", received=5))
            writer.add_input(an_input(b"b", control_id="2", received=HOUR - 1, state="quarantined"))
            writer.add_input(an_input(b"a", received=2 * HOUR, state="duplicate", original=first))
            writer.add_input(an_input(b"c", feed="lakeside", received=7))
        with store.reading() as reader:
            assert reader.feeds() == ["lakeside", "st-mary"]
            assert reader.heard("st-mary", 10) == [Heard(2, 1, 0, 2 * HOUR), Heard(0, 2, 1, HOUR - 1)]
            assert reader.heard("st-mary", 1) == [Heard(2, 1, 0, 2 * HOUR)]
