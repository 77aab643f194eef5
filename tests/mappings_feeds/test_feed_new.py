"""`gateway feed new`: a starter profile from a sample, which loads as it is and holds nothing of the sample's people."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.er7 import reader
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.feeds.seen import by_sender
from gateway.mappings.feeds.starter import name_of, starter
from gateway.settings import load
from tests.third_party import DATA, third_party


def message(event: str, *segments: str, application: str = "REG", facility: str = "STMARY", processing: str = "P", charset: str = "") -> bytes:
    header = rf"MSH|^~\&|{application}|{facility}|GW|COUNTY|20261122080001||{event}|M1|{processing}|2.5.1||||||{charset}"
    return "\r".join((header, *segments)).encode("cp1252") + b"\r"


PERSON = (
    "PID|1||4711^^^MPI&2.16.840.1.113883.19.5&ISO^PI~S99^^^STMREC^MR||Hollis^Marian^Béa||19840312|F|||12 Elm St^^Springfield^IL^62704^USA^H"
    "||5550100||ger|VERH||ACC77"
)
VISIT = "PV1|1|STAT|BHU^101^A|||||1174823942^Lindqvist^Karin||FORENSIC|||||||||V123" + "|" * 17
SAMPLE = [
    message("ADT^A01", "EVN||20261122080000-0600", PERSON, VISIT),
    message("ADT^A03", "EVN||20261122080000", PERSON, VISIT + "TOFAMILY", "ZFU|1||20261125140000^x|with Dr. Lindqvist"),
    message("ADT^A03", "EVN||20261122080000", PERSON, VISIT.replace("V123", "") + "Hollis home", "ZFU|1||20261125140000"),
    message("SIU^S12", "SCH|P7||||||PSYCHFU^x", PERSON, application="SCHED", processing="T", charset="8859/1").replace(b"2.5.1||||", b"2.5.1|||AL|"),
]


def made(*messages: bytes) -> str:
    (seen,) = by_sender([reader.read(raw) for raw in messages])
    return starter(seen, name_of(seen))


def profile(text: str, folder: Path) -> FeedProfile:
    (folder / "gateway.toml").write_text(text, encoding="utf-8")
    (found,) = load(folder / "gateway.toml").feeds()
    return found


def test_it_tells_what_was_seen_and_fills_in_what_that_makes_plausible(tmp_path: Path) -> None:
    text = made(*SAMPLE)
    for words in (
        "begun from 4 messages",
        "Events seen: ADT^A03 (2), ADT^A01 (1), SIU^S12 (1). Versions (MSH-12): 2.5.1 (4).",
        "(PV1-19) is missing in 1 of 3 PV1 segments",
        '# sending_application = "REG"  # 3 times',
        "Offsets seen in times: -0600 (1)",
        "in MSH-18: 8859/1 (1), empty (3)",
        'charset = "CP1252"  # 3 messages without MSH-18',
        "in MSH-11: P (3), T (1)",
        "asked for in MSH-15: AL (1), empty (3); in MSH-16: empty (4).",
        "Seen in PV1-3: BHU (3).",
        '# other_services = ["FORENSIC"]',
        '# mental_health_services = ["PSYCHFU"]',
        '# "STMREC" = "https://hospital.example.org/stmrec"  # 4 times',
        '# "TOFAMILY" = "…"  # 1 time',
        '# "STAT" = "…"  # 3 times',
        '# "VERH" = "…"  # 4 times',
        "# ZFU: field 1 (2), field 3 (2), field 4 (1)",
        '# "ZFU-3" = "appointment.start"  # it holds a time',
    ):
        assert words in text, words
    assert "MPI" not in text  # its system is known: it has an OID
    assert '"F" =' not in text  # table 0001 knows it
    assert profile(text, tmp_path) == FeedProfile(
        name="stmary",
        sending_facility="STMARY",
        charset="CP1252",
        psychiatric_units=("BHU",),
        codes={"disposition": {}, "class": {}, "marital": {}},
    )


def test_nothing_of_the_people_in_the_sample_is_in_it() -> None:
    text = made(*SAMPLE)
    for word in (
        "4711",
        "S99",
        "Hollis",
        "Marian",
        "Béa",
        "1984",
        "Elm",
        "Springfield",
        "62704",
        "555",
        "ACC77",
        "V123",
        "1174823942",
        "Lindqvist",
        "Karin",
    ):
        assert word not in text
    assert "1 value that might be somebody's, or no code, is not told here." in text  # "Hollis home" in PV1-36


def test_free_text_and_columns_of_many_values_are_not_told() -> None:
    several = [message("ADT^A03", PERSON, VISIT.replace("BHU", f"U{number}") + f"went to aunt number {number}") for number in range(41)]
    text = made(*several)
    assert "aunt" not in text
    assert not re.search(r"\bU[0-9]", text)
    assert "PV1-3 has more different values than codes would be" in text


def test_uncommenting_one_line_is_enough(tmp_path: Path) -> None:
    text = made(*SAMPLE).replace('# "TOFAMILY" = "…"', '"TOFAMILY" = "01"').replace('# "ZFU-3" =', '"ZFU-3" =').replace("# timezone", "timezone")
    found = profile(text, tmp_path)
    assert found.codes["disposition"] == {"TOFAMILY": "01"}
    assert found.segments == {"ZFU-3": "appointment.start"}
    assert found.timezone == "America/Chicago"


@pytest.mark.parametrize("facility", ['quo"te', "back\\E\\slash", "Ünïcode", "a\x7fb", "tab\there", "default", "~!", "x" * 300])
def test_any_senders_name_makes_a_profile_that_loads_and_matches(tmp_path: Path, facility: str) -> None:
    raw = message("ADT^A01", PERSON, facility=facility, charset="CP1252")
    found = profile(made(raw), tmp_path)
    assert found.sending_facility == reader.read(raw).facility


def test_senders_that_say_no_facility_are_matched_by_their_application(tmp_path: Path) -> None:
    assert profile(made(message("ADT^A01", PERSON, facility="")), tmp_path).sending_application == "REG"
    text = made(message("ADT^A01", PERSON, facility="", application=""))
    assert "no message matches this profile" in text
    assert profile(text, tmp_path).name == "sender"


def run(*arguments: str | Path, data: bytes = b"") -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", "gateway", *map(str, arguments)], input=data, capture_output=True, timeout=60, check=False)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_the_command_writes_a_profile_that_the_other_commands_take_at_once(tmp_path: Path) -> None:
    sample = tmp_path / "sample.hl7"
    sample.write_bytes(b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + b"".join(SAMPLE) + b"BTS|4\rFTS|1\r")
    (tmp_path / "feeds").mkdir()
    (tmp_path / "gateway.toml").write_text('[http]\nlisten = "127.0.0.1:1"\n')
    written = run("feed", "new", sample, "--name", "st-mary", "--output", tmp_path / "feeds" / "st-mary.toml")
    assert (written.returncode, written.stdout) == (0, "")
    assert "begun from 4 messages of st-mary" in written.stderr
    assert [feed.name for feed in load(tmp_path / "gateway.toml").feeds()] == ["st-mary"]
    converted = run("convert", sample, "--feed", "st-mary", "--data", tmp_path)
    assert (converted.returncode, len(converted.stdout.splitlines())) == (0, 4)
    assert '"urn:gateway' in converted.stdout

    again = run("feed", "new", sample, "--output", tmp_path / "feeds" / "st-mary.toml")
    assert (again.returncode, "exists already" in again.stderr) == (2, True)
    assert run("feed", "new", "-", data=sample.read_bytes()).stdout.count("[[feed]]") == 1


def test_a_sample_of_several_senders_gives_a_profile_for_each(tmp_path: Path) -> None:
    sample = tmp_path / "sample.hl7"
    sample.write_bytes(SAMPLE[0] + message("ADT^A01", PERSON, facility="LAKE") + message("ADT^A01", PERSON, facility="lake"))
    done = run("feed", "new", sample, "--output", tmp_path / "gateway.toml")
    assert done.returncode == 0
    assert [feed.name for feed in load(tmp_path / "gateway.toml").feeds()] == ["stmary", "lake"]
    named = run("feed", "new", sample, "--name", "x")
    assert (named.returncode, named.stdout) == (2, "")
    assert "2 senders" in named.stderr


def test_what_cannot_be_read_is_told_and_the_rest_is_used(tmp_path: Path) -> None:
    done = run("feed", "new", "-", data=b"nonsense\r" + SAMPLE[0])
    assert done.returncode == 1
    assert "begun from 1 message." in done.stdout
    for nothing in (b"", b"nonsense", b"{}"):
        done = run("feed", "new", "-", data=nothing)
        assert (done.returncode, done.stdout) == (1, "")
        assert "holds no HL7 v2 message" in done.stderr
        assert "Traceback" not in done.stderr
    assert run("feed", "new", tmp_path / "none.hl7").returncode == 2
    assert run("feed", "new", "-", "--name", "a,b", data=SAMPLE[0]).returncode == 2
    assert "--output" in run("feed", "new", "--help").stdout


@third_party
def test_every_third_party_sample_gives_a_profile_that_loads(tmp_path: Path) -> None:
    for file in sorted((DATA / "hl7v2").rglob("*.hl7")):
        messages = []
        for raw in reader.split(file.read_bytes()):
            if not raw.startswith(b"MSH"):
                continue
            messages.append(reader.read(raw))
        names: list[str] = []
        texts = []
        for seen in by_sender(messages):
            names.append(name_of(seen, names))
            texts.append(starter(seen, names[-1]))
        (tmp_path / "gateway.toml").write_text("\n".join(texts), encoding="utf-8")
        assert [feed.name for feed in load(tmp_path / "gateway.toml").feeds()] == names, file.name
