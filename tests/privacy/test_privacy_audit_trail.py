"""The audit trail: kept by the commit after the answer, valid R4, the operator's alone, and never lost without a word."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from gateway.errors import Unavailable
from gateway.mappings.feeds.profile import FeedProfile
from gateway.pipeline import Configuration, Journey
from gateway.pipeline.audit_trail import AuditTrail
from gateway.pipeline.journey import WAITING
from gateway.privacy.audit import TRANSITION, Disclosure, Shown, event_of
from gateway.records.ids import identifier
from gateway.store.interface import ALL, Store
from tests.api.gateway_api import empty_store
from transitions.policy import Policy

NOW = 1_795_312_800_000_000  # 2026-11-22T02:00:00Z
READ = Disclosure("read", "river-app", "agency", "river", Shown(("Task/t1/_history/2",), (), ("Patient/p1",), ("Consent/c1",)))
POLL = Disclosure("poll", "river-app", "agency", "river", Shown((), ((TRANSITION, "tr1"), (TRANSITION, "tr2")), ("Patient/p1",)))
SEARCH = Disclosure("search", "desk", "coordinator", "", Shown(("Task/t1/_history/2",), (), ("Patient/p1",)), "patient=Patient%2Fp1")
VIEW = Disclosure("view", "session 00ff", "coordinator", "", Shown((), ((TRANSITION, "tr1"),)), "/worklist?show=all")
OPERATOR = Disclosure("history", "console", "operator", "", Shown(("Task/t1/_history/2", "Task/t1/_history/1")))

EVENTS = [
    # disclosure  type      subtype             action purpose
    (READ, "rest", "read", "R", "TREAT"),
    (POLL, "rest", "search-type", "R", "TREAT"),
    (SEARCH, "rest", "search-type", "E", "CAREMGT"),
    (VIEW, "access", "", "R", "CAREMGT"),
    (OPERATOR, "rest", "history-instance", "R", "HSYSADMIN"),
]


@pytest.mark.parametrize(("disclosure", "type", "subtype", "action", "purpose"), EVENTS)
def test_an_event_is_valid_and_says_who_what_when_why(disclosure: Disclosure, type: str, subtype: str, action: str, purpose: str) -> None:
    event = event_of(disclosure, datetime(2026, 11, 22, 2, tzinfo=UTC), "Device/gateway")
    AuditEvent.model_validate(event)
    assert (event["type"]["code"], event["action"], event["recorded"]) == (type, action, "2026-11-22T02:00:00.000+00:00")
    assert [each["code"] for each in event.get("subtype", [])] == ([subtype] if subtype else [])
    agent = event["agent"][0]
    assert agent["who"]["identifier"]["value"] == disclosure.who
    assert agent["role"][0]["coding"][0]["code"] == disclosure.role
    assert agent["purposeOfUse"][0]["coding"][0]["code"] == purpose
    assert [each["who"]["reference"] for each in event["agent"][1:]] == (
        [f"Organization/{disclosure.organization}"] if disclosure.organization else []
    )
    touched = [one["what"] for one in event["entity"] if "what" in one]
    shown = disclosure.shown
    assert [one["reference"] for one in touched if "reference" in one] == [*shown.patients, *shown.resources, *shown.consents]
    assert [one["identifier"]["value"] for one in touched if "identifier" in one] == [value for _, value in shown.identifiers]
    assert agent.get("policy", []) == list(shown.consents)


class Faulty:
    """A store whose commits fail while `broken`, and wait while `gate` is shut."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.broken = False
        self.gate = threading.Event()
        self.gate.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    @contextmanager
    def write(self, now: int) -> Iterator[Any]:
        self.gate.wait(30)
        if self.broken:
            raise Unavailable("The disk is full")
        with self.store.write(now) as writer:
            yield writer


class Trail:
    """An audit trail over a journey, and how often its commits woke somebody."""

    def __init__(self, folder: Path) -> None:
        self.store = Faulty(empty_store(folder))
        configuration = Configuration(identify=identifier(b"k" * 32), feeds=(FeedProfile(name="f"),), policy=Policy())
        self.woken = 0
        self.journey = Journey(self.store, configuration, lambda: NOW, self._wake)
        self.trail = AuditTrail(self.journey, lambda: NOW)
        self.journey.start()

    def _wake(self) -> None:
        self.woken += 1

    def committed(self) -> None:
        """Returns when the writer has done what was handed over before."""
        done: Future[None] = self.journey.run(lambda writer, now: None, news=False)
        done.exception(30)

    def takes(self, disclosure: Disclosure) -> bool:
        """Whether an answer may be given."""
        try:
            self.trail.add(disclosure)
        except Unavailable:
            return False
        return True

    def told(self) -> list[str]:
        """Who was disclosed to, in the order written."""
        with self.store.reading() as reader:
            return [orjson.loads(body)["agent"][0]["who"]["identifier"]["value"] for _, _, body in reader.audit(0, 10_000)]


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Trail]:
    made = Trail(tmp_path)
    try:
        yield made
    finally:
        made.store.gate.set()
        made.journey.stop()
        made.store.close()


def by(who: str) -> Disclosure:
    return READ._replace(who=who)


def test_an_answer_does_not_wait_for_the_commit_and_wakes_nobody(trail: Trail) -> None:
    trail.store.gate.clear()
    trail.trail.add(READ)
    trail.trail.add(POLL)
    trail.store.gate.set()
    trail.committed()
    assert trail.told() == ["river-app", "river-app"]
    assert trail.woken == 0


def test_stopping_writes_what_was_handed_over(tmp_path: Path) -> None:
    made = Trail(tmp_path)
    for number in range(100):
        made.trail.add(by(str(number)))
    made.journey.stop()
    assert made.told() == [str(number) for number in range(100)]
    made.store.close()


def test_events_are_in_nobodys_view_and_in_no_export(trail: Trail) -> None:
    trail.trail.add(READ)
    trail.committed()
    with trail.store.reading() as reader:
        for recipient in (ALL, "river"):
            assert reader.search(recipient, "AuditEvent") == []
            assert list(reader.export(recipient)) == []
            assert reader.position(recipient) == 0, "no cursor moves"


def test_with_the_queue_full_it_refuses_and_keeps_nothing_of_what_was_not_shown(trail: Trail) -> None:
    trail.store.gate.clear()
    taken = sum(trail.takes(READ) for _ in range(2 * WAITING))
    trail.store.gate.set()
    while trail.journey.waiting:
        time.sleep(0.01)
    trail.committed()
    with trail.store.reading() as reader:
        assert len(reader.audit(0, 3 * WAITING)) == taken
    assert WAITING <= taken < 2 * WAITING


def test_what_a_failed_commit_owes_is_written_before_anything_more_is_shown(trail: Trail) -> None:
    trail.store.gate.clear()
    trail.trail.add(by("first"))
    trail.trail.add(by("second"))
    trail.store.broken = True
    trail.store.gate.set()
    trail.committed()
    for _ in range(3):
        assert not trail.takes(by("refused"))
        trail.committed()
    trail.store.broken = False
    assert not trail.takes(by("refused")), "what is owed comes first"
    trail.committed()
    assert trail.told() == ["first", "second"]
    assert trail.takes(by("third"))
    trail.committed()
    assert trail.told() == ["first", "second", "third"]
