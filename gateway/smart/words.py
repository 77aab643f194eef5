"""Scopes in plain words (words.toml), for the page where a person lets an app in."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from gateway.smart.scopes import Scope

ALWAYS = ("launch", "launch/patient")
"""Scopes that cannot be left out: they say whom the app opens with, and open nothing."""


class Line(NamedTuple):
    """One scope on the page."""

    scope: str
    words: str
    may_be_left_out: bool


def line(scope: Scope) -> Line:
    """The scope as a sentence's end: "Read and search care plans of this client"."""
    if not scope.letters:
        return Line(scope.text, _words()["named"].get(scope.text, scope.text), scope.text not in ALWAYS)
    verbs = [_words()["letters"][letter] for letter in scope.letters]
    doing = verbs[0] if len(verbs) == 1 else f"{', '.join(verbs[:-1])} and {verbs[-1]}"
    what = _words()["types"].get(scope.type, scope.type)
    whose = "of this client" if scope.context == "patient" else "of everybody whom you may see"
    only = "".join(f"; only where {name} is {value.rpartition('|')[2]}" for name, value in scope.constraint)
    return Line(scope.text, f"{doing.capitalize()} {what} {whose}{only}", True)


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(resources.files("gateway.smart").joinpath("words.toml").read_text("utf-8"))
