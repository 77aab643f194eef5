"""The three records as lines of plain words, each with where to look for what it rests on. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any

from gateway.mappings.care.callers import WITHHELD
from gateway.mappings.care.scene import words
from gateway.records.statements import Json
from gateway.web.care.endings import looks_of_ending, looks_of_turns
from gateway.web.care.looks import Look, called_name, looks_of_caller, looks_of_reason, of_member, of_reason, parts, values
from gateway.web.care.records import Records
from gateway.web.wording import moment_words
from transitions.describe import flag_words


@dataclass(frozen=True, slots=True)
class Line:
    """One statement: what it is about, what it says, the rule's record, and what it rests on."""

    label: str
    text: str
    record: str = ""  # "CarePlan/…": whose rule made it
    looks: tuple[Look, ...] = ()
    because: str = ""  # words where no message says it
    under: bool = False  # it belongs to the line before it


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its lines."""

    title: str
    lines: tuple[Line, ...]


_EXPECTED = ("stay.expected_discharge", "Encounter.extension.valueDateTime")
"""What PV2-9 and its like become."""
_DISPOSITION = re.compile(r"Discharge disposition: ([^.<]*)\.")
"""Where the client went, as the plan's narrative says it."""
_ROW = re.compile(r"<tr><th>(.*?)</th><td>(.*?)</td></tr>", re.DOTALL)
"""A row of the table that `narrative.table` writes."""


def sections(records: Records, transition: Mapping[str, Any], *, with_flags: bool = True) -> tuple[Section, ...]:
    """The three records, and the tier and flags that they go by; a section without lines is left out. `with_flags`: or they are told elsewhere."""
    found = (
        Section("Before you call", tuple(_before_calling(records))),
        Section("Risk and flags", tuple(_risk(records, transition, with_flags))),
        Section("Care plan", tuple(_plan(records, transition))),
        Section("To do", tuple(_activities(records, transition))),
        Section("Services requested", tuple(line for request in records.requests for line in _request(records, request, transition))),
        Section("Care team", tuple(_team(records, transition))),
    )
    return tuple(section for section in found if section.lines)


def _before_calling(records: Records) -> Iterator[Line]:
    plan = _name(records.plan)
    for subject, answer in _ROW.findall(records.plan.get("text", {}).get("div", "").partition("</table>")[0]):
        subject, answer = unescape(subject), unescape(answer)
        if answer == "unknown":
            yield Line(subject, answer, plan, because="no message says")
        elif subject == "Contact with family":
            yield Line(subject, answer, plan, because="the policy withholds it" if answer == WITHHELD else "the policy, and the client's consents")
        else:
            yield Line(subject, answer, plan, looks_of_caller(subject, answer))


def _plan(records: Records, transition: Mapping[str, Any]) -> Iterator[Line]:
    plan, name = records.plan, _name(records.plan)
    over = looks_of_ending(transition) if transition["status"] in ("closed", "void") else ()
    left = Look(("Encounter.period.end",)) if transition.get("discharged") else Look(_EXPECTED)
    yield Line("Status", f"{plan['status']} ({plan['intent']})", name, over or (left,))
    yield Line("Period", _period(plan.get("period")), name, (left,) if transition.get("discharged") or not over else over)
    went = _DISPOSITION.search(plan.get("text", {}).get("div", ""))
    if went:
        yield Line("Discharge disposition", unescape(went[1]), name, (Look(("Encounter.hospitalization.dischargeDisposition",)),))
    for reference in plan.get("addresses", []):
        condition = records.find(reference)
        if condition is not None:
            yield Line("Diagnosis", _coded(condition.get("code")), name, (of_reason(condition),))
    for reference in plan.get("goal", []):
        goal = records.find(reference)
        if goal is not None:
            due = next((str(one["dueDate"]) for one in goal.get("target", []) if "dueDate" in one), "")
            text = ", ".join(filter(None, [words(goal.get("description")), f"by {moment_words(due)}" if due else "", goal["lifecycleStatus"]]))
            ours = _name(goal) in records.rules
            yield Line("Goal", text, _name(goal), () if ours else (Look(("Goal",), values(goal.get("description"))),))
    for reference in plan.get("basedOn", []):
        other = records.find(reference)
        if other is not None:
            yield Line(
                "Based on",
                f"another system's plan: {other.get('title', 'without a title')}",
                name,
                (Look(("CarePlan",), parts(other.get("title"))),),
            )
    for number, note in enumerate(plan.get("note", [])):
        yield Line("Note", note["text"], name, over if number == 0 else ())  # the first says why it is over


def _activities(records: Records, transition: Mapping[str, Any]) -> Iterator[Line]:
    for activity in records.plan.get("activity", []):
        one = records.find(activity.get("reference"))
        if one is None:
            continue
        match one["resourceType"]:
            case "ServiceRequest":
                continue  # a section of its own
            case "Appointment":
                what = next((words(kind) for kind in one.get("serviceType", [])), "") or str(one.get("description") or "appointment")
                own = frozenset(str(each["value"]).casefold() for each in one.get("identifier", []) if each.get("value"))
                looks = (
                    *((Look(("Appointment.identifier",), own),) if own else ()),
                    Look(("Appointment.start",), frozenset({str(one.get("start")).casefold()})),
                )
                yield Line("Appointment", f"{what}, {moment_words(one.get('start'))}, {one['status']}", "", looks)
            case kind:
                business = words(one.get("businessStatus"))
                owner = str(one.get("owner", {}).get("display") or ("the agency" if "owner" in one else "the coordinator"))
                yield Line(
                    kind,
                    ", ".join(filter(None, [f"{one['status']} with {owner}", business])),
                    _name(one),
                    looks_of_turns(transition),
                    _routed(transition),
                )


def _request(records: Records, request: Json, transition: Mapping[str, Any]) -> Iterator[Line]:
    name = _name(request)
    said = f"{request['status']}, {request['intent']}, {request.get('priority', 'routine')}"
    yield Line(request["code"]["text"], said, name, because="" if request.get("reasonReference") else "planned for everyone whom the policy names")
    if "occurrencePeriod" in request:
        yield Line("when", _period(request["occurrencePeriod"]), name, (Look(("Encounter.period.end", *_EXPECTED)),), under=True)
    for reference in request.get("reasonReference", []):
        reason = records.find(reference)
        if reason is not None:
            yield Line("reason", _reason(reason), name, (of_reason(reason),), under=True)
    for reference in request.get("basedOn", []):
        asked = records.find(reference)
        if asked is not None:
            yield Line("based on", f"a clinician's request: {_coded(asked.get('code'))}", name, (of_reason(asked),), under=True)
    for performer in request.get("performer", []):
        yield Line("by", str(performer.get("display") or performer.get("reference", "")), name, because=_routed(transition), under=True)


def _reason(resource: Json) -> str:
    value = words(resource.get("valueCodeableConcept")) or str(resource.get("valueString") or "")
    return ": ".join(filter(None, [_coded(resource.get("code")), value]))


def _team(records: Records, transition: Mapping[str, Any]) -> Iterator[Line]:
    team = records.team
    for participant in (team or {}).get("participant", []):
        member = records.find(participant["member"]) or {}
        called = called_name(member) or str(participant["member"].get("display") or participant["member"].get("reference", ""))
        behalf = called_name(records.find(participant.get("onBehalfOf")) or {})
        role = ", ".join(words(one) for one in participant.get("role", []))
        period = _period(participant.get("period")) if participant.get("period") else ""
        text = ", ".join(filter(None, [called, f"for {behalf}" if behalf else "", period]))
        by_routing = str(participant["member"].get("reference", "")).partition("/")[2] in _agencies(transition)
        looks = () if by_routing else (of_member(member or {"name": called}),)
        yield Line(role or "Member", text, _name(team or {}), looks, _routed(transition) if by_routing else "")


def _risk(records: Records, transition: Mapping[str, Any], with_flags: bool) -> Iterator[Line]:
    reasons = transition.get("reasons") or ["no reason for more"]
    for reason in reasons:
        yield Line(f"Tier {transition['tier']}", reason, "", looks_of_reason(records, reason), "rule of assessment")
    for flag in transition.get("flags", []) if with_flags else ():
        told = "; ".join(f"{one['text']}" for one in flag.get("evidence") or ())
        text = f"since {moment_words(flag['since'])}. Cleared by: {flag['clears']}"
        yield Line(flag_words(flag["code"]), text, because=f"rule of assessment {flag['code']}: {told}")


def _coded(concept: Json | None) -> str:
    codes = ", ".join(str(one["code"]) for one in (concept or {}).get("coding", [])[:1] if one.get("code"))
    said = words(concept)
    return f"{said} ({codes})" if codes and codes != said else said


def _period(period: Json | None) -> str:
    start, end = moment_words((period or {}).get("start")), moment_words((period or {}).get("end"))
    if start and end:
        return f"{start} to {end}"
    return f"since {start}" if start else f"until {end}" if end else ""


def _agencies(transition: Mapping[str, Any]) -> set[str]:
    return {str(one.get("agency")) for one in transition.get("assignments") or () if one.get("agency")}


def _routed(transition: Mapping[str, Any]) -> str:
    """By what rule it is whose turn, and how the turns before it ended."""
    *before, last = transition.get("assignments") or [{}]
    earlier = [f"{one['agency']} {one['ended']}" for one in before if one.get("agency") and one.get("ended")]
    return ", after ".join(filter(None, [f"rule of routing: {last['why']}" if last.get("why") else "rule of routing", ", ".join(earlier)]))


def _name(resource: Json) -> str:
    return f"{resource.get('resourceType', '')}/{resource.get('id', '')}"
