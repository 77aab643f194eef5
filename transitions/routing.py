"""Whose turn it is: one assignment after the other, each of them one Task, or the coordinator's queue.

The rules, in order: what a person decided; the agency that has already answered for this client; the agencies that a referral names; those that have
cared for the client before; the agency for clients discharged to court or jail; those that serve clients like this one (`serving`); else the
coordinator, so never nowhere. The coordinator alone has what is undecided, of uncertain identity, or withheld from the agency that the rules choose.

An agency that took no new clients when its turn would have begun is passed over, unless it was named or has answered (`is_named`). That it was closed
then is said by a decision of the policy, taken at that moment: so a turn that has begun is never taken away by a closing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import itemgetter

from transitions.closing import Break
from transitions.course import Spell
from transitions.dispositions import Disposition
from transitions.model import Answer, Assignment, Claim, ClosedAs, Contact, Decision, FollowUp, Stay
from transitions.policy import COORDINATOR, Policy
from transitions.serving import serving
from transitions.windows import local_day, utc

ACCEPTED = frozenset({"accepted", "in-progress", "on-hold", "completed"})
"""Task statuses by which an agency has picked the transition up."""

_GIVEN_BACK = {"rejected": "declined", "failed": "given up", "cancelled": "given up"}
_ENDED = frozenset({"rejected", "failed", "cancelled", "completed", "entered-in-error"})
UNANSWERED = "unanswered"
"""How a turn ended that its agency let go by."""
PASSED_OVER = "passed-over"
"""The policy's decision that an agency (`about`) took no new clients when its turn (`value`: its number) would have begun."""

_ANSWERED = "it has answered for this client before"
_NO_RULE = "no rule names an agency for this client"

Conclusion = tuple[datetime, ClosedAs | None]
"""When the transition was closed and as what; None: it is void."""


def candidates(stay: Stay, disposition: Disposition, since: datetime, policy: Policy) -> tuple[tuple[str, str], ...]:
    """The agencies that the rules name, the first choice first, each with the reason. `since`: when the transition came into view."""
    found: dict[str, str] = {}
    for agency, why in _rules(stay, disposition, since, policy):
        if found.get(agency, _ANSWERED) == _ANSWERED:  # where a rule names it as well, that is why it was asked
            found[agency] = why
    return tuple(found.items())


def routed_agencies(stay: Stay, named: Iterable[tuple[str, str]], coordinator_alone: str) -> frozenset[str]:
    """The agencies to which the client is, or was, routed: whose bookings are mental-health follow-up."""
    told = {each.agency for each in stay.claims if each.agency}
    if coordinator_alone:
        return frozenset(told)
    return frozenset(told.union((agency for agency, _ in named), (each.value for each in stay.decisions if each.what == "route")))


def coordinator_alone(stay: Stay, answer: Answer) -> str:
    """Why nobody but the coordinator may have this transition; "" when that is not so."""
    if answer == "undecided":
        return "whether the stay was psychiatric is undecided"
    if stay.client.identity_uncertain or stay.uncertain or stay.tie:
        return "who or which stay it is about is uncertain"
    if "*" in stay.withheld_from:
        return "the stay may not be disclosed to any agency"
    return ""


def route(
    stay: Stay,
    named: tuple[tuple[str, str], ...],
    alone: str,
    since: datetime,
    earlier: Sequence[Spell] = (),
    breaks: Iterable[Break] = (),
    conclusion: Conclusion | None = None,
) -> tuple[Assignment, ...]:
    """All turns, oldest first; the last is current. Empty where the transition was closed before anybody could have had it.

    `named` are the candidates, `alone` says why the coordinator alone may have it, `since` when the transition came into view, and
    `earlier` when it was in view before that.
    """
    told = list(_taken_back(earlier, since))
    if earlier:
        since = min(since, earlier[0].since)
    for each in breaks:
        if each.until > since:
            told.append(each)
        else:
            since = max(since, each.resume)  # it was never anybody's turn before
    if conclusion is not None and conclusion[0] <= since and conclusion[1] is not None and not told and not stay.claims:
        return ()
    ledger = _Ledger(stay, named, alone, since)
    for _, event in sorted(_events(stay, told), key=itemgetter(0)):
        ledger.take(event, conclusion[0] if conclusion else None)
    return ledger.close(conclusion)


def _taken_back(earlier: Sequence[Spell], since: datetime) -> Iterator[Break]:
    """Each turn ended when what had been told was taken back, and the next begins with what was told next."""
    for number, spell in enumerate(earlier, 1):
        resume = earlier[number].since if number < len(earlier) else since
        yield Break(spell.until, "void", max(resume, spell.until))


def is_picked_up(assignment: Assignment, follow_ups: Iterable[FollowUp], contacts: Iterable[Contact]) -> bool:
    """The agency has accepted, or shown by a booking or a contact that it acts."""
    if assignment.status in ACCEPTED:
        return True
    agency = assignment.agency
    if agency is None:
        return False
    return any(each.booked_by == agency and each.status != "entered-in-error" for each in follow_ups) or any(each.by == agency for each in contacts)


def is_named(stay: Stay, agency: str) -> bool:
    """Whether a referral or a person's decision names the agency, or it has answered for this client: then it is asked though it takes no others."""
    routed = (each.value for each in stay.decisions if each.what == "route")
    return agency in {*stay.referred_to, *routed, *(each.agency for each in stay.claims)}


def _rules(stay: Stay, disposition: Disposition, since: datetime, policy: Policy) -> Iterator[tuple[str, str]]:
    for claim in stay.claims[:1]:
        if claim.agency not in ("", COORDINATOR) and claim.number <= 1:  # who answered a later turn was not the first to be asked
            yield claim.agency, _ANSWERED
    for agency in stay.referred_to:
        yield agency, "a referral names it"
    for agency in stay.known_to:
        yield agency, "it has cared for this client before"
    if disposition.kind == "court" and policy.court_agency:
        yield policy.court_agency, "it takes clients discharged to court or jail"
    yield from serving(stay.client, local_day(since, stay.zone), policy)


def _events(stay: Stay, breaks: Iterable[Break]) -> Iterator[tuple[datetime, Claim | Decision | Break]]:
    for claim in stay.claims:
        yield utc(claim.at), claim
    for decision in stay.decisions:
        if decision.what in ("route", "unanswered"):
            yield utc(decision.at), decision
    for each in breaks:
        yield each.until, each


def _passed_over(stay: Stay) -> frozenset[tuple[str, str]]:
    """(turn, agency) of those that took nobody when their turn would have begun, and have not answered all the same."""
    closed = {(each.value, each.about) for each in stay.decisions if each.what == PASSED_OVER and each.about not in stay.referred_to}
    return frozenset(closed - {(str(each.number), each.agency) for each in stay.claims})


class _Ledger:
    """The turns while they are told, one event after the other."""

    def __init__(self, stay: Stay, named: tuple[tuple[str, str], ...], alone: str, since: datetime) -> None:
        self._withheld = stay.withheld_from
        self._named = named
        self._alone = alone
        self._answered = any(each.agency not in ("", COORDINATOR) for each in stay.claims)
        self._passed_over = _passed_over(stay) if stay.decisions else frozenset[tuple[str, str]]()
        self._tried: set[str] = set()
        self._turns: list[Assignment] = []
        self._next(since)

    def take(self, event: Claim | Decision | Break, concluded: datetime | None) -> None:
        """One more thing that was said or happened."""
        if isinstance(event, Claim):
            self._claim(event, concluded)
        elif isinstance(event, Decision):
            self._decide(event)
        else:
            agency = self._turns[-1].agency
            self._end(event.until, event.why, "cancelled")
            self._tried.clear()
            self._next(event.resume, agency)

    def close(self, conclusion: Conclusion | None) -> tuple[Assignment, ...]:
        """The turns, with the last one ended where the transition is."""
        last = self._turns[-1]
        if self._alone and last.agency is not None:
            self._end(last.since, "withheld", "cancelled")
            self._start(None, last.since, self._alone)
        if conclusion is not None:
            at, closed_as = conclusion
            last = self._turns[-1]
            # The agency itself completes a Task whose visit was kept; a Task that nobody accepted is withdrawn.
            status = last.status if last.status in _ENDED or (closed_as == "follow-up-kept" and last.status in ACCEPTED) else "cancelled"
            self._end(max(at, last.since), closed_as or "void", status)
        return tuple(self._turns)

    def _claim(self, claim: Claim, concluded: datetime | None) -> None:
        agency = None if claim.agency in ("", COORDINATOR) else claim.agency
        current = self._turns[-1]
        at = utc(claim.at)
        if agency in self._withheld or (claim.number and claim.number != current.number):
            return
        if agency != current.agency:
            if agency is None or any(each.agency == agency for each in self._turns):
                return  # a late word on a Task that has ended
            self._end(at, "routed", "cancelled")
            self._start(agency, at, "it answered for this client")
        self._turns[-1] = self._turns[-1]._replace(status=claim.status, reason=claim.reason)
        if claim.status in _GIVEN_BACK and agency is not None and (concluded is None or at < concluded):
            self._end(at, _GIVEN_BACK[claim.status], claim.status)
            self._next(at)

    def _decide(self, decision: Decision) -> None:
        if decision.what == "unanswered":
            self._move_on(decision)
            return
        agency = None if decision.value in ("", COORDINATOR) else decision.value
        current, at = self._turns[-1], utc(decision.at)
        if agency == current.agency or self._alone:
            return
        why = f"routed by {decision.by}"
        if at <= current.since and current.status == "requested":
            self._turns.pop()  # it was decided before there was anything to route
            self._tried.discard(current.agency or "")
            self._start(agency, current.since, why)
            return
        self._end(at, "routed", "cancelled")
        self._start(agency, at, why)

    def _move_on(self, decision: Decision) -> None:
        """The policy's time is over for the turn that the decision names by its number, if nobody has answered it meanwhile."""
        current = self._turns[-1]
        if decision.value == str(current.number) and current.agency is not None and current.status == "requested":
            at = max(utc(decision.at), current.since)
            self._end(at, UNANSWERED, "cancelled")
            self._next(at)

    def _next(self, since: datetime, preferred: str | None = None) -> None:
        """The next agency that has not been asked, else the coordinator."""
        if self._alone and not self._turns and not self._answered:
            self._start(None, since, self._alone)
            return
        known = ((preferred, "it has had this client before"),) if preferred is not None else ()
        waiting = [(agency, why) for agency, why in (*known, *self._named) if agency not in self._tried]
        turn = str(len(self._turns) + 1)
        for agency, why in waiting:
            if (turn, agency) not in self._passed_over:
                self._start(agency, since, why)
                return
        if waiting:
            closed = ", ".join(dict.fromkeys(agency for agency, _ in waiting))
            self._start(None, since, f"no agency that the rules name takes new clients: {closed}")
            return
        self._start(None, since, _NO_RULE if not self._tried else "no other agency is named")

    def _start(self, agency: str | None, since: datetime, why: str) -> None:
        if agency is not None:
            self._tried.add(agency)
            if agency in self._withheld:
                agency, why = None, "the stay may not be disclosed to the agency that the rules choose"
        self._turns.append(Assignment(len(self._turns) + 1, agency, since, why))

    def _end(self, until: datetime, ended: str, status: str) -> None:
        last = self._turns[-1]
        self._turns[-1] = last._replace(until=max(until, last.since), ended=ended, status=status if last.status not in _ENDED else last.status)
