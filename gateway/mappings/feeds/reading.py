"""A [[feed]] table of TOML -> a feed profile, or all that is wrong with it. Pure: `gateway.settings` reads the files and finds the lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from gateway.er7.acknowledgement_mode import MODES
from gateway.er7.charsets import codec
from gateway.mappings.feeds import local_codes, zsegments
from gateway.mappings.feeds.problem import Problem, nearest
from gateway.mappings.feeds.profile import FeedProfile
from gateway.networks import is_network

ACTION_SEGMENTS = ("ARV", "DG1", "IAM", "PR1", "PRT", "ROL")
"""Repeating segments with an action code of their own: those whose mode a profile may set."""

_TYPES = {each.name: str(each.type) for each in fields(FeedProfile)}
_LISTS = {name for name, kind in _TYPES.items() if kind.startswith("tuple")}
_FLAGS = {name for name, kind in _TYPES.items() if kind == "bool"}
_TABLES = {name for name, kind in _TYPES.items() if kind.startswith("Mapping")}
_CHOICES = {"kind": ("hl7v2", "fhir"), "facility_kind": ("psychiatric", "other"), "acknowledgement": MODES}
_OPPOSITES = (
    ("psychiatric_units", "other_units"),
    ("psychiatric_services", "other_services"),
    ("mental_health_services", "other_appointment_services"),
)
_FIELD = re.compile(r"[A-Z][A-Z0-9]{2}-[1-9][0-9]{0,2}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_NEEDED = ("MSH-", "PID-3")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")


def read(table: Mapping[str, Any]) -> tuple[FeedProfile, list[Problem]]:
    """(the profile, what is wrong with it in the order of its keys). Only a profile with which nothing is wrong may be used."""
    codes: dict[str, dict[str, str]] = {}
    problems = [] if "name" in table else [Problem((), "has no name", 'Give it one: name = "st-mary".')]
    for key, value in table.items():
        wrong = _of_wrong_kind(key, value)
        if wrong is not None:
            problems.append(wrong)
        elif key == "codes":
            codes, unknown = local_codes.standard(value)
            problems += unknown
        else:
            problems += _content(key, value)
    if problems:
        return FeedProfile(), problems
    problems = _contradictions(table)
    values: dict[str, Any] = {key: tuple(value) if key in _LISTS else value for key, value in table.items()}
    if "codes" in values:
        values["codes"] = codes
    if "processing_ids" in values:  # MSH-11 is compared in capitals
        values["processing_ids"] = tuple(each.upper() for each in values["processing_ids"])
    return FeedProfile(**values), problems


def alike(profiles: Sequence[FeedProfile]) -> list[tuple[int, Problem]]:
    """(number of the later one from 0, what is wrong) for feeds of one name, and for HL7 v2 feeds that match the very same senders."""
    found = []
    names: set[str] = set()
    senders: dict[tuple[str, str], str] = {}
    for number, each in enumerate(profiles):
        if each.name in names:
            found.append((number, Problem(("name",), "is the name of two feeds", "Each has a name of its own.")))
        names.add(each.name)
        sender = (each.sending_application.casefold(), each.sending_facility.casefold())
        if each.kind != "hl7v2" or not any(sender):
            continue
        other = senders.setdefault(sender, each.name)
        if other != each.name:
            key = "sending_facility" if each.sending_facility else "sending_application"
            words = f"matches the same senders as the feed {other}, so that one of the two would never be used"
            found.append(
                (number, Problem((key,), words, "Let them differ in sending_facility (MSH-4) or sending_application (MSH-3), or join them."))
            )
    return found


def _of_wrong_kind(key: str, value: Any) -> Problem | None:
    """A key that does not exist, or whose value is not of its kind."""
    if key not in _TYPES:
        return Problem((key,), "is a key that does not exist", nearest(key, list(_TYPES)) or f"The keys of a feed are {', '.join(_TYPES)}.")
    if key in _LISTS:
        fits, wanted, example = isinstance(value, list) and all(isinstance(each, str) for each in value), "a list of texts", '["A", "B"]'
    elif key in _FLAGS:
        fits, wanted, example = isinstance(value, bool), "true or false", "true"
    elif key in _TABLES:
        fits, wanted, example = isinstance(value, dict), "a table", f"[feed.{key}] with its lines below"
    else:
        fits, wanted, example = isinstance(value, str), "a text", '"text", in quotes'
    return None if fits else Problem((key,), f"must be {wanted}", f"Write {example}.")


def _content(key: str, value: Any) -> list[Problem]:
    """What is wrong with a value of the right kind."""
    wrong: list[Problem] = []
    if key in _CHOICES and value not in ("", *_CHOICES[key]):
        wrong.append(Problem((key,), f"must be one of {', '.join(_CHOICES[key])}"))
    elif key == "name" and not _NAME.fullmatch(value):
        wrong.append(Problem((key,), "is no name for a feed", "Use letters, digits, dots and dashes, and begin with a letter or digit."))
    elif key == "timezone" and value and not _is_zone(value):
        advice = nearest(value.replace(" ", "_"), sorted(available_timezones())) or 'Use an IANA name: "America/Chicago".'
        wrong.append(Problem((key,), "is not the name of a time zone", advice))
    elif key == "charset" and value and not codec(value):
        wrong.append(Problem((key,), "is not a character set that the gateway reads", 'Use a name of HL7 table 0211: "8859/1", "UNICODE UTF-8".'))
    elif key == "processing_ids" and not value:
        wrong.append(Problem((key,), "is empty, so that every message would count as a test", 'Write ["P"].'))
    elif key == "allow":
        advice = 'Write "10.1.0.0/16", or a single address.'
        wrong += [Problem((key, number), f"{each!r} is no network", advice) for number, each in enumerate(value) if not is_network(each)]
    elif key == "ignore":
        wrong += [Problem((key, number), *words) for number, path in enumerate(value) if (words := _not_to_be_ignored(path))]
    elif key == "segment_modes":
        wrong += [Problem((key, name), *words) for name, mode in value.items() if (words := _wrong_mode(name, mode))]
    elif key == "authorities":
        advice = 'Write an address that is the authority\'s own: "https://st-mary.example.org/mrn" or "urn:oid:2.16…".'
        wrong += [Problem((key, name), "must be an identifier system, which is a URI", advice) for name, uri in value.items() if not _is_uri(uri)]
    elif key == "segments":
        wrong += zsegments.problems(value)
    return wrong


def _contradictions(table: Mapping[str, Any]) -> list[Problem]:
    """A unit or service that is listed as psychiatric and as not."""
    found = []
    for key, other in _OPPOSITES:
        ours = {each.casefold() for each in table.get(key, ())}
        for number, each in enumerate(table.get(other, ())):
            if each.casefold() in ours:
                found.append(Problem((other, number), f"names {each!r}, which is in {key} too", "Keep it in one of the two."))
    return found


def _not_to_be_ignored(path: str) -> tuple[str, ...]:
    if not _FIELD.fullmatch(path):
        return (f"{path!r} is not the path of a field", 'Write segment and field: "PID-22".')
    if path.startswith(_NEEDED[0]) or path == _NEEDED[1]:
        return (f"{path} is needed: without it no message of this feed could be understood", "Take it out of the list.")
    return ()


def _wrong_mode(name: str, mode: Any) -> tuple[str, ...]:
    if name not in ACTION_SEGMENTS:
        return ("is no segment that repeats with action codes", f"The segments are {', '.join(ACTION_SEGMENTS)}.")
    if mode not in ("snapshot", "action"):
        return ('must be "snapshot" or "action"', "snapshot: what is sent replaces what was said before; action: each adds, changes or deletes.")
    return ()


def _is_uri(value: Any) -> bool:
    return isinstance(value, str) and _URI.fullmatch(value) is not None


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
