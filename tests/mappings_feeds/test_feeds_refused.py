"""A bad configuration is refused with the file, the line, the key, the reason and what to do (issue 3, point 5)."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Usage
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.feeds.reading import read
from gateway.settings import load
from gateway.toml_files import line_of

HEAD = """\
# The county's feeds
[http]
listen = "127.0.0.1:8080"

[[feed]]
name = "first"
sending_facility = "FIRST"

[[feed]]
name = "st-mary"
"""
"""What stands above each of the wrong lines below: the first of them is line 11."""

REFUSED = (
    # the line or lines | the line told | the key told | words of the reason, and of what to do
    ('timezonee = "UTC"', 11, "timezonee", "does not exist", "Did you mean timezone?"),
    ('colour = "red"', 11, "colour", "does not exist", "The keys of a feed are name, kind,"),
    ('timezone = "America/Chicargo"', 11, "timezone", "not the name of a time zone", "Did you mean America/Chicago?"),
    ('timezone = "America"', 11, "timezone", "not the name of a time zone", ""),
    ("timezone = 5", 11, "timezone", "must be a text", "in quotes"),
    ('charset = "UTF-9"', 11, "charset", "not a character set", "8859/1"),
    ('psychiatric_units = "BHU"', 11, "psychiatric_units", "must be a list of texts", '["A", "B"]'),
    ('psychiatric_units = ["BHU", 3]', 11, "psychiatric_units", "must be a list of texts", ""),
    ('psychiatric_units = ["BHU"]\n\nother_units = [\n  "ICU",\n  "bhu",\n]', 13, "other_units[2]", "is in psychiatric_units too", "Keep it in one"),
    ('accept_quarantined = "yes"', 11, "accept_quarantined", "must be true or false", "Write true."),
    ('facility_kind = "psych"', 11, "facility_kind", "must be one of psychiatric, other", ""),
    ('acknowledgement = "always"', 11, "acknowledgement", "must be one of original, enhanced", ""),
    ('kind = "hl7"', 11, "kind", "must be one of hl7v2, fhir", ""),
    ("processing_ids = []", 11, "processing_ids", "every message would count as a test", '["P"]'),
    ('codes = "x"', 11, "codes", "must be a table", "[feed.codes]"),
    ('\n[feed.codes.dispositon]\nHOME = "01"', 12, "codes.dispositon", "no table whose codes can be mapped", "Did you mean disposition?"),
    ('[feed.codes]\ndisposition = "01"', 12, "codes.disposition", "must be a table of local codes", "[feed.codes.disposition]"),
    ('[feed.codes.disposition]\nHOME = "01"\n"SELF CARE" = "999"', 13, 'codes.disposition."SELF CARE"', "no code of table 0112", "01, 02, 03"),
    ('[feed.codes.disposition]\nHOME = "home-hospice"', 12, "codes.disposition.HOME", "no code of table 0112", ""),
    ("[feed.codes.disposition]\nHOME = 1", 12, "codes.disposition.HOME", "must be a text", "in quotes"),
    ('[feed.codes.gender]\n1 = "banana"', 12, "codes.gender.1", "no code of table 0001", "FEMALE"),
    ('[feed.codes.marital]\nV = "M"\n[feed.codes.0002]\nL = "D"', 13, "codes.0002", "mapped already", "Keep one"),
    ('[feed.authorities]\nSTMARY = "the hospital"', 12, "authorities.STMARY", "must be an identifier system", "urn:oid:"),
    ("authorities.STMARY = 7", 11, "authorities.STMARY", "must be an identifier system", ""),
    ('ignore = ["PID-22", "PV1"]', 11, "ignore[2]", "'PV1' is not the path of a field", "PID-22"),
    ('ignore = ["PID-3"]', 11, "ignore[1]", "without it no message", "Take it out"),
    ('ignore = ["MSH-9"]', 11, "ignore[1]", "without it no message", "Take it out"),
    ('segment_modes = { ROL = "actions" }', 11, "segment_modes.ROL", '"snapshot" or "action"', "replaces"),
    ('segment_modes.PID = "action"', 11, "segment_modes.PID", "no segment that repeats with action codes", "DG1, IAM"),
    ('[feed.segments]\n"ZFU-1" = "appointment.start"\n"ZFU" = "appointment.end"', 13, "segments.ZFU", "not the path of a Z-segment", "ZFU-3.1"),
    ('[feed.segments]\nPV1-3 = "stay.unit"', 12, "segments.PV1-3", "not the path of a Z-segment", ""),
    ('[feed.segments]\n"ZFU-3.1" = "appointment.begin"', 12, 'segments."ZFU-3.1"', "nothing that a field may stand for", "appointment."),
    ('[feed.segments]\n"ZFU-3.1" = ["appointment.start"]', 12, 'segments."ZFU-3.1"', "nothing that a field may stand for", ""),
    ('[feed.segments]\nZFU-3 = "appointment.place"', 12, "segments.ZFU-3", "no field of ZFU says when it starts", "appointment.start"),
    ('[feed.segments]\nZFU-3 = "stay.unit"\nZFU-4 = "stay.unit"', 12, "segments.ZFU-3", "so does another field of ZFU", "Keep one"),
    ('sending_facility = "first"', 11, "sending_facility", "matches the same senders as the feed first", "sending_application"),
    ('[[feed]]\nname = "first"', 12, "name", "is the name of two feeds", "a name of its own"),
    ('[[feed]]\ntimezone = "UTC"', 11, "feed", "has no name", 'name = "st-mary"'),
    ('[[feed]]\nname = "a,b"', 12, "name", "no name for a feed", "letters, digits"),
)


@pytest.mark.parametrize(("lines", "line", "key", "reason", "advice"), REFUSED, ids=[f"{row[2]}: {row[3]}" for row in REFUSED])
def test_a_bad_profile_is_refused_with_line_key_reason_and_what_to_do(
    tmp_path: Path, lines: str, line: int, key: str, reason: str, advice: str
) -> None:
    for ends in ("\n", "\r\n"):
        (tmp_path / "gateway.toml").write_bytes((HEAD + lines + "\n\n[mllp]\nlisten = '127.0.0.1:1'\n").replace("\n", ends).encode())
        with pytest.raises(Usage) as refused:
            load(tmp_path / "gateway.toml")
        told = refused.value
        assert told.location.startswith(f"gateway.toml, line {line}, [[feed]] ")
        assert key in told.message
        assert reason in told.message
        assert advice in told.advice
        assert str(tmp_path) not in str(told)


OTHER_SECTIONS = (
    ('[http]\nlisten = "x"\nlissten = "y"', 3, "http.lissten", "Did you mean listen?"),
    ("[sotre]\nurl = 1", 1, "sotre", "Did you mean store?"),
    ('\n[[agency]]\nid = "a"\nname = "A"\n[[agency]]\nid = "b"', 5, "agency.1.name", "is missing"),
    ('[[agency]]\nid = "a"\nname = "A"\n[[agency]]\nname = "B"\nid = "a"', 6, "id twice", "a"),
    ('[store]\nurl = ""\n\n[feed]\nname = "x"', 4, "feed", "[[feed]]"),
    ("[mllp]\nmax_frame = 0", 2, "mllp.max_frame", "above 0"),
    ('[http]\nlisten = "x"\nlisten = "y"', 3, "not TOML", "Mend"),
    ('[http]\nlisten = """\n\n', 2, "not TOML", "Mend"),
    ('feed = ["x"]', 1, "feed.0", "must be a table"),
)


@pytest.mark.parametrize(("toml", "line", "key", "words"), OTHER_SECTIONS, ids=[row[2] for row in OTHER_SECTIONS])
def test_what_is_wrong_elsewhere_has_its_line_too(tmp_path: Path, toml: str, line: int, key: str, words: str) -> None:
    (tmp_path / "gateway.toml").write_text(toml)
    with pytest.raises(Usage) as refused:
        load(tmp_path / "gateway.toml")
    assert f"gateway.toml, line {line}" in str(refused.value)
    assert key in str(refused.value)
    assert words in str(refused.value)


def test_the_command_says_it_in_one_line_and_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(HEAD + '[feed.codes.disposition]\nHOME = "999"\n')
    (tmp_path / "one.hl7").write_text("MSH|^~\\&|A|B|||2026||ADT^A01|1|P|2.5\rPID|1||1\r")
    command = [sys.executable, "-m", "gateway", "convert", str(tmp_path / "one.hl7"), "--config", str(tmp_path / "gateway.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("gateway: the configuration's codes.disposition.HOME names '999', which is no code of table 0112")
    assert "(at gateway.toml, line 12, [[feed]] st-mary). Its codes are 01, 02" in line


def test_profiles_of_the_feeds_directory_are_read_and_refused_with_their_own_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('[[feed]]\nname = "one"\nsending_facility = "ONE"\n')
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "b.toml").write_text('[[feed]]\nname = "three"\nsending_facility = "THREE"\n')
    (tmp_path / "feeds" / "a.toml").write_text('\ufeff[[feed]]\nname = "two"\nsending_facility = "TWO"\n', encoding="utf-8")
    (tmp_path / "feeds" / "notes.txt").write_text("not TOML at all")
    assert [feed.name for feed in load(tmp_path / "gateway.toml").feeds()] == ["one", "two", "three"]

    wrong = {
        '[[feed]]\nname = "one"': "feeds/b.toml, line 2, [[feed]] one",
        '\n[[feed]]\nname = "x"\nsending_facility = "two"': "feeds/b.toml, line 4, [[feed]] x",
        'name = "x"': "feeds/b.toml, line 1",
        '[[feed]]\nname = "x"\n[http]\nlisten = "x"': "feeds/b.toml, line 3",
        "[[feed]": "feeds/b.toml, line 1",
    }
    for toml, where in wrong.items():
        (tmp_path / "feeds" / "b.toml").write_text(toml)
        with pytest.raises(Usage) as refused:
            load(tmp_path / "gateway.toml")
        assert where in refused.value.location


def test_profiles_from_the_environment_are_refused_by_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gateway.toml").write_text(HEAD)
    monkeypatch.setenv("GATEWAY_FEED", '[{"name": "x", "timezone": "Nowhere"}]')
    with pytest.raises(Usage, match=r"timezone is not the name of a time zone \(at \[\[feed\]\] x\)"):
        load(tmp_path / "gateway.toml")


@pytest.mark.parametrize(
    ("toml", "path", "line"),
    [
        ("a = 1\nb = 2", ("b",), 2),
        ("a = 1\r\n\r\nb = 2\r\n", ("b",), 3),
        ("# c\n\n[x]\n# c\ny.z = 1", ("x", "y", "z"), 5),
        ("a = [\n 1,\n 2,\n]\nb = 1", ("a", 1), 1),
        ('a = """\nb = 1\n"""\nb = 2', ("b",), 4),
        ('[[x]]\ny = 1\n[[x]]\n"y z" = { k = 2 }\n', ("x", 1, "y z", "k"), 4),
        ("[[x]]\n[[x]]\n", ("x", 1), 2),
        ("a = 1", ("b",), 0),
        ("", ("b",), 0),
    ],
)
def test_the_line_of_a_key_is_where_its_statement_begins(toml: str, path: tuple[str | int, ...], line: int) -> None:
    assert line_of(toml, path) == line


WORDS = st.text(max_size=6) | st.sampled_from(["ZFU-3.1", "appointment.start", "disposition", "0112", "01", "PID-22", "ROL"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([each.name for each in fields(FeedProfile)]) | st.text(max_size=5), VALUES, max_size=4))
def test_any_table_is_a_profile_or_is_told_what_is_wrong_with_it(table: dict[str, Any]) -> None:
    profile, problems = read(table)
    assert problems or profile.name == table["name"]
    assert all(problem.words and line_of("a = 1", problem.path) in (0, 1) for problem in problems)


def test_the_line_in_a_very_long_configuration_is_found() -> None:
    text = "".join(f'[[feed]]\nname = "f{number}"\nsending_facility = "F{number}"\n' for number in range(3000))
    assert line_of(text, ("feed", 2500, "sending_facility")) == 7503
