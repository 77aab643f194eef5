"""Who belongs to the team, as CareTeam participants: from the stay, from teams that others told of, around the client, and those who follow up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import cast

from gateway.mappings import tables
from gateway.mappings.care import case_manager
from gateway.mappings.care.callers import person_name
from gateway.mappings.care.scene import Scene, organization, others
from gateway.records.record import Owned
from gateway.records.statements import Json
from gateway.records.times import iso
from transitions.model import Assignment

ROLES = tables.codings("care-team-roles")
WORDED = {"REF": "Referring practitioner", "referrer": "Referring practitioner", "PPRF": "Primary performer of the stay"}
TAKES_PART: Json = {"text": "Takes part in the stay"}
"""What is left of a role that no table knows: it says nothing beside another role of the same person."""
KINDS = frozenset({"Practitioner", "PractitionerRole", "Organization", "Patient", "CareTeam"})
ACCEPTED = frozenset({"accepted", "in-progress", "on-hold", "completed"})
KEPT = frozenset({"booked", "arrived", "checked-in", "fulfilled", "noshow"})
"""States of an appointment whose practitioner follows the client up; a cancelled one's did until then."""
_PARTICIPATION = "v3-ParticipationType"
_RELATIONS = ("v3-RoleCode", "v2-0063", "v2-0131")
ADULT = 18


def role(code: str) -> Json:
    """A role of the table, with its words."""
    return {"coding": [ROLES[code]], "text": ROLES[code]["display"]}


def in_hospital(scene: Scene) -> Iterator[Json]:
    """The Encounter's participants, who act on behalf of the hospital; the one who referred acts for nobody there."""
    for participant in scene.stay.encounter.get("participant", []):
        member = known(scene, participant.get("individual"))
        if member is None or _is_relation(participant.get("type", [])):
            continue
        found: Json = {"role": [role_of(participant.get("type", []))], "member": member}
        if scene.hospital and _type(member) == "Practitioner" and found["role"][0].get("text") != WORDED["REF"]:
            found["onBehalfOf"] = scene.hospital
        yield _within(found, participant.get("period"))


def told_of(scene: Scene) -> Iterator[Json]:
    """The members of teams that messages tell of (ROL, PRT, IN3-21) or that others sent; the client's own people are `around`."""
    for team in (*scene.of_type("CareTeam"), *others(scene, "CareTeam")):
        if team.get("status") == "entered-in-error":
            continue
        for participant in team.get("participant", []):
            member = known(scene, participant.get("member"))
            if member is None or _is_relation(participant.get("role", [])):
                continue
            found: Json = {"role": [role_of(participant.get("role", []))], "member": member}
            behalf = participant.get("onBehalfOf")
            if behalf and _type(member) == "Practitioner" and scene.resolves(behalf):
                found["onBehalfOf"] = behalf
            yield _within(found, participant.get("period"))


def primary_care(scene: Scene) -> Iterator[Json]:
    """Patient.generalPractitioner (PD1-3, PD1-4, ROL)."""
    for one in scene.person.patient.get("generalPractitioner", []):
        member = known(scene, one)
        if member is not None:
            yield {"role": [role("PCP")], "member": member}


def around(scene: Scene) -> Iterator[Json]:
    """The client's own people: whom a consent names, or whom the policy lets in for what they are to the client; nobody whom a consent refuses."""
    people = [one for one in scene.of_type("RelatedPerson") if one.get("active") is not False]
    allowed = set(scene.context.policy.relationships)
    age = scene.age()
    if age is not None and age < ADULT and not any(allowed & relations(one) for one in people):
        allowed |= set(scene.context.policy.relationships_of_minors)
    for one in people:
        verdict = scene.context.supports.get(str(one["id"]))
        if verdict == "permit" or (verdict is None and allowed & relations(one)):
            name = person_name(one)
            member = {"reference": f"RelatedPerson/{one['id']}", **({"display": name} if name else {})}
            yield _within({"role": [_relationship(one, allowed)], "member": member}, one.get("period"))


def at_appointments(scene: Scene) -> Iterator[Json]:
    """The practitioners of the follow-up that is booked (AIP), from its booking on; of one that was cancelled, until then."""
    mine = set(scene.appointments())
    for owned in scene.person.appointments:
        status = owned.resource.get("status")
        if f"Appointment/{owned.resource['id']}" not in mine or not (status in KEPT or status == "cancelled"):
            continue
        for participant in owned.resource.get("participant", []):
            member = known(scene, participant.get("actor"))
            if member is None or _type(member) not in ("Practitioner", "PractitionerRole") or not _performs(participant):
                continue
            found: Json = {"role": [_at_visit(participant)], "member": member, "period": _booked(scene, owned, status == "cancelled")}
            agency = str(owned.facts.get("booked_by") or "")
            if agency in scene.context.agencies and _type(member) == "Practitioner":
                found["onBehalfOf"] = organization(scene.context, agency)
            yield found


def agencies(scene: Scene) -> Iterator[Json]:
    """The agency that has accepted, from when on; an earlier one that had, with the end of its time."""
    for assignment in scene.transition.assignments:
        foreign = scene.context.recipient is not None and assignment.agency != scene.context.recipient
        since = _accepted(scene, assignment)
        if assignment.agency and since is not None and not foreign:
            period = {"start": scene.time(since), **({"end": scene.time(max(assignment.until, since))} if assignment.until else {})}
            yield {"role": [{"text": "Community mental-health agency"}], "member": organization(scene.context, assignment.agency), "period": period}


def case_managers(scene: Scene) -> Iterator[Json]:
    """Whom the agency has named on its Task."""
    for member, period in case_manager.spells(scene):
        yield {"role": [role("CASEMGR")], "member": member, "period": period}


def _accepted(scene: Scene, assignment: Assignment) -> datetime | None:
    """When the agency first said so of its Task; None where it never did."""
    mine = (claim for claim in scene.transition.stay.claims if claim.agency == assignment.agency and claim.number in (0, assignment.number))
    said = (claim.at for claim in mine if claim.status in ACCEPTED)
    return min(said, default=assignment.since if assignment.status in ACCEPTED else None)


def known(scene: Scene, reference: Json | None) -> Json | None:
    """The reference as a member's: to somebody in the record who may be one, or in words alone; None for all others."""
    said = {key: value for key, value in (reference or {}).items() if key in ("reference", "identifier", "display")}
    if "reference" in said:
        return said if _type(said) in KINDS and scene.resolves(said) else None
    return said or None


def relations(related: Json) -> set[str]:
    """The codes of what a RelatedPerson is to the client."""
    return {str(coding.get("code")) for concept in related.get("relationship", []) for coding in concept.get("coding", [])}


def role_of(concepts: Iterable[Json]) -> Json:
    """One role: of the table where it has one, else the sender's own; US Core asks for one and takes no more."""
    said = list(concepts)
    codes = [str(coding.get("code")) for concept in said for coding in concept.get("coding", [])]
    for code in codes:
        if code in ROLES:
            return role(code)
    for code in codes:
        if code in WORDED:
            return {"text": WORDED[code]}
    own = [concept for concept in said if any(_PARTICIPATION not in str(one.get("system")) for one in concept.get("coding", [{}]))]
    return own[0] if own and own[0].get("coding", own[0].get("text")) else TAKES_PART


def _relationship(related: Json, allowed: set[str]) -> Json:
    concepts = related.get("relationship", [])
    first = sorted(concepts, key=lambda concept: not allowed & {str(one.get("code")) for one in concept.get("coding", [])})
    return role_of(first[:1]) if first else {"text": "Supports the client"}


def _is_relation(concepts: Iterable[Json]) -> bool:
    return any(str(coding.get("system", "")).endswith(_RELATIONS) for concept in concepts for coding in concept.get("coding", []))


def _performs(participant: Json) -> bool:
    return participant.get("required") != "information-only" and participant.get("status") != "declined"


def _at_visit(participant: Json) -> Json:
    """What the sender calls the practitioner (AIP-4); that they are the first or second to perform the visit is no role in the team."""
    own = [kind for kind in participant.get("type", []) if not any(_PARTICIPATION in str(one.get("system")) for one in kind.get("coding", []))]
    return role_of(own) if own else {"text": "Follow-up practitioner"}


def _booked(scene: Scene, owned: Owned, cancelled: bool) -> Json:
    zone = scene.transition.stay.zone
    since, until = (cast("int | None", owned.facts.get(name)) for name in ("first_recorded", "recorded"))
    found = {"start": iso(since, zone)} if since is not None else {}
    return {**found, **({"end": iso(until, zone)} if cancelled and until is not None else {})}


def _within(found: Json, period: Json | None) -> Json:
    return {**found, "period": period} if period else found


def _type(reference: Json) -> str:
    return str(reference.get("reference", "")).split("/")[0]
