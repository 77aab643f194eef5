"""`gateway keys`: the keys by which this gateway signs, as an issuer of identities."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from gateway.cli.options import Config, Data, Json, opened

app = typer.Typer(help="The issuer's signing keys: rotate, list.", no_args_is_help=True)


@app.command()
def rotate(
    compromised: Annotated[
        bool, typer.Option("--compromised", help="Publish no older key any more: whatever they signed stops being believed.")
    ] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Make a new signing key. It signs at once, in every gateway that serves this store; none needs a restart."""
    from gateway.smart.signing import Signer

    with opened(data, config) as (store, _):
        key = Signer(store.signing_keys, time.time).rotate(compromised=compromised)
    typer.echo(f"{key.kid} signs now")


@app.command("list")
def list_keys(data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """The published keys, the one that signs first."""
    import orjson

    from gateway.smart.signing import Signer

    with opened(data, config) as (store, _):
        rows = [
            {"kid": row.kid, "created": datetime.fromtimestamp(row.created, UTC).isoformat(), "signs": number == 0}
            for number, row in enumerate(Signer(store.signing_keys, time.time).published())
        ]
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
        return
    for row in rows:
        typer.echo(f"{row['kid']} {row['created']} {'signs' if row['signs'] else 'published'}")
    if not rows:
        typer.echo("There is no key yet: the first is made when it is needed, or by gateway keys rotate.", err=True)
