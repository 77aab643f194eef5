"""Positions and lastUpdated: strictly in commit order, also when the clock steps back, and a bystander's never move."""

from __future__ import annotations

import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.store.interface import ALL, Change, NewVersion, TransitionRow
from tests.store.stores import examples, fresh, on_every_store

pytestmark = on_every_store


def a_row(recipient: str, id: str, body: bytes | None, **fields: object) -> TransitionRow:
    return TransitionRow(recipient, id, body, **{"status": "open", "flagged": True, "tier": 1, "due": 5, **fields})  # type: ignore[arg-type]


def test_updated_rises_strictly_whatever_the_clock_says() -> None:
    moments = st.lists(st.integers(0, 10**15), min_size=2, max_size=8)
    settings(max_examples=examples(40), deadline=None)(given(moments)(rises_strictly))()


def rises_strictly(clock: list[int]) -> None:
    """Commits at these moments of the clock."""
    with fresh() as store:
        for number, now in enumerate(clock):
            with store.write(now) as writer:
                writer.apply(Change(0, [NewVersion(ALL, "Task", f"{number}-{part}", b"{}") for part in "ab"], [a_row(ALL, "t", b"%d" % number)]))
                written = [version.updated for version in store_versions(store)]
            assert written == sorted(written)
        with store.reading() as reader:
            found = reader.search(ALL, "Task")
        assert [version.id for version in found] == [f"{number}-{part}" for number in range(len(clock)) for part in "ab"]
        assert len({version.updated for version in found}) == len(found)
        for earlier, later, now in zip(found[1::2], found[2::2], clock[1:], strict=False):
            assert later.updated > earlier.updated
            assert later.updated >= now


def store_versions(store: object) -> list:
    with store.reading() as reader:  # type: ignore[attr-defined]
        return reader.search(ALL, "Task")


def test_a_row_keeps_its_position_while_its_body_stays() -> None:
    with fresh() as store:
        with store.write(100) as writer:
            writer.apply(Change(0, transitions=[a_row(ALL, "t", b"one"), a_row("river", "t", b"one")]))
        with store.reading() as reader:
            before = reader.transition(ALL, "t")
        with store.write(200) as writer:
            writer.apply(Change(0, transitions=[a_row(ALL, "t", b"one", due=4, tier=0, flagged=False)]))
        with store.reading() as reader:
            after = reader.transition(ALL, "t")
            assert before is not None
            assert after == before._replace(due=4, tier=0, flagged=False)  # the list's columns follow, the feed does not move
            assert reader.worklist(ALL, flagged=True) == []


def test_what_happens_to_others_moves_nothing_for_an_agency() -> None:
    with fresh() as store:
        with store.write(100) as writer:
            writer.apply(Change(0, [NewVersion("river", "Task", "t", b"{}")], [a_row("river", "t", b"one")]))
        with store.reading() as reader:
            before = (reader.position("river"), reader.read("river", "Task", "t"), reader.feed("river", 0, 10))
        with store.write(200) as writer:
            writer.apply(Change(0, [NewVersion(ALL, "Task", "t", b"{2}"), NewVersion("hill", "Task", "t", b"{3}")], [a_row("hill", "t", b"two")]))
        with store.reading() as reader:
            assert (reader.position("river"), reader.read("river", "Task", "t"), reader.feed("river", 0, 10)) == before


def test_a_transition_that_an_agency_loses_is_withdrawn_once() -> None:
    with fresh() as store:
        for now, body in ((1, None), (2, b"one"), (3, None), (4, None), (5, b"one")):
            with store.write(now) as writer:
                writer.apply(Change(0, transitions=[a_row("river", "t", body)]))
            with store.reading() as reader:
                feed = [(row.body, row.position) for row in reader.feed("river", 0, 10)]
                if now == 1:
                    assert feed == []  # it never had it
                if now == 3:
                    (lost,) = feed
                    assert lost[0] is None
                if now == 4:
                    assert feed == [lost]
                assert reader.worklist("river") == ([] if body is None else [reader.transition("river", "t")])


def test_the_worklist_is_in_order_of_tier_due_and_id_page_by_page() -> None:
    rows = [a_row(ALL, f"{tier}{due}{flagged}", b"{}", tier=tier, due=due, flagged=bool(flagged), status="open" if due else "closed")
            for tier in (2, 0, 1) for due in (1, 0) for flagged in (1, 0)]  # fmt: skip
    with fresh() as store:
        with store.write(1) as writer:
            writer.apply(Change(0, transitions=rows))
        ordered = sorted((row.tier, row.due, row.id) for row in rows)
        with store.reading() as reader:
            assert [(row.tier, row.due, row.id) for row in reader.worklist(ALL)] == ordered
            assert [(row.tier, row.due, row.id) for row in reader.worklist(ALL, limit=5, offset=4)] == ordered[4:9]
            assert [row.id for row in reader.worklist(ALL, flagged=True, status="open")] == ["011", "111", "211"]
            assert [row.id for row in reader.worklist(ALL, status="closed", limit=2)] == ["000", "001"]
            assert reader.worklist("nobody") == []


def test_readers_see_whole_groups_while_a_writer_writes() -> None:
    with fresh() as store:
        torn: list[set[bytes | None]] = []
        stop = threading.Event()

        def read() -> None:
            while not stop.is_set():
                with store.reading() as reader:
                    bodies = {version.body for version in reader.search(ALL, "Task")}
                    if len(bodies) > 1:
                        torn.append(bodies)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for thread in readers:
            thread.start()
        for number in range(60):
            with store.write(number) as writer:
                for id in "abcdef":
                    with writer.savepoint():
                        writer.apply(Change(0, [NewVersion(ALL, "Task", id, b"%d" % number)]))
        stop.set()
        for thread in readers:
            thread.join()
        assert torn == []


def test_a_reader_keeps_its_look_until_it_ends() -> None:
    with fresh() as store:
        with store.reading() as reader:
            assert reader.search(ALL, "Task") == []
            with store.write(1) as writer:
                writer.apply(Change(0, [NewVersion(ALL, "Task", "a", b"{}")]))
            assert reader.search(ALL, "Task") == []
        with store.reading() as reader:
            assert len(reader.search(ALL, "Task")) == 1


def test_a_common_term_and_a_rare_one_find_the_same() -> None:
    """Beyond some thousands of matches a search walks the type instead of the index; the answer is no other."""
    with fresh() as store:
        with store.write(1) as writer:
            versions = [
                NewVersion(ALL, "Task", str(number), b"{}", (("status", "requested"), ("code", str(number % 700)), ("long", "x" * 300 + str(number))))
                for number in range(2100)
            ]
            writer.apply(Change(0, versions))
        with store.reading() as reader:
            every = reader.search(ALL, "Task", terms=[("status", ["requested"])])
            assert [version.id for version in every] == [str(number) for number in range(2100)]
            page = reader.search(ALL, "Task", terms=[("status", ["requested"])], after=every[9].position, limit=10)
            assert page == every[10:20]
            both = reader.search(ALL, "Task", terms=[("status", ["requested"]), ("code", ["5", "6"])])
            assert sorted(int(version.id) for version in both) == [5, 6, 705, 706, 1405, 1406]
            assert [version.id for version in reader.search(ALL, "Task", terms=[("long", ["x" * 300 + "77"])])] == ["77"]


def test_a_transition_that_is_added_and_changed_by_one_input_stands_as_it_was_changed() -> None:
    """Also where the input has changed another one before: a look at a client may fold twice."""
    with fresh() as store:
        with store.write(1) as writer:
            partition = writer.bind(["k"], None)
            writer.apply(Change(partition, transitions=[a_row(ALL, "first", b"1")]))
        with store.write(2) as writer, writer.savepoint():
            writer.apply(Change(partition, transitions=[a_row(ALL, "first", b"2")]))
            writer.apply(Change(partition, transitions=[a_row(ALL, "second", b"1")]))
            writer.apply(Change(partition, transitions=[a_row(ALL, "second", b"2")]))
        with store.reading() as reader:
            assert [row.body for row in reader.feed(ALL, 0, 10)] == [b"2", b"2"]
