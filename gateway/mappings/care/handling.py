"""How carefully a derived record must be handled: labelled by its words and by its stay, with the notice that the stay was disclosed with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.privacy import labels, notice
from gateway.records.record import StayRecord
from gateway.records.statements import Json

NO_WORDS = frozenset(
    (
        *("id", "resourceType", "meta", "status", "lifecycleStatus", "intent", "priority", "category", "businessStatus", "identifier"),
        *("subject", "for", "encounter", "focus", "requester", "author", "careTeam", "addresses", "goal", "basedOn", "activity", "reasonReference"),
        *("authoredOn", "created", "period", "executionPeriod", "occurrencePeriod", "restriction", "startDate", "target", "managingOrganization"),
    )
)
"""Elements in which a derived record holds references, times and codes of our own, and nothing that a message said."""


class Handling(NamedTuple):
    """What a stay asks of whatever is derived from it."""

    confidentiality: str | None  # v3-Confidentiality of the stay
    attested: bool  # its source attests that its substance-use content is not Part 2
    part2: bool
    consents: tuple[str, ...] | None  # disclosed under these Consents, with the notice; None: not so


def of_stay(stay: StayRecord) -> Handling:
    """A derived record is as confidential as the stay it is derived from, and carries the notice that the stay was disclosed with."""
    codes = labels.labels_of(stay.encounter)
    level = next((code for code in ("V", "R") if code in codes), stay.facts.get("confidentiality"))
    consents = notice.consents_of(stay.encounter) if notice.MARK in codes else None
    return Handling(level, stay.facts.get("sud_attested", False), stay.part2 or stay.facts.get("part2", False), consents)


def with_notice_of(handling: Handling, told: Iterable[Json]) -> Handling:
    """The same for a record that repeats what others' records tell: the notice that one of them came with is its own too."""
    marked = [one for one in told if notice.MARK in labels.labels_of(one)]
    consents = sorted({*(handling.consents or ()), *(consent for one in marked for consent in notice.consents_of(one))})
    return handling._replace(consents=tuple(consents)) if marked else handling


def labelled(handling: Handling, resource: Json, known: frozenset[str] = frozenset(), narrated: Sequence[str] = ()) -> Json:
    """The record with its labels. `known`: sensitivities of what it was made from, beside those that its own words show.

    `narrated`: what its narrative and description were written from, where those only repeat; it is read in their stead, because short texts recur.
    """
    words = {key: value for key, value in resource.items() if key not in NO_WORDS and not (narrated and key in ("text", "description"))}
    said = labels.label(
        {"words": words, "narrated": narrated}, part2=handling.part2, sud_attested=handling.attested, confidentiality=handling.confidentiality
    )
    result = {**resource, "meta": said["meta"]}
    return _noticed(handling, labels.with_labels(result, known) if known else result)


def alike(handling: Handling, origin: Json, target: Json) -> Json:
    """A Provenance is as confidential as what it tells of."""
    security = [coding for coding in target["meta"]["security"] if coding["code"] != notice.MARK]
    return _noticed(handling, {**origin, "meta": {"security": security}})


def protected(handling: Handling, is_protected: bool) -> frozenset[str]:
    """What a service that the policy calls protected is labelled as, whatever its words."""
    if not is_protected:
        return frozenset()
    return frozenset({"SUD"}) if handling.attested and not handling.part2 else frozenset({"SUD", "42CFRPart2"})


def _noticed(handling: Handling, resource: Json) -> Json:
    return resource if handling.consents is None else notice.marked(resource, handling.consents)
