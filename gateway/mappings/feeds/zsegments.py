"""What a feed profile may say of the sender's own Z-segments (`segments`): fields, and what each stands for. Pure; `reading` checks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.mappings.feeds.problem import Problem, nearest

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
    "care.safe_contact": "how the client may safely be reached: no voicemail, no post",
    "care.legal_status": "involuntary hold, outpatient commitment, conservatorship",
    "care.long_acting_injection": "when the next one is due, or which it is",
    "care.medication_runs_out": "the day on which the discharge medication runs out",
}
"""Target -> what it means."""

_PATH = re.compile(r"(Z[A-Z0-9]{2})-([1-9][0-9]{0,2})(?:\.([1-9][0-9]?))?")


class Place(NamedTuple):
    """A field of a Z-segment, or one component of it (0: the whole field)."""

    segment: str
    field: int
    component: int


def problems(segments: Mapping[str, Any]) -> list[Problem]:
    """Why a map cannot be taken: its lines, targets that two fields share, and appointments that never say when they start."""
    found = []
    for path, target in segments.items():
        if not _PATH.fullmatch(path):
            found.append(
                Problem(("segments", path), "is not the path of a Z-segment's field", "Write segment, field and component: ZFU-3 or ZFU-3.1.")
            )
        elif not isinstance(target, str) or target not in TARGETS:
            advice = nearest(str(target), list(TARGETS)) or f"The targets are {', '.join(TARGETS)}."
            found.append(Problem(("segments", path), f"names {target!r}, which is nothing that a field may stand for", advice))
    return found or _incomplete(segments)


def _incomplete(segments: Mapping[str, str]) -> list[Problem]:
    found = []
    for path, target in segments.items():
        name = path.partition("-")[0]
        of_segment = [each for other, each in segments.items() if other.startswith(f"{name}-")]
        if of_segment.count(target) > 1:
            found.append(Problem(("segments", path), f"stands for {target}, and so does another field of {name}", "Keep one of the two."))
        elif target.startswith("appointment.") and "appointment.start" not in of_segment:
            words = f"says something of an appointment, and no field of {name} says when it starts"
            found.append(Problem(("segments", path), words, "Map the field with its day and time to appointment.start."))
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
