"""Derived records -> the short lines that the golden table holds. It leaves out what is the same everywhere and says the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any

from gateway.mappings.care.policy import default

Json = dict[str, Any]
QUIET = ("unknown", "withheld unless the client agrees")
"""Answers to what callers must know that are the same for nearly everybody."""
PARTS = ("plan", "requests", "team", "task")


def shown(records: Mapping[str, Json], transition: str, identify: Any) -> list[str]:
    """The records of one transition, as the table writes them."""
    plan = records[f"CarePlan/{identify('CarePlan', f'{transition}|care-plan')}"]
    team = records[plan["careTeam"][0]["reference"]]
    found = [records[one["reference"]["reference"]] for one in plan["activity"] if one["reference"]["reference"] in records]
    requests = [one for one in found if one["resourceType"] == "ServiceRequest"]
    tasks = [one for one in records.values() if one["resourceType"] == "Task" and _of(one, transition)]
    tasks.sort(key=lambda one: int(one["identifier"][0]["value"].rpartition("#")[2]))
    return [*_plan(plan, records), *_requests(requests, records), *_team(team, records), *(f"task: {_task(one)}" for one in tasks)]


def _of(task: Json, transition: str) -> bool:
    return str(task["identifier"][0]["value"]).rpartition("#")[0] == transition


def _plan(plan: Json, records: Mapping[str, Json]) -> Iterator[str]:
    div = plan["text"]["div"]
    yield f"plan: {plan['status']}, {_period(plan['period'])}{_labels(plan)}"
    yield f"  says: {' '.join(_texts(div, 'p')[:1])}"
    for reason in _texts(div.partition("</p>")[2].partition("<h4>")[0], "li"):
        yield f"  tier: {reason}"
    for subject, answer in re.findall(r"<tr><th>(.*?)</th><td>(.*?)</td></tr>", div):
        if answer not in QUIET:
            yield f"  know: {unescape(subject)}: {unescape(answer)}"
    for problem in _under(div, "Open problems"):
        yield f"  problem: {problem}"
    for one in plan.get("addresses", []):
        yield f"  for: {_coded(records[one['reference']]['code'])}"
    for one in plan.get("goal", []):
        goal = records[one["reference"]]
        if goal.get("identifier"):
            yield f"  goal: {goal['description']['text']}, {goal['lifecycleStatus']}"
    for one in plan.get("basedOn", []):
        yield f"  based on: {records[one['reference']]['title']}"
    for one in plan["activity"]:
        told = records[one["reference"]["reference"]]
        if told["resourceType"] == "Appointment":
            yield f"  visit: {told['status']} {_day(told['start'])}"
    for one in plan.get("note", []):
        yield f"  note: {one['text']}"


def _requests(requests: list[Json], records: Mapping[str, Json]) -> Iterator[str]:
    by_status: dict[str, list[str]] = {}
    by_reason: dict[str, list[str]] = {}
    for one in requests:
        by_status.setdefault(one["status"], []).append(_service(one))
        for each in one.get("reasonReference", []):
            if _service(one) not in EVERYONE:
                by_reason.setdefault(_reason(records[each["reference"]]), []).append(f"{_service(one)}{_labels(one)}")
    yield f"requests: {'; '.join(f'{status}: {_named(names)}' for status, names in by_status.items())}"
    follow_up = next(one for one in requests if _service(one) == "follow-up")
    due = _period(follow_up["occurrencePeriod"]) if "occurrencePeriod" in follow_up else "no day known"
    by = ", ".join(each["display"] for each in follow_up.get("performer", [])) or "nobody yet"
    yield f"  follow-up: {follow_up['priority']}, {due}, by {by}"
    for reason, names in by_reason.items():
        yield f"  because {reason}: {', '.join(names)}"
    for one in requests:
        for each in one.get("basedOn", []):
            asked = records[each["reference"]]
            yield f"  {_service(one)}: rests on the clinician's {asked['intent']} {asked['code'].get('text')}"
    for each in follow_up.get("extension", []):
        yield f"  why over: {each['valueCodeableConcept']['text']}"


def _named(names: list[str]) -> str:
    """The services, those that everyone gets in one word where all of them are here."""
    whole = set(EVERYONE) <= set(names)
    return ", ".join([*(["everyone's five"] if whole else []), *(name for name in names if not whole or name not in EVERYONE)])


EVERYONE = tuple(service.name for service in default().services if service.everyone)


def _service(request: Json) -> str:
    title = request["code"]["text"]
    return next(service.name for service in default().services if title.startswith(service.title))


def _team(team: Json, records: Mapping[str, Json]) -> Iterator[str]:
    yield f"team: {team['status']}, {_period(team['period'])}"
    for one in team["participant"]:
        behalf = _name(one["onBehalfOf"], records) if "onBehalfOf" in one else ""
        parts = [_name(one["member"], records), f"for {behalf}" if behalf else "", _period(one["period"]) if "period" in one else ""]
        yield f"  {one['role'][0].get('text') or one['role'][0]['coding'][0].get('display')}: {', '.join(filter(None, parts))}"


def _task(task: Json) -> str:
    owner = task.get("owner", {}).get("display", "the coordinator")
    parts = [f"{task['status']} with {owner}", task["priority"], task["businessStatus"]["text"], task.get("statusReason", {}).get("text", "")]
    return "; ".join(filter(None, parts))


def _name(reference: Json, records: Mapping[str, Json]) -> str:
    known = records.get(str(reference.get("reference", "")), {})
    names = known.get("name")
    if isinstance(names, list) and names:
        return str(names[0].get("text") or " ".join([*names[0].get("given", []), names[0].get("family", "")]).strip())
    return str(names or reference.get("display") or reference.get("reference"))


def _reason(resource: Json) -> str:
    if resource["resourceType"] == "Condition":
        return _coded(resource["code"])
    return str(resource.get("valueCodeableConcept", {}).get("text") or resource.get("valueString"))


def _coded(concept: Json) -> str:
    return str((concept.get("coding") or [{}])[0].get("code") or concept.get("text"))


def _day(text: str) -> str:
    """ "2026-05-14T10:00:00-05:00" -> "05-14 10:00"; another year stays."""
    day, clock = text[:10], text[11:16]
    return f"{day.removeprefix('2026-')}{' ' + clock if clock else ''}"


def _period(period: Json) -> str:
    start, end = period.get("start"), period.get("end")
    return " ".join(filter(None, [f"from {_day(start)}" if start else "", f"to {_day(end)}" if end else ""]))


def _labels(resource: Json) -> str:
    codes = [one["code"] for one in resource["meta"]["security"] if one["code"] in ("SUD", "42CFRPart2", "SDV", "HIV")]
    return f" [{' '.join(sorted(codes))}]" if codes else ""


def _texts(markup: str, element: str) -> list[str]:
    return [unescape(text) for text in re.findall(rf"<{element}>(.*?)</{element}>", markup)]


def _under(div: str, heading: str) -> list[str]:
    found = div.partition(f"<h4>{heading}</h4>")[2].partition("<h4>")[0]
    return _texts(found, "li")
