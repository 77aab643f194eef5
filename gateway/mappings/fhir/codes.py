"""CodeableConcepts as the facts that a fold and an assessment read. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.fhir import elements
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.fhir import tables
from gateway.records.statements import DiagnosisFact, DispositionFact, Json

PREFERRED = ("http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-9-cm", "http://snomed.info/sct")
"""Which of several codings of a diagnosis is read first."""

NUBC = (
    "http://terminology.hl7.org/CodeSystem/nubc-UB92",
    "https://www.nubc.org/CodeSystem/PatDischargeStatus",
    "http://terminology.hl7.org/CodeSystem/v2-0112",
    "urn:oid:2.16.840.1.113883.6.301.5",
    "urn:oid:2.16.840.1.113883.12.112",
)
"""Code systems whose codes are FL17's, with or without the leading zero."""


def words(concept: Any) -> str:
    """A concept's text for people: its text, else a coding's display, else a code."""
    if not isinstance(concept, dict):
        return ""
    shown = [str(one["display"]) for one in elements.codings(concept) if one.get("display")]
    coded = [str(one["code"]) for one in elements.codings(concept) if one.get("code")]
    return str(concept.get("text") or concept.get("display") or next(iter([*shown, *coded]), ""))


def fact(concept: Any, kind: str = "", principal: bool = False) -> DiagnosisFact:
    """A concept as one coded fact: the preferred coding, and the text."""
    found = sorted((one for one in elements.codings(concept) if one.get("code")), key=_preference)
    said = DiagnosisFact(
        system=str(found[0].get("system", "")) if found else "",
        code=str(found[0]["code"]) if found else "",
        text=words(concept),
        principal=principal,
    )
    if kind:
        said["kind"] = kind
    return said


def facts(concepts: Iterable[Any]) -> list[DiagnosisFact]:
    """Each concept as a fact."""
    return [fact(one) for one in concepts if isinstance(one, dict)]


def _preference(coding: Json) -> int:
    system = coding.get("system")
    return PREFERRED.index(system) if system in PREFERRED else len(PREFERRED)


def disposition(concept: Any, profile: FeedProfile) -> DispositionFact | None:
    """How a stay ended, in our normal form; the code is "" when nobody can tell. None: nothing was said."""
    if not isinstance(concept, dict) or not concept:
        return None
    local = {code.casefold(): standard for code, standard in profile.codes.get("disposition", {}).items()}
    found = elements.codings(concept)
    named = [str(one.get("code", "")) for one in found] + [words(concept)]
    source = next((one for one in named if one), "")
    code = next((local[one.casefold()] for one in named if one.casefold() in local), "") or next(
        (normal for one in found if (normal := _normal(str(one.get("system", "")), str(one.get("code", ""))))), ""
    )
    return DispositionFact(source=source, code=code, text=words(concept))


def _normal(system: str, code: str) -> str:
    if system in NUBC and code.isascii() and code.isdigit() and len(code) <= 2:
        return code.zfill(2)
    return tables.dispositions().get((system, code), "")


def kind_of(said: Iterable[str], psychiatric: Iterable[str], other: Iterable[str]) -> str | None:
    """ "psychiatric" or "other" by the feed profile's lists, any case; None when it lists none of what was said."""
    have = {one.casefold() for one in said if one}
    if have & {one.casefold() for one in psychiatric}:
        return "psychiatric"
    return "other" if have & {one.casefold() for one in other} else None


def names(concepts: Iterable[Any]) -> list[str]:
    """Every code, display and text of the concepts: what a profile's list may name."""
    found: list[str] = []
    for one in concepts:
        found += [str(coding[part]) for coding in elements.codings(one) for part in ("code", "display") if coding.get(part)]
        if isinstance(one, dict) and one.get("text"):
            found.append(str(one["text"]))
    return found
