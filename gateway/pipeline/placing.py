"""Which partitions statements belong to: those of the people they are about. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.records.statements import Statement


def partition_keys(statement: Statement) -> set[str]:
    """The keys by which a statement is found again: people's, and those of subjects that are told of without a person."""
    keys = {*statement.person, *statement.retires}
    if statement.kind not in ("person", "merge", "stay", "claim", "decision"):
        keys.update(f"{statement.kind}|{key}" for key in statement.keys)
    return keys


def connected(statements: Iterable[Statement]) -> list[tuple[Statement, ...]]:
    """Statements grouped by the people they are about: one group for nearly every message."""
    groups: list[tuple[set[str], list[Statement]]] = []
    for statement in statements:
        keys = partition_keys(statement)
        mine: tuple[set[str], list[Statement]] = (keys, [statement])
        rest = []
        for group in groups:
            if group[0] & keys:
                mine = (mine[0] | group[0], [*group[1], *mine[1]])
            else:
                rest.append(group)
        groups = [*rest, mine]
    return [tuple(group) for _, group in groups]
