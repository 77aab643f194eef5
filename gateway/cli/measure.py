"""`gateway measure`: how many were seen within 7 and within 30 days of leaving, and why each case counts or does not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.options import opened

if TYPE_CHECKING:
    from gateway.store.interface import Reader
    from transitions.measure import Case, Measure

PAGE = 1000


def measure_year(year: int, data: Path | None, config: Path | None, *, as_json: bool, fhir: bool, chart: Path | None) -> None:
    """Print the year's measure as a table, JSON or MeasureReports, and draw it if asked."""
    from gateway.cli.progress import counting
    from gateway.errors import Usage
    from gateway.mappings.care.measure_report import case_from, measure_json
    from gateway.stores import configuration_of
    from transitions.measure import Measure, Rate

    if as_json and fhir:
        raise Usage("one output can be JSON or FHIR, not both", location="--json", advice="Leave one of --json and --fhir out.")
    with opened(data, config) as (store, settings):
        configuration = configuration_of(settings, store)
        found, cases, subjects = Measure(year, Rate("all")), [], {}
        with store.reading() as reader, counting() as progress:
            for number, transition in enumerate(_transitions(reader), 1):
                progress("transitions", number)
                case = case_from(transition)
                if case is None or case.discharged.year != year:
                    continue
                if case.fate != "outside":
                    found.add(case, configuration.policy)
                cases.append(case)
                subjects[case.transition] = transition["patient"]
    cases.sort(key=lambda case: (case.discharged, case.hospital, case.transition))
    if chart is not None:
        from gateway.web.chart import svg

        chart.write_text(svg(found), encoding="utf-8")
        print(f"The chart is in {chart}.", file=sys.stderr)
    if as_json:
        import orjson

        sys.stdout.buffer.write(orjson.dumps(measure_json(found, cases), option=orjson.OPT_INDENT_2) + b"\n")
    elif fhir:
        _print_reports(found, cases, configuration.identify, subjects)
    else:
        from gateway.cli.tables import print_measure

        print_measure(found, {each.id: each.name for each in settings.agency})


def _transitions(reader: Reader) -> Iterator[dict[str, Any]]:
    """Every transition as the coordinator sees it, page by page: memory does not grow with their number."""
    import orjson

    from gateway.store.interface import ALL

    position = 0
    while rows := reader.feed(ALL, position, PAGE):
        for row in rows:
            if row.body is not None:
                yield orjson.loads(row.body)
        position = rows[-1].position


def _print_reports(found: Measure, cases: list[Case], identify: Any, subjects: dict[str, str]) -> None:
    from datetime import UTC, datetime

    import orjson

    from gateway.mappings.care.measure_report import reports

    for report in reports(found, cases, identify, subjects, datetime.now(UTC)):
        sys.stdout.buffer.write(orjson.dumps(report) + b"\n")
