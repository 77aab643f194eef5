"""The order of changes stays the order in which they became visible, whatever transactions that write nothing do (DESIGN, law 8)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from gateway.store.interface import ALL, Change, Store, TransitionRow
from gateway.store.postgres import open_postgres
from tests.store.stores import empty_schema

pytestmark = pytest.mark.postgres


@pytest.fixture
def two() -> Iterator[tuple[Store, Store]]:
    """Two gateways' stores on one database."""
    with empty_schema() as url, ExitStack() as stack:
        yield stack.enter_context(closing(open_postgres(url))), stack.enter_context(closing(open_postgres(url)))


def change(store: Store, now: int, id: str) -> None:
    """Commit a change of a transition."""
    with store.write(now) as writer:
        writer.apply(Change(writer.bind([id], None), transitions=[TransitionRow(ALL, id, b"%d" % now, "open", True, 1, 5)]))


def positions(store: Store) -> dict[str, int]:
    with store.reading() as reader:
        return {row.id: row.position for row in reader.feed(ALL, 0, 100)}


def test_a_moment_that_was_given_is_above_what_was_committed_by_then_and_below_what_comes(two: tuple[Store, Store]) -> None:
    """A bulk export's moment: after the transaction that asked for it, nothing is ever committed at or below it. And a transaction that wrote nothing
    else does not set the clock back for those that committed meanwhile."""
    slow, quick = two
    change(quick, 100, "first")
    with slow.write(101) as writer:
        moment = writer.tick()
        change(quick, 500, "beside")
    change(quick, 102, "after")
    found = positions(quick)
    assert found["first"] < moment < found["beside"] < found["after"]
