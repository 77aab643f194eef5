"""A client's transaction in the journey: all of its writes or none, on both stores; and one resource of two creates under one condition."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.errors import Conflict, GatewayError
from gateway.pipeline import Journey, Outcome, Received
from gateway.store.interface import ALL, Filter, Store
from gateway.store.postgres import open_postgres
from tests.pipeline.county import CONFIGURATION, NOW, STORY, feed, prepare, state, store_at
from tests.store.stores import empty_schema

KEY = "urn:gateway:write:river|1"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Store]]:
    """A store that knows the county's story: two connections to it on PostgreSQL, as two gateways have them; SQLite has one writer."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            opened = [stack.enter_context(store_at(tmp_path))]
        else:
            url = stack.enter_context(empty_schema())
            opened = [stack.enter_context(closing(open_postgres(url))) for _ in range(2)]
            prepare(opened[0])
        feed(opened[0], STORY)
        yield opened


def patient_of(store: Store) -> str:
    with store.reading() as reader:
        task = orjson.loads(reader.search("river", "Task")[0].body or b"{}")
    return str(task["for"]["reference"])


def booking(store: Store, key: str = KEY, start: str = "2031-01-08T15:00:00Z", **about: str) -> Received:
    """An agency's POST of an Appointment, as the API submits it."""
    body = {
        "resourceType": "Appointment",
        "status": "booked",
        "start": start,
        "participant": [{"actor": {"reference": patient_of(store)}, "status": "accepted"}],
    }
    id = CONFIGURATION.identify("Appointment", key)
    said = {
        "method": "POST",
        "type": "Appointment",
        "id": id,
        "key": key,
        "client": "app",
        "role": "agency",
        "organization": "river",
        "recipient": "river",
    }
    return Received("fhir-write", orjson.dumps(body), about={**said, **about})


def appointments(store: Store) -> list[dict[str, Any]]:
    with store.reading() as reader:
        return [
            body
            for one in reader.search(ALL, "Appointment")
            if "urn:gateway:write" in (body := orjson.loads(one.body or b"{}"))["identifier"][0]["system"]
        ]


def inputs(store: Store) -> int:
    with store.reading() as reader:
        return sum(1 for _ in reader.messages(Filter()))


def run(store: Store, *writes: Received) -> list[Outcome]:
    journey = Journey(store, CONFIGURATION, lambda: NOW)
    journey.start()
    try:
        return journey.submit_together(writes).result(30)
    finally:
        journey.stop()


def test_where_the_second_is_refused_nothing_of_the_first_is_kept(stores: list[Store]) -> None:
    store = stores[0]
    before, told = state(store), inputs(store)
    with pytest.raises(Conflict):
        run(store, booking(store), booking(store, "urn:gateway:write:river|2", **{"method": "PUT", "if-match": "7"}))
    assert (state(store), inputs(store), appointments(store)) == (before, told, [])


def test_what_is_taken_together_is_folded_once(stores: list[Store]) -> None:
    """Of a booking and its move in one transaction, readers see one version."""
    store = stores[0]
    first, second = run(store, booking(store), booking(store, start="2031-01-09T15:00:00Z"))
    assert (first.state, second.state, second.input - first.input) == ("processed", "processed", 1)
    (made,) = appointments(store)
    assert made["start"] == "2031-01-09T15:00:00Z", "the later of the two stands"
    with store.reading() as reader:
        assert [each.number for each in reader.history("river", "Appointment", made["id"], 5)] == [1]


def test_of_two_creates_under_one_condition_there_is_one_resource(stores: list[Store]) -> None:
    """Law 1, also where two gateways take them at the same time."""
    journeys = [Journey(each, CONFIGURATION, lambda: NOW) for each in (stores * 2)[:2]]
    for journey in dict.fromkeys(journeys):
        journey.start()
    try:
        wanted = booking(stores[0], **{"if-none-match": "*"})
        told: list[Future[Outcome]] = [journey.submit(wanted) for journey in journeys]
        done = [each.exception(30) for each in told]
    finally:
        for journey in journeys:
            journey.stop()
    assert all(each is None or isinstance(each, GatewayError) for each in done)
    assert done.count(None) >= 1
    assert len(appointments(stores[0])) == 1
