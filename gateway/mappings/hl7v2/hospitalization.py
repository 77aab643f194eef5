"""PV1-5, 13 to 16, 36 to 38 -> Encounter.hospitalization; the discharge disposition in its normal form."""

from __future__ import annotations

import re

from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes, shared
from gateway.mappings.hl7v2.context import Context, place
from gateway.mappings.hl7v2.values import Composite
from gateway.records.statements import DispositionFact, Json, StayFacts

_DISPOSITIONS = tables.codings("0112-discharge-disposition")
_WORDS = tables.targets("0112-disposition-words")
_READMISSION = frozenset("R")
_SOURCES = frozenset("123456789")  # table 0023
_AMBULATORY = frozenset([f"A{digit}" for digit in range(10)] + [f"B{digit}" for digit in range(1, 7)])  # table 0009
_TIMESTAMP = re.compile(r"(?:19|20)[0-9]{10}(?:[0-9]{2})?(?:\.[0-9]+)?(?:[+-][0-9]{4})?")


def hospitalization(context: Context, pv1: Segment) -> tuple[Json, StayFacts]:
    """How the stay began and ended; the disposition and where the client went are facts too. What is given is not to be changed."""
    said = pv1.fields
    return context.once(pv1, _hospitalization, (*said[5:6], *said[13:17], *said[36:39]))


def _hospitalization(context: Context, pv1: Segment) -> tuple[Json, StayFacts]:
    stay: Json = {}
    facts = StayFacts()
    preadmit = context.one(pv1, 5)
    if preadmit is not None and preadmit[0]:
        stay["preAdmissionIdentifier"] = {"system": f"urn:gateway:facility:{context.facility}:PREADMIT", "value": preadmit[0]}
    readmission = datatypes.listed(context, context.one(pv1, 13), "PV1-13", "0092", _READMISSION)
    if readmission:
        stay["reAdmission"] = readmission
    source = datatypes.listed(context, context.one(pv1, 14), "PV1-14", "0023", _SOURCES)
    if source:
        stay["admitSource"] = source
    arrangements = [one for cwe in context.every(pv1, 15) if (one := datatypes.listed(context, cwe, "PV1-15", "0009", _AMBULATORY))]
    if arrangements:
        stay["specialArrangement"] = arrangements
    courtesy = datatypes.listed(context, context.one(pv1, 16), "PV1-16")
    if courtesy:
        stay["specialCourtesy"] = [courtesy]
    diet = datatypes.listed(context, context.one(pv1, 38), "PV1-38")
    if diet:
        stay["dietPreference"] = [diet]
    left = context.one(pv1, 36)
    if left is not None:
        stay["dischargeDisposition"], fact = disposition(context, left)
        facts["disposition"] = fact
        if not fact["code"]:
            context.report(place(pv1, 36), "103", "W", "The discharge disposition is not known; the stay is tracked all the same.")
    elif pv1.field(36) == '""':
        facts["disposition"] = None
    going = context.one(pv1, 37)
    if going is not None and not is_time(pv1, 37):
        inner = going.subcomponents.get(0, ())  # DLD: where to, a code up to version 2.6 and a CWE from 2.7 on, and since when
        shown = (inner[1] if len(inner) > 1 else "") or ("" if going[1][:2] in ("19", "20") and going[1].isdigit() else going[1]) or going[0]
        if shown:
            stay["destination"] = shared.elsewhere(context, shown)
            facts["transfer_to"] = shown
    return stay, facts


def disposition(context: Context, said: Composite) -> tuple[Json, DispositionFact]:
    """PV1-36 -> (CodeableConcept, fact). The normal form is the NUBC FL17 code of two digits, "" when what was sent is none and no word we know."""
    source, words = said[0] or said[1] or said.raw, said[1]
    normal = ""
    for candidate in (context.local(source, "disposition", "0112"), source, words):
        normal = normal or _normal(candidate)
    found: Json = {"coding": [_DISPOSITIONS[normal]]} if normal else {}
    own = datatypes.listed(context, said, "PV1-36")
    if own and own.get("coding"):
        found["coding"] = [*found.get("coding", ()), *own["coding"]]
    found["text"] = words or (own or {}).get("text") or source
    return found, DispositionFact(source=source, code=normal, text=words or source)


def _normal(value: str) -> str:
    upper = " ".join(value.upper().split())
    if upper.isascii() and upper.isdigit():
        two = upper.lstrip("0").rjust(2, "0")
        return two if two in _DISPOSITIONS else ""
    return _WORDS.get(upper, "")


def is_time(pv1: Segment, field: int) -> bool:
    """A sender that is off by some fields puts a time where a code belongs."""
    said = pv1.value(field)
    return said[:2] in ("19", "20") and _TIMESTAMP.fullmatch(said) is not None
