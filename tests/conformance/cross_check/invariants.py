"""Ways to break invariants of R4 and US Core 6.1.0: the type at which, and what is changed there. Named after the invariants that they break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

ACTIVE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
IN_ERROR = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "entered-in-error"}]}


def per_1(period: Json) -> None:
    period |= {"start": "2026-02-01", "end": "2026-01-01"}


def qty_3(quantity: Json) -> None:
    quantity.pop("system", None)
    quantity["code"] = "mg"


def cpt_2(contact_point: Json) -> None:
    contact_point.pop("system", None)
    contact_point["value"] = "555-0142"


def att_1(attachment: Json) -> None:
    attachment.pop("contentType", None)
    attachment["data"] = "YWJj"


def ext_1(extension: Json) -> None:
    if extension.keys() & {"extension"}:
        extension["valueString"] = "x"
    else:
        extension["extension"] = [{"url": "a", "valueString": "b"}]


def us_core_6(patient: Json) -> None:
    for name in patient.get("name", []):
        for part in ("family", "given", "_family", "_given", "extension"):
            name.pop(part, None)
        name["text"] = "Somebody"


def pat_1(patient: Json) -> None:
    patient["contact"] = [{"gender": "female"}]


def app_2(appointment: Json) -> None:
    if "start" in appointment:
        appointment.pop("end", None)


def app_3(appointment: Json) -> None:
    if appointment.get("status") in ("booked", "arrived", "fulfilled"):
        appointment.pop("start", None)
        appointment.pop("end", None)


def app_4(appointment: Json) -> None:
    if appointment.get("status") == "booked":
        appointment["cancelationReason"] = {"text": "x"}


def con_4(condition: Json) -> None:
    if "verificationStatus" not in condition:
        condition |= {"clinicalStatus": ACTIVE, "abatementDateTime": "2026-01-01"}


def con_5(condition: Json) -> None:
    condition |= {"clinicalStatus": ACTIVE, "verificationStatus": IN_ERROR}


def obs_6(observation: Json) -> None:
    if any(name.startswith("value") for name in observation):
        observation["dataAbsentReason"] = {"text": "x"}


def obs_7(observation: Json) -> None:
    if any(name.startswith("value") for name in observation):
        observation["component"] = [{"code": observation["code"], "valueString": "x"}]


def cpl_3(care_plan: Json) -> None:
    care_plan["activity"] = [{"reference": {"reference": "ServiceRequest/1"}, "detail": {"status": "scheduled"}}]


def ctm_1(care_team: Json) -> None:
    for participant in care_team.get("participant", []):
        participant |= {"member": {"reference": "Patient/1"}, "onBehalfOf": {"reference": "Organization/1"}}


def inv_1(task: Json) -> None:
    task |= {"authoredOn": "2026-02-01T00:00:00Z", "lastModified": "2026-01-01T00:00:00Z"}


def org_1(organization: Json) -> None:
    organization.pop("name", None)
    organization.pop("identifier", None)


def org_2(organization: Json) -> None:
    organization["telecom"] = [{"system": "phone", "value": "1", "use": "home"}]


def org_3(organization: Json) -> None:
    organization["address"] = [{"city": "x", "use": "home"}]


def us_core_17(holder: Json) -> None:
    holder["identifier"] = [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567890"}]


def us_core_16(holder: Json) -> None:
    holder["identifier"] = [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "12345"}]


def provenance_1(provenance: Json) -> None:
    for agent in provenance.get("agent", []):
        agent["who"] = {"reference": "Practitioner/1"}
        agent.pop("onBehalfOf", None)


def prr_1(service_request: Json) -> None:
    service_request.pop("code", None)
    service_request["orderDetail"] = [{"text": "x"}]


def dom_3(resource: Json) -> None:
    resource["contained"] = [{"resourceType": "Patient", "id": "unreferenced"}]


def dom_4(resource: Json) -> None:
    resource["contained"] = [{"resourceType": "Patient", "id": "in", "meta": {"versionId": "1"}}]
    resource["extension"] = [*resource.get("extension", []), {"url": "http://example.org/in", "valueReference": {"reference": "#in"}}]


def txt_1(narrative: Json) -> None:
    narrative["div"] = '<div xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></div>'


def txt_2(narrative: Json) -> None:
    narrative["div"] = '<div xmlns="http://www.w3.org/1999/xhtml"> </div>'


INVARIANTS: tuple[tuple[str, Callable[[Json], None]], ...] = (
    ("Period", per_1),
    ("Quantity", qty_3),
    ("ContactPoint", cpt_2),
    ("Attachment", att_1),
    ("Extension", ext_1),
    ("Patient", us_core_6),
    ("Patient", pat_1),
    ("Appointment", app_2),
    ("Appointment", app_3),
    ("Appointment", app_4),
    ("Condition", con_4),
    ("Condition", con_5),
    ("Observation", obs_6),
    ("Observation", obs_7),
    ("CarePlan", cpl_3),
    ("CareTeam", ctm_1),
    ("Task", inv_1),
    ("Organization", org_1),
    ("Organization", org_2),
    ("Organization", org_3),
    ("Organization", us_core_16),
    ("Organization", us_core_17),
    ("Practitioner", us_core_16),
    ("Practitioner", us_core_17),
    ("Provenance", provenance_1),
    ("ServiceRequest", prr_1),
    *((kind, dom_3) for kind in ("Patient", "Encounter", "CarePlan", "ServiceRequest", "Task")),
    *((kind, dom_4) for kind in ("Patient", "Encounter", "CarePlan", "ServiceRequest", "Task")),
    ("Narrative", txt_1),
    ("Narrative", txt_2),
)
