"""The issuer's keys: one signs, the old ones are published until what they signed has ended, and a rotation counts at once everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import structlog
from click.testing import Result
from fastapi import FastAPI
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from typer.testing import CliRunner

from gateway.cli.main import app as commands
from gateway.smart import signing
from gateway.smart.signing import Signer
from gateway.store.interface import Store
from gateway.store.sqlite import open_sqlite
from tests.store.conftest import database  # noqa: F401 - a fixture
from tests.store.stores import fresh, on_every_store

NOW = 1_795_312_800
HOUR = 3600


@pytest.fixture
def run() -> Iterator[Callable[..., Result]]:
    """The command line. A command sets up the log for its own stderr, which ends with it."""
    yield lambda *arguments: CliRunner().invoke(commands, arguments)
    structlog.reset_defaults()


class Clock:
    def __init__(self) -> None:
        self.now: float = NOW

    def __call__(self) -> float:
        return self.now


@contextmanager
def issuer() -> Iterator[tuple[Signer, Clock, Store]]:
    with fresh() as store:
        clock = Clock()
        yield Signer(store.signing_keys, clock), clock, store


def claims(now: float, life: int = 300) -> dict[str, object]:
    return {"iss": "https://gateway.example.org/fhir", "sub": "ann", "aud": "app", "iat": int(now), "exp": int(now) + life}


def checked(token: str, signer: Signer) -> bool:
    """As a client does: by what is published."""
    try:
        jwt.decode(token, KeySet.import_key_set(json.loads(json.dumps(signer.public_jwks()))), algorithms=["RS256"])
    except (JoseError, ValueError):
        return False
    return True


def test_an_id_token_is_signed_by_rs256_and_checked_by_the_published_key() -> None:
    """OpenID Connect Core 1.0 section 15.1: RS256 of every provider. RFC 7517 section 4: kid, alg and use tell which key."""
    with issuer() as (signer, _, _):
        token = signer.sign(claims(NOW))
        header = jwt.decode(token, KeySet.import_key_set(signer.public_jwks()), algorithms=["RS256"]).header
        (key,) = signer.public_jwks()["keys"]
        assert header == {"alg": "RS256", "typ": "JWT", "kid": key["kid"]}
        assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
        assert len(key["n"]) == 342  # 2,048 bits in base64url


def test_nothing_private_is_published() -> None:
    """RFC 7518 section 6.3.2."""
    with issuer() as (signer, _, _):
        signer.rotate()
        for key in signer.public_jwks()["keys"]:
            assert set(key) == {"kty", "n", "e", "kid", "alg", "use"}


@on_every_store
def test_a_new_key_signs_at_once_and_the_old_one_is_published_until_its_tokens_have_ended() -> None:
    with issuer() as (signer, clock, _):
        old = signer.sign(claims(NOW, HOUR))
        clock.now = NOW + 10
        new = signer.rotate().kid
        assert jwt.decode(signer.sign(claims(clock.now)), KeySet.import_key_set(signer.public_jwks())).header["kid"] == new
        assert signer.public_jwks()["keys"][0]["kid"] == new
        clock.now = NOW + 10 + HOUR
        assert checked(old, signer)
        clock.now = NOW + 10 + HOUR + 60
        assert not checked(old, signer)
        assert len(signer.public_jwks()["keys"]) == 1


@on_every_store
def test_a_key_that_signs_no_more_has_no_private_part_in_the_store() -> None:
    with issuer() as (signer, _, store):
        signer.sign(claims(NOW))
        signer.rotate()
        assert [bool(row.private) for row in store.signing_keys.all()] == [True, False]


@on_every_store
def test_ended_keys_leave_the_store_at_the_next_rotation() -> None:
    with issuer() as (signer, clock, store):
        signer.rotate()
        clock.now += 2 * HOUR
        signer.rotate()
        clock.now += 2 * HOUR
        signer.rotate()
        assert len(store.signing_keys.all()) == 2


def test_what_a_compromised_key_signed_is_believed_no_more() -> None:
    with issuer() as (signer, _, store):
        stolen = signer.sign(claims(NOW))
        signer.rotate(compromised=True)
        assert not checked(stolen, signer)
        assert len(store.signing_keys.all()) == 1


@on_every_store
def test_the_newest_key_signs_also_where_the_clock_stepped_back() -> None:
    with issuer() as (signer, clock, _):
        signer.sign(claims(NOW))
        clock.now = NOW - 86_400
        new = signer.rotate().kid
        assert jwt.decode(signer.sign(claims(clock.now)), KeySet.import_key_set(signer.public_jwks())).header["kid"] == new


@on_every_store
def test_another_process_signs_with_the_new_key_without_a_restart() -> None:
    """A second Signer over the same store stands for a second gateway: neither remembers which key is the newest."""
    with issuer() as (signer, clock, store):
        other = Signer(store.signing_keys, clock)
        before = other.sign(claims(NOW))
        new = signer.rotate().kid
        after = other.sign(claims(NOW))
        assert jwt.decode(after, KeySet.import_key_set(signer.public_jwks())).header["kid"] == new
        assert checked(before, signer)


@on_every_store
def test_many_who_make_the_first_key_at_once_agree() -> None:
    with issuer() as (signer, clock, store), ThreadPoolExecutor(4) as pool:
        tokens = list(pool.map(lambda _: Signer(store.signing_keys, clock).sign(claims(NOW)), range(4)))
        assert all(checked(token, signer) for token in tokens)
        assert store.signing_keys.all()[0].private


@pytest.mark.parametrize("life", [HOUR + 1, 0, -1])
def test_a_token_that_would_outlive_its_key_is_not_signed(life: int) -> None:
    with issuer() as (signer, _, _), pytest.raises(ValueError, match="exp"):
        signer.sign(claims(NOW, life))


def test_the_key_set_is_served_as_json_and_asked_for_anew() -> None:
    """Clients that meet a kid they do not know ask again; an answer kept on the way would hide a rotation from them."""
    import asyncio

    with issuer() as (signer, _, _):
        app = FastAPI()
        app.include_router(signing.router(signer))

        async def get() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://gateway.example.org") as http:
                return await http.get("/oauth/jwks.json")

        answer = asyncio.run(get())
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.json() == signer.public_jwks()


def test_the_operator_rotates_and_lists_keys(tmp_path: Path, run: Callable[..., Result]) -> None:
    data = ["--data", str(tmp_path)]
    assert "no key yet" in run("keys", "list", *data).output
    first = run("keys", "rotate", *data).stdout.split()[0]
    second = run("keys", "rotate", *data).stdout.split()[0]
    listed = json.loads(run("keys", "list", "--json", *data).stdout)
    assert [(row["kid"], row["signs"]) for row in listed] == [(second, True), (first, False)]
    third = run("keys", "rotate", "--compromised", *data).stdout.split()[0]
    assert [row["kid"] for row in json.loads(run("keys", "list", "--json", *data).stdout)] == [third]


def test_a_rotation_by_command_counts_for_a_gateway_that_runs(tmp_path: Path, run: Callable[..., Result]) -> None:
    store = open_sqlite(tmp_path / "gateway.sqlite")
    signer = Signer(store.signing_keys, Clock())
    signer.sign(claims(NOW))
    new = run("keys", "rotate", "--data", str(tmp_path)).stdout.split()[0]
    assert signer.public_jwks()["keys"][0]["kid"] == new
    store.close()
