"""The code tables: every file reads, says where it is from, and has no code twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.mappings import tables
from gateway.mappings.hl7v2.datatypes import code_system

FILES = sorted(Path(tables.__file__).parent.glob("*.csv"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_table_reads_and_names_its_source(file: Path) -> None:
    assert file.read_text(encoding="utf-8").startswith("# ")
    found = tables.rows(file.stem)
    codes = [row["code"].upper() for row in found]
    assert len(codes) == len(set(codes))
    assert all(None not in row and None not in row.values() for row in found)  # a stray comma


def test_the_disposition_words_lead_to_codes() -> None:
    assert set(tables.targets("0112-disposition-words").values()) <= set(tables.targets("0112-discharge-disposition"))


# fmt: off
SYSTEMS = [
    ("I10C",       "http://hl7.org/fhir/sid/icd-10-cm"),
    ("ICD-10-CM",  "http://hl7.org/fhir/sid/icd-10-cm"),
    ("ICD10",      "http://hl7.org/fhir/sid/icd-10-cm"),
    ("I10",        "http://hl7.org/fhir/sid/icd-10"),
    ("SCT",        "http://snomed.info/sct"),
    ("LN",         "http://loinc.org"),
    ("HL70063",    "http://terminology.hl7.org/CodeSystem/v2-0063"),
    ("2.16.840.1.113883.6.90", "http://hl7.org/fhir/sid/icd-10-cm"),
    ("1.2.3.4",    "urn:oid:1.2.3.4"),
    ("99LOCAL",    "urn:gateway:codes:STMARY:99LOCAL"),
]
# fmt: on


@pytest.mark.parametrize(("name", "uri"), SYSTEMS)
def test_coding_systems(name: str, uri: str) -> None:
    assert code_system(name, "STMARY") == uri
