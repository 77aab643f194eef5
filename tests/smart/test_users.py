"""Local accounts, and the commands that keep them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.errors import Conflict, Invalid, TooMany, Usage
from gateway.pipeline.own import practitioner
from gateway.smart import users
from gateway.smart.throttle import Throttle
from gateway.store.users import UserRow
from tests.api.gateway_api import empty_store
from tests.smart.launching import NOW, PASSWORD


def test_passwords_are_hashed_as_owasp_says() -> None:
    """Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane; two of the same password differ."""
    first, second = users.hashed(PASSWORD), users.hashed(PASSWORD)
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second


def test_a_user_is_found_by_name_in_any_case_and_by_the_right_password_alone(tmp_path: Path) -> None:
    kept = empty_store(tmp_path).credentials.users
    made = users.add(kept, name=" Ann.Doe@River ", role="agency", organization="river", password=PASSWORD, now=NOW)
    assert made.name == "ann.doe@river"
    assert users.verified(kept, "ANN.DOE@river", PASSWORD) == made
    for wrong in (PASSWORD + " ", PASSWORD.upper(), "", "x" * 2000):
        assert users.verified(kept, "ann.doe@river", wrong) is None
    with pytest.raises(Conflict):
        users.add(kept, name="ann.doe@river", role="operator", password=PASSWORD, now=NOW)
    kept.revoke(made.id, NOW)
    assert users.verified(kept, "ann.doe@river", PASSWORD) is None
    with pytest.raises(Conflict):  # or what the audit trail says of the one would be read of the other
        users.add(kept, name="ann.doe@river", role="operator", password=PASSWORD, now=NOW)


@pytest.mark.parametrize(
    ("about", "location"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "é"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"role": "admin"}, "role"),
        ({"organization": ""}, "organization"),
        ({"organization": "*"}, "organization"),
        ({"organization": "coordinator"}, "organization"),
        ({"practitioner": "a/b"}, "practitioner"),
        ({"full_name": "Ann\nDoe\x00"}, "full name"),
        ({"password": "eleven char"}, "password"),
        ({"password": "x" * 1025}, "password"),
    ],
)
def test_who_may_not_be_added(tmp_path: Path, about: dict[str, Any], location: str) -> None:
    good: dict[str, Any] = {"name": "ann", "role": "agency", "organization": "river", "password": PASSWORD, "now": NOW}
    with pytest.raises(Invalid) as raised:
        users.add(empty_store(tmp_path).credentials.users, **{**good, **about})
    assert raised.value.location == location
    assert "eleven" not in str(raised.value)


@pytest.mark.parametrize(
    ("full_name", "family", "given"),
    [("Ann Mary Doe", "Doe", ["Ann", "Mary"]), ("Doe", "Doe", None), ("", "ann", None)],
)
def test_a_users_practitioner_has_the_name_and_the_login(full_name: str, family: str, given: list[str] | None) -> None:
    user = UserRow("u1", "ann", full_name, "agency", "river", "u1", "", NOW)
    made = practitioner(user)
    assert made is not None
    assert (made["name"][0]["family"], made["name"][0].get("given")) == (family, given)
    assert (made["id"], made["active"], made["identifier"][0]["value"]) == ("u1", True, "ann")
    assert (practitioner(user._replace(revoked=NOW)) or {})["active"] is False
    assert practitioner(user._replace(practitioner="dr-1")) is None


def test_many_attempts_at_once_gain_nothing() -> None:
    """An attempt counts before it is checked."""
    throttle = Throttle({"user": 5, "address": 20}, 900, lambda: NOW)
    for _ in range(5):
        throttle.attempt(user="ann", address="192.0.2.1")
    with pytest.raises(TooMany):
        throttle.attempt(user="Ann ", address="192.0.2.2")
    throttle.attempt(user="bob", address="192.0.2.1")


def gateway(*arguments: str, data: Path, given: str = "") -> Result:
    return CliRunner().invoke(app, [*arguments, "--data", str(data)], input=given)


def test_users_are_added_listed_and_revoked_at_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.logs.logs_as_json", lambda: None)  # it would keep the runner's stderr for the tests that follow
    (tmp_path / "gateway.toml").write_text('[[agency]]\nid = "river"\nname = "River"\n')
    made = gateway("users", "add", "ann", "--organization", "river", "--name", "Ann Doe", "--generate-password", data=tmp_path)
    assert made.exit_code == 0, made.output
    assert "password (shown once): " in made.stdout
    assert gateway("users", "add", "bob", "--role", "coordinator", "--password-file", "-", data=tmp_path, given=PASSWORD + "\n").exit_code == 0
    refused = gateway("users", "add", "eve", "--organization", "nowhere", "--generate-password", data=tmp_path)
    assert isinstance(refused.exception, Invalid)
    assert isinstance(gateway("users", "add", "eve", "--role", "operator", data=tmp_path).exception, Usage)  # no terminal to ask at
    assert gateway("users", "revoke", "bob", data=tmp_path).exit_code == 0
    listed = {row["name"]: row for row in json.loads(gateway("users", "list", "--json", data=tmp_path).stdout)}
    assert (listed["ann"]["full_name"], listed["ann"]["organization"], listed["ann"]["revoked"]) == ("Ann Doe", "river", False)
    assert listed["bob"]["revoked"] is True
    exported = [json.loads(line) for line in gateway("export", "--type", "Practitioner", data=tmp_path).stdout.splitlines()]
    assert {(one["identifier"][0]["value"], one["active"]) for one in exported} == {("ann", True), ("bob", False)}
