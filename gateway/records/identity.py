"""Who is who: people as the connected sets of identifiers, in recorded order.

People are joined only by equal authority + identifier, by a merge or link message, or by a named user's decision. Everything here follows
from the statements alone, so the order of arrival cannot matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gateway.records import moves
from gateway.records.order import Said
from gateway.records.people import Person
from gateway.records.statements import Identify, Json

GATEWAY_PATIENT = "urn:gateway:id:Patient|"
"""Key of a person named by the Patient id that this gateway gave: what REST writes refer to."""


def people(said: list[Said], identify: Identify) -> list[Person]:
    """The people that the statements (sorted) speak of, each with its statements; a statement about several people goes to each."""
    where: dict[str, Person] = {}
    found: list[Person] = []
    mover = moves.Mover(where)
    for each in _standing(_resolved(said, identify)):
        statement = each.statement
        if not statement.person:
            continue
        person = _join(where, found, statement.person, each)
        effect = statement.facts.get("effect")
        if statement.kind != "merge":
            mover.put(person, each)
        elif effect == "move":
            mover.move(person, each)
        elif effect == "stays":
            person.said.append(each)
        else:
            person = _merge(where, found, person, statement.retires, each)
            if "stays" in statement.facts:
                person.said.append(each)
        if statement.kind == "person" and statement.own:
            _compare(person, statement.person, statement.own, each)
    for person in found:
        person.said.sort(key=lambda one: one.key)
    return [person for person in found if person.said or not person.emptied or person.left]


def _resolved(said: list[Said], identify: Identify) -> list[Said]:
    """The statements with Patient ids of ours replaced by the identifier they were made from."""
    if not any(key.startswith(GATEWAY_PATIENT) for each in said for key in each.statement.person):
        return said
    keys = dict.fromkeys(key for each in said for key in (*each.statement.person, *each.statement.retires))
    made = {GATEWAY_PATIENT + identify("Patient", key): key for key in keys}
    return [
        each._replace(statement=replace(each.statement, person=tuple(made.get(key, key) for key in each.statement.person)))
        if any(key in made for key in each.statement.person)
        else each
        for each in said
    ]


def _standing(said: list[Said]) -> list[Said]:
    """The statements without the merges and links that a later unlink (A37) of the same identifiers took back, and without the unlinks."""
    unlinks = [each for each in said if each.statement.facts.get("effect") == "unlink"]
    if not unlinks:
        return said

    def taken_back(each: Said) -> bool:
        pair = {*each.statement.keys}, {*each.statement.retires}
        return any(
            later.key > each.key and any({*later.statement.keys} & one and {*later.statement.retires} & other for one, other in (pair, pair[::-1]))
            for later in unlinks
        )

    return [each for each in said if each.statement.kind != "merge" or _stands(each, taken_back)]


def _stands(merge: Said, taken_back: Callable[[Said], bool]) -> bool:
    effect = merge.statement.facts.get("effect")
    return effect in ("move", "stays") or (effect != "unlink" and not taken_back(merge))


def _join(where: dict[str, Person], found: list[Person], keys: tuple[str, ...], said: Said) -> Person:
    """The person whom the keys name; several become one."""
    known = list({id(where[key]): where[key] for key in keys if key in where}.values())
    if not known:
        person = Person(primary=keys[0])
        found.append(person)
    else:
        person = known[0]
        for other in known[1:]:
            if (person.merged or other.merged or _disagree(person, other)) and person.said and other.said:
                person.doubt("one message carries identifiers that belonged to two people until then", said)
            _absorb(where, found, person, other)
    for key in keys:
        person.keys[key] = None
        where[key] = person
    return person


def _merge(where: dict[str, Person], found: list[Person], survivor: Person, retires: tuple[str, ...], said: Said) -> Person:
    """The survivor takes in whoever the retired keys name (MRG-1), whose Patient keeps a link."""
    for key in retires:
        other = where.get(key)
        if other is survivor:
            if key != survivor.primary:
                survivor.retired[key] = None
            continue
        if other is None:
            survivor.keys[key] = None
            survivor.retired[key] = None
            where[key] = survivor
            continue
        survivor.retired[other.primary] = None
        _absorb(where, found, survivor, other)
    survivor.merged = True
    survivor.retired.pop(survivor.primary, None)
    return survivor


def _absorb(where: dict[str, Person], found: list[Person], person: Person, other: Person) -> None:
    for key in other.keys:
        person.keys[key] = None
        where[key] = person
    if other.primary != person.primary:
        person.retired[other.primary] = None
    person.retired.update(other.retired)
    person.said.extend(other.said)
    person.merged = person.merged or other.merged
    person.demographics.update(other.demographics)
    if other.uncertain and (person.uncertain_since is None or (other.uncertain_since or 0) < person.uncertain_since):
        person.uncertain, person.uncertain_since = other.uncertain, other.uncertain_since
    person.uncertain_sources.extend(other.uncertain_sources)
    person.left.update(other.left)
    found.remove(other)


def _compare(person: Person, keys: tuple[str, ...], patient: Json, said: Said) -> None:
    """One identifier with differing birth date and family name is a sign of two people."""
    names = patient.get("name") or [{}]
    now = (str(patient.get("birthDate") or ""), str(names[0].get("family") or "").casefold())
    for key in keys:
        before = person.demographics.get(key)
        if before and all(before) and all(now) and before[0] != now[0] and before[1] != now[1] and key not in person.retired:
            person.doubt("one identifier was used with two birth dates and two family names", said)
            break
    if any(now):
        for key in keys:
            old = person.demographics.get(key, ("", ""))
            person.demographics[key] = (now[0] or old[0], now[1] or old[1])


def _disagree(person: Person, other: Person) -> bool:
    mine, theirs = _last(person), _last(other)
    return any(one and two and one != two for one, two in zip(mine, theirs, strict=True))


def _last(person: Person) -> tuple[str, str]:
    values = list(person.demographics.values())
    return values[-1] if values else ("", "")
