"""A scenario's facts, taken in by a gateway with a real store in the order of time; and what stands in it when it is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from gateway.pipeline import Received
from gateway.pipeline.intake import take
from gateway.store.interface import ALL, Store
from tests.care.golden.facts import AGENCIES, CONFIGURATION, HOSPITALS, Fact, fact, hl7v2, micros, moment, notification
from tests.pipeline.county import memory_folder, store_at, wake

Json = dict[str, Any]
HERE = Path(__file__).parent
RECIPIENTS = (ALL, *AGENCIES.values())


@dataclass(frozen=True)
class Scenario:
    """One row of the golden table."""

    name: str
    client: tuple[str, ...]
    given: tuple[Fact, ...]
    look: datetime
    expected: tuple[str, ...]  # lines, each "part: …" or what stands under one

    @property
    def messages(self) -> list[Received]:
        """What hospitals say: whatever may arrive in any order."""
        return [received(one) for one in self.given if one.who in HOSPITALS or one.who == "County"]

    @property
    def of_hospitals_alone(self) -> bool:
        return len(self.messages) == len(self.given)


@cache
def scenarios() -> tuple[Scenario, ...]:
    """All rows."""
    blocks = re.split(r"^=== ", (HERE / "scenarios.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return tuple(_scenario(block) for block in blocks)


def _scenario(block: str) -> Scenario:
    name, *lines = [line.rstrip() for line in block.splitlines() if line.strip()]
    told: dict[str, list[str]] = {"client": [], "given": [], "look": [], "then": []}
    part = "given"
    for line in lines:
        head, colon, rest = line.partition(":")
        if colon and head in ("client", "given", "look"):
            part = head
            told[part] += [rest.strip()] if rest.strip() else []
        elif not line.startswith(" "):
            part = "then"
            told[part].append(line)
        else:
            told[part].append(line.strip() if part != "then" else "  " + line.strip())
    client = tuple(word.strip() for line in told["client"] for word in line.split(";"))
    given = tuple(fact(line, number, client) for number, line in enumerate(told["given"], 1))
    look = moment(told["look"][0]) if told["look"] else given[-1].at + timedelta(hours=1)
    return Scenario(name.strip(), client, given, look, tuple(told["then"]))


def received(said: Fact) -> Received:
    """What a hospital sends."""
    return Received("fhir-message", notification(said), feed="county-ehr") if said.who == "County" else Received("hl7v2", hl7v2(said))


@contextmanager
def played(scenario: Scenario) -> Iterator[Store]:
    """A store in which everything happened at its own time, up to the moment of the look."""
    with memory_folder() as folder, store_at(folder, CONFIGURATION) as store:
        clock = scenario.given[0].at
        for said in scenario.given:
            clock = _passes(store, clock, said.at)
            now = micros(said.at)
            if said.who in AGENCIES:
                _agency(store, said, now)
            elif said.who == "Coordinator":
                _decides(store, said, now)
            else:
                taken(store, [received(said)], now)
        _passes(store, clock, scenario.look)
        yield store


def _passes(store: Store, since: datetime, until: datetime) -> datetime:
    """The care clock goes on, hour by hour: agencies' time to answer is over when it is, not when the next message comes."""
    while since < until:
        since = min(since + timedelta(hours=1), until)
        wake(store, micros(since), CONFIGURATION)
    return until


def taken(store: Store, inputs: Iterable[Received], now: int) -> None:
    """Take inputs, each in a transaction of its own; every one must be understood."""
    for one in inputs:
        with store.write(now) as writer:
            outcome = take(writer, one, now, CONFIGURATION)
        assert outcome.state in ("processed", "duplicate"), outcome.error


@dataclass(frozen=True)
class Told:
    """What a scenario comes to."""

    views: Mapping[str, Mapping[str, Json]]  # recipient -> "Type/id" -> the record as it stands
    worklist: Sequence[Json]
    histories: Mapping[str, Sequence[bytes | None]]  # "recipient Type/id" -> its versions, oldest first


@cache
def told(scenario: Scenario) -> Told:
    """What stands at the look, in every view, and how it came to."""
    with played(scenario) as store, store.reading() as reader:
        histories = {
            f"{recipient} {one.type}/{one.id}": [each.body for each in reversed(reader.history(recipient, one.type, one.id, 1000))]
            for recipient in RECIPIENTS
            for one in list(reader.export(recipient))
        }
        return Told({recipient: current(store, recipient) for recipient in RECIPIENTS}, transitions(store), histories)


def current(store: Store, recipient: str = ALL) -> dict[str, Json]:
    """Every current resource by "Type/id"."""
    with store.reading() as reader:
        return {f"{one.type}/{one.id}": orjson.loads(one.body) for one in reader.export(recipient) if one.body is not None}


def transitions(store: Store) -> list[Json]:
    """The coordinator's worklist."""
    with store.reading() as reader:
        return [orjson.loads(row.body) for row in reader.worklist(ALL) if row.body is not None]


# --- what people do ---------------------------------------------------------------------------------------------------


def _agency(store: Store, said: Fact, now: int) -> None:
    agency = AGENCIES[said.who]
    seen = current(store, agency)
    tasks = [one for one in seen.values() if one["resourceType"] == "Task" and one["status"] not in ("rejected", "cancelled", "completed")]
    (task,) = tasks
    about = {"client": agency, "role": "agency", "organization": agency, "recipient": agency, "request": f"w{said.place}"}
    if said.what == "accepts":
        body = task | {"status": "accepted"}
    elif declined := re.fullmatch(r"declines, (.+)", said.what):
        body = task | {"status": "rejected", "statusReason": {"text": declined[1]}}
    elif booked := re.fullmatch(r"books (\d\d-\d\d) (\d\d:\d\d)", said.what):
        _create(store, now, about, _appointment(task, moment(f"{booked[1]} {booked[2]}")))
        return
    elif said.what == "reaches her by telephone":
        _create(store, now, about, _call(task, agency, said))
        return
    else:
        raise ValueError(f"an agency does no such thing: {said.what}")
    about |= {"method": "PUT", "type": "Task", "id": task["id"], "if-match": _version(store, agency, task["id"])}
    taken(store, [Received("fhir-write", orjson.dumps(body), about=about)], now)


def _version(store: Store, agency: str, task: str) -> str:
    with store.reading() as reader:
        found = reader.read(agency, "Task", task)
    assert found is not None
    return str(found.number)


def _create(store: Store, now: int, about: dict[str, str], body: Json) -> None:
    kind = body["resourceType"]
    key = f"urn:gateway:write:{about['organization']}|{about['request']}"
    about |= {"method": "POST", "type": kind, "id": CONFIGURATION.identify(kind, key), "key": key}
    taken(store, [Received("fhir-write", orjson.dumps(body), about=about)], now)


def _appointment(task: Json, start: datetime) -> Json:
    return {
        "resourceType": "Appointment",
        "status": "booked",
        "serviceType": [{"text": "Intake visit"}],
        "start": start.isoformat(),
        "end": (start + timedelta(minutes=45)).isoformat(),
        "participant": [{"actor": task["for"], "status": "accepted"}],
    }


def _call(task: Json, agency: str, said: Fact) -> Json:
    phone = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode", "code": "PHONE"}]}
    return {
        "resourceType": "Communication",
        "status": "completed",
        "medium": [phone],
        "subject": task["for"],
        "encounter": task["encounter"],
        "sent": said.at.isoformat(),
        "sender": {"reference": f"Organization/{agency}"},
    }


def _decides(store: Store, said: Fact, now: int) -> None:
    (one,) = transitions(store)
    if routed := re.fullmatch(r"routes to (\w+)", said.what):
        what, value = "route", AGENCIES[routed[1]]
    elif allowed := re.fullmatch(r"records that she (allows|refuses) contact with (\w+) (\w+)", said.what):
        _consents(store, one["patient"], allowed[1] == "allows", f"{allowed[2]} {allowed[3]}", said, now)
        return
    else:
        raise ValueError(f"nobody decides such a thing: {said.what}")
    body = {"transition": one["id"], "patient": one["patient"], "what": what, "value": value, "about": "", "reason": "known there"}
    taken(store, [Received("decision", orjson.dumps(body), about={"by": "ann", "request": f"d{said.place}"})], now)


def _consents(store: Store, patient: str, permit: bool, name: str, said: Fact, now: int) -> None:
    actor = {
        "role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]},
        "reference": {"type": "RelatedPerson", "display": name},
    }
    consent = {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": patient},
        "dateTime": said.at.isoformat(),
        "policyRule": {"text": "The client's own word"},
        "provision": {"type": "permit" if permit else "deny", "actor": [actor]},
    }
    about = {"client": "ann", "role": "coordinator", "organization": "", "recipient": ALL, "request": f"c{said.place}"}
    _create(store, now, about, consent)
