"""Which element carries the patient and the encounter, checked against the R4 definitions and on resources."""

# ruff: noqa: E501 - the table is there to be read side by side

from __future__ import annotations

import pytest
from fhir.resources.R4B import get_fhir_model_class

from gateway.fhir.references import ENCOUNTER, PATIENT, place

# fmt: off
PLACED = [
    # resource                                                placed
    ({"resourceType": "Condition"},                           {"resourceType": "Condition", "subject": {"reference": "Patient/p"}, "encounter": {"reference": "Encounter/e"}}),
    ({"resourceType": "AllergyIntolerance"},                  {"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/p"}, "encounter": {"reference": "Encounter/e"}}),
    ({"resourceType": "Coverage"},                            {"resourceType": "Coverage", "beneficiary": {"reference": "Patient/p"}}),
    ({"resourceType": "RelatedPerson"},                       {"resourceType": "RelatedPerson", "patient": {"reference": "Patient/p"}}),
    ({"resourceType": "DocumentReference", "context": {"encounter": [{"reference": "Encounter/e"}], "period": {}}},
        {"resourceType": "DocumentReference", "context": {"encounter": [{"reference": "Encounter/e"}], "period": {}}, "subject": {"reference": "Patient/p"}}),
    ({"resourceType": "Appointment", "participant": [{"actor": {"reference": "Practitioner/x"}, "status": "accepted"}]},
        {"resourceType": "Appointment", "participant": [
            {"status": "accepted", "actor": {"reference": "Patient/p"}}, {"actor": {"reference": "Practitioner/x"}, "status": "accepted"}]}),
    ({"resourceType": "Appointment", "participant": [{"actor": {"reference": "Patient/old"}, "status": "declined"}]},
        {"resourceType": "Appointment", "participant": [{"actor": {"reference": "Patient/p"}, "status": "declined"}]}),
    ({"resourceType": "Organization"},                        {"resourceType": "Organization"}),
]
# fmt: on


@pytest.mark.parametrize(("resource", "placed"), PLACED)
def test_place(resource: dict[str, object], placed: dict[str, object]) -> None:
    before = repr(resource)
    assert place(resource, "Patient/p", "Encounter/e") == placed
    assert repr(resource) == before


@pytest.mark.parametrize("kind", sorted(PATIENT))
def test_the_elements_exist(kind: str) -> None:
    names = {field.alias or name for name, field in get_fhir_model_class(kind).model_fields.items()}
    assert PATIENT[kind].removesuffix("[]").split(".")[0] in names
    if kind in ENCOUNTER:
        assert ENCOUNTER[kind].removesuffix("[]").split(".")[0] in names
