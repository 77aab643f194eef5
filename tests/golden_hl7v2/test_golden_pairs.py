"""Every golden pair holds; each of its lines hangs on the field that it names; there is one for each event and each segment."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from golden_pairs import NONE, PAIRS, Pair, pairs, resources, without

from gateway.er7 import reader
from gateway.errors import GatewayError
from gateway.mappings.hl7v2.events import EVENTS

GOLDEN = pairs()
IDS = [pair.title for pair in GOLDEN]
ISSUE_SEGMENTS = {
    *(
        "MSH",
        "SFT",
        "EVN",
        "PID",
        "PD1",
        "PDA",
        "ARV",
        "ROL",
        "PRT",
        "NK1",
        "PV1",
        "PV2",
        "DB1",
        "OBX",
        "AL1",
        "IAM",
        "DG1",
        "DRG",
        "PR1",
        "GT1",
        "IN1",
    ),
    *(
        "IN2",
        "IN3",
        "ACC",
        "UB1",
        "UB2",
        "NTE",
        "MRG",
        "TXA",
        "ORC",
        "OBR",
        "SCH",
        "TQ1",
        "RGS",
        "AIS",
        "AIG",
        "AIL",
        "AIP",
        "RF1",
        "PRD",
        "CTD",
        "PRB",
    ),
    *("CTD", "PRB", "GOL", "PTH", "VAR", "CON"),
}
DOMAIN_EVENTS = (
    {f"ADT^A{number:02d}" for number in (*range(1, 17), 18, *range(21, 54), 60)}
    | {f"SIU^S{number}" for number in (*range(12, 25), 26)}
    | {f"MDM^T{number:02d}" for number in range(1, 12)}
    | {f"REF^I{number}" for number in range(12, 16)}
    | {f"PPR^PC{code}" for code in "123"}
    | {f"PGL^PC{code}" for code in "678"}
    | {f"PPP^PC{code}" for code in "BCD"}
    | {f"PPG^PC{code}" for code in "GHJ"}
    | {"ORU^R01"}
)
VERSIONS = ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9")


@pytest.mark.parametrize("pair", GOLDEN, ids=IDS)
def test_what_was_sent_says_what_stands_beside_it(pair: Pair) -> None:
    found = resources(pair.messages)
    assert [str(says) for says in pair.says if not says.holds(found)] == []


@pytest.mark.parametrize("pair", GOLDEN, ids=IDS)
def test_each_line_hangs_on_the_field_it_names(pair: Pair) -> None:
    """Emptied, the field no longer says it: no line stands there that would hold anyway."""
    idle = []
    for says in pair.says:
        if says.value is NONE:
            continue
        try:
            found = resources(tuple(without(data, says) for data in pair.messages))
        except GatewayError:
            continue  # without the field nothing is taken
        if says.holds(found):
            idle.append(str(says))
    assert idle == []


@pytest.mark.parametrize("pair", GOLDEN, ids=IDS)
def test_all_of_it_is_r4_and_each_reference_leads_somewhere(pair: Pair) -> None:
    for data in pair.messages:
        made = resources((data,))
        places = {f"{one['resourceType']}/{one['id']}" for one in made}
        for one in made:
            get_fhir_model_class(one["resourceType"]).model_validate(one)
        assert set(itertools.chain.from_iterable(map(_references, made))) <= places


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["reference"]] if isinstance(value.get("reference"), str) else []
        return own + [one for each in value.values() for one in _references(each)]
    return [one for each in value for one in _references(each)] if isinstance(value, list) else []


def _said() -> list[reader.Message]:
    return [reader.read(data) for pair in GOLDEN for data in pair.messages]


def test_every_event_has_a_pair() -> None:
    have = {f"{message.type}^{message.trigger}" for message in _said()}
    taken = {event.name for event in EVENTS.values() if event.subject}
    assert (DOMAIN_EVENTS | taken) - have == set()


def test_every_segment_has_a_line() -> None:
    assert ISSUE_SEGMENTS - {says.segment for pair in GOLDEN for says in pair.says} == set()


def test_every_version_has_a_pair() -> None:
    assert set(VERSIONS) - {message.header.value(12) for message in _said()} == set()


def test_every_pair_is_read() -> None:
    assert len(GOLDEN) == sum(path.read_text(encoding="utf-8").count("\n== ") for path in PAIRS.glob("*.txt"))
    assert len(set(IDS)) == len(IDS)
