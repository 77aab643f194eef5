"""Which of the people around a client the client's own consents name: let into the team, or kept out of it. Pure.

A Consent names them as recipients (`provision.actor`): by RelatedPerson id or identifier; by name; by relationship (v3-RoleCode); or all of the
family (FAMMEMB, or "family"). What it says of content (labels) and purpose is not asked here: who is in a team is told nothing by that alone.
Without such a Consent the policy's default for the relationship holds. A deny wins, and one that names nobody takes back every permit.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gateway.privacy import consent
from gateway.privacy.consent import Asked, Verdict
from gateway.records.record import PersonRecord
from gateway.records.statements import Json


def verdicts(person: PersonRecord, as_of: datetime) -> Mapping[str, Verdict]:
    """RelatedPerson id -> what the consents say of that person; one of whom they say nothing is not in it."""
    active = [owned.resource for owned in person.consents if owned.resource.get("status") == "active"]
    if not active:
        return {}
    found = {}
    for related in (*person.related, *(part for stay in person.stays for part in stay.parts)):
        if related["resourceType"] == "RelatedPerson" and (verdict := _verdict(active, called(related), as_of)) is not None:
            found[str(related["id"])] = verdict
    return found


def _verdict(active: list[Json], names: frozenset[str], as_of: datetime) -> Verdict | None:
    asked = Asked(names, frozenset(), "", as_of)
    said = [(consent.verdict_of(each, asked), _speaks_of(each, names)) for each in active]
    if ("deny", True) in said:
        return "deny"
    return "permit" if ("permit", True) in said and ("deny", False) not in said else None


def _speaks_of(each: Json, names: frozenset[str]) -> bool:
    pending = [each.get("provision") or {}]
    while pending:
        provision = pending.pop()
        if any(names & consent.names(actor) for actor in provision.get("actor", [])):
            return True
        pending.extend(provision.get("provision", []))
    return False


def called(related: Json) -> frozenset[str]:
    """Everything that a Consent may call this RelatedPerson."""
    relations = [coding for concept in related.get("relationship", []) for coding in concept.get("coding", [])]
    family = ["role:FAMMEMB"] if any(str(coding.get("system", "")).endswith("v3-RoleCode") for coding in relations) else []
    return frozenset(
        (
            f"RelatedPerson/{related['id']}",
            *(str(one["value"]) for one in related.get("identifier", []) if one.get("value")),
            *(f"role:{coding['code']}" for coding in relations if coding.get("code")),
            *(f"name:{name}" for one in related.get("name", []) for name in _written(one)),
            *family,
        )
    )


def _written(name: Json) -> set[str]:
    parts = " ".join([*name.get("given", []), name.get("family", "")])
    return {text.casefold().strip() for text in (str(name.get("text") or ""), parts) if text.strip()}
