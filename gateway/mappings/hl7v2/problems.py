"""PRB, GOL, PTH, VAR -> Condition, Goal, CarePlan: what the problem-oriented record of PPR, PGL, PPP and PPG messages says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes, keys, shared
from gateway.mappings.hl7v2.context import Context
from gateway.records.statements import Json, Statement

_T = "http://terminology.hl7.org/CodeSystem/"
_CLINICAL = tables.targets("life-cycle")
_GOAL = tables.column("life-cycle", "goal")
_PLAN = tables.column("life-cycle", "plan")
_LEADS = {"PPR": "PRB", "PGL": "GOL", "PPP": "PTH", "PPG": "PTH"}
_SECOND = {"PPP": "PRB", "PPG": "GOL"}
_CERTAIN = {"C": "confirmed", "CONFIRMED": "confirmed", "P": "provisional", "PROVISIONAL": "provisional", "U": "unconfirmed", "D": "differential"}
_CERTAIN |= {"UNCONFIRMED": "unconfirmed", "DIFFERENTIAL": "differential", "REFUTED": "refuted", "R": "refuted"}
_PROBLEM: list[Json] = [{"coding": [{"system": _T + "condition-category", "code": "problem-list-item", "display": "Problem List Item"}]}]
_ASSESS_PLAN: Json = {"coding": [{"system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "code": "assess-plan"}]}
_ERROR: Json = {"coding": [{"system": _T + "condition-ver-status", "code": "entered-in-error"}]}
_DELETED = frozenset(("D", "DE"))
_UNLINKED = frozenset(("UN",))


@dataclass(slots=True)
class _Group:
    """What stands together: problems, goals and pathways that are about each other."""

    problems: list[Json] = field(default_factory=list)  # references
    goals: list[Json] = field(default_factory=list)
    told: list[tuple[str, Json]] = field(default_factory=list)  # (type, own)


def statements(context: Context, person: tuple[str, ...], stay: str) -> list[Statement]:
    """One statement of kind "care" for each PRB, GOL and PTH; `facts["stay_key"]` is the visit it was told in."""
    lead, second = _LEADS.get(context.event.type, "PRB"), _SECOND.get(context.event.type, "")
    found: list[Statement] = []
    plan, group, current = _Group(), _Group(), None
    for segment in context.message.segments:
        name = segment.name
        if name in (lead, second):
            _tie(group)
            group = _Group()
            if name == lead and second:
                _tie(plan, ("CarePlan",))
                plan = _Group()
        if name in _READERS:
            kind, own, key = _READERS[name](context, segment, person)
            reference = {"reference": f"{kind}/{context.identify(kind, key)}"}
            for one in (group, plan) if second else (group,):
                _remember(one, kind, own, reference, context.text(segment, 1).upper() in _UNLINKED)
            found.append(Statement("care", (key,), person, own, _withdrawn(own), facts={"stay_key": stay} if stay else {}))
            current = own
        elif name == "VAR" and current is not None:
            _annotate(current, _variance(context, segment))
        elif name == "NTE" and current is not None:
            _annotate(current, {"text": "\n".join(filter(None, map(context.values.text, segment.repetitions(3))))})
        elif name in ("OBX", "ORC", "OBR"):
            current = None
    _tie(group)
    _tie(plan, ("CarePlan",))
    return found


def _withdrawn(own: Json) -> tuple[str, ...]:
    """What an earlier word on a problem no longer holds for: an error has no state (con-5), and what is active has not ended (con-4)."""
    if own["resourceType"] != "Condition":
        return ()
    if "clinicalStatus" not in own:
        return ("clinicalStatus", "abatementDateTime")
    ended = () if "abatementDateTime" in own else ("abatementDateTime",)
    return ended if "verificationStatus" in own else (*ended, "verificationStatus")


def _remember(group: _Group, kind: str, own: Json, reference: Json, unlinked: bool) -> None:
    group.told.append((kind, own))
    if not unlinked:
        {"Condition": group.problems, "Goal": group.goals, "CarePlan": []}[kind].append(reference)


def _tie(group: _Group, kinds: tuple[str, ...] = ("Goal", "CarePlan")) -> None:
    """Goals and plans address the problems of their group; plans have its goals."""
    for kind, own in group.told:
        if kind in kinds and group.problems:
            own["addresses"] = group.problems
        if kind == "CarePlan" and kind in kinds and group.goals:
            own["goal"] = group.goals


def _annotate(own: Json, note: Json | None) -> None:
    if note and note.get("text"):
        own["note"] = [*own.get("note", ()), note]


def _variance(context: Context, var: Segment) -> Json:
    """What went otherwise than planned: when, by whose word, and how."""
    kind = datatypes.concept(context, context.one(var, 5))
    lines = [text for raw in var.repetitions(6) if (text := context.values.text(raw))]
    words = ": ".join(part for part in ((kind or {}).get("text", ""), "\n".join(lines)) if part)
    note: Json = {"text": words}
    at = context.moment(var, 3) or context.moment(var, 2)
    if at:
        note["time"] = at.text
    who = shared.practitioner(context, context.one(var, 4))
    if who and "reference" in who:
        note["authorReference"] = who
    return note


def _key(context: Context, kind: str, segment: Segment, instance: int, code: Json, person: tuple[str, ...]) -> tuple[list[Json], str]:
    """(identifiers, key) by the instance number; without one, by whose it is and what."""
    number = context.one(segment, instance)
    key = keys.of_entity(kind, number, context.facility) if number is not None and number[0] else ""
    if key and number is not None:
        return [datatypes.entity(context, number, key)], key
    return [], f"urn:gateway:{kind}:unnumbered:{context.facility}|{person[0]}|{datatypes.local_name(code)}"


def _word(context: Context, segment: Segment, position: int, table: dict[str, str]) -> str:
    """The word of our tables for a code or its text; "" for none."""
    said = context.one(segment, position)
    return (table.get(context.standard(said[0], "life-cycle")) or table.get(said[1].upper()) or "") if said is not None else ""


def _coded(system: str, code: str) -> Json:
    return {"coding": [{"system": _T + system, "code": code}]}


def _problem(context: Context, prb: Segment, person: tuple[str, ...]) -> tuple[str, Json, str]:
    code = datatypes.concept(context, context.one(prb, 3)) or {"text": "Problem"}
    identifiers, key = _key(context, "problem", prb, 4, code, person)
    own: Json = {"resourceType": "Condition", "category": _PROBLEM, "code": code}
    if identifiers:
        own["identifier"] = identifiers
    ended = context.moment(prb, 9)
    if context.text(prb, 1).upper() in _DELETED:
        own["verificationStatus"] = _ERROR
        return "Condition", own, key
    clinical = _word(context, prb, 14, _CLINICAL) or ("resolved" if ended else "active")
    if ended and clinical == "active":
        clinical = "resolved"
    own["clinicalStatus"] = _coded("condition-clinical", clinical)
    certainty = _CERTAIN.get(context.text(prb, 13).upper()) or _CERTAIN.get(context.text(prb, 13, 2).upper())
    if certainty:
        own["verificationStatus"] = _coded("condition-ver-status", certainty)
    onset = context.moment(prb, 16)
    if onset:
        own["onsetDateTime"] = onset.text
    elif words := context.text(prb, 17):
        own["onsetString"] = words
    if ended and clinical in ("resolved", "remission", "inactive"):  # con-4
        own["abatementDateTime"] = ended.text
    since = context.moment(prb, 7)
    if since:
        own["recordedDate"] = since.text
    severity = datatypes.listed(context, context.one(prb, 26), "PRB-26")
    if severity:
        own["severity"] = severity
    for position, label in ((18, "Ranking"), (22, "Prognosis")):
        said = datatypes.concept(context, context.one(prb, position))
        if said:
            _annotate(own, {"text": f"{label}: {said.get('text') or datatypes.lead(said).get('code', '')}"})
    if context.text(prb, 25):
        own["meta"] = _RESTRICTED
    return "Condition", own, key


_RESTRICTED: Json = {"security": [{"system": _T + "v3-Confidentiality", "code": "R", "display": "restricted"}]}


def _goal(context: Context, gol: Segment, person: tuple[str, ...]) -> tuple[str, Json, str]:
    code = datatypes.concept(context, context.one(gol, 3)) or {"text": "Goal"}
    identifiers, key = _key(context, "goal", gol, 4, code, person)
    status = "entered-in-error" if context.text(gol, 1).upper() in _DELETED else _word(context, gol, 18, _GOAL) or "active"
    own: Json = {"resourceType": "Goal", "lifecycleStatus": status, "description": code}
    if identifiers:
        own["identifier"] = identifiers
    since = context.moment(gol, 7)
    if since:
        own["startDate"] = since.text[:10]
    due = context.moment(gol, 8)
    if due:
        own["target"] = [{"dueDate": due.text[:10]}]
    changed = context.moment(gol, 19)
    if changed and len(changed.text) >= 10:
        own["statusDate"] = changed.text[:10]
    category = datatypes.listed(context, context.one(gol, 9), "GOL-9")
    if category:
        own["category"] = [category]
    achieved = datatypes.listed(context, context.one(gol, 16), "GOL-16")
    if achieved:
        own["achievementStatus"] = achieved
    for raw in gol.repetitions(17):
        _annotate(own, {"text": context.values.text(raw)})
    return "Goal", own, key


def _pathway(context: Context, pth: Segment, person: tuple[str, ...]) -> tuple[str, Json, str]:
    code = datatypes.concept(context, context.one(pth, 2)) or {"text": "Pathway"}
    identifiers, key = _key(context, "pathway", pth, 3, code, person)
    status = "entered-in-error" if context.text(pth, 1).upper() in _DELETED else _word(context, pth, 5, _PLAN) or "active"
    title = code.get("text") or datatypes.lead(code).get("code", "Pathway")
    own: Json = {"resourceType": "CarePlan", "status": status, "intent": "plan", "category": [_ASSESS_PLAN, code], "title": title}
    if identifiers:
        own["identifier"] = identifiers
    since = context.moment(pth, 4)
    if since:
        own["period"] = {"start": since.text}
        own["created"] = since.text
    return "CarePlan", own, key


_READERS: dict[str, Any] = {"PRB": _problem, "GOL": _goal, "PTH": _pathway}
