"""What the measure counts is kept apart from the transitions, so that a year is read alone: it comes, changes and goes with them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import orjson

from gateway.store.interface import ALL, Change, Measured, Store, TransitionRow
from gateway.store.sqlite import open_sqlite
from tests.store.stores import fresh, on_every_store, to_the_first_version


def row(id: str, day: str | None, body: bytes = b"{}", recipient: str = ALL) -> TransitionRow:
    measured = None if day is None else Measured(day, id.encode())
    return TransitionRow(recipient, id, body, "open", False, 1, 5, measured=measured)


def put(store: Store, *rows: TransitionRow, whole: bool = False) -> None:
    with store.write(1) as writer:
        found = writer.partitions(["people"])
        partition = writer.bind(["people"], found[0] if found else None)
        writer.apply(Change(partition, transitions=rows, whole=whole))


def read(store: Store, first: str = "2026-01-01", last: str = "2026-12-31") -> list[tuple[str, bytes]]:
    with store.reading() as reader:
        return [tuple(each) for each in reader.measured(first, last)]


@on_every_store
def test_a_year_is_read_from_its_first_day_to_its_last_in_order() -> None:
    with fresh() as store:
        put(store, row("c", "2026-12-31"), row("a", "2026-01-01"), row("b", "2026-05-05"), row("before", "2025-12-31"), row("after", "2027-01-01"))
        assert read(store) == [("2026-01-01", b"a"), ("2026-05-05", b"b"), ("2026-12-31", b"c")]


@on_every_store
def test_a_case_changes_and_goes_with_its_transition() -> None:
    with fresh() as store:
        put(store, row("a", "2026-01-01"), row("b", "2026-02-02"), row("none", None))
        put(store, row("a", "2026-03-03", b'{"corrected": 1}'))
        assert read(store) == [("2026-02-02", b"b"), ("2026-03-03", b"a")]
        put(store, row("b", None, b'{"status": "void"}'))
        assert read(store) == [("2026-03-03", b"a")]
        put(store, whole=True)
        assert read(store) == [], "withdrawn"


@on_every_store
def test_it_is_the_coordinators_view_that_is_counted() -> None:
    with fresh() as store:
        put(store, row("a", "2026-01-01"), row("a", "2026-02-02", recipient="river-cmhc"))
        assert read(store) == [("2026-01-01", b"a")]


def test_a_store_of_an_older_gateway_has_them_from_its_transitions(tmp_path: Path) -> None:
    case = {"discharged": "2026-05-05", "fate": "counted", "why": "", "visit": None, "days": None, "reference": ""}
    told = {"id": "a", "hospital": None, "agency": "river", "patient": "Patient/p", "measure": case}
    with closing(open_sqlite(tmp_path / "gateway.db")) as store:
        put(store, row("a", None, orjson.dumps(told)), row("b", None, b'{"id": "b"}'), row("a", None, orjson.dumps(told), "river-cmhc"))
    to_the_first_version(tmp_path / "gateway.db")
    with closing(open_sqlite(tmp_path / "gateway.db")) as store:
        ((day, body),) = read(store)
    assert (day, orjson.loads(body)) == ("2026-05-05", {"transition": "a", "hospital": "", "agency": "river", "patient": "Patient/p", **case})
