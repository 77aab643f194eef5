"""`gateway clients`: systems that connect through SMART-on-FHIR."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.options import Config, Data, Json, opened

if TYPE_CHECKING:
    from gateway.settings import Settings

app = typer.Typer(help="SMART clients: add, list, revoke, and make key pairs.", no_args_is_help=True)


@app.command()
def add(
    client_id: Annotated[str, typer.Option("--id", metavar="ID", help="The client's id.")],
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="agency, hospital, coordinator or operator.")] = "agency",
    organization: Annotated[str, typer.Option("--organization", metavar="ID", help="The agency's id, or the hospital's.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPES", help='Scopes, space-separated: "system/Task.rus system/Patient.r" (the role\'s own if not said).'),
    ] = None,
    jwks: Annotated[
        Path | None, typer.Option("--jwks", metavar="FILE", help="A file with its public keys (JWKS).", exists=True, dir_okay=False)
    ] = None,
    jwks_url: Annotated[str, typer.Option("--jwks-url", metavar="URL", help="Where its public keys are published.")] = "",
    secret: Annotated[bool, typer.Option("--secret", help="An app that can keep a secret: one is made, and printed once.")] = False,
    public: Annotated[bool, typer.Option("--public", help="An app that can keep none: it runs in a browser, or on a phone.")] = False,
    redirect_uri: Annotated[
        list[str] | None, typer.Option("--redirect-uri", metavar="URI", help="Where people who log in to an app are sent back to (may repeat).")
    ] = None,
    launch_url: Annotated[str, typer.Option("--launch-url", metavar="URL", help="Where an app is launched from a client's page here.")] = "",
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="An app's name, as people are shown it.")] = "",
    feed: Annotated[
        list[str] | None,
        typer.Option(
            "--feed",
            metavar="NAME",
            help="A feed that a hospital's client may send for (may repeat): the one called as its organization if not said, else default.",
        ),
    ] = None,
    endpoint: Annotated[
        list[str] | None,
        typer.Option("--endpoint", metavar="URL", help="An https address where, and below which, the client may be notified (may repeat)."),
    ] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Register a client. Its keys are public ones: the private key never leaves its owner.

    An app that people log in to has a redirect URI. Without an organization it is everybody's, and works for its users alone.
    """
    from gateway.cli.files import read_text
    from gateway.cli.subscriptions import allow_endpoints, check_endpoints
    from gateway.smart.access import new_token
    from gateway.smart.clients import register

    made = new_token() if secret else ""
    is_everybodys = bool(redirect_uri) and not organization
    with opened(data, config) as (store, settings):
        check_endpoints(endpoint or [], settings)
        _check_place(role, organization, feed or [], settings, is_everybodys=is_everybodys)
        row = register(
            store.credentials,
            id=client_id,
            role=role,
            organization=organization,
            scope=" ".join(scope or []),
            jwks=read_text(jwks, "the key set") if jwks else "",
            jwks_url=jwks_url,
            secret=made,
            public=public,
            name=name,
            redirect_uris=tuple(redirect_uri or []),
            launch_url=launch_url,
            feeds=_feeds_of(role, organization, feed, settings),
            now=time.time(),
        )
    if endpoint:
        allow_endpoints(row.id, endpoint, data, config)
    typer.echo(f"{row.id} {row.role} {row.organization or '-'} {row.scopes}")
    if made:
        typer.echo(f"secret (shown once): {made}")


@app.command()
def invite(
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="agency, hospital, coordinator or operator.")] = "agency",
    organization: Annotated[str, typer.Option("--organization", metavar="ID", help="Whose the client is: the agency's id, or the hospital's.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPES", help="What the client may ask for at most (the role's own if not said)."),
    ] = None,
    feed: Annotated[
        list[str] | None, typer.Option("--feed", metavar="NAME", help="A feed that a hospital's client may send for (may repeat).")
    ] = None,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, max=365, help="For how long it may be used.")] = 7,
    data: Data = None,
    config: Config = None,
) -> None:
    """Print an invitation: with it one client can register itself (RFC 7591), where [smart] registration is "token"."""
    from gateway.errors import Usage
    from gateway.smart import registration

    with opened(data, config) as (store, settings):
        if settings.smart.registration == "closed":
            raise Usage("registration is closed", location="[smart] registration", advice='Write registration = "token" there.')
        _check_place(role, organization, feed or [], settings, is_everybodys=not organization)
        token = registration.invite(
            store.credentials,
            role=role,
            organization=organization,
            scope=" ".join(scope or []),
            feeds=_feeds_of(role, organization, feed, settings),
            now=time.time(),
            days=days,
        )
    typer.echo(token)


@app.command("list")
def list_clients(data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """Who is registered, with which scopes."""
    import orjson

    with opened(data, config) as (store, _):
        rows: list[dict[str, Any]] = [
            {
                "id": each.id,
                "role": each.role,
                "organization": each.organization or None,
                "scope": each.scopes,
                "feeds": list(each.feeds),
                "revoked": each.revoked is not None,
            }
            for each in store.credentials.clients()
        ]
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
        return
    from gateway.cli.tables import print_clients

    print_clients(rows)


def _check_place(role: str, organization: str, feeds: list[str], settings: Settings, *, is_everybodys: bool) -> None:
    """Whether the configuration knows the role's organization and feeds. Raises Usage, Invalid."""
    from gateway.errors import Invalid, Usage
    from gateway.smart.clients import roles

    if role not in roles():
        raise Usage(f"there is no such role; a client's role is one of {', '.join(roles())}", location="--role")
    if role == "agency" and not is_everybodys and organization not in {each.id for each in settings.agency}:
        raise Invalid("there is no such agency in the configuration", location="organization", advice="Name the id of an [[agency]].")
    unknown = sorted(set(feeds) - _feed_names(settings))
    if unknown:
        raise Invalid(f"there is no feed named {unknown[0]} in the configuration", location="feed")


def _feeds_of(role: str, organization: str, feeds: list[str] | None, settings: Settings) -> tuple[str, ...]:
    """The feeds said, else for a hospital the one called as it is, else the default."""
    from gateway.mappings.feeds.profile import FeedProfile

    if role == "hospital" and not feeds:
        return (organization if organization in _feed_names(settings) else FeedProfile().name,)
    return tuple(feeds or ())


def _feed_names(settings: Settings) -> set[str]:
    from gateway.mappings.feeds.profile import FeedProfile

    return {FeedProfile().name, *(each.name for each in settings.feeds())}


@app.command()
def revoke(client_id: Annotated[str, typer.Argument(metavar="ID", help="The client's id.")], data: Data = None, config: Config = None) -> None:
    """End a client's access, and every token it has, at once."""
    from gateway.errors import NotFound

    with opened(data, config) as (store, _):
        if not store.credentials.revoke_client(client_id, int(time.time())):
            raise NotFound("there is no such client, or it was revoked before", advice="gateway clients list names them.")
    typer.echo(f"{client_id} revoked")


@app.command()
def keypair(
    private: Annotated[Path, typer.Option("--private", metavar="FILE", help="Where the private key (JWK) goes; it must not exist.")] = Path(
        "client-key.jwk"
    ),
    public: Annotated[
        Path, typer.Option("--public", metavar="FILE", help="Where the public keys (JWKS) go, for clients add --jwks; it must not exist.")
    ] = Path("client-key.jwks"),
) -> None:
    """Make a key pair (ES384): the private key for the client, the public one to register."""
    import json

    from gateway.cli.files import write_new
    from gateway.smart.keys import new_pair

    secret, published = new_pair()
    write_new({private: (json.dumps(secret), 0o600), public: (json.dumps(published), 0o644)})
    typer.echo(f"private key: {private}\npublic keys: {public}")
