"""`gateway measure`: how many were seen within 7 and within 30 days of leaving, and why each case counts or does not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.options import opened

if TYPE_CHECKING:
    from gateway.records.statements import Identify
    from gateway.store.interface import Measured, Reader
    from transitions.measure import Measure


def measure_year(year: int, data: Path | None, config: Path | None, *, as_json: bool, fhir: bool, chart: Path | None) -> None:
    """Print the year's measure as a table, JSON or MeasureReports, and draw it if asked.

    The cases are read once to be counted, and once more where they are printed: no list of them is held, so memory does not grow with the year.
    """
    from gateway.cli.progress import counting
    from gateway.errors import Usage
    from gateway.mappings.care.measure_report import case_from
    from gateway.stores import configuration_of
    from transitions.measure import Measure, Rate

    if as_json and fhir:
        raise Usage("one output can be JSON or FHIR, not both", location="--json", advice="Leave one of --json and --fhir out.")
    with opened(data, config) as (store, settings), store.reading() as reader:
        configuration, found = configuration_of(settings, store), Measure(year, Rate("all"))
        with counting() as progress:
            for number, kept in enumerate(_kept(reader, year), 1):
                progress("discharges", number)
                case, _ = case_from(kept)
                if case.fate != "outside":
                    found.add(case, configuration.policy)
        if chart is not None:
            from gateway.web.chart import svg

            chart.write_text(svg(found), encoding="utf-8")
            print(f"The chart is in {chart}.", file=sys.stderr)
        if as_json:
            _print_json(found, _kept(reader, year))
        elif fhir:
            _print_reports(found, _kept(reader, year), configuration.identify)
        else:
            from gateway.cli.tables import print_measure

            print_measure(found, {each.id: each.name for each in settings.agency})


def _kept(reader: Reader, year: int) -> Iterator[Measured]:
    """The year's cases, in the order of day and transition."""
    return reader.measured(f"{year:04}-01-01", f"{year:04}-12-31")


def _print_json(found: Measure, cases: Iterator[Measured]) -> None:
    """One object; its `cases` a line each, as they are kept."""
    import orjson

    from gateway.mappings.care.measure_report import measure_json

    out = sys.stdout.buffer
    out.write(orjson.dumps(measure_json(found), option=orjson.OPT_INDENT_2).removesuffix(b"\n}") + b',\n  "cases": [')
    comma = b"\n    "
    for kept in cases:
        out.write(comma + kept.body)
        comma = b",\n    "
    out.write(b"\n  ]\n}\n")


def _print_reports(found: Measure, cases: Iterator[Measured], identify: Identify) -> None:
    """The summary, and an individual report for each case that is counted or excluded."""
    from datetime import UTC, datetime

    import orjson

    from gateway.mappings.care.measure_report import case_from, case_report, summary_report

    made, out = datetime.now(UTC).isoformat(timespec="seconds"), sys.stdout.buffer
    out.write(orjson.dumps(summary_report(found, identify, made)) + b"\n")
    for kept in cases:
        case, patient = case_from(kept)
        if case.fate != "outside":
            out.write(orjson.dumps(case_report(case, patient, found.year, identify, made)) + b"\n")
