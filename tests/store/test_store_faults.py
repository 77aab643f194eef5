"""When the store cannot take it: nothing is taken, the sender is told so in plain words, and the file stays whole."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.errors import GatewayError, Unavailable, Usage
from gateway.store.interface import ALL, Change, Filter, NewVersion, TransitionRow
from gateway.store.serving import is_being_served, lock_for_serving
from gateway.store.sqlite import open_sqlite
from tests.store.stores import an_input, fresh


@contextlib.contextmanager
def held_by_another(path: Path):
    """A second connection that holds the write lock."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def path_of(store) -> Path:
    return store._path


def test_a_locked_store_is_unavailable_and_readable_and_recovers() -> None:
    with fresh(busy=0.05) as store:
        with held_by_another(path_of(store)):
            with pytest.raises(Unavailable, match="locked"), store.write(1) as writer:
                writer.add_input(an_input())
            with pytest.raises(Unavailable):
                store.credentials.spend_jti("c", "j", 10**10)
            with store.reading() as reader:
                assert reader.counts()["processed"] == 0
        with store.write(2) as writer:
            writer.add_input(an_input())


def test_a_lock_that_is_given_back_in_time_is_waited_for() -> None:
    with fresh(busy=5) as store:
        program = (
            "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE');"
            "print('held', flush=True); time.sleep(0.3); c.execute('COMMIT')"
        )
        with subprocess.Popen([sys.executable, "-c", program, str(path_of(store))], stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            other.stdout.readline()
            with store.write(1) as writer:
                writer.add_input(an_input())


def test_two_threads_of_one_process_wait_for_each_other() -> None:
    with fresh(busy=0.05) as store, store.write(1), pytest.raises(Unavailable, match="busy"), store.write(2):
        pass


def test_a_full_disk_takes_nothing_even_if_a_savepoint_swallows_it() -> None:
    with fresh() as store:
        pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
        store._writer.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(Unavailable) as told, store.write(1) as writer:  # noqa: PT012
            writer.add_input(an_input(b"small"))
            with contextlib.suppress(GatewayError), writer.savepoint():
                writer.add_input(an_input(bytes(1_000_000), control_id="2"))
                writer.input(1)
        assert str(path_of(store)) not in str(told.value)
        assert "database" not in str(told.value)
        with store.reading() as reader:
            assert reader.counts()["processed"] == 0
        with pytest.raises(Unavailable, match="full"), store.write(1) as writer:
            writer.add_input(an_input(bytes(1_000_000)))
        store._writer.execute("PRAGMA max_page_count = 100000")
        with store.write(1) as writer:
            writer.add_input(an_input(bytes(1_000_000)))


def test_a_damaged_file_is_unavailable_and_named_so(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(Unavailable, match="damaged") as told:
        open_sqlite(path)
    assert str(tmp_path) not in str(told.value)


def test_what_a_savepoint_wrote_is_undone_and_the_rest_stands() -> None:
    with fresh() as store:
        with store.write(1) as writer:
            first = writer.add_input(an_input(b"one"))
            partition = writer.bind(["mrn|1"], None)
            with pytest.raises(ZeroDivisionError), writer.savepoint():  # noqa: PT012
                writer.add_input(an_input(b"two", control_id="2"))
                writer.bind(["mrn|2"], None)
                writer.put_statements(first, {partition: b"undone"})
                writer.apply(Change(partition, [NewVersion("new agency", "NewType", "x", b"{}", (("p", "v"),))], next_look=5))
                raise ZeroDivisionError
            assert writer.partitions(["mrn|2"]) == []
            assert writer.statements(partition) == []
            assert writer.heads(partition) == {}
            assert writer.due(10, 10) == []
            with writer.savepoint():
                writer.apply(Change(partition, [NewVersion("new agency", "NewType", "y", b"{}", (("p", "v"),))]))
        with store.reading() as reader:
            assert [row.id for row in reader.messages(Filter())] == [first]
            assert [version.id for version in reader.search("new agency", "NewType", terms=[("p", ["v"])])] == ["y"]


def test_a_transaction_that_raises_leaves_nothing() -> None:
    with fresh() as store:
        with pytest.raises(ZeroDivisionError), store.write(1) as writer:  # noqa: PT012
            writer.add_input(an_input())
            writer.apply(Change(0, [NewVersion("new agency", "Task", "x", b"{}")]))
            raise ZeroDivisionError
        with store.write(2) as writer:
            writer.apply(Change(0, [NewVersion("other agency", "Task", "x", b"{}")]))
        with store.reading() as reader:
            assert reader.read("new agency", "Task", "x") is None
            assert reader.read("other agency", "Task", "x") is not None


WRITES_UNTIL_KILLED = """
import sys
from pathlib import Path
from gateway.store.interface import ALL, Change, NewVersion, TransitionRow
from gateway.store.sqlite import open_sqlite
from tests.store.stores import an_input
store = open_sqlite(Path(sys.argv[1]))
number = 0
while True:
    with store.write(number) as writer:
        group = range(number, number + 5)
        for one in group:
            with writer.savepoint():
                partition = writer.bind([str(one)], None)
                writer.put_statements(writer.add_input(an_input(b"%d" % one, control_id=str(one))), {partition: b"said"})
                writer.apply(Change(partition, [NewVersion(ALL, "Task", str(one), b"{}", (("owner", "x"),))],
                                    [TransitionRow(ALL, str(one), b"{}", "open", True, 1, 1)], whole=True))
    print(group[-1], flush=True)
    number += 5
"""


def test_a_killed_process_leaves_all_that_was_committed_and_no_half_of_the_rest() -> None:
    chance = random.Random(7)
    with fresh() as store:
        path = path_of(store)
        with subprocess.Popen([sys.executable, "-c", WRITES_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE, cwd=Path.cwd()) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(chance.uniform(0.1, 0.4))
            child.send_signal(signal.SIGKILL)
            told = [int(line) for line in child.stdout.read().split()]
        again = open_sqlite(path)
        try:
            with again.reading() as reader:
                inputs = [int(row.control_id) for row in reader.messages(Filter(oldest_first=True))]
                assert inputs == list(range(len(inputs)))
                assert len(inputs) % 5 == 0
                assert len(inputs) > told[-1]
                assert [int(version.id) for version in reader.search(ALL, "Task", terms=[("owner", ["x"])])] == inputs
                assert len(reader.feed(ALL, 0, 10**6)) == len(inputs)
            with again.write(1) as writer:
                writer.apply(Change(0, [], [TransitionRow(ALL, "new", b"{}", "open", True, 1, 1)]))
            with contextlib.closing(sqlite3.connect(path)) as look:
                assert look.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        finally:
            again.close()


def test_commands_beside_a_busy_server_get_their_turn() -> None:
    with fresh() as store:
        with subprocess.Popen([sys.executable, "-c", WRITES_UNTIL_KILLED, str(path_of(store))], stdout=subprocess.PIPE, cwd=Path.cwd()) as child:
            assert child.stdout is not None
            child.stdout.readline()
            for number in range(10):
                with store.write(number) as writer:
                    writer.add_input(an_input(b"beside", control_id=f"beside-{number}"))
            child.kill()
            child.stdout.read()
        with store.reading() as reader:
            assert sum(1 for row in reader.messages(Filter(contains=b"beside"))) == 10


SERVES_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from gateway.store.serving import lock_for_serving
with lock_for_serving(Path(sys.argv[1])):
    print("serving", flush=True)
    time.sleep(60)
"""


def test_a_second_serve_refuses_and_a_killed_one_leaves_the_lock_free(tmp_path: Path) -> None:
    assert not is_being_served(tmp_path)
    with subprocess.Popen([sys.executable, "-c", SERVES_UNTIL_KILLED, str(tmp_path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert is_being_served(tmp_path)
        with pytest.raises(Usage, match="serving") as told, lock_for_serving(tmp_path):
            pass
        assert str(tmp_path) not in str(told.value)
        child.kill()
    assert not is_being_served(tmp_path)
    with lock_for_serving(tmp_path):
        assert is_being_served(tmp_path)
        with pytest.raises(Usage), lock_for_serving(tmp_path):
            pass
    assert not is_being_served(tmp_path)


def test_a_new_file_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "data" / "gateway.db")
    with store.write(1) as writer:
        writer.add_input(an_input())
    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "data").iterdir()}
    store.close()
    assert set(modes.values()) == {0o600}, modes
