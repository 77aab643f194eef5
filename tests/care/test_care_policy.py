"""The care policy is data: what is wrong in it is refused with the line and the reason."""

from __future__ import annotations

import contextlib
import tomllib
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Usage
from gateway.mappings.care.policy import default, read
from gateway.settings import Settings, load
from gateway.toml_files import TomlFile
from transitions.policy import Policy

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
    (("hold_hours = 24", "hold_hours = 0"), line_of("hold_hours"), "hold_hours must be from 1 to 8784"),
    (("anticipation_days = 3", "anticipation_days = -1"), line_of("anticipation_days"), "anticipation_days must be from 0 to 366"),
    (("attempt_days = 3", "attempt_days = 4"), line_of("attempts ="), "attempts must not be fewer than the days and the means"),
    (("plan_days = 30", "plan_days = true"), line_of("plan_days"), "plan_days must be a whole number"),
    (("[follow_up]", "[[follow_up]]"), line_of("[follow_up]"), "follow_up must be a table: [follow_up]"),
    (("max_age = 17", 'max_age = "17"'), line_of("max_age = 17"), "max_age must be a whole number"),
    (("max_age = 17", "max_age = 17\nmin_age = 18"), line_of("max_age = 17"), "max_age must not be below min_age"),
    (("routed = true ", "routed = false "), line_of("[[service]]"), "exactly one service must be routed"),
    (('diagnoses = ["Z56"]', 'diagnoses = "Z56"'), line_of('diagnoses = ["Z56"]'), "diagnoses must be a list of texts"),
    (('diagnoses = ["Z56"]', 'diagnoses = ["z56"]'), line_of('diagnoses = ["Z56"]'), "'z56' in diagnoses is not an ICD-10-CM code"),
    (
        ('words = ["food insecurity", "lack of food", "food pantry"]', 'words = ["Food"]'),
        line_of('words = ["food insecurity"'),
        "'Food' in words is not in lower-case letters",
    ),
    (('dispositions = ["21"]', 'dispositions = ["jail"]'), line_of('dispositions = ["21"]'), "is not a code of two digits"),
    (('dispositions = ["21"]\n', ""), line_of('name = "legal-route"') - 1, "a service is for everyone, or says for whom"),
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
        read(TomlFile("policy.toml", broken, tomllib.loads(broken)))
    assert reason in refused.value.message
    assert refused.value.location == f"policy.toml, line {line}"


def test_the_shipped_policy_can_be_read() -> None:
    assert default().follow_up.last_day == 7
    assert [service.name for service in default().services if service.routed] == ["follow-up"]
    assert [goal.text for goal in default().goals if goal.window] == ["Seen by a community mental-health service within 7 days of leaving hospital"]


def settings_with(folder: Path, policy: str) -> Settings:
    """The settings of an operator whose gateway.toml names an own care policy."""
    (folder / "gateway.toml").write_text('[care]\npolicy = "aftercare.toml"\n', encoding="utf-8")
    (folder / "aftercare.toml").write_text(policy, encoding="utf-8")
    return load(folder / "gateway.toml")


def test_flags_and_records_go_by_the_same_window(tmp_path: Path) -> None:
    """One source of truth: the care policy's numbers are those of assessment."""
    shipped, bare = default().follow_up, Policy()
    assert (bare.visit_days, bare.first_contact.total_seconds() / 3600) == (shipped.last_day, shipped.first_contact_hours)
    ours = SHIPPED.replace("last_day = 7 ", "last_day = 5 ").replace("first_contact_hours = 72", "first_contact_hours = 48")
    settings = settings_with(tmp_path, ours)
    assert (settings.policy().visit_days, settings.policy().first_contact.total_seconds()) == (5, 48 * 3600)
    assert (settings.care_policy().follow_up.last_day, settings.care_policy().follow_up.first_contact_hours) == (5, 48)
    assert settings.care_policy().goals[0].text == "Seen by a community mental-health service within 5 days of leaving hospital"


NUMBERS = [
    # what the file says          another value          as assessment has it
    ("pick_up_hours = 24", 12, "pick_up", timedelta(hours=12)),
    ("hold_hours = 24", 36, "hold", timedelta(hours=36)),
    ("outcome_hours = 24", 48, "outcome", timedelta(hours=48)),
    ("anticipation_days = 3", 5, "anticipation_days", 5),
    ("attempts = 3", 4, "attempts", 4),
    ("attempt_days = 3", 2, "attempt_days", 2),
    ("attempt_means = 2", 1, "attempt_means", 1),
    ("longest_stay_days = 60", 90, "longest_stay_days", 90),
]


@pytest.mark.parametrize(("shipped", "other", "name", "value"), NUMBERS, ids=[row[2] for row in NUMBERS])
def test_every_clock_of_assessment_is_the_care_policys(shipped: str, other: int, name: str, value: object, tmp_path: Path) -> None:
    """And what is shipped is what the domain's defaults are."""
    assert getattr(Settings().policy(), name) == getattr(Policy(), name)
    changed = SHIPPED.replace(shipped, f"{shipped.split()[0]} = {other}", 1)
    assert changed != SHIPPED
    assert getattr(settings_with(tmp_path, changed).policy(), name) == value


def test_a_policy_that_leaves_the_clocks_out_has_the_defaults(tmp_path: Path) -> None:
    short = "\n".join(
        line for line in SHIPPED.splitlines() if not line.startswith(("pick_up", "hold", "outcome", "anticipation", "attempt", "longest"))
    )
    assert settings_with(tmp_path, short).policy() == Policy()


def test_clients_discharged_to_court_have_the_agency_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('[[agency]]\nid = "a"\nname = "A"\n[[agency]]\nid = "b"\nname = "B"\ncourt = true\n', encoding="utf-8")
    assert load(tmp_path / "gateway.toml").policy().court_agency == "b"


def test_an_operators_policy_is_refused_by_the_name_of_its_file(tmp_path: Path) -> None:
    with pytest.raises(Usage) as refused:
        settings_with(tmp_path, SHIPPED.replace("plan_days = 30", "plan_days = 3"))
    assert refused.value.location == f"aftercare.toml, line {line_of('[follow_up]')}"
    assert str(tmp_path) not in str(refused.value)
    with pytest.raises(Usage) as refused:
        settings_with(tmp_path, "version = 1\n[[service\n")
    assert refused.value.location.startswith("aftercare.toml, line 2")
    (tmp_path / "gateway.toml").write_text('[care]\npolicy = "elsewhere.toml"\n', encoding="utf-8")
    with pytest.raises(Usage, match="there is no such file"):
        load(tmp_path / "gateway.toml")


HOSTILE = st.one_of(
    st.integers(), st.booleans(), st.text(max_size=8), st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2), st.just([{}]), st.just(""), st.just(float("nan")),
)  # fmt: skip


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a policy where a value stands."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for step, inner in steps for found in [(*path, step), *places(inner, (*path, step))]]


@given(place=st.sampled_from(places(tomllib.loads(SHIPPED))), value=HOSTILE)
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_a_policy_it_is_read_or_refused_and_never_fails(place: tuple[str | int, ...], value: Any) -> None:
    said = tomllib.loads(SHIPPED)
    inner: Any = said
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with contextlib.suppress(Usage):
        read(TomlFile("policy.toml", SHIPPED, said))
