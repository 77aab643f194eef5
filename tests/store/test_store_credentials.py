"""Clients, tokens and spent assertions."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from gateway.store.interface import ClientRow, TokenRow
from tests.store.stores import an_input, fresh, on_every_store

pytestmark = on_every_store

RIVER = ClientRow("river", "agency", "river-cmhc", "system/Task.rs", jwks='{"keys": []}', feeds=("st-mary", "lakeside"), created=5)


def test_a_client_is_read_back_as_it_was_registered() -> None:
    with fresh() as store:
        credentials = store.credentials
        assert credentials.client("river") is None
        credentials.add_client(RIVER)
        other = ClientRow("hill", "hospital", "hill", "system/Bundle.c", jwks_url="https://hill.example.org/jwks")
        credentials.add_client(other)
        assert credentials.client("river") == RIVER
        assert credentials.clients() == [other, RIVER]


def test_a_revoked_client_keeps_its_row_and_loses_its_tokens() -> None:
    later = int(time.time()) + 300
    with fresh() as store:
        credentials = store.credentials
        credentials.add_client(RIVER)
        credentials.add_token(TokenRow(b"t", "river", "system/Task.rs", later, later - 300))
        assert credentials.revoke_client("river", 77)
        assert not credentials.revoke_client("river", 78)
        assert not credentials.revoke_client("nobody", 78)
        known = credentials.client("river")
        assert known is not None
        assert known.revoked == 77
        assert credentials.token(b"t") is None


def test_a_token_is_known_until_it_is_revoked_and_expired_ones_go() -> None:
    now = int(time.time())
    with fresh() as store:
        credentials = store.credentials
        kept = TokenRow(b"kept", "river", "system/Task.rs", now + 300, now, '{"patient": "x"}')
        credentials.add_token(TokenRow(b"old", "river", "s", now - 1, now - 301))
        credentials.add_token(kept)
        assert credentials.token(b"kept") == kept
        assert credentials.token(b"old") is None
        assert credentials.revoke_token(b"kept")
        assert not credentials.revoke_token(b"kept")
        assert credentials.token(b"kept") is None


def test_an_assertion_is_spent_once_by_each_client() -> None:
    later = int(time.time()) + 300
    with fresh() as store:
        assert store.credentials.spend_jti("river", "j", later)
        assert not store.credentials.spend_jti("river", "j", later + 1)
        assert store.credentials.spend_jti("hill", "j", later)
        assert store.credentials.spend_jti("river", "k" * 100_000, later)


def test_one_of_many_threads_spends_an_assertion_beside_a_writer() -> None:
    later = int(time.time()) + 300
    with fresh() as store:

        def write() -> None:
            for number in range(30):
                with store.write(number) as writer:
                    writer.add_input(an_input(control_id=str(number)))

        with ThreadPoolExecutor(8) as pool:
            writing = pool.submit(write)
            spent = list(pool.map(lambda _: store.credentials.spend_jti("river", "j", later), range(24)))
            writing.result()
        assert spent.count(True) == 1
        with store.reading() as reader:
            assert reader.counts()["processed"] == 30
