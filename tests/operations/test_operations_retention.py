"""[retention]: what may be removed, and that nothing else is. Law 2: what was accepted stays, and a rebuild gives the same as before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.operations.retention import Rule, remove, rules, would_remove
from gateway.sections import RetentionSettings
from gateway.store import upkeep
from gateway.store.app_grants import CodeRow, GrantRow, RefreshRow
from gateway.store.exports import ExportRow
from gateway.store.interface import ALL, Change, Filter, Input, NewVersion, Store, TokenRow
from tests.attacks_feeds.messages import FEEDS, message
from tests.attacks_feeds.processes import here, rows
from tests.operations.beside import beside
from tests.operations.test_operations_watched import send
from tests.store.conftest import database  # noqa: F401
from tests.store.stores import fresh, on_every_store

DAY = 86_400 * 1_000_000
NOW = 1_795_312_800_000_000  # 2026-11-22T02:00:00Z
SECONDS = NOW // 1_000_000


def removed(store: Store, settings: RetentionSettings) -> dict[str, int]:
    """What is removed, after what was said would be."""
    said = {rule.name: would_remove(store, rule).number for rule in rules(settings, SECONDS, NOW)}
    done = {rule.name: remove(store, rule).number for rule in rules(settings, SECONDS, NOW)}
    assert said == done
    assert not any(would_remove(store, rule).number for rule in rules(settings, SECONDS, NOW))
    return {name: number for name, number in done.items() if number}


@pytest.fixture
def store() -> Iterator[Store]:
    with fresh() as made:
        yield made


def add(store: Store, control: str, state: str, days: float, original: int | None = None) -> int:
    received = NOW - int(days * DAY)
    row = Input(0, "hl7v2", "st-mary", control, control.encode().ljust(32), received, b"" if original else b"MSH|" + control.encode())
    with store.write(received) as writer:
        return writer.add_input(replace(row, state=state, original=original, identifiers=(f"MRN-{control}", "V1")))  # type: ignore[arg-type]


@on_every_store
def test_of_the_inbox_repetitions_and_quarantine_may_go_and_nothing_that_was_accepted(store: Store) -> None:
    kept = add(store, "A", "processed", 900)
    add(store, "A", "duplicate", 100, kept)
    add(store, "A", "duplicate", 5, kept)
    add(store, "B", "quarantined", 100)
    new = add(store, "C", "quarantined", 5)
    assert removed(store, RetentionSettings()) == {}
    assert removed(store, RetentionSettings(duplicates_days=30, quarantined_days=30)) == {"duplicates": 1, "quarantined messages": 1}
    with store.reading() as reader:
        left = {(row.control_id, row.state, row.raw) for row in reader.messages(Filter())}
        assert left == {("A", "processed", b"MSH|A"), ("A", "duplicate", b"MSH|A"), ("C", "quarantined", b"MSH|C")}
        assert [row.id for row in reader.messages(Filter(identifiers=("MRN-B",)))] == []
        assert [row.id for row in reader.messages(Filter(identifiers=("MRN-C",)))] == [new]


def test_a_message_that_is_replayed_meanwhile_is_not_removed(store: Store) -> None:
    number = add(store, "B", "quarantined", 100)
    steps = store.upkeep.remove(upkeep.QUARANTINED, NOW)
    found = store.upkeep._found(upkeep.QUARANTINED, NOW)
    keys = next(found)
    with store.write(NOW) as writer:
        row = writer.input(number)
        assert row is not None
        writer.settle_input(replace(row, state="processed"))
    with store.upkeep._writing() as connection:
        assert upkeep._remove(connection, upkeep.QUARANTINED, keys[0]) == 0
    assert sum(steps) == 0
    with store.reading() as reader:
        assert [row.raw for row in reader.messages(Filter())] == [b"MSH|B"]


def write(store: Store, partition: int, number: int, days: float, *recipients: str) -> None:
    at = NOW - int(days * DAY)
    body = b'{"resourceType":"Patient","id":"p1","gender":"%d"}' % number
    with store.write(at) as writer:
        writer.apply(Change(partition, [NewVersion(recipient, "Patient", "p1", body) for recipient in recipients]))


@on_every_store
def test_superseded_versions_go_and_what_stands_stays_with_what_was_current_since(store: Store) -> None:
    with store.write(NOW - 400 * DAY) as writer:
        partition = writer.bind(["k"], None)
    write(store, partition, 1, 300, ALL, "river")
    write(store, partition, 2, 200, ALL)  # river still has the first body
    write(store, partition, 3, 100, ALL)
    write(store, partition, 4, 10, ALL)
    # number 1 and 2 were followed 200 and 100 days ago; 3 was current until 10 days ago
    assert removed(store, RetentionSettings(superseded_days=30)) == {"superseded versions": 2}
    with store.reading() as reader:
        assert [each.number for each in reader.history(ALL, "Patient", "p1", 10)] == [4, 3]
        assert reader.vread(ALL, "Patient", "p1", 1) is None
        standing = reader.read("river", "Patient", "p1")
        assert standing is not None
        assert standing.body == b'{"resourceType":"Patient","id":"p1","gender":"1"}'
        assert reader.count(ALL, "Patient") == 1
        past = reader.as_of(ALL, "Patient", moment=NOW - 20 * DAY, after=0, until=NOW, limit=9)
        assert [each.version.number for each in past] == [3]
    write(store, partition, 5, 0, ALL)
    with store.reading() as reader:
        assert [each.number for each in reader.history(ALL, "Patient", "p1", 10)] == [5, 4, 3]


@on_every_store
def test_versions_that_an_export_shows_stay_until_it_has_expired(store: Store) -> None:
    with store.write(NOW - 400 * DAY) as writer:
        partition = writer.bind(["k"], None)
    write(store, partition, 1, 300, ALL)
    exports = store.exports
    exports.add(ExportRow("e1", "desk", ALL, "/fhir/$export", "{}", SECONDS - 100, SECONDS + 3600), 5)
    claimed = exports.claim("w", SECONDS, SECONDS + 60)
    assert claimed is not None
    assert exports.renew("e1", "w", SECONDS + 60, NOW - 250 * DAY, "")  # it shows what was current 250 days ago
    write(store, partition, 2, 200, ALL)
    assert removed(store, RetentionSettings(superseded_days=30)) == {}
    exports.drop("e1")
    assert removed(store, RetentionSettings(superseded_days=30)) == {"superseded versions": 1}


@on_every_store
def test_what_has_expired_goes_and_what_is_good_stays(store: Store) -> None:
    old, good = SECONDS - 10, 4_000_000_000
    grants = store.credentials.grants
    for name, expires in (("old", old), ("good", good)):
        digest = name.encode().ljust(32)
        store.credentials.add_token(TokenRow(digest, "river-app", "system/*.rs", good, 1))
        grants.add(GrantRow(name, "app", "u1", "openid", "", "", None, 1, 0, expires), CodeRow(digest, name, "https://app", "c", "", expires))
        grants.add_refresh(RefreshRow(digest, name, expires, used=1))
    with store.upkeep._writing() as connection:
        connection.execute("UPDATE token SET expires = ? WHERE digest = ?", (old, b"old".ljust(32)))
        connection.execute("INSERT INTO spent (digest, keep_until) VALUES (?, ?)", (b"s".ljust(32), old))
    assert removed(store, RetentionSettings()) == {"expired access tokens": 1, "spent assertions": 1, "ended grants": 1}
    assert store.credentials.token(b"good".ljust(32)) is not None
    assert grants.grant("old") is None
    assert grants.code(b"old".ljust(32)) is None
    # a used refresh token is remembered while its grant lasts: whoever shows it again ends the grant
    assert grants.refresh(b"good".ljust(32)) is not None


def test_removal_takes_small_turns_and_stops_when_it_is_told_to(store: Store) -> None:
    original = add(store, "A", "processed", 100)
    with store.write(NOW - 90 * DAY) as writer:
        for number in range(450):
            writer.add_input(
                Input(0, "hl7v2", "f", "A", b"d" * 32, NOW - 90 * DAY, b"", state="duplicate", original=original, identifiers=(f"{number}",))
            )
    rule = Rule("duplicates", upkeep.DUPLICATES, NOW - 30 * DAY)
    assert remove(store, rule, lambda: False).number == upkeep.AT_ONCE
    assert list(store.upkeep.remove(rule.kind, rule.before)) == [200, 50]


def test_the_command_counts_then_removes_and_a_rebuild_gives_the_same(tmp_path: Path) -> None:
    toml = FEEDS + "[retention]\nduplicates_days = 0.000001\nquarantined_days = 0.000001\nsuperseded_days = 1\naudit_days = 2190\n"
    with beside(tmp_path, toml) as gateway:
        send(gateway, message("C1"), message("C1"), message("C2", event="ADT^A99"))
    before = here("export", "--data", tmp_path).stdout
    assert rows("retention", "--dry-run", "--data", tmp_path, "--json")["duplicates"] == 1
    assert len(rows("messages", "list", "--data", tmp_path, "--json")) == 3
    told = here("retention", "--data", tmp_path).stdout.decode().split("\n")
    assert {"           1  duplicates", "           1  quarantined messages", "           0  superseded versions"} <= set(told)
    assert [row["control_id"] for row in rows("messages", "list", "--data", tmp_path, "--json")] == ["C1"]
    assert here("rebuild", "--data", tmp_path).returncode == 0
    assert here("export", "--data", tmp_path).stdout == before
