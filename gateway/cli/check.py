"""`gateway check`: conformance reports."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from conformance.profiles.report import Checked

app = typer.Typer(help="Conformance reports: is it what the standard says, and what not, where.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Conformance reports: is it what the standard says, and what not, where."""


@app.command("resource")
def resource(
    path: Annotated[str, typer.Argument(metavar="FILE|-", help="FHIR R4 JSON: one resource, a Bundle, or NDJSON with one a line. - is stdin.")],
    package: Annotated[
        str, typer.Option("--package", metavar="PATH|NAME", help="The .tgz of an implementation guide, or one that is built in.")
    ] = "us-core-6.1.0",
    profile: Annotated[
        list[str] | None, typer.Option("--profile", metavar="URL", help="Hold it to this profile: canonical URL or its last part (may repeat).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: one object a resource.")] = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page, too.")] = None,
) -> None:
    """Hold FHIR resources against R4 and the profiles of a package: every finding with its place, its rule and a sentence.

    Each resource is held to its type and to the profiles that it claims (meta.profile) and that --profile names. One with none of these is held
    to the package's profiles that it is meant for, by its category and code: a Condition of category encounter-diagnosis to
    us-core-condition-encounter-diagnosis. Codes of LOINC, SNOMED CT and other systems that are published elsewhere are not judged.

    \b
    gateway check resource patient.json
    gateway check resource bundle.json --package hl7.fhir.us.core-8.0.0.tgz
    gateway check resource plan.json --profile us-core-careplan --html report.html
    gateway export --data DIR | gateway check resource - --json

    Exit code: 0 no errors (there may be warnings), 1 errors, 2 wrong usage.
    """
    import orjson

    from conformance.profiles import load, report
    from gateway.cli.convert import read_input

    profiles = load(package)
    given = [profiles.canonical(one) for one in profile or ()]
    checks = [report.checked(profiles, number, one, given) for number, one in _resources(read_input(path))]
    if html:
        _write(html, report.page(checks, profiles.name))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps([one.json() for one in checks], option=orjson.OPT_INDENT_2) + b"\n")
    else:
        _print(checks, profiles.name)
    raise typer.Exit(1 if report.counted(checks)["error"] else 0)


def _resources(data: bytes) -> Iterator[tuple[int, Any]]:
    """The resources of a file with their numbers: one JSON value, or NDJSON if its first line is one by itself.

    Raises `Malformed` with the place for what is not JSON.
    """
    from gateway.errors import Malformed
    from gateway.fhir.parsing import parse_json

    lines = [(number, line) for number, line in enumerate(data.split(b"\n"), start=1) if line.strip()]
    if len(lines) < 2 or not _is_json(lines[0][1]):
        yield 1, parse_json(data)
        return
    for number, line in lines:
        try:
            yield number, parse_json(line)
        except Malformed as error:
            raise Malformed(error.message, location=f"line {number}", advice=error.advice) from None


def _is_json(line: bytes) -> bool:
    import orjson

    try:
        orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return False
    return True


def _write(path: Path, page: str) -> None:
    from gateway.errors import Usage

    try:
        path.write_text(page, encoding="utf-8")
    except OSError:
        raise Usage("The page cannot be written", advice="Name a file in a directory that can be written to.") from None


_STYLES = {"error": "bold red", "warning": "yellow", "information": "dim"}


def _print(checks: list[Checked], package: str) -> None:
    """A table, in colour on a terminal only; of one resource with what it says of the must-support elements."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from conformance.profiles import report

    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 160)
    many = len(checks) > 1
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("severity", *(("count",) if many else ()), "where", "rule", "what", *(("first in",) if many else ())):
        table.add_column(column, overflow="fold")
    found = report.rows(checks)
    for finding, times, first in found:
        cells = (finding.severity, *((str(times),) if many else ()), finding.location, finding.rule, finding.text, *((first,) if many else ()))
        table.add_row(*(Text(cell, style=_STYLES[finding.severity] if not number else "") for number, cell in enumerate(cells)))
    if found:
        console.print(table)
    for support in checks[0].support if len(checks) == 1 else ():
        there = len(support.elements) - len(support.absent)
        console.print(f"Must-support of {support.profile.rpartition('/')[2]}: {there} of {len(support.elements)} elements are there.")
        if support.absent:
            console.print(f"  not there: {', '.join(support.absent)}")
    console.print(report.summary(checks, package))
