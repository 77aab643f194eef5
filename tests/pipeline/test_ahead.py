"""Messages worked out ahead of the writer by other processes: the same records as without, whatever overtakes them, and whoever is lost."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from gateway.pipeline import Journey, Received
from gateway.pipeline.ahead import Ahead
from gateway.pipeline.foreseen import Foreseen, foresee
from gateway.pipeline.intake import attempt
from gateway.settings import load
from gateway.store.interface import ALL, Store
from gateway.stores import configuration_of, open_store, opened_beside
from tests.pipeline.county import NOW, STORY

TOML = """
[[feed]]
name = "st-mary"
sending_facility = "STMARY"
timezone = "America/Chicago"
psychiatric_units = ["BHU"]
[[agency]]
id = "river"
name = "River Community Mental Health"
postal_codes = ["627*"]
"""


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """Two data directories of gateways with one configuration and one installation key, so that ids are the same."""
    folders = tmp_path / "alone", tmp_path / "helped"
    for folder in folders:
        folder.mkdir()
        (folder / "gateway.toml").write_text(TOML)
        with closing(open_store(load(folder / "gateway.toml"), folder)) as store, store._write_connection() as connection:  # type: ignore[attr-defined]
            connection.execute("INSERT INTO setting (name, value) VALUES ('installation-key', ?)", (b"k" * 32,))
    return folders


def opened(folder: Path) -> Store:
    return open_store(load(folder / "gateway.toml"), folder)


def state(store: Store) -> list[tuple[object, ...]]:
    """Every version of every resource for the coordinator and the agency, and every transition, without the moments of their commits."""
    with store.reading() as reader:
        views = [(name, each.type, each.id, each.number, each.body) for name in (ALL, "river") for each in reader.export(name)]
        rows = [(name, each.id, each.body, each.status, each.tier, each.due) for name in (ALL, "river") for each in reader.feed(name, 0, 100)]
    return sorted(views) + sorted(rows)


def test_what_a_process_foresees_is_what_the_writer_works_out(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message, after those before it: taken as foreseen, and the same to the byte."""
    alone, helped = map(opened, places)
    taken: list[bool] = []
    holds = Foreseen.holds

    def watched(hint: Foreseen, stored: list[tuple[int, bytes]], now: int) -> bool:
        taken.append(holds(hint, stored, now))
        return taken[-1]

    monkeypatch.setattr(Foreseen, "holds", watched)
    with closing(alone), closing(helped):
        configuration = configuration_of(load(places[1] / "gateway.toml"), helped)
        for raw in STORY:
            hint = foresee(helped, Received("hl7v2", raw), NOW, configuration)
            assert hint is not None
            for store, given in ((alone, None), (helped, hint)):
                with store.write(NOW) as writer:
                    attempt(writer, Received("hl7v2", raw), NOW, configuration, foreseen=given)
        assert taken == [True] * len(STORY)
        assert state(alone) == state(helped)


def test_what_was_overtaken_is_worked_out_again(places: tuple[Path, Path]) -> None:
    """All are foreseen of an empty store: each but the first was overtaken by those before it, and none is believed."""
    alone, helped = map(opened, places)
    with closing(alone), closing(helped):
        configuration = configuration_of(load(places[1] / "gateway.toml"), helped)
        hints = [foresee(helped, Received("hl7v2", raw), NOW, configuration) for raw in STORY]
        for raw, hint in zip(STORY, hints, strict=True):
            for store, given in ((alone, None), (helped, hint)):
                with store.write(NOW) as writer:
                    attempt(writer, Received("hl7v2", raw), NOW, configuration, foreseen=given)
        assert state(alone) == state(helped)


def test_another_moment_is_worked_out_again(places: tuple[Path, Path]) -> None:
    with closing(opened(places[0])) as store:
        hint = foresee(store, Received("hl7v2", STORY[0]), NOW, configuration_of(load(places[0] / "gateway.toml"), store))
        assert hint is not None
        told = [(1, body) for body in hint.told]
        assert hint.holds(told, NOW)
        assert not hint.holds(told, NOW + 1)
        assert not hint.holds([], NOW)


def test_nothing_is_foreseen_of_what_is_refused(places: tuple[Path, Path]) -> None:
    with closing(opened(places[0])) as store:
        assert foresee(store, Received("hl7v2", b"no message"), NOW, configuration_of(load(places[0] / "gateway.toml"), store)) is None


def test_a_journey_with_processes_beside_it_ends_as_one_without_also_when_they_are_lost(places: tuple[Path, Path]) -> None:
    """Acknowledged is stored once: before a process was lost, while it is, and after."""
    folder, other = places
    settings = load(folder / "gateway.toml")
    ahead = Ahead(partial(opened_beside, settings, folder), 1)
    try:
        for place, helper in ((folder, ahead), (other, None)):
            with closing(opened(place)) as store:
                journey = Journey(store, configuration_of(settings, store), lambda: NOW, ahead=helper)
                first = [journey.submit(Received("hl7v2", raw)) for raw in STORY]  # they wait for the writer: processes are shown all but one
                journey.start()
                outcomes = [future.result(60) for future in first]
                if helper is not None:
                    helper._processes[0]._process.kill()
                    while helper._processes[0]._process.is_alive():
                        time.sleep(0.01)
                again = [journey.submit(Received("hl7v2", raw)) for raw in STORY]
                assert [future.result(60).state for future in again] == ["duplicate"] * len(STORY)
                journey.stop()
                assert {outcome.state for outcome in outcomes} == {"processed"}
        with closing(opened(folder)) as helped, closing(opened(other)) as alone:
            assert state(helped) == state(alone)
    finally:
        ahead.close()
