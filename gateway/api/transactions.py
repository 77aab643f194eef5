"""A client's transaction: all of its entries, or none. http://hl7.org/fhir/R4/http.html#transaction

Everything is looked at first: reads are made once before anything is written, because a read that fails fails the whole. Then all writes are aimed
and prepared against one look at the store, deletions first, and taken together. What is read is read again afterwards.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from fastapi import HTTPException

from gateway.api.access import View, view
from gateway.api.answers import Answer
from gateway.api.auditing import disclosed
from gateway.api.conditional import names_a_version, only_match
from gateway.api.entries import alone, interaction_of, within
from gateway.api.preparing import Aim, Beside, Prepared, Write, aim, asked, prepare
from gateway.api.requests import Call, parameters
from gateway.api.selections import Budget
from gateway.api.services import Services
from gateway.api.writing import ATTEMPTS, answer_to, submit
from gateway.errors import Conflict, GatewayError, Invalid, TooLarge, Unsupported
from gateway.fhir import elements
from gateway.smart.access import Caller

Json = dict[str, Any]
Interact = Callable[[Services, Caller, Call], Awaitable[Answer]]

_ORDER = ("DELETE", "POST", "PUT", "PATCH")


class Entry(NamedTuple):
    """One entry: its place in the Bundle, what it asks for, and by which address others name what it holds."""

    number: int
    call: Call
    url: str = ""


async def transaction(services: Services, caller: Caller, outer: Call, given: Sequence[Json], interact: Interact) -> list[Answer]:
    """The answers to all entries, in their order. Raises the failure of the first that fails; then nothing of any was done."""
    entries = [_entry(services, outer, number, each) for number, each in enumerate(given)]
    writes = [one for method in _ORDER for one in entries if one.call.method == method and not one.call.path[-1].startswith("$")]
    reads = [one for one in entries if one not in writes]
    answers: dict[int, Answer] = {}
    for one in reads:
        answers[one.number] = await _read(services, caller, one, interact)
    if writes:
        answers.update(await _written(services, caller, writes))
        for one in reads:
            answers[one.number] = await _again(services, caller, one, interact)
    return [disclosed(services, caller, one.call, answers[one.number]) for one in entries]


def _entry(services: Services, outer: Call, number: int, given: Json) -> Entry:
    try:
        return Entry(number, interaction_of(services, given, outer), str(given.get("fullUrl") or ""))
    except GatewayError as error:
        raise within(error, number) from None


async def _read(services: Services, caller: Caller, entry: Entry, interact: Interact) -> Answer:
    try:
        return await interact(services, caller, entry.call)
    except GatewayError as error:
        raise within(error, entry.number, entry.call.path[0]) from None
    except HTTPException:
        raise _no_interaction(entry) from None


async def _again(services: Services, caller: Caller, entry: Entry, interact: Interact) -> Answer:
    """What is read when all is written; a failure is the entry's alone by now."""
    return await alone(partial(interact, services, caller, entry.call))


def _no_interaction(entry: Entry) -> Unsupported:
    return Unsupported("There is no such interaction", location=f"Bundle.entry[{entry.number}].request")


# --- writes -----------------------------------------------------------------------------------------------------------


async def _written(services: Services, caller: Caller, entries: Sequence[Entry]) -> dict[int, Answer]:
    """The answers to the writes, by their entries' numbers, once all are committed."""
    wanted = {one.number: _asked(caller, one) for one in entries}
    for attempt in range(1, ATTEMPTS + 1):
        aims, prepared = await asyncio.to_thread(_plan, services, caller, entries, wanted, again=attempt > 1)
        try:
            await submit(services, list(prepared.values()))
        except Conflict:
            if attempt == ATTEMPTS or any(names_a_version(one.call) for one in entries):
                raise
            continue
        break
    return {one.number: answer_to(services, caller, one.call, aims[one.number], prepared.get(one.number)) for one in entries}


def _asked(caller: Caller, entry: Entry) -> Write:
    try:
        return asked(caller, entry.call)
    except GatewayError as error:
        raise within(error, entry.number, entry.call.path[0]) from None
    except HTTPException:
        raise _no_interaction(entry) from None


def _plan(
    services: Services, caller: Caller, entries: Sequence[Entry], wanted: Mapping[int, Write], again: bool
) -> tuple[dict[int, Aim], dict[int, Prepared]]:
    """What each write is aimed at, and those that there is something to do for, as the journey takes them. On a thread of its own: conditions are
    searches, which may take long."""
    with view(services.store, caller.recipient) as look:
        return _planned(services, caller, look, entries, wanted, again)


def _planned(
    services: Services, caller: Caller, look: View, entries: Sequence[Entry], wanted: Mapping[int, Write], again: bool
) -> tuple[dict[int, Aim], dict[int, Prepared]]:
    aims, prepared, found = {}, {}, dict[str, str]()
    budget = Budget(services.limits.scan)
    for one in entries:
        try:
            _find(services, caller, look, wanted[one.number].body, found, budget)
            aims[one.number] = aim(services, caller, look, wanted[one.number], again, budget)
        except GatewayError as error:
            raise within(error, one.number, one.call.path[0]) from None
    beside = _beside(entries, wanted, aims, found)
    for one in entries:
        if aims[one.number].stands:
            continue
        try:
            prepared[one.number] = prepare(services, caller, look, wanted[one.number], aims[one.number], beside)
        except GatewayError as error:
            raise within(error, one.number, one.call.path[0]) from None
    return aims, prepared


def _find(services: Services, caller: Caller, look: View, body: Json, names: dict[str, str], budget: Budget) -> None:
    """Add what the conditional references of a body name. One that finds nothing, or several, fails the transaction; and so do more of them than a
    Bundle may have entries, for each is a search."""
    for place, reference in elements.references(body):
        literal = str(reference["reference"]).removeprefix(f"{services.fhir_url}/")
        type, mark, query = literal.partition("?")
        if not mark or "/" in type or type.startswith("#") or reference["reference"] in names:
            continue
        if len(names) >= services.limits.batch:
            raise TooLarge("The Bundle has too many conditional references", location=f"{place}.reference", advice="Send several Bundles.")
        one = only_match(services, caller, look, type, parameters(query), f"{place}.reference", budget)
        if one is None:
            raise Conflict("Nothing answers this conditional reference", location=f"{place}.reference")
        names[reference["reference"]] = f"{type}/{one.resource['id']}"


def _beside(entries: Sequence[Entry], wanted: Mapping[int, Write], aims: Mapping[int, Aim], found: Mapping[str, str]) -> Beside:
    """What the writes are to each other. Raises Invalid where two are about one resource, or go by one address."""
    ids = {one.number: f"{wanted[one.number].type}/{aims[one.number].id}" for one in entries}
    addresses = {one.number: one.url for one in entries if one.url and one.call.method != "DELETE"}
    for table, text in ((ids, "Two entries are about the same resource"), (addresses, "Two entries have the same fullUrl")):
        often = Counter(table.values())
        for number in sorted(table):
            if often[table[number]] > 1:
                raise Invalid(text, location=f"Bundle.entry[{number}]")
    return Beside(
        made={ids[one.number] for one in entries if aims[one.number].current is None},
        deleted={ids[one.number] for one in entries if one.call.method == "DELETE"},
        names={**found, **{url: ids[number] for number, url in addresses.items()}},
    )
