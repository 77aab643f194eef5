"""Which statements are about which stay. Pure; statements come in recorded order."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from gateway.records.course import OPEN, PRESENT, Stay, apply
from gateway.records.order import Said
from gateway.records.statements import Statement
from gateway.records.times import instant

VISIT = "urn:gateway:visit:"
ACCOUNT = "urn:gateway:account:"
OWN_ID = "urn:gateway:feed:"
_ONLY = "as the only one open"
NOT_INPATIENT = {"AMB", "EMER", "OBSENC", "HH", "VR", "PRENC", "FLD", "SS"}


def fold_stays(said: list[Said]) -> list[Stay]:
    """The stays of one person, in the order in which they were first heard of; last those that were joined into another, entered in error.

    What an EHR says of a part of a stay names the stay by the EHR's own id alone. It is placed when all others are: it may be older than the word
    that gives the stay its number, and a stay is not to have another name, and another transition, because its diagnosis came first.

    A statement that joins or renumbers (`facts["stays"]`: pairs of the number that stands and the one that gives way) makes the two numbers
    one from then on: later statements under either are about the same stay.
    """
    stays: list[Stay] = []
    left: list[Stay] = []
    same: dict[str, tuple[str, ...]] = {}
    for each in sorted(said, key=_is_part):
        statement = each.statement
        if statement.kind == "merge":
            for standing, former in statement.facts.get("stays") or ():
                _join_numbers(stays, left, same, standing, former, each)
        elif statement.kind == "stay":
            if same:
                each = each._replace(statement=_also_named(statement, same))
            stay, taken = _find(stays, each)
            if taken and all(one.key != each.key for one in stay.said):  # the very same again is no news of the stay
                each = each._replace(source=replace(each.source, taken=taken))
            stay.said.append(each)
            apply(stay, each)
            if _is_part(each):
                stay.said.sort(key=lambda told: told.key)
    return [*stays, *left] if left else stays


def _is_part(said: Said) -> bool:
    """Whether it is about a part of a stay, which it names by its sender's own id."""
    statement = said.statement
    return statement.facts.get("effect") == "none" and bool(statement.keys) and all(key.startswith(OWN_ID) for key in statement.keys)


def _also_named(statement: Statement, same: dict[str, tuple[str, ...]]) -> Statement:
    keys = tuple(dict.fromkeys(name for key in statement.keys for name in (key, *same.get(key, ()))))
    return replace(statement, keys=keys) if keys != statement.keys else statement


def _join_numbers(stays: list[Stay], left: list[Stay], same: dict[str, tuple[str, ...]], standing: str, former: str, said: Said) -> None:
    """Two numbers are one stay's. If each had a stay of its own, all that was said of either is told anew as one, and the former is an error."""
    names = tuple(dict.fromkeys((standing, former, *same.get(standing, ()), *same.get(former, ()))))
    for name in names:
        same[name] = names
    if standing.startswith(ACCOUNT):
        for stay in stays:
            if stay.accounts.intersection(names):
                stay.accounts.update(names)
        return
    one, other = (next((stay for stay in reversed(stays) if number in stay.aliases), None) for number in (standing, former))
    if one is not None and other is not None and one is not other:
        whole = Stay(key=one.key, facility=one.facility, aliases=one.aliases | other.aliases, accounts=one.accounts | other.accounts)
        for each in sorted((*one.said, *other.said), key=lambda told: told.key):
            whole.said.append(each)
            apply(whole, each)
        stays[stays.index(one)] = one = whole
        stays.remove(other)
        other.state, other.error_recorded, other.left = "entered-in-error", said.recorded, True
        other.said = [*other.said, said]
        left.append(other)
    standing_stay = one or other
    if standing_stay is not None:
        standing_stay.aliases.update(names)


class _Found(NamedTuple):
    """The stay of a message that no visit number leads to it, None for a new one; why it is uncertain; by what it was found, if not by an account."""

    stay: Stay | None
    doubt: str = ""
    taken: str = ""


def _find(stays: list[Stay], said: Said) -> tuple[Stay, str]:
    """(the stay that a statement is about, by what it was found where no number names it); a new stay when it can be none of those known."""
    statement, facts = said.statement, said.statement.facts
    visits = [key for key in statement.keys if not key.startswith(ACCOUNT)]
    accounts = [key for key in statement.keys if key.startswith(ACCOUNT)]
    facility = str(facts.get("facility") or said.heading.facility)
    admitted = instant(facts.get("admitted"), str(facts.get("zone") or "UTC"))
    stay = _by_visit(stays, visits, said, admitted)
    doubt = taken = ""
    if stay is None:
        here = [each for each in stays if each.facility == facility and (not visits or not each.aliases)]
        stay, doubt, taken = _without_number(here, said, accounts, admitted, bool(visits))
    if stay is None:
        anchor = visits[0] if visits else f"{ACCOUNT}{facility}|{accounts[0]}|{admitted}" if accounts else ""
        if not anchor:
            anchor = f"urn:gateway:stay:{facility}|{admitted if admitted is not None else said.recorded}"
        episodes = sum(1 for each in stays if visits and visits[0] in each.aliases)
        suffix = f"#{episodes + 1}" if episodes else ""
        stay = Stay(key=f"{anchor}{suffix}|{statement.person[0]}", facility=facility)
        stays.append(stay)
    if doubt and not stay.uncertain:
        stay.uncertain, stay.uncertain_since = doubt, said.recorded
    stay.aliases.update(visits)
    stay.accounts.update(accounts)
    return stay, taken


def _by_visit(stays: list[Stay], visits: list[str], said: Said, admitted: int | None) -> Stay | None:
    """The newest stay under one of the visit numbers; an admission after its discharge is a new episode under the old number."""
    for key in visits:
        for stay in reversed(stays):
            if key in stay.aliases:
                again = said.statement.facts.get("effect") in ("admit", "register", "pre-admit")
                over = stay.state == "discharged" and stay.discharged is not None
                if again and over and admitted is not None and stay.discharged is not None and admitted > stay.discharged:
                    return None
                return stay
    return None


def _without_number(here: list[Stay], said: Said, accounts: list[str], admitted: int | None, numbered: bool) -> _Found:
    """The stay at this facility that fits: by account, by admission time, else the only one that is open."""
    effect = said.statement.facts.get("effect", "update")
    starts = effect in ("admit", "register", "pre-admit")
    by_account = [each for each in here if each.accounts.intersection(accounts)]
    began = admitted if admitted is not None or not starts else _occurred(said)
    for group, taken in ((by_account, ""), (here, "by its admission time")):
        same = [each for each in group if began is not None and each.admitted == began and each.state != "entered-in-error"]
        if same:
            return _Found(same[-1], taken=taken)
    if by_account and not starts:
        standing = [each for each in by_account if each.state in OPEN] or by_account
        return _Found(standing[-1])
    if starts:
        planned = [each for each in here if each.state == "planned"]
        return _Found(planned[-1], taken="as the only one planned") if len(planned) == 1 and effect == "admit" else _Found(None)
    if effect in ("cancel-discharge",):
        ended = [each for each in here if each.state == "discharged"] or [each for each in here if each.state in PRESENT]
        if not ended:
            return _Found(None)
        return _Found(ended[-1], "" if numbered or len(ended) == 1 else "a cancelled discharge without a visit number", "as the last one that ended")
    present = [each for each in here if each.state in PRESENT] or [each for each in here if each.state == "planned"]
    if effect == "discharge":
        return _discharged_stay(here, present, said, admitted)
    if len(present) == 1 and not _contradicts(present[0], said, admitted):
        return _Found(present[0], taken=_ONLY)
    if effect in ("update", "none") and not present and here and not numbered:
        return _Found(here[-1], taken="as the latest one")
    return _Found(None)


def _occurred(said: Said) -> int:
    """When an admission that does not say so began: an admission that is told again began at the same time."""
    facts = said.statement.facts
    return instant(facts.get("event_at"), str(facts.get("zone") or "UTC")) or said.recorded


def _discharged_stay(here: list[Stay], present: list[Stay], said: Said, admitted: int | None) -> _Found:
    """An A03 without a visit number (DOMAIN): the person's only open stay here, unless unit or admission time contradict."""
    ended = instant(said.statement.facts.get("discharged"), str(said.statement.facts.get("zone") or "UTC")) or said.recorded
    told_again = [each for each in here if each.state == "discharged" and each.discharged == ended]
    if told_again:
        return _Found(told_again[-1], taken="by its time of discharge")
    if not present:
        return _Found(None)
    fits = [each for each in present if not _contradicts(each, said, admitted) and (each.admitted is None or each.admitted <= ended)]
    if len(fits) == 1 and len(present) == 1:
        return _Found(fits[0], taken=_ONLY)
    if said.statement.facts.get("visit_class") in NOT_INPATIENT and not fits:
        return _Found(None)
    return _Found(None, "a discharge without a visit number fits none, or more than one, of the open stays")


def _contradicts(stay: Stay, said: Said, admitted: int | None) -> bool:
    """Whether place (PV1-3) or admission (PV1-44) say that this is another visit."""
    facts = said.statement.facts
    unit = str(facts.get("unit") or "").casefold()
    here = stay.whereabouts[-1].unit.casefold() if stay.whereabouts else ""
    elsewhere = bool(unit and here and unit != here) and facts.get("effect") not in ("transfer", "cancel-transfer", "update")
    return elsewhere or (admitted is not None and stay.admitted is not None and admitted != stay.admitted)
