"""Faults of ours, and messages taken again: one message's trouble is never another's, and nothing said before stays behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.er7.acknowledgements import parse_acknowledgement
from gateway.errors import Unavailable
from gateway.mappings.hl7v2.translate import translate
from gateway.pipeline import Journey, Outcome, Received, understanding
from gateway.pipeline import unanswered as unanswered_module
from gateway.pipeline.intake import take
from gateway.pipeline.rebuild import rebuild, replay_all
from gateway.store.interface import Filter, Input, Store
from tests.attacks_feeds.messages import FAMILY
from tests.pipeline.county import CONFIGURATION, FEEDS, NOW, STORY, feed, state, store_at

ADMISSION, DISCHARGE = STORY[1].replace(b"Quist", FAMILY.encode()), STORY[8]


@contextmanager
def travelling(store: Store) -> Iterator[Journey]:
    """A journey with its writer at work."""
    journey = Journey(store, CONFIGURATION, lambda: NOW)
    journey.start()
    try:
        yield journey
    finally:
        journey.stop()


def failing_on(control: bytes) -> Any:
    """A translation that fails, as a bug would, on one message."""

    def fail(message: Any, *rest: Any) -> Any:
        if message.control_id.encode() == control:
            raise KeyError(f"{FAMILY} has no such thing")
        return translate(message, *rest)

    return fail


def inbox(store: Store) -> list[Input]:
    with store.reading() as reader:
        return list(reader.messages(Filter(oldest_first=True)))


def test_a_fault_costs_one_message_and_that_is_kept_alarmed_and_tried_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with store_at(tmp_path) as store:
        with monkeypatch.context() as broken, capture_logs() as logs, travelling(store) as journey:
            broken.setattr(understanding, "translate", failing_on(b"2"))
            futures = [journey.submit(Received("hl7v2", each)) for each in (STORY[0], ADMISSION, DISCHARGE)]
            outcomes = [future.result(30) for future in futures]
            journey.submit(Received("hl7v2", ADMISSION)).result(30)
        assert [parse_acknowledgement(each.answer)[:2] for each in outcomes] == [("1", "AA"), ("2", "AE"), ("9", "AA")]
        assert FAMILY.encode() not in outcomes[1].answer
        assert {entry["event"] for entry in logs} == {"input failed", "input quarantined"}
        assert FAMILY not in str(logs)
        assert [row.state for row in inbox(store)].count("quarantined") == 1
        feed(store, [ADMISSION])
        assert [row.state for row in inbox(store)] == ["processed"] * 3


def test_a_fault_in_the_transaction_itself_is_not_paid_for_by_the_others_of_its_group(tmp_path: Path) -> None:
    def break_it(writer: Any, now: int) -> None:
        raise ZeroDivisionError

    with store_at(tmp_path) as store, capture_logs():
        journey = Journey(store, CONFIGURATION, lambda: NOW)
        good, bad, also = journey.submit(Received("hl7v2", STORY[0])), journey.run(break_it), journey.submit(Received("hl7v2", STORY[1]))
        journey.start()
        journey.stop()
        assert good.result(0).state == "processed"
        assert also.result(0).state == "processed"
        with pytest.raises(Unavailable):
            bad.result(0)
        assert [row.control_id for row in inbox(store)] == ["1", "2"]


def test_one_client_whose_records_cannot_be_derived_does_not_stop_the_clock_for_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise KeyError(FAMILY)

    later = NOW + 40 * 86_400_000_000
    with store_at(tmp_path) as store:
        feed(store, STORY)
        monkeypatch.setattr(unanswered_module, "refold", fail)
        journey = Journey(store, CONFIGURATION, lambda: later)
        journey.start()
        with capture_logs() as logs:
            assert journey.wake().result(30) == 1
            assert journey.wake().result(30) == 0  # set aside for a while, not tried for ever
        journey.stop()
        assert [entry["event"] for entry in logs] == ["transitions could not be looked at"]
        assert FAMILY not in str(logs)


def replayed(store: Store, configuration: Any = CONFIGURATION) -> list[Outcome]:
    return [outcome for _, outcome in replay_all(store, [row.id for row in inbox(store)], NOW, configuration)]


def test_law_2_a_replay_leaves_nothing_behind_where_todays_configuration_puts_a_message_elsewhere(tmp_path: Path) -> None:
    mended = replace(CONFIGURATION, feeds=[replace(FEEDS[0], authorities={"STMARY": "urn:oid:1.2.3", "COUNTYMPI": "urn:oid:1.2.4"}), *FEEDS[1:]])
    with store_at(tmp_path / "replayed") as store, store_at(tmp_path / "fresh") as fresh:
        feed(store, STORY)
        assert {each.state for each in replayed(store, mended)} == {"processed"}
        feed(fresh, STORY, configuration=mended)
        with store.write(NOW) as writer, fresh.write(NOW) as other:
            assert writer.told(2)
            assert other.told(2)
        after = state(store)
        rebuild(store, mended, NOW)
        assert state(store) == after


def test_law_2_a_message_that_todays_mappings_refuse_takes_back_what_it_said_by_replay_and_by_rebuild(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store_at(tmp_path / "replay") as one, store_at(tmp_path / "rebuild") as other, store_at(tmp_path / "never") as never:
        feed(one, STORY)
        feed(other, STORY)
        feed(never, [each for each in STORY if each is not STORY[16]])
        first = inbox(one)[3].answer
        with monkeypatch.context() as broken, capture_logs():
            broken.setattr(understanding, "translate", failing_on(b"17"))
            assert [each.state for each in replayed(one)].count("quarantined") == 1
            assert rebuild(other, CONFIGURATION, NOW).failed == 1
        assert state(one) == state(other) == state(never)
        assert [row.state for row in inbox(other)].count("quarantined") == 1
        assert inbox(one)[3].answer == first  # a repetition still gets the first answer
        assert {each.state for each in replayed(one)} == {"processed"}


def test_a_replay_opens_no_feed_to_a_sender_that_was_not_bound_to_it(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        for _ in range(2):
            with store.write(NOW) as writer:
                outcome = take(writer, Received("hl7v2", ADMISSION, "lakeside", {"client": "x"}), NOW, CONFIGURATION)
            assert parse_acknowledgement(outcome.answer).code == "AR"
        assert {each.state for each in replayed(store)} == {"quarantined"}
        (own,) = feed(store, [ADMISSION])
        assert own.state == "processed"
        with store.write(NOW) as writer:  # and not even the answer, once it was taken from its own sender
            again = take(writer, Received("hl7v2", ADMISSION, "lakeside", {"client": "x"}), NOW, CONFIGURATION)
        assert parse_acknowledgement(again.answer).code == "AR"


def test_a_message_tried_anew_is_read_as_of_its_first_receipt_as_a_rebuild_reads_it(tmp_path: Path) -> None:
    strict = replace(CONFIGURATION, feeds=[replace(FEEDS[0], strict=True), *FEEDS[1:]])
    undated = ADMISSION.replace(b"|20260302090000||ADT", b"|||ADT").replace(b"EVN||20260302090000", b"EVN||").replace(b"|2.5.1|", b"|9.9|")
    with store_at(tmp_path) as store:
        feed(store, [undated], configuration=strict)
        feed(store, [undated, *STORY[8:12]], now=NOW + 9 * 86_400_000_000)
        before = state(store)
        rebuild(store, CONFIGURATION, NOW + 9 * 86_400_000_000)
        assert state(store) == before
