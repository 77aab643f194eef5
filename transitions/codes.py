"""What a diagnosis means: code sets as data, and their reading.

A coded diagnosis is read by its code; one in words, or in a code system that this reads no codes of, by its words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from transitions.model import Code

_SYSTEMS_ICD9 = ("http://hl7.org/fhir/sid/icd-9", "urn:oid:2.16.840.1.113883.6.103")
_SYSTEMS_ICD10 = ("http://hl7.org/fhir/sid/icd-10", "urn:oid:2.16.840.1.113883.6.90", "urn:oid:2.16.840.1.113883.6.3")
_ICD10_SHAPE = re.compile(r"[A-TV-Z]\d[\dA-Z]\.?[\dA-Z]{0,4}", re.IGNORECASE)
_NEGATIONS = r"(?P<negation>\b(?:no|not|denies|denied|without|negative for|family history of)\s+)?"
_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class CodeSet:
    """A set of diagnoses. Codes are single ("T14.91", with all below it) or ranges of categories ("F20-F99"); words match whole, "suicid*" as a
    beginning.

    `intentional` holds ranges of ICD-10-CM poisonings of which only intentional self-harm is meant: the intent is the sixth character ("2"), or the
    fifth where the sixth is a placeholder. `not_words` are phrases to leave out before the words are looked for.
    """

    icd10: tuple[str, ...] = ()
    icd9: tuple[str, ...] = ()
    intentional: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    not_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one code or text says: the names of the sets that it is in, and whether it is coded so that we know what it is."""

    sets: frozenset[str]
    read: Code
    known: bool  # in ICD-10 or ICD-9, so that not being in a set says something

    def __contains__(self, name: str) -> bool:
        return name in self.sets


class Vocabulary:
    """Named code sets, ready to read codes with; remembers what it has read."""

    def __init__(self, sets: Mapping[str, CodeSet]) -> None:
        self._sets = tuple((name, *_compiled(each)) for name, each in sets.items())
        self._remembered: dict[Code, Meaning] = {}
        self._together: dict[tuple[Code, ...], frozenset[str]] = {}

    def meaning(self, code: Code) -> Meaning:
        """The meaning of one code or text."""
        found = self._remembered.get(code)
        if found is None:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            found = self._remembered[code] = self._read(code)
        return found

    def sets(self, codes: tuple[Code, ...]) -> frozenset[str]:
        """The sets that any of the codes falls into; for a stay's diagnoses, which many stays have alike."""
        found = self._together.get(codes)
        if found is None:
            if len(self._together) >= _REMEMBERED:
                self._together.clear()
            found = self._together[codes] = frozenset().union(*(self.meaning(each).sets for each in codes))
        return found

    def _read(self, code: Code) -> Meaning:
        plain = code.code.replace(".", "").strip().upper()
        is_icd10, is_icd9 = code.system.startswith(_SYSTEMS_ICD10), code.system.startswith(_SYSTEMS_ICD9)
        # A code of ICD-10's shape that names no system is believed when it says yes, never when it would say no.
        as_icd10 = is_icd10 or (not code.system and bool(_ICD10_SHAPE.fullmatch(code.code.strip())))
        found = set()
        for name, in_icd10, in_icd9, _ in self._sets:
            if (as_icd10 and in_icd10(plain)) or (is_icd9 and in_icd9(plain)):
                found.add(name)
        known = bool(plain) and (is_icd10 or is_icd9)
        if not found and (not known or _is_vague(plain, is_icd9)):
            text = code.text or ("" if known else code.code)
            found.update(name for name, _, _, in_words in self._sets if in_words(text))
        return Meaning(frozenset(found), code, known and not _is_vague(plain, is_icd9))


def matcher(words: Iterable[str], not_words: Iterable[str] = ()) -> Callable[[str], bool]:
    """A test for whole words in any case: "suicid*" is a beginning; a negated mention does not count."""
    chosen, left_out = [*map(_pattern, words)], [*map(_pattern, not_words)]
    if not chosen:
        return lambda text: False
    wanted = re.compile(_NEGATIONS + r"\b(?:" + "|".join(chosen) + ")", re.IGNORECASE)
    unwanted = re.compile(r"\b(?:" + "|".join(left_out) + ")", re.IGNORECASE) if left_out else None

    @lru_cache(maxsize=_REMEMBERED)
    def matches(text: str) -> bool:
        if not text:
            return False
        rest = unwanted.sub(" ", text) if unwanted else text
        return any(not match["negation"] for match in wanted.finditer(rest))

    return matches


def _pattern(words: str) -> str:
    stem, star = (words[:-1], r"\w*") if words.endswith("*") else (words, r"\b")
    return r"[\s-]+".join(re.escape(word) for word in re.split(r"[\s-]+", stem)) + star


def _compiled(chosen: CodeSet) -> tuple[Callable[[str], bool], Callable[[str], bool], Callable[[str], bool]]:
    icd10, icd9, poisonings = _codes(chosen.icd10), _codes(chosen.icd9), _codes(chosen.intentional)
    return (
        lambda code: icd10(code) or (poisonings(code) and _is_intentional(code)),
        icd9,
        matcher(chosen.words, chosen.not_words),
    )


def _codes(entries: Iterable[str]) -> Callable[[str], bool]:
    """A test for codes without dots: "F20-F99" by category (as many characters as the bounds have), "T14.91" by its beginning."""
    ranges, beginnings = [], []
    for entry in entries:
        low, dash, high = entry.replace(".", "").upper().partition("-")
        if dash:
            ranges.append((low, high))
        else:
            beginnings.append(low)
    prefixes = tuple(beginnings)
    return lambda code: bool(code) and (code.startswith(prefixes) or any(low <= code[: len(low)] <= high for low, high in ranges))


def _is_intentional(code: str) -> bool:
    return len(code) >= 6 and (code[5] == "2" or (code[5] == "X" and code[4] == "2"))


def _is_vague(code: str, icd9: bool) -> bool:
    """A symptom, a factor that influences health, or an external cause: it does not say what the stay was for."""
    if icd9:
        return code[:1] in ("E", "V") or "780" <= code[:3] <= "799"
    return code[:1] in ("R", "V", "W", "X", "Y", "Z", "U")
