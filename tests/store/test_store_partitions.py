"""Partitions: keys bind to one, joining moves everything to the lowest, a rebuild claims everything anew."""

from __future__ import annotations

from gateway.store.interface import ALL, REFERS, Change, NewVersion, SharedRow, TransitionRow
from tests.store.stores import an_input, fresh, on_every_store

pytestmark = on_every_store


def task(id: str, body: bytes | None = b"{}", recipient: str = ALL, *terms: tuple[str, str]) -> NewVersion:
    return NewVersion(recipient, "Task", id, body, terms)


def row(id: str, body: bytes | None = b"{}", recipient: str = ALL) -> TransitionRow:
    return TransitionRow(recipient, id, body, "open", True, 1, 5)


def test_a_key_stays_where_it_was_bound_first() -> None:
    with fresh() as store, store.write(1) as writer:
        assert writer.partitions(["mrn|1", "mrn|2"]) == []
        one = writer.bind(["mrn|1"], None)
        two = writer.bind(["mrn|2"], None)
        assert one != two
        assert writer.bind(["mrn|1", "mrn|3"], two) == two
        assert writer.partitions(["mrn|1"]) == [one]
        assert writer.partitions(["mrn|3"]) == [two]
        assert writer.partitions(["mrn|3", "mrn|1", "mrn|9"]) == [one, two]


def test_joining_moves_everything_to_the_lowest_partition() -> None:
    with fresh() as store:
        with store.write(1) as writer:
            partitions = [writer.bind([f"mrn|{number}"], None) for number in range(3)]
            for number, partition in enumerate(partitions):
                writer.put_statements(writer.add_input(an_input(control_id=str(number))), {partition: b"said %d" % number})
                writer.apply(Change(partition, [task(f"task-{number}")], [row(f"t-{number}")], next_look=100 - number))
        with store.write(2) as writer:
            assert writer.due(100, 10) == [partitions[2], partitions[1], partitions[0]]
            assert writer.join([partitions[2], partitions[0], partitions[1]]) == partitions[0]
            assert writer.partitions(["mrn|0", "mrn|1", "mrn|2"]) == [partitions[0]]
            assert [body for _, body in writer.statements(partitions[0])] == [b"said 0", b"said 1", b"said 2"]
            assert {key[2] for key in writer.heads(partitions[0])} == {"task-0", "task-1", "task-2"}
            assert {key[1] for key in writer.transition_rows(partitions[0])} == {"t-0", "t-1", "t-2"}
            assert writer.heads(partitions[2]) == {}
            assert writer.transition_rows(partitions[2]) == {}
            assert writer.partition_of("Task", "task-2") == writer.partition_of("Transition", "t-2") == partitions[0]
            assert writer.due(98, 10) == [partitions[0]]  # the earliest waking stays
        with store.reading() as reader:
            assert {version.id for version in reader.search(ALL, "Task", partition=partitions[0])} == {"task-0", "task-1", "task-2"}


def test_what_an_input_said_is_replaced_when_it_is_replayed() -> None:
    with fresh() as store:
        with store.write(1) as writer:
            number = writer.add_input(an_input())
            one, two = writer.bind(["a"], None), writer.bind(["b"], None)
            writer.put_statements(number, {one: b"before", two: b"before"})
        with store.write(2) as writer:
            writer.put_statements(number, {two: b"after"})
            assert (writer.statements(one), writer.statements(two)) == ([], [(number, b"after")])


def test_the_clock_finds_what_is_due_longest_waiting_first() -> None:
    with fresh() as store, store.write(1) as writer:
        partitions = [writer.bind([], None) for _ in range(4)]
        for partition, look in zip(partitions, (30, 10, None, 20), strict=True):
            writer.apply(Change(partition, next_look=look))
        assert writer.due(9, 10) == []
        assert writer.due(20, 10) == [partitions[1], partitions[3]]
        assert writer.due(99, 2) == [partitions[1], partitions[3]]
        writer.apply(Change(partitions[1], next_look=None))
        assert writer.due(99, 10) == [partitions[3], partitions[0]]


def test_a_rebuild_claims_what_is_derived_again_and_names_the_rest() -> None:
    with fresh() as store:
        with store.write(1) as writer:
            partition = writer.bind(["a"], None)
            writer.put_statements(writer.add_input(an_input()), {partition: b"said"})
            writer.put_shared([(SharedRow("p", "1", b""), NewVersion(ALL, "Practitioner", "p", b"{}"))])
            writer.apply(Change(partition, [task("same"), task("gone"), task("same", b"{}", "river")], [row("same"), row("gone")]))
        with store.reading() as reader:
            positions = {version.id: version.position for version in reader.search(ALL, "Task")}
            cursor = reader.position(ALL)
        with store.write(2) as writer:
            writer.clear_statements()
            assert writer.partitions(["a"]) == []
            assert writer.statements(partition) == []
            assert writer.partition_of("Task", "same") is None
            assert writer.shared(["p"]) == {}
            again = writer.bind(["a"], None)
            writer.apply(Change(again, [task("same")], [row("same")], whole=True))
            assert {(head.recipient, head.type, head.id) for head in writer.orphans()} == {(ALL, "Practitioner", "p"), (ALL, "Task", "gone")}
            assert [orphan.id for orphan in writer.orphan_transitions()] == ["gone"]
            gone = [NewVersion(head.recipient, head.type, head.id, None) for head in writer.orphans()]
            writer.apply(Change(0, gone, [orphan._replace(body=None) for orphan in writer.orphan_transitions()]))
            assert writer.orphans() == writer.orphan_transitions() == []
        with store.reading() as reader:
            same = reader.read(ALL, "Task", "same")
            assert same is not None
            assert (same.number, same.position, same.partition) == (1, positions["same"], again)
            gone_now = reader.read(ALL, "Task", "gone")
            assert gone_now is not None
            assert (gone_now.number, gone_now.body) == (2, None)
            narrowed = reader.read("river", "Task", "same")  # an agency's view that is derived no more goes, though the resource stays
            assert narrowed is not None
            assert narrowed.body is None
            assert [(changed.id, changed.body) for changed in reader.feed(ALL, cursor, 10)] == [("gone", None)]


def test_an_agency_sees_a_shared_resource_while_something_it_sees_refers_to_it() -> None:
    refers = (REFERS, "Practitioner/ann")
    with fresh() as store:
        with store.write(1) as writer:
            partition = writer.bind(["a"], None)
            writer.apply(Change(partition, [task("t", b"{}", ALL, refers), task("t", b"{}", "river", refers)]))
        with store.write(2) as writer:  # the reference may come before what it refers to
            writer.put_shared([(SharedRow("ann", "1", b"d"), NewVersion(ALL, "Practitioner", "ann", b"ann", (("name", "ann"),)))])
            assert writer.shared(["ann", "bob"]) == {"ann": SharedRow("ann", "1", b"d")}
        with store.reading() as reader:
            assert [version.body for version in reader.search("river", "Practitioner", terms=[("name", ["ann"])])] == [b"ann"]
            assert reader.read("hill", "Practitioner", "ann") is None
            assert reader.search("hill", "Practitioner", terms=[("name", ["ann"])]) == []
        with store.write(3) as writer:
            writer.put_shared([(SharedRow("ann", "2", b"e"), NewVersion(ALL, "Practitioner", "ann", b"ann b."))])
            writer.put_shared([(SharedRow("ann", "3", b"f"), None)])
            assert writer.shared(["ann"])["ann"].order == "3"
        with store.write(4) as writer:
            writer.apply(Change(partition, [task("t", b"{2}", "river")]))
        with store.reading() as reader:
            assert [(version.number, version.body) for version in reader.history("river", "Practitioner", "ann", 9)] == [
                (3, None),
                (2, b"ann b."),
                (1, b"ann"),
            ]
            assert reader.search("river", "Practitioner") == []
            assert len(reader.search(ALL, "Practitioner")) == 1
