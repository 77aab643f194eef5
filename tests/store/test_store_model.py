"""Any sequence of changes, compared with a model of a few lines: versions, search, shared resources, the feed and its pollers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.store.interface import ALL, REFERS, Change, NewVersion, SharedRow, Store, TransitionRow
from tests.store.stores import examples, fresh, on_every_store

pytestmark = on_every_store

RECIPIENTS = (ALL, "river", "hill")
TERMS = (
    (("owner", "Organization/river"),),
    (("owner", "Organization/hill"), ("status", "requested")),
    (("status", "requested"), (REFERS, "Practitioner/ann")),
    ((REFERS, "Practitioner/ann"), (REFERS, "Practitioner/bob")),
    (),
)
SEARCHES = ((("owner", ("Organization/river",)),), (("status", ("requested", "x")), ("owner", ("Organization/hill", "Organization/river"))))


class Undone(Exception):
    """Raised inside a savepoint, so that what was written there must be undone."""


versions = st.tuples(st.sampled_from(RECIPIENTS), st.integers(0, 2), st.sampled_from([None, b"a", b"b", b"c"]), st.sampled_from(TERMS))
rows = st.tuples(st.sampled_from(RECIPIENTS), st.integers(0, 1), st.sampled_from([None, b"a", b"b"]), st.booleans())
applying = st.tuples(st.just("apply"), st.integers(0, 1), st.booleans(), st.lists(versions, max_size=6), st.lists(rows, max_size=3))
sharing = st.tuples(st.just("share"), st.sampled_from(["ann", "bob"]), st.sampled_from([None, b"1", b"2"]))
step = st.tuples(st.one_of(applying, applying, applying, sharing), st.integers(0, 40), st.booleans(), st.booleans())


@dataclass
class Model:
    """What the rules say should be seen: every list is a history, oldest first."""

    versions: dict[tuple[str, str, str], list[bytes | None]] = field(default_factory=lambda: defaultdict(list))
    terms: dict[tuple[str, str, str], tuple[tuple[str, str], ...]] = field(default_factory=dict)
    rows: dict[tuple[str, str], tuple[bytes | None, bool]] = field(default_factory=dict)
    feeds: dict[str, list[tuple[str, bytes | None]]] = field(default_factory=lambda: defaultdict(list))

    def put(self, recipient: str, type: str, id: str, body: bytes | None, terms: tuple[tuple[str, str], ...]) -> None:
        history = self.versions[recipient, type, id]
        if (history[-1] if history else None) != body:
            history.append(body)
        self.terms[recipient, type, id] = terms if body is not None else ()

    def row(self, recipient: str, id: str, body: bytes | None, flagged: bool) -> None:
        before = self.rows.get((recipient, id), (None, False))[0]
        if body is not None or before is not None:
            self.rows[recipient, id] = (body, flagged)
        if before != body:
            self.feeds[recipient].append((id, body))

    def follow(self) -> None:
        """An agency sees the shared resources that its current versions refer to."""
        for recipient in RECIPIENTS[1:]:
            targets = {value for (who, _, _), terms in self.terms.items() if who == recipient for name, value in terms if name == REFERS}
            for name in ("ann", "bob"):
                seen = self.versions[ALL, "Practitioner", name][-1:] if f"Practitioner/{name}" in targets else []
                self.put(recipient, "Practitioner", name, seen[0] if seen else None, ())

    def apply(self, operation: tuple) -> None:
        if operation[0] == "share":
            self.put(ALL, "Practitioner", operation[1], operation[2], ())
        else:
            _, partition, whole, new, transitions = operation
            for recipient, number, body, terms in new:
                self.put(recipient, "Task", f"{partition}-{number}", body, terms)
            for recipient, number, body, flagged in transitions:
                self.row(recipient, f"t{partition}-{number}", body, flagged)
            if whole:
                named = {(recipient, f"{partition}-{number}") for recipient, number, _, _ in new}
                for recipient, type, id in list(self.versions):
                    if type == "Task" and id.startswith(f"{partition}-") and (recipient, id) not in named:
                        self.put(recipient, type, id, None, ())
                named = {(recipient, f"t{partition}-{number}") for recipient, number, _, _ in transitions}
                for recipient, id in list(self.rows):
                    if id.startswith(f"t{partition}-") and (recipient, id) not in named:
                        self.row(recipient, id, None, False)
        self.follow()


def unique(items: list[tuple]) -> list[tuple]:
    """The last word on each (recipient, id): a change says everything once."""
    return list({(item[0], item[1]): item for item in items}.values())


def change_of(operation: tuple, partitions: list[int]) -> Change:
    _, partition, whole, new, transitions = operation
    return Change(
        partitions[partition],
        [NewVersion(recipient, "Task", f"{partition}-{number}", body, terms) for recipient, number, body, terms in new],
        [TransitionRow(recipient, f"t{partition}-{number}", body, "open", flagged, 1, number) for recipient, number, body, flagged in transitions],
        whole=whole,
    )


@dataclass
class Poller:
    """An agency's system: it keeps a cursor and the latest state that it was told."""

    recipient: str
    cursor: int = 0
    state: dict[str, bytes | None] = field(default_factory=dict)

    def poll(self, store: Store) -> None:
        with store.reading() as reader:
            page = reader.feed(self.recipient, self.cursor, 2)
        for row in page:
            assert row.position > self.cursor  # a cursor, once moved, repeats nothing
            self.cursor = row.position
            self.state[row.id] = row.body


def test_the_store_agrees_with_the_model() -> None:
    settings(max_examples=examples(120), deadline=None)(given(st.lists(step, max_size=10))(play))()


def play(steps: list[tuple]) -> None:
    """Some steps on an empty store, told to the model too, and compared."""
    with fresh() as store:
        model, pollers = Model(), [Poller(recipient) for recipient in RECIPIENTS]
        with store.write(0) as writer:
            partitions = [writer.bind([f"key-{number}"], None) for number in range(2)]
        for operation, now, kept, heard in steps:  # the clock steps back and forth
            if operation[0] == "apply":
                operation = (*operation[:3], unique(operation[3]), unique(operation[4]))
            with store.write(now) as writer:
                try:
                    with writer.savepoint():
                        if operation[0] == "share":
                            _, name, body = operation
                            writer.put_shared([(SharedRow(name, "1", b""), NewVersion(ALL, "Practitioner", name, body))])
                        else:
                            writer.apply(change_of(operation, partitions))
                        if not kept:
                            raise Undone
                except Undone:
                    pass
                else:
                    model.apply(operation)
            if heard:
                for poller in pollers:
                    poller.poll(store)
        agrees(store, model)
        for poller in pollers:
            while True:
                before = poller.cursor
                poller.poll(store)
                if poller.cursor == before:
                    break
            expected = {id: body for (recipient, id), (body, _) in model.rows.items() if recipient == poller.recipient}
            assert {id: body for id, body in poller.state.items() if body is not None} == {id: b for id, b in expected.items() if b is not None}
            assert {id for id, body in poller.state.items() if body is None} <= {id for id, body in expected.items() if body is None}


def agrees(store: Store, model: Model) -> None:
    """Everything that can be read, compared with the model."""
    with store.reading() as reader:
        seen_positions: list[int] = []
        for (recipient, type, id), expected in model.versions.items():
            history = reader.history(recipient, type, id, 100)
            assert [version.body for version in reversed(history)] == expected
            assert [version.number for version in reversed(history)] == list(range(1, len(expected) + 1))
            for version in history:
                assert reader.vread(recipient, type, id, version.number) == version
            assert reader.read(recipient, type, id) == (history[0] if history else None)
            seen_positions += [version.position for version in history]
            assert [version.position for version in history] == sorted((version.position for version in history), reverse=True)
        assert len(set(seen_positions)) == len(seen_positions)
        for recipient in RECIPIENTS:
            current = {id for (who, type, id), bodies in model.versions.items() if (who, type) == (recipient, "Task") and bodies and bodies[-1]}
            found = reader.search(recipient, "Task")
            assert {version.id for version in found} == current
            assert [version.position for version in found] == sorted(version.position for version in found)
            for search in SEARCHES:
                wanted = {
                    id
                    for id in current
                    if all(any((name, value) in model.terms[recipient, "Task", id] for value in values) for name, values in search)
                }
                assert {version.id for version in reader.search(recipient, "Task", terms=search)} == wanted
            for middle in found[:1]:
                assert reader.search(recipient, "Task", after=middle.position) == found[1:]
                assert reader.search(recipient, "Task", updated_before=middle.position + 1) == found[:1]
                assert reader.search(recipient, "Task", terms=[("_id", [middle.id])]) == [middle]
            everything = {(v.type, v.id) for v in reader.export(recipient)}
            assert everything == {(t, i) for (who, t, i), bodies in model.versions.items() if who == recipient and bodies and bodies[-1]}
            flagged = {id for (who, id), (body, raised) in model.rows.items() if who == recipient and body is not None and raised}
            assert {row.id for row in reader.worklist(recipient, flagged=True)} == flagged
            for (who, id), (body, _) in model.rows.items():
                row = reader.transition(who, id)
                assert row is not None
                assert row.body == body
