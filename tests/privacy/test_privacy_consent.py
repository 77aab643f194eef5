"""What a Consent permits (42 CFR 2.31, FHIR R4): recipient, purpose and label must be named; a deny wins; periods and revocation count at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.privacy.consent import permits

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PROTECTED = frozenset({"SUD", "42CFRPart2"})


def consent(name: str = "c1", status: str = "active", date: str = "2026-11-01", **change: Any) -> dict[str, Any]:
    """A permit for River's treatment, labelled 42CFRPart2; None takes an element out."""
    provision: dict[str, Any] = {
        "type": "permit",
        "actor": [{"role": {"text": "recipient"}, "reference": {"reference": "Organization/river-cmhc"}}],
        "purpose": [{"system": REASON, "code": "TREAT"}],
        "securityLabel": [{"system": ACT, "code": "42CFRPart2"}],
        **change,
    }
    kept = {key: value for key, value in provision.items() if value is not None}
    return {"resourceType": "Consent", "id": name, "status": status, "dateTime": date, "provision": kept}


OTHER = [{"role": {"text": "recipient"}, "reference": {"reference": "Organization/oak-cmhc"}}]
HIV = [{"system": ACT, "code": "HIV"}]
DENY = consent("c2", type="deny", actor=None, purpose=None, securityLabel=None)

CASES = [
    # consents, whether River may have Part 2 content for treatment now, why
    ([], False, "without a consent, nothing"),
    ([consent()], True, "recipient, purpose and label are named"),
    ([consent(purpose=[{"system": REASON, "code": "COC"}])], False, "coordination is not all treatment"),
    ([consent(securityLabel=[{"system": ACT, "code": "SUD"}])], True, "one label of the family names it"),
    ([consent(securityLabel=HIV)], False, "another content"),
    ([consent(securityLabel=None)], False, "what it covers is not said"),
    ([consent(actor=OTHER)], False, "another recipient"),
    ([consent(actor=None)], False, "the recipient is not said"),
    ([consent(purpose=None)], False, "the purpose is not said"),
    ([consent(purpose=[{"system": REASON, "code": "HPAYMT"}])], False, "another purpose"),
    ([consent(status="inactive")], False, "revoked"),
    ([consent(status="entered-in-error")], False, "never given"),
    ([consent(status="draft")], False, "not signed"),
    ([consent(period={"start": "2026-11-01", "end": "2026-12-01"})], True, "within its period"),
    ([consent(period={"end": "2026-11-22"})], True, "its last day"),
    ([consent(period={"end": "2026-11-21"})], False, "expired yesterday"),
    ([consent(period={"start": "2026-11-23"})], False, "not yet"),
    ([consent(period={"end": "nonsense"})], False, "an end that cannot be read has passed"),
    ([consent(date="2026-11-23")], False, "given tomorrow"),
    ([consent(), DENY], False, "a deny wins over a permit"),
    ([consent(), {**DENY, "status": "inactive"}], True, "a deny that was taken back"),
    ([consent(), consent("c2", type="deny", actor=OTHER)], True, "a deny for somebody else"),
    ([consent(), consent("c2", type="deny", securityLabel=HIV)], True, "a deny of other content"),
    ([consent(provision=[{"type": "deny", "securityLabel": [{"code": "SUD"}]}])], False, "an exception within the permit"),
    ([consent(provision=[{"type": "deny", "actor": OTHER}])], True, "an exception for somebody else"),
    ([consent(actor=[{"reference": {"reference": "https://gateway.example.org/fhir/Organization/river-cmhc"}}])], True, "an absolute reference"),
    ([consent(actor=[{"reference": {"identifier": {"value": "river-cmhc"}}}])], True, "an identifier"),
]


@pytest.mark.parametrize(("consents", "permitted", "why"), CASES, ids=[why for _, _, why in CASES])
def test_a_consent_permits_what_it_names_and_no_more(consents: list[dict[str, Any]], permitted: bool, why: str) -> None:
    assert permits(consents, "river-cmhc", PROTECTED, "TREAT", NOW).permit is permitted


def test_the_answer_names_the_consent_and_the_moment_at_which_it_may_change() -> None:
    decision = permits([consent(period={"start": "2026-11-01", "end": "2026-12-01"})], "river-cmhc", PROTECTED, "TREAT", NOW)
    assert (decision.consents, decision.until) == (("Consent/c1",), datetime(2026, 12, 2, tzinfo=UTC))


def test_a_consent_that_begins_later_is_a_moment_to_look_again() -> None:
    decision = permits([consent(period={"start": "2026-11-23"})], "river-cmhc", PROTECTED, "TREAT", NOW)
    assert (decision.permit, decision.until) == (False, datetime(2026, 11, 23, tzinfo=UTC))


def test_an_expiry_at_an_instant_is_over_at_that_instant() -> None:
    ending = consent(period={"end": "2026-11-22T12:00:00Z"})
    assert not permits([ending], "river-cmhc", PROTECTED, "TREAT", NOW).permit
