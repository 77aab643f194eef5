"""Plays the fortnight: every step of every scenario in the order of time, over the same wires that real partners use.

Hospitals send over MLLP, one connection each, with the sender of `gateway send`; agencies and the coordinator act over HTTP with tokens of their
own. Before each step the care clock is set to the step's time, so that every flag rises when it would.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import httpx

from gateway.demo.agencies import NotDone, Partner
from gateway.demo.county import County, Hospital
from gateway.demo.scenario import Moment, Scenario, materialize
from gateway.er7.acknowledgements import Acknowledgement
from gateway.er7.charsets import codec

SetClock = Callable[[datetime], Awaitable[None]]
"""Sets the care clock; returns when everything that has come due by then is done."""


class Line(Protocol):
    """An open MLLP connection: sends one message, returns the acknowledgement."""

    async def send(self, message: bytes) -> Acknowledgement: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step. `answer` is the acknowledgement code of a message, or the HTTP status; `text` its reason where there is one."""

    moment: Moment
    answer: str
    text: str = ""

    @property
    def as_told(self) -> bool:
        """Whether it came out as the scenario says."""
        step = self.moment.step
        return self.answer == step.answer if step.sends else self.answer.startswith("2")


Progress = Callable[[Outcome, int, int], None]
"""Told after each step: its outcome, its number from 1, and how many there are."""


@dataclass(slots=True)
class Cast:
    """Everybody who acts, connected."""

    lines: Mapping[str, Line]
    partners: Mapping[str, Partner]
    hospitals: Mapping[str, Hospital] = field(default_factory=dict)

    async def act(self, moment: Moment) -> Outcome:
        """One step."""
        step = moment.step
        if step.sends:
            hospital = self.hospitals[step.who]
            answer = await self.lines[step.who].send(encode(moment.message, hospital.charset))
            return Outcome(moment, answer.code, answer.text)
        details = step.details or {}
        client = moment.scenario.client
        try:
            response = await self.partners[step.who].do(
                step.does, str(details.get("mrn") or (client.mrn if client else "")), moment.at, details, moment.appointment
            )
        except NotDone as reason:
            return Outcome(moment, "failed", str(reason))
        return Outcome(moment, str(response.status_code))


async def play(
    county: County,
    scenarios: Iterable[Scenario],
    *,
    end: datetime,
    set_clock: SetClock,
    connect: Callable[[Hospital], Any],
    base_url: str,
    keys: Mapping[str, Mapping[str, Any]],
    progress: Progress | None = None,
) -> list[Outcome]:
    """Plays all steps up to `end`, leaves the care clock there, and returns what came of each.

    `connect(hospital)` is an async context manager that yields an open `Line`; `keys` are the private JWKs of the county's clients, by client id.
    """
    moments = materialize(scenarios, county.zones, end)
    outcomes: list[Outcome] = []
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=base_url, timeout=30, trust_env=False))
        lines = {name: await stack.enter_async_context(connect(hospital)) for name, hospital in county.hospitals.items()}
        partners = {client: Partner(client, key, http, f"{base_url}/oauth/token") for client, key in keys.items()}
        cast = Cast(lines, partners, county.hospitals)
        for number, moment in enumerate(moments, 1):
            await set_clock(moment.at)
            outcome = await cast.act(moment)
            outcomes.append(outcome)
            if progress:
                progress(outcome, number, len(moments))
        await set_clock(end)
        for partner in partners.values():
            await partner.poll()
    return outcomes


def encode(message: str, charset: str) -> bytes:
    """A message's bytes in the character set that its MSH-18 names, or else in its hospital's."""
    header = message.split("\r", 1)[0].split("|")
    said = header[17] if header[0] == "MSH" and len(header) > 17 else ""
    return message.encode(codec(said or charset))
