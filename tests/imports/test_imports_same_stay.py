"""The same stay told by HL7 v2 and by FHIR notifications is one stay, in either order. Pairs and what they come to were written by hand.

One client (MRN M1 of 1.2.3), one visit (V9 of 1.2.4): admitted on 10 November 2026 at 09:00, left on the 20th at 14:00 (-06:00).
"""

from __future__ import annotations

from datetime import datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.imports.stores import county, taken, transitions, types

Json = dict[str, Any]
EVENTS = "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event"
at = datetime.fromisoformat
STARTED, LEFT = "2026-11-10T09:00:00-06:00", "2026-11-20T14:00:00-06:00"


def adt(event: str, when: str, discharged: str = "") -> bytes:
    """An ADT message recorded at `when` (November, "20140000")."""
    return (
        f"MSH|^~\\&|ADT|STMARY|||202611{when}-0600||ADT^{event}|{event}{when}|P|2.5.1\rEVN|{event}|202611{when}-0600\r"
        f"PID|1||M1^^^&1.2.3&ISO^MR||Doe^Ann||19800102|F\r"
        f"PV1|1|I|BHU^1^A||||||||||||||||V9^^^&1.2.4&ISO|||||||||||||||||||||||||20261110090000-0600|{discharged}\r"
    ).encode()


def notification(event: str, status: str, when: str, **encounter: Any) -> bytes:
    """A Da Vinci notification whose Encounter was updated at `when` ("20T14:10:00", -06:00), and names the client by a logical reference."""
    stay = {
        "resourceType": "Encounter",
        "id": "e",
        "meta": {"lastUpdated": f"2026-11-{when}-06:00"},
        "identifier": [{"system": "urn:oid:1.2.4", "value": "V9"}],
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"type": "Patient", "identifier": {"system": "urn:oid:1.2.3", "value": "M1"}},
        "period": {"start": STARTED},
        **encounter,
    }
    person = {"resourceType": "Patient", "id": "p", "identifier": [{"system": "urn:oid:1.2.3", "value": "M1"}], "gender": "female"}
    header = {
        "resourceType": "MessageHeader",
        "id": f"h-{when}".replace(":", "-"),
        "eventCoding": {"system": EVENTS, "code": event},
        "source": {"endpoint": "https://ehr.example.org"},
        "focus": [{"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"}],
    }
    urls = ("urn:uuid:00000000-0000-4000-8000-000000000000", "urn:uuid:00000000-0000-4000-8000-000000000001", "https://ehr.example.org/Patient/p")
    entries = [{"fullUrl": url, "resource": one} for url, one in zip(urls, (header, stay, person), strict=True)]
    return orjson.dumps({"resourceType": "Bundle", "id": f"b-{when}".replace(":", "-"), "type": "message", "entry": entries})


ADMITTED = (adt("A01", "10090500"), notification("notification-admit", "in-progress", "10T09:10:00"))
DISCHARGED = (
    adt("A03", "20140500", "20261120140000-0600"),
    notification("notification-discharge", "finished", "20T14:10:00", period={"start": STARTED, "end": LEFT}),
)
A13 = adt("A13", "20150000")
BACK = notification("notification-admit", "in-progress", "20T15:00:00")
ERROR = notification("notification-discharge", "entered-in-error", "20T16:00:00")
CANCELLED = notification("notification-admit", "cancelled", "20T16:00:00")


def told(folder: Path, inputs: tuple[bytes, ...]) -> tuple[list[Json], int, int]:
    """The transitions, and how many people and stays there are, when the inputs came in that order."""
    with county(folder) as (store, configuration):
        for number, raw in enumerate(inputs):
            file = folder / f"{number}.{'hl7' if raw.startswith(b'MSH') else 'json'}"
            file.write_bytes(raw)
            assert not taken(store, configuration, file, feed="" if raw.startswith(b"MSH") else "ehr").refused
        return transitions(store), types(store)["Patient"], types(store)["Encounter"]


@pytest.mark.parametrize("inputs", list(permutations((ADMITTED[0], DISCHARGED[1]))), ids=["as it went", "backwards"])
def test_an_admission_by_hl7v2_and_its_discharge_by_fhir(tmp_path: Path, inputs: tuple[bytes, ...]) -> None:
    found, people, stays = told(tmp_path, inputs)
    assert (people, stays) == (1, 1)
    assert [(each["status"], at(each["admitted"]), at(each["discharged"])) for each in found] == [("open", at(STARTED), at(LEFT))]


@pytest.mark.parametrize("inputs", list(permutations((ADMITTED[1], DISCHARGED[0]))), ids=["as it went", "backwards"])
def test_an_admission_by_fhir_and_its_discharge_by_hl7v2(tmp_path: Path, inputs: tuple[bytes, ...]) -> None:
    found, people, stays = told(tmp_path, inputs)
    assert (people, stays) == (1, 1)
    assert [(each["status"], at(each["admitted"]), at(each["discharged"])) for each in found] == [("open", at(STARTED), at(LEFT))]


@pytest.mark.parametrize("number", range(0, 24, 7))
def test_both_tell_everything(tmp_path: Path, number: int) -> None:
    inputs = list(permutations((*ADMITTED, *DISCHARGED)))[number]
    found, people, stays = told(tmp_path, inputs)
    assert (people, stays, [each["status"] for each in found]) == (1, 1, ["open"])


@pytest.mark.parametrize(
    ("last", "status", "psychiatric"),
    [
        (A13, "void", "yes"),  # the ward, BHU, was named
        (BACK, "void", "undecided"),
        (ERROR, "void", "undecided"),
        (CANCELLED, "void", "undecided"),
    ],
    ids=["A13 after FHIR's discharge", "in-progress again", "entered in error", "cancelled"],
)
def test_whoever_takes_the_discharge_back(tmp_path: Path, last: bytes, status: str, psychiatric: str) -> None:
    """Da Vinci has no event for a cancellation: the Encounter's status says it, whatever the event. Any order (law 3)."""
    before = (ADMITTED[1], DISCHARGED[1])
    answers = [told(tmp_path / str(number), order)[0] for number, order in enumerate(((*before, last), (last, *before[::-1])))]
    assert [[(each["status"], each["psychiatric"]["answer"]) for each in found] for found in answers] == [[(status, psychiatric)]] * 2
