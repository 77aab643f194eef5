"""How a stay went: its state, step by step, as its statements tell it in recorded order. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from gateway.records.order import OrderKey, Said, unordered
from gateway.records.record import Course, Source, TakenBack, Whereabouts
from gateway.records.times import instant

OPEN = ("planned", "in-hospital", "on-leave")
PRESENT = ("in-hospital", "on-leave")
INPATIENT = {"IMP", "ACUTE", "NONAC"}


@dataclass(slots=True)
class Stay:
    """A stay while its statements are folded."""

    key: str
    facility: str
    aliases: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    said: list[Said] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    state: str = "in-hospital"
    started: bool = False  # an admission or registration was told, not merely an update or a discharge
    admitted: int | None = None
    discharged: int | None = None
    discharge_recorded: int | None = None
    discharge_cancelled: int | None = None
    error_recorded: int | None = None
    expected: int | None = None
    withdrawn: int | None = None  # the expectation that A25 withdrew
    expectation_withdrawn: int | None = None  # when it did
    taken_back: list[TakenBack] = field(default_factory=list)
    expectation_recorded: int | None = None
    pending_since: int | None = None
    ever_inpatient: bool = False
    ended_as_outpatient: bool = False
    whereabouts: list[Whereabouts] = field(default_factory=list)
    discharge_sources: list[Source] = field(default_factory=list)
    expectation_sources: list[Source] = field(default_factory=list)
    uncertain: str = ""
    uncertain_since: int | None = None
    tie: bool = False
    disposition_recorded: int | None = None
    left: bool = False  # it went to another person or into another stay: what was said within it stands there
    last_cancel: OrderKey | None = None

    def course(self) -> Course:
        """The stay's course as a value. A discharge ends every expectation; a cancelled or deleted visit keeps it, for it voids what was expected."""
        expects = self.state != "discharged"
        return Course(
            state=self.state,
            first_seen=self.said[0].recorded if self.said else 0,
            admitted=self.admitted,
            discharged=self.discharged if self.state == "discharged" else None,
            discharge_recorded=self.discharge_recorded if self.state == "discharged" else None,
            discharge_cancelled=self.discharge_cancelled,
            error_recorded=self.error_recorded,
            expected_discharge=self.expected if expects else None,
            expectation_recorded=self.expectation_recorded if expects else None,
            expectation_withdrawn=self.expectation_withdrawn if expects else None,
            taken_back=tuple(self.taken_back),
            pending_since=self.pending_since if expects else None,
            ever_inpatient=self.ever_inpatient,
            ended_as_outpatient=self.ended_as_outpatient,
            whereabouts=tuple(self.whereabouts),
            discharge_sources=tuple(self.discharge_sources),
            expectation_sources=tuple(self.expectation_sources),
            uncertain=self.uncertain,
            uncertain_since=self.uncertain_since,
            tie=self.tie,
            disposition_recorded=self.disposition_recorded if self.state == "discharged" else None,
        )


_LASTING = (
    "visit_class",
    "facility",
    "hospital",
    "unit",
    "unit_kind",
    "service",
    "service_kind",
    "part2",
    "sud_attested",
    "disposition",
    "diagnoses",
    "reason",
    "confidentiality",
    "zone",
    "transfer_to",
)


def apply(stay: Stay, said: Said) -> None:
    """One more statement, recorded after all before it."""
    facts = said.statement.facts
    zone = str(facts.get("zone") or stay.facts.get("zone") or "UTC")
    if "disposition" in facts and stay.state == "discharged" and _code(facts["disposition"]) != _code(stay.facts.get("disposition")):
        stay.disposition_recorded = said.recorded
    for name in _LASTING:
        if name in facts:
            if facts[name] is None:
                stay.facts.pop(name, None)
            elif name == "part2":
                stay.facts["part2"] = bool(stay.facts.get("part2")) or bool(facts["part2"])
            else:
                stay.facts[name] = facts[name]
    effect = str(facts.get("effect") or "update")
    at = instant(facts.get("event_at"), zone) or said.recorded
    if "admitted" in facts:
        stay.admitted = instant(facts["admitted"], zone)
    _EFFECTS.get(effect, _update)(stay, said, at, zone)
    if stay.admitted is None and effect in ("admit", "to-inpatient", "register"):
        stay.admitted = at
    _place(stay, facts, at)
    _class(stay, effect, snapshot=bool(facts.get("snapshot")))


def _code(disposition: Any) -> str:
    return str((disposition or {}).get("code") or "")


def _class(stay: Stay, effect: str, *, snapshot: bool) -> None:
    """Whether it was ever an inpatient stay: by class; without one, an admission, or a discharge nobody saw begin, is taken for one.

    So it is on a psychiatric unit whatever class HL7 v2 states, for PV1-2 is often wrong; the class of an Encounter (`snapshot`) is not.
    """
    visit_class, unseen = stay.facts.get("visit_class"), effect != "discharge" or not stay.started
    if visit_class in INPATIENT or effect == "to-inpatient":
        stay.ever_inpatient = True
    elif not visit_class and effect in ("admit", "transfer", "pending-discharge", "leave", "return", "discharge", "cancel-discharge"):
        stay.ever_inpatient = stay.ever_inpatient or unseen
    elif effect in ("admit", "transfer", "discharge", "pending-discharge") and visit_class != "EMER" and not snapshot:
        stay.ever_inpatient = stay.ever_inpatient or (unseen and stay.facts.get("unit_kind") == "psychiatric")
    if effect in ("admit", "register", "to-inpatient"):
        stay.started = True


def _place(stay: Stay, facts: Any, at: int) -> None:
    now = Whereabouts(
        at,
        str(stay.facts.get("unit") or ""),
        str(stay.facts.get("unit_kind") or ""),
        str(stay.facts.get("service") or ""),
        str(stay.facts.get("service_kind") or ""),
        str(stay.facts.get("visit_class") or ""),
    )
    if not stay.whereabouts or replace(stay.whereabouts[-1], since=at) != now:
        stay.whereabouts.append(now)


def _start(stay: Stay, said: Said, at: int, zone: str) -> None:
    if said.statement.facts.get("snapshot") and stay.state == "discharged":
        _cancel_discharge(stay, said, at, zone)
    elif said.statement.facts.get("snapshot") or stay.state in ("planned", "in-hospital", "admission-cancelled"):
        if stay.state == "admission-cancelled" and not said.statement.facts.get("admitted"):
            stay.admitted = None  # admitted anew: the cancelled admission says nothing of when
        stay.state, stay.error_recorded = "in-hospital", None
    _expect(stay, said, zone)


def _plan(stay: Stay, said: Said, at: int, zone: str) -> None:
    if not stay.said[:-1]:
        stay.state = "planned"


def _cancel_plan(stay: Stay, said: Said, at: int, zone: str) -> None:
    if stay.state == "planned":
        stay.state, stay.error_recorded = "admission-cancelled", said.recorded


def _cancel_admission(stay: Stay, said: Said, at: int, zone: str) -> None:
    if stay.state == "discharged":
        _take_back(stay, said)
    stay.state, stay.error_recorded = "admission-cancelled", said.recorded


def _delete(stay: Stay, said: Said, at: int, zone: str) -> None:
    if stay.state == "discharged":
        _take_back(stay, said)
    stay.state, stay.error_recorded = "entered-in-error", said.recorded


def _discharge(stay: Stay, said: Said, at: int, zone: str) -> None:
    if stay.last_cancel is not None and unordered(stay.last_cancel, said.key):
        stay.tie = True
    _end(stay, said, instant(said.statement.facts.get("discharged"), zone) or at)
    stay.discharge_cancelled, stay.last_cancel = None, None


def _end(stay: Stay, said: Said, when: int) -> None:
    if stay.state != "discharged":
        stay.disposition_recorded = None
    stay.state, stay.discharged, stay.discharge_recorded = "discharged", when, said.recorded
    stay.error_recorded = None
    stay.discharge_sources = [said.source]
    stay.pending_since = None


def _cancel_discharge(stay: Stay, said: Said, at: int, zone: str) -> None:
    if stay.state == "discharged" or stay.discharge_cancelled is None:
        _take_back(stay, said)
    stay.state, stay.discharged, stay.discharge_recorded = "in-hospital", None, None
    stay.discharge_cancelled, stay.last_cancel = said.recorded, said.key
    stay.ended_as_outpatient = False
    stay.discharge_sources = [said.source]
    stay.facts.pop("disposition", None)
    _expect(stay, said, zone)


def _take_back(stay: Stay, said: Said) -> None:
    """Keep when the discharge that stood was told; one that was never told, from its cancellation on."""
    stay.taken_back.append(TakenBack("discharge", said.recorded if stay.discharge_recorded is None else stay.discharge_recorded, said.recorded))


def _to_outpatient(stay: Stay, said: Said, at: int, zone: str) -> None:
    if stay.ever_inpatient and stay.state in PRESENT:
        _end(stay, said, at)
        stay.ended_as_outpatient = True


def _to_inpatient(stay: Stay, said: Said, at: int, zone: str) -> None:
    if stay.ended_as_outpatient:
        _cancel_discharge(stay, said, at, zone)  # what A07 had ended goes on, and its transition is void
        return
    if stay.state in OPEN:
        stay.state = "in-hospital"
    _expect(stay, said, zone)


def _leave(stay: Stay, said: Said, at: int, zone: str) -> None:
    if stay.state in OPEN:
        stay.state = "on-leave"


def _return(stay: Stay, said: Said, at: int, zone: str) -> None:
    if stay.state in OPEN:
        stay.state = "in-hospital"


def _pending(stay: Stay, said: Said, at: int, zone: str) -> None:
    stay.pending_since = said.recorded
    stay.withdrawn, stay.expectation_withdrawn = None, None
    stay.expectation_sources = [said.source]
    stay.expectation_recorded = said.recorded
    expected = instant(said.statement.facts.get("expected_discharge"), zone)
    if expected is None and at > said.recorded:
        expected = at
    stay.expected = expected if expected is not None else stay.expected


def _cancel_pending(stay: Stay, said: Said, at: int, zone: str) -> None:
    stay.withdrawn = instant(said.statement.facts.get("expected_discharge"), zone) or stay.expected
    _withdraw(stay, said)
    stay.pending_since, stay.expected, stay.expectation_recorded = None, None, None
    stay.expectation_sources = [said.source]


def _withdraw(stay: Stay, said: Said) -> None:
    """Keep when the expectation that stood was told, and what day it named. A discharge has ended every expectation."""
    if stay.state not in OPEN or (stay.pending_since is None and stay.expected is None):
        return
    stay.expectation_withdrawn = said.recorded
    made, expected = (stay.expectation_recorded, stay.expected) if stay.pending_since is None else (stay.pending_since, None)
    stay.taken_back.append(TakenBack("expectation", said.recorded if made is None else made, said.recorded, expected))


def _update(stay: Stay, said: Said, at: int, zone: str) -> None:
    """Every other event: late corrections of a discharge, a new expectation, or a discharge told by PV1-45 alone."""
    discharged = instant(said.statement.facts.get("discharged"), zone)
    if discharged is not None and stay.state == "discharged":
        stay.discharged = discharged
        stay.discharge_sources = [*stay.discharge_sources, said.source]
    elif discharged is not None and stay.state in PRESENT and stay.discharge_cancelled is None:
        _end(stay, said, discharged)
    _expect(stay, said, zone)


def _expect(stay: Stay, said: Said, zone: str) -> None:
    """A standing expectation; one that A25 withdrew returns only with a changed PV2-9."""
    if "expected_discharge" not in said.statement.facts:
        return
    expected = instant(said.statement.facts["expected_discharge"], zone)
    if expected is None:
        if said.statement.facts["expected_discharge"] is None:
            if stay.pending_since is None:
                _withdraw(stay, said)
            stay.expected, stay.expectation_recorded, stay.expectation_sources = None, None, []
    elif expected != stay.withdrawn and expected != stay.expected:
        stay.expected, stay.expectation_recorded, stay.expectation_withdrawn = expected, said.recorded, None
        stay.expectation_sources = [said.source]


_EFFECTS = {
    "admit": _start,
    "register": _start,
    "pre-admit": _plan,
    "cancel-pre-admit": _cancel_plan,
    "cancel-admit": _cancel_admission,
    "to-inpatient": _to_inpatient,
    "to-outpatient": _to_outpatient,
    "pending-discharge": _pending,
    "cancel-pending-discharge": _cancel_pending,
    "discharge": _discharge,
    "cancel-discharge": _cancel_discharge,
    "leave": _leave,
    "return": _return,
    "delete": _delete,
}
