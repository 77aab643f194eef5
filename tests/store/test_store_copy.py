"""`gateway store copy` and `gateway store migrate`: everything arrives, is compared, and goes on where it stood."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.errors import GatewayError, Usage
from gateway.pipeline import Received
from gateway.pipeline.intake import take
from gateway.store import copy as copying
from gateway.store.interface import ALL, Filter
from gateway.store.postgres import open_postgres
from gateway.store.serving import lock_for_serving
from gateway.store.sqlite import open_sqlite
from tests.pipeline.county import CONFIGURATION, NOW, STORY, feed, state, store_at
from tests.store.stores import empty_schema, to_the_first_version

pytestmark = pytest.mark.postgres


@pytest.fixture
def url() -> Iterator[str]:
    with empty_schema() as schema:
        yield schema


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file with half the county's story, and a message whose control ID PostgreSQL cannot hold as it is."""
    with store_at(tmp_path) as store:
        feed(store, [*STORY[:9], b"MSH|^~\\&|\0"])
        store.installation_key()
    return tmp_path / "gateway.sqlite"


def run(*arguments: str) -> str:
    """Runs a command; its standard output. A refusal is raised."""
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def test_everything_arrives_and_the_story_goes_on_as_it_would_have(source: Path, url: str) -> None:
    told = {line.split()[0]: int(line.split()[1]) for line in run("store", "copy", f"sqlite:{source}", url).splitlines()}
    assert told["input"] == told["raw"] == 10
    with closing(open_sqlite(source)) as file, closing(open_postgres(url)) as database:
        assert database.installation_key() == file.installation_key()
        assert state(database) == state(file)
        for recipient in (ALL, "river"):
            with file.reading() as before, database.reading() as after:
                assert after.feed(recipient, 0, 1000) == before.feed(recipient, 0, 1000)
        for store in (file, database):
            outcomes = feed(store, [STORY[0], *STORY[9:]], NOW + 5)
            assert outcomes[0].state == "duplicate"
        assert state(database) == state(file)
        with database.reading() as reader:
            assert b"MSH|^~\\&|\0" in {row.raw for row in reader.messages(Filter())}


def test_a_store_that_is_served_is_not_copied_nor_migrated(source: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with lock_for_serving(source.parent):
        with pytest.raises(Usage, match="serving"):
            run("store", "copy", f"sqlite:{source}", url)
        with pytest.raises(Usage, match="serving"):
            run("store", "migrate", "--data", str(source.parent))
    monkeypatch.setenv("GATEWAY_STORE__URL", url)
    with closing(open_postgres(url)) as served, served.serving():
        with pytest.raises(Usage, match="serving"):
            run("store", "copy", f"sqlite:{source}", url)
        with pytest.raises(Usage, match="serving"):
            run("store", "migrate", "--data", str(source.parent))


def test_a_database_that_holds_something_is_not_written_over(source: Path, url: str) -> None:
    with closing(open_postgres(url)) as store:
        feed(store, STORY[:1])
        before = state(store)
        with pytest.raises(Usage, match="not empty"):
            run("store", "copy", f"sqlite:{source}", url)
        assert state(store) == before


def test_what_does_not_arrive_as_it_was_sent_is_not_kept(source: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = copying._counted

    def loses_a_row(table: object, *rest: object) -> object:
        rows = list(real(table, *rest))  # type: ignore[arg-type]
        return rows[:-1] if table.name == "version" else rows  # type: ignore[attr-defined]

    monkeypatch.setattr(copying, "_counted", loses_a_row)
    with pytest.raises(GatewayError, match="version"):
        run("store", "copy", f"sqlite:{source}", url)
    with closing(open_postgres(url)) as store, store.reading() as reader:
        assert reader.counts()["processed"] == 0


@pytest.mark.parametrize("given", [("nowhere", "postgresql://x"), ("sqlite:nowhere", "postgresql://x"), ("sqlite:{file}", "mysql://secret")])
def test_what_names_no_store_is_refused_without_repeating_it(source: Path, given: tuple[str, str]) -> None:
    with pytest.raises(Usage) as told:
        run("store", "copy", given[0].format(file=source), given[1])
    assert "secret" not in str(told.value)


def test_an_older_store_is_migrated_and_then_served(source: Path) -> None:
    from gateway.settings import load
    from gateway.stores import served_store

    to_the_first_version(source)
    with served_store(load(None), source.parent) as store, store.write(NOW) as writer:
        assert take(writer, Received("hl7v2", STORY[0]), NOW, CONFIGURATION).state == "duplicate"
