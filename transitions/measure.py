"""The measure: of those who left psychiatric inpatient care in a year, how many were seen within 7 and within 30 days.

FUH-like: the logic of the HEDIS measure "Follow-Up After Hospitalization for Mental Illness" (MY2025) as DOMAIN tells it, with our own code set. It
is not HEDIS. A case depends on facts alone, never on the clock: what "booked" promises is the flags' matter; what was "kept" is counted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple

from transitions.dispositions import disposition
from transitions.follow_up import CAME, kind_of
from transitions.model import Code, FollowUp, Stay, Transition, Visit
from transitions.policy import Policy
from transitions.windows import END_OF_TIME, local_day, utc

Fate = Literal["counted", "excluded", "outside"]

YOUNGEST = 6
"""The age on the day of discharge from which discharges are counted."""
LAST_MONTH, LAST_DAY = 12, 1
"""Later discharges of a year are not counted: their 30 days end in the next."""
_NOT_ACUTE = frozenset({"nursing", "rehabilitation", "long-term"})


class Case(NamedTuple):
    """One discharge as the measure sees it.

    `fate`: counted (in the denominator), excluded (it would be, but for `why`), or outside (the measure does not speak of it, for `why`). `visit` is
    the facility's calendar day of the first qualifying visit on day 1 to 30, `days` how many days after the discharge that was.
    """

    transition: str
    hospital: str
    agency: str
    discharged: date
    fate: Fate
    why: str
    visit: date | None = None
    days: int | None = None
    reference: str = ""


@dataclass(slots=True)
class Rate:
    """Counts of one group of discharges. `first_visits[n]` is how many had their first qualifying visit on day n."""

    name: str
    denominator: int = 0
    excluded: int = 0
    numerator_7: int = 0
    numerator_30: int = 0
    first_visits: list[int] = field(default_factory=list)

    def add(self, case: Case, policy: Policy) -> None:
        """Count one case; what lies outside the measure counts nowhere."""
        if case.fate == "excluded":
            self.excluded += 1
        if case.fate != "counted":
            return
        self.denominator += 1
        if case.days is None:
            return
        self.numerator_7 += case.days <= policy.visit_days
        self.numerator_30 += 1
        if not self.first_visits:
            self.first_visits = [0] * (policy.measure_days + 1)
        self.first_visits[case.days] += 1


@dataclass(slots=True)
class Measure:
    """A year's rates: all, by hospital, by agency ("" is the coordinator's queue) and by month ("2026-11")."""

    year: int
    total: Rate
    hospitals: dict[str, Rate] = field(default_factory=dict)
    agencies: dict[str, Rate] = field(default_factory=dict)
    months: dict[str, Rate] = field(default_factory=dict)

    def add(self, case: Case, policy: Policy) -> None:
        """Count one case of the year in every group that it belongs to."""
        self.total.add(case, policy)
        for group, name in ((self.hospitals, case.hospital), (self.agencies, case.agency), (self.months, case.discharged.isoformat()[:7])):
            rate = group.get(name)
            if rate is None:
                rate = group[name] = Rate(name)
            rate.add(case, policy)


def measure(cases: Iterable[Case], year: int, policy: Policy) -> Measure:
    """The year's measure; cases of other years are passed over."""
    found = Measure(year, Rate("all"))
    for case in cases:
        if case.discharged.year == year and case.fate != "outside":
            found.add(case, policy)
    return found


def case_of(transition: Transition, policy: Policy) -> Case | None:
    """The transition's discharge as a case; None where nobody has left."""
    stay = transition.stay
    if transition.status not in ("open", "closed") or stay.state != "discharged" or stay.discharged is None:
        return None
    day = local_day(stay.discharged, stay.zone)
    fate, why = _fate(stay, day, policy)
    visit = _first_visit(transition, day, policy) if fate == "counted" else None
    seen = local_day(visit.start, stay.zone) if visit is not None and visit.start is not None else None
    return Case(
        transition=transition.id,
        hospital=stay.hospital,
        agency=transition.agency or "",
        discharged=day,
        fate=fate,
        why=why,
        visit=seen,
        days=(seen - day).days if seen is not None else None,
        reference=visit.reference if visit is not None else "",
    )


def _fate(stay: Stay, day: date, policy: Policy) -> tuple[Fate, str]:
    outside = _outside(stay, day, policy)
    if outside:
        return "outside", outside
    later = _next_admission(stay, day, policy)
    if later is not None and _is_acute(later) and _is_mental(later.diagnoses, later.psychiatric == "yes", policy):
        return "outside", "readmitted or transferred for mental illness within 30 days: the last discharge of the chain counts"
    excluded = _excluded(stay, day, later)
    return ("excluded", excluded) if excluded else ("counted", "")


def _outside(stay: Stay, day: date, policy: Policy) -> str:
    """Why the measure does not speak of this discharge; "" when it does."""
    born = stay.client.birth_date
    if stay.placements and stay.placements[-1].visit_class == "NONAC":
        return "not an acute inpatient stay"
    if not _is_mental(stay.diagnoses or stay.reasons, False, policy):
        return "no principal diagnosis of mental illness, and no intentional self-harm"
    if born is None:
        return "the birth date is not known"
    if (day.year - born.year - ((day.month, day.day) < (born.month, born.day))) < YOUNGEST:
        return f"younger than {YOUNGEST} years"
    if (day.month, day.day) > (LAST_MONTH, LAST_DAY):
        return "discharged after 1 December"
    return ""


def _excluded(stay: Stay, day: date, later: Visit | None) -> str:
    """Why this discharge is left out of the denominator; "" when it is not."""
    client, ended = stay.client, disposition(stay)
    if ended.fate == "died" or (client.deceased and (client.died is None or local_day(client.died, stay.zone).year == day.year)):
        return "died in the year"
    if ended.fate == "hospice" or any(_in_hospice(each, stay, day) for each in stay.other_visits):
        return "hospice in the year"
    if ended.kind in _NOT_ACUTE:
        return "discharged to nursing, rehabilitation or long-term care"
    if later is None or (not _is_acute(later) and later.psychiatric == "yes"):
        return ""
    return "readmitted or transferred within 30 days, not for mental illness" if _is_acute(later) else "admitted to non-acute care within 30 days"


def _in_hospice(visit: Visit, stay: Stay, day: date) -> bool:
    return visit.hospice and visit.discharged is not None and local_day(visit.discharged, stay.zone).year == day.year


def _next_admission(stay: Stay, day: date, policy: Policy) -> Visit | None:
    """The first inpatient stay that began with this discharge or within 30 days of it, or that this one overlapped and did not outlast."""
    found = [each for each in stay.other_visits if _follows(each, stay, day, policy)]
    return min(found, key=lambda each: (utc(each.admitted) if each.admitted is not None else END_OF_TIME, each.id), default=None)


def _follows(visit: Visit, stay: Stay, day: date, policy: Policy) -> bool:
    if visit.cancelled or visit.visit_class not in ("IMP", "ACUTE", "NONAC") or visit.admitted is None or stay.discharged is None:
        return False
    after = (local_day(visit.admitted, stay.zone) - day).days
    if after > policy.readmission_days or (stay.admitted is not None and utc(visit.admitted) <= utc(stay.admitted)):
        return False
    return after > 0 or visit.discharged is None or utc(visit.discharged) > utc(stay.discharged)


def _is_acute(visit: Visit) -> bool:
    return visit.visit_class != "NONAC"


def _is_mental(diagnoses: Sequence[Code], otherwise: bool, policy: Policy) -> bool:
    """A principal diagnosis (else the first) of the measure's set, or intentional self-harm in any position; `otherwise` where nobody told any."""
    if not diagnoses:
        return otherwise
    meaning = policy.vocabulary.meaning
    principal = [each for each in diagnoses if each.principal] or diagnoses[:1]
    anywhere = {"self-harm", "suicidal-ideation"} if policy.measure_suicidal_ideation else {"self-harm"}
    return any("measured" in meaning(each) for each in principal) or any(anywhere & meaning(each).sets for each in diagnoses)


def _first_visit(transition: Transition, day: date, policy: Policy) -> FollowUp | None:
    """The first visit that the client came to on day 1 to 30 and that was mental-health care."""
    agencies = frozenset(each.agency for each in transition.assignments if each.agency)
    stay = transition.stay
    found = [
        each
        for each in transition.follow_ups
        if each.start is not None
        and 1 <= (local_day(each.start, stay.zone) - day).days <= policy.measure_days
        and each.status in CAME
        and local_day(each.recorded, stay.zone) >= local_day(each.start, stay.zone)  # nobody came to what lies ahead
        and kind_of(each, agencies, stay.decisions, policy) == "mental-health"
    ]
    return min(found, key=lambda each: (utc(each.start or each.recorded), each.reference), default=None)
