"""Inbox and clients as aligned tables in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from transitions.measure import Measure, Rate


def _console() -> Console:
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120)  # into a file or pipe: as wide as the other pages


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def print_messages(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a message."""
    table = _table("id", "received (UTC)", "feed", "control id", "event", "state", "error")
    for row in rows:
        values = (str(row["id"]), row["received"][:19], row["feed"], row["control_id"], row["event"], row["state"], row["error"] or "")
        table.add_row(*(Text(value) for value in values))
    _console().print(table if rows else "No such messages.")


def print_message(row: Mapping[str, Any]) -> None:
    """One message whole."""
    console = _console()
    for name in ("id", "kind", "feed", "control_id", "event", "received", "state", "error", "location", "original"):
        if row[name] is not None:
            console.print(f"{name:<12}{row[name]}", soft_wrap=True)
    for title, name in (("received", "raw"), ("answered", "answer")):
        console.print(f"\n{title}", style="bold")
        console.print(row[name].replace("\r", "\n"), soft_wrap=True)


def print_clients(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a client."""
    table = _table("id", "role", "organization", "feeds", "scope", "")
    for row in rows:
        values = (row["id"], row["role"], row["organization"] or "", " ".join(row["feeds"]), row["scope"], "revoked" if row["revoked"] else "")
        table.add_row(*(Text(value) for value in values))
    _console().print(table if rows else "No clients.")


def print_subscriptions(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a subscription."""
    table = _table("id", "client", "topic", "status", "endpoint", "waiting", "failing since (UTC)", "")
    for row in rows:
        since = (row["failing_since"] or "")[:19]
        values = (row["id"], row["client"], row["topic"], row["status"], row["endpoint"], str(row["waiting"]), since, row["error"] or "")
        table.add_row(*(Text(value) for value in values))
    _console().print(table if rows else "No subscriptions.")


def print_feeds(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a feed."""
    table = _table("feed", "hospital", "last heard (UTC)", "last 24 h", "quarantined", "usual day", "no discharge", "")
    for row in rows:
        word = "SILENT, longer than usual" if row["silent"] else "its rhythm is not known yet" if row["last"] and row["learning"] else ""
        day = row["last_day"]
        last = row["last"][:19] if row["last"] else "never"
        values = (
            row["name"],
            row["hospital"],
            last,
            str(day["inputs"]),
            str(day["quarantined"]),
            str(row["usual_day"]),
            str(row["overdue_stays"]),
            word,
        )
        table.add_row(*(Text(value) for value in values))
    _console().print(table if rows else "No feed is configured, and none was heard.")


def print_measure(found: Measure, agencies: Mapping[str, str]) -> None:
    """The year's rates: all, then by hospital, agency and month. `agencies`: id -> name."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("discharged in", "", "counted", "excluded", "within 7 days", "within 30 days"):
        table.add_column(column, justify="left" if column in ("discharged in", "") else "right", overflow="fold")
    groups = (("hospital", found.hospitals), ("agency", found.agencies), ("month", found.months))
    rows = [(str(found.year), "all", found.total)]
    for kind, rates in groups:
        rows += [(kind, _name(kind, name, agencies), rates[name]) for name in sorted(rates)]
    for kind, name, rate in rows:
        counts = (str(rate.denominator), str(rate.excluded), _of(rate.numerator_7, rate), _of(rate.numerator_30, rate))
        table.add_row(*(Text(value) for value in (kind, name, *counts)))
    _console().print(table)


def _name(kind: str, name: str, agencies: Mapping[str, str]) -> str:
    return (agencies.get(name, name) or "coordinator's queue") if kind == "agency" else name or "not named"


def _of(number: int, rate: Rate) -> str:
    return f"{number} ({100 * number / rate.denominator:.0f} %)" if rate.denominator else "-"
