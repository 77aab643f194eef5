"""Who may do what over REST, with every scope there is: by hand, from DESIGN ("In FHIR", "Ids"), DOMAIN ("Closed loop", "Privacy") and issue 6.

An agency reads what is routed to it, answers its Tasks, and keeps its own bookings and contacts. The coordinator keeps consents, too. What hospitals
say nobody writes over REST, and what the gateway derives nobody does. A hospital's client sends, and reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.fhir import search
from gateway.store.interface import ALL
from tests.api.gateway_api import APPOINTMENT, PATIENT, TASK, Bench, bench

Json = dict[str, Any]
ROLES = {"agency": "greedy", "coordinator": "all-coordinator", "operator": "all-operator", "hospital": "all-hospital"}
LETTERS = "rvhscupd"  # read, vread, history, search; create, update, patch, delete

TABLE = """
type                     | agency    | coordinator | operator  | hospital
Account                  | rvhs      | rvhs        | rvhs      |
AllergyIntolerance       | rvhs      | rvhs        | rvhs      |
Appointment              | rvhs cupd | rvhs cupd   | rvhs cupd |
AuditEvent               | rvhs      | rvhs        | rvhs      |
CarePlan                 | rvhs      | rvhs        | rvhs      |
CareTeam                 | rvhs      | rvhs        | rvhs      |
ClinicalImpression       | rvhs      | rvhs        | rvhs      |
Communication            | rvhs cupd | rvhs cupd   | rvhs cupd |
Condition                | rvhs      | rvhs        | rvhs      |
Consent                  | rvhs      | rvhs cup    | rvhs cup  |
Coverage                 | rvhs      | rvhs        | rvhs      |
DetectedIssue            | rvhs      | rvhs        | rvhs      |
Device                   | rvhs      | rvhs        | rvhs      |
DiagnosticReport         | rvhs      | rvhs        | rvhs      |
DocumentReference        | rvhs      | rvhs        | rvhs      |
Encounter                | rvhs      | rvhs        | rvhs      |
EpisodeOfCare            | rvhs      | rvhs        | rvhs      |
FamilyMemberHistory      | rvhs      | rvhs        | rvhs      |
Flag                     | rvhs      | rvhs        | rvhs      |
Goal                     | rvhs      | rvhs        | rvhs      |
HealthcareService        | rvhs      | rvhs        | rvhs      |
Immunization             | rvhs      | rvhs        | rvhs      |
Location                 | rvhs      | rvhs        | rvhs      |
MeasureReport            | rvhs      | rvhs        | rvhs      |
MedicationAdministration | rvhs      | rvhs        | rvhs      |
MedicationDispense       | rvhs      | rvhs        | rvhs      |
MedicationRequest        | rvhs      | rvhs        | rvhs      |
MedicationStatement      | rvhs      | rvhs        | rvhs      |
Observation              | rvhs      | rvhs        | rvhs      |
Organization             | rvhs      | rvhs        | rvhs      |
Patient                  | rvhs      | rvhs        | rvhs      |
Practitioner             | rvhs      | rvhs        | rvhs      |
PractitionerRole         | rvhs      | rvhs        | rvhs      |
Procedure                | rvhs      | rvhs        | rvhs      |
Provenance               | rvhs      | rvhs        | rvhs      |
QuestionnaireResponse    | rvhs      | rvhs        | rvhs      |
RelatedPerson            | rvhs      | rvhs        | rvhs      |
RiskAssessment           | rvhs      | rvhs        | rvhs      |
ServiceRequest           | rvhs      | rvhs        | rvhs      |
Task                     | rvhs up   | rvhs up     | rvhs up   |
"""

COMMUNICATION: Json = {"resourceType": "Communication", "status": "completed", "subject": {"reference": "Patient/p1"}, "sent": "2026-11-22T03:00:00Z"}
CONSENT: Json = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
    "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
    "patient": {"reference": "Patient/p1"},
    "dateTime": "2026-11-22",
    "policyRule": {"text": "42 CFR Part 2"},
    "provision": {"type": "permit"},
}
REPORT: Json = {
    "resourceType": "MeasureReport",
    "status": "complete",
    "type": "individual",
    "measure": "http://x.example/Measure/fuh-like",
    "period": {"start": "2026-01-01", "end": "2026-12-31"},
}
OWN = {"agency": "river", "coordinator": "county", "operator": "county", "hospital": "st-mary"}


def rows() -> Iterator[tuple[str, str, str]]:
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()]
    for kind, *cells in lines:
        for role, cell in zip(header[1:], cells, strict=True):
            yield kind, role, cell.replace(" ", "")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("permissions")) as made:
        made.put((ALL, "river"), PATIENT, TASK)
        yield made


def body_of(kind: str, role: str) -> Json:
    """A resource of the type that the role's organization would have made itself."""
    keeper = [{"system": f"urn:gateway:write:{OWN[role]}", "value": "1"}]
    made = next((one for one in (APPOINTMENT, COMMUNICATION, CONSENT, TASK, PATIENT, REPORT) if one["resourceType"] == kind), {"resourceType": kind})
    return {**made, "id": TASK["id"] if kind == "Task" else "x1", **({"identifier": keeper} if kind != "Task" else {})}


def may(gateway: Bench, kind: str, role: str, letter: str) -> bool:
    """Whether it is done, and not refused for what it is or for who asks."""
    body = body_of(kind, role)
    url = f"/fhir/{kind}/{body['id']}"
    patch: Json = {"content": b"[]", "headers": {"Content-Type": "application/json-patch+json"}}
    method, address, more = {
        "r": ("GET", url, {}),
        "v": ("GET", f"{url}/_history/1", {}),
        "h": ("GET", f"{url}/_history", {}),
        "s": ("GET", f"/fhir/{kind}", {}),
        "c": ("POST", f"/fhir/{kind}", {"json": {name: value for name, value in body.items() if name not in ("id", "identifier")}}),
        "u": ("PUT", url, {"json": body}),
        "p": ("PATCH", url, patch),
        "d": ("DELETE", url, {}),
    }[letter]
    status = gateway.as_(ROLES[role], method, address, **more).status_code
    assert status in (200, 201, 204, 403, 405), (kind, role, letter, status)
    return status < 300


@pytest.mark.parametrize(("kind", "role", "allowed"), list(rows()))
def test_a_role_may_do_what_the_table_says_and_no_more(gateway: Bench, kind: str, role: str, allowed: str) -> None:
    gateway.put((ALL, "river"), body_of(kind, role))
    assert "".join(letter for letter in LETTERS if may(gateway, kind, role, letter)) == allowed


def test_the_table_has_every_type_that_is_held_and_the_statement_says_the_same(gateway: Bench) -> None:
    told = {each["type"]: each for each in gateway.http.get("/fhir/metadata").json()["rest"][0]["resource"]}
    kinds = {kind for kind, _, _ in rows()}
    assert kinds == set(search.searchable())
    names = {"create": "c", "update": "u", "patch": "p", "delete": "d"}
    for kind in kinds:
        written = {names[each["code"]] for each in told[kind]["interaction"] if each["code"] in names}
        assert written == {letter for one, _, cell in rows() if one == kind for letter in cell if letter in "cupd"}
        conditional = {name: told[kind].get(name) for name in ("conditionalCreate", "conditionalUpdate", "conditionalDelete")}
        assert conditional == {
            "conditionalCreate": True if "c" in written else None,
            "conditionalUpdate": True if "u" in written else None,
            "conditionalDelete": "single" if "d" in written else None,
        }
