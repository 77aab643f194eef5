"""Scopes in plain words (words.toml), for the page where a person lets an app in."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from gateway.smart.scopes import Scope, parse

ALWAYS = ("launch", "launch/patient")
"""Scopes that cannot be left out: they say whom the app opens with, and open nothing."""


class Line(NamedTuple):
    """One scope on the page."""

    scope: str
    words: str
    may_be_left_out: bool
    parts: tuple[Line, ...] = ()  # what may be allowed instead of all of it


def line(scope: Scope) -> Line:
    """The scope as a sentence's end: "Read and search care plans of this client"."""
    if not scope.letters:
        return Line(scope.text, _words()["named"].get(scope.text, scope.text), scope.text not in ALWAYS)
    verbs = [_words()["letters"][letter] for letter in scope.letters]
    doing = verbs[0] if len(verbs) == 1 else f"{', '.join(verbs[:-1])} and {verbs[-1]}"
    what = _words()["types"].get(scope.type, scope.type)
    whose = "of this client" if scope.context == "patient" else "of everybody whom you may see"
    only = "".join(f"; only where {name} is {value.rpartition('|')[2]}" for name, value in scope.constraint)
    parts = tuple(Line(part.text, words, True) for part, words in _parts(scope))
    return Line(scope.text, f"{doing.capitalize()} {what} {whose}{only}", True, parts)


def kept(asked: Sequence[Scope], left: Collection[str]) -> list[Scope]:
    """What is left of the scopes that an app asks for when the user has left these on the page: a scope, or some of its parts."""
    found: list[Scope] = []
    for scope in asked:
        if scope.text in left or not line(scope).may_be_left_out:
            found.append(scope)
        else:
            found += [part for part, _ in _parts(scope) if part.text in left]
    return found


def _parts(scope: Scope) -> list[tuple[Scope, str]]:
    """The scopes that open a part each of what a scope opens, with their words (SMART App Launch 2.2, "Finer-grained resource constraints")."""
    if scope.constraint or not scope.letters:
        return []
    made = ((f"{scope.context}/{scope.type}.{scope.letters}?category={value}", words) for value, words in _categories().get(scope.type, {}).items())
    return [(parse(text)[0], words) for text, words in made]


def _words() -> Mapping[str, Mapping[str, str]]:
    return _table()


def _categories() -> Mapping[str, Mapping[str, str]]:
    found: Mapping[str, Mapping[str, str]] = _table()["parts"]
    return found


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(resources.files("gateway.smart").joinpath("words.toml").read_text("utf-8"))
