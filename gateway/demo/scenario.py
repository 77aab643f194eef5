"""Scenarios: what happens to one client in the simulated county, read from a file that a clinician could read.

A file (`scenarios/*.toml`) holds a title, the story in plain words, who it is about, the steps, and what must be true at the end:

    title = "Nothing booked"
    story = "…"
    [client]
    name = "…"
    birth_date = 1961-04-12
    mrn = "SM40012"
    [[step]]
    at = "day 3 09:30"                 # local to whoever acts; day 14 is today
    who = "st-mary"                    # a hospital of the county, one of its agencies, or the coordinator
    what = "…"                         # plain words
    sends = '''…'''                    # a hospital: one HL7 v2 message, a segment a line
    does = "books"                     # an agency or the coordinator: one of ACTIONS, with its own keys
    [[expect]]                         # the transition that the fortnight ends with, one for each stay that has one
    mrn = "SM40012"
    status = "open"

Times inside a message are placeholders, because the fortnight ends now: `{now}` is the step's own time, `{day 3 09:30}` a day of the fortnight,
`{day+2 10:00}` a day counted from the step's. Without an hour it is a date. A second word says how the sender writes times: `{now minutes}`
leaves the seconds out, `{now zone}` adds the offset from UTC. A file says relative times only; `materialize` makes moments of them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from importlib import resources
from typing import Any, get_args
from zoneinfo import ZoneInfo

from gateway.demo.county import COUNTY_ZONE
from gateway.errors import Invalid
from transitions.model import ClosedAs, FlagCode, FollowUpState, Queue, Status, Tier

TODAY = 14
"""The fortnight's last day."""

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "accepts": (),
    "declines": ("reason",),
    "books": ("appointment",),
    "records a no-show": (),
    "records the visit": (),
    "cancels the appointment": (),
    "calls": ("reached",),
    "records consent": ("to",),
}
"""What an agency or the coordinator can do over HTTP, and the keys that each of them needs."""

_MOMENT = re.compile(r"day (?P<day>-?\d{1,3})(?: (?P<hour>\d\d):(?P<minute>\d\d))?")
_PLACEHOLDER = re.compile(r"\{(?:now|day ?(?P<day>[+-]?\d{1,3})(?: (?P<hour>\d\d):(?P<minute>\d\d))?)(?P<style> minutes| zone)?\}")


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the scenario is about, as the first hospital knows them."""

    name: str
    birth_date: date
    mrn: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that somebody does. `sends` is the message's text with its placeholders; `does` one of ACTIONS with its `details`."""

    day: int
    time_of_day: time
    who: str
    what: str
    sends: str = ""
    answer: str = "AA"  # the acknowledgement that the hospital must get
    does: str = ""
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must be true of a stay's transition at the end, written by hand. `hospital` is a feed's name; None says nothing."""

    mrn: str
    hospital: str
    tracked: bool = True
    status: Status | None = None
    follow_up: FollowUpState | None = None
    flags: frozenset[FlagCode] | None = None
    tier: Tier | None = None
    queue: Queue | None = None
    agency: str | None = None
    closed_as: ClosedAs | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One file. `name` is the file's name without its ending; `client` is None where a message is so broken that it names nobody."""

    name: str
    title: str
    story: str
    client: Person | None
    steps: tuple[Step, ...]
    expectations: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """A step at its moment, ready to be played: `message` is the HL7 text with real times, segments ended by CR."""

    at: datetime
    scenario: Scenario
    step: Step
    message: str = ""
    appointment: datetime | None = None


def scenarios() -> list[Scenario]:
    """All scenarios of the county, in the order of their names."""
    folder = resources.files("gateway.demo") / "scenarios"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    return [read(entry.name, entry.read_text("utf-8")) for entry in files]


def read(file_name: str, text: str) -> Scenario:
    """A scenario file's text as a value. Raises `Invalid`, which names the file, the place and the reason."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"This is not TOML: {error}", location=file_name) from None
    _only(table, {"title", "story", "client", "step", "expect"}, file_name)
    client = _person(table["client"], f"{file_name} [client]") if "client" in table else None
    return Scenario(
        name=file_name.removesuffix(".toml"),
        title=_text(table, "title", file_name),
        story=" ".join(_text(table, "story", file_name).split()),
        client=client,
        steps=tuple(_step(step, f"{file_name} [[step]] {number}") for number, step in enumerate(table.get("step", []), 1)),
        expectations=tuple(_expectation(entry, f"{file_name} [[expect]] {number}") for number, entry in enumerate(table.get("expect", []), 1)),
    )


def materialize(scenarios: Iterable[Scenario], zones: Mapping[str, str], end: datetime) -> list[Moment]:
    """Every step of every scenario at its moment, in the order of time; steps of one moment keep their order.

    `zones` gives each actor's IANA time zone; `end` is the moment at which the fortnight ends (aware), and the county's date then is day 14 for
    everybody. Raises `Invalid` where a step's actor is
    unknown or its moment lies after `end`.
    """
    today = end.astimezone(ZoneInfo(COUNTY_ZONE)).date()
    moments = [_moment(scenario, step, zones, today) for scenario in scenarios for step in scenario.steps]
    for moment in moments:
        if moment.at > end:
            raise Invalid("A step lies after the fortnight's end", location=_place(moment.scenario, moment.step))
    return sorted(moments, key=lambda moment: moment.at.timestamp())


def fill(text: str, at: datetime, today: date) -> str:
    """A message's text with its placeholders replaced by HL7 times in the zone of `at`, and its lines ended by CR."""

    def replace(match: re.Match[str]) -> str:
        style = (match["style"] or "").strip()
        if match["day"] is None:
            return _hl7(at, style)
        relative = match["day"][0] in "+-" and not match[0].startswith("{day ")
        day = at.date() + timedelta(days=int(match["day"])) if relative else _date(int(match["day"]), today)
        if match["hour"] is None:
            return day.strftime("%Y%m%d")
        return _hl7(datetime.combine(day, time(int(match["hour"]), int(match["minute"])), at.tzinfo), style)

    return "\r".join(_PLACEHOLDER.sub(replace, line) for line in text.strip("\n").split("\n")) + "\r"


def _moment(scenario: Scenario, step: Step, zones: Mapping[str, str], today: date) -> Moment:
    if step.who not in zones:
        raise Invalid(f'The county knows no "{step.who}"', location=_place(scenario, step), advice=f"It knows {', '.join(sorted(zones))}.")
    zone = ZoneInfo(zones[step.who])
    at = datetime.combine(_date(step.day, today), step.time_of_day, zone)
    appointment = None
    if step.details and "appointment" in step.details:
        day, moment_of_day = _relative(step.details["appointment"], _place(scenario, step))
        appointment = datetime.combine(_date(day, today), moment_of_day, zone)
    return Moment(at, scenario, step, fill(step.sends, at, today) if step.sends else "", appointment)


def _place(scenario: Scenario, step: Step) -> str:
    return f"{scenario.name}.toml, day {step.day} {step.time_of_day:%H:%M}"


def _date(day: int, today: date) -> date:
    return today + timedelta(days=day - TODAY)


def _hl7(moment: datetime, style: str) -> str:
    if style == "minutes":
        return moment.strftime("%Y%m%d%H%M")
    return moment.strftime("%Y%m%d%H%M%S%z" if style == "zone" else "%Y%m%d%H%M%S")


def _person(table: Mapping[str, Any], place: str) -> Person:
    _only(table, {"name", "birth_date", "mrn"}, place)
    born = table.get("birth_date")
    if not isinstance(born, date) or isinstance(born, datetime):
        raise Invalid("A birth date is needed, written 1961-04-12", location=place)
    return Person(_text(table, "name", place), born, _text(table, "mrn", place))


def _step(table: Mapping[str, Any], place: str) -> Step:
    day, moment_of_day = _relative(_text(table, "at", place), place)
    common = {"at", "who", "what"}
    who, what = _text(table, "who", place), _text(table, "what", place)
    if "sends" in table:
        _only(table, common | {"sends", "answer"}, place)
        sends = _text(table, "sends", place)
        for left in re.findall(r"\{[^}\n]*\}", _PLACEHOLDER.sub("", sends)):
            raise Invalid(f"{left} is not a time that can be filled in", location=place)
        return Step(day, moment_of_day, who, what, sends=sends, answer=str(table.get("answer", "AA")))
    does = _text(table, "does", place)
    if does not in ACTIONS:
        raise Invalid(f'Nobody can do "{does}"', location=place, advice=f"Known are: {', '.join(ACTIONS)}.")
    needed = ACTIONS[does]
    for key in needed:
        if key not in table:
            raise Invalid(f'"{does}" needs the key {key}', location=place)
    _only(table, common | {"does", "mrn", *needed}, place)
    return Step(day, moment_of_day, who, what, does=does, details={key: table[key] for key in ("mrn", *needed) if key in table})


def _expectation(table: Mapping[str, Any], place: str) -> Expectation:
    _only(table, set(Expectation.__slots__), place)
    words: Mapping[str, Sequence[str]] = {
        "status": get_args(Status),
        "follow_up": get_args(FollowUpState),
        "tier": get_args(Tier),
        "queue": get_args(Queue),
        "closed_as": get_args(ClosedAs),
    }
    for key, known in words.items():
        if key in table and table[key] not in known:
            raise Invalid(f'{key} cannot be "{table[key]}"', location=place, advice=f"It is one of {', '.join(known)}.")
    flags = table.get("flags")
    for code in flags or []:
        if code not in get_args(FlagCode):
            raise Invalid(f'There is no flag "{code}"', location=place)
    rest = {key: value for key, value in table.items() if key not in {"mrn", "hospital", "flags"}}
    return Expectation(_text(table, "mrn", place), _text(table, "hospital", place), flags=None if flags is None else frozenset(flags), **rest)


def _relative(text: Any, place: str) -> tuple[int, time]:
    match = _MOMENT.fullmatch(str(text))
    if match is None or match["hour"] is None:
        raise Invalid(f'"{text}" is not a moment of the fortnight', location=place, advice='Write it as "day 3 09:30".')
    return int(match["day"]), time(int(match["hour"]), int(match["minute"]))


def _text(table: Mapping[str, Any], key: str, place: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise Invalid(f"The key {key} is needed, and is text", location=place)
    return value


def _only(table: Mapping[str, Any], known: set[str], place: str) -> None:
    for key in table:
        if key not in known:
            raise Invalid(f"The key {key} is not known here", location=place, advice=f"Known are: {', '.join(sorted(known))}.")
