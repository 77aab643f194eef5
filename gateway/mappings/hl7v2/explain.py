"""Field accounting: what became of every populated value of a message.

By experiment: the message is translated again with one value changed, and the elements of the Bundle that change with it are where the value
went. So `explain` knows of no map; whatever the maps do, it tells, and translation carries nothing for its sake. What a value is
changed into matters: first something of its own shape (another digit, a longer word), then other codes of the tables that know it, last nothing
at all. The first change that shows decides.

    mapped    elements of the Bundle depend on it; or, where none does, a fact by which stays are assessed, or the message's heading
    ignored   a rule that has a name says that it is of no account
    kept      nothing depends on it: it stands in the message as it was received, which the inbox keeps and every Provenance names
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

from gateway.er7.reader import Message
from gateway.errors import GatewayError
from gateway.mappings import tables
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2 import events
from gateway.mappings.hl7v2.bundle import bundle
from gateway.mappings.hl7v2.differences import Said, differences
from gateway.mappings.hl7v2.populated import Place, Populated, exchanged, populated
from gateway.mappings.hl7v2.translate import translate
from gateway.records.statements import Identify, Translation

Fate = Literal["mapped", "kept", "ignored"]
_MANY = 16
"""From more values of one kind on, they are looked at together: one by one, time would grow with the square of the message."""
SET_IDS = frozenset(
    (
        *("PID", "NK1", "PV1", "DG1", "PR1", "AL1", "IAM", "GT1", "IN1", "IN3", "OBX", "OBR", "NTE", "TXA"),
        *("RGS", "AIS", "AIG", "AIL", "AIP", "TQ1", "DB1", "ACC", "UB1", "UB2", "ARV", "CON"),
    )
)
"""Segments whose first field merely numbers them."""
_OF_TIME_SLOTS = frozenset(event.name for event in events.EVENTS.values() if event.subject == "slot")
"""S23 and S24 block and open time on the schedule of a doctor, room or service (HL7 v2.9, 10.4.12 and 10.4.13): that is nobody's appointment."""
_NO_CLASS = ("C", "N", "U")
"""Commercial account, not applicable, unknown (table 0004): they say of what class a visit is not, and what was said of it before stands."""
_SCHEDULE = frozenset(("SCH", "TQ1", "NTE", "RGS", "AIS", "AIG", "AIL", "AIP"))
_OTHERS = {
    **dict.fromkeys(("ST", "TX", "FT", "SN", "IS", "ID"), "CWE"),  # OBX-2
    **dict.fromkeys(("CWE", "CE", "ED", "RP"), "TX"),
    **dict.fromkeys(("A", "U", "X"), "D"),  # action codes
    **dict.fromkeys(("AD", "CO", "UP"), "DE"),
    "Y": "N",
    "N": "Y",
}
"""Codes that no table of ours has, and others that mean something else."""


class Explained(NamedTuple):
    """One value and its fate."""

    path: str
    value: str
    fate: Fate
    targets: tuple[str, ...] = ()
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """One message's values, all of them, in order. `error` says why a message that was not translated was refused: all of it is kept."""

    control_id: str
    event: str
    fields: tuple[Explained, ...]
    error: str = ""

    def fates(self) -> dict[str, int]:
        """How many values met each fate."""
        return {fate: sum(one.fate == fate for one in self.fields) for fate in ("mapped", "kept", "ignored")}

    def json(self) -> dict[str, Any]:
        """The account as `explain --json` prints it."""
        fields = [
            {"path": one.path, "value": one.value, "fate": one.fate, "targets": list(one.targets), "rule": one.rule or None} for one in self.fields
        ]
        found = {"control_id": self.control_id, "event": self.event, "values": len(self.fields), "fates": self.fates(), "fields": fields}
        return found | {"error": self.error} if self.error else found


def explain(message: Message, profile: FeedProfile, received: int, identify: Identify) -> Account:
    """The account of one message. Never raises: of a message that is refused, everything is kept by the rule "quarantined"."""
    event = f"{message.type}^{message.trigger}"
    values = list(populated(message))
    try:
        experiment = _Experiment(message, profile, received, identify)
    except GatewayError as error:
        return Account(message.control_id, event, tuple(Explained(one.path, one.value, "kept", rule="quarantined") for one in values), str(error))
    told: dict[Place, tuple[str, ...]] = {}
    for column in _columns(message, values):
        told |= experiment.together(column)
    fields = tuple(_explained(experiment, message, one, told.get(one.place)) for one in values)
    return Account(message.control_id, experiment.event, fields)


def _columns(message: Message, values: list[Populated]) -> list[list[Populated]]:
    """The values that stand in the same field and component of many segments of one name: a laboratory's results, and the like."""
    found: dict[tuple[str, int, int, int], list[Populated]] = {}
    for one in values:
        _, field, _, component, subcomponent = one.place
        found.setdefault((message.segments[one.place.position].name, field, component, subcomponent), []).append(one)
    return [column for column in found.values() if len(column) > _MANY]


def _explained(experiment: _Experiment, message: Message, one: Populated, told: tuple[str, ...] | None) -> Explained:
    targets, decisive = (told, False) if told is not None else experiment.targets(one)
    if targets:
        return Explained(one.path, one.value, "mapped", targets)
    rule = "rules-out" if decisive else _rule(experiment, message, one)
    return Explained(one.path, one.value, "ignored" if rule else "kept", rule=rule)


def _rule(experiment: _Experiment, message: Message, one: Populated) -> str:
    """The rule by which a value that leads nowhere is of no account; "" where there is none."""
    segment = message.segments[one.place.position]
    if f"{segment.name}-{one.place.field}" in experiment.profile.ignore:
        return "feed-profile"
    if one.place.field == 1 and segment.name in SET_IDS:
        return "set-id"
    if one.place.field == 1 and segment.name == "EVN":
        return "event-repeated"
    if segment.name == "PV1" and one.place.field == 2 and one.value.upper() in _NO_CLASS:
        return "no-class"
    if experiment.event in _OF_TIME_SLOTS and segment.name in _SCHEDULE:
        return "no-appointment"
    return ""


class _Experiment:
    """One message's translation, and how it changes."""

    def __init__(self, message: Message, profile: FeedProfile, received: int, identify: Identify) -> None:
        self.message = message
        self.profile = profile
        self.received = received
        self.identify = identify
        translation = translate(message, profile, received, identify)
        self.event = translation.heading.event
        self.said = self._said(translation)

    def _said(self, translation: Translation) -> Said:
        return Said.of(translation, bundle(translation, self.identify))

    def targets(self, one: Populated) -> tuple[tuple[str, ...], bool]:
        """(where the value went, whether it decides that something is not said at all)."""
        decisive = False
        weak: tuple[str, ...] = ()
        for other in _others(one, self.message):
            try:
                said = self._said(translate(exchanged(self.message, one.place, other), self.profile, self.received, self.identify))
            except GatewayError:
                weak = weak or ("Bundle",)
                continue
            found = differences(self.said, said, {one.value})
            if found.elements:
                return found.elements, False
            weak = found.beside or weak
            decisive = decisive or found.added
        return weak, decisive

    def together(self, column: list[Populated]) -> dict[Place, tuple[str, ...]]:
        """Where many values of one kind went, in few translations; a value about which that says nothing is left out.

        If changing all of them at once changes nothing, none of them led anywhere. Else each value has a number, and for each of its binary digits
        those that have a 1 there are changed, and then those that have a 0: an element that changed in just one of each two is spelled by
        its changes the number of the value that it depends on.
        """
        others = [list(_others(one, self.message)) for one in column]
        tries = [
            [(one, several[at]) for one, several in zip(column, others, strict=True) if at < len(several)] for at in range(max(map(len, others)))
        ]
        if all(self._changed(changes) == (set(), False) for changes in tries):
            return {one.place: () for one in column}
        spelled: dict[str, int] = {}
        for digit in range((len(column) - 1).bit_length()):
            zeros, ones = (self._changed([each for at, each in enumerate(tries[0]) if at >> digit & 1 == bit])[0] for bit in (0, 1))
            before = spelled if digit else dict.fromkeys(zeros | ones, 0)
            spelled = {path: number | (path in ones) << digit for path, number in before.items() if (path in zeros) != (path in ones)}
        found: dict[Place, tuple[str, ...]] = {}
        for path, number in spelled.items():
            if number < len(column):
                place = column[number].place
                found[place] = (*found.get(place, ()), path)
        return {place: tuple(sorted(paths)) for place, paths in found.items()}

    def _changed(self, changes: list[tuple[Populated, str]]) -> tuple[set[str], bool]:
        """(elements that differ, whether anything else does) when all those values are changed at once."""
        message = self.message
        for one, other in changes:
            message = exchanged(message, one.place, other)
        try:
            found = differences(
                self.said, self._said(translate(message, self.profile, self.received, self.identify)), {one.value for one, _ in changes}
            )
        except GatewayError:
            return set(), True
        return set(found.elements), bool(found.beside or found.added)


def _others(one: Populated, message: Message) -> Iterator[str]:
    """What a value is changed into, one after another, until something shows."""
    value = one.value
    if value[-1] in "0123456789" and not any(character.isalpha() for character in value):
        yield value[:-1] + str((int(value[-1]) + 1) % 10)
    else:
        yield f"{value}Zq"
    yield from _codes(value.upper())
    if message.segments[one.place.position] is message.header and one.place.field == 9:
        yield from (code for kind, code in events.EVENTS if kind == message.type and one.place.component == 2)
    yield ""


@cache
def _codes(value: str) -> tuple[str, ...]:
    """Of every table that knows the code, another that means something else."""
    found = dict.fromkeys([_OTHERS[value]] if value in _OTHERS else [])
    for name in tables.names():
        meanings = tables.targets(name)
        if value in meanings:
            other = next((code for code, meaning in meanings.items() if meaning != meanings[value]), None)
            if other is not None:
                found[other] = None
    return tuple(found)
