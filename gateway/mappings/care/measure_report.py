"""The measure as data: a case as JSON beside its transition, the year's measure as JSON, and as FHIR MeasureReports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime

from gateway.records.statements import Identify, Json
from transitions.measure import Case, Measure, Rate

MEASURE = "urn:gateway:measure:follow-up-after-hospitalization|1"
"""FUH-like, our own; never to be called HEDIS."""
_POPULATION = "http://terminology.hl7.org/CodeSystem/measure-population"
_IMPROVEMENT = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/measure-improvement-notation", "code": "increase"}]}
_SUBJECT = {"coding": [{"system": "http://hl7.org/fhir/resource-types", "code": "Patient"}]}


def case_json(case: Case) -> Json:
    """A case without what its transition says already: kept with the coordinator's view of the transition."""
    shown = asdict(case) | {"discharged": case.discharged.isoformat(), "visit": case.visit.isoformat() if case.visit else None}
    return {key: value for key, value in shown.items() if key not in ("transition", "hospital", "agency")}


def case_from(transition: Json) -> Case | None:
    """The case that was kept with a transition; None where it has none."""
    kept = transition.get("measure")
    if kept is None:
        return None
    days = {"discharged": date.fromisoformat(kept["discharged"]), "visit": date.fromisoformat(kept["visit"]) if kept["visit"] else None}
    return Case(transition=transition["id"], hospital=transition["hospital"] or "", agency=transition["agency"] or "", **{**kept, **days})


def measure_json(found: Measure, cases: Iterable[Case]) -> Json:
    """DESIGN's shape of `measure --json`; rates are left to the reader, because a rate of few cases misleads."""
    total = _rate_json(found.total)
    del total["name"]
    return {
        "year": found.year,
        **total,
        "hospitals": _groups(found.hospitals),
        "agencies": _groups(found.agencies),
        "months": _groups(found.months),
        "cases": [{"transition": case.transition, "hospital": case.hospital, "agency": case.agency or None, **case_json(case)} for case in cases],
    }


def reports(found: Measure, cases: Iterable[Case], identify: Identify, subjects: dict[str, str], made: datetime) -> Iterable[Json]:
    """MeasureReports: the year's summary, then an individual one for each counted or excluded case.

    `subjects`: transition id -> "Patient/…". Ids follow from the year and the transition, so that a report made again replaces the former one.
    """
    yield _report(identify, f"measure|{found.year}", "summary", found.year, made, _summary_groups(found)) | {"improvementNotation": _IMPROVEMENT}
    for case in cases:
        if case.fate != "outside":
            report = _report(identify, f"measure|{found.year}|{case.transition}", "individual", found.year, made, _case_groups(case))
            yield report | {"subject": {"reference": subjects[case.transition]}, "improvementNotation": _IMPROVEMENT}


def _report(identify: Identify, key: str, kind: str, year: int, made: datetime, groups: list[Json]) -> Json:
    return {
        "resourceType": "MeasureReport",
        "id": identify("MeasureReport", key),
        "status": "complete",
        "type": kind,
        "measure": MEASURE,
        "date": made.astimezone(UTC).isoformat(timespec="seconds"),
        "period": {"start": f"{year}-01-01", "end": f"{year}-12-31"},
        "group": groups,
    }


def _groups(rates: dict[str, Rate]) -> list[Json]:
    return [_rate_json(rates[name]) for name in sorted(rates)]


def _rate_json(rate: Rate) -> Json:
    return {
        "name": rate.name or None,
        "denominator": rate.denominator,
        "excluded": rate.excluded,
        "numerator_7": rate.numerator_7,
        "numerator_30": rate.numerator_30,
    }


def _summary_groups(found: Measure) -> list[Json]:
    return [
        _group(
            days,
            _populations(found.total.denominator, found.total.excluded, _numerator(found.total, days)),
            _score(found.total, days),
            [
                _stratifier(name, [_stratum(rate, days) for _, rate in sorted(rates.items())])
                for name, rates in (("hospital", found.hospitals), ("agency", found.agencies), ("month", found.months))
                if rates
            ],
        )
        for days in (7, 30)
    ]


def _case_groups(case: Case) -> list[Json]:
    counted = case.fate == "counted"
    return [
        _group(days, _populations(int(counted), int(not counted), int(case.days is not None and case.days <= days)), None, []) for days in (7, 30)
    ]


def _group(days: int, populations: list[Json], score: float | None, stratifiers: list[Json]) -> Json:
    group: Json = {"code": {"text": f"Seen within {days} days"}, "population": populations}
    if score is not None:
        group["measureScore"] = {"value": score}
    return group | ({"stratifier": stratifiers} if stratifiers else {})


def _stratifier(name: str, strata: Sequence[Json]) -> Json:
    return {"code": [{"text": name}], "stratum": list(strata)}


def _stratum(rate: Rate, days: int) -> Json:
    stratum: Json = {
        "value": {"text": rate.name or "coordinator's queue"},
        "population": _populations(rate.denominator, rate.excluded, _numerator(rate, days)),
    }
    score = _score(rate, days)
    return stratum if score is None else stratum | {"measureScore": {"value": score}}


def _populations(denominator: int, excluded: int, numerator: int) -> list[Json]:
    counts = (("denominator", denominator), ("denominator-exclusion", excluded), ("numerator", numerator))
    return [{"code": {"coding": [{"system": _POPULATION, "code": code}]}, "count": count} for code, count in counts]


def _numerator(rate: Rate, days: int) -> int:
    return rate.numerator_7 if days == 7 else rate.numerator_30


def _score(rate: Rate, days: int) -> float | None:
    return round(_numerator(rate, days) / rate.denominator, 4) if rate.denominator else None
