"""What a client's FHIR R4 Consents permit: evaluated at every read, from the resources themselves.

Rules, from 42 CFR 2.31 and FHIR R4's Consent:
- only a Consent with status `active` speaks; revoking it (any other status) counts at once, and so does deleting it;
- a provision applies where its period, actors, purposes and labels all include what is asked; a nested provision that applies overrides the
  one around it; between provisions side by side, and between Consents, a deny wins;
- protected content needs a permit that names the recipient, the purpose and the label. A permit that leaves one of them out covers no
  protected content. A deny that leaves them out covers everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from gateway.privacy.sensitivity import PART_2
from gateway.records.statements import Json

Verdict = Literal["permit", "deny"]

TREATMENT = frozenset({"TREAT", "COC", "CAREMGT", "ETREAT"})
PURPOSES = {"TREAT": TREATMENT, "ETREAT": frozenset({"ETREAT", "BTG"})}
"""A purpose of a consent -> the purposes of use within it (v3-ActReason); any other covers itself."""

FAMILY = frozenset({"family", "family members", "relatives", "family and friends"})
"""Words for everybody around the client, where a name might stand."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the consents permit it, until when that answer holds at the longest, and which Consents it rests on."""

    permit: bool
    until: datetime | None = None
    consents: tuple[str, ...] = ()  # "Consent/…", sorted


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to a Consent."""

    recipients: frozenset[str]  # everything that the recipient may be called
    labels: frozenset[str]  # of the content; none: nothing of it is asked
    purpose: str  # "": none is asked
    as_of: datetime


def permits(consents: Iterable[Json], recipient: str, labels: frozenset[str], purpose: str, as_of: datetime) -> Decision:
    """Whether `recipient` (an agency's Organization id) may have content with these protected labels for a v3-ActReason purpose."""
    asked = Asked(frozenset({recipient}), labels, purpose, as_of)
    active = [consent for consent in consents if consent.get("status") == "active"]
    verdicts = [(verdict_of(consent, asked), consent) for consent in active]
    until = min((moment for consent in active for moment in boundaries(consent) if moment > as_of), default=None)
    permitting = tuple(sorted(f"Consent/{consent['id']}" for verdict, consent in verdicts if verdict == "permit"))
    denied = any(verdict == "deny" for verdict, _ in verdicts)
    if denied or not permitting:
        return Decision(False, until)
    return Decision(True, until, permitting)


def verdict_of(consent: Json, asked: Asked) -> Verdict | None:
    """What one active Consent says; None when it does not speak of what is asked."""
    given = instant(consent.get("dateTime"))
    if given and given > asked.as_of:
        return None
    return decide(consent.get("provision") or {}, asked, None)


def decide(provision: Json, asked: Asked, around: Verdict | None) -> Verdict | None:
    """The verdict of a provision and those within it. A provision without a type is the exception to the one around it."""
    said = provision.get("type")
    kind: Verdict | None = said if said in ("permit", "deny") else ("deny" if around == "permit" else "permit" if around == "deny" else None)
    if not within(provision.get("period"), asked.as_of) or not covers(provision, asked, strict=False):
        return None
    inner = [decide(nested, asked, kind) for nested in provision.get("provision", [])]
    if "deny" in inner:
        return "deny"
    if "permit" in inner:
        return "permit"
    return kind if kind == "deny" or (kind and covers(provision, asked, strict=True)) else None


def covers(provision: Json, asked: Asked, strict: bool) -> bool:
    """Whether recipient, purpose and labels are within a provision; `strict` refuses what it leaves unsaid."""
    recipients = {name for actor in provision.get("actor", []) for name in names(actor)}
    purposes = {str(coding.get("code")) for coding in provision.get("purpose", [])}
    labels = {str(coding.get("code")) for coding in provision.get("securityLabel", [])}
    included = frozenset().union(*(PURPOSES.get(code, frozenset({code})) for code in purposes))
    known_labels = labels | PART_2 if labels & PART_2 else labels
    named = not asked.recipients.isdisjoint(recipients) if recipients else not strict
    purposeful = not asked.purpose or (asked.purpose in included if purposes else not strict)
    if not asked.labels:
        labelled = strict or not labels
    elif not labels:
        labelled = not strict
    else:
        labelled = asked.labels <= known_labels if strict else bool(asked.labels & known_labels)
    return named and purposeful and labelled


def names(actor: Json) -> set[str]:
    """How an actor is named: by Organization's id alone, RelatedPerson/<id>, an identifier; people around the client in words too."""
    reference = actor.get("reference", {})
    target = str(reference.get("reference", ""))
    found = {str(reference.get("identifier", {}).get("value", ""))} - {""}
    if "Organization/" in target:
        found.add(target.split("Organization/", 1)[1].split("/", 1)[0])
    if "RelatedPerson/" in target:
        found.add("RelatedPerson/" + target.split("RelatedPerson/", 1)[1].split("/", 1)[0])
    return found if found or target else _people(actor)


def _people(actor: Json) -> set[str]:
    """Somebody around the client by name ("name:maria ruiz"), by relationship ("role:SIS"), or all of the family ("role:FAMMEMB")."""
    reference = actor.get("reference", {})
    roles = {str(one.get("code")) for one in actor.get("role", {}).get("coding", []) if str(one.get("system", "")).endswith("v3-RoleCode")}
    if not roles and reference.get("type") != "RelatedPerson":
        return set()
    shown = str(reference.get("display") or "").casefold().strip()
    if shown and shown not in FAMILY:
        return {f"name:{shown}"}
    return {f"role:{code}" for code in roles or {"FAMMEMB"}}


def boundaries(consent: Json) -> list[datetime]:
    """Every moment at which what a Consent says may change by itself."""
    moments = [instant(consent.get("dateTime"))]
    pending = [consent.get("provision") or {}]
    while pending:
        provision = pending.pop()
        period = provision.get("period") or {}
        moments += [instant(period.get("start")), end_of(period.get("end"))]
        pending.extend(provision.get("provision", []))
    return [moment for moment in moments if moment]


def within(period: Json | None, moment: datetime) -> bool:
    """Whether a moment lies in a FHIR Period; a period whose end cannot be read is over."""
    start, end = instant((period or {}).get("start")), end_of((period or {}).get("end"))
    if (period or {}).get("end") and end is None:
        return False
    return (start is None or start <= moment) and (end is None or moment < end)


def instant(value: Any) -> datetime | None:
    """The first moment of a FHIR dateTime; a date without a zone is UTC's. None when absent or unreadable."""
    text = str(value or "")
    if len(text) in (4, 7):
        text += "-01-01"[: 10 - len(text)] if len(text) == 4 else "-01"
    try:
        parsed = datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed and parsed.tzinfo is None else parsed


def end_of(value: Any) -> datetime | None:
    """The first moment after a FHIR dateTime taken as an end: a day, month or year is over when it has passed, a time at once."""
    first = instant(value)
    if first is None:
        return None
    match len(str(value)):
        case 4:
            return first.replace(year=first.year + 1)
        case 7:
            return (first + timedelta(days=32)).replace(day=1)
        case 10:
            return first + timedelta(days=1)
        case _:
            return first
