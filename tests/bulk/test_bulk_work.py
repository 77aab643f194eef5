"""Who works an export: one worker at a time, whoever finds its lease over, and nobody once it was cancelled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from gateway.api import export_content, export_work, exporting
from gateway.api.export_request import Asked
from gateway.api.export_work import LEASE, Worker
from gateway.errors import Unavailable
from gateway.store.exports import ExportRow
from gateway.store.interface import Change, NewVersion, Store
from gateway.store.postgres import open_postgres
from gateway.store.sqlite import open_sqlite
from tests.api.gateway_api import Client, app_of
from tests.bulk.bulk_support import Exports, exports, path, patient, place
from tests.store.stores import POSTGRES, SQLITE, chosen, empty_schema, fresh

Json = dict[str, Any]


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exports]:
    """Ten clients, looked at two at a time."""
    monkeypatch.setattr(export_content, "PAGE", 2)
    with exports(tmp_path) as made:
        made.gateway.put(("*", "river"), *(patient(f"p{number}") for number in range(10)))
        yield made


@pytest.fixture(params=[SQLITE, pytest.param(POSTGRES, marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with chosen(request.param), fresh() as made:
        yield made


class Clock:
    """Wall-clock seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def row(id: str, **more: Any) -> ExportRow:
    asked = Asked(("Patient",), -1, None, "", "system/*.rs", "", "", ()).dumped()
    return ExportRow(id, more.pop("client", "app"), "river", "https://gw.example/fhir/$export", asked, more.pop("created", 1_000), 90_000, **more)


def test_a_stopped_worker_loses_the_job_when_its_lease_is_over_and_another_begins_anew(gateway: Exports) -> None:
    """The gateway was killed after some pages. The one that is started next gives the export a moment of its own."""
    clock = Clock()
    taken = gateway.kick_off("greedy")
    killed, next_one = (Worker(gateway.gateway.store, lambda: gateway.gateway.now, clock) for _ in range(2))
    assert [killed.step() for _ in range(3)] == [True] * 3
    assert next_one.step() is False, "it is the first one's"
    gateway.gateway.put(("*", "river"), patient("late"))
    clock.now += LEASE + 1
    while next_one.step():
        pass
    manifest = gateway.gateway.as_("greedy", "GET", place(taken)).json()
    assert [each["count"] for each in manifest["output"]] == [11]
    assert "Patient/late" in gateway.everything("greedy", manifest)


def test_a_worker_that_comes_back_too_late_does_not_disturb(gateway: Exports) -> None:
    clock = Clock()
    taken = gateway.kick_off("greedy")
    slow, quick = (Worker(gateway.gateway.store, lambda: gateway.gateway.now, clock) for _ in range(2))
    slow.step()
    clock.now += LEASE + 1
    quick.step()
    gateway.gateway.put(("*", "river"), patient("late"))
    while slow.step():
        pass
    assert gateway.gateway.as_("greedy", "GET", place(taken)).status_code == 202
    while quick.step():
        pass
    manifest = gateway.gateway.as_("greedy", "GET", place(taken)).json()
    assert [each["count"] for each in manifest["output"]] == [10], "the second one's moment was before"


def test_work_on_a_cancelled_job_ends(gateway: Exports) -> None:
    clock = Clock()
    worker = Worker(gateway.gateway.store, lambda: gateway.gateway.now, clock)
    taken = gateway.kick_off("greedy")
    worker.step()
    gateway.gateway.as_("greedy", "DELETE", place(taken))
    steps = 0
    while worker.step():
        clock.now += 2
        steps += 1
    assert steps <= 2, "it notices when it next tells how far it is"
    assert gateway.gateway.as_("greedy", "GET", place(taken)).status_code == 404


def test_how_far_it_is_is_told(gateway: Exports) -> None:
    clock = Clock()
    worker = Worker(gateway.gateway.store, lambda: gateway.gateway.now, clock)
    taken = gateway.kick_off("greedy", "/fhir/$export?_type=Patient")
    told = []
    while worker.step():
        clock.now += 2
        told.append(gateway.gateway.as_("greedy", "GET", place(taken)).headers.get("x-progress"))
    assert told[1:4] == ["4 resources, 0 of 1 types", "6 resources, 0 of 1 types", "8 resources, 0 of 1 types"]


def test_a_fault_of_ours_ends_the_job_and_is_told_without_its_words(gateway: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("Ann Halvorson, born 1990")

    taken = gateway.kick_off("greedy")
    with monkeypatch.context() as patch:
        patch.setattr(export_work, "page", breaks)
        gateway.worker.step()
    other = gateway.kick_off("river")
    gateway.work()
    failed = gateway.gateway.as_("greedy", "GET", place(taken))
    assert (failed.status_code, failed.json()["resourceType"]) == (500, "OperationOutcome")
    assert "Halvorson" not in failed.text
    assert gateway.gateway.as_("river", "GET", place(other)).status_code == 200, "the next one is worked"


def test_trouble_with_the_store_does_not_end_the_job(gateway: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise Unavailable("The store is busy")

    clock = Clock()
    gateway.worker = Worker(gateway.gateway.store, lambda: gateway.gateway.now, clock)
    taken = gateway.kick_off("greedy")
    with monkeypatch.context() as patch:
        patch.setattr(export_work, "page", breaks)
        with pytest.raises(Unavailable):
            gateway.worker.step()
    clock.now += LEASE + 1
    gateway.work()
    assert gateway.gateway.as_("greedy", "GET", place(taken)).status_code == 200


def test_an_export_expires_and_is_swept_away(gateway: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = gateway.kick_off("greedy")
    monkeypatch.setattr(exporting, "KEPT", 0)
    taken = gateway.kick_off("greedy")
    gateway.work()
    file = f"{place(taken)}/0.ndjson"
    for address in (place(taken), file):
        assert gateway.gateway.as_("greedy", "GET", address).status_code == 404
    gateway.worker.step()
    exports = gateway.gateway.store.exports
    assert exports.get(place(taken).rpartition("/")[2]) is None
    assert exports.get(place(kept).rpartition("/")[2]) is not None


def test_files_are_served_by_a_gateway_that_was_started_since(gateway: Exports, tmp_path: Path) -> None:
    """All there is of a job is in the store."""
    taken = gateway.kick_off("greedy")
    gateway.work()
    with closing(open_sqlite(tmp_path / "gateway.sqlite")) as again:
        other = Client(app_of(replace(gateway.gateway.services, store=again, registry=CollectorRegistry())))
        try:
            headers = {"Authorization": "Bearer greedy"}
            manifest = other.request("GET", place(taken), headers=headers).json()
            found = other.request("GET", path(manifest["output"][0]["url"]), headers=headers)
            assert len(found.content.splitlines()) == 10
        finally:
            other.close()


# --- the jobs, in every store


def test_jobs_are_worked_in_the_order_in_which_they_came_each_by_one(store: Store) -> None:
    for number, id in enumerate(("b", "a", "c")):
        assert store.exports.add(row(id, created=1_000 + number), most=9)
    claimed = [store.exports.claim(worker, 1_010, 1_040) for worker in ("x", "y", "x", "z")]
    assert [each.id if each else None for each in claimed] == ["b", "a", "c", None]


def test_a_clients_jobs_under_way_are_counted_its_finished_ones_are_not(store: Store) -> None:
    assert store.exports.add(row("a"), most=1)
    assert not store.exports.add(row("b"), most=1)
    assert store.exports.add(row("c", client="other"), most=1)
    claimed = store.exports.claim("x", 1_010, 1_040)
    assert claimed is not None
    store.exports.settle(claimed.id, "x", "done", "[]")
    assert store.exports.add(row("d"), most=1)


def test_only_who_has_the_lease_may_renew_or_settle(store: Store) -> None:
    store.exports.add(row("a"), most=1)
    store.exports.claim("x", 1_010, 1_040)
    assert not store.exports.renew("a", "y", 1_100, 7, "far")
    store.exports.settle("a", "y", "failed")
    assert store.exports.renew("a", "x", 1_100, 7, "far")
    assert store.exports.claim("y", 1_050, 1_090) is None
    found = store.exports.get("a")
    assert found is not None
    assert (found.state, found.moment, found.progress) == ("open", 7, "far")


@pytest.mark.postgres
def test_of_many_processes_one_works_a_job() -> None:
    """Four gateways look at once; whatever they do meanwhile, each job is worked once, and its files hold everything once."""
    with empty_schema() as url, ExitStack() as stack:
        stores = [stack.enter_context(closing(open_postgres(url))) for _ in range(4)]
        with stores[0].write(5_000_000) as writer:
            versions = [NewVersion("river", "Patient", f"p{number}", orjson.dumps(patient(f"p{number}"))) for number in range(30)]
            writer.apply(Change(writer.bind(["k"], None), versions))
        for number in range(12):
            stores[0].exports.add(row(f"j{number:02}", created=1_000 + number), most=99)
        begun: list[str] = []

        def work(store: Store) -> None:
            worker = Worker(store, lambda: 6_000_000, Clock())
            claim = worker._made

            def counted(job: ExportRow) -> Iterator[None]:
                begun.append(job.id)
                return claim(job)

            worker._made = counted  # type: ignore[method-assign]
            while worker.step():
                pass

        threads = [threading.Thread(target=work, args=(each,)) for each in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number in range(12):
            found = stores[1].exports.get(f"j{number:02}")
            assert found is not None
            assert found.state == "done"
            assert [(kind, type, size) for kind, type, _, _, size in orjson.loads(found.files)] == [("output", "Patient", 30)]
        assert sorted(begun) == [f"j{number:02}" for number in range(12)]
