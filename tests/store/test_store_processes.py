"""Many gateways on one PostgreSQL database: commit order, no person folded by two at once, and what breaks is told and mended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import psycopg
import pytest

from gateway.errors import Unavailable, Usage
from gateway.store.interface import ALL, HOUR, Busy, Change, Filter, NewVersion, SharedRow, Store, TransitionRow
from gateway.store.postgres import PostgresStore, open_postgres
from tests.store.stores import an_input, empty_schema

pytestmark = pytest.mark.postgres


@pytest.fixture
def url() -> Iterator[str]:
    with empty_schema() as schema:
        yield schema


@pytest.fixture
def two(url: str) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    """Two gateways' stores: they share nothing but the database."""
    with ExitStack() as stack:
        yield stack.enter_context(closing(open_postgres(url))), stack.enter_context(closing(open_postgres(url, busy=0.3)))


def a_row(id: str, body: bytes | None = b"{}") -> TransitionRow:
    return TransitionRow(ALL, id, body, "open", True, 1, 5)


def partition_of(store: Store, key: str) -> int:
    """A partition with this key, made if there is none."""
    with store.write(1) as writer:
        found = writer.partitions([key])
        return writer.bind([key], found[0] if found else None)


def feed(store: Store) -> list[tuple[str, int]]:
    with store.reading() as reader:
        return [(row.id, row.position) for row in reader.feed(ALL, 0, 1000)]


def break_connections(url: str) -> int:
    """Cuts every session of this schema but our own, as a failing network or an operator does. How many there were."""
    ours = "pid <> pg_backend_pid() AND application_name = current_setting('application_name')"
    cut = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {ours}"
    with psycopg.connect(url, autocommit=True) as operator:
        return len(operator.execute(cut).fetchall())


# --- order


def test_a_transaction_that_began_first_and_commits_last_is_last_for_every_poller(two: tuple[Store, Store]) -> None:
    """It wrote its row long before, at an earlier moment; a poller that has seen the other one must still see it."""
    slow, quick = two
    with slow.write(100) as writer:
        writer.apply(Change(partition_of(quick, "a"), transitions=[a_row("slow")]))
        with quick.write(200) as other:
            other.apply(Change(other.bind(["b"], None), transitions=[a_row("quick")]))
        ((seen, cursor),) = feed(quick)
        assert seen == "quick"
    with quick.reading() as reader:
        assert [row.id for row in reader.feed(ALL, cursor, 10)] == ["slow"]


def test_positions_rise_in_commit_order_whatever_the_clocks_say(two: tuple[Store, Store]) -> None:
    ahead, behind = two
    for number in range(4):
        for store, now in ((ahead, 1_000_000), (behind, 5)):
            with store.write(now) as writer:
                writer.apply(Change(writer.bind([f"{number}{now}"], None), transitions=[a_row(f"{number}{now}")]))
    assert [id for id, _ in feed(ahead)] == [f"{number}{now}" for number in range(4) for now in (1_000_000, 5)]


def test_no_poller_misses_a_row_while_many_write(url: str) -> None:
    written: list[str] = []

    def write(name: str) -> None:
        with closing(open_postgres(url)) as store:
            for number in range(25):
                with store.write(number) as writer, writer.savepoint():
                    writer.apply(Change(writer.bind([f"{name}{number}"], None), transitions=[a_row(f"{name}{number}")]))
                written.append(f"{name}{number}")

    stop, polled = threading.Event(), []

    def poll() -> None:
        with closing(open_postgres(url)) as store:
            cursor, last = 0, False
            while not last:
                last = stop.is_set()
                with store.reading() as reader:
                    for row in reader.feed(ALL, cursor, 3):
                        polled.append(row.id)
                        cursor, last = row.position, False

    with ThreadPoolExecutor(5) as pool:
        poller = pool.submit(poll)
        for done in [pool.submit(write, name) for name in "abcd"]:
            done.result()
        stop.set()
        poller.result()
    assert sorted(polled) == sorted(written)
    assert len(polled) == len(set(polled)) == 100


def test_a_decision_is_later_than_what_any_process_has_committed(two: tuple[Store, Store]) -> None:
    one, other = two
    with one.write(1_000) as writer:
        first = writer.tick()
    with other.write(5) as writer:  # its clock is behind
        second = writer.tick()
        assert second < writer.tick()
    assert 1_000 <= first < second


# --- people


def test_two_processes_never_fold_one_person_at_once(two: tuple[Store, Store]) -> None:
    one, other = two
    partition = partition_of(one, "mrn|1")
    with one.write(2) as writer:
        assert writer.partitions(["mrn|1"]) == [partition]
        writer.put_statements(writer.add_input(an_input()), {partition: b"said first"})
        with pytest.raises(Unavailable, match="another process"), other.write(2) as second:
            second.partitions(["mrn|1"])
        with other.write(2) as second:  # others' people are not in the way, and once it holds some it does not wait
            second.bind(["mrn|2"], None)
            second.partitions(["mrn|3"])
            with pytest.raises(Busy), second.savepoint():
                second.partitions(["mrn|1"])
            with pytest.raises(Busy), second.savepoint():
                second.statements(partition)
            second.add_input(an_input(b"two"))
    with other.write(3) as second:
        assert second.partitions(["mrn|1"]) == [partition]
        assert [body for _, body in second.statements(partition)] == [b"said first"]
    with other.reading() as reader:
        assert reader.counts()["processed"] == 2  # what was written beside what was in the way stands


def test_a_person_whom_two_processes_meet_at_once_has_one_partition(two: tuple[PostgresStore, PostgresStore]) -> None:
    one, _ = two
    barrier = threading.Barrier(8)

    def meet(number: int) -> int:
        barrier.wait()
        return partition_of(one, "mrn|new")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(meet, range(8)))) == 1


def test_crossing_orders_do_not_wait_for_each_other(two: tuple[Store, Store]) -> None:
    """One holds A and wants B, the other holds B and wants A: PostgreSQL would need a second to find that; nobody waits here."""
    one, other = two
    for key in "ab":
        partition_of(one, key)
    with one.write(2) as first, other.write(2) as second:
        first.partitions(["a"])
        second.partitions(["b"])
        with pytest.raises(Busy), first.savepoint():
            first.partitions(["b"])
        with pytest.raises(Busy), second.savepoint():
            second.partitions(["a"])


def test_partitions_joined_elsewhere_are_found_where_they_went(two: tuple[Store, Store]) -> None:
    one, other = two
    low, high = partition_of(one, "a"), partition_of(one, "b")
    with one.write(2) as writer:
        low, high = sorted((low, high))
        assert writer.join(writer.partitions(["a", "b"])) == low
    with other.write(3) as writer:
        assert writer.partitions(["a", "b"]) == [low]
        with pytest.raises(Busy), writer.savepoint():
            writer.heads(high)  # somebody who looked it up before the join, and comes with its number


def test_what_is_due_is_given_to_one_clock_alone(two: tuple[Store, Store]) -> None:
    one, other = two
    with one.write(1) as writer:
        due = [writer.bind([str(number)], None) for number in range(4)]
        for partition in due:
            writer.apply(Change(partition, next_look=10))
    with one.write(20) as first, other.write(20) as second:
        mine, others = first.due(20, 2), second.due(20, 10)
        assert sorted([*mine, *others]) == sorted(due)
        for partition in mine:
            first.apply(Change(partition, next_look=None))
    with other.write(30) as writer:
        assert sorted(writer.due(30, 10)) == sorted(others)


def test_an_input_is_accepted_by_one_process_alone(two: tuple[Store, Store]) -> None:
    one, other = two
    with one.write(1) as writer:
        assert writer.accepted("st-mary", "1", an_input().digest) is None
        writer.add_input(an_input())
        with other.write(1) as second:
            second.partitions(["x"])  # it holds somebody, so it does not wait
            with pytest.raises(Busy), second.savepoint():
                second.accepted("st-mary", "1", an_input().digest)
    with other.write(2) as writer:
        assert writer.accepted("st-mary", "1", an_input().digest) is not None


def test_an_assertion_is_spent_once_among_all_processes(two: tuple[Store, Store]) -> None:
    with ThreadPoolExecutor(8) as pool:
        spent = list(pool.map(lambda number: two[number % 2].credentials.spend_jti("river", "j", 10**11), range(16)))
    assert spent.count(True) == 1


# --- what belongs to nobody alone


def test_the_newest_word_on_a_shared_resource_stands_whoever_commits_last(two: tuple[Store, Store]) -> None:
    one, other = two
    with one.write(1) as slow:
        slow.put_shared([(SharedRow("ann", "1", b""), NewVersion(ALL, "Practitioner", "ann", b"old"))])
        with other.write(1) as quick:
            quick.put_shared([(SharedRow("ann", "2", b""), NewVersion(ALL, "Practitioner", "ann", b"new"))])
    with one.reading() as reader:
        assert [version.body for version in reader.history(ALL, "Practitioner", "ann", 9)] == [b"new"]


def test_an_agency_sees_a_shared_resource_that_another_process_wrote_meanwhile(two: tuple[Store, Store]) -> None:
    one, other = two
    with one.write(1) as slow:
        slow.apply(Change(slow.bind(["a"], None), [NewVersion("river", "Task", "t", b"{}", (("_refers", "Practitioner/ann"),))]))
        with other.write(1) as quick:
            quick.put_shared([(SharedRow("ann", "1", b""), NewVersion(ALL, "Practitioner", "ann", b"ann"))])
    with one.reading() as reader:
        seen = reader.read("river", "Practitioner", "ann")
        assert seen is not None
        assert seen.body == b"ann"


def test_the_hours_of_a_feed_add_up_among_processes(two: tuple[Store, Store]) -> None:
    with two[0].write(1) as first, two[1].write(1) as second:
        first.add_input(an_input(b"a", received=5))
        second.add_input(an_input(b"b", control_id="2", received=HOUR - 1))
        second.add_input(an_input(b"c", control_id="3", received=7))
    with two[0].reading() as reader:
        assert [(each.inputs, each.last) for each in reader.heard("st-mary", 9)] == [(3, HOUR - 1)]


# --- faults


def test_a_connection_cut_in_mid_transaction_leaves_nothing_and_the_next_one_connects_anew(url: str) -> None:
    with closing(open_postgres(url)) as store:
        with pytest.raises(Unavailable) as told, store.write(1) as writer:  # noqa: PT012
            writer.add_input(an_input())
            writer.apply(Change(writer.bind(["a"], None), [NewVersion(ALL, "Task", "t", b"{}")]))
            assert break_connections(url)
        assert "127.0.0.1" not in str(told.value)
        assert "terminat" not in str(told.value)
        with pytest.raises(Unavailable), store.reading() as reader:  # noqa: PT012
            break_connections(url)
            reader.counts()
        with store.write(2) as writer:
            assert writer.accepted("st-mary", "1", an_input().digest) is None
            writer.add_input(an_input())
        break_connections(url)  # those that lie idle
        assert store.credentials.client("x") is None
        with store.reading() as reader:
            assert reader.counts()["processed"] == 1


def test_a_commit_whose_outcome_is_unknown_is_told_as_unavailable_and_sent_again_is_found(url: str) -> None:
    """The server commits and dies before it can say so: the sender gets no AA, sends again, and is not counted twice."""
    with closing(open_postgres(url)) as store:
        with pytest.raises(Unavailable), store.write(1) as writer:  # noqa: PT012
            writer.add_input(an_input(answer=b"first answer"))
            real = writer._link.commit  # type: ignore[attr-defined]

            def commit(last: object) -> None:
                real(last)
                raise psycopg.OperationalError("the connection is lost")

            writer._link.commit = commit  # type: ignore[attr-defined]
        with closing(open_postgres(url)) as again, again.write(2) as writer:
            found = writer.accepted("st-mary", "1", an_input().digest)
            assert found is not None
            assert found.answer == b"first answer"


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_serialization_failure_or_a_deadlock_leaves_nothing_and_can_be_tried_again(url: str, state: str) -> None:
    with closing(open_postgres(url)) as store, psycopg.connect(url, autocommit=True) as operator:
        fails = f"CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'MRN 1001' USING ERRCODE = '{state}'; END $$"
        operator.execute(fails)
        operator.execute("CREATE TRIGGER fails BEFORE INSERT ON raw EXECUTE FUNCTION fails()")
        try:
            with pytest.raises(Busy) as told, store.write(1) as writer:
                writer.add_input(an_input())
            assert "1001" not in str(told.value)
        finally:
            operator.execute("DROP FUNCTION fails CASCADE")
        with store.write(2) as writer:
            assert writer.accepted("st-mary", "1", an_input().digest) is None
            writer.add_input(an_input())
        with store.reading() as reader:
            assert len(list(reader.messages(Filter()))) == 1


def test_a_server_that_cannot_be_reached_is_told_without_its_address_or_password() -> None:
    with pytest.raises(Unavailable) as told:
        open_postgres("postgresql://gateway:secret@127.0.0.1:1/none")
    assert not any(word in str(told.value) for word in ("secret", "127.0.0.1", "none", "gateway:"))
    with pytest.raises(Usage) as wrong:
        open_postgres("postgresql://gateway:secret@[::1/none")
    assert "secret" not in str(wrong.value)


def test_while_one_serves_nobody_has_the_store_alone_and_the_other_way_round(url: str) -> None:
    with closing(open_postgres(url)) as one, closing(open_postgres(url)) as other:
        with one.serving(), other.serving():
            with pytest.raises(Usage, match="serving"), one.alone():
                pass
            break_connections(url)  # whoever serves takes its lock again with its next connection
            with one.write(1) as writer:
                writer.tick()
            with pytest.raises(Usage, match="serving"), other.alone():
                pass
        with one.alone(), pytest.raises(Unavailable, match="copied"), other.serving():
            pass
        with other.serving():
            pass


def test_text_that_postgresql_cannot_hold_is_found_again_and_what_was_received_is_untouched(url: str) -> None:
    with closing(open_postgres(url)) as store:
        odd = an_input(b"a\0b", control_id="a\0b", identifiers=("m\0",), error="\0")
        with store.write(1) as writer:
            writer.add_input(odd)
        with store.write(2) as writer:
            found = writer.accepted("st-mary", "a\0b", odd.digest)
            assert found is not None
            assert (found.raw, found.identifiers, found.control_id) == (b"a\0b", ("m\0",), "a\u2400b")
        with store.reading() as reader:
            assert len(list(reader.messages(Filter(identifiers=("m\0",), contains=b"\0")))) == 1
