"""Was it a psychiatric stay? Yes, no or undecided, each with its reasons (DOMAIN, "Psychiatric stay").

In this order: a person's decision; any sign of yes; a known other unit or diagnosis; else undecided, which is tracked.

Where the client is, is told by the newest unit or service of which the feed profile says anything: a move to a unit that it lists as another ends
tracking, and one to a unit that it does not list ends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from transitions.model import Answer, Code, Placement, Stay
from transitions.policy import Policy

_SIGNS = {"mental-illness": "mental illness", "self-harm": "self-harm", "suicidal-ideation": "suicidal ideation"}
_IN_ANY_PLACE = frozenset({"self-harm", "suicidal-ideation"})


def psychiatric(stay: Stay, policy: Policy) -> tuple[Answer, tuple[str, ...]]:
    """The answer and the reasons for it, in words."""
    decided = _decision(stay)
    if decided is not None:
        return decided
    placement = _last_known(stay.placements)
    signs = [*_placement_signs(placement)]
    leading = leading_diagnoses(stay)
    signs.extend(_diagnosis_signs(stay, leading, policy))
    if signs:
        return "yes", tuple(dict.fromkeys(signs))
    if placement is not None:
        return "no", (f"unit or service {placement.unit or placement.service} is known, and not psychiatric",)
    meanings = [policy.vocabulary.meaning(each) for each in leading]
    other = [each for each in meanings if each.known and "other-mental" not in each]
    if other:
        return "no", tuple(f"diagnosis {each.read.code} is known, and not of mental illness" for each in other)
    return "undecided", ("no unit, service, facility or diagnosis says whether the stay was psychiatric",)


def leading_diagnoses(stay: Stay) -> list[Code]:
    """The diagnoses that say what the stay was for: the principal ones, or the first where none is called so, and the reasons for admission."""
    principal = [each for each in stay.diagnoses if each.principal] or list(stay.diagnoses[:1])
    return [*principal, *stay.reasons]


def _decision(stay: Stay) -> tuple[Answer, tuple[str, ...]] | None:
    if not stay.decisions:
        return None
    decisions = [each for each in stay.decisions if each.what == "psychiatric" and each.value in ("yes", "no")]
    if not decisions:
        return None
    last = max(decisions, key=lambda each: each.at)
    return cast(Answer, last.value), (f"decided by {last.by}",)


def _last_known(placements: tuple[Placement, ...]) -> Placement | None:
    """The newest placement of which the profile says anything: a move onto or off a psychiatric unit starts or ends tracking."""
    for placement in reversed(placements):
        if placement.unit_kind or placement.service_kind:
            return placement
    return None


def _placement_signs(placement: Placement | None) -> Iterator[str]:
    if placement is None:
        return
    if placement.unit_kind == "psychiatric":
        yield f"{f'unit {placement.unit}' if placement.unit else 'the house'} is psychiatric"
    if placement.service_kind == "psychiatric":
        yield f"service {placement.service} is psychiatric"


def _diagnosis_signs(stay: Stay, leading: list[Code], policy: Policy) -> Iterator[str]:
    """Mental illness counts as what the stay was for; self-harm and suicidal ideation wherever they stand."""
    meaning = policy.vocabulary.meaning
    for code in leading:
        for name in sorted(meaning(code).sets):
            if name in _SIGNS:
                yield f"diagnosis {code.code or code.text}: {_SIGNS[name]}"
    if not policy.vocabulary.sets(stay.diagnoses) & _IN_ANY_PLACE:
        return
    for code in stay.diagnoses:
        for name in sorted(meaning(code).sets & _IN_ANY_PLACE):
            yield f"diagnosis {code.code or code.text}: {_SIGNS[name]}"
