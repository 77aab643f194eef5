"""Any JSON has an answer: findings, never an exception; and what is broken anywhere is an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.profiles import load

Json = dict[str, Any]

PROFILES = load()
URLS = sorted(url for kind in ("Patient", "Observation", "CareTeam", "Encounter", "Condition", "Provenance") for url in PROFILES.for_type(kind))

WORDS_OF_R4 = """
resourceType id meta profile security text div status contained extension modifierExtension url value valueString valueCoding valueQuantity
code coding system category component subject reference type name given family _given period start end identifier participant member role
onBehalfOf entry resource fullUrl agent who class telecom target low high effectiveDateTime location encounter
"""
WORDS = st.sampled_from(WORDS_OF_R4.split())
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(["Patient", "Observation", "Bundle", "CareTeam", "#a", "a", "Patient/1", "urn:uuid:1", "final", "http://loinc.org", *URLS[:3]])
)
ANY = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=6), max_leaves=30)
KINDS = st.sampled_from(
    ["Patient", "Observation", "Bundle", "CareTeam", "Encounter", "Condition", "Provenance", "Parameters", "Questionnaire", "Task"]
)
RESOURCES = st.builds(lambda kind, rest: {**rest, "resourceType": kind}, KINDS, st.dictionaries(WORDS, ANY, max_size=8))


@settings(max_examples=400, deadline=None)
@given(value=ANY | RESOURCES, profiles=st.lists(st.sampled_from(URLS), max_size=2))
def test_any_json_has_an_answer(value: Any, profiles: list[str]) -> None:
    found = PROFILES.check(value, profiles, meant=True)
    assert all(one.severity in ("error", "warning", "information") and one.location and one.rule and one.text for one in found)
    assert found == PROFILES.check(value, profiles, meant=True)


@settings(max_examples=100, deadline=None)
@given(value=RESOURCES, url=st.sampled_from(URLS))
def test_what_is_meant_and_what_is_present_can_be_asked_of_any_resource(value: Json, url: str) -> None:
    assert set(PROFILES.meant_for(value)) <= set(PROFILES.for_type(value["resourceType"]))
    assert all(one.present >= 0 for one in PROFILES.presence(value, url))


@pytest.mark.parametrize("kind", [None, 7, [], {}, ["Patient"], "Ward"])
def test_a_resource_type_that_is_none_is_refused_wherever_it_stands(kind: Any) -> None:
    inner = {"resourceType": kind, "id": "x"}
    for resource in (
        {"resourceType": "Patient", "contained": [inner], "name": [inner], "link": inner},
        {"resourceType": "Bundle", "type": "collection", "entry": [{"fullUrl": "urn:x", "resource": inner}]},
        {"resourceType": "Observation", "valueString": inner, "valueQuantity": inner, "subject": {"reference": "#x"}, "contained": [inner]},
        {"resourceType": "Parameters", "parameter": [{"name": "x", "resource": inner}]},
    ):
        assert any(one.severity == "error" for one in PROFILES.check(resource, URLS, meant=True))


def test_a_resource_nested_beyond_reason_is_refused_in_words() -> None:
    deep: Json = {"url": "http://example.org", "valueString": "x"}
    for _ in range(3000):
        deep = {"url": "http://example.org", "extension": [deep]}
    found = PROFILES.check({"resourceType": "Patient", "extension": [deep]})
    assert ("Patient", "structure") in [(one.location, one.rule) for one in found]


def test_ten_thousand_of_one_thing_are_checked() -> None:
    names = [{"family": "Shaw"}] * 10_000
    assert PROFILES.check({"resourceType": "Patient", "contained": [], "name": names})
    inside = [{"resourceType": "Organization", "id": f"o{number}", "name": "x"} for number in range(2_000)]
    found = PROFILES.check(
        {"resourceType": "Patient", "contained": inside, "generalPractitioner": [{"reference": f"#o{number}"} for number in range(2_000)]}
    )
    assert [one.rule for one in found] == ["dom-6"]
