"""Files through the journey: read, divided, translated, committed and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gateway.adapters.files.reading import documents
from gateway.adapters.files.sending import Sent, groups, without
from gateway.errors import GatewayError
from gateway.mappings.fhir.translate import HELD
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.importing import imported, take_group, taken_before, translated
from gateway.pipeline.intake import reason
from gateway.pipeline.understanding import Understood, understand
from gateway.store.interface import Store


class Refusal(NamedTuple):
    """What was not taken: of which file, where in it, why, the types of its resources, and its number in the inbox (None: it is not there)."""

    file: Path
    place: str
    why: str
    types: Counter[str]
    input: int | None = None


@dataclass(slots=True)
class Tally:
    """What came of an import, in resources by their types; HL7 v2 counts messages."""

    read: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)  # taken before, and the same
    refused: list[Refusal] = field(default_factory=list)

    @property
    def kept(self) -> Counter[str]:
        """Of those that were taken or known, what becomes no record: it stands in the inbox alone."""
        return Counter({kind: number for kind, number in (self.taken + self.known).items() if kind not in HELD and kind != "message"})


def take_files(
    store: Store,
    configuration: Configuration,
    files: Sequence[Path],
    feed: str,
    clock: Callable[[], int],
    progress: Callable[[str, int], None] = lambda what, number: None,
) -> Tally:
    """Take all that files hold; one that cannot be read costs the others nothing. `clock` tells microseconds UTC.

    Raises Unavailable where the store fails; what was taken until then is known when it is begun again.
    """
    tally = Tally()
    for file in files:
        for group in _groups(file, feed, tally):
            _take(store, configuration, file, group, feed, clock(), tally)
            progress("resources read", tally.read.total())
    return tally


def _groups(file: Path, feed: str, tally: Tally) -> Iterator[list[Sent]]:
    """The groups of a file, up to where it cannot be read."""
    found = groups(documents(file), feed)
    while True:
        try:
            group = next(found)
        except StopIteration:
            return
        except GatewayError as error:
            tally.refused.append(Refusal(file, "", reason(error), Counter()))
            return
        yield group


def _take(store: Store, configuration: Configuration, file: Path, group: list[Sent], feed: str, now: int, tally: Tally) -> None:
    before = taken_before(store, [sent.received for sent in group], now)
    understood = [
        each
        for number, sent in enumerate(group)
        for each in ([(sent, understand(sent.received, now, configuration))] if number in before else _understood(sent, feed, now, configuration))
    ]
    outcomes = take_group(store, [(sent.received, said) for sent, said in understood], now, configuration)
    for (sent, _), outcome in zip(understood, outcomes, strict=True):
        tally.read += sent.types
        if outcome.state == "processed":
            tally.taken += sent.types
        elif outcome.state == "duplicate":
            tally.known += sent.types
        else:
            error = outcome.error
            place = ", ".join(part for part in (sent.place, error.location if error else "") if part)
            tally.refused.append(Refusal(file, place, reason(error) if error else "", sent.types, outcome.input))


def _understood(sent: Sent, feed: str, now: int, configuration: Configuration) -> list[tuple[Sent, Understood]]:
    """An input ready to be committed; of several lines, those that are refused cost the others nothing."""
    said = translated(sent.received, now, configuration)
    if said.error is None or not sent.lines:
        return [(sent, said)]
    alone = ((number, translated(imported("fhir-bundle", raw, feed), now, configuration)) for number, raw, _ in sent.lines)
    bad = frozenset(number for number, each in alone if each.error is not None)
    return [(each, translated(each.received, now, configuration)) for each in without(sent, bad, feed)]
