"""Short ways to say what the tables of this folder say: a message, and the resources that it becomes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from fhir.resources.R4B import get_fhir_model_class

from gateway.er7 import reader
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2.bundle import bundle
from gateway.mappings.hl7v2.translate import translate
from gateway.records.statements import Statement, Translation

RECEIVED = int(datetime(2026, 11, 22, 18, 0, tzinfo=UTC).timestamp() * 1_000_000)
PROFILE = FeedProfile(name="st-mary", sending_facility="STMARY", hospital="St. Mary Hospital", timezone="America/Chicago", psychiatric_units=("BHU",))
PID = "PID|1||S1^^^^MR||Hollis^Marian||19840312|F"
PV1 = "PV1|1|I|BHU" + "|" * 16 + "V9"


def identify(kind: str, key: str) -> str:
    return hashlib.sha256(f"{kind}|{key}".encode()).hexdigest()[:32]


def message(event: str, *segments: str, version: str = "2.5.1") -> bytes:
    kind, _, code = event.partition("^")
    lines = [rf"MSH|^~\&|REG|STMARY|GW|COUNTY|20261122080001||{event}|M1|P|{version}"]
    if kind in ("ADT", "MDM"):
        lines.append(f"EVN|{code}|20261122080000")
    return "\r".join((*lines, *segments)).encode()


def translated(data: bytes, profile: FeedProfile = PROFILE) -> Translation:
    return translate(reader.read(data), profile, RECEIVED, identify)


def said(data: bytes, kind: str, profile: FeedProfile = PROFILE) -> list[Statement]:
    return [one for one in translated(data, profile).statements if one.kind == kind]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def resources(data: bytes, profile: FeedProfile = PROFILE) -> dict[str, list[dict[str, Any]]]:
    """The Bundle's resources by type: each is R4, each reference leads to an entry, no entry stands twice."""
    made = bundle(translated(data, profile), identify)
    places = [entry["request"]["url"] for entry in made["entry"]]
    assert len(places) == len(set(places))
    assert set(references(made)) <= set(places)
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in made["entry"]:
        resource = entry["resource"]
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        found.setdefault(resource["resourceType"], []).append(resource)
    return found


def at(value: Any, path: str) -> Any:
    """`name[0].family` of a resource; None when it is not there."""
    for step in path.replace("[", ".[").split("."):
        if value is None:
            return None
        if step.startswith("["):
            place = int(step[1:-1])
            value = value[place] if place < len(value) else None
        else:
            value = value.get(step)
    return value
