"""`gateway subscriptions`: who is notified of what, what waits, and where clients may be notified."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.options import Config, Data, Json, opened

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.store.outbox import SubscriptionRow

app = typer.Typer(help="Subscriptions: list them, send a notification again, and say where clients may be notified.", no_args_is_help=True)

Client = Annotated[str, typer.Argument(metavar="CLIENT", help="The client's id.")]
Url = Annotated[str, typer.Argument(metavar="URL", help="An https address: the client may be notified there, and below.")]


@app.command("list")
def list_subscriptions(data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """Every subscription: its topic, its status, and what was not delivered yet."""
    import orjson

    with opened(data, config) as (store, _):
        rows = [_json(row) for row in store.subscriptions.listed()]
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
        return
    from gateway.cli.tables import print_subscriptions

    print_subscriptions(rows)


def _json(row: SubscriptionRow) -> dict[str, Any]:
    """A subscription without its secrets."""
    import orjson

    from gateway.records.times import iso

    content = orjson.loads(row.resource)
    return {
        "id": row.id,
        "client": row.client,
        "topic": content["criteria"].rpartition("/")[2],
        "status": row.status,
        "endpoint": content["channel"]["endpoint"],
        "events": row.events,
        "waiting": row.events - row.delivered,
        "failures": row.failures,
        "failing_since": iso(row.failing_since) if row.failing_since is not None else None,
        "last_delivery": iso(row.sent) if row.sent else None,
        "error": row.error or None,
    }


@app.command()
def resend(
    subscription: Annotated[str, typer.Argument(metavar="ID", help="The subscription's id.")],
    number: Annotated[int, typer.Argument(metavar="N", min=1, help="The event's number.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Send one event again. `gateway serve` sends it; nothing is sent that the client may not see any more."""
    import time

    from gateway.errors import NotFound
    from gateway.subscriptions.again import send_again

    with opened(data, config) as (store, _):
        row = store.subscriptions.get(subscription)
        if row is None or not store.subscriptions.events(subscription, number - 1, number, 1):
            raise NotFound("there is no such event", advice="gateway subscriptions list tells how many there are; old ones are forgotten.")
        store.subscriptions.revise(subscription, lambda row: send_again(row, number, time.time_ns() // 1000))
    typer.echo(f"{subscription} event {number} will be sent again")


@app.command()
def allow(client: Client, url: Url, data: Data = None, config: Config = None) -> None:
    """Let a client be notified at an address, and below it."""
    allow_endpoints(client, [url], data, config)
    typer.echo(f"{client} may be notified at {url}")


def allow_endpoints(client: str, urls: list[str], data: Data, config: Config) -> None:
    """Likewise for several. Raises Invalid for what can be none, NotFound for a client that is not registered."""
    from gateway.errors import NotFound

    with opened(data, config) as (store, settings):
        check_endpoints(urls, settings)
        if store.credentials.client(client) is None:
            raise NotFound("there is no such client", advice="gateway clients list names them.")
        for url in urls:
            store.subscriptions.allow_endpoint(client, url)


def check_endpoints(urls: list[str], settings: Settings) -> None:
    """Raise Invalid for an address that can be no endpoint's."""
    from gateway.smart.outbound import Reach
    from gateway.subscriptions import endpoints

    for url in urls:
        endpoints.check(url, Reach(settings.subscriptions.loopback, settings.subscriptions.private))


@app.command()
def forbid(client: Client, url: Url, data: Data = None, config: Config = None) -> None:
    """Take that back: subscriptions with an endpoint there fail when they are next due."""
    from gateway.errors import NotFound

    with opened(data, config) as (store, _):
        if not store.subscriptions.forbid_endpoint(client, url):
            raise NotFound("the client was not allowed this address")
    typer.echo(f"{client} may not be notified at {url} any more")
