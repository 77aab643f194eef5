"""R4 itself: what is wrong with a resource is found where it is, by the rule that it breaks."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.profiles import Finding, load

Json = dict[str, Any]

PROFILES = load()


def patient(**changes: Any) -> Json:
    return {
        "resourceType": "Patient",
        "id": "amy",
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Amy</div>'},
        "name": [{"use": "official", "family": "Shaw", "given": ["Amy"]}],
        "gender": "female",
        "birthDate": "1987-02-20",
        **changes,
    }


def observation(**changes: Any) -> Json:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "PHQ-9"}, **changes}


def errors(resource: Any) -> list[tuple[str, str]]:
    return [(one.location, one.rule) for one in PROFILES.check(resource) if one.severity == "error"]


def test_a_resource_as_r4_has_it_has_no_findings() -> None:
    assert PROFILES.check(patient()) == []


@pytest.mark.parametrize("value", [None, 1, "Patient", [], {}, {"resourceType": None}, {"resourceType": []}, {"resourceType": "Citation"}])
def test_what_is_no_r4_resource_is_refused(value: Any) -> None:
    assert [(one.severity, one.location) for one in PROFILES.check(value)] == [("error", "resourceType")]


@pytest.mark.parametrize(
    ("changes", "location", "rule"),
    [
        ({"nickname": "A"}, "Patient.nickname", "structure"),
        ({"name": {"family": "Shaw"}}, "Patient.name", "structure"),
        ({"gender": ["female"]}, "Patient.gender", "structure"),
        ({"name": []}, "Patient.name", "structure"),
        ({"name": [{}]}, "Patient.name[0]", "structure"),
        ({"name": [{"id": "only"}]}, "Patient.name[0]", "ele-1"),
        ({"name": ["Amy Shaw"]}, "Patient.name[0]", "type"),
        ({"name": [{"family": "Shaw"}, {"family": ""}]}, "Patient.name[1].family", "value"),
        ({"name": [{"family": 7}]}, "Patient.name[0].family", "type"),
        ({"active": "true"}, "Patient.active", "type"),
        ({"active": None}, "Patient.active", "type"),
        ({"gender": "banana"}, "Patient.gender", "binding"),
        ({"gender": " female"}, "Patient.gender", "value"),
        ({"birthDate": "20.2.1987"}, "Patient.birthDate", "value"),
        ({"birthDate": "1987-02-30"}, "Patient.birthDate", "value"),
        ({"birthDate": "0000"}, "Patient.birthDate", "value"),
        ({"multipleBirthInteger": 1.5}, "Patient.multipleBirth", "type"),
        ({"multipleBirthInteger": True}, "Patient.multipleBirth", "type"),
        ({"multipleBirthInteger": 2**31}, "Patient.multipleBirth", "value"),
        ({"id": "amy shaw"}, "Patient.id", "value"),
        ({"id": "a" * 65}, "Patient.id", "value"),
        ({"deceasedBoolean": False, "deceasedDateTime": "2026"}, "Patient.deceased", "cardinality"),
        ({"deceasedString": "no"}, "Patient.deceasedString", "structure"),
        ({"deceased": True}, "Patient.deceased", "structure"),
        ({"communication": [{"preferred": True}]}, "Patient.communication[0].language", "cardinality"),
        ({"link": [{"other": {"reference": "Patient/2"}, "type": "twin"}]}, "Patient.link[0].type", "binding"),
        ({"photo": [{"data": "!!"}]}, "Patient.photo[0].data", "value"),
        ({"photo": [{"data": "aGk="}]}, "Patient.photo[0]", "att-1"),
        ({"contact": [{"gender": "female"}]}, "Patient.contact[0]", "pat-1"),
        ({"name": [{"text": "A", "period": {"start": "2026-02", "end": "2026-01"}}]}, "Patient.name[0].period", "per-1"),
        ({"telecom": [{"value": "555"}]}, "Patient.telecom[0]", "cpt-2"),
        ({"text": {"status": "generated", "div": "Amy"}}, "Patient.text.div", "txt-1"),
        ({"text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><script/>A</div>'}}, "Patient.text.div", "txt-1"),
        ({"text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"> </div>'}}, "Patient.text.div", "txt-2"),
        ({"meta": {"lastUpdated": "2026-01-01"}}, "Patient.meta.lastUpdated", "value"),
    ],
)
def test_a_broken_patient_is_refused_with_place_and_rule(changes: Json, location: str, rule: str) -> None:
    assert (location, rule) in errors(patient(**changes))


@pytest.mark.parametrize(
    ("changes", "location", "rule"),
    [
        ({"status": None}, "Observation.status", "type"),
        ({"valueQuantity": {"value": "1"}}, "Observation.value.value", "type"),
        ({"valueQuantity": {"value": 1, "comparator": "=="}}, "Observation.value.comparator", "binding"),
        ({"valueString": "x", "valueInteger": 1}, "Observation.value", "cardinality"),
        ({"effectiveDateTime": "2026-11-22T10:00"}, "Observation.effective", "value"),
        ({"valueTime": "25:00:00"}, "Observation.value", "value"),
        ({"dataAbsentReason": {"text": "x"}, "valueString": "x"}, "Observation", "obs-6"),
        ({"referenceRange": [{"low": {"value": 1, "comparator": "<"}}]}, "Observation.referenceRange[0].low", "sqty-1"),
        ({"referenceRange": [{"age": {"low": {"value": 1}}}]}, "Observation.referenceRange[0]", "obs-3"),
        (
            {"component": [{"code": {"text": "a"}, "referenceRange": [{"type": {"text": "a"}}]}]},
            "Observation.component[0].referenceRange[0]",
            "obs-3",
        ),
        (
            {"code": {"coding": [{"system": "http://hl7.org/fhir/observation-status", "code": "nope"}]}},
            "Observation.code.coding[0].code",
            "code",
        ),
        ({"subject": {"reference": "Encounter/1"}}, "Observation.subject", "reference"),
        ({"subject": {"reference": "https://ehr.example.org/r4/Encounter/1/_history/2"}}, "Observation.subject", "reference"),
        ({"subject": {"type": "Encounter", "display": "x"}}, "Observation.subject", "reference"),
        ({"subject": {"reference": "Patient/1", "type": "Group"}}, "Observation.subject.type", "reference"),
        ({"subject": {"reference": "Amy"}}, "Observation.subject.reference", "reference"),
        ({"subject": {"reference": "Person of interest"}}, "Observation.subject.reference", "reference"),
        ({"subject": {"reference": "#gone"}}, "Observation.subject.reference", "ref-1"),
        ({"extension": [{"url": "http://example.org/x"}]}, "Observation.extension[0]", "ext-1"),
        ({"extension": [{"valueString": "x"}]}, "Observation.extension[0].url", "cardinality"),
        ({"modifierExtension": [{"url": "http://example.org/x", "valueBoolean": True}]}, "Observation.modifierExtension[0]", "extension"),
        (
            {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"city": "Springfield"}}]},
            "Observation.extension[0]",
            "extension",
        ),
        (
            {"note": [{"text": "x", "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "no"}]}]},
            "Observation.note[0].extension[0].value",
            "binding",
        ),
        (
            {"note": [{"text": "x", "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueString": "unknown"}]}]},
            "Observation.note[0].extension[0].value",
            "type",
        ),
    ],
)
def test_a_broken_observation_is_refused_with_place_and_rule(changes: Json, location: str, rule: str) -> None:
    assert (location, rule) in errors(observation(**changes))


def test_a_missing_element_is_told_where_it_would_stand() -> None:
    found = PROFILES.check({"resourceType": "Observation", "code": {"text": "x"}})
    assert Finding("error", "Observation.status", "cardinality", "This element is required.") in found


@pytest.mark.parametrize(
    "changes",
    [
        {"birthDate": "1987"},
        {"birthDate": "2024-02-29"},
        {
            "_birthDate": {
                "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime", "valueDateTime": "1987-02-20T01:00:00Z"}]
            }
        },
        {"name": [{"given": ["Amy", None], "_given": [None, {"id": "second"}]}]},
        {"_gender": {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}},
        {"generalPractitioner": [{"identifier": {"value": "1"}}]},
        {"generalPractitioner": [{"reference": "urn:uuid:3fa85f64-5717-4562-b3fc-2c963f66afa6"}]},
        {"generalPractitioner": [{"reference": "Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|1234567893"}]},
        {"deceasedDateTime": "2026-11-22T10:00:00.123456+14:00"},
        {"multipleBirthInteger": -(2**31)},
    ],
)
def test_what_r4_allows_is_accepted(changes: Json) -> None:
    assert errors(patient(**changes)) == []


@pytest.mark.parametrize(
    ("name", "location"),
    [
        ({"given": ["Amy", None]}, "Patient.name[0].given[1]"),
        ({"given": [None], "_given": [None]}, "Patient.name[0].given[0]"),
        ({"given": ["Amy"], "_given": [None]}, None),
    ],
)
def test_null_stands_only_where_the_sibling_has_something_to_say(name: Json, location: str | None) -> None:
    assert errors(patient(name=[name])) == ([(location, "structure")] * (1 if location else 0))


ORGANIZATION = {"resourceType": "Organization", "id": "ward", "name": "Ward 7"}


@pytest.mark.parametrize(
    ("inner", "location", "rule"),
    [
        ({**ORGANIZATION, "id": "other"}, "Patient.contained[0]", "dom-3"),
        ({**ORGANIZATION, "contained": [ORGANIZATION]}, "Patient.contained[0].contained", "dom-2"),
        ({**ORGANIZATION, "meta": {"versionId": "1"}}, "Patient.contained[0].meta", "dom-4"),
        ({**ORGANIZATION, "meta": {"security": [{"code": "R"}]}}, "Patient.contained[0].meta", "dom-5"),
        ({"resourceType": "Organization", "name": "Ward 7"}, "Patient.contained[0].id", "contained"),
        ({**ORGANIZATION, "name": 7}, "Patient.contained[0].name", "type"),
        ({"resourceType": "Ward", "id": "ward"}, "Patient.contained[0].resourceType", "structure"),
        ({"resourceType": "Encounter", "id": "ward", "status": "finished", "class": {"code": "IMP"}}, "Patient.managingOrganization", "reference"),
    ],
)
def test_contained_resources_keep_their_rules(inner: Json, location: str, rule: str) -> None:
    assert (location, rule) in errors(patient(contained=[inner], managingOrganization={"reference": "#ward"}))
    assert errors(patient(contained=[ORGANIZATION], managingOrganization={"reference": "#ward"})) == []


def bundle(*entries: Json, kind: str = "collection") -> Json:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def test_resources_in_a_bundle_are_checked_in_their_place_and_references_resolve_by_full_url() -> None:
    encounter = {"resourceType": "Encounter", "status": "done", "class": {"code": "IMP"}}
    subject = {"reference": "urn:uuid:3fa85f64-5717-4562-b3fc-2c963f66afa6"}
    found = errors(
        bundle({"resource": observation(subject=subject)}, {"fullUrl": "urn:uuid:3fa85f64-5717-4562-b3fc-2c963f66afa6", "resource": encounter})
    )
    assert found == [("Bundle.entry[0].resource.subject", "reference"), ("Bundle.entry[1].resource.status", "binding")]


def test_an_entry_of_a_transaction_has_a_request() -> None:
    assert errors(bundle({"resource": patient()}, kind="transaction")) == [("Bundle", "bdl-3")]


@pytest.mark.parametrize(
    "inside",
    [
        '<p onclick="x()">A</p>',
        '<a href="javascript:x()">A</a>',
        '<p xmlns="http://www.w3.org/2000/svg">A</p>',
        "<iframe>A</iframe>",
        "<p>A",
        "<?php x ?>A",
        "&nosuchthing;",
        "",
    ],
)
def test_narrative_is_plain_xhtml(inside: str) -> None:
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{inside}</div>'
    assert ("Patient.text.div", "txt-1") in errors(patient(text={"status": "generated", "div": div}))


@pytest.mark.parametrize(
    "inside", ['<p style="color: red">A&nbsp;&amp; B</p>', '<img src="#a" alt="a"/>', '<a href="https://988lifeline.org/">988</a>']
)
def test_narrative_of_basic_markup_is_accepted(inside: str) -> None:
    assert errors(patient(text={"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{inside}</div>'})) == []


def test_entities_cannot_be_defined_in_narrative() -> None:
    bomb = '<!DOCTYPE div [<!ENTITY a "aaaaaaaaaa">]><div xmlns="http://www.w3.org/1999/xhtml">&a;</div>'
    assert ("Patient.text.div", "txt-1") in errors(patient(text={"status": "generated", "div": bomb}))


def test_a_required_value_set_wants_a_code_and_not_only_words() -> None:
    allergy = {"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/1"}, "clinicalStatus": {"text": "active"}}
    assert errors(allergy) == [("AllergyIntolerance.clinicalStatus", "binding")]
    absent = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
    assert errors({**allergy, "clinicalStatus": absent}) == []


def test_a_modifier_extension_stands_where_modifiers_stand() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/condition-related"
    assert not PROFILES._model.profile(url).modifier
    condition = {"resourceType": "Condition", "subject": {"reference": "Patient/1"}}
    extension = [{"url": url, "valueReference": {"reference": "Condition/2"}}]
    assert errors({**condition, "extension": extension}) == []
    assert ("Condition.modifierExtension[0]", "extension") in errors({**condition, "modifierExtension": extension})


def test_a_contained_resource_may_speak_of_its_container_instead() -> None:
    provenance = {
        "resourceType": "Provenance",
        "id": "p",
        "target": [{"reference": "#"}],
        "recorded": "2026-11-22T10:00:00Z",
        "agent": [{"who": {"reference": "Organization/1"}}],
    }
    assert errors(patient(contained=[provenance])) == []
    assert errors(patient(contained=[{**provenance, "target": [{"reference": "#p"}]}])) == [("Patient.contained[0]", "dom-3")]


def test_every_type_of_r4_can_be_walked_to_its_last_element_though_some_contain_themselves() -> None:
    model = PROFILES._model
    for kind in model.resources:
        seen: set[str] = set()
        waiting = [model.structure(kind)]
        while waiting:
            structure = waiting.pop()
            if structure.path not in seen:
                seen.add(structure.path)
                waiting += [one.content for one in structure.properties.values() if one.content and not one.content.is_resource]
    assert len(model.resources) == 146


def test_what_contains_itself_is_checked_at_every_level() -> None:
    part = {"name": "a", "part": [{"name": "b", "part": [{"valueString": "x"}]}]}
    assert errors({"resourceType": "Parameters", "parameter": [part]}) == [("Parameters.parameter[0].part[0].part[0].name", "cardinality")]


@pytest.mark.parametrize("code", ["a\tb", "a  b", "a\x07b", " a"])
def test_a_code_has_single_spaces_inside_only(code: str) -> None:
    assert ("Observation.code.coding[0].code", "value") in errors(observation(code={"coding": [{"code": code}]}))


def test_null_in_a_list_of_codes_is_refused() -> None:
    allergy = {"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/1"}, "category": [None]}
    assert ("AllergyIntolerance.category[0]", "structure") in errors(allergy)


def test_an_invariant_that_names_its_own_type_is_evaluated() -> None:
    appointment = {"resourceType": "Appointment", "status": "booked", "participant": [{"status": "accepted", "actor": {"reference": "Patient/1"}}]}
    times = {"start": "2026-11-22T10:00:00Z", "end": "2026-11-22T11:00:00Z"}
    assert errors({**appointment, **times}) == []
    assert errors({**appointment, **times, "cancelationReason": {"text": "x"}}) == [("Appointment", "app-4")]


def test_a_binding_that_is_only_extensible_warns() -> None:
    found = PROFILES.check(patient(maritalStatus={"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M"}]}))
    assert found == []
    found = PROFILES.check(patient(maritalStatus={"coding": [{"system": "http://example.org", "code": "M"}]}))
    assert [(one.severity, one.location, one.rule) for one in found] == [("warning", "Patient.maritalStatus", "binding")]


def test_findings_do_not_quote_the_resource() -> None:
    found = PROFILES.check(patient(gender="Shaw-secret", birthDate="Shaw-secret", id="Shaw secret", name=[{"family": "Shaw\x07secret"}]))
    assert found
    assert not any("secret" in each for one in found for each in one)


def test_findings_stand_in_the_order_of_places_whatever_the_order_of_keys() -> None:
    broken = patient(gender="x", birthDate="x", name=[{"family": ""} for _ in range(11)])
    found = PROFILES.check(broken)
    assert found == PROFILES.check(dict(reversed(broken.items())))
    assert [one.location for one in found if "name" in one.location] == [f"Patient.name[{number}].family" for number in range(11)]
