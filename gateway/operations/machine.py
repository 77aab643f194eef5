"""What is asked of the machine: its clock and its disk."""

from __future__ import annotations

import ctypes
import shutil
from pathlib import Path

from gateway.operations.checks import Check, failed, warning, well
from gateway.records.times import moment

_NOT_BEFORE = 1_767_225_600_000_000
"""2026-01-01, in microseconds UTC: no clock that is right says less."""
_AHEAD = 300 * 1_000_000
"""Microseconds that the last commit may lie ahead of the clock."""
_UNSYNCHRONIZED = 5
"""What adjtimex(2) returns (TIME_ERROR) while nothing keeps the clock right."""
_FULL, _SCARCE, _SCARCE_PART = 256 * 1024**2, 2 * 1024**3, 0.05
"""Bytes that are too few to go on, bytes that are few, and the part of a disk that is."""


def clock(now: int, last: int) -> Check:
    """Whether the clock can be right: `now` in microseconds UTC, `last` when the store last committed by it."""
    if now < _NOT_BEFORE:
        return failed("clock", f"it says {moment(now):%Y-%m-%d}, which is long over", "Set it (timedatectl set-ntp true).")
    if last > now + _AHEAD:
        minutes = (last - now) // 60_000_000
        advice = "Set the clock. Nothing is lost: what is committed meanwhile is dated just after the last commit."
        return warning("clock", f"the last commit lies {minutes} minutes ahead of it: it has been set back", advice)
    return well("clock", f"{moment(now):%Y-%m-%d %H:%M:%S} UTC")


def synchronized() -> bool:
    """Whether something keeps the machine's clock right (NTP, PTP or the host); True where the system cannot be asked."""
    try:
        return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))) != _UNSYNCHRONIZED
    except (AttributeError, OSError):
        return True


def disk(directory: Path) -> Check:
    """How much room there is where a directory lies."""
    usage = shutil.disk_usage(directory)
    words = f"{usage.free / 1024**3:,.1f} of {usage.total / 1024**3:,.1f} GB free"
    if usage.free < _FULL:
        return failed("disk", words, "Make room now: when there is none, nothing more is accepted.")
    if usage.free < min(_SCARCE, usage.total * _SCARCE_PART):
        return warning("disk", words, "Make room, or set [retention].")
    return well("disk", words)
