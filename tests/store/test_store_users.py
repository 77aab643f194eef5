"""People, their logins, and what they let apps do, on every database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from gateway.store.app_grants import CodeRow, GrantRow, LaunchRow, RefreshRow
from gateway.store.interface import ClientRow, TokenRow
from gateway.store.users import LoginRow, UserRow
from tests.store.stores import fresh, on_every_store

pytestmark = on_every_store

ANN = UserRow("u1", "ann", "Ann Doe", "agency", "river", "u1", "$argon2id$", 5)
GRANT = GrantRow("g1", "app", "u1", "patient/*.rs", "p1", "e1", b"login", 90, 100, 500)
CODE = CodeRow(b"code", "g1", "https://app.example.org/cb", "challenge", "nonce", 160)


def test_an_app_is_read_back_as_it_was_registered() -> None:
    with fresh() as store:
        uris = ("https://a.example/1", "b:/2")
        app = ClientRow("app", "app", "", "openid", name="An app", redirect_uris=uris, launch_url="https://a.example/l", secret="ff")
        store.credentials.add_client(app)
        assert store.credentials.client("app") == app
        assert not app.is_public


def test_a_name_is_given_once_also_after_its_revocation() -> None:
    with fresh() as store:
        users = store.credentials.users
        assert users.add(ANN)
        assert not users.add(ANN._replace(id="u2"))
        assert users.revoke("u1", 77)
        assert not users.revoke("u1", 78)
        assert not users.add(ANN._replace(id="u3"))
        assert users.all() == [ANN._replace(revoked=77)] == [users.user("u1")] == [users.named("ann")]
        assert users.user("nobody") is users.named("nobody") is None


def test_logins_end_with_their_time_the_user_and_the_password() -> None:
    with fresh() as store:
        users = store.credentials.users
        users.add(ANN)
        for number in range(3):
            users.log_in(LoginRow(b"%d" % number, "u1", 100 + number, 200 + number))
        assert users.login(b"1") == LoginRow(b"1", "u1", 101, 201)
        users.log_out(b"1")
        assert users.login(b"1") is None
        users.set_password("u1", "$new")
        assert (users.login(b"0"), users.login(b"2")) == (None, None)
        users.log_in(LoginRow(b"3", "u1", 100, 200))
        users.log_in(LoginRow(b"4", "u1", 300, 400))
        assert users.login(b"3") is None  # purged
        users.revoke("u1", 310)
        assert users.login(b"4") is None


def test_a_code_and_a_refresh_token_are_used_once_by_one_of_many_threads() -> None:
    with fresh() as store:
        grants = store.credentials.grants
        grants.add(GRANT, CODE)
        grants.add_refresh(RefreshRow(b"r", "g1", 400))
        with ThreadPoolExecutor(8) as pool:
            used = list(pool.map(lambda _: (grants.use_code(b"code", 110), grants.use_refresh(b"r", 120)), range(16)))
        assert [sum(which) for which in zip(*used, strict=True)] == [1, 1]
        assert grants.code(b"code") == CODE._replace(used=110)
        assert grants.refresh(b"r") == RefreshRow(b"r", "g1", 400, 120)
        assert not grants.use_code(b"unknown", 110)


def test_ending_a_grant_ends_all_that_was_given_for_it_and_nothing_else() -> None:
    with fresh() as store:
        credentials, grants = store.credentials, store.credentials.grants
        grants.add(GRANT, CODE)
        grants.add(GRANT._replace(id="g2", login=None), CODE._replace(digest=b"code2", grant="g2"))
        for id in ("g1", "g2", ""):
            credentials.add_token(TokenRow(f"t{id}".encode(), "app", "s", 2**40, 100, id))
        grants.add_refresh(RefreshRow(b"r", "g1", 400))
        grants.end("g1")
        assert (grants.grant("g1"), grants.code(b"code"), grants.refresh(b"r"), credentials.token(b"tg1")) == (None, None, None, None)
        assert grants.grant("g2") == GRANT._replace(id="g2", login=None)
        assert grants.code(b"code2") is not None
        assert credentials.token(b"tg2") is not None
        assert credentials.token(b"t") is not None


def test_grants_go_when_they_have_ended() -> None:
    with fresh() as store:
        grants = store.credentials.grants
        grants.add(GRANT, CODE)
        grants.add_refresh(RefreshRow(b"r", "g1", 400))
        grants.add(GRANT._replace(id="g2", created=501, expires=900), CODE._replace(digest=b"code2", grant="g2"))
        assert (grants.grant("g1"), grants.code(b"code"), grants.refresh(b"r")) == (None, None, None)


def test_a_launch_is_used_once_and_goes_when_it_is_over() -> None:
    with fresh() as store:
        grants = store.credentials.grants
        launch = LaunchRow(b"l", "app", "p1", "e1", 200)
        grants.add_launch(launch, 100)
        assert grants.launch(b"l") == launch
        assert grants.use_launch(b"l")
        assert not grants.use_launch(b"l")
        grants.add_launch(launch, 100)
        grants.add_launch(launch._replace(digest=b"m"), 201)
        assert grants.launch(b"l") is None
