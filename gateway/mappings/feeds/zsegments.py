"""What a feed profile may say of the sender's own Z-segments (`segments`): fields, and what each stands for. Pure; `gateway.settings` checks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

TARGETS: dict[str, str] = {
    "appointment.number": "the appointment's own number: the same as SCH-2 of its scheduling messages, if there are any",
    "appointment.start": "when it starts; without it there is no appointment",
    "appointment.end": "when it ends",
    "appointment.minutes": "how long it lasts, in minutes",
    "appointment.status": "its status, by table 0278 or the profile's codes; booked where it says nothing",
    "appointment.service": "what it is for: a code, or words",
    "appointment.practitioner": "with whom: an XCN, or a name",
    "appointment.place": "where: a PL, or a name",
    "appointment.comment": "words for people",
    "stay.disposition": "how the stay ended, as in PV1-36",
    "stay.expected_discharge": "when the discharge is expected, as in PV2-9",
    "stay.unit": "the unit, as in PV1-3.1",
    "stay.service": "the hospital service, as in PV1-10",
}
"""Target -> what it means."""

_PATH = re.compile(r"(Z[A-Z0-9]{2})-([1-9][0-9]{0,2})(?:\.([1-9][0-9]?))?")


class Place(NamedTuple):
    """A field of a Z-segment, or one component of it (0: the whole field)."""

    segment: str
    field: int
    component: int


def problem(path: str, target: str) -> str:
    """Why one line of the map cannot be taken, in plain words; "" when it can."""
    if not _PATH.fullmatch(path):
        return f"{path!r} is not the path of a Z-segment's field: write it as ZFU-3 or ZFU-3.1"
    if target not in TARGETS:
        return f"{target!r} is nothing that a field may stand for: one of {', '.join(TARGETS)}"
    return ""


def problems(segments: Mapping[str, str]) -> list[str]:
    """Why a whole map cannot be taken: its lines, and appointments that never say when they start."""
    found = [words for path, target in segments.items() if (words := problem(path, target))]
    if not found:
        for name, targets in placed(tuple(segments.items())).items():
            if any(target.startswith("appointment.") for target in targets) and "appointment.start" not in targets:
                found.append(f"{name} says something of an appointment and not when it starts: map one of its fields to appointment.start")
    return found


@lru_cache(maxsize=256)
def placed(segments: tuple[tuple[str, str], ...]) -> dict[str, dict[str, Place]]:
    """Segment -> target -> where it stands. Lines that cannot be taken are left out: they were refused when the profile was read."""
    found: dict[str, dict[str, Place]] = {}
    for path, target in segments:
        match = _PATH.fullmatch(path)
        if match and target in TARGETS:
            found.setdefault(match[1], {})[target] = Place(match[1], int(match[2]), int(match[3] or 0))
    return found
