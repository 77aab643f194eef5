"""The confidential address (PID-11 type): where a client lives who may be in danger from somebody who looks for them.

It is the coordinator's to know. An agency is told that there is one and whom to ask, unless a Consent of the client permits it to have location
information (label LOCIS). Its view shows no confidential address, no other address of the same street, and no words that name the street. Postal code
and county still choose the agency, as for everybody, and are not shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from gateway.fhir.confidential_address import MARK, any_confidential, is_confidential
from gateway.privacy import consent, labels, scrub, sensitivity
from gateway.records.record import Owned, PersonRecord, StayRecord
from gateway.records.statements import Json

WITHHELD = "(address withheld)"
_AREA = ("postalCode", "district")
"""By these an agency is chosen; see `transitions.serving`."""
_GROUPS = ("appointments", "referrals", "care", "contacts", "observations", "claims", "decisions")


def is_withheld(security: frozenset[str]) -> bool:
    """Whether a record's labels say that a confidential address was taken from it: then nothing of what it once said is shown."""
    return labels.LOCATION in security and labels.HELD not in security


def withheld(record: PersonRecord, agency: str, as_of: datetime) -> PersonRecord:
    """The record as it may be assessed for the agency: of the client's confidential address the area alone, and no street of one by name."""
    people = (record.patient, *record.retired, *record.related, *(part for stay in record.stays for part in stay.parts))
    secret = [one for person in people if any_confidential(person) for one in person["address"] if is_confidential(one)]
    if not secret or consent.permits((owned.resource for owned in record.consents), agency, frozenset({labels.LOCATION}), "TREAT", as_of).permit:
        return record
    streets = _streets(secret)

    def cut(resource: Json) -> Json:
        left: Json = _without(resource, streets)
        return resource if left == resource else _marked(left)

    def owned(one: Owned) -> Owned:
        return replace(one, resource=cut(one.resource), facts=_without(dict(one.facts), streets))

    def stayed(stay: StayRecord) -> StayRecord:
        parts = tuple(cut(part) for part in stay.parts if not _attaches(part, streets))
        return replace(stay, encounter=cut(stay.encounter), parts=parts, facts=_without(dict(stay.facts), streets))

    area = [{key: one[key] for key in _AREA if key in one} if is_confidential(one) else {} for one in record.patient.get("address", ())]
    patient = cut(record.patient)
    if any(area):
        patient = {**patient, "address": [{**shown, **known} for shown, known in zip(patient["address"], area, strict=True)]}
    return replace(
        record,
        patient=patient,
        retired=tuple(cut(one) for one in record.retired),
        related=tuple(cut(one) for one in record.related),
        stays=tuple(stayed(stay) for stay in record.stays),
        documents=tuple(owned(one) for one in record.documents if not _attaches(one.resource, streets)),
        uncertain=_without(record.uncertain, streets),
        shared={key: cut(resource) for key, resource in record.shared.items()},
        **cast(Any, {name: tuple(owned(one) for one in getattr(record, name)) for name in _GROUPS}),
    )


def without_area(patient: Json) -> Json:
    """The Patient that `withheld` has left, as it may be shown: without the area."""
    if not is_withheld(labels.labels_of(patient)):
        return patient
    return {**patient, "address": [_mark_of(one) if is_confidential(one) else one for one in patient.get("address", ())]}


def _mark_of(address: Json) -> Json:
    """What is told of a confidential address: that there is one, and its use."""
    return {**({"use": address["use"]} if "use" in address else {}), "extension": [MARK]}


def _without(value: Any, streets: re.Pattern[str] | None) -> Any:
    """The value with confidential addresses, and all others of their streets, reduced to the mark, and without the words that name a street."""
    if isinstance(value, str):
        return streets.sub(WITHHELD, value) if streets is not None else value
    if isinstance(value, dict):
        if is_confidential(value) or (streets is not None and "line" in value and any(streets.search(str(line)) for line in value["line"])):
            return _mark_of(value)
        return {key: inner if key in scrub.OURS else _without(inner, streets) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        left = [_without(inner, streets) for inner in value]
        return left if isinstance(value, list) else tuple(left)
    return value


def _attaches(resource: Json, streets: re.Pattern[str] | None) -> bool:
    """A document whose text names a street; of one that is no text nobody knows what it names."""
    if resource["resourceType"] != "DocumentReference" or streets is None:
        return False
    attachments = [content.get("attachment", {}) for content in resource.get("content", [])]
    return any("data" in one and (not (said := sensitivity.attached(one)) or streets.search(said) is not None) for one in attachments)


def _marked(resource: Json) -> Json:
    """Labelled as one from which a confidential address was taken; claims and facts have no labels."""
    if "resourceType" not in resource:
        return resource
    meta = resource.get("meta", {})
    security = [one for one in meta.get("security", []) if one.get("code") != labels.HELD]
    return labels.with_labels({**resource, "meta": {**meta, "security": security}}, {labels.LOCATION})


def _streets(addresses: Iterable[Json]) -> re.Pattern[str] | None:
    """Finds the lines that begin with a number, or else the first line with one, in any text: whole, or the number and the next word, as people
    shorten streets; whatever stands between the words."""
    found: dict[str, None] = {}
    for address in addresses:
        lines = [re.findall(r"\w+", str(line).casefold()) for line in address.get("line", ())]
        numbered = [words for words in lines if len(words) > 1 and words[0][0].isdigit()]
        for words in numbered or [words for words in lines[:1] if len(words) > 1 and any(word[0].isdigit() for word in words)]:
            found[r"[\W_]+".join(map(re.escape, words))] = None
            if words[0][0].isdigit() and len(words[1]) > 2:
                found[r"[\W_]+".join(map(re.escape, words[:2]))] = None
    return re.compile(rf"(?<!\w)(?:{'|'.join(sorted(found, key=len, reverse=True))})(?!\w)", re.IGNORECASE) if found else None
