"""The notice that accompanies every disclosure made by consent (42 CFR 2.32), and the mark that forbids to pass it on.

It travels in the resource itself, so that no system in between can lose it: `meta.security` gets NORDSCLCD, and the narrative says the notice and
names the Consent. Both are valid FHIR for every resource type that holds clinical content.
"""

from __future__ import annotations

from html import escape

from gateway.privacy import labels
from gateway.records.statements import Json

NOTICE = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
"""The short form of the notice, in the rule's own words (42 CFR 2.32(a)(2))."""

MARK = "NORDSCLCD"
CONSENT = "urn:care-transition-gateway:disclosed-by-consent"
"""Extension of `meta`: the Consent that a disclosure rests on (42 CFR 2.32 asks for the consent or its scope)."""


def marked(resource: Json, consents: tuple[str, ...]) -> Json:
    """The resource with the prohibition on redisclosure, the notice and the Consents it rests on."""
    noted = labels.with_labels(resource, {MARK, "42CFRPart2"})
    noted["meta"]["extension"] = [
        *(entry for entry in noted["meta"].get("extension", []) if entry.get("url") != CONSENT),
        *({"url": CONSENT, "valueReference": {"reference": consent}} for consent in consents),
    ]
    return {**noted, "text": with_notice(resource.get("text"), consents)}


def with_notice(narrative: Json | None, consents: tuple[str, ...]) -> Json:
    """A narrative that begins with the notice; one that already does is left as it is."""
    div = str((narrative or {}).get("div", ""))
    if NOTICE in div:
        return dict(narrative or {})
    body = div.partition(">")[2].rpartition("</div>")[0]
    said = f"<p>{escape(NOTICE)} Disclosed under {escape(', '.join(consents))}.</p>"
    return {"status": (narrative or {}).get("status", "generated"), "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{said}{body}</div>'}


def consents_of(resource: Json) -> tuple[str, ...]:
    """The Consents that a marked resource was disclosed under; () when it is not marked."""
    entries = resource.get("meta", {}).get("extension", [])
    return tuple(entry["valueReference"]["reference"] for entry in entries if entry.get("url") == CONSENT)
