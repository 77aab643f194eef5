"""What the gateway makes is valid US Core, 6.1.0 and 8.0.0: the Bundles of `convert` whole, its own resources, its CapabilityStatement, its errors.

Whatever else any test makes is looked at by `tests/conftest.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.api import capabilities
from gateway.api.router import OFFERS
from gateway.demo.county import county
from gateway.demo.player import encode
from gateway.demo.scenario import materialize, scenarios
from gateway.er7 import reader
from gateway.errors import GatewayError, Invalid
from gateway.fhir import outcome
from gateway.mappings.hl7v2.bundle import bundle
from gateway.pipeline.own import own_resources
from tests.golden_hl7v2.golden_pairs import identify, pairs, translated
from tests.pipeline.county import CONFIGURATION, STORY
from tests.produced import Produced, errors
from tests.third_party import DATA, MARKS, third_party

Json = dict[str, Any]
VERSIONS = [pytest.param("6.1.0"), pytest.param("8.0.0", marks=MARKS)]
END = datetime(2026, 11, 22, 5, 5, tzinfo=UTC)


def of_demo() -> Iterator[bytes]:
    people = county()
    for moment in materialize(scenarios(), people.zones, END):
        if moment.message.startswith("MSH"):
            yield encode(moment.message, "UTF-8")


def wrong(messages: Iterable[bytes], version: str) -> tuple[int, list[str]]:
    """(how many messages were taken, what is wrong with their Bundles)."""
    taken, found = 0, []
    for data in messages:
        try:
            made = bundle(translated(data), identify)
        except GatewayError:
            continue  # it is quarantined whole, and nothing is made of it
        taken += 1
        found += errors(made, version)
        assert references(made) <= {entry["request"]["url"] for entry in made["entry"]}
    return taken, found


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["reference"]} if isinstance(value.get("reference"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("version", VERSIONS)
def test_bundles_of_every_golden_message_are_valid(version: str) -> None:
    messages = [data for pair in pairs() for data in pair.messages]
    assert wrong([*messages, *STORY], version) == (len(messages) + len(STORY), [])


@pytest.mark.parametrize("version", VERSIONS)
def test_bundles_of_every_message_of_the_demo_are_valid(version: str) -> None:
    taken, found = wrong(of_demo(), version)
    assert found == []
    assert taken > 100


@third_party
@pytest.mark.parametrize("version", ["6.1.0", "8.0.0"])
def test_bundles_of_every_message_that_others_wrote_are_valid(version: str) -> None:
    files = sorted(path for path in (DATA / "hl7v2").rglob("*.hl7") if path.is_file())
    taken, found = wrong((piece for path in files for piece in reader.split(path.read_bytes())), version)
    assert found == []
    assert taken > 490


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_gateway_says_of_itself_and_of_failures_is_valid(version: str) -> None:
    own = own_resources(CONFIGURATION)
    said = [
        capabilities.statement("https://gateway.example.org", OFFERS),
        outcome.of_error(Invalid("The class is missing", location="Encounter.class")),
    ]
    assert [each for one in (*own, *said) for each in errors(one, version)] == []


def test_what_is_made_and_is_not_valid_is_found() -> None:
    """A name in words alone breaks us-core-6: were nothing looked at, no test would fail here."""
    produced = Produced()
    produced.add(b'{"resourceType":"Patient","identifier":[{"system":"urn:x","value":"1"}],"gender":"unknown","name":[{"text":"Ana"}]}')
    assert any("us-core-6" in each for each in produced.wrong())
    assert produced.wrong() == []
