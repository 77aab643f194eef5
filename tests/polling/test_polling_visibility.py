"""What older things become visible, or are taken away, by routing, consents and merges: a poller that only asks for what is new ends with what
somebody has who reads everything anew (DESIGN, law 8). A real gateway, hospitals' messages, tokens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.attacks_privacy.town import MAJOR_DEPRESSION, OPIOIDS, Client, Partner, Town, consent, pv1, town
from tests.polling.polling_support import FeedPoller, UpdatedPoller

Json = dict[str, Any]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("polled")) as made:
        yield made


class Agency:
    """An agency's two pollers, and what it would have without them."""

    def __init__(self, partner: Partner, id: str) -> None:
        self.partner, self.id = partner, id
        self.feed = FeedPoller(partner.get, limit=3)
        self.tasks = UpdatedPoller(partner.get, id, count=3)
        self.poll()

    def poll(self) -> list[str]:
        """Ask for what is new, and hold what is known against a reader who begins anew."""
        found = self.feed.poll()
        self.tasks.poll()
        fresh = FeedPoller(self.partner.get)
        fresh.poll()
        assert self.feed.known == fresh.known
        for task in self.partner.search("Task", owner=f"Organization/{self.id}"):
            assert self.tasks.known[task["id"]] == task
        return found

    def holds(self, patient: str) -> list[str]:
        """The statuses of the client's transitions, as far as it knows."""
        return [each["status"] for each in self.feed.known.values() if each.get("patient") == f"Patient/{patient}"]


@pytest.fixture
def river(place: Town) -> Agency:
    return Agency(place.river, "river-cmhc")


@pytest.fixture
def harbor(place: Town) -> Agency:
    return Agency(place.harbor, "harbor-house")


def decide(place: Town, transition: str, what: str, value: str) -> None:
    said = {"what": what, "value": value, "about": "", "reason": "because"}
    answer = place.coordinator.ask("POST", f"/api/transitions/{transition}/decisions", json=said)
    assert answer.status_code == 200, answer.text


def test_who_is_routed_elsewhere_is_withdrawn_once_and_comes_to_the_other_with_all_that_is_older(place: Town, river: Agency, harbor: Agency) -> None:
    """The stay, its Task and its documents are from long before the other agency could see them; its cursor is beyond them all."""
    who = place.discharged(Client("7001", "Frost^Ida"))
    (transition,) = river.poll()
    assert harbor.poll() == []
    place.discharged(Client("7002", "Adair^Sten", postal_code="62501"))
    assert len(harbor.poll()) == 1
    place.later(hours=1)
    decide(place, transition, "route", "harbor-house")
    assert river.poll() == [transition]
    assert river.feed.known[transition] == {"id": transition, "status": "withdrawn"}
    assert harbor.poll() == [transition]
    assert harbor.holds(who) == ["open"]
    assert river.poll() == []
    place.later(hours=1)
    decide(place, transition, "route", "river-cmhc")
    assert (harbor.poll(), river.poll()) == ([transition], [transition])
    assert river.holds(who) == ["open"]
    assert [status for id, status in harbor.feed.told if id == transition] == ["open", "withdrawn"]


def test_a_stay_that_a_consent_opens_comes_though_it_is_old_and_goes_with_the_consent(place: Town, river: Agency) -> None:
    """A stay at a house that is a Part 2 program, which River may not know of until the client says so; two days and a cursor later."""
    who = place.discharged(Client("7003", "Rask^Tove"), MAJOR_DEPRESSION, OPIOIDS, facility="CEDAR", unit="NORTH", visit="C7003")
    assert river.poll() == []
    place.later(days=2)
    other = place.discharged(Client("7004", "Ek^Maj"))
    river.poll()
    assert river.holds(other) == ["open"]
    answer = place.coordinator.ask("POST", "/fhir/Consent", json=consent(who, "river-cmhc", place.at))
    assert answer.status_code == 201, answer.text
    (opened,) = river.poll()
    assert river.holds(who) == ["open"]
    place.later(hours=1)
    agreed = place.coordinator.search("Consent", patient=who)[0]
    assert place.coordinator.ask("PUT", f"/fhir/Consent/{agreed['id']}", json=agreed | {"status": "inactive"}).status_code == 200
    assert river.poll() == [opened]
    assert river.feed.known[opened] == {"id": opened, "status": "withdrawn"}
    assert river.poll() == []


def test_two_who_are_one_after_a_merge_are_told_as_one(place: Town, river: Agency) -> None:
    """And what is told of the one who is no more is told once."""
    stays, goes = Client("7005", "Holm^Per", county="P7005"), Client("7006", "Holm^Per", county="P7006")
    place.discharged(stays)
    place.discharged(goes, visit="V7006")
    first = river.poll()
    assert len(first) == 2
    place.later(hours=1)
    place.send("ADT^A40^ADT_A39", stays, "MRG|7006^^^STMARY^MR")
    assert river.poll() != []
    assert river.poll() == []
    survivor = place.patient(stays, place.river)
    assert {each.get("patient") for id, each in river.feed.known.items() if id in first and each["status"] != "withdrawn"} == {f"Patient/{survivor}"}


def test_a_clock_that_steps_back_an_hour_hides_nothing(place: Town, river: Agency) -> None:
    """Our clock; the hospital's goes right, so its correction is the newer word."""
    place.discharged(Client("7007", "Berg^Ulla"))
    assert len(river.poll()) == 1
    place.clock(place.at - timedelta(hours=1))
    place.discharged(Client("7008", "Sand^Ola"))
    assert len(river.poll()) == 1
    theirs = place.at + timedelta(hours=1)
    stay = pv1("BHU", "V7007", theirs - timedelta(days=10), theirs - timedelta(minutes=20), "07")
    place.send("ADT^A08^ADT_A01", Client("7007", "Berg^Ulla"), stay, at=theirs)
    assert len(river.poll()) == 1
    place.clock(place.at + timedelta(hours=3))
    river.poll()
