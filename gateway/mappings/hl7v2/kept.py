"""What a message says that no resource has a place for: kept as sent, with its path. `kept.csv` has the fields; unlisted segments are kept whole."""

from __future__ import annotations

import csv
from importlib.resources import files

from gateway.mappings.hl7v2.context import Context, place


def _read() -> dict[str, tuple[int, ...]]:
    text = files(__package__).joinpath("kept.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row["segment"]: tuple(map(int, row["fields"].split())) for row in rows}


FIELDS = _read()
"""Segment -> the fields that are kept. The other fields of that segment are mapped, or say nothing beyond their envelope (set ids)."""


def kept(context: Context) -> tuple[tuple[str, str], ...]:
    """(path, field as sent) of everything populated that is kept; a field of the feed profile's `ignore` is left out."""
    found: list[tuple[str, str]] = []
    for segment in context.message.segments:
        last = len(segment)
        fields = FIELDS.get(segment.name)
        for number in range(1, last + 1) if fields is None else fields:
            if number > last:
                break
            raw = segment.field(number)
            if raw:
                found.append((place(segment, number), raw))
    ignored = context.profile.ignore
    return tuple(one for one in found if one[0] not in ignored) if ignored else tuple(found)
