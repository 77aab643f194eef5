"""Action codes (tables 0206, 0287) -> "A", "U", "D" or "": whether a segment adds, updates or deletes by identifier, or is one of a snapshot."""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.mappings.hl7v2.context import Context

_DELETES = frozenset(("D", "DC", "DE", "UN"))  # DC is no code of either table, and discontinues what it names all the same
_ADDS = frozenset(("A", "AD"))


def action(context: Context, segment: Segment, field: int) -> str:
    """What the code in that field says; the feed profile's mode for the segment stands above it ("snapshot" or "action")."""
    code = context.text(segment, field).upper()
    said = "D" if code in _DELETES else "A" if code in _ADDS else "U" if code and code != "S" else ""
    modes = context.profile.segment_modes
    mode = modes.get(segment.name) if modes else None
    if mode == "snapshot" and said != "D":
        return ""
    return said or ("U" if mode == "action" else "")
