"""The invariants that are written out say what the FHIRPath library says of the same expression, on generated values."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.profiles import fhirpath, load
from conformance.profiles.native import NATIVE
from conformance.profiles.profiles import table
from conformance.profiles.run import Run

Json = dict[str, Any]

PROFILES = load()

CODES = st.sampled_from(["active", "resolved", "entered-in-error", "confirmed", "problem-list-item"])
SYSTEMS = st.sampled_from(
    [
        "http://terminology.hl7.org/CodeSystem/condition-clinical",
        "http://terminology.hl7.org/CodeSystem/condition-ver-status",
        "http://example.org",
    ]
)
CONCEPT = st.fixed_dictionaries(
    {"coding": st.lists(st.fixed_dictionaries({}, optional={"system": SYSTEMS, "code": CODES}).filter(bool), min_size=1, max_size=2)}
)
DATES = st.sampled_from(["2025", "2026", "2026-01", "2026-02", "2026-02-03", "2026-02-04"])
DAYS = st.sampled_from(["2025-12-31", "2026-02-03", "2026-02-04"])
TIMES = st.sampled_from(["2026-02-03T10:00:00Z", "2026-02-03T11:00:00Z"])
REFERENCE = st.sampled_from(["Practitioner/1", "Device/1", "Organization/1", "urn:uuid:3fa85f64-5717-4562-b3fc-2c963f66afa6"]).map(
    lambda one: {"reference": one}
)
ABSENT = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
TEXT = st.sampled_from(["a", "b"])


def some(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=parts)


CONDITION = some(
    clinicalStatus=CONCEPT,
    verificationStatus=CONCEPT,
    category=st.lists(CONCEPT, min_size=1, max_size=2),
    abatementString=TEXT,
    abatementDateTime=DATES,
    code=CONCEPT,
).map(lambda one: {"resourceType": "Condition", **one})
PARTS = some(value=TEXT, system=TEXT, code=TEXT, data=TEXT, contentType=TEXT, display=TEXT)
NAME = some(
    family=TEXT, given=st.lists(TEXT, min_size=1, max_size=2), text=TEXT, extension=st.sampled_from([[ABSENT], [{"url": "x", "valueString": "x"}]])
)
RESOURCES: dict[str, tuple[str, st.SearchStrategy[Json]]] = {
    "value.empty() or system.exists()": ("ContactPoint", PARTS),
    "code.empty() or system.exists()": ("Quantity", PARTS),
    "data.empty() or contentType.exists()": ("Attachment", PARTS),
    "orderDetail.empty() or code.exists()": (
        "ServiceRequest",
        some(orderDetail=st.just([{"text": "x"}]), code=CONCEPT).map(lambda one: {"resourceType": "ServiceRequest", **one}),
    ),
    "detail.empty() or reference.empty()": ("CarePlan.activity", some(detail=st.just({"status": "completed"}), reference=REFERENCE)),
    "dataAbsentReason.empty() or value.empty()": (
        "Observation",
        some(dataAbsentReason=CONCEPT, valueString=TEXT, valueQuantity=st.just({"value": 1})).map(lambda one: {"resourceType": "Observation", **one}),
    ),
    "type.exists() or actor.exists()": ("Appointment.participant", some(type=st.lists(CONCEPT, min_size=1), actor=REFERENCE, required=TEXT)),
    "name.exists() or relationship.exists()": (
        "RelatedPerson",
        some(name=st.lists(NAME.filter(bool), min_size=1, max_size=2), relationship=st.lists(CONCEPT, min_size=1), gender=TEXT).map(
            lambda one: {"resourceType": "RelatedPerson", **one}
        ),
    ),
    "name.exists() or telecom.exists() or address.exists() or organization.exists()": (
        "Patient.contact",
        some(name=NAME.filter(bool), telecom=st.just([{"value": "1"}]), address=st.just({"text": "a"}), organization=REFERENCE, gender=TEXT),
    ),
    "(identifier.count() + name.count()) > 0": (
        "Organization",
        some(identifier=st.just([{"value": "1"}]), name=TEXT, alias=st.just(["a"])).map(lambda one: {"resourceType": "Organization", **one}),
    ),
    "start.exists() = end.exists()": ("Appointment", some(start=TIMES, end=TIMES, status=TEXT)),
    "(start.exists() and end.exists()) or (status in ('proposed' | 'cancelled' | 'waitlist'))": (
        "Appointment",
        some(start=TIMES, end=TIMES, status=st.sampled_from(["proposed", "booked", "cancelled"])),
    ),
    "text.`div`.exists()": (
        "Patient",
        some(text=some(div=TEXT, status=TEXT).filter(bool), gender=TEXT).map(lambda one: {"resourceType": "Patient", **one}),
    ),
    "start.hasValue().not() or end.hasValue().not() or (start <= end)": ("Period", some(start=TIMES, end=TIMES) | some(start=DAYS, end=DAYS)),
    "who.exists((resolve() is Practitioner) or (resolve() is Device)) implies onBehalfOf.exists()": (
        "Provenance.agent",
        some(who=REFERENCE, onBehalfOf=REFERENCE, type=CONCEPT),
    ),
    "onBehalfOf.exists() implies (member.resolve().iif(empty(), true, ofType(Practitioner).exists()))": (
        "CareTeam.participant",
        some(member=REFERENCE, onBehalfOf=REFERENCE),
    ),
}
ENTRY = some(
    fullUrl=st.sampled_from(["http://a.org/Patient/1", "http://a.org/Patient/1/_history/2", "urn:uuid:3fa85f64-5717-4562-b3fc-2c963f66afa6"]),
    resource=some(meta=some(versionId=TEXT).filter(bool)).map(lambda one: {"resourceType": "Patient", **one}),
    request=st.just({"method": "PUT", "url": "Patient/1"}),
    response=st.just({"status": "200"}),
)
BUNDLE = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["collection", "transaction", "batch-response", "history"]),
        "entry": st.lists(ENTRY.filter(bool), min_size=1, max_size=3),
    }
).map(lambda one: {"resourceType": "Bundle", **one})
REPORT = some(
    status=st.sampled_from(["final", "registered", "completed", "in-progress"]),
    effectiveDateTime=DATES,
    issued=TIMES,
    performedPeriod=st.just({"start": "2026"}),
)
for _expression in NATIVE:
    if _expression.startswith(("entry.all(", "(type = 'history')")):
        RESOURCES[_expression] = ("Bundle", BUNDLE)
    elif _expression.startswith(("resource.exists()", "fullUrl")):
        RESOURCES[_expression] = ("Bundle.entry", ENTRY)
    elif _expression.startswith("(status="):
        kind = "Procedure" if "performed" in _expression else "DiagnosticReport"
        RESOURCES[_expression] = (kind, REPORT.map(lambda one, kind=kind: {"resourceType": kind, **one}))
TAKEN_AS_TRUTH = {"telecom or endpoint", "practitioner or organization or healthcareService or location"}
"""A list where FHIRPath wants a truth: the library refuses them."""
COMPARED = {"low.empty() or high.empty() or (low <= high)"}
"""Quantities, which the library does not compare."""
OF_VALUES = {expression for expression in NATIVE if expression.startswith(("$this", "($this", "htmlChecks"))}


def strategy(expression: str) -> tuple[str, st.SearchStrategy[Json]]:
    if expression in RESOURCES:
        return RESOURCES[expression]
    return ("HumanName", NAME) if expression.startswith("(family") else ("Condition", CONDITION)


@pytest.mark.parametrize("expression", sorted(set(NATIVE) - TAKEN_AS_TRUTH - COMPARED - OF_VALUES))
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_a_native_invariant_agrees_with_the_library(expression: str, data: st.DataObject) -> None:
    path, values = strategy(expression)
    value = data.draw(values)
    run = Run(PROFILES._model, PROFILES._terminology, value, value, {})
    assert NATIVE[expression](value, run) is (fhirpath.holds(run, expression, value, path) is True)


@pytest.mark.parametrize("name", ["telecom", "endpoint"])
def test_either_list_satisfies_a_rule_that_takes_lists_for_truths(name: str) -> None:
    run = Run(PROFILES._model, PROFILES._terminology, {}, {}, {})
    assert NATIVE["telecom or endpoint"]({name: [{"value": "1"}, {"value": "2"}]}, run)
    assert not NATIVE["telecom or endpoint"]({"active": True}, run)


@pytest.mark.parametrize(
    ("value", "holds"), [("2026", False), ("2026-11", False), ("2026-11-22", True), ("2026-11-22T10:00:00Z", True), ({"start": "2026"}, True)]
)
def test_a_moment_is_told_to_the_day(value: Any, holds: bool) -> None:
    run = Run(PROFILES._model, PROFILES._terminology, {}, {}, {})
    for expression in OF_VALUES - {"htmlChecks()"}:
        assert NATIVE[expression](value, run) is holds


@pytest.mark.parametrize(
    ("start", "end", "holds"),
    [
        ("2026-02-03T10:00:00Z", "2026-02-03", True),
        ("2026-02-03", "2026", True),
        ("2026-02", "2026-01-31", False),
        ("2026-02-03T10:00:00Z", "2026-02-02", False),
        ("2026-02-03T00:30:00+14:00", "2026-02-02T12:00:00Z", True),
        ("2026-02-03T10:00:00Z", "2026-02-03T11:00:00+02:00", False),
        ("2026-02-03T10:00:00Z", "2026-02-03T10:00:00.5Z", True),
    ],
)
def test_a_period_ends_with_its_last_day_so_an_imprecise_end_is_not_before_its_start(start: str, end: str, holds: bool) -> None:
    """R4 says of Period.end that a date includes all of its day; the library takes an open comparison for a failed one, and compares no zones."""
    expression = "start.hasValue().not() or end.hasValue().not() or (start <= end)"
    run = Run(PROFILES._model, PROFILES._terminology, {}, {}, {})
    assert NATIVE[expression]({"start": start, "end": end}, run) is holds


@pytest.mark.parametrize(
    ("low", "high", "holds"),
    [
        ({"value": 1, "unit": "kg"}, {"value": 2, "unit": "kg"}, True),
        ({"value": 2, "unit": "kg"}, {"value": 1, "unit": "kg"}, False),
        ({"value": 2, "unit": "g"}, {"value": 1, "unit": "kg"}, True),
        ({"value": 2}, {}, True),
    ],
)
def test_a_range_of_one_unit_is_in_order(low: Json, high: Json, holds: bool) -> None:
    run = Run(PROFILES._model, PROFILES._terminology, {}, {}, {})
    assert NATIVE["low.empty() or high.empty() or (low <= high)"]({"low": low, "high": high}, run) is holds


def test_every_native_expression_is_one_of_the_tables() -> None:
    published = {row[2] for name in ("r4", "us-core-6.1.0") for row in table(name)["rules"]}
    assert {one for one in NATIVE if "is dateTime implies" not in one} <= published


def test_the_library_reads_every_invariant_of_the_tables() -> None:
    for name in ("r4", "us-core-6.1.0"):
        for _, _, expression in table(name)["rules"]:
            if expression not in TAKEN_AS_TRUTH:
                fhirpath._compiled(expression)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(CONDITION, min_size=2, max_size=4))
def test_what_was_remembered_changes_no_verdict(values: list[Json]) -> None:
    fresh = [PROFILES.check(value, meant=True) for value in values]
    again = [PROFILES.check(orjson.loads(orjson.dumps(value)), meant=True) for value in reversed(values)]
    assert again == fresh[::-1]
