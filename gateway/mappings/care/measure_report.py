"""The measure as data: a case as JSON beside its transition, the year's measure as JSON, and as FHIR MeasureReports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache

import orjson

from gateway.records.statements import Identify, Json
from gateway.store.interface import Measured
from transitions.measure import Case, Measure, Rate

MEASURE = "urn:gateway:measure:follow-up-after-hospitalization|1"
"""FUH-like, our own; never to be called HEDIS."""
_POPULATION = "http://terminology.hl7.org/CodeSystem/measure-population"
_IMPROVEMENT = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/measure-improvement-notation", "code": "increase"}]}
_SUBJECT = {"coding": [{"system": "http://hl7.org/fhir/resource-types", "code": "Patient"}]}


def case_json(case: Case) -> Json:
    """A case without what its transition says already: it stands in the coordinator's view of the transition."""
    return {
        "discharged": case.discharged.isoformat(),
        "fate": case.fate,
        "why": case.why,
        "visit": case.visit.isoformat() if case.visit else None,
        "days": case.days,
        "reference": case.reference,
    }


def measured(case: Case, patient: str) -> Measured:
    """The case as the store keeps it apart from its transition, which is how `measure --json` lists it; `patient` is "Patient/…"."""
    about = {"transition": case.transition, "hospital": case.hospital, "agency": case.agency or None, "patient": patient}
    return Measured(case.discharged.isoformat(), orjson.dumps(about | case_json(case)))


def case_from(kept: Measured) -> tuple[Case, str]:
    """The case that was kept, and its patient."""
    told = orjson.loads(kept.body)
    visit = date.fromisoformat(told["visit"]) if told["visit"] else None
    about = told["transition"], told["hospital"], told["agency"] or ""
    case = Case(*about, date.fromisoformat(kept.day), told["fate"], told["why"], visit, told["days"], told["reference"])
    return case, told["patient"]


def measure_json(found: Measure) -> Json:
    """The year in DESIGN's shape of `measure --json`, but for its cases; rates are left to the reader, because a rate of few cases misleads."""
    total = _rate_json(found.total)
    del total["name"]
    return {
        "year": found.year,
        **total,
        "hospitals": _groups(found.hospitals),
        "agencies": _groups(found.agencies),
        "months": _groups(found.months),
    }


def summary_report(found: Measure, identify: Identify, made: str) -> Json:
    """The year's MeasureReport, of the instant `made`. Ids follow from year and transition, so that one made again replaces the former."""
    return _report(identify, f"measure|{found.year}", "summary", found.year, made, _summary_groups(found))


def case_report(case: Case, patient: str, year: int, identify: Identify, made: str) -> Json:
    """The individual MeasureReport of a counted or excluded case; `patient` is "Patient/…"."""
    groups = _case_groups(case.fate == "counted", within_7=case.days is not None and case.days <= 7, within_30=case.days is not None)
    return _report(identify, f"measure|{year}|{case.transition}", "individual", year, made, groups) | {"subject": {"reference": patient}}


def _report(identify: Identify, key: str, kind: str, year: int, made: str, groups: list[Json]) -> Json:
    return {
        "resourceType": "MeasureReport",
        "id": identify("MeasureReport", key),
        "status": "complete",
        "type": kind,
        "measure": MEASURE,
        "date": made,
        "period": {"start": f"{year}-01-01", "end": f"{year}-12-31"},
        "improvementNotation": _IMPROVEMENT,
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


@cache
def _case_groups(counted: bool, *, within_7: bool, within_30: bool) -> list[Json]:
    return [_group(days, _populations(int(counted), int(not counted), int(seen)), None, []) for days, seen in ((7, within_7), (30, within_30))]


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
