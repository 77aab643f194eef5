"""Labels at ingest (DOMAIN, Privacy): one confidentiality code, sensitivities by content, 42CFRPart2 unless attested otherwise."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gateway.privacy.labels import label, label_stay, labels_of, taken_in
from gateway.privacy.sensitivity import of, of_text
from tests.care.people import condition, stay_record

ICD9 = "http://hl7.org/fhir/sid/icd-9-cm"
SCT = "http://snomed.info/sct"

CONTENT = [
    # code system, code, text, the labels that belong to it
    ("", "F10.20", "", {"R", "SUD", "ETHUD", "42CFRPart2"}),
    ("", "F1120", "", {"R", "SUD", "OPIOIDUD", "42CFRPart2"}),
    ("", "F19.10", "", {"R", "SUD", "42CFRPart2"}),
    ("", "", "Alcoholic cirrhosis", {"R", "SUD", "42CFRPart2"}),
    ("", "", "on Suboxone film", {"R", "SUD", "42CFRPart2"}),
    ("", "", "METHADONE 10 MG", {"R", "SUD", "42CFRPart2"}),
    ("", "", "denies substance  abuse", {"R", "SUD", "42CFRPart2"}),
    (ICD9, "304.00", "", {"R", "SUD", "42CFRPart2"}),
    (SCT, "66590003", "", {"R", "SUD", "ETHUD", "42CFRPart2"}),
    ("", "F33.2", "", {"R", "PSY"}),
    ("", "F20.0", "Paranoid schizophrenia", {"R", "PSY"}),
    ("", "B20", "", {"R", "HIV"}),
    ("", "T74.11XA", "", {"R", "SDV"}),
    ("", "I10", "Hypertension", {"N"}),
    ("", "", "Visual aids given", {"N"}),
    ("", "", "Social withdrawal", {"N"}),
]


@pytest.mark.parametrize(("system", "code", "text", "expected"), CONTENT)
def test_content_is_labelled_by_its_codes_and_words(system: str, code: str, text: str, expected: set[str]) -> None:
    resource = condition("c", code, text, system=system or "http://hl7.org/fhir/sid/icd-10-cm")
    assert labels_of(label(resource)) == expected


PLACES = [
    # what is known of the stay, labels of a plain Condition in it
    ({}, {"N"}),
    ({"part2": True}, {"R", "SUD", "42CFRPart2"}),
    ({"confidentiality": "V"}, {"V"}),
    ({"confidentiality": "R"}, {"R"}),
    ({"confidentiality": "U"}, {"N"}),
]


@pytest.mark.parametrize(("facts", "expected"), PLACES)
def test_a_part_2_place_and_the_senders_own_word_label_everything_in_the_stay(facts: dict[str, Any], expected: set[str]) -> None:
    stay = stay_record(parts=[condition("c", "I10", "Hypertension")], **facts)
    encounter, (part,) = label_stay(stay.encounter, stay.parts, stay.facts, stay.part2)
    assert labels_of(part) == expected
    assert "MH" in labels_of(encounter)  # the unit is psychiatric by its feed


def test_a_source_that_attests_leaves_substance_use_labelled_but_not_as_part_2() -> None:
    assert labels_of(label(condition("c", "F10.20", ""), sud_attested=True)) == {"R", "SUD", "ETHUD"}


def test_there_is_exactly_one_confidentiality_code_and_a_senders_label_is_never_lowered() -> None:
    system = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    sent = {**condition("c", "I10", ""), "meta": {"security": [{"system": system, "code": "V"}, {"system": system, "code": "N"}]}}
    security = label(label(sent))["meta"]["security"]
    assert [coding["code"] for coding in security if coding["system"] == system] == ["V"]


def test_psychotherapy_and_counselling_notes_are_not_taken_in() -> None:
    def document(text: str) -> dict[str, Any]:
        return {"resourceType": "DocumentReference", "id": "d", "status": "current", "type": {"text": text}}

    assert not taken_in(document("Psychotherapy notes"))
    assert not taken_in(document("Substance use counseling session note"))
    assert taken_in(document("Discharge summary"))


def test_the_text_of_an_attachment_is_read() -> None:
    data = base64.b64encode(b"Patient drinks; alcohol dependence").decode()
    assert "SUD" in of({"content": [{"attachment": {"contentType": "text/plain", "data": data}}]})


def test_words_are_found_whatever_their_case_and_spacing() -> None:
    assert "SUD" in of_text("Opioid\nUSE disorder")
    assert "SUD" in of_text("DRUG_ABUSE")
    assert "SUD" not in of_text("Method one")
