"""The tracker end to end: what hospitals' messages, written by hand, come to on a real store (issue 5, points 2 to 4).

Ada Quist left the ward BHU of St. Mary's, in Chicago's time, on Tuesday 2026-03-10 at 10:45; day 7 is 03-17. Each story is looked at on Thursday 03-12
at noon, unless it says otherwise, and is told in its own order, backwards, and twice over: the end is the same. Expect reads, by hospital and
discharge: status (as what closed) | follow-up | flags beside `not-picked-up`.
"""
# ruff: noqa: E501 - a story is a table: one message a line

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import orjson
import pytest

from gateway.pipeline import Configuration, Received
from gateway.pipeline.intake import take
from gateway.pipeline.own import put_own_resources
from gateway.pipeline.rebuild import rebuild
from gateway.records.statements import Json
from gateway.records.times import microseconds
from gateway.store.interface import ALL, Store
from gateway.store.sqlite import open_sqlite
from tests.pipeline.county import CONFIGURATION, FEEDS, memory_folder, message, state, visit, wake

DEPRESSION = "DG1|1||F33.2^Major depressive disorder, recurrent severe^I10|||A|||||||||1"
INFARCTION = "DG1|1||I21.9^Acute myocardial infarction^I10|||A|||||||||1"
PSYCHIATRIC, CLINIC, DENTAL = "PSYFU^Psychiatric follow-up^L", "CLINIC^Clinic visit^L", "DENT^Dental clinic^L"
NOTHING = "no-follow-up-scheduled"
AUTHORITIES = {"COUNTYMPI": "urn:mpi"}
SEGMENTS = {"ZFU-1": "appointment.number", "ZFU-3": "appointment.start", "ZFU-5": "appointment.service", "ZFU-8": "appointment.status"}
EHR = replace(FEEDS[0], name="ehr", sending_facility="EHR", kind="fhir")
HOUSE = replace(EHR, name="house", sending_facility="HOUSE", facility_kind="psychiatric")
TOLD: Configuration = replace(
    CONFIGURATION,
    feeds=(
        replace(FEEDS[0], authorities=AUTHORITIES, segments=SEGMENTS, other_units=("MED3",)),
        replace(FEEDS[1], authorities=AUTHORITIES),
        replace(EHR, authorities=AUTHORITIES),
        replace(HOUSE, authorities=AUTHORITIES),
    ),
)


class Story(NamedTuple):
    """What was sent, and what must be said of it."""

    sent: tuple[bytes | Received, ...]
    expect: tuple[str, ...]
    as_of: str = "2026-03-12T12:00:00-05:00"


# --- the words of the stories: `at` is "0310 1100" in the hospital's time --------------------------------------------------


def stamp(at: str) -> str:
    return f"2026{at.replace(' ', '')}00"


_control = iter(range(1, 100_000))


def adt(event: str, at: str, pv1: str = "", *segments: str, lakeside: bool = False, mrn: str = "", dead: str = "") -> bytes:
    """An ADT message; without `mrn`, each hospital's own number for Ada, and the county's."""
    raw = message(
        f"ADT^{event}^ADT_A01", stamp(at), str(next(_control)), *([pv1] if pv1 else []), *segments,
        facility="LAKESIDE" if lakeside else "STMARY", mrn=mrn or ("555" if lakeside else "1001"),
    )  # fmt: skip
    if mrn:
        raw = raw.replace(b"~77^^^COUNTYMPI^PI", b"")
    return raw.replace(b"IL^62701^USA^H", b"IL^62701^USA^H" + b"|" * 19 + dead.encode()) if dead else raw


def pv1(unit: str = "BHU", number: str = "V1", admitted: str = "0302 0900", left: str = "", code: str = "", kind: str = "I") -> str:
    return visit(unit, number, stamp(admitted) if admitted else "", stamp(left) if left else "", code, kind)


def siu(event: str, at: str, start: str, status: str = "", service: str = PSYCHIATRIC, *, lakeside: bool = False, mrn: str = "") -> bytes:
    sch = f"SCH|P1|F1|||||{service}||60|min|^^60^{stamp(start)}||||||||||||||{status}"
    raw = message(f"SIU^{event}^SIU_S12", stamp(at), str(next(_control)), sch, "RGS|1", f"AIS|1||{service}|{stamp(start)}||||60|min",
                  facility="LAKESIDE" if lakeside else "STMARY", mrn=mrn or ("555" if lakeside else "1001"))  # fmt: skip
    return raw.replace(b"~77^^^COUNTYMPI^PI", b"") if mrn else raw


def two_people(event: str, at: str) -> bytes:
    """A24 or A37 of Lakeside's 888 and St. Mary's 1001."""
    header = f"MSH|^~\\&|ADT|LAKESIDE|GW|COUNTY|{stamp(at)}||ADT^{event}^ADT_A24|{next(_control)}|P|2.5.1"
    people = ("PID|1||888^^^LAKESIDE^MR||Quist^Ada||19800214|F", "PID|2||1001^^^STMARY^MR||Quist^Ada||19800214|F")
    return "\r".join([header, f"EVN||{stamp(at)}", *people]).encode()


def fhir(at: str, resource: Json, feed: str = "ehr") -> Received:
    """What an EHR says of the county's person 77, as one transaction."""
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:mpi", "value": "77"}],
        "name": [{"family": "Quist"}],
        "gender": "female",
        "birthDate": "1980-02-14",
    }
    entries = [
        {
            "fullUrl": f"https://ehr.example.org/{one['resourceType']}/1",
            "resource": {**one, "id": "1"},
            "request": {"method": "PUT", "url": f"{one['resourceType']}/1"},
        }
        for one in (patient, resource)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "timestamp": iso(at), "entry": entries}
    return Received("fhir-bundle", orjson.dumps(bundle), feed=feed)


def iso(at: str) -> str:
    return f"2026-{at[:2]}-{at[2:4]}T{at[5:7]}:{at[7:9]}:00-05:00"


def appointment(start: str, status: str = "booked", service: str = "Psychiatry follow-up") -> Json:
    who = [{"actor": {"reference": "Patient/1"}, "status": "accepted"}]
    return {
        "resourceType": "Appointment",
        "identifier": [{"system": "urn:ehr", "value": "a"}],
        "status": status,
        "start": iso(start),
        "minutesDuration": 50,
        "serviceType": [{"text": service}],
        "participant": who,
    }


def encounter(start: str, status: str = "finished", kind: str = "AMB", **more: object) -> Json:
    act = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": kind}
    return {
        "resourceType": "Encounter",
        "identifier": [{"system": "urn:ehr", "value": "e"}],
        "status": status,
        "class": act,
        "subject": {"reference": "Patient/1"},
        "period": {"start": iso(start)},
        **more,
    }


F33 = [{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F33.1"}]}]
IN = adt("A01", "0302 0900", pv1(), DEPRESSION)
OUT = adt("A03", "0310 1100", pv1(left="0310 1045", code="01"), DEPRESSION)
LEFT = (IN, OUT)
OPEN = f"st-mary 03-10 open|none|{NOTHING}"
NOW_VOID = "st-mary - void|none|"
THERE = pv1("3WEST", "L1", "0310 1800")
ICU = pv1("ICU", "L1", "0310 1800")
WALK_IN = pv1("OPD", "C1", "0311 1000", kind="O")
EMERGENCY = pv1("ED", "E1", "0311 2100", kind="E")

STORIES: dict[str, Story] = {
    # --- evidence of follow-up: a scheduling feed
    "SIU: booked in the window": Story((*LEFT, siu("S12", "0310 1200", "0316 1000")), ("st-mary 03-10 open|booked|",)),
    "SIU: booked before the discharge": Story((IN, siu("S12", "0309 1200", "0316 1000"), OUT), ("st-mary 03-10 open|booked|",)),
    "SIU: asked for, not booked": Story((*LEFT, siu("S12", "0310 1200", "0316 1000", "Pending")), (OPEN,)),
    "SIU: on a waiting list": Story((*LEFT, siu("S12", "0310 1200", "0316 1000", "Waitlist")), (OPEN,)),
    "SIU: dental": Story((*LEFT, siu("S12", "0310 1200", "0316 1000", service=DENTAL)), (OPEN,)),
    "SIU: of a kind that nobody knows": Story((*LEFT, siu("S12", "0310 1200", "0316 1000", service=CLINIC)), (f"{OPEN} kind-unconfirmed",)),
    "SIU: cancelled, though SCH-25 still says booked": Story(
        (*LEFT, siu("S12", "0310 1200", "0316 1000"), siu("S15", "0310 1300", "0316 1000", "Booked")), (f"st-mary 03-10 open|cancelled|{NOTHING}",)
    ),
    "SIU: cancelled by SCH-25": Story(
        (*LEFT, siu("S12", "0310 1200", "0316 1000"), siu("S14", "0310 1300", "0316 1000", "CANCELLED")), (f"st-mary 03-10 open|cancelled|{NOTHING}",)
    ),
    "SIU: deleted, it never was": Story((*LEFT, siu("S12", "0310 1200", "0316 1000"), siu("S17", "0310 1300", "0316 1000")), (OPEN,)),
    "SIU: no-show": Story(
        (*LEFT, siu("S12", "0310 1200", "0312 0900"), siu("S26", "0312 0930", "0312 0900")),
        (f"st-mary 03-10 open|missed|{NOTHING} missed-appointment",),
    ),
    "SIU: moved out of the window": Story(
        (*LEFT, siu("S12", "0310 1200", "0316 1000"), siu("S13", "0310 1300", "0330 1000")), ("st-mary 03-10 open|booked|follow-up-too-late",)
    ),
    "SIU: moved out of the window and back": Story(
        (*LEFT, siu("S12", "0310 1200", "0316 1000"), siu("S13", "0310 1300", "0330 1000"), siu("S13", "0310 1400", "0317 1000")),
        ("st-mary 03-10 open|booked|",),
    ),
    "SIU: kept": Story(
        (*LEFT, siu("S12", "0310 1200", "0312 0900"), siu("S14", "0312 1000", "0312 0900", "Complete")),
        ("st-mary 03-10 closed follow-up-kept|kept|",),
    ),
    "SIU: no outcome a day after its start": Story(
        (*LEFT, siu("S12", "0310 1200", "0311 0900")), (f"st-mary 03-10 open|outcome-unknown|{NOTHING} outcome-unknown",)
    ),
    "SIU: booked at another hospital, whom the county's number joins": Story(
        (*LEFT, siu("S12", "0310 1200", "0316 1000", lakeside=True)), ("st-mary 03-10 open|booked|",)
    ),
    "SIU: booked at another hospital under a number that nobody joins": Story(
        (*LEFT, siu("S12", "0310 1200", "0316 1000", lakeside=True, mrn="888")), (OPEN,)
    ),
    "SIU: and the two are linked by A24": Story(
        (*LEFT, siu("S12", "0310 1200", "0316 1000", lakeside=True, mrn="888"), two_people("A24", "0310 1300")), ("st-mary 03-10 open|booked|",)
    ),
    "SIU: and unlinked again by A37": Story(
        (*LEFT, siu("S12", "0310 1200", "0316 1000", lakeside=True, mrn="888"), two_people("A24", "0310 1300"), two_people("A37", "0311 1300")),
        (OPEN,),
    ),
    # --- a feed's own segment
    "Z-segment: the discharge itself names the visit": Story(
        (IN, adt("A03", "0310 1100", pv1(left="0310 1045", code="01"), f"ZFU|7||{stamp('0316 1000')}||{PSYCHIATRIC}")),
        ("st-mary 03-10 open|booked|",),
    ),
    "Z-segment: cancelled later by an A08": Story(
        (
            IN,
            adt("A03", "0310 1100", pv1(left="0310 1045", code="01"), f"ZFU|7||{stamp('0316 1000')}||{PSYCHIATRIC}"),
            adt("A08", "0311 0900", pv1(left="0310 1045", code="01"), f"ZFU|7||{stamp('0316 1000')}||{PSYCHIATRIC}|||Cancelled"),
        ),
        (f"st-mary 03-10 open|cancelled|{NOTHING}",),
    ),
    # --- FHIR
    "FHIR: an Appointment": Story((*LEFT, fhir("0310 1200", appointment("0316 1000"))), ("st-mary 03-10 open|booked|",)),
    "FHIR: an Appointment of another kind": Story((*LEFT, fhir("0310 1200", appointment("0316 1000", service="Dental cleaning"))), (OPEN,)),
    "FHIR: cancelled": Story(
        (*LEFT, fhir("0310 1200", appointment("0316 1000")), fhir("0311 1200", appointment("0316 1000", "cancelled"))),
        (f"st-mary 03-10 open|cancelled|{NOTHING}",),
    ),
    "FHIR: no-show": Story(
        (*LEFT, fhir("0310 1200", appointment("0311 1400")), fhir("0311 1500", appointment("0311 1400", "noshow"))),
        (f"st-mary 03-10 open|missed|{NOTHING} missed-appointment",),
    ),
    "FHIR: moved out of the window": Story(
        (*LEFT, fhir("0310 1200", appointment("0316 1000")), fhir("0311 1500", appointment("0330 1000"))),
        ("st-mary 03-10 open|booked|follow-up-too-late",),
    ),
    "FHIR: moved out, and back": Story(
        (
            *LEFT,
            fhir("0310 1200", appointment("0316 1000")),
            fhir("0311 1500", appointment("0330 1000")),
            fhir("0312 0900", appointment("0317 1000")),
        ),
        ("st-mary 03-10 open|booked|",),
    ),
    "FHIR: fulfilled": Story(
        (*LEFT, fhir("0310 1200", appointment("0311 1400")), fhir("0311 1500", appointment("0311 1400", "fulfilled"))),
        ("st-mary 03-10 closed follow-up-kept|kept|",),
    ),
    # --- a visit that simply happened
    "A04: an outpatient visit for depression": Story(
        (*LEFT, adt("A04", "0311 1000", WALK_IN, DEPRESSION)), ("st-mary 03-10 closed follow-up-kept|kept|",)
    ),
    "A04: an outpatient visit for a heart": Story((*LEFT, adt("A04", "0311 1000", WALK_IN, INFARCTION)), (OPEN,)),
    "A04: an outpatient visit that says nothing of its kind": Story((*LEFT, adt("A04", "0311 1000", WALK_IN)), (f"{OPEN} kind-unconfirmed",)),
    "A04: cancelled by A11": Story(
        (*LEFT, adt("A04", "0311 1000", WALK_IN, DEPRESSION), adt("A11", "0311 1030", WALK_IN)), (f"st-mary 03-10 open|cancelled|{NOTHING}",)
    ),
    "A04: on the day of discharge": Story((*LEFT, adt("A04", "0310 1500", pv1("OPD", "C1", "0310 1500", kind="O"), DEPRESSION)), (OPEN,)),
    "A04: registered two days ahead is booked, and kept only when it is told of again": Story(
        (*LEFT, adt("A04", "0310 1500", pv1("OPD", "C1", "0312 1000", kind="O"), DEPRESSION)), ("st-mary 03-10 open|booked|",)
    ),
    "A04: registered ahead, and nobody says that it took place": Story(
        (*LEFT, adt("A04", "0310 1500", pv1("OPD", "C1", "0311 0900", kind="O"), DEPRESSION)),
        (f"st-mary 03-10 open|outcome-unknown|{NOTHING} outcome-unknown",),
    ),
    "A04: registered ahead, and finished": Story(
        (
            *LEFT,
            adt("A04", "0310 1500", pv1("OPD", "C1", "0312 0900", kind="O"), DEPRESSION),
            adt("A03", "0312 1000", pv1("OPD", "C1", "0312 0900", "0312 0950", kind="O")),
        ),
        ("st-mary 03-10 closed follow-up-kept|kept|",),
    ),
    "A05: an outpatient visit planned for no stated time clears nothing": Story(
        (*LEFT, adt("A05", "0311 1000", pv1("OPD", "C1", "", kind="O"), DEPRESSION)), (OPEN,)
    ),
    "FHIR: an Encounter of psychotherapy": Story(
        (*LEFT, fhir("0311 1200", encounter("0311 1000", type=[{"text": "Psychotherapy, 45 minutes"}]))),
        ("st-mary 03-10 closed follow-up-kept|kept|",),
    ),
    "FHIR: an Encounter for depression": Story(
        (*LEFT, fhir("0311 1200", encounter("0311 1000", reasonCode=F33))), ("st-mary 03-10 closed follow-up-kept|kept|",)
    ),
    "FHIR: an Encounter by video": Story(
        (*LEFT, fhir("0311 1200", encounter("0311 1000", kind="VR", serviceType={"text": "Behavioral health"}))),
        ("st-mary 03-10 closed follow-up-kept|kept|",),
    ),
    "FHIR: an Encounter of no known kind": Story((*LEFT, fhir("0311 1200", encounter("0311 1000"))), (f"{OPEN} kind-unconfirmed",)),
    "FHIR: an Encounter that is planned": Story(
        (*LEFT, fhir("0311 1200", encounter("0313 1000", "planned", reasonCode=F33))), ("st-mary 03-10 open|booked|",)
    ),
    "FHIR: an Encounter that was planned and cancelled": Story(
        (
            *LEFT,
            fhir("0310 1200", encounter("0313 1000", "planned", reasonCode=F33)),
            fhir("0311 1200", encounter("0313 1000", "cancelled", reasonCode=F33)),
        ),
        (f"st-mary 03-10 open|cancelled|{NOTHING}",),
    ),
    # --- transfer and readmission
    "65, seen there, and home from there": Story(
        (
            IN,
            adt("A03", "0310 1100", pv1(left="0310 1045", code="65")),
            adt("A01", "0310 1800", THERE, lakeside=True),
            adt("A03", "0312 0800", pv1("3WEST", "L1", "0310 1800", "0312 0800", "01"), lakeside=True),
        ),
        ("lakeside 03-12 open|none|" + NOTHING, "st-mary 03-10 closed transferred|none|"),
    ),
    "65, and not seen anywhere": Story((IN, adt("A03", "0310 1100", pv1(left="0310 1045", code="65"))), (f"{OPEN} arrival-not-seen",)),
    "65, on the way": Story(
        (IN, adt("A03", "0310 1100", pv1(left="0310 1045", code="65"))), ("st-mary 03-10 closed transferred|none|",), "2026-03-11T10:44:59-05:00"
    ),
    "02, on the heart's ward there": Story(
        (IN, adt("A03", "0310 1100", pv1(left="0310 1045", code="02")), adt("A01", "0310 1800", ICU, INFARCTION, lakeside=True)),
        ("st-mary 03-10 closed transferred|none|",),
    ),
    "02, and home from the heart's ward: the psychiatric stay's is open again": Story(
        (
            IN,
            adt("A03", "0310 1100", pv1(left="0310 1045", code="02")),
            adt("A01", "0310 1800", ICU, INFARCTION, lakeside=True),
            adt("A03", "0312 0800", pv1("ICU", "L1", "0310 1800", "0312 0800", "01"), INFARCTION, lakeside=True),
        ),
        (OPEN,),
    ),
    "02, and from the heart's ward back to psychiatry": Story(
        (
            IN,
            adt("A03", "0310 1100", pv1(left="0310 1045", code="02")),
            adt("A01", "0310 1800", ICU, INFARCTION, lakeside=True),
            adt("A03", "0311 0800", pv1("ICU", "L1", "0310 1800", "0311 0800", "65"), INFARCTION, lakeside=True),
            adt("A01", "0311 1200", pv1(number="V2", admitted="0311 1200"), DEPRESSION),
        ),
        ("st-mary 03-10 closed readmitted|none|",),
    ),
    "readmitted": Story(
        (*LEFT, adt("A01", "0311 1200", pv1(number="V2", admitted="0311 1200"), DEPRESSION)), ("st-mary 03-10 closed readmitted|none|",)
    ),
    "readmitted, and that admission is cancelled": Story(
        (
            *LEFT,
            adt("A01", "0311 1200", pv1(number="V2", admitted="0311 1200"), DEPRESSION),
            adt("A11", "0311 1300", pv1(number="V2", admitted="0311 1200")),
        ),
        (OPEN,),
    ),
    "readmitted and discharged again: one for each stay": Story(
        (
            *LEFT,
            adt("A01", "0311 1200", pv1(number="V2", admitted="0311 1200"), DEPRESSION),
            adt("A03", "0312 0900", pv1(number="V2", admitted="0311 1200", left="0312 0850", code="01"), DEPRESSION),
        ),
        ("st-mary 03-10 closed readmitted|none|", f"st-mary 03-12 open|none|{NOTHING}"),
    ),
    "readmitted, and the second A03 carries O": Story(
        (
            *LEFT,
            adt("A01", "0311 1200", pv1(number="V2", admitted="0311 1200"), DEPRESSION),
            adt("A03", "0312 0900", pv1(number="V2", admitted="0311 1200", left="0312 0850", code="01", kind="O"), DEPRESSION),
        ),
        ("st-mary 03-10 closed readmitted|none|", f"st-mary 03-12 open|none|{NOTHING}"),
    ),
    "overlapping stays at two hospitals: the earlier end is open until the later": Story(
        (IN, adt("A01", "0305 1800", pv1("3WEST", "L1", "0305 1800"), lakeside=True), OUT), (OPEN,)
    ),
    # --- medical turned psychiatric, and back
    "A02 onto the psychiatric unit": Story(
        (adt("A01", "0302 0900", pv1("MED3")), adt("A02", "0303 0900", pv1("BHU")), adt("A03", "0310 1100", pv1("BHU", left="0310 1045", code="01"))),
        (OPEN,),
    ),
    "A02 off the psychiatric unit to one that the profile does not list": Story(
        (adt("A01", "0302 0900", pv1()), adt("A02", "0305 0900", pv1("7N")), adt("A03", "0310 1100", pv1("7N", left="0310 1045", code="01"))), (OPEN,)
    ),
    "A02 off the psychiatric unit to one that the profile lists as another": Story(
        (adt("A01", "0302 0900", pv1()), adt("A02", "0305 0900", pv1("MED3")), adt("A03", "0310 1100", pv1("MED3", left="0310 1045", code="01"))), ()
    ),
    "FHIR: a stay of a house that is psychiatric as a whole": Story(
        (fhir("0310 1100", encounter("0302 0900", kind="IMP", period={"start": iso("0302 0900"), "end": iso("0310 1045")}), "house"),),
        (f"house 03-10 open|none|{NOTHING} disposition-unknown",),
    ),
    "FHIR: a visit to such a house is follow-up, and no stay": Story(
        (*LEFT, fhir("0311 1200", encounter("0311 1000"), "house")), ("st-mary 03-10 closed follow-up-kept|kept|",)
    ),
    "FHIR: a stay of a house that says nothing of its kind": Story(
        (fhir("0310 1100", encounter("0302 0900", kind="IMP", period={"start": iso("0302 0900"), "end": iso("0310 1045")})),),
        (f"ehr 03-10 open|none|{NOTHING} disposition-unknown service-unknown",),
    ),
    "a heart's stay, nothing psychiatric": Story(
        (adt("A01", "0302 0900", pv1("MED3"), INFARCTION), adt("A03", "0310 1100", pv1("MED3", left="0310 1045", code="01"), INFARCTION)), ()
    ),
    "A06: from outpatient to the ward, and home": Story(
        (adt("A04", "0302 0800", pv1("OPD", kind="O", admitted="0302 0800")), adt("A06", "0302 0900", pv1("BHU", admitted="0302 0800")), OUT), (OPEN,)
    ),
    "A07 ends the stay with no A03": Story((IN, adt("A07", "0310 1100", pv1("OPD", kind="O"))), (f"{OPEN} disposition-unknown",)),
    "A07 taken back by A06: void, not vanished": Story(
        (IN, adt("A07", "0310 1100", pv1("OPD", kind="O")), adt("A06", "0311 0900", pv1("BHU"))), (NOW_VOID,)
    ),
    "A07, A06, and home": Story((IN, adt("A07", "0309 1100", pv1("OPD", kind="O")), adt("A06", "0309 1500", pv1("BHU")), OUT), (OPEN,)),
    # --- leave, no admission, corrections
    "on leave": Story((IN, adt("A21", "0305 1000", pv1())), ()),
    "discharged from leave": Story((IN, adt("A21", "0305 1000", pv1()), OUT), (OPEN,)),
    "a discharge whose admission was never seen": Story((OUT,), (OPEN,)),
    "the same with nothing in PV1-2 and no visit number": Story(
        (adt("A03", "0310 1100", pv1("", "", "", "0310 1045", "01", kind=""), DEPRESSION),), (OPEN,)
    ),
    "the discharge date is corrected: the clocks run from the corrected day": Story(
        (*LEFT, adt("A08", "0311 0800", pv1(left="0309 1045", code="01"))), (f"st-mary 03-09 open|none|{NOTHING} no-contact",)
    ),
    "the disposition is corrected months later": Story(
        (*LEFT, adt("A08", "0610 0800", pv1(left="0310 1045", code="20"))), ("st-mary 03-10 closed died|none|",), "2026-06-11T12:00:00-05:00"
    ),
    "the diagnosis is corrected months later, to a psychiatric one": Story(
        (
            adt("A01", "0302 0900", pv1("5N"), INFARCTION),
            adt("A03", "0310 1100", pv1("5N", left="0310 1045", code="01"), INFARCTION),
            adt("A08", "0610 0800", pv1("5N", left="0310 1045", code="01"), DEPRESSION),
        ),
        (f"{OPEN} no-contact no-follow-up-7-days no-follow-up-30-days",),
        "2026-06-11T12:00:00-05:00",
    ),
    "two people with an open transition each": Story(
        (*LEFT, adt("A03", "0312 1000", pv1(number="V9", admitted="0311 1500", left="0312 0930", code="01"), DEPRESSION, mrn="900")),
        (OPEN, f"st-mary 03-12 open|none|{NOTHING}"),
    ),
    "and they are merged: the second stay was a readmission": Story(
        (
            *LEFT,
            adt("A03", "0312 1000", pv1(number="V9", admitted="0311 1500", left="0312 0930", code="01"), DEPRESSION, mrn="900"),
            adt("A40", "0312 1100", "", "MRG|900^^^STMARY^MR"),
        ),
        ("st-mary 03-10 closed readmitted|none|", f"st-mary 03-12 open|none|{NOTHING}"),
    ),
    # --- emergency, death
    "back in the emergency department": Story(
        (*LEFT, siu("S12", "0310 1200", "0316 1000"), adt("A04", "0311 2100", EMERGENCY)), ("st-mary 03-10 open|booked|emergency-return",)
    ),
    "back in another hospital's emergency department": Story(
        (*LEFT, adt("A04", "0311 2100", EMERGENCY, lakeside=True)), (f"{OPEN} emergency-return",)
    ),
    "from the emergency department to the ward": Story(
        (*LEFT, adt("A04", "0311 2100", EMERGENCY), adt("A06", "0312 0200", pv1("BHU", "E1", "0311 2100"))),
        ("st-mary 03-10 closed readmitted|none|",),
    ),
    "died, as any feed says": Story((*LEFT, adt("A31", "0312 0900", lakeside=True, dead="Y")), ("st-mary 03-10 closed died|none|",)),
    "the death is withdrawn": Story((*LEFT, adt("A31", "0311 0900", dead="Y"), adt("A31", "0312 0900", dead="N")), (OPEN,)),
    "seen on day 1, died on day 2, where PID-30 was N before": Story(
        (adt("A01", "0302 0900", pv1(), DEPRESSION, dead="N"), OUT, adt("A04", "0311 1000", WALK_IN, DEPRESSION), adt("A31", "0312 0900", dead="Y")),
        ("st-mary 03-10 closed follow-up-kept|kept|",),
    ),
    "died on the heart's ward, by its disposition": Story(
        (
            *LEFT,
            adt("A01", "0311 1200", pv1("MED3", "V2", "0311 1200"), INFARCTION),
            adt("A03", "0312 0900", pv1("MED3", "V2", "0311 1200", "0312 0850", "20"), INFARCTION),
        ),
        ("st-mary 03-10 closed died|none|",),
    ),
    # --- before the discharge, and taken back
    "A16": Story((IN, adt("A16", "0312 0900", pv1(), "PV2|||||||||20260314")), (f"st-mary - anticipated|none|{NOTHING}",)),
    "A16, and booked from the ward": Story(
        (IN, adt("A16", "0312 0900", pv1(), "PV2|||||||||20260314"), siu("S12", "0312 1000", "0318 1000")), ("st-mary - anticipated|booked|",)
    ),
    "PV2-9 in three days": Story((IN, adt("A08", "0305 0900", pv1(), "PV2|||||||||20260315")), (f"st-mary - anticipated|none|{NOTHING}",)),
    "PV2-9 in four days": Story((IN, adt("A08", "0305 0900", pv1(), "PV2|||||||||20260316")), ()),
    "A25, though it still carries PV2-9": Story(
        (IN, adt("A16", "0311 0900", pv1(), "PV2|||||||||20260314"), adt("A25", "0312 0900", pv1(), "PV2|||||||||20260314")), (NOW_VOID,)
    ),
    "an expected date is deleted": Story(
        (IN, adt("A08", "0311 0900", pv1(), "PV2|||||||||20260314"), adt("A08", "0312 0900", pv1(), 'PV2|||||||||""')), (NOW_VOID,)
    ),
    "an expected date is withdrawn before it came into view": Story(
        (IN, adt("A08", "0305 0900", pv1(), "PV2|||||||||20260316"), adt("A25", "0306 0900", pv1(), "PV2|||||||||20260316")), ()
    ),
    "A16, A25, and a new A16": Story(
        (IN, adt("A16", "0310 0900", pv1()), adt("A25", "0311 0900", pv1()), adt("A16", "0312 0900", pv1())),
        (f"st-mary - anticipated|none|{NOTHING}",),
    ),
    "A13": Story((*LEFT, siu("S12", "0310 1200", "0316 1000"), adt("A13", "0310 1500", pv1())), (NOW_VOID,)),
    "A13, and a later A03": Story(
        (*LEFT, adt("A13", "0310 1500", pv1()), adt("A03", "0311 1500", pv1(left="0311 1500", code="01"))), (f"st-mary 03-11 open|none|{NOTHING}",)
    ),
    "A23 after the discharge": Story((*LEFT, adt("A23", "0310 1500", pv1())), (NOW_VOID,)),
}


@contextmanager
def store_since(at: str, folder: Path) -> Iterator[Store]:
    """A store that is new at that moment."""
    with closing(open_sqlite(folder / "gateway.sqlite")) as store:
        with store.write(moment_of(at)) as writer:
            put_own_resources(writer, TOLD)
        yield store


def moment_of(at: str) -> int:
    return microseconds(datetime.fromisoformat(at))


def tell(store: Store, sent: tuple[bytes | Received, ...], now: int) -> None:
    for number, each in enumerate(sent):
        received = replace(each, about={"request": str(number)}) if isinstance(each, Received) else Received("hl7v2", each)
        with store.write(now) as writer:
            outcome = take(writer, received, now, TOLD)
        assert outcome.state in ("processed", "duplicate"), outcome.error


def said(store: Store) -> tuple[str, ...]:
    with store.reading() as reader:
        rows = [orjson.loads(row.body) for row in reader.worklist(ALL) if row.body is not None]
    found = []
    for one in rows:
        status = one["status"] if one["closed_as"] is None else f"{one['status']} {one['closed_as']}"
        flags = " ".join(flag["code"] for flag in one["flags"] if flag["code"] != "not-picked-up")
        left = one["discharged"][5:10] if one["discharged"] else "-"
        found.append(f"{one['hospital']} {left} {status}|{one['follow_up']['state']}|{flags}")
    return tuple(sorted(found))


@pytest.mark.parametrize("name", STORIES)
def test_what_the_tracker_says_of_a_story_in_any_order_and_after_a_rebuild(name: str) -> None:
    story = STORIES[name]
    now = moment_of(story.as_of)
    ends = []
    for sent in (story.sent, (*reversed(story.sent), *story.sent)):
        with memory_folder() as folder, store_since(story.as_of, folder) as store:
            tell(store, sent, now)
            wake(store, now, TOLD)
            assert said(store) == tuple(sorted(story.expect))
            ends.append(state(store, TOLD))
            rebuild(store, TOLD, now)
            assert state(store, TOLD) == ends[-1], "after a rebuild"
    assert ends[0] == ends[1], "backwards and twice over"


@pytest.mark.parametrize(
    "name",
    [
        "A13",
        "A07 taken back by A06: void, not vanished",
        "died, as any feed says",
        "the disposition is corrected months later",
    ],
)
def test_a_task_that_an_agency_was_sent_is_cancelled_and_not_forgotten(name: str) -> None:
    """Told as it happens, each message looked at before the next: the agency had its Task, and still has it, cancelled; no Flag stands."""
    story = STORIES[name]
    with memory_folder() as folder, store_since("2026-03-10T12:00:00-05:00", folder) as store:
        tell(store, story.sent[:-1], moment_of("2026-03-10T12:00:00-05:00"))
        tell(store, story.sent[-1:], moment_of(story.as_of))
        with store.reading() as reader:
            tasks = [orjson.loads(each.body) for each in reader.search("river", "Task") if each.body is not None]
            flags = [each for each in reader.search(ALL, "Flag") if each.body is not None]
        assert [task["status"] for task in tasks] == ["cancelled"]
        assert flags == []


def test_what_is_expected_anew_is_asked_with_a_task_of_its_own() -> None:
    """The Task that was cancelled with the first expectation stays cancelled."""
    admission, *expected = STORIES["A16, A25, and a new A16"].sent
    with memory_folder() as folder, store_since("2026-03-09T12:00:00-05:00", folder) as store:
        tell(store, (admission,), moment_of("2026-03-09T12:00:00-05:00"))
        for each, day in zip(expected, ("10", "11", "12"), strict=True):
            tell(store, (each,), moment_of(f"2026-03-{day}T12:00:00-05:00"))
        with store.reading() as reader:
            tasks = [orjson.loads(each.body) for each in reader.search("river", "Task") if each.body is not None]
    assert sorted(task["status"] for task in tasks) == ["cancelled", "requested"]


def told_at(each: bytes | Received) -> int:
    """When a message says that it was sent."""
    if isinstance(each, Received):
        return moment_of(orjson.loads(each.raw)["timestamp"])
    stamped = each.partition(b"\rEVN||")[2][:14] or each.split(b"|")[6]
    return microseconds(datetime.strptime(stamped.decode(), "%Y%m%d%H%M%S").replace(tzinfo=ZoneInfo("America/Chicago")))


@pytest.mark.parametrize("name", list(STORIES)[::5])
def test_a_story_that_was_lived_through_is_what_a_rebuild_makes_of_it(name: str) -> None:
    """Each message at its own time, and every client looked at whenever due: the policy's own decisions are among the inputs by then."""
    story = STORIES[name]
    end = moment_of(story.as_of)
    with memory_folder() as folder, store_since("2026-03-01T12:00:00-06:00", folder) as store:
        for each in sorted(story.sent, key=told_at):
            wake(store, told_at(each), TOLD)
            tell(store, (each,), told_at(each))
        wake(store, end, TOLD)
        lived = state(store, TOLD)
        rebuild(store, TOLD, end)
        assert state(store, TOLD) == lived
