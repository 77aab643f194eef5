"""Write docs/mapping-coverage.md: what becomes of every row of HL7's v2-to-FHIR segment tables. `python docs/mapping_coverage [--check]`.

The tables are read where the third-party data lies ($GATEWAY_THIRD_PARTY_DATA, else ../shared/data); only facts go into the document: the field, the
attribute, and where we put it. Where a field goes is found by experiment: `explain` of the messages in `probes.hl7`, which fill every field that the
tables name. `decided.csv` says what cannot be seen so: constants that come with a segment, and rows that are not mapped, with the reason.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from gateway.er7 import reader
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2.bundle import bundle
from gateway.mappings.hl7v2.explain import explain
from gateway.mappings.hl7v2.translate import translate

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent / "mapping-coverage.md"
DATA = Path(os.environ.get("GATEWAY_THIRD_PARTY_DATA") or HERE.parents[2] / "shared" / "data") / "v2-to-fhir" / "segments"
SEGMENTS = (
    *("PID", "PV1", "PV2", "DG1", "PD1", "NK1", "ROL", "PRT", "AL1", "IAM", "OBX"),
    *("SCH", "AIS", "AIG", "AIL", "AIP", "TXA", "EVN", "MRG", "IN1", "IN3"),
)
PROFILE = FeedProfile(name="probe", sending_facility="STMARY", hospital="St. Mary Hospital", timezone="America/Chicago", psychiatric_units=("BHU",))
RECEIVED = int(datetime(2026, 11, 22, 18, tzinfo=UTC).timestamp() * 1_000_000)
_NAME = re.compile(r"R4_ (\w+)\[(.+?)\] - ")
_SAYS_LITTLE = frozenset(["coding", "code", "system", "display", "text", "value", "url", "uri", "reference", "each", "use", "type", "status"])
_INDEX = re.compile(r"\[[0-9]+\]")


class Row(NamedTuple):
    """One row of one table: HL7's field, the condition it is under, and the attribute that it names."""

    map: str  # "PID[Patient]"
    field: str  # "PID-5"; the segment's name where the row is about the segment as a whole
    condition: str
    attribute: str


class Fate(NamedTuple):
    """Where a row goes (elements of our Bundle), or why it does not."""

    places: tuple[str, ...]
    reason: str = ""


def rows() -> list[Row]:
    """Every row with an attribute, of the segments that the issue names, in the tables' order."""
    found = []
    for segment in SEGMENTS:
        for path in sorted(DATA.glob(f"*R4_ {segment}[[]*.csv")):
            name = _NAME.search(path.name)
            with path.open(encoding="utf-8-sig", newline="") as file:
                for cells in list(csv.reader(file))[2:]:
                    if name and len(cells) > 9 and cells[9].strip():
                        field = cells[1].strip() or segment
                        found.append(Row(f"{name[1]}[{name[2]}]", field, " ".join(cells[6].split()), " ".join(cells[9].split())))
    return found


def probes() -> list[bytes]:
    """The messages of probes.hl7."""
    text = (HERE / "probes.hl7").read_text(encoding="utf-8")
    return ["\r".join(line for line in block.splitlines() if not line.startswith("#")).encode() for block in text.split("\n\n")]


def _identify(kind: str, key: str) -> str:
    return hashlib.sha256(f"{kind}|{key}".encode()).hexdigest()[:32]


def places() -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """(field -> the elements that depend on it, every element of the probes' Bundles)."""
    by_field: dict[str, dict[str, None]] = defaultdict(dict)
    every: set[str] = set()
    for probe in probes():
        message = reader.read(probe)
        for entry in bundle(translate(message, PROFILE, RECEIVED, _identify), _identify)["entry"]:
            every.update(_paths(entry["resource"], entry["resource"]["resourceType"]))
        for one in explain(message, PROFILE, RECEIVED, _identify).fields:
            field = _INDEX.sub("", one.path).partition(".")[0]
            if one.fate == "mapped":
                by_field[field].update(dict.fromkeys(_INDEX.sub("", target) for target in one.targets))
    return {field: tuple(targets) for field, targets in by_field.items()}, frozenset(every)


def _paths(value: object, path: str) -> list[str]:
    if isinstance(value, dict):
        return [path, *(one for name, inner in value.items() for one in _paths(inner, f"{path}.{name}"))]
    return [one for inner in value for one in _paths(inner, path)] if isinstance(value, list) else [path]


def decided() -> list[dict[str, str]]:
    """decided.csv: map and field as in the tables, `attribute` a regular expression; the first that fits counts."""
    text = (HERE / "decided.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if line and not line.startswith("#")))


def fates() -> list[tuple[Row, Fate]]:
    """Every row with its fate. A place that decided.csv names must be an element that the probes really have."""
    by_field, every = places()
    rulings = decided()
    return [(row, _fate(row, by_field, every, rulings)) for row in rows()]


def _fate(row: Row, by_field: dict[str, tuple[str, ...]], every: frozenset[str], rulings: list[dict[str, str]]) -> Fate:
    for ruling in rulings:
        fits = ruling["map"] in ("", row.map) and ruling["field"] == row.field and re.search(ruling["attribute"], f"{row.condition} {row.attribute}")
        if fits and ruling["reason"]:
            return Fate((), ruling["reason"])
        if fits:
            named = tuple(ruling["place"].split())
            missing = [place for place in named if place not in every]
            if missing:
                raise SystemExit(f"decided.csv: {row.map} {row.field}: the probes have no {missing[0]}")
            return Fate(named)
    found = by_field.get(row.field, ())
    return Fate(_narrowed(row.attribute, found), "" if found else "?")


def _narrowed(attribute: str, found: tuple[str, ...]) -> tuple[str, ...]:
    """Of a field's places those that the row speaks of, where its last element's name tells."""
    names = [name for name in re.findall(r"[A-Za-z]+", _INDEX.sub("", attribute)) if name not in _SAYS_LITTLE and not name[0].isupper()]
    mine = tuple(place for place in found if names and names[-1] in place)
    return mine or found


def document() -> str:
    """The document."""
    found = fates()
    mapped = sum(not fate.reason for _, fate in found)
    lines = [
        "# Mapping coverage",
        "",
        "Every row of HL7's v2-to-FHIR segment tables (HL7/v2-to-fhir, Apache-2.0) that names a FHIR attribute, for the segments",
        "that carry what the gateway is for, and where it goes here. Generated by `python docs/mapping_coverage`; where a field goes",
        "is found by changing it in a message and looking at what changes.",
        "",
        f"**{mapped} of {len(found)} rows mapped: {100 * mapped / len(found):.1f} %.**",
        "",
        "| table | rows | mapped |",
        "| --- | ---: | ---: |",
    ]
    for name in dict.fromkeys(row.map for row, _ in found):
        mine = [fate for row, fate in found if row.map == name]
        lines.append(f"| {name} | {len(mine)} | {sum(not fate.reason for fate in mine)} |")
    lines += ["", "## Not mapped", "", "| table | field | attribute | reason |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.map} | {row.field} | {_code(row.attribute)} | {fate.reason} |" for row, fate in found if fate.reason]
    for name in dict.fromkeys(row.map for row, _ in found):
        lines += ["", f"## {name}", "", "| field | attribute in the table | here |", "| --- | --- | --- |"]
        for row, fate in found:
            if row.map == name:
                where = ", ".join(_code(place) for place in fate.places) if not fate.reason else f"not mapped: {fate.reason}"
                lines.append(f"| {row.field} | {_code(row.attribute)} | {where} |")
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    return f"`{text.replace('|', '/')}`"


def main(arguments: list[str]) -> int:
    """Write the document, or with --check say whether it is current (1: it is not)."""
    text = document()
    if "--check" in arguments:
        return 0 if DOCUMENT.read_text(encoding="utf-8") == text else 1
    DOCUMENT.write_text(text, encoding="utf-8")
    print(text.split("\n\n", 3)[2], file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
