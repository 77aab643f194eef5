"""The laws of the journey (DESIGN, "Laws"), held on a real store."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.er7.acknowledgements import parse_acknowledgement
from gateway.pipeline.rebuild import rebuild
from gateway.store.interface import ALL, Filter
from tests.pipeline.county import CONFIGURATION, NOW, STORY, feed, memory_folder, state, store_at, transitions, wake


@pytest.fixture(scope="module")
def told() -> dict[str, object]:
    """What the story comes to when it is told in order."""
    with memory_folder() as folder, store_at(folder) as store:
        assert {parse_acknowledgement(each.answer)[1] for each in feed(store, STORY)} == {"AA"}
        return state(store)


def test_the_story_comes_to_what_its_messages_say(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        feed(store, STORY)
        found = {each["hospital"]: each for each in transitions(store)}
    home = found["STMARY" if "STMARY" in found else "st-mary"]
    assert home["discharged"] == "2026-03-10T10:45:00-05:00"
    assert len(found) == 2
    last = found["LAKESIDE" if "LAKESIDE" in found else "lakeside"]
    assert {flag["code"] for flag in last["flags"]} >= {"no-follow-up-scheduled", "missed-appointment"}  # type: ignore[attr-defined]


@settings(max_examples=12, deadline=None)
@given(st.permutations(STORY), st.lists(st.sampled_from(STORY), max_size=3))
def test_law_3_order_and_repetition_do_not_matter(told: dict[str, object], order: list[bytes], again: list[bytes]) -> None:
    with memory_folder() as folder, store_at(folder) as store:
        feed(store, [*order, *again])
        assert state(store) == told


def test_law_2_a_rebuild_reaches_the_same_state_and_writes_nothing(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        feed(store, STORY)
        wake(store, NOW)
        before = state(store)
        with store.reading() as reader:
            positions = {recipient: reader.position(recipient) for recipient in (ALL, "river")}
            numbers = {(each.type, each.id): each.number for each in reader.export(ALL)}
        done = rebuild(store, CONFIGURATION, NOW)
        assert state(store) == before
        with store.reading() as reader:
            assert {recipient: reader.position(recipient) for recipient in (ALL, "river")} == positions
            assert {(each.type, each.id): each.number for each in reader.export(ALL)} == numbers
        assert (done.inputs, done.failed, done.removed) == (len(STORY), 0, 0)


def test_law_1_the_same_message_again_gets_its_first_answer_and_changes_nothing(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        first = feed(store, STORY)
        before = state(store)
        again = feed(store, STORY, NOW + 5_000_000)
        assert [each.answer for each in again] == [each.answer for each in first]
        assert {each.state for each in again} == {"duplicate"}
        assert state(store) == before
        with store.reading() as reader:
            assert len(list(reader.messages(Filter(state="processed")))) == len(STORY)


def test_law_1_a_control_id_used_again_with_other_bytes_is_a_new_message_and_reported(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        feed(store, [STORY[1]])
        other = STORY[8].replace(b"|9|P|", b"|2|P|")
        (outcome,) = feed(store, [other])
        assert outcome.state == "processed"
        assert b"MSH^1^10" in outcome.answer
        assert b"|205^" in outcome.answer


def test_law_4_what_cannot_be_understood_is_kept_whole_and_tried_anew(tmp_path: Path) -> None:
    rubbish = [b"hello", STORY[1].replace(b"ADT^A01^ADT_A01", b"ADT^A99"), b"MSH|^~\\&|A|B\r"]
    with store_at(tmp_path) as store:
        outcomes = feed(store, rubbish)
        assert {each.state for each in outcomes} == {"quarantined"}
        assert all(parse_acknowledgement(each.answer)[1] in ("AE", "AR") for each in outcomes)
        feed(store, rubbish)
        with store.reading() as reader:
            kept = list(reader.messages(Filter(state="quarantined", oldest_first=True)))
        assert [each.raw for each in kept] == rubbish
        assert all(each.error for each in kept)
        assert state(store).keys() == state_of_nothing(tmp_path / "none")


def state_of_nothing(folder: Path) -> object:
    """The keys of a store that took nothing."""
    folder.mkdir()
    with store_at(folder) as store:
        return state(store).keys()


def test_test_messages_are_stored_and_answered_and_make_nothing(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        outcomes = feed(store, [each.replace(b"|P|2.5.1", b"|T|2.5.1") for each in STORY])
        assert {each.state for each in outcomes} == {"processed"}
        assert transitions(store) == []
        assert not [key for key in state(store) if "Patient" in key]


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=400), st.tuples(st.sampled_from(STORY), st.integers(0, 600), st.binary(max_size=12))))
def test_any_bytes_get_an_answer_and_never_an_exception(given_bytes: bytes | tuple[bytes, int, bytes]) -> None:
    if isinstance(given_bytes, tuple):
        whole, place, piece = given_bytes
        given_bytes = whole[:place] + piece + whole[place + len(piece) :]
    with memory_folder() as folder, store_at(folder) as store:
        (outcome,) = feed(store, [given_bytes])
    assert parse_acknowledgement(outcome.answer)[1] in ("AA", "AE", "AR")
    assert b"Traceback" not in outcome.answer


def test_what_people_decide_holds_in_the_order_of_its_commit_also_when_the_clock_steps_back(tmp_path: Path) -> None:
    """DESIGN, "Recorded time": for REST writes it is the gateway's commit; a revocation must not be folded before the consent that it ends."""
    from gateway.pipeline import Received
    from gateway.pipeline.intake import take

    with store_at(tmp_path) as store:
        feed(store, STORY[1:2])
        with store.reading() as reader:
            (patient,) = reader.search(ALL, "Patient", terms=[("identifier", ["1001"])])
        about = {
            "type": "Consent",
            "role": "coordinator",
            "organization": "",
            "client": "c",
            "recipient": ALL,
            "id": "x",
            "key": "urn:gateway:write:c|1",
        }
        for number, status in enumerate(["active", "inactive"]):
            consent = (
                b'{"resourceType":"Consent","status":"%s","scope":{"text":"x"},"category":[{"text":"x"}],"patient":{"reference":"Patient/%s"},'
                b'"policyRule":{"text":"x"}}' % (status.encode(), patient.id.encode())
            )
            now = NOW - number * 60_000_000
            with store.write(now) as writer:
                take(writer, Received("fhir-write", consent, about={**about, "method": "PUT", "request": str(number)}), now, CONFIGURATION)
        with store.reading() as reader:
            (found,) = reader.search(ALL, "Consent")
        assert b'"inactive"' in (found.body or b"")
