"""Fragments -> resources: ids, the person and stay they belong to, and what they say of each other. Pure.

A fragment may refer to another of the same subject by its local name (`local("RelatedPerson", name)`), or to the person (`PERSON`): who gets
which id is known only here. Members of a team are told one by one, and make one CareTeam.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.fhir.references import place
from gateway.fhir.required import complete
from gateway.records.statements import Fragment, Identify, Json

_LOCAL = "urn:gateway:local:"
PERSON = f"{_LOCAL}Patient"
"""What a reference says that means the person themselves."""
_REFERRING = {"AllergyIntolerance": "recorder", "CareTeam": "participant.member", "Coverage": "subscriber", "DiagnosticReport": "result"}
"""Resource type -> the element by which a fragment may refer to the person or another fragment: one, or a list, of references or what holds one."""
_TEAM = "care-team"
_UNKNOWN_ROLE: list[Json] = [
    {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK", "display": "unknown"}], "text": "unknown"}
]


def local(kind: str, name: str) -> str:
    """What a reference says that means the fragment of that type and local name within the same subject."""
    return f"{_LOCAL}{kind}|{name}"


def placed(fragments: Iterable[Fragment], key: str, patient: str, encounter: str | None, identify: Identify) -> list[Json]:
    """The resources of a subject known by `key`; `patient` and `encounter` are references ("Patient/…")."""
    found: list[Json] = []
    members: list[Json] = []
    for resource, name, _, _ in fragments:
        kind = resource["resourceType"]
        if kind in _REFERRING:
            resource = _resolved(resource, _REFERRING[kind], key, patient, identify)
            if kind == "CareTeam":
                members.append(resource)
                continue
        resource = complete(place(resource, patient, encounter))
        resource["id"] = identify(kind, f"{key}|{name}")
        found.append(resource)
    if members:
        found.append(place({**_team(members), "id": identify("CareTeam", f"{key}|{_TEAM}")}, patient, encounter))
    return found


def diagnoses(fragments: Iterable[Fragment], key: str, identify: Identify) -> list[Json]:
    """Encounter.diagnosis of the Conditions among a stay's fragments, with what each is to the stay (`Fragment.link`: use, rank)."""
    return [
        {"condition": {"reference": f"Condition/{identify('Condition', f'{key}|{fragment.local}')}"}, **(fragment.link or {})}
        for fragment in fragments
        if fragment.resource["resourceType"] == "Condition" and fragment.action != "D"
    ]


def _team(members: list[Json]) -> Json:
    """One CareTeam of the members told: everybody with a role (US Core), once."""
    team: Json = {"resourceType": "CareTeam", "status": "active", "name": "Care team"}
    for member in members:
        for element in ("participant", "reasonCode", "telecom", "managingOrganization"):
            for one in member.get(element, ()):
                if one not in team.setdefault(element, []):
                    team[element].append(one)
    team["participant"] = [one if "role" in one else {"role": _UNKNOWN_ROLE, **one} for one in team.get("participant", ())]
    return team


def _resolved(value: Json, path: str, key: str, patient: str, identify: Identify) -> Json:
    """An object whose reference at `path`, where it is to something within the subject, says the id; the very same object where it says none such."""
    if not path:
        reference = value.get("reference")
        if type(reference) is not str or not reference.startswith(_LOCAL):
            return value
        kind, _, name = reference.removeprefix(_LOCAL).partition("|")
        return {**value, "reference": f"{kind}/{identify(kind, f'{key}|{name}')}" if name else patient}
    element, _, rest = path.partition(".")
    said = value.get(element)
    if said is None:
        return value
    if type(said) is not list:
        one = _resolved(said, rest, key, patient, identify)
        return value if one is said else {**value, element: one}
    every = [_resolved(one, rest, key, patient, identify) for one in said]
    return value if all(one is before for one, before in zip(every, said, strict=True)) else {**value, element: every}
