"""The care policy is data: what is wrong in it is refused with the line and the reason."""

from __future__ import annotations

from importlib import resources

import pytest

from gateway.errors import Usage
from gateway.mappings.care.policy import default, read

SHIPPED = resources.files("gateway.mappings.care").joinpath("policy.toml").read_text(encoding="utf-8")


def line_of(words: str, after: str = "") -> int:
    """The line of the shipped policy on which `words` stand first, after `after`."""
    lines = SHIPPED.splitlines()
    start = next((number for number, line in enumerate(lines) if after in line), 0) if after else 0
    return next(number for number, line in enumerate(lines[start:], start + 1) if words in line)


BROKEN = [
    # what is changed in the shipped policy                          the line that is named                            the reason
    (('high = "asap"', 'high = "soon"'), line_of('high = "asap"'), "high must be one of routine, urgent, asap, stat"),
    (('high = "asap"', "high = 3"), line_of('high = "asap"'), "high must be one of routine, urgent, asap, stat"),
    (('name = "housing"', 'nam = "housing"'), line_of('name = "housing"'), "unknown key 'nam'"),
    (('name = "housing"', 'name = "food"'), line_of('name = "food"'), "'food' is there twice"),
    (('name = "housing"', 'name = "Housing help"'), line_of('name = "housing"'), "name must be lower-case letters, digits and dashes"),
    (("last_day = 7 ", "last_day = 31 "), line_of("[follow_up]"), "1 <= last_day <= plan_days <= 366"),
    (
        ("first_contact_hours = 72", "first_contact_hours = 200"),
        line_of("first_contact_hours"),
        "the first contact must be due before the follow-up is",
    ),
    (("plan_days = 30", "plan_days = true"), line_of("plan_days"), "plan_days must be a whole number"),
    (("[follow_up]", "[[follow_up]]"), line_of("[follow_up]"), "follow_up must be a table: [follow_up]"),
    (("max_age = 17", 'max_age = "17"'), line_of("max_age = 17"), "max_age must be a whole number"),
    (("max_age = 17", "max_age = 17\nmin_age = 18"), line_of("max_age = 17"), "max_age must not be below min_age"),
    (("routed = true ", "routed = false "), line_of("[[service]]"), "exactly one service must be routed"),
    (('diagnoses = ["Z56"]', 'diagnoses = "Z56"'), line_of('diagnoses = ["Z56"]'), "diagnoses must be a list of texts"),
    (('diagnoses = ["Z56"]', 'diagnoses = ["z56"]'), line_of('diagnoses = ["Z56"]'), "'z56' in diagnoses is not an ICD-10-CM code"),
    (('words = ["food insecurity"]', 'words = ["Food"]'), line_of('words = ["food insecurity"]'), "'Food' in words is not in lower-case letters"),
    (('dispositions = ["21"]', 'dispositions = ["jail"]'), line_of('dispositions = ["21"]'), "is not a code of two digits"),
    (('diagnoses = ["Z56"]\n', ""), line_of('name = "employment"') - 1, "a service is for everyone, or says for whom"),
    (('version = "2"', 'versoin = "2"'), line_of('version = "2"'), "unknown key 'versoin'"),
    (('version = "2"', 'version = "2 b"'), line_of('version = "2"'), "version must be a text of letters, digits and dots"),
    (('name = "safe"\n', ""), line_of('name = "safe"') - 1, "'name' is missing"),
    (("legal_status = [", "legal_state = ["), line_of("legal_status = ["), "unknown key 'legal_state'"),
    (("legal_status = [", "legal_status = [3, "), line_of("legal_status = ["), "legal_status must be a list of texts"),
]


@pytest.mark.parametrize(("change", "line", "reason"), BROKEN, ids=[reason for _, _, reason in BROKEN])
def test_a_bad_policy_is_refused_with_line_and_reason(change: tuple[str, str], line: int, reason: str) -> None:
    broken = SHIPPED.replace(*change, 1)
    assert broken != SHIPPED
    with pytest.raises(Usage) as refused:
        read(broken, "policy.toml")
    assert reason in refused.value.message
    assert refused.value.location == f"policy.toml line {line}"


def test_what_is_not_toml_is_refused_with_its_line() -> None:
    with pytest.raises(Usage) as refused:
        read('version = "1"\n[[service\n', "policy.toml")
    assert refused.value.location == "policy.toml line 2"


def test_the_shipped_policy_can_be_read() -> None:
    assert default().follow_up.last_day == 7
    assert [service.name for service in default().services if service.routed] == ["follow-up"]
