"""SMART scopes, versions 1 and 2: reading them, comparing them, asking them (SMART App Launch 2.2, "Scopes and Launch Context").

    system/Task.rus                                   version 2: letters in the order c r u d s
    system/Observation.rs?category=laboratory         version 2 with a constraint
    system/Task.read                                  version 1: read is rs, write is cud, * is cruds
    openid, launch/patient, offline_access            named: they open no resource

A scope keeps the text that was asked for, so that an answer can echo it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args
from urllib.parse import parse_qsl

from gateway.errors import Invalid

Context = Literal["system", "user", "patient"]
Interaction = Literal["c", "r", "u", "d", "s"]
Constraint = tuple[tuple[str, str], ...]
"""Search parameters that a record must meet, all of them: (("category", "laboratory"),). Empty: no constraint."""

COMPARTMENT = "_compartment"
"""In a constraint: the record belongs to this Patient ("Patient/…"). It is no search parameter; a patient scope is turned into it."""

NAMED = ("openid", "fhirUser", "profile", "launch", "launch/patient", "offline_access", "online_access")
"""The named scopes that an app may be registered for."""

VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}

_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")  # RFC 6749 section 3.3, scope-token
_NAMED = re.compile(r"openid|profile|fhirUser|launch(/[A-Za-z]+)?|online_access|offline_access")
_RESOURCE = re.compile(r"(?P<context>system|user|patient)/(?P<type>\*|[A-Z][A-Za-z]+)\.(?P<letters>c?r?u?d?s?|read|write|\*)(?:\?(?P<query>.+))?")
_PARAMETER = re.compile(r"[A-Za-z_][\w.:-]*")


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope. `letters` is "" for a named scope such as openid; `type` is a resource type or "*"."""

    text: str
    context: Context | None = None
    type: str = ""
    letters: str = ""
    constraint: Constraint = ()

    def covers(self, type: str, interaction: str) -> bool:
        """Whether it opens this interaction on this resource type, constraint aside."""
        return interaction in self.letters and self.type in ("*", type)


@lru_cache(256)
def parse(text: str) -> tuple[Scope, ...]:
    """Read a space-separated list; a doubled scope counts once. Raises Invalid, with the place of the first that is not a scope."""
    words = [word for word in text.split(" ") if word]
    return tuple({word: _parse_one(word, f"scope {place}") for place, word in enumerate(words, 1)}.values())


def _parse_one(text: str, where: str) -> Scope:
    if _NAMED.fullmatch(text):
        return Scope(text)
    found = _RESOURCE.fullmatch(text)
    if not _TOKEN.fullmatch(text) or found is None or not found["letters"]:
        raise Invalid("not a SMART scope", location=where, advice="Write it as system/Task.rus: letters in the order c r u d s.")
    if found["query"] and found["letters"] in VERSION_1:
        raise Invalid("a version 1 scope with a constraint, which only version 2 has", location=where)
    letters = VERSION_1.get(found["letters"], found["letters"])
    return Scope(text, _context(found["context"]), found["type"], letters, _constraint(found["query"], where))


def _context(word: str) -> Context:
    return next(context for context in get_args(Context) if context == word)


def _constraint(query: str | None, where: str) -> Constraint:
    if not query:
        return ()
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        pairs = []
    if not pairs or not all(_PARAMETER.fullmatch(name) and value for name, value in pairs):
        raise Invalid("the constraint is not parameter=value", location=where)
    return tuple(sorted(set(pairs)))


def text(scopes: Iterable[Scope]) -> str:
    """The scopes as asked for, space-separated."""
    return " ".join(scope.text for scope in scopes)


def allows(
    scopes: Iterable[Scope], type: str, interaction: Interaction, contexts: Collection[Context] = ("system", "user")
) -> tuple[Constraint, ...] | None:
    """What these scopes grant for one interaction on one resource type: None for nothing, () for every record of the type, else the
    constraints of which a record must meet at least one. Patient scopes count only where the caller says that it keeps to the patient.
    """
    constraints: list[Constraint] = []
    for scope in scopes:
        if scope.context in contexts and scope.covers(type, interaction):
            if not scope.constraint:
                return ()
            constraints.append(scope.constraint)
    return tuple(dict.fromkeys(constraints)) or None


def beyond(requested: Iterable[Scope], registered: Sequence[Scope]) -> tuple[Scope, ...]:
    """The requested scopes that reach further than the registered ones, together, do."""
    return tuple(scope for scope in requested if not _within(scope, registered))


def _within(scope: Scope, registered: Sequence[Scope]) -> bool:
    if not scope.letters:
        return any(scope.text == other.text for other in registered)
    return all(any(_wider(other, scope, letter) for other in registered) for letter in scope.letters)


def _wider(other: Scope, scope: Scope, letter: str) -> bool:
    """More parameters narrow: a registered constraint must be among those of the request."""
    return other.context == scope.context and other.covers(scope.type, letter) and set(other.constraint) <= set(scope.constraint)
