"""What is looked at, and how it was found."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """How something was found; the later the worse."""

    OK = "ok"
    WARNING = "warning"  # it works, and somebody should look
    FAILED = "failed"


class Check(NamedTuple):
    """One thing that was looked at. `words` hold no PHI, no path and no exception's text."""

    name: str
    verdict: Verdict
    words: str
    advice: str = ""  # what to do, where it is not well


def well(name: str, words: str) -> Check:
    """Something that is as it should be."""
    return Check(name, Verdict.OK, words)


def warning(name: str, words: str, advice: str) -> Check:
    """Something that somebody should look at."""
    return Check(name, Verdict.WARNING, words, advice)


def failed(name: str, words: str, advice: str) -> Check:
    """Something that does not work."""
    return Check(name, Verdict.FAILED, words, advice)


def any_failed(checks: Iterable[Check]) -> bool:
    """Whether one of them failed."""
    return any(each.verdict is Verdict.FAILED for each in checks)
