"""Small helpers for the translation's tests: a message from lines, its translation, and the checks that every Bundle must pass."""

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
PROFILE = FeedProfile(
    name="st-mary",
    sending_facility="STMARY",
    hospital="St. Mary Hospital",
    timezone="America/Chicago",
    psychiatric_units=("BHU",),
    psychiatric_services=("PSY",),
    other_units=("ICU",),
)
PID = "PID|1||S1^^^^MR||Hollis^Marian||19840312|F"


def identify(kind: str, key: str) -> str:
    return hashlib.sha256(f"{kind}|{key}".encode()).hexdigest()[:32]


def message(event: str, *segments: str, evn: str = "20261122080000", msh: str = "20261122080001", version: str = "2.5.1") -> bytes:
    kind, _, code = event.partition("^")
    lines = [rf"MSH|^~\&|REG|STMARY|GW|COUNTY|{msh}||{event}|M1|P|{version}"]
    if kind in ("ADT", "MDM"):
        lines.append(f"EVN|{code}|{evn}")
    return "\r".join((*lines, *segments)).encode()


def translated(data: bytes, profile: FeedProfile = PROFILE, received: int = RECEIVED) -> Translation:
    return translate(reader.read(data), profile, received, identify)


def said(data: bytes, kind: str, profile: FeedProfile = PROFILE) -> Statement:
    """The one statement of that kind."""
    (found,) = [one for one in translated(data, profile).statements if one.kind == kind]
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def check_bundle(translation: Translation) -> dict[str, Any]:
    """Every resource is R4, every reference leads to an entry, no entry stands twice."""
    made = bundle(translation, identify)
    places = [entry["request"]["url"] for entry in made["entry"]]
    assert len(places) == len(set(places))
    assert set(references(made)) <= set(places)
    for entry in made["entry"]:
        resource = entry["resource"]
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        assert entry["fullUrl"].endswith(f"{resource['resourceType']}/{resource['id']}")
    return made
