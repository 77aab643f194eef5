"""`gateway messages`: the inbox and the quarantine."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.options import Config, Data, Json, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.pipeline import Configuration
    from gateway.pipeline.received import Outcome
    from gateway.store.interface import Filter, Input, Reader, Store

app = typer.Typer(help="The inbox and the quarantine: list, show, replay.", no_args_is_help=True)

State = Annotated[str, typer.Option("--state", metavar="STATE", help="processed, quarantined or duplicate.")]
Feed = Annotated[str, typer.Option("--feed", metavar="NAME", help="Only this feed's.")]
Since = Annotated[
    datetime | None,
    typer.Option(
        "--since", metavar="DATE", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Received since 2026-03-20, or 2026-03-20T14:30:00 (UTC)."
    ),
]
Mrn = Annotated[str, typer.Option("--mrn", metavar="NUMBER", help="About the client with this record number.")]
Visit = Annotated[str, typer.Option("--visit", metavar="NUMBER", help="About the visit with this number.")]
Contains = Annotated[str, typer.Option("--contains", metavar="TEXT", help="Whose bytes contain this text.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many, the newest.")]


def _filter(state: str, feed: str, since: datetime | None, numbers: tuple[str, ...], contains: str, limit: int | None) -> Filter:
    from gateway.errors import Usage
    from gateway.records.times import microseconds
    from gateway.store.interface import Filter

    if state and state not in ("processed", "quarantined", "duplicate"):
        raise Usage(f"there is no state {state!r}", advice="It is processed, quarantined or duplicate.")
    after = microseconds(since.replace(tzinfo=UTC)) if since else None
    return Filter(state=state, feed=feed, since=after, identifiers=tuple(filter(None, numbers)), contains=contains.encode(), limit=limit)


def message_json(row: Input) -> dict[str, Any]:
    """One message in the shape that others rely on."""
    from gateway.records.times import iso

    return {
        "id": row.id,
        "feed": row.feed,
        "control_id": row.control_id,
        "event": row.event,
        "received": iso(row.received),
        "state": row.state,
        "error": row.error or None,
        "location": row.location or None,
        "kind": row.kind,
        "original": row.original,
    }


@app.command("list")
def list_messages(
    data: Data = None,
    config: Config = None,
    state: State = "",
    feed: Feed = "",
    since: Since = None,
    mrn: Mrn = "",
    visit: Visit = "",
    contains: Contains = "",
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """What came in, newest first, and what came of it."""
    import orjson

    with opened(data, config) as (store, _), store.reading() as reader:
        rows = [message_json(row) for row in reader.messages(_filter(state, feed, since, (mrn, visit), contains, limit))]
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
        return
    from gateway.cli.tables import print_messages

    print_messages(rows)


@app.command()
def show(
    number: Annotated[int, typer.Argument(metavar="ID", help="The message's id.")], data: Data = None, config: Config = None, as_json: Json = False
) -> None:
    """One message whole: what was received, what was answered, and why."""
    import orjson

    with opened(data, config) as (store, _), store.reading() as reader:
        row = _one(reader, number)
        shown = {**message_json(row), "raw": row.raw.decode("utf-8", "replace"), "answer": row.answer.decode("utf-8", "replace")}
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(shown, option=orjson.OPT_INDENT_2) + b"\n")
        return
    from gateway.cli.tables import print_message

    print_message(shown)


@app.command()
def replay(
    numbers: Annotated[list[int] | None, typer.Argument(metavar="ID", help="The messages' ids; none: all that the filters name.")] = None,
    data: Data = None,
    config: Config = None,
    state: State = "quarantined",
    feed: Feed = "",
    since: Since = None,
    mrn: Mrn = "",
    visit: Visit = "",
    contains: Contains = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
) -> None:
    """Take messages through the journey again, from their raw bytes, with today's mappings and configuration.

    Nothing is sent to anybody again: the sender had its answer. Records get a new version only where the result differs.
    """
    import time

    from gateway.pipeline.rebuild import replay_all
    from gateway.stores import configuration_of

    refused = False
    with opened(data, config) as (store, settings):
        with store.reading() as reader:
            if numbers:
                chosen = [_one(reader, number).id for number in sorted(set(numbers))]
            else:
                chosen = sorted(row.id for row in reader.messages(_filter(state, feed, since, (mrn, visit), contains, None)))
        now, configuration = time.time_ns() // 1000, configuration_of(settings, store)
        done = _tried(store, chosen, now, configuration) if dry_run else replay_all(store, chosen, now, configuration)
        for number, outcome in done:
            refused = refused or outcome.state == "quarantined"
            typer.echo(f"{number} {outcome.state}{f': {outcome.error}' if outcome.error else ''}")
    if refused:
        raise typer.Exit(1)


def _tried(store: Store, numbers: list[int], now: int, configuration: Configuration) -> Iterator[tuple[int, Outcome]]:
    """Each message replayed by itself and taken back; what it would change is printed below what would come of it."""
    from gateway.pipeline.trial import try_replay

    for number in numbers:
        trial = try_replay(store, number, now, configuration)
        if trial is None:
            continue
        yield number, trial.outcome
        for record in trial.records:
            typer.echo(f"    {record.how:<8} {record.reference}")
        for moved in trial.transitions:
            typer.echo(f"    transition {moved.id}: {moved.before or 'none'} -> {moved.after}")
        if not trial.records and not trial.transitions:
            typer.echo("    nothing would change")


def _one(reader: Reader, number: int) -> Input:
    from gateway.errors import NotFound
    from gateway.store.interface import Filter

    for row in reader.messages(Filter(before=number + 1, limit=1)):
        if row.id == number:
            return row
    raise NotFound(f"there is no message {number}", advice="gateway messages list names those there are.")
