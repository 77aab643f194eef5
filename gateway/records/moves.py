"""Moves (A43, A44, A45): what was filed under the wrong person goes to the right one, with all that hangs there.

A move holds from its recorded time on: what was said before goes over as it stands, what is said later of the same identifier, account
or visit under the former person follows it. The former person keeps each stay that went, entered in error, so that its transition is void
and whoever was asked to act is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gateway.records.course import Stay
from gateway.records.order import OrderKey, Said
from gateway.records.people import Person
from gateway.records.statements import Statement
from gateway.records.stays import fold_stays


class Mover:
    """Files statements with people, and carries them over. `where` is the fold's own map of identifiers to people."""

    def __init__(self, where: dict[str, Person]) -> None:
        self._where = where
        self._gone: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {}  # a stay's number -> (former person's keys, the right person's)

    def put(self, person: Person, said: Said) -> None:
        """One statement with the person it names; with another, where the stay that it is about was moved there."""
        if self._gone:
            for number in _numbers(said.statement):
                former, now = self._gone.get(number, (frozenset[str](), ()))
                if former.intersection(said.statement.person) and (right := self._where.get(now[0])) is not None and right is not person:
                    right.said.append(said._replace(statement=replace(said.statement, person=now)))
                    return
        person.said.append(said)

    def move(self, to: Person, said: Said) -> None:
        """Carry out one move: `facts["identifiers"]` of a person, or `facts["stays"]` (visit and account numbers) of one named by `retires`."""
        statement = said.statement
        identifiers = frozenset(statement.facts.get("identifiers") or ())
        if identifiers:
            self._move_identifiers(to, identifiers, said)
        else:
            self._move_stays(to, frozenset(statement.facts.get("stays") or ()), said)

    def _move_identifiers(self, to: Person, identifiers: frozenset[str], said: Said) -> None:
        for former in {id(self._where[key]): self._where[key] for key in sorted(identifiers) if key in self._where}.values():
            if former is to:
                continue
            for key in identifiers:
                former.keys.pop(key, None)
                former.retired.pop(key, None)
                if key in former.demographics:
                    to.demographics[key] = former.demographics.pop(key)
            former.emptied = True
            named = tuple(dict.fromkeys((*said.statement.person, *sorted(identifiers))))
            _carry([one for one in former.said if identifiers.intersection(one.statement.person)], former, to, named, said)
        for key in identifiers:
            to.keys[key] = None
            self._where[key] = to
        to.merged = True  # a later message that ties the two together again is no ordinary one

    def _move_stays(self, to: Person, numbers: frozenset[str], said: Said) -> None:
        named = said.statement.person
        former = next((self._where[key] for key in said.statement.retires if self._where.get(key, to) is not to), None)
        going = set(numbers)
        if former is not None:
            stays = [stay for stay in fold_stays(sorted(former.said, key=_order)) if not numbers.isdisjoint(stay.aliases | stay.accounts)]
            for stay in stays:
                going |= stay.aliases
            told = {one.key for stay in stays for one in stay.said}
            _carry([one for one in former.said if one.key in told or not going.isdisjoint(_numbers(one.statement))], former, to, named, said)
        for number in going:
            before = self._gone.get(number, (frozenset[str](), ()))[0]
            self._gone[number] = ((before | {*said.statement.retires}) - {*named}, named)


def _order(said: Said) -> OrderKey:
    return said.key


def _numbers(statement: Statement) -> tuple[str, ...]:
    """The visit and account numbers of the stay that a statement is about, or belongs to."""
    if statement.kind == "stay":
        return statement.keys
    stay = statement.facts.get("stay_key")
    return (str(stay),) if stay else ()


def _carry(going: list[Said], former: Person, to: Person, named: tuple[str, ...], move: Said) -> None:
    """Statements from one person to another, under the right person's identifiers; whole stays among them stay behind, entered in error."""
    keys = {one.key for one in going}
    numbers: set[str] = set()
    for stay in fold_stays(sorted(former.said, key=_order)):
        if all(one.key in keys for one in stay.said if one.statement.kind == "stay"):
            numbers |= stay.aliases | stay.accounts
            former.left[stay.key] = _left(stay, move)
    joins = [one for one in former.said if one.statement.kind == "merge" and not numbers.isdisjoint(_joined(one.statement))]
    former.said = [one for one in former.said if one.key not in keys]
    to.said.extend(one._replace(statement=_renamed(one.statement, named, former)) for one in (*going, *joins))


def _joined(statement: Statement) -> Iterable[str]:
    """The visit and account numbers that a join or renumbering makes one."""
    return (number for pair in statement.facts.get("stays") or () for number in pair)


def _left(stay: Stay, move: Said) -> Stay:
    stay.state, stay.error_recorded, stay.left = "entered-in-error", move.recorded, True
    stay.said = [*stay.said, move]
    return stay


def _renamed(statement: Statement, person: tuple[str, ...], former: Person) -> Statement:
    """The statement as one about the right person: without the identifiers that the former one keeps."""
    own = statement.own
    if statement.kind == "person" and own and "identifier" in own:
        kept = [one for one in own["identifier"] if f"{one.get('system', '')}|{one.get('value', '')}" not in former.keys]
        own = {**own, "identifier": kept}
    keys = person if statement.kind == "person" else statement.keys
    return replace(statement, person=person, own=own, keys=keys)
