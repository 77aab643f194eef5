"""What holds of the derived records whatever is told, in whatever order and however often: by real stores, over the golden table's messages."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from xml.etree import ElementTree

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mappings.care.provenance import MESSAGE, RULE
from gateway.pipeline import Received
from gateway.privacy.scrub import references
from gateway.store.interface import Store, Version
from tests.care.golden.facts import AGENCIES, CONFIGURATION, YEAR, fact, hl7v2, micros, moment
from tests.care.golden.play import RECIPIENTS, Json, Scenario, current, played, received, scenarios, taken, told
from tests.pipeline.county import memory_folder, store_at, wake

ROWS = {one.name: one for one in scenarios()}
OF_HOSPITALS = {name: one for name, one in ROWS.items() if one.of_hospitals_alone}
POOL = sorted({one.raw: one for row in ROWS.values() for one in row.messages}.values(), key=lambda one: one.raw)
"""Everything that any hospital says in the table: contradictory, as it is of one person and, mostly, of one visit."""
NOW = micros(moment("06-20 12:00"))
ORDERED = ("CarePlan/", "ServiceRequest/")
DERIVED = ("CarePlan", "CareTeam", "Goal", "ServiceRequest", "Task", "Flag")


def versions(store: Store) -> dict[str, Version]:
    """Every current version, in every view."""
    with store.reading() as reader:
        return {f"{recipient} {one.type}/{one.id}": one for recipient in RECIPIENTS for one in reader.export(recipient)}


def ends(messages: Sequence[Received], now: int = NOW) -> dict[str, bytes | None]:
    """What the messages come to, told in this order: the bytes of every record in every view."""
    with memory_folder() as folder, store_at(folder, CONFIGURATION) as store:
        taken(store, messages, now)
        wake(store, now, CONFIGURATION)
        return {name: one.body for name, one in versions(store).items()}


@cache
def in_order(name: str) -> dict[str, bytes | None]:
    """What a scenario's messages come to in their own order."""
    return ends(ROWS[name].messages)


# --- law 3: order and repetition --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_HOSPITALS, ids=str)
def test_a_scenario_told_backwards_and_twice_over_ends_in_the_same_bytes(name: str) -> None:
    messages = ROWS[name].messages
    assert ends([*reversed(messages), *messages]) == in_order(name)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(POOL), min_size=2, max_size=9, unique_by=lambda one: one.raw), st.randoms(use_true_random=False))
def test_whatever_hospitals_say_in_any_order_and_repetition_ends_in_the_same_bytes(said: list[Received], chance: random.Random) -> None:
    again = chance.choices(said, k=2)
    other = chance.sample(said, len(said))
    for one in again:
        other.insert(chance.randrange(len(other) + 1), one)
    assert ends(other) == ends(said)


# --- no version without a change --------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_no_two_versions_that_follow_each_other_are_the_same(row: Scenario) -> None:
    for name, bodies in told(row).histories.items():
        assert all(one != other for one, other in pairwise(bodies)), name


def nothing_new(row: Scenario) -> list[Received]:
    """An A08 that repeats who she is, at the moment of the look; none where it would say that she is still there."""
    stands = row.given[0].who == "St. Mary" and row.expected[0].startswith("plan: active")
    return [received(fact(f"{row.look:%m-%d %H:%M}  updated", 901, row.client))] if stands else []


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_told_again_of_somebody_else_or_is_not_new_makes_no_version_of_a_derived_record(row: Scenario) -> None:
    """A message that says nothing new is one more for the Provenance to name, and nothing else; the others are not even that."""
    somebody = fact(f"{row.look:%m-%d %H:%M}  admitted; diagnosis F33.2 Severe depression; record number 7777; visit number V77", 902)
    with played(row) as store:
        before = versions(store)
        taken(store, row.messages, micros(row.look))
        assert versions(store) == before
        taken(store, [received(somebody)], micros(row.look))
        assert {name: one for name, one in versions(store).items() if name in before} == before
        taken(store, nothing_new(row), micros(row.look))
        after = versions(store)
    changed = {one.type for name, one in before.items() if name not in after or after[name].number != one.number}
    assert changed.isdisjoint(DERIVED)


# --- references, intents, Provenance ----------------------------------------------------------------------------------


def rules(view: Mapping[str, Json]) -> dict[str, Json]:
    """The derived records of a view, by "Type/id", each with its Provenance."""
    origins = [one for one in view.values() if one["resourceType"] == "Provenance"]
    return {one["target"][0]["reference"]: one for one in origins if any(each.startswith(f"{RULE}:") for each in one.get("policy", []))}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_no_reference_dangles_in_any_view(row: Scenario) -> None:
    for view in told(row).views.values():
        known = {*view, "Device/gateway", "Organization/gateway", *(f"Organization/{one}" for one in AGENCIES.values())}
        named = {reference: one["resourceType"] for one in view.values() for reference in references(one)}
        assert {reference: kind for reference, kind in named.items() if reference not in known} == {}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_no_version_of_a_derived_plan_or_request_ever_says_order(row: Scenario) -> None:
    derived = {reference for view in told(row).views.values() for reference in rules(view)}
    plans = [bodies for name, bodies in told(row).histories.items() if name.split(" ")[1] in derived and name.split(" ")[1].startswith(ORDERED)]
    assert plans
    assert {orjson.loads(body)["intent"] for bodies in plans for body in bodies if body is not None} == {"proposal"}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_derived_record_has_a_provenance_that_names_messages_and_rule(row: Scenario) -> None:
    for view in told(row).views.values():
        origins = rules(view)
        plans = [one for one in view.values() if one["resourceType"] == "CarePlan" and one["intent"] == "proposal"]
        teams = {team["reference"] for plan in plans for team in plan["careTeam"]}
        ours = {name for name, one in view.items() if one["resourceType"] in ("Task", "Flag") or one.get("intent") == "proposal"}
        assert ours | teams <= origins.keys() <= view.keys()
        for origin in origins.values():
            assert re.fullmatch(rf"{RULE}:[a-z0-9-]+:[A-Za-z0-9.-]+", origin["policy"][0])
            named = [each["what"]["identifier"] for each in origin["entity"]]
            assert named
            assert all(one["system"] == MESSAGE and re.fullmatch(r"[^/]+/.+", one["value"]) for one in named)


# --- the narrative ----------------------------------------------------------------------------------------------------

XHTML = "{http://www.w3.org/1999/xhtml}"
OURS = {f"{XHTML}{name}" for name in ("div", "h4", "p", "ul", "li", "table", "tr", "th", "td")}
HOSTILE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=40) | st.sampled_from(
    ["<script>alert(1)</script>", "</td></tr></table><b>", "&lt;b&gt;", "]]>", "\\X3C\\b\\X3E\\", "\u202egnp", "\x00\x0b\x1f", "<!--", "&#x0;", "\"'"]
)


@settings(max_examples=30, deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE)
def test_the_narrative_is_well_formed_and_holds_our_own_elements_alone_whatever_the_messages_hold(name: str, text: str, instruction: str) -> None:
    said = fact("05-04 09:00  admitted; diagnosis F33.2 TEXT; diagnosis Z59.0 TEXT; instructs INSTRUCTION no voicemail; guardian Bo", 1)
    raw = hl7v2(said).decode().replace("Quist", name).replace("TEXT", text).replace("INSTRUCTION", instruction).encode()
    left = hl7v2(fact("05-14 10:00  left 01", 2))
    with memory_folder() as folder, store_at(folder, CONFIGURATION) as store:
        for each in (left, raw):
            taken(store, [Received("hl7v2", each)], NOW)
        told = [one for one in current(store).values() if "text" in one]
    plans = [one for one in told if one["resourceType"] == "CarePlan"]
    assert plans
    for one in told:
        tree = ElementTree.fromstring(one["text"]["div"])
        assert {element.tag for element in tree.iter()} <= OURS
        assert all(not element.attrib for element in tree.iter())


def test_times_in_this_file_lie_after_everything_in_the_table() -> None:
    assert all(row.look.year == YEAR and micros(row.look) <= NOW for row in ROWS.values())
