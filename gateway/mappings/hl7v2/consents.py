"""CON -> Consent: what somebody agreed to, or refused. Permits that name no recipient open nothing (`privacy.consent`); a refusal counts."""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.mappings.hl7v2 import datatypes, keys
from gateway.mappings.hl7v2.context import Context
from gateway.records.statements import Json, Statement

_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
_STATUSES = {"A": "active", "L": "active", "R": "active", "P": "proposed", "X": "inactive", "B": "proposed"}
_RELEASE = ("001", "release", "disclos")
_MODES = {"V": "verbal", "W": "written", "T": "by telephone"}


def statements(context: Context, person: tuple[str, ...]) -> list[Statement]:
    """One statement of kind "consent" for each CON; one without a form number is known by its type alone."""
    found = []
    for con in context.message.all("CON"):
        number = context.one(con, 4)
        key = keys.of_entity("consent", number, context.facility) if number is not None and number[0] else ""
        key = key or f"urn:gateway:consent:unnumbered:{context.facility}|{person[0]}|{context.text(con, 2).upper()}"
        found.append(Statement("consent", (key,), person, _consent(context, con, key)))
    return found


def _consent(context: Context, con: Segment, key: str) -> Json:
    status = context.text(con, 11).upper()
    kind = datatypes.listed(context, context.one(con, 2), "CON-2", "0496")
    words = " ".join(str(part) for part in (context.text(con, 2), (kind or {}).get("text", ""))).casefold()
    release = any(sign in words for sign in _RELEASE)
    scope = ("patient-privacy", "Privacy Consent") if release else ("treatment", "Treatment")
    number = context.one(con, 4)
    own: Json = {
        "resourceType": "Consent",
        "status": _STATUSES.get(status, "proposed"),
        "scope": {"coding": [{"system": _SCOPE, "code": scope[0], "display": scope[1]}]},
        "category": [kind or {"text": "Consent"}],
        "policyRule": {"text": context.text(con, 3) or "As the sender's consent form says"},
    }
    if number is not None and number[0]:
        own["identifier"] = [datatypes.entity(context, number, key)]
    decided = context.moment(con, 13) or context.moment(con, 12)
    if decided:
        own["dateTime"] = decided.text
    provision: Json = {}
    if release:
        provision["type"] = "deny" if status == "R" else "permit"
    period = datatypes.period(context, con.value(14), con.value(15))
    if period:
        provision["period"] = period
    if provision:
        own["provision"] = provision
    own |= _verification(context, con, decided.text if decided else "")
    own |= _words(context, con)
    return own


def _verification(context: Context, con: Segment, at: str) -> Json:
    """Who consented, where it was not the patient (CON-24, CON-25)."""
    said = context.one(con, 24)
    relation = datatypes.listed(context, context.one(con, 25), "CON-25", "0063")
    human = datatypes.name(context, said) if said is not None else None
    if human is None:
        return {}
    shown = " ".join((*human.get("given", ()), human.get("family", ""))).strip()
    who = f"{shown} ({relation['text']})" if relation and relation.get("text") else shown
    return {"verification": [{"verified": True, "verifiedWith": {"display": who}, **({"verificationDate": at} if at else {})}]}


def _words(context: Context, con: Segment) -> Json:
    """The consent's own words (CON-5 to CON-9) and how it was given (CON-10), as a note that people read."""
    lines = [text for field in (5, 6, 7, 8, 9) for raw in con.repetitions(field) if (text := context.values.text(raw))]
    mode = _MODES.get(context.text(con, 10).upper())
    if mode:
        lines.append(f"Given {mode}.")
    if not lines:
        return {}
    return {"extension": [{"url": "urn:gateway:consent-words", "valueString": "\n".join(lines)}]}
