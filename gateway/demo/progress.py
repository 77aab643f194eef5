"""What the demo shows on stderr while the fortnight plays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.demo.player import Outcome
from gateway.demo.player import Progress as Told


@contextmanager
def progress_bar(console: Console | None = None) -> Iterator[Told]:
    """A progress bar on stderr; yields what `play` tells of each step. A step that did not come out as told leaves a line of its own."""
    console = console or Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("The fortnight begins", total=None)

        def told(outcome: Outcome, number: int, total: int) -> None:
            step, scenario = outcome.moment.step, outcome.moment.scenario
            bar.update(task, completed=number, total=total, description=f"day {step.day:>2}  {escape(scenario.title[:52]):<52}")
            if not outcome.as_told:
                bar.console.print(
                    f"{escape(scenario.name)}, day {step.day} {step.time_of_day:%H:%M}: {escape(outcome.answer)} {escape(outcome.text)}"
                )

        yield told
