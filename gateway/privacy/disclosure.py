"""The disclosure filter: a person's record as one agency may have it.

What may not be disclosed does not exist for the recipient. The filter works on the record, before assessment and derivation, so that flags, tiers,
reasons, order and narratives computed from its result cannot reveal what it took out. Nothing is replaced by a mark.

Withheld from an agency without the client's consent: stays in 42 CFR Part 2 programs with all that belongs to them; substance-use content of other
stays, unless the source attests that it is not Part 2; the free text and documents of a stay from which anything had to be taken; names of Part 2
units, facilities and places, and the practitioners and locations that a Part 2 stay refers to. Always: psychotherapy and counselling notes, other
agencies' records, family members other than a guardian and those whom the client's consent names (contact with family is withheld by default).
Without a consent that names location information: the client's confidential address (`confidential`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from gateway.privacy import confidential, consent, extent, labels, notice, scrub, sensitivity, supports
from gateway.privacy.extent import resources_of
from gateway.privacy.scrub import Withheld
from gateway.privacy.unconsented import content_of, tells, without_protected
from gateway.records.record import Owned, PersonRecord, StayRecord
from gateway.records.statements import Json

__all__ = ["Disclosed", "decide", "disclose", "is_part2", "next_change", "resources_of", "withheld_from"]

PROTECTED = frozenset({"42CFRPart2", "SUD"})
PURPOSE = "TREAT"


@dataclass(frozen=True, slots=True)
class Disclosed:
    """A person's record as one agency may have it.

    `person` is what may be stored for and shown to the agency: only the stays that are routed to it. `basis` is what its view is assessed from:
    the same, with the unprotected facts of other stays and of other agencies' work, on which status and flags of its own transitions depend
    (a readmission elsewhere closes them). Nothing of `basis` that is not in `person` may be published.
    """

    person: PersonRecord
    basis: PersonRecord
    until: datetime | None  # when the answer may change by itself: a consent begins or ends
    by_consent: tuple[str, ...]  # the Consents that protected content in `person` was disclosed under


def disclose(
    person: PersonRecord, agency: str, stays: frozenset[str], as_of: datetime, private: frozenset[tuple[str, str]] = frozenset()
) -> Disclosed:
    """The record as `agency` (an Organization id) may have it; `stays` are the ids of the transitions that are routed to it.

    `private`: (system, value) of the identifiers that Part 2 programs alone have told. Their system says where the client is known.
    """
    decision = decide(person, agency, as_of)
    record = extent.never_notes(person)
    protected = frozenset(stay.id for stay in record.stays if is_part2(stay))
    if decision.permit:
        basis, under = _marked(record, decision.consents)
    else:
        basis, under = without_protected(extent.without_identifiers(record, private), protected), ()
    basis = confidential.withheld(basis, agency, as_of)
    family = supports.verdicts(person, as_of)
    basis = extent.without_family(basis, as_of, family)
    basis = replace(basis, patient=extent.patient(basis.patient), consents=extent.consents(basis.consents, under))
    basis = extent.without_others_sources(basis, agency)
    basis = extent.resolved(extent.cut_sources(basis, person, protected if not decision.permit else frozenset()))
    published = extent.resolved(extent.routed(replace(basis, patient=confidential.without_area(basis.patient)), agency, stays))
    return Disclosed(published, basis, decision.until, under if _holds_marked(published) else ())


def withheld_from(person: PersonRecord, stay: StayRecord, agencies: Iterable[str], as_of: datetime) -> frozenset[str]:
    """The agencies that may not know of a stay: for a Part 2 stay, every one that the client's consents do not name."""
    if not is_part2(stay):
        return frozenset()
    return frozenset(agency for agency in agencies if not decide(person, agency, as_of).permit)


def next_change(person: PersonRecord, as_of: datetime) -> datetime | None:
    """The next moment at which any of the person's consents begins or ends: until then, who may know of what stands."""
    active = (owned.resource for owned in person.consents if owned.resource.get("status") == "active")
    return min((moment for one in active for moment in consent.boundaries(one) if moment > as_of), default=None)


def decide(person: PersonRecord, agency: str, as_of: datetime) -> consent.Decision:
    """Whether the person's consents permit Part 2 content for this agency's treatment purpose."""
    return consent.permits((owned.resource for owned in person.consents), agency, PROTECTED, PURPOSE, as_of)


def is_part2(stay: StayRecord) -> bool:
    """A stay in a Part 2 program: by its feed, or because its sender labelled the Encounter so for no substance-use content that we can see."""
    labelled = "42CFRPart2" in labels.labels_of(stay.encounter)
    return stay.part2 or stay.facts.get("part2", False) or (labelled and not sensitivity.about_substance_use(stay.encounter))


def _marked(record: PersonRecord, consents: tuple[str, ...]) -> tuple[PersonRecord, tuple[str, ...]]:
    """Everything, with the notice on whatever would have been withheld without the consent."""
    withheld = Withheld.of((), ())

    def mark(resource: Json, whole: bool) -> Json:
        plain = scrub.without_narrative(resource)
        return notice.marked(plain, consents) if whole or tells(plain, withheld) else plain

    def owned(one: Owned, special: frozenset[str]) -> Owned:
        return replace(one, resource=mark(one.resource, one.part2 or one.stay in special))

    special = frozenset(
        stay.id for stay in record.stays if is_part2(stay) or (withheld.reveals(content_of(stay)) and not stay.facts.get("sud_attested", False))
    )
    lists = {
        name: tuple(owned(one, special) for one in getattr(record, name))
        for name in ("appointments", "documents", "referrals", "care", "contacts", "observations")
    }
    stays = tuple(
        replace(stay, encounter=mark(stay.encounter, stay.id in special), parts=tuple(mark(part, stay.id in special) for part in stay.parts))
        for stay in record.stays
    )
    return replace(
        record,
        **cast(Any, lists),
        stays=stays,
        related=tuple(mark(part, False) for part in record.related),
        patient=scrub.without_narrative(record.patient),
    ), consents


def _holds_marked(record: PersonRecord) -> bool:
    return any(notice.MARK in labels.labels_of(resource) for resource in resources_of(record))
