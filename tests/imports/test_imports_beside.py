"""Importing beside a gateway that serves, on both stores: short transactions, nothing lost on either side, nothing twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.adapters.files import sending
from gateway.adapters.files.taking import take_files
from gateway.pipeline import Journey, Received
from gateway.settings import load
from gateway.store.interface import Store
from gateway.stores import configuration_of, open_store
from tests.imports.stores import CONFIGURATION, NOW, states, transitions
from tests.imports.test_imports_files import diagnosis, lines, message, patient, stay
from tests.store.stores import empty_schema


@dataclass
class Two:
    """The store as the gateway has it, and as the command has it."""

    serving: Store
    importing: Store


def beside(folder: Path, url: str = "") -> tuple[Counter[str], int]:
    """An import of 40 clients while 40 messages about one of them come in: the inbox's states, and how many transitions there are."""
    (folder / "gateway.toml").write_text(CONFIGURATION + (f'[store]\nurl = "{url}"\n' if url else ""), encoding="utf-8")
    file = folder / "export.ndjson"
    file.write_bytes(b"".join(lines(patient(number), stay(number), diagnosis(number)) for number in range(40)))
    settings = load(folder / "gateway.toml")
    two = Two(open_store(settings, folder), open_store(settings, folder))
    journey = Journey(two.serving, configuration_of(settings, two.serving), lambda: NOW)
    journey.start()
    try:
        waiting = [journey.submit(Received("hl7v2", message(str(number)))) for number in range(40)]
        tally = take_files(two.importing, configuration_of(settings, two.importing), [file], "ehr", lambda: NOW)
        assert [each.result(60).state for each in waiting] == ["processed"] * 40
        assert (tally.taken.total(), tally.refused) == (120, [])
        again = take_files(two.importing, configuration_of(settings, two.importing), [file], "ehr", lambda: NOW)
        assert again.known.total() == 120
        return states(two.importing), len(transitions(two.serving))
    finally:
        journey.stop()
        two.importing.close()
        two.serving.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_an_import_works_beside_a_gateway_that_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(sending, "LINES", 15)
    if kind == "sqlite":
        found = beside(tmp_path)
    else:
        with empty_schema() as url:
            found = beside(tmp_path, url)
    assert found == (Counter(processed=80, duplicate=40), 41)
