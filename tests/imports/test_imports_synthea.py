"""Synthea's Bundles from disk. Counts are those of the files; what their stays should become was read off two of them by hand.

897eba7c (Roscoe Windler, born 1975, alive) has four inpatient encounters. None is followed by an ambulatory encounter within 30 days, and none of his
102 ambulatory encounters names a mental-health type or reason. Nobody says where he went:

    0726e2ea  1990-01-31 14:50:13+01:00 to 1990-02-01  impacted molars                         the next stay took over
    6e1449a4  1990-11-10 14:50:13+01:00 to 1990-11-11  chronic pain                            the next stay took over
    0ce00e5e  1991-08-20 15:50:13+02:00 to 1991-08-21  chronic migraine                        the next stay took over
    c02383de  2016-05-18 15:50:13+02:00 to 2016-05-19  drug rehabilitation, no reason given    open, nothing booked

eff34607 (Quincy Kohler, died 2020-03-28 14:15:54+01:00) has two, the second from the minute on in which the first ends:

    2a4c7657  2020-03-12 07:43:36+01:00 to 2020-03-20 08:09:57+01:00  isolation                the next stay took over
    1afcadf9  2020-03-20 08:09:57+01:00 to 2020-03-28 14:15:54+01:00  intensive care           died
"""

from __future__ import annotations

import bz2
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import orjson
import pytest

from gateway.adapters.files import sending
from gateway.adapters.files.taking import Tally
from gateway.pipeline.configuration import Configuration
from gateway.records.ids import identifier
from gateway.store.interface import Store
from tests.imports.stores import NOW, county, last, records, states, taken, transitions, types
from tests.third_party import DATA, third_party

SYNTHEA = DATA / "fhir" / "synthea"
ROSCOE = SYNTHEA / "897eba7c-8b8c-7022-634f-8c69f0702b30.json.bz2"
QUINCY = SYNTHEA / "eff34607-816a-5c0c-0ed5-47587311b1e9.json.bz2"
GWYNETH = SYNTHEA / "e3ba24ed-aad7-86db-2646-4c510dfd7280.json.bz2"
HELD = ("Patient", "Encounter", "Condition", "Observation", "DocumentReference", "MedicationRequest", "Immunization", "Procedure", "DiagnosticReport")
NOT_HELD = {"Claim", "ExplanationOfBenefit", "Provenance", "Device", "ImagingStudy", "Medication", "SupplyDelivery"}
"""What becomes no record here; it is kept as it was sent."""


def told(file: Path) -> Counter[str]:
    return Counter(each["resource"]["resourceType"] for each in orjson.loads(bz2.decompress(file.read_bytes()))["entry"])


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Configuration, Tally]]:
    with county(tmp_path_factory.mktemp("synthea")) as (store, configuration):
        yield store, configuration, taken(store, configuration, ROSCOE, QUINCY)


@third_party
def test_a_life_becomes_the_transitions_that_its_stays_say(imported: tuple[Store, Configuration, Tally]) -> None:
    found = {(each["client"]["name"].split()[0], each["admitted"]): each for each in transitions(imported[0])}
    expected = [
        ("Roscoe437", "1990-01-31T14:50:13+01:00", "1990-02-01T14:50:13+01:00", "closed", "readmitted"),
        ("Roscoe437", "1990-11-10T14:50:13+01:00", "1990-11-11T14:50:13+01:00", "closed", "readmitted"),
        ("Roscoe437", "1991-08-20T15:50:13+02:00", "1991-08-21T15:50:13+02:00", "closed", "readmitted"),
        ("Roscoe437", "2016-05-18T15:50:13+02:00", "2016-05-19T15:50:13+02:00", "open", None),
        ("Quincy153", "2020-03-12T07:43:36+01:00", "2020-03-20T08:09:57+01:00", "closed", "readmitted"),
        ("Quincy153", "2020-03-20T08:09:57+01:00", "2020-03-28T14:15:54+01:00", "closed", "died"),
    ]
    at = datetime.fromisoformat
    said = {(name, at(admitted), at(one["discharged"]), one["status"], one["closed_as"]) for (name, admitted), one in found.items()}
    assert said == {(name, at(admitted), at(discharged), status, closed) for name, admitted, discharged, status, closed in expected}
    assert {one["follow_up"]["state"] for one in found.values()} == {"none"}
    (left,) = (one for one in found.values() if one["status"] == "open")
    flags = {flag["code"] for flag in left["flags"]}
    assert {"no-follow-up-scheduled", "no-contact", "no-follow-up-7-days", "no-follow-up-30-days", "disposition-unknown", "service-unknown"} <= flags


@third_party
def test_counts_agree_with_the_files(imported: tuple[Store, Configuration, Tally]) -> None:
    store, _, tally = imported
    said = told(ROSCOE) + told(QUINCY)
    assert tally.read == tally.taken == said
    assert set(tally.kept) == NOT_HELD & set(said), "kept as it was sent, and named"
    assert not tally.refused
    held = types(store)
    assert {kind: held[kind] for kind in HELD} == {kind: said[kind] for kind in HELD}


@third_party
def test_a_second_import_changes_nothing(imported: tuple[Store, Configuration, Tally]) -> None:
    store, configuration, tally = imported
    before = last(store)
    again = taken(store, configuration, ROSCOE, QUINCY, now=NOW + 3_600_000_000)
    assert (again.known, again.taken.total(), again.refused) == (tally.read, 0, [])
    assert last(store) == before


@third_party
def test_a_bundle_in_pieces_says_what_it_says_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Divided or not: the same records, under the same ids, referring to the same."""
    found = []
    for number, most in enumerate((100_000, 40)):
        monkeypatch.setattr(sending, "ENTRIES", most)
        with county(tmp_path / str(number)) as (store, configuration):
            taken(store, replace(configuration, identify=identifier(b"one key for both")), GWYNETH)
            assert (states(store).total() == 1) is (number == 0)
            found.append(records(store))
    assert found[0] == found[1]
