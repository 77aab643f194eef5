"""Searching a store: by terms and beginnings, either way, by whichever way is the shortest; every version of a type; what is indexed anew."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gateway.store import finding
from gateway.store.interface import ALL, Change, NewVersion, Reader
from tests.store.stores import fresh, on_every_store

pytestmark = on_every_store


def person(number: int, *, recipient: str = ALL, name: str = "", status: str = "") -> NewVersion:
    terms = [("name", name), ("status", status), ("every", "one")]
    return NewVersion(recipient, "Patient", f"p{number}", b"%d" % number, [term for term in terms if term[1]])


def ids(reader: Reader, recipient: str = ALL, **wanted: Any) -> list[str]:
    found = [version.id for version in reader.search(recipient, "Patient", **wanted)]
    if "limit" not in wanted and "after" not in wanted:
        assert reader.count(recipient, "Patient", **wanted) == len(found)
    return found


def test_a_beginning_finds_what_begins_so_and_nothing_else() -> None:
    with fresh() as store:
        with store.write(1) as writer:
            names = ["anna", "ann", "an%", "ån", "banner", "a_n", 'an"n', "an\\n", "\U0010ffff"]
            writer.apply(Change(writer.bind(["k"], None), [person(number, name=name) for number, name in enumerate(names)]))
        with store.reading() as reader:
            assert ids(reader, beginnings=[("name", ["an"])]) == ["p0", "p1", "p2", "p6", "p7"]
            assert ids(reader, beginnings=[("name", ["ann"])]) == ["p0", "p1"]
            assert ids(reader, beginnings=[("name", ["ann", "ban"])]) == ["p0", "p1", "p4"]
            assert ids(reader, beginnings=[("name", ['an"'])]) == ["p6"]
            assert ids(reader, beginnings=[("name", ["an\\"])]) == ["p7"]
            assert ids(reader, beginnings=[("name", ["å"]), ("every", ["on"])]) == ["p3"]
            assert ids(reader, beginnings=[("name", ["x"])]) == ids(reader, beginnings=[("never", ["a"])]) == []
            assert ids(reader, terms=[("name", ["an"])]) == [], "no whole name"
            assert ids(reader, terms=[("name", [])]) == []


def test_another_recipients_terms_find_nothing() -> None:
    with fresh() as store:
        with store.write(1) as writer:
            partition = writer.bind(["k"], None)
            writer.apply(Change(partition, [person(1, name="halvorson"), person(1, recipient="river", name="withheld")]))
        with store.reading() as reader:
            assert ids(reader, "river", beginnings=[("name", ["halv"])]) == ids(reader, "river", terms=[("name", ["halvorson"])]) == []
            assert ids(reader, "river", beginnings=[("name", ["with"])]) == ["p1"]
            assert ids(reader, "oak", terms=[("every", ["one"])]) == []


@pytest.mark.parametrize(("few", "several"), [(0, 0), (3, 10), (0, 1_000), (200, 1_000)])
def test_every_way_finds_the_same_in_the_same_order(monkeypatch: pytest.MonkeyPatch, few: int, several: int) -> None:
    """Whether a set is looked up or the type is walked is told by how many there are, and by nothing in the result."""
    monkeypatch.setattr(finding, "FEW", few)
    monkeypatch.setattr(finding, "SEVERAL", several)
    chance = random.Random(7)
    people = {f"p{number}": chance.choice(["open", "closed", "open", "void"]) for number in range(60)}
    with fresh() as store:
        with store.write(1) as writer:
            partition = writer.bind(["k"], None)
            writer.apply(Change(partition, [person(number, name="x", status=people[f"p{number}"]) for number in range(60)]))
            writer.apply(Change(partition, [NewVersion(ALL, "Patient", "p5", None)]))
            writer.apply(Change(partition, [NewVersion(ALL, "Patient", "p7", b"new", [("status", "void")])]))
        people.pop("p5")
        people["p7"] = "void"
        order = [one for one in people if one != "p7"] + ["p7"]
        with store.reading() as reader:
            for status in (["open"], ["void"], ["open", "closed"], ["never"]):
                wanted = [one for one in order if people[one] in status]
                terms = [("status", status)]
                assert ids(reader, terms=terms) == wanted
                assert ids(reader, terms=terms, newest_first=True) == wanted[::-1]
                assert ids(reader, terms=terms, limit=4) == wanted[:4]
                assert ids(reader, terms=[*terms, ("_id", wanted[:3] or ["p0"])]) == wanted[:3]
                positions = {version.id: version.position for version in reader.search(ALL, "Patient", terms=terms)}
                for newest_first in (False, True):
                    pages: list[str] = []
                    while page := ids(reader, terms=terms, newest_first=newest_first, limit=7, after=positions[pages[-1]] if pages else None):
                        pages += page
                    assert pages == (wanted[::-1] if newest_first else wanted)
                if len(wanted) > 6:
                    between = {"updated_after": positions[wanted[1]], "updated_before": positions[wanted[5]]}
                    assert ids(reader, terms=terms, **between) == wanted[2:5]
                    assert ids(reader, terms=terms, newest_first=True, **between) == wanted[2:5][::-1]


def test_every_version_of_a_type_newest_first() -> None:
    with fresh() as store:
        for moment in range(1, 4):
            with store.write(moment * 1_000) as writer:
                partition = writer.bind(["k"], None)
                writer.apply(Change(partition, [NewVersion(ALL, "Patient", f"p{number}", b"%d" % moment) for number in (1, 2)]))
                writer.apply(Change(partition, [NewVersion("river", "Patient", "p1", b"r")]))
        with store.write(9_000) as writer:
            writer.apply(Change(writer.bind(["k"], None), [NewVersion(ALL, "Patient", "p2", None)]))
        with store.reading() as reader:
            every = reader.versions(ALL, "Patient", limit=100)
            assert [(one.id, one.number, one.body) for one in every] == [
                ("p2", 4, None),
                *(each for moment in (3, 2, 1) for each in (("p2", moment, b"%d" % moment), ("p1", moment, b"%d" % moment))),
            ]
            assert reader.versions(ALL, "Patient", limit=2, before=every[1].position) == every[2:4]
            assert reader.versions(ALL, "Patient", limit=100, since=every[2].position) == every[:3]
            assert [one.number for one in reader.versions("river", "Patient", limit=9)] == [1]
            assert reader.versions("oak", "Patient", limit=9) == reader.versions(ALL, "Task", limit=9) == []


def test_a_rebuild_indexes_what_did_not_change_as_it_is_indexed_today() -> None:
    """A gateway that indexes more than the one that wrote the store finds it after a rebuild; no version is written for that."""
    with fresh() as store:
        with store.write(1) as writer:
            writer.apply(Change(writer.bind(["k"], None), [NewVersion(ALL, "Patient", "p1", b"same", lambda: [("old", "x")])]))
        with store.write(2) as writer:
            writer.clear_statements()
            writer.apply(Change(writer.bind(["k"], None), [NewVersion(ALL, "Patient", "p1", b"same", lambda: [("new", "y")])], whole=True))
        with store.reading() as reader:
            assert ids(reader, terms=[("new", ["y"])]) == ["p1"]
            assert ids(reader, terms=[("old", ["x"])]) == []
            assert [one.number for one in reader.history(ALL, "Patient", "p1", 9)] == [1]
