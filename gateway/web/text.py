"""The worklist and one transition for the terminal: aligned, in plain words, within 120 columns."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway.web.care.sheet import Line, Section
from gateway.web.timeline import Row, lines, rows
from gateway.web.wording import Entry, entry, moment_words

WIDTH = 120
_LABEL = 44
_OBEYED = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\N{REPLACEMENT CHARACTER}")
TIER_STYLES = {"urgent": "bold red", "high": "yellow", "standard": ""}


def render_worklist(transitions: Sequence[Mapping[str, Any]], now: datetime, agencies: Mapping[str, str] | None = None) -> RenderableType:
    """Transitions (DESIGN's JSON, in the list's order) as tables: those to work on, then those that are over."""
    entries = [entry(transition, now, agencies) for transition in transitions]
    working = [item for item in entries if item.status in ("anticipated", "open")]
    over = [item for item in entries if item.status not in ("anticipated", "open")]
    flagged = sum(1 for item in working if item.flags)
    heading = Text(f"{len(working)} to follow up, {flagged} of them flagged; {len(over)} closed or void. As of {moment_words(now.isoformat())}.")
    parts: list[RenderableType] = [heading]
    if working:
        parts.append(_working(working))
    if over:
        parts.append(_over(over))
    return Group(*parts)


def render_transition(transition: Mapping[str, Any], now: datetime, agencies: Mapping[str, str] | None = None) -> RenderableType:
    """One transition whole: who and where, why it is flagged, what would clear each flag, and what that rests on."""
    item = entry(transition, now, agencies)
    rows = {
        "Client": f"{item.name}, born {item.born}",
        "Record numbers": ", ".join(item.numbers) or "none",
        "Hospital": item.hospital,
        "Admitted": moment_words(transition.get("admitted")) or "not known",
        "Discharged": moment_words(transition.get("discharged")) or "not yet",
        "Expected discharge": moment_words(transition.get("expected_discharge")),
        "Status": f"{item.status} ({' '.join(part for part in (item.since, item.on and f'on {item.on}') if part)})",
        "Follow-up": f"{item.follow_up} {item.follow_up_at}".rstrip(),
        "Tier": f"{item.tier}{': ' + '; '.join(item.reasons) if item.reasons else ''}",
        "Whose": item.agency,
        "Case manager": ", ".join(transition.get("case_managers") or ()),
        "Next look": item.next_look or "none",
    }
    parts: list[RenderableType] = [_facts(rows), Text()]
    if not item.flags:
        parts.append(Text("No flag is raised."))
    for flag in item.flags:
        parts.append(Text.assemble((f"! {flag.title}", "bold"), f", since {flag.since}"))
        said = [("Whose", flag.whose), ("Do next", flag.next_step), ("Cleared by", flag.clears)]
        said += [("Because", f"{words}{f' ({reference})' if reference else ''}") for words, reference in flag.evidence]
        parts += [Padding(Text(safe(f"{name}: {words}"), style="dim" if name == "Because" else ""), (0, 0, 0, 4)) for name, words in said if words]
    return Group(*parts)


def render_timeline(found: Sequence[Row], width: int) -> RenderableType:
    """The timeline, drawn without colour and no wider than `width`."""
    return Group(Text("\nTimeline", style="bold"), *(Text(safe(line), no_wrap=True) for line in lines(found, width)))


COLUMNS = (("Tier", 8), ("Who", 23), ("From", 26), ("Since", 18), ("Appointment", 16), ("Agency", 24))
"""The columns and their widths: with a space between each, 120."""


def _working(entries: Sequence[Entry]) -> RenderableType:
    """Two lines for the client, then a line for each flag with what clears it."""
    heading = _row(*(Text(name, style="bold underline") for name, _ in COLUMNS))
    parts: list[RenderableType] = [Text(), heading]
    for item in entries:
        row = _row(
            Text(item.tier, style=TIER_STYLES.get(item.tier, "")),
            Text.assemble((safe(item.name), "bold"), f"\nborn {item.born}"),
            Text(safe(item.hospital)),
            Text(f"{item.since}\n{item.on}".rstrip()),
            Text(f"{item.follow_up}\n{item.follow_up_at}".rstrip()),
            Text(safe(item.agency)),
        )
        parts += [Text(), row]
        if item.flags:
            parts.append(Padding(_flags(item), (0, 0, 0, COLUMNS[0][1] + 1)))
    return Group(*parts, Text())


def _row(*cells: Text) -> Table:
    row = Table.grid(padding=(0, 1, 0, 0))
    for _, width in COLUMNS:
        row.add_column(width=width, overflow="fold")
    row.add_row(*cells)
    return row


def _flags(item: Entry) -> Table:
    lines = Table.grid(padding=(0, 1, 0, 0))
    for flag in item.flags:
        lines.add_row("-", Text.assemble((flag.title, "bold"), f": {flag.clears}"))
    return lines


def _over(entries: Sequence[Entry]) -> Table:
    table = _plain_table("Over", "Who", "From", "Discharged", "Why")
    for item in entries:
        table.add_row(item.status, Text(safe(f"{item.name}, born {item.born}")), Text(safe(item.hospital)), item.on, Text(item.since))
    return table


def render_records(sections: Sequence[Section], why: Callable[[Line], Sequence[str]], width: int = WIDTH) -> RenderableType:
    """The three records, section by section; under each line where it came from, as far as `why` says."""
    parts: list[RenderableType] = []
    label = min(_LABEL, width * 3 // 8)
    for section in sections:
        lines = Table.grid(padding=(0, 2))
        lines.add_column(width=label, overflow="fold")
        lines.add_column(max_width=width - label - 4, overflow="fold")
        for line in section.lines:
            shown = Text(safe(line.text))
            for origin in why(line):
                shown.append(f"\n{safe(origin)}", style="dim")
            lines.add_row(Text(safe(f"  {line.label}" if line.under else line.label), style="dim" if line.under else ""), shown)
        parts += [Text(f"\n{section.title}", style="bold"), lines]
    return Group(*parts)


def print_records(sections: Sequence[Section], why: Callable[[Line], Sequence[str]] = lambda line: ()) -> None:
    """`render_records` on stdout."""
    console = _console()
    console.print(render_records(sections, why, min(WIDTH, console.width)))


def print_notices(notices: Sequence[str]) -> None:
    """What has to stand above the records, on stdout."""
    for words in notices:
        _console().print(Text(f"{words}\n", style="bold"))


def print_worklist(transitions: Sequence[Mapping[str, Any]], now: datetime, agencies: Mapping[str, str] | None = None) -> None:
    """`render_worklist` on stdout."""
    _console().print(render_worklist(transitions, now, agencies))


def print_transition(transition: Mapping[str, Any], now: datetime, agencies: Mapping[str, str] | None = None) -> None:
    """`render_transition` on stdout, and its timeline."""
    console = _console()
    console.print(render_transition(transition, now, agencies))
    found = rows(transition, now, agencies)
    if found:
        console.print(render_timeline(found, min(WIDTH, console.width)))


def safe(text: str) -> str:
    """What senders wrote, without what a terminal would obey: control characters, and marks that turn the direction of writing."""
    return text.translate(_OBEYED)


def _console() -> Console:
    """Stdout; as wide as the tables where it is no terminal, unless COLUMNS says less."""
    asked = os.environ.get("COLUMNS", "")
    return Console(highlight=False, width=None if sys.stdout.isatty() else min(WIDTH, int(asked)) if asked.isdecimal() and int(asked) else WIDTH)


def _facts(rows: Mapping[str, str]) -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", width=20)
    facts.add_column(max_width=WIDTH - 24, overflow="fold")
    for name, value in rows.items():
        if value:
            facts.add_row(name, Text(safe(value)))
    return facts


def _plain_table(*names: str) -> Table:
    table = Table(box=None, width=WIDTH, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold underline")
    for name in names:
        table.add_column(name, overflow="fold")
    return table
