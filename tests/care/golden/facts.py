"""Facts in short words -> what the gateway receives: HL7 v2 messages of two hospitals, FHIR of a third, writes of agencies, decisions of people.

A line of `given` reads

    05-14 10:00  left 01; diagnosis F33.2 Severe depression; attending Lee

the day and time in 2026 in the hospital's zone, who acts where it is not St. Mary ("Lakeside: …", "County: …", "River: …", "Coordinator: …"), what
happened, and what was said with it. `EVENTS` and `DETAILS` are all the words there are. Ada Quist is the client; `client:` says what is different.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from gateway.mappings.feeds.profile import FeedProfile
from gateway.pipeline import Configuration
from gateway.records.ids import identifier
from gateway.records.times import microseconds
from transitions.policy import Agency, Policy

Json = dict[str, Any]
YEAR = 2026
ZONE = ZoneInfo("America/Chicago")
HOSPITALS = {"St. Mary": "STMARY", "Lakeside": "LAKESIDE", "Far": "FARAWAY"}
AGENCIES = {"River": "river", "Harbor": "harbor"}
FEEDS = (
    FeedProfile(
        name="st-mary",
        sending_facility="STMARY",
        timezone="America/Chicago",
        hospital="St. Mary Hospital",
        psychiatric_units=("BHU",),
        mental_health_services=("PSYFU",),
    ),
    FeedProfile(name="lakeside", sending_facility="LAKESIDE", timezone="America/Chicago", hospital="Lakeside Hospital", psychiatric_units=("BHU",)),
    FeedProfile(name="far", sending_facility="FARAWAY", timezone="America/Chicago", hospital="Faraway Hospital", psychiatric_units=("BHU",)),
    FeedProfile(name="county-ehr", kind="fhir", timezone="America/Chicago", hospital="County Hospital", psychiatric_units=("BHU",)),
)
CONFIGURATION = Configuration(
    identify=identifier(b"golden"),
    feeds=FEEDS,
    policy=Policy(
        agencies=(
            Agency(id="river", name="River Community Mental Health", postal_codes=("627*",)),
            Agency(id="harbor", name="Harbor House", postal_codes=("62*",)),
        )
    ),
)


@dataclass(frozen=True)
class Fact:
    """One line of `given`: when, who, what, and what was said with it."""

    at: datetime
    who: str
    what: str
    details: tuple[str, ...]
    place: int  # among the scenario's lines: makes control IDs

    @property
    def hl7_time(self) -> str:
        return f"{self.at:%Y%m%d%H%M%S}"


def moment(text: str) -> datetime:
    """ "05-14 10:00" in the hospital's zone."""
    return datetime.strptime(f"{YEAR}-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=ZONE)


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return microseconds(at)


def fact(line: str, place: int, client: tuple[str, ...] = ()) -> Fact:
    """A line of `given`; `client` goes with whatever a hospital says."""
    at, words = line[:11], line[11:].strip()
    who, colon, rest = words.partition(": ")
    if not colon or who not in {*HOSPITALS, *AGENCIES, "County", "Coordinator"}:
        who, rest = "St. Mary", words
    what, *details = (part.strip() for part in rest.split(";"))
    said = (*details, *client) if who in HOSPITALS or who == "County" else tuple(details)
    return Fact(moment(at), who, what, said, place)


# --- HL7 v2 -----------------------------------------------------------------------------------------------------------


@dataclass
class Draft:
    """A message while it is put together: fields by segment and number, and whole segments that may repeat."""

    fact: Fact
    event: str = ""
    fields: dict[str, dict[int, str]] = field(default_factory=lambda: {"PID": {}, "PD1": {}, "PV1": {}, "PV2": {}})
    more: list[str] = field(default_factory=list)  # segments after PV1 and PV2, in the order said
    relatives: list[str] = field(default_factory=list)
    mrn: str = "1001"

    def add(self, name: str, fields: Mapping[int, str]) -> None:
        """One more segment; its set ID counts."""
        number = 1 + sum(one.startswith(name) for one in self.more)
        self.more.append(segment(name, {1: str(number), **fields}))


def segment(name: str, fields: Mapping[int, str]) -> str:
    """A segment with the numbered fields."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields, default=0) + 1))])


def hl7v2(said: Fact) -> bytes:
    """The message that a hospital sends."""
    draft = Draft(said)
    facility = HOSPITALS[said.who]
    draft.fields["PV1"] = {1: "1", 2: "I", 3: "BHU^1^A", 19: f"V1^^^{facility}^VN", 44: ""}
    draft.fields["PID"] = {1: "1", 5: "Quist^Ada", 7: "19800214", 8: "F", 11: "1 Elm St^^Springfield^IL^62701^USA^H"}
    _first(EVENTS, said.what, draft)
    for detail in said.details:
        _first(DETAILS, detail, draft)
    draft.fields["PID"][3] = f"{draft.mrn}^^^{facility}^MR"
    stamp, code = said.hl7_time, draft.event
    header = f"MSH|^~\\&|EHR|{facility}|GW|COUNTY|{stamp}||{code[:3]}^{code[3:]}|{said.place}|P|2.5.1||||||UNICODE UTF-8"
    person = [segment("PID", draft.fields["PID"]), *([segment("PD1", draft.fields["PD1"])] if draft.fields["PD1"] else []), *draft.relatives]
    visit = [segment(name, draft.fields[name]) for name in ("PV1", "PV2") if draft.fields[name]]
    lines = {
        "ADT": [header, f"EVN||{stamp}", *person, *visit, *draft.more],
        "SIU": [header, *draft.more[:1], *person, *draft.more[1:]],
        "REF": [header, *draft.more[:2], *person, *draft.more[2:]],
    }.get(code[:3], [header, *person, *visit, *draft.more])
    return ("\r".join(lines) + "\r").encode()


Reader = tuple[str, Callable[..., None]]


def _first(readers: list[Reader], words: str, draft: Draft) -> None:
    for pattern, read in readers:
        found = re.fullmatch(pattern, words)
        if found:
            return read(draft, *found.groups())
    raise ValueError(f"no such words: {words}")


def _event(code: str, **pv1: str) -> Callable[..., None]:
    def read(draft: Draft) -> None:
        draft.event = code
        draft.fields["PV1"] |= {int(name[1:]): value for name, value in pv1.items()}

    return read


def _admitted(draft: Draft) -> None:
    draft.event = "ADTA01"
    draft.fields["PV1"][44] = draft.fact.hl7_time


def _emergency(draft: Draft) -> None:
    draft.event = "ADTA04"
    draft.fields["PV1"] |= {2: "E", 3: "ED", 19: f"E{draft.fact.place}^^^{HOSPITALS[draft.fact.who]}^VN", 44: draft.fact.hl7_time}


def _left(draft: Draft, disposition: str) -> None:
    draft.event = "ADTA03"
    draft.fields["PV1"] |= {36: disposition, 45: draft.fact.hl7_time}


def _expected(draft: Draft, day: str) -> None:
    draft.event = "ADTA16"
    draft.fields["PV2"][9] = f"{YEAR}{day.replace('-', '')}"


def _died(draft: Draft, day: str, clock: str) -> None:
    draft.event = "ADTA08"
    draft.fields["PID"] |= {29: f"{moment(f'{day} {clock}'):%Y%m%d%H%M%S}", 30: "Y"}


def _merged(draft: Draft, old: str, into: str) -> None:
    draft.event, draft.mrn = "ADTA40", into
    draft.fields["PV1"].clear()
    draft.more.append(segment("MRG", {1: f"{old}^^^{HOSPITALS[draft.fact.who]}^MR"}))


SERVICES = {"PSYFU": "Psychiatric follow-up", "DENT": "Dental check"}


def _visit(event: str, status: str) -> Callable[..., None]:
    def read(draft: Draft, day: str, clock: str, service: str | None = None) -> None:
        draft.event = event
        code = service or "PSYFU"
        at, what = f"{moment(f'{day} {clock}'):%Y%m%d%H%M%S}", f"{code}^{SERVICES[code]}^L"
        draft.more += [
            segment("SCH", {1: "P1", 2: f"F{day}", 7: what, 8: what, 9: "60", 10: "min", 11: f"^^60^{at}", 25: status}),
            "RGS|1",
            segment("AIS", {1: "1", 3: what, 4: at, 7: "60", 8: "min"}),
        ]
        draft.fields["PV1"].clear()

    return read


def _referral(draft: Draft, number: str, what: str, to: str) -> None:
    draft.event = "REFI12"
    receiver = {2: "", 10: f"{to}^{to}"}
    draft.more += [
        segment("RF1", {1: "P^Pending", 2: "R^Routine", 3: f"{what}^{what}^L", 6: f"{number}^EHR"}),
        segment("PRD", {1: "RT^Referred to Provider^HL70286", **receiver}),
    ]
    draft.fields["PV1"].clear()


def _results(draft: Draft) -> None:
    draft.event = "ORUR01"
    draft.more.append(segment("OBR", {1: "1", 3: f"R{draft.fact.place}", 4: "SCREEN^Screening^L", 7: draft.fact.hl7_time}))


def _goal(draft: Draft, number: str, words: str) -> None:
    draft.event = "PGLPC6"
    draft.more.append(segment("GOL", {1: "AD", 2: draft.fact.hl7_time, 3: f"{number}^{words}^L", 4: number, 18: "A^Active"}))


def _pathway(draft: Draft, event: str, number: str, words: str) -> None:
    draft.event = event
    draft.more.append(segment("PTH", {1: "AD", 2: f"{number}^{words}^L", 3: number, 4: draft.fact.hl7_time, 5: "A^Active"}))


EVENTS: list[Reader] = [
    (r"admitted", _admitted),
    (r"came to the emergency department", _emergency),
    (r"discharge expected (\d\d-\d\d)", _expected),
    (r"discharge expected no more", _event("ADTA25")),
    (r"left (\w*)", _left),
    (r"discharge cancelled", _event("ADTA13")),
    (r"visit deleted", _event("ADTA23")),
    (r"updated", _event("ADTA08")),
    (r"doctor changed", _event("ADTA54")),
    (r"died (\d\d-\d\d) (\d\d:\d\d)", _died),
    (r"record (\w+) merged into (\w+)", _merged),
    (r"booked (\d\d-\d\d) (\d\d:\d\d)(?: (\w+))?", _visit("SIUS12", "Booked")),
    (r"visit kept (\d\d-\d\d) (\d\d:\d\d)", _visit("SIUS14", "Complete")),
    (r"visit missed (\d\d-\d\d) (\d\d:\d\d)", _visit("SIUS26", "Noshow")),
    (r"visit cancelled (\d\d-\d\d) (\d\d:\d\d)", _visit("SIUS15", "Cancelled")),
    (r"referral (\w+) for (.+) to (.+)", _referral),
    (r"screened", _results),
    (r"goal (\w+): (.+)", _goal),
    (r"pathway of problems (\w+): (.+)", lambda draft, *said: _pathway(draft, "PPPPCB", *said)),
    (r"pathway of goals (\w+): (.+)", lambda draft, *said: _pathway(draft, "PPGPCG", *said)),
]


def _pv1(number: int) -> Callable[..., None]:
    def read(draft: Draft, family: str) -> None:
        draft.fields["PV1"][number] = f"{family.upper()}1^{family}^Ann"

    return read


def _diagnosis(draft: Draft, code: str, words: str) -> None:
    draft.add("DG1", {3: f"{code}^{words}^I10", 6: "F", 15: "1" if not any(one.startswith("DG1") for one in draft.more) else "2"})


def _pid(number: int, value: str = "{}") -> Callable[..., None]:
    def read(draft: Draft, *said: str) -> None:
        draft.fields["PID"][number] = value.format(*said)

    return read


def _born(draft: Draft, day: str) -> None:
    draft.fields["PID"][7] = day.replace("-", "")


def _relative(draft: Draft, relation: str, given: str) -> None:
    code = {"guardian": "GRD", "mother": "MTH", "sister": "SIS", "brother": "BRO"}[relation]
    number = str(len(draft.relatives) + 1)
    draft.relatives.append(segment("NK1", {1: number, 2: f"Quist^{given}", 3: f"{code}^{relation.title()}^HL70063"}))


def _payer(draft: Draft, name: str) -> None:
    draft.more += ["IN1|1|PLAN^Plan|PAYER^^^STMARY|Prairie Health Plan", segment("IN3", {1: "1", 21: name})]


def _role(draft: Draft, code: str, words: str, given: str, family: str) -> None:
    draft.more.append(segment("ROL", {1: f"{family}1", 2: "AD", 3: f"{code}^{words}^HL70443", 4: f"{family.upper()}1^{family}^{given}"}))


def _says(draft: Draft, question: str, answer: str) -> None:
    draft.add("OBX", {2: "ST", 3: f"^{question}", 5: answer, 11: "F", 14: draft.fact.hl7_time})


def _answers(draft: Draft, code: str, answer: str, words: str) -> None:
    draft.add("OBX", {2: "CWE", 3: f"{code}^Question^LN", 5: f"{answer}^{words}^LN", 11: "F", 14: draft.fact.hl7_time})


def _screening(draft: Draft, code: str, value: str) -> None:
    kind = "NM" if value.isdigit() else "ST"
    draft.add("OBX", {2: kind, 3: f"{code}^Screening^LN", 5: value, 11: "F", 14: draft.fact.hl7_time})


def _set_goal(draft: Draft, number: str, words: str) -> None:
    draft.more.append(segment("GOL", {1: "AD", 2: draft.fact.hl7_time, 3: f"{number}^{words}^L", 4: number, 18: "A^Active"}))


def _set_problem(draft: Draft, number: str, code: str, words: str) -> None:
    draft.more.append(segment("PRB", {1: "AD", 2: draft.fact.hl7_time, 3: f"{code}^{words}^I10", 4: number, 14: "A^Active"}))


DETAILS: list[Reader] = [
    (r"diagnosis ([A-Z][0-9A-Z.]+) (.+)", _diagnosis),
    (r"attending (\w+)", _pv1(7)),
    (r"referring (\w+)", _pv1(8)),
    (r"consulting (\w+)", _pv1(9)),
    (r"admitting (\w+)", _pv1(17)),
    (r"family doctor (\w+)", lambda draft, name: draft.fields["PD1"].update({4: f"{name.upper()}1^{name}^Pat"})),
    (r"disposition (\w+)", lambda draft, code: draft.fields["PV1"].update({36: code})),
    (r"unit (\w+)", lambda draft, unit: draft.fields["PV1"].update({3: f"{unit}^1^A"})),
    (r"wheelchair", lambda draft: draft.fields["PV1"].update({15: "A2"})),
    (r"visit number (\w+)", lambda draft, number: draft.fields["PV1"].update({19: f"{number}^^^{HOSPITALS[draft.fact.who]}^VN"})),
    (r"record number (\w+)", lambda draft, number: setattr(draft, "mrn", number)),
    (r"born (\d{4}-\d\d-\d\d)", _born),
    (r"speaks (\w+) (\w+)", _pid(15, "{0}^{1}^ISO639")),
    (r"lives in (.+), ([A-Z]{2}) (\d{5})", _pid(11, "1 Elm St^^{0}^{1}^{2}^USA^H")),
    (r"confidential address", _pid(11, "1 Elm St^^Springfield^IL^62701^USA^CONF")),
    (r"(guardian|mother|sister|brother) (\w+)", _relative),
    (r"payer's case manager (.+)", _payer),
    (r"role (\w+) (.+): (\w+) (\w+)", _role),
    (r"says (.+?): (.+)", _says),
    (r"answers (\S+) (LA\S+) (.+)", _answers),
    (r"screening (\S+) (.+)", _screening),
    (r"instructs (.+)", lambda draft, words: draft.more.append(segment("ARV", {1: "1", 2: "A", 3: "R^Restrict^L", 5: words}))),
    (r"with (\w+), (.+)", lambda draft, name, kind: draft.more.append(segment("AIP", {1: "1", 3: f"{name.upper()}1^{name}^Tia", 4: f"^{kind}"}))),
    (r"goal (\w+): (.+)", _set_goal),
    (r"problem (\w+): (\S+) (.+)", _set_problem),
]
"""What may be said with an event. A role is what HL7 table 0443 calls it; a screening is LOINC's code and its value."""


# --- FHIR -------------------------------------------------------------------------------------------------------------

_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_NOTIFICATION = "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event"
_DISPOSITION = "https://www.nubc.org/CodeSystem/PatDischargeStatus"


def notification(said: Fact) -> bytes:
    """A Da Vinci notification (admitted, left …) of County Hospital's EHR, or one resource more that is told with it."""
    at = said.at.isoformat()
    left = re.fullmatch(r"left (\w+)", said.what)
    encounter: Json = {
        "resourceType": "Encounter",
        "id": "e1",
        "meta": {"lastUpdated": at},
        "identifier": [{"system": "urn:county:visit", "value": "CV1"}],
        "status": "finished" if left else "in-progress",
        "class": {"system": _ACT, "code": "IMP"},
        "type": [{"text": "Psychiatric inpatient stay"}],
        "subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"},
        "location": [{"location": {"display": "BHU"}}],
        "serviceProvider": {"reference": _NAMES["Organization"]},
        "period": {"start": moment("05-04 09:00").isoformat(), **({"end": at} if left else {})},
    }
    if left:
        encounter["hospitalization"] = {"dischargeDisposition": {"coding": [{"system": _DISPOSITION, "code": left[1]}]}}
    patient: Json = {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [{"system": "urn:county:mrn", "value": "C1001"}],
        "name": [{"family": "Quist", "given": ["Ada"]}],
        "gender": "female",
        "birthDate": "1980-02-14",
        "address": [{"city": "Springfield", "state": "IL", "postalCode": "62701"}],
    }
    parts = [_of_fhir(detail, number) for number, detail in enumerate(said.details)]
    event = "notification-discharge" if left else "notification-admit"
    header: Json = {
        "resourceType": "MessageHeader",
        "id": f"h{said.place}",
        "eventCoding": {"system": _NOTIFICATION, "code": event},
        "source": {"endpoint": "https://county.example.org"},
        "focus": [{"reference": _NAMES["Encounter"]}],
    }
    entries = [("urn:uuid:00000000-0000-4000-8000-000000000000", header), (_NAMES["Encounter"], encounter), (_NAMES["Patient"], patient)]
    hospital = {"resourceType": "Organization", "id": "o1", "active": True, "name": "County Hospital"}
    entries.append((_NAMES["Organization"], hospital))
    entries += [(f"urn:uuid:00000000-0000-4000-8000-0000000001{number:02}", one) for number, one in enumerate(parts)]
    bundle = {
        "resourceType": "Bundle",
        "id": f"b{said.place}",
        "type": "message",
        "timestamp": at,
        "entry": [{"fullUrl": name, "resource": one} for name, one in entries],
    }
    return orjson.dumps(bundle)


_NAMES = {kind: f"urn:uuid:00000000-0000-4000-8000-00000000000{number}" for number, kind in enumerate(("Patient", "Encounter", "Organization"), 1)}
_ABOUT = {"subject": {"reference": _NAMES["Patient"]}, "encounter": {"reference": _NAMES["Encounter"]}}


def _of_fhir(detail: str, number: int) -> Json:
    identity = {"id": f"r{number}", "identifier": [{"system": "urn:county:record", "value": f"R{number}"}]}
    if found := re.fullmatch(r"diagnosis (\S+) (.+)", detail):
        coding = [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": found[1], "display": found[2]}]
        category = {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/condition-category",
                    "code": "encounter-diagnosis",
                    "display": "Encounter Diagnosis",
                }
            ]
        }
        return {"resourceType": "Condition", **identity, "category": [category], "code": {"coding": coding, "text": found[2]}, **_ABOUT}
    if found := re.fullmatch(r"orders (.+) for (\d+) days", detail):
        supply = {"value": int(found[2]), "unit": "days", "system": "http://unitsofmeasure.org", "code": "d"}
        return {
            "resourceType": "MedicationRequest",
            **identity,
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {"text": found[1]},
            "requester": {"display": "Ann Hale"},
            "authoredOn": "2026-05-14",
            "dispenseRequest": {"expectedSupplyDuration": supply},
            **_ABOUT,
        }
    if found := re.fullmatch(r"injection (.+) due (\d\d-\d\d)", detail):
        return {
            "resourceType": "MedicationRequest",
            **identity,
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {"text": found[1]},
            "requester": {"display": "Ann Hale"},
            "dosageInstruction": [{"timing": {"event": [f"{YEAR}-{found[2]}"]}}],
            **_ABOUT,
        }
    if found := re.fullmatch(r"plan (.+?): open (.+?), done (.+)", detail):
        states = (("not-started", found[2]), ("completed", found[3]))
        activity = [{"detail": {"status": status, "description": words}} for status, words in states]
        return {"resourceType": "CarePlan", **identity, "status": "active", "intent": "plan", "title": found[1], "activity": activity, **_ABOUT}
    raise ValueError(f"no such words in FHIR: {detail}")
