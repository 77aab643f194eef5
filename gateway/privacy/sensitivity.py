"""What a resource is about, as far as privacy cares: v3-ActCode sensitivity codes found in its codes and words.

The rules are data (`sensitivity.csv`): diagnosis codes match by prefix, other codes whole, words anywhere in any text, whatever the case.
Words are taken at face value: "no alcohol use" is substance-use content too, because saying so is a disclosure.
"""

from __future__ import annotations

import base64
import binascii
import csv
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NamedTuple

from gateway.records.remembered import Remembered
from gateway.records.statements import Json

SUBSTANCE_USE = frozenset({"SUD", "ETH", "ETHUD", "OPIOIDUD"})
"""Labels of substance-use content."""

PART_2 = SUBSTANCE_USE | {"42CFRPart2"}
"""The family that 42 CFR Part 2 protects: a consent that names one of them names them all."""

NEVER = "PSYTHPN"
"""Psychotherapy and substance-use counselling notes: not taken in, never disclosed."""

SYSTEMS = {
    "http://hl7.org/fhir/sid/icd-10-cm": "icd-10-cm",
    "http://hl7.org/fhir/sid/icd-10": "icd-10-cm",
    "http://hl7.org/fhir/sid/icd-9-cm": "icd-9-cm",
    "http://snomed.info/sct": "snomed",
    "http://loinc.org": "loinc",
}
BY_PREFIX = frozenset({"icd-10-cm", "icd-9-cm"})
NOT_WORDS = frozenset({"resourceType", "id", "system", "url", "reference", "language", "contentType"})
"""Elements whose strings are identifiers and addresses rather than words of a message."""

SHORT = 200
"""Texts up to this length are remembered, because they recur (names of services, diagnoses, our own phrases); a note does not."""

NOTHING: frozenset[str] = frozenset()


class Rules(NamedTuple):
    """`sensitivity.csv`, ready to ask."""

    codes: dict[str, tuple[tuple[str, frozenset[str]], ...]]  # short system name -> (code or prefix without dots, labels)
    words: tuple[tuple[str, re.Pattern[str]], ...]  # label -> one pattern of all its words
    any_word: re.Pattern[str]  # of all labels: most texts hold none, and are done with after one search


@cache
def rules() -> Rules:
    """The table, read once: it is part of the program."""
    codes: dict[str, list[tuple[str, frozenset[str]]]] = {}
    words: dict[str, list[str]] = {}
    with resources.files(__package__).joinpath("sensitivity.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            labels = row["labels"].split()
            if row["kind"] == "word":
                for label in labels:
                    words.setdefault(label, []).append(row["pattern"])
            else:
                codes.setdefault(row["system"], []).append((row["pattern"].replace(".", ""), frozenset(labels)))
    every = dict.fromkeys(pattern for patterns in words.values() for pattern in patterns)
    return Rules(
        {system: tuple(entries) for system, entries in codes.items()},
        tuple((label, _whole_words(patterns)) for label, patterns in words.items()),
        _whole_words(every),
    )


def _whole_words(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)", re.IGNORECASE)


@lru_cache(maxsize=1 << 14)
def of_code(system: str, code: str) -> frozenset[str]:
    """The sensitivities of a code. A code without a known system is tried as ICD, since hospitals leave DG1-3.3 out."""
    short, plain = SYSTEMS.get(system, "icd-10-cm" if not system else ""), code.replace(".", "").upper()
    if not plain:
        return NOTHING
    found = (labels for pattern, labels in rules().codes.get(short, ()) if (plain.startswith(pattern) if short in BY_PREFIX else plain == pattern))
    return NOTHING.union(*found)


def of_text(text: str) -> frozenset[str]:
    """The sensitivities of words. Line breaks, underscores and runs of blanks count as one blank."""
    return _of_short(text) if len(text) <= SHORT else _of_any(text)


def _of_any(text: str) -> frozenset[str]:
    plain = re.sub(r"[\s_]+", " ", text)
    if not rules().any_word.search(plain):
        return NOTHING
    return frozenset(label for label, pattern in rules().words if pattern.search(plain))


_of_short = lru_cache(maxsize=1 << 14)(_of_any)


def of(value: Any) -> frozenset[str]:
    """The sensitivities of a resource or any part of one: every code, every word, attachments that are text."""
    return _of_value(value)


@Remembered
def _of_value(value: Any) -> frozenset[str]:
    found: set[str] = set()
    _collect(value, found)
    return frozenset(found)


def about_substance_use(value: Any) -> bool:
    """Whether any code or word in it tells of substance use."""
    return not SUBSTANCE_USE.isdisjoint(of(value))


def _collect(value: Any, found: set[str]) -> None:
    kind = type(value)
    if kind is str:
        found |= of_text(value)
    elif kind is dict:
        code = value.get("code")
        if type(code) is str:
            found |= of_code(str(value.get("system") or ""), code)
        for key, inner in value.items():
            if key == "data" and type(inner) is str:
                found |= of_text(attached(value))
            elif key != "meta" and not (key in NOT_WORDS and type(inner) is str):
                _collect(inner, found)
    elif kind is list or kind is tuple:
        for inner in value:
            _collect(inner, found)


def codings(value: Any) -> Iterator[tuple[str, str]]:
    """Every (system, code) pair in a value: Coding, DiagnosisFact, Quantity alike."""
    if isinstance(value, dict):
        code = value.get("code")
        if isinstance(code, str):
            yield str(value.get("system") or ""), code
        for key, inner in value.items():
            if key != "meta":
                yield from codings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from codings(inner)


def attached(attachment: Json) -> str:
    """The words of an inline attachment; "" where it is no text."""
    if not str(attachment.get("contentType", "text/plain")).startswith(("text/", "application/xml", "application/json")):
        return ""
    try:
        return base64.b64decode(attachment["data"], validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return str(attachment["data"])
