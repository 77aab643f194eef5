"""`gateway users`: people who log in, to let apps work for them."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import Config, Data, Json, opened

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.store.interface import Store
    from gateway.store.users import UserRow, Users

app = typer.Typer(help="People who log in: add, list, revoke, and change passwords.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name to log in by.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", metavar="FILE|-", help="Read the password from a file's first line; - is stdin.", allow_dash=True),
]
Generate = Annotated[bool, typer.Option("--generate-password", help="Make a password, and print it once.")]


@app.command()
def add(
    name: Name,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="agency, hospital, coordinator or operator.")] = "agency",
    organization: Annotated[str, typer.Option("--organization", metavar="ID", help="The agency's id, or the hospital's.")] = "",
    full_name: Annotated[str, typer.Option("--name", metavar="NAME", help='The person\'s name: "Ann Doe".')] = "",
    practitioner: Annotated[str, typer.Option("--practitioner", metavar="ID", help="The Practitioner that is this person, if there is one.")] = "",
    password_file: PasswordFile = None,
    generate: Generate = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Add somebody. The password is asked for twice, or read from a file; never from the command line, which others can see."""
    from gateway.errors import Invalid
    from gateway.smart import users

    password = _password(password_file, generate)
    with opened(data, config) as (store, settings):
        if role == "agency" and organization not in {each.id for each in settings.agency}:
            raise Invalid("there is no such agency in the configuration", location="organization", advice="Name the id of an [[agency]].")
        if practitioner:
            from gateway.store.interface import ALL

            with store.reading() as reader:
                known = reader.read(ALL, "Practitioner", practitioner)
            if known is None or known.body is None:
                raise Invalid("there is no such Practitioner", location="practitioner", advice="Leave it out, and the gateway makes one.")
        user = users.add(
            store.credentials.users,
            name=name,
            role=role,
            organization=organization,
            full_name=full_name,
            practitioner=practitioner,
            password=password,
            now=time.time(),
        )
        _publish(store, settings)
    typer.echo(f"{user.name} {user.role} {user.organization or '-'} Practitioner/{user.practitioner}")
    if generate:
        typer.echo(f"password (shown once): {password}")


@app.command("list")
def list_users(data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """Who can log in, and who could."""
    import orjson

    with opened(data, config) as (store, _):
        rows = [
            {
                "name": each.name,
                "full_name": each.full_name or None,
                "role": each.role,
                "organization": each.organization or None,
                "practitioner": f"Practitioner/{each.practitioner}",
                "revoked": each.revoked is not None,
            }
            for each in store.credentials.users.all()
        ]
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
        return
    for row in rows:
        words = (row["name"], row["role"], row["organization"] or "-", row["full_name"] or "-", "revoked" if row["revoked"] else "")
        typer.echo("\t".join(str(word) for word in words).rstrip())


@app.command()
def revoke(name: Name, data: Data = None, config: Config = None) -> None:
    """End somebody's logins, and all that apps may do for them, at once."""
    with opened(data, config) as (store, settings):
        users = store.credentials.users
        if not users.revoke(_known(users, name).id, int(time.time())):
            raise _unknown()
        _publish(store, settings)
    typer.echo(f"{name} revoked")


@app.command()
def password(name: Name, password_file: PasswordFile = None, generate: Generate = False, data: Data = None, config: Config = None) -> None:
    """Change somebody's password; every login of theirs ends."""
    from gateway.smart.users import check_password, hashed

    new = _password(password_file, generate)
    check_password(new)
    with opened(data, config) as (store, _):
        users = store.credentials.users
        users.set_password(_known(users, name).id, hashed(new))
    typer.echo(f"{name} has a new password" + (f" (shown once): {new}" if generate else ""))


def _password(file: Path | None, generate: bool) -> str:
    """From a file, made up, or asked for at the terminal. Raises Usage where none of the three is to be had."""
    from getpass import getpass

    from gateway.cli.files import read_text
    from gateway.errors import Usage
    from gateway.smart.users import new_password

    if generate:
        if file is not None:
            raise Usage("a password is either made or read from a file", location="--generate-password")
        return new_password()
    if file is not None:
        text = sys.stdin.read() if str(file) == "-" else read_text(file, "the password")
        return text.splitlines()[0] if text else ""
    if not sys.stdin.isatty():
        raise Usage("there is no terminal to ask for a password", location="--password-file", advice="Name a file, or - for stdin.")
    first = getpass("Password: ")
    if first != getpass("Once more: "):
        raise Usage("the two passwords are not the same", location="password")
    return first


def _known(users: Users, name: str) -> UserRow:
    user = users.named(name) or users.named(name.strip().lower())  # a name of another provider's keeps its capitals
    if user is None or user.revoked is not None:
        raise _unknown()
    return user


def _unknown() -> Exception:
    from gateway.errors import NotFound

    return NotFound("there is no such user, or it was revoked before", advice="gateway users list names them.")


def _publish(store: Store, settings: Settings) -> None:
    """The users' Practitioners, as they are now."""
    from gateway.stores import ensure_own_resources

    ensure_own_resources(store, settings, time.time_ns() // 1000)
