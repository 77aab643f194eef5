"""`gateway feed` and `gateway feeds`: how each feed is doing, and profiles begun from what a sender sends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import Config, Data, Json, opened

if TYPE_CHECKING:
    from gateway.er7.reader import Message
    from gateway.mappings.feeds.seen import Seen

app = typer.Typer(help="Feeds: how each is doing, and profiles of how one sender writes its messages.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Feeds: how each is doing, and profiles of how one sender writes its messages."""


@app.command("new")
def new(
    sample: Annotated[str, typer.Argument(metavar="SAMPLE|-", help="A file of the sender's HL7 v2: one message, many, or a batch. - is stdin.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The feed's name; from MSH-4 if not said.")] = "",
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write it to this new file, such as DATA/feeds/NAME.toml.")] = None,
) -> None:
    """Write a commented starter profile from a sample: what was seen, filled in or to be uncommented. Nothing of the sample's people is in it."""
    from gateway.cli.convert import read_input
    from gateway.cli.files import write_new
    from gateway.errors import Malformed
    from gateway.mappings.feeds.seen import by_sender
    from gateway.mappings.feeds.starter import starter

    messages, unread = _read(read_input(sample))
    if not messages:
        raise Malformed("the sample holds no HL7 v2 message", advice="Name a file of messages as the sender sends them.")
    senders = by_sender(messages)
    names = _names(senders, name)
    text = "\n".join(starter(seen, own) for seen, own in zip(senders, names, strict=True))
    if output is None:
        sys.stdout.buffer.write(text.encode())
    else:
        write_new({output: (text, 0o644)})
        print(f"{output}: begun from {len(messages)} message{'s' * (len(messages) != 1)} of {', '.join(names)}.", file=sys.stderr)
        print(f"See what it makes of them: gateway explain {sample} --config {output}", file=sys.stderr)
    raise typer.Exit(1 if unread else 0)


def _read(data: bytes) -> tuple[list[Message], int]:
    """(the messages that can be read, how many cannot, each of which is told)."""
    from gateway.er7 import reader
    from gateway.errors import GatewayError

    messages, unread = [], 0
    for number, raw in enumerate(reader.split(data) or [data], start=1):
        try:
            messages.append(reader.read(raw))
        except GatewayError as error:
            unread += 1
            print(f"message {number}: {error}", file=sys.stderr)
    return messages, unread


def _names(senders: list[Seen], asked: str) -> list[str]:
    """A name for each sender's feed. Raises `Usage` where the name that was asked for is none, or would be that of several."""
    from gateway.errors import Usage
    from gateway.mappings.feeds.reading import read
    from gateway.mappings.feeds.starter import name_of

    for problem in read({"name": asked})[1] if asked else ():
        raise Usage(f"{asked!r} {problem.words}", location="--name", advice=problem.advice)
    if asked and len(senders) > 1:
        several = f"the sample holds messages of {len(senders)} senders, and --name names one"
        raise Usage(several, advice="Leave it out, or give one sender's messages.")
    names: list[str] = []
    for seen in senders:
        names.append(asked or name_of(seen, names))
    return names


@app.command("list")
def list_feeds(data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """Each feed: when it was last heard, how much it sends, and whether its silence is longer than its own rhythm explains."""
    import time

    import orjson

    from gateway.cli.tables import print_feeds
    from gateway.pipeline.feed_states import feed_states
    from gateway.records.times import iso

    with opened(data, config) as (store, settings), store.reading() as reader:
        now = time.time_ns() // 1000
        states = feed_states(reader, settings.feeds(), now)
    rows = [
        {
            "name": state.name,
            "hospital": state.hospital,
            "last": None if state.last is None else iso(state.last),
            "silent": state.silent,
            "alarm": None if state.alarm is None else iso(state.alarm),
            "learning": state.learning,
            "last_day": {"inputs": state.day, "quarantined": state.day_quarantined},
            "usual_day": round(state.usual_day, 1),
            "overdue_stays": state.overdue_stays,
        }
        for state in states
    ]
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        print_feeds(rows)
