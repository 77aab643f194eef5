"""The tier of risk with its reasons: DOMAIN's rule of thumb, not a validated score.

Reasons are fixed words, so that a recipient who may not know one of them can be told the tier that the others give (`tier_of`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from transitions.closing import INPATIENT
from transitions.dispositions import Disposition
from transitions.model import FollowUp, Observation, Stay, Tier
from transitions.policy import Policy
from transitions.windows import after, local_day, utc

SUICIDE_RISK = "high suicide risk on the C-SSRS"
SELF_HARM = "self-harm this stay"
AGAINST_ADVICE = "left against advice without an appointment"
HOMELESS = "homeless"
SUBSTANCE_USE = "substance use"
ADMITTED_BEFORE = "admitted in the 30 days before"
NO_OUTPATIENT_CARE = "no outpatient care in the 6 months before"
SCHIZOPHRENIA = "schizophrenia spectrum"
SHORT_STAY = "stay of 7 days or less"

REASONS: Mapping[str, Tier] = {
    SUICIDE_RISK: "urgent",
    SELF_HARM: "urgent",
    AGAINST_ADVICE: "urgent",
    HOMELESS: "high",
    SUBSTANCE_USE: "high",
    ADMITTED_BEFORE: "high",
    NO_OUTPATIENT_CARE: "high",
    SCHIZOPHRENIA: "high",
    SHORT_STAY: "high",
}
"""Every reason, and the tier that it gives."""

_BEFORE_ADMISSION = timedelta(days=1)
"""A screening in the emergency department belongs to the stay that it led to."""


def tier_of(reasons: Iterable[str]) -> Tier:
    """The tier that the reasons give together."""
    tiers = {REASONS[each] for each in reasons}
    return "urgent" if "urgent" in tiers else "high" if "high" in tiers else "standard"


def reasons(stay: Stay, disposition: Disposition, has_appointment: bool, follow_ups: Sequence[FollowUp], policy: Policy) -> tuple[str, ...]:
    """Why the client is at more than standard risk, the gravest first."""
    return tuple(_reasons(stay, disposition, has_appointment, follow_ups, policy))


def _reasons(stay: Stay, disposition: Disposition, has_appointment: bool, follow_ups: Sequence[FollowUp], policy: Policy) -> Iterator[str]:
    said = policy.vocabulary.sets(stay.diagnoses + stay.reasons)  # wherever they stand
    if stay.observations and _suicide_risk(stay, policy):
        yield SUICIDE_RISK
    if "self-harm" in said:
        yield SELF_HARM
    if disposition.against_advice and not has_appointment:
        yield AGAINST_ADVICE
    if "homelessness" in said:
        yield HOMELESS
    if "substance-use" in said:
        yield SUBSTANCE_USE
    if stay.other_visits and _admitted_before(stay, policy):
        yield ADMITTED_BEFORE
    if (stay.other_visits or follow_ups) and _no_outpatient_care(stay, follow_ups, policy):
        yield NO_OUTPATIENT_CARE
    if "schizophrenia" in said:
        yield SCHIZOPHRENIA
    if _is_short(stay, policy):
        yield SHORT_STAY


def _suicide_risk(stay: Stay, policy: Policy) -> bool:
    """The latest screening of the stay or since: its risk in words, or a yes to intent, plan or recent behaviour."""
    begin = after(utc(stay.admitted), -_BEFORE_ADMISSION) if stay.admitted is not None else None
    ours = [each for each in stay.observations if begin is None or utc(each.at) >= begin]
    risks = [each for each in ours if each.code == policy.suicide_risk]
    if risks:
        return _is_high(max(risks, key=lambda each: (utc(each.at), each.text)))
    answers: dict[str, Observation] = {}
    for each in sorted(ours, key=lambda each: (utc(each.at), each.text)):
        answers[each.code] = each
    return any(code in answers and _is_yes(answers[code]) for code in policy.suicide_risk_items)


def _is_high(observation: Observation) -> bool:
    words = observation.text.casefold().replace("-", " ").split()
    return "high" in words and "not" not in words


def _is_yes(observation: Observation) -> bool:
    return observation.value == 1 if observation.value is not None else observation.text.casefold().strip(" .") in ("yes", "y", "true", "positive")


def _admitted_before(stay: Stay, policy: Policy) -> bool:
    if stay.admitted is None:
        return False
    day = local_day(stay.admitted, stay.zone)
    earlier = [
        each.admitted
        for each in stay.other_visits
        if each.admitted is not None and not each.cancelled and each.visit_class in INPATIENT and utc(each.admitted) < utc(stay.admitted)
    ]
    return any((day - local_day(each, stay.zone)).days <= policy.readmission_days for each in earlier)


def _no_outpatient_care(stay: Stay, follow_ups: Sequence[FollowUp], policy: Policy) -> bool:
    """Said only where the records reach back that far: no news of a visit is not the news of no visit."""
    if stay.admitted is None:
        return False
    admitted = utc(stay.admitted)
    begin = after(admitted, timedelta(days=-policy.outpatient_days))
    visits = [
        (utc(each.admitted), each.visit_class not in INPATIENT | {"EMER"}) for each in stay.other_visits if each.admitted and not each.cancelled
    ]
    visits += [(utc(each.start), each.status in ("fulfilled", "arrived", "checked-in")) for each in follow_ups if each.start]
    reaches_back = any(moment < begin for moment, _ in visits)
    return reaches_back and not any(is_care and begin <= moment < admitted for moment, is_care in visits)


def _is_short(stay: Stay, policy: Policy) -> bool:
    """By calendar days, as hospitals count a stay."""
    if stay.admitted is None or stay.discharged is None:
        return False
    return (local_day(stay.discharged, stay.zone) - local_day(stay.admitted, stay.zone)).days <= policy.short_stay_days
