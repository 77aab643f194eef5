"""The simulated hospital's whole feed over real MLLP, against what was counted by hand from the file (expected_simhospital)."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.adapters.hl7v2.sender import Acknowledgement, Sender
from gateway.app import running
from gateway.clocks import CareClock
from gateway.instance import Gateway
from gateway.settings import load
from gateway.store.interface import ALL, Filter, Input
from gateway.store.sqlite import open_sqlite
from gateway.stores import DATABASE
from tests.third_party import DATA, third_party
from tests.third_party_feeds import expected_simhospital as by_hand

Json = dict[str, Any]

FEED = DATA / "hl7v2" / "simhospital" / "feed.hl7"
SOON_AFTER = datetime(2026, 11, 22, 0, 30, tzinfo=UTC)
"""The care clock: the feed's last message is of 00:10:41, and no deadline of the policy has come yet."""

LISTEN = '[http]\nlisten = "127.0.0.1:0"\n[mllp]\nlisten = "127.0.0.1:0"\n'
AGENCY = '[[agency]]\nid = "river"\nname = "River Community Mental Health"\npostal_codes = ["*"]\n'
SENDER = '[[feed]]\nname = "simhosp"\nsending_facility = "SFAC"\ntimezone = "Europe/London"\n'
TESTS_TAKEN = 'processing_ids = ["P", "T"]\n'
UNIT = 'psychiatric_units = ["PSYCHWARD"]\n'

TAKEN = {"AA"}  # MSH-15 is AL here and MSH-16 empty: half a header, answered as in original mode
OUR_INSIDES = re.compile(rb'Traceback|File "|\bException\b|\b\w+Error\b|<class|object at 0x|gateway[./]\w+')


@dataclass(frozen=True)
class Seen:
    """A gateway as it stands, with inbox numbers told as control IDs: the numbers are receipt's, and differ with the order of arrival."""

    inputs: list[Input]
    counts: dict[str, int]
    records: dict[tuple[str, str], bytes]  # by type and id, as the operator exports them
    transitions: dict[str, Json]  # by id
    shown: set[str]  # types of records that the agency may read

    def by_visit(self) -> dict[str, Json]:
        """The transitions by the visit number of their stay."""
        found = {}
        for transition in self.transitions.values():
            encounter = orjson.loads(self.records[("Encounter", transition["encounter"].removeprefix("Encounter/"))])
            numbers = {identifier["value"] for identifier in encounter["identifier"]}
            assert len(numbers) == 1, "a stay of this file has one visit number"
            found[numbers.pop()] = transition
        return found

    def statuses(self) -> Counter[str]:
        return Counter(transition["status"] for transition in self.transitions.values())

    def of(self, kind: str) -> list[Json]:
        return [orjson.loads(body) for (type_, _), body in self.records.items() if type_ == kind]


def look(gateway: Gateway) -> Seen:
    with gateway.store.reading() as reader:
        inputs = list(reader.messages(Filter(oldest_first=True)))
        records = {(each.type, each.id): each.body or b"" for each in reader.export(ALL)}
        transitions = {row.id: orjson.loads(row.body or b"{}") for row in reader.worklist(ALL)}
        return Seen(inputs, reader.counts(), records, transitions, {each.type for each in reader.export("river")})


async def send(gateway: Gateway, messages: Sequence[bytes]) -> list[Acknowledgement]:
    """As `gateway send` does: one connection, each message after the answer to the one before."""
    async with Sender("mllp://{}:{}".format(*gateway.mllp)) as sender:
        return [await sender.send(message) for message in messages]


@pytest.fixture(scope="module")
def messages() -> list[bytes]:
    return [message for message in FEED.read_bytes().split(b"\n") if message.strip()]


@pytest.fixture(scope="module")
def stays() -> list[by_hand.Expected]:
    return by_hand.expected_stays(FEED.read_bytes().decode("ascii"))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose copies have one installation key, so that their ids can be compared."""
    directory = tmp_path_factory.mktemp("simhospital") / "empty"
    directory.mkdir()
    store = open_sqlite(directory / DATABASE)
    store.installation_key()
    store.close()
    return directory


def configured(empty: Path, directory: Path, configuration: str) -> Path:
    shutil.copytree(empty, directory)
    (directory / "gateway.toml").write_text(LISTEN + configuration + AGENCY, encoding="utf-8")
    return directory


def played(directory: Path, messages: Sequence[bytes]) -> Seen:
    async def play() -> Seen:
        clock = CareClock()
        clock.set(SOON_AFTER)
        async with running(load(directory / "gateway.toml"), directory, clock) as gateway:
            await send(gateway, messages)
            return look(gateway)

    return asyncio.run(play())


@dataclass(frozen=True)
class Course:
    """The file sent whole, looked at half-way, at its end, and after it was sent a second time."""

    answers: list[Acknowledgement]
    half_way: Seen
    whole: Seen
    answers_again: list[Acknowledgement]
    again: Seen
    moved: bool  # whether the second sending moved the agency's or the coordinator's cursor


@pytest.fixture(scope="module")
def course(empty: Path, tmp_path_factory: pytest.TempPathFactory, messages: list[bytes]) -> Course:
    directory = configured(empty, tmp_path_factory.mktemp("forward") / "data", SENDER + TESTS_TAKEN + UNIT)

    async def play() -> Course:
        clock = CareClock()
        clock.set(SOON_AFTER)
        async with running(load(directory / "gateway.toml"), directory, clock) as gateway:
            answers = await send(gateway, messages[: by_hand.HALF_WAY])
            half_way = look(gateway)
            answers += await send(gateway, messages[by_hand.HALF_WAY :])
            whole = look(gateway)
            with gateway.store.reading() as reader:
                before = [reader.position(recipient) for recipient in (ALL, "river")]
            answers_again = await send(gateway, messages)
            with gateway.store.reading() as reader:
                moved = before != [reader.position(recipient) for recipient in (ALL, "river")]
            return Course(answers, half_way, whole, answers_again, look(gateway), moved)

    return asyncio.run(play())


# --- the count itself ---------------------------------------------------------------------------------------------------


@third_party
def test_the_table_of_pathways_is_the_files(messages: list[bytes], stays: list[by_hand.Expected]) -> None:
    text = FEED.read_bytes().decode("ascii")
    assert len(messages) == by_hand.MESSAGES
    assert Counter(by_hand.event(message) for message in by_hand.lines(text)) == by_hand.EVENTS
    assert Counter(stay.pathway.name for stay in stays) == {pathway.name: pathway.people for pathway in by_hand.PATHWAYS}
    assert len(stays) == by_hand.PEOPLE
    assert Counter(stay.pathway.status for stay in stays if stay.pathway.status) == by_hand.TRANSITIONS
    assert by_hand.half_way(text) == by_hand.HALF_WAY_TRANSITIONS


# --- receipt ------------------------------------------------------------------------------------------------------------


@third_party
def test_every_message_is_answered_taken_and_explained(course: Course) -> None:
    """Law 1 and 4: 491 answers, in order; nothing in this file is beyond understanding, so nothing is quarantined; oddities are told in ERR."""
    assert [answer.control_id for answer in course.answers] == [str(number) for number in range(1, by_hand.MESSAGES + 1)]
    assert {answer.code for answer in course.answers} <= TAKEN
    odd = [answer for answer in course.answers if answer.text]
    # DG1-3 says F33.2 without a coding system, and DG1-2 says SNMCT: told, and taken by its text; eight A03 have no visit number
    assert len(odd) == by_hand.DIAGNOSES + by_hand.UNNUMBERED_DISCHARGES


@third_party
def test_no_answer_shows_the_gateways_insides_or_a_name(course: Course, messages: list[bytes]) -> None:
    names = {part for message in messages for part in re.findall(rb"\|\|([^|^]+)\^([^|^]+)\^[^|]*\^CURRENT", message)[0] if len(part) > 4}
    for each in course.whole.inputs:
        assert not OUR_INSIDES.search(each.answer), each.control_id
        assert not any(name in each.answer for name in names), each.control_id


@third_party
def test_the_inbox_holds_each_message_verbatim_and_once(course: Course, messages: list[bytes]) -> None:
    assert [each.raw.strip() for each in course.whole.inputs] == [message.strip() for message in messages]
    assert (course.whole.counts["processed"], course.whole.counts["quarantined"], course.whole.counts["duplicate"]) == (by_hand.MESSAGES, 0, 0)


# --- transitions --------------------------------------------------------------------------------------------------------


@third_party
def test_half_way_through_the_file_some_discharges_are_only_expected(course: Course) -> None:
    assert course.half_way.statuses() == by_hand.HALF_WAY_TRANSITIONS


@third_party
@pytest.mark.parametrize("pathway", by_hand.PATHWAYS, ids=lambda pathway: pathway.name.replace(" ", "-"))
def test_each_stays_transition_is_what_its_messages_say(course: Course, stays: list[by_hand.Expected], pathway: by_hand.Pathway) -> None:
    """Per visit number: status, when it ended, by whose word, and that nothing was booked."""
    found = course.whole.by_visit()
    for stay in (each for each in stays if each.pathway == pathway):
        transition = found.get(stay.visit)
        assert (transition or {}).get("status") == pathway.status, pathway.why
        if transition is not None:
            assert stay.record_number in {identifier["value"] for identifier in transition["client"]["identifiers"]}
            assert (_digits(transition["admitted"]), _digits(transition["discharged"])) == (stay.admitted, stay.discharged)
            assert (transition["follow_up"]["state"], transition["closed_as"]) == ("none", None)
            assert {flag["code"] for flag in transition["flags"]} == (by_hand.FLAGS_OF_OPEN if pathway.status == "open" else set())
            assert any("PSYCHWARD" in reason for reason in transition["psychiatric"]["reasons"])


def _digits(moment: str | None) -> str:
    """A moment as the file writes it: London, which keeps UTC in November."""
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y%m%d%H%M%S") if moment else ""


@third_party
def test_the_whole_count(course: Course) -> None:
    transitions = course.whole.transitions.values()
    assert course.whole.statuses() == by_hand.TRANSITIONS
    assert {transition["psychiatric"]["answer"] for transition in transitions} == {"yes"}
    assert {(transition["queue"], transition["agency"]) for transition in transitions if transition["status"] == "open"} == {("agency", "river")}
    assert course.whole.counts["flagged"] == by_hand.TRANSITIONS["open"]


@third_party
def test_the_records_are_of_as_many_people_and_visits_as_the_file_has(course: Course) -> None:
    patients = course.whole.of("Patient")
    assert len(patients) == by_hand.RECORD_NUMBERS
    replaced = [patient for patient in patients if any(link["type"] == "replaced-by" for link in patient.get("link", []))]
    assert len(replaced) == by_hand.EVENTS["A34"] == by_hand.RECORD_NUMBERS - by_hand.PEOPLE
    counted = {kind: len(course.whole.of(kind)) for kind in ("Encounter", "Condition", "AllergyIntolerance", "DocumentReference", "Appointment")}
    assert counted == {
        "Encounter": by_hand.VISITS,
        "Condition": by_hand.DIAGNOSES,
        "AllergyIntolerance": by_hand.ALLERGIES,
        "DocumentReference": by_hand.DOCUMENTS,
        "Appointment": 0,
    }


@third_party
def test_with_no_unit_named_the_words_of_the_admission_reason_tell(
    empty: Path, tmp_path: Path, messages: list[bytes], stays: list[by_hand.Expected]
) -> None:
    seen = played(configured(empty, tmp_path / "data", SENDER + TESTS_TAKEN), messages)
    assert {visit: transition["status"] for visit, transition in seen.by_visit().items()} == {
        stay.visit: stay.pathway.status for stay in stays if stay.pathway.status
    }
    for stay in stays:
        if stay.pathway.status:
            psychiatric = seen.by_visit()[stay.visit]["psychiatric"]
            assert psychiatric["answer"] == "yes", stay.pathway.reason
            assert any(stay.pathway.reason in reason for reason in psychiatric["reasons"])


# --- the laws -----------------------------------------------------------------------------------------------------------


@third_party
def test_sent_again_the_file_gets_its_first_answers_and_changes_nothing(course: Course) -> None:
    """Law 1."""
    assert course.answers_again == course.answers
    assert [each.answer for each in course.again.inputs[: by_hand.MESSAGES]] == [each.answer for each in course.again.inputs[by_hand.MESSAGES :]]
    assert (course.again.counts["processed"], course.again.counts["duplicate"]) == (by_hand.MESSAGES, by_hand.MESSAGES)
    assert (course.again.records, course.again.transitions) == (course.whole.records, course.whole.transitions)
    assert not course.moved


@third_party
def test_the_reversed_file_ends_in_the_same_records_and_transitions(empty: Path, tmp_path: Path, messages: list[bytes], course: Course) -> None:
    """Law 3: a discharge that arrives before its admission, a cancellation before what it cancels, a merge before either side."""
    backwards = played(configured(empty, tmp_path / "data", SENDER + TESTS_TAKEN + UNIT), messages[::-1])
    assert backwards.counts["processed"] == by_hand.MESSAGES
    assert backwards.records.keys() == course.whole.records.keys()
    assert backwards.records == course.whole.records
    assert backwards.transitions == course.whole.transitions


@third_party
@pytest.mark.parametrize("configuration", ["", SENDER + UNIT], ids=["built-in-default-feed", "feed-that-takes-P-alone"])
def test_test_messages_make_nothing_unless_the_feed_says_so(empty: Path, tmp_path: Path, messages: list[bytes], configuration: str) -> None:
    """MSH-11 is T in all 491: stored and answered, and never a transition or a disclosure."""
    seen = played(configured(empty, tmp_path / "data", configuration), messages)
    assert seen.counts["processed"] + seen.counts["quarantined"] == len(seen.inputs) == by_hand.MESSAGES
    assert seen.transitions == {}
    assert {kind for kind, _ in seen.records} | seen.shown <= {"Organization", "Device"}
