"""The CareTeam: who treated the client in hospital, who cares for them outside, who acts for them, which agency has accepted them.

Joins and leaves follow the facts: whoever leaves stays in the team with the end of their time.
"""

from __future__ import annotations

from gateway.mappings.care import members
from gateway.mappings.care.scene import Scene, ended
from gateway.records.statements import Json
from gateway.records.times import instant

CATEGORY: Json = {"coding": [{"system": "http://loinc.org", "code": "LA27976-2", "display": "Encounter-focused care team"}]}


def care_team(scene: Scene) -> Json:
    """One CareTeam a transition."""
    over = ended(scene, "inactive", "inactive")
    return {
        "resourceType": "CareTeam",
        "id": scene.identify("CareTeam", "care-team"),
        "status": over or ("proposed" if scene.transition.status == "anticipated" else "active"),
        "category": [CATEGORY],
        "name": "Care team for the transition from hospital",
        "subject": scene.subject,
        "encounter": scene.encounter,
        "period": period(scene),
        "participant": participants(scene),
        "managingOrganization": [scene.gateway],
    }


def period(scene: Scene) -> Json:
    """From the admission, or the first word on the stay, until the transition was over."""
    transition = scene.transition
    start = transition.stay.admitted or transition.stay.first_seen
    over = transition.since if transition.status in ("closed", "void") else None
    return {"start": scene.time(start), **({"end": scene.time(over)} if over and over >= start else {})}


def participants(scene: Scene) -> list[Json]:
    """The members, each once in a role at a time; the client alone where no message names anybody (US Core asks for one)."""
    found = [
        *members.in_hospital(scene),
        *members.told_of(scene),
        *members.primary_care(scene),
        *members.around(scene),
        *members.at_appointments(scene),
        *members.agencies(scene),
        *members.case_managers(scene),
    ]
    if scene.hospital:
        found.append({"role": [{"text": "Discharging hospital"}], "member": scene.hospital})
    return once(scene, found) or [{"role": [members.role("PATIENT")], "member": scene.subject}]


def once(scene: Scene, found: list[Json]) -> list[Json]:
    """The same without repeats: what several sources tell of one person in one role at one time is told once."""
    spells: dict[tuple[str, str], list[Json]] = {}
    for one in found:
        told = spells.setdefault((who(scene, one["member"]), _words(one["role"][0])), [])
        same = next((place for place, other in enumerate(told) if _meet(one.get("period", {}), other.get("period", {}))), None)
        if same is None:
            told.append(one)
        else:
            told[same] = _joined(told[same], one)
    busy = {person for person, part in spells if part != _words(members.TAKES_PART)}
    kept = (told for (person, part), told in spells.items() if part != _words(members.TAKES_PART) or person not in busy)
    return [one for told in kept for one in told]


def who(scene: Scene, member: Json) -> str:
    """What tells one member from another: what a PractitionerRole is a role of is the same person."""
    target = str(member.get("reference", ""))
    behind = scene.known.get(target, {}).get("practitioner", {}) if target.startswith("PractitionerRole/") else {}
    return str(behind.get("reference") or target or member.get("identifier") or str(member.get("display")).casefold())


def _joined(one: Json, other: Json) -> Json:
    """Two tellings of one spell: a stated end stands above silence, of two beginnings the earlier, of two ends the later."""
    first, second = one.get("period", {}), other.get("period", {})
    starts = sorted((said["start"] for said in (first, second) if "start" in said), key=_at)
    ends = sorted((said["end"] for said in (first, second) if "end" in said), key=_at)
    whole = {**({"start": starts[0]} if starts else {}), **({"end": ends[-1]} if ends else {})}
    return {**other, **one, **({"period": whole} if whole else {})}


def _meet(one: Json, other: Json) -> bool:
    """Whether two periods can be one spell: neither is over before the other begins."""
    return not any(
        "end" in first and "start" in second and _at(first["end"]) <= _at(second["start"]) for first, second in ((one, other), (other, one))
    )


def _at(text: str) -> int:
    return instant(text) or 0


def _words(concept: Json) -> str:
    coded = next((f"{coding.get('system')}|{coding.get('code')}" for coding in concept.get("coding", []) if coding.get("code")), "")
    return coded or str(concept.get("text")).casefold()
