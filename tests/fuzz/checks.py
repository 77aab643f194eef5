"""What must hold of any bytes: they are read or refused, translated or refused, accounted for and answered. Anything else raises."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.er7 import reader
from gateway.er7.acknowledgements import acknowledge, parse_answers
from gateway.errors import GatewayError
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.feeds.seen import by_sender
from gateway.mappings.feeds.starter import name_of, starter
from gateway.mappings.hl7v2.bundle import bundle
from gateway.mappings.hl7v2.explain import explain
from gateway.mappings.hl7v2.populated import populated
from gateway.mappings.hl7v2.translate import translate

RECEIVED = int(datetime(2026, 11, 22, 18, tzinfo=UTC).timestamp() * 1_000_000)
PROFILE = FeedProfile(
    name="st-mary",
    hospital="St. Mary",
    timezone="America/Chicago",
    charset="8859/1",
    psychiatric_units=("BHU",),
    psychiatric_services=("PSY",),
    other_units=("MED3",),
    part2_units=("SUD",),
    mental_health_services=("PSYFU",),
    authorities={"STMARY": "https://st-mary.example.org/mrn"},
    codes={"disposition": {"HOME": "01"}, "class": {"STAT": "I"}, "marital": {"V": "M"}},
    ignore=("PID-22", "DG1-4"),
    segment_modes={"ROL": "snapshot", "DG1": "action"},
    segments={"ZFU-1": "appointment.number", "ZFU-3": "appointment.start", "ZFU-5": "appointment.service", "ZFU-7": "stay.unit"},
)
PROFILES = (FeedProfile(), PROFILE)
MOST_EXPLAINED = 30
"""Values of a message that is accounted for: each costs translations of the whole."""


def check(data: bytes, profile: FeedProfile, accounted: bool) -> None:
    """All of it, for each message in the bytes; its values' fates only where they are to be accounted for."""
    for raw in reader.split(data)[:4] or [data]:
        try:
            message = reader.read(raw, profile.charset)
        except GatewayError as error:
            _answer(None, error)
            continue
        if accounted:
            _account(message, profile)
        _answer(message, _translate(message, profile))


def check_starter(data: bytes) -> None:
    """A starter profile for whoever sends that: TOML that is a valid profile."""
    import tomllib

    from gateway.mappings.feeds.reading import read

    try:
        message = reader.read(data)
    except GatewayError:
        return
    (seen,) = by_sender([message])
    (table,) = tomllib.loads(starter(seen, name_of(seen)))["feed"]
    assert read(table)[1] == []


def _translate(message: reader.Message, profile: FeedProfile) -> GatewayError | None:
    """Why it was refused, if it was; else its Bundle is JSON, and each of its references leads to one of its entries."""
    try:
        translation = translate(message, profile, RECEIVED, identify)
    except GatewayError as error:
        return error
    made = bundle(translation, identify)
    assert orjson.loads(orjson.dumps(made)) == made
    places = [entry["request"]["url"] for entry in made["entry"]]
    assert len(places) == len(set(places)), "an entry stands twice"
    assert set(references(made)) <= set(places), "a reference leads nowhere"
    return None


def _account(message: reader.Message, profile: FeedProfile) -> None:
    """Every populated value has one fate."""
    values = sum(1 for _ in populated(message))
    if values <= MOST_EXPLAINED:
        account = explain(message, profile, RECEIVED, identify)
        assert sum(account.fates().values()) == len(account.fields) == values
        orjson.dumps(account.json())


def _answer(message: reader.Message | None, error: GatewayError | None) -> None:
    """The acknowledgement is a message that says one of the codes."""
    problems = [(error.location, error.condition, "E", error.message)] if error else []
    problems += list(message.problems) if message is not None else []
    code = error.acknowledgement if error else "AA"
    answer = acknowledge(message, code, problems, at=datetime(2026, 11, 22, 18, tzinfo=UTC), control_id="A1", text=str(error or ""))
    if answer:  # a sender may want none (MSH-15 and 16)
        assert {each.code for each in parse_answers(answer)} <= {"AA", "AE", "AR", "CA", "CE", "CR"}


def identify(kind: str, key: str) -> str:
    """An id for a subject: any function of its key will do."""
    return hashlib.sha256(f"{kind}|{key}".encode()).hexdigest()[:32]


def references(value: Any) -> Iterator[str]:
    """All references in a resource, at any depth."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)
