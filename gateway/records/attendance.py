"""Who takes part, and until when: whoever gives way to another, or is taken out, ends with a period and is not forgotten. Pure.

The time is that of the message that says so. A period that a sender states itself stands above it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.records.statements import Fragment, Json

_PRIMARY_CARE: list[Json] = [
    {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0443", "code": "PP", "display": "Primary care provider"}]}
]
_TOGETHER = frozenset(("CON", "PART"))
"""Roles that several fields and segments fill side by side: naming somebody in one of them says nothing of the others."""


def attended(before: list[Json], now: list[Json], at: str) -> list[Json]:
    """Encounter.participant once a message of the time `at` has named `now`: first those, then whom it leaves unsaid, then those who gave way."""
    stated = {seat(each) for each in now}
    over = [each for each in before if _ended(each)]
    held = [each for each in before if not _ended(each)]
    seats = {seat(each) for each in held}
    by_name = {(seat(each), _person(each)): each for each in held}
    named = {(seat(each), _person(each)) for each in now}
    come = [_continued(each, by_name.get((seat(each), _person(each))), at if seat(each) in seats else "") for each in now]
    stay = [each for each in held if seat(each) not in stated]
    gone = [ended(each, at) for key, each in by_name.items() if key[0] in stated and key not in named]
    return [*come, *stay, *over, *gone]


def ended(participant: Json, at: str) -> Json:
    """The participant with an end to its period: the one that was stated, else `at`."""
    return {**participant, "period": {**participant.get("period", {}), "end": participant.get("period", {}).get("end", at)}}


def _continued(now: Json, before: Json | None, since: str) -> Json:
    """One who is named again keeps the beginning; one who takes a seat from another begins then."""
    if "period" in now:
        return now
    start = before.get("period", {}).get("start", "") if before is not None else since
    return {**now, "period": {"start": start}} if start else now


def vacated(before: list[Json], seats: list[str], at: str) -> list[Json]:
    """Encounter.participant once a message of the time `at` has said that nobody holds these seats any more."""
    return [ended(each, at) if seat(each) in seats and not _ended(each) else each for each in before]


def seat(participant: Json) -> str:
    """What can be held by those whom one message names, and by nobody else: the role, and for those held side by side how it was said."""
    code = next((str(coding.get("code")) for concept in participant.get("type", []) for coding in concept.get("coding", [])), "")
    return str(participant.get("type")) if code in _TOGETHER else code


def _person(participant: Json) -> str:
    return _named(participant.get("individual", {}))


def _ended(participant: Json) -> bool:
    return "end" in participant.get("period", {})


# --- members of a team, told one by one -------------------------------------------------------------------------------


def replaced(standing: dict[str, Fragment], told: list[Fragment], at: str) -> dict[str, Fragment]:
    """What is left, by name, of what stood once a message of the time `at` has listed everything anew: members of a team, with their end."""
    listed = {fragment.local for fragment in told}
    teams = {name: each for name, each in standing.items() if each.resource.get("resourceType") == "CareTeam"}
    kept = {name: each if each.local in listed else left(each, at) for name, each in teams.items()}
    return {name: each for name, each in kept.items() if each is not None}


def changed(standing: dict[str, Fragment], name: str, fragment: Fragment, at: str) -> None:
    """A member added, changed or taken out, in place; somebody else under the same name takes over from the one before."""
    before = standing.pop(name, None)
    gives_way = before is not None and (fragment.action == "D" or _who(before) != _who(fragment))
    if before is not None and gives_way and (former := left(before, at)) is not None:
        standing[f"{name}|{at}"] = former
    if fragment.action != "D":
        standing[name] = _with(fragment, lambda one: {"period": {"start": at}, **one}) if gives_way else fragment


def left(fragment: Fragment, at: str) -> Fragment | None:
    """The member with an end. None for the client's own people, who are told of no longer than they are named."""
    if any("RelatedPerson" in str(one.get("member", {}).get("reference", "")) for one in fragment.resource.get("participant", [])):
        return None
    return _with(fragment, lambda one: ended(one, at))


def former_practitioners(said: Iterable[tuple[Json | None, tuple[str, ...], str]]) -> list[Fragment]:
    """Whoever gave primary care and gave way, as members of the client's team, each with the end; the last that is said is the Patient's own.

    `said`: what is stated of the Patient, what is deleted, and the time, in order.
    """
    standing: list[Json] = []
    former: dict[str, Fragment] = {}
    for own, deletes, at in said:
        now = (own or {}).get("generalPractitioner")
        if now is None and "generalPractitioner" not in deletes:
            continue
        here = [_named(one) for one in now or []]
        for one in standing:
            member: Json = {"role": _PRIMARY_CARE, "member": one, "period": {"end": at}}
            former[_named(one)] = Fragment({"resourceType": "CareTeam", "participant": [member]}, f"former|{_named(one)}")
        for name in here:
            former.pop(name, None)
        standing = now or []
    return list(former.values())


def _named(who: Json) -> str:
    return str(who.get("reference") or who.get("identifier") or who.get("display"))


def _with(fragment: Fragment, change: Callable[[Json], Json]) -> Fragment:
    return fragment._replace(resource={**fragment.resource, "participant": [change(one) for one in fragment.resource.get("participant", [])]})


def _who(fragment: Fragment) -> list[tuple[str, str]]:
    return [(str(one.get("role")), str(one["member"].get("reference") or one["member"])) for one in fragment.resource.get("participant", [])]
