"""What senders get wrong costs no more than itself (issue 3, point 7): dates, nulls, escapes, character sets, frames, people, size."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from width_support import PID, PROFILE, PV1, identify, message, resources, said, translated

from gateway.er7 import reader
from gateway.mappings.hl7v2.bundle import convert

HEADER = rb"MSH|^~\&|REG|STMARY|GW|COUNTY|20261122080001||ADT^A08|M1|P|2.5.1"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026", "2026"),
        ("202611", "2026-11"),
        ("20261122", "2026-11-22"),
        ("202611220730", "2026-11-22T07:30:00-06:00"),
        ("20261122073015+0110", "2026-11-22T07:30:15+01:10"),
        ("20261122073015-1200", "2026-11-22T07:30:15-12:00"),
        ("20261122073015.1-0600", "2026-11-22T07:30:15.1-06:00"),
        ("20261122073015.123456789-0600", "2026-11-22T07:30:15.123456789-06:00"),
    ],
)
def test_precision_offset_and_fraction_are_kept(sent: str, kept: str) -> None:
    data = message("ADT^A08", PID, "PV1|1|I|BHU" + "|" * 16 + "V9" + "|" * 25 + sent)
    assert resources(data)["Encounter"][0]["period"]["start"] == kept


@pytest.mark.parametrize("sent", ["201904714005700", "something wrong here", "20261399", "20260230", "0000", "20261122 0730", "99999999999999"])
def test_a_bad_date_is_reported_and_the_rest_goes_on(sent: str) -> None:
    data = message("ADT^A03", f"PID|1||S1^^^^MR||Hollis^Marian||{sent}|F", "PV1|1|I|BHU" + "|" * 16 + f"V9{'|' * 17}01{'|' * 8}{sent}|{sent}")
    found = resources(data)
    assert (found["Patient"][0]["name"][0]["family"], found["Patient"][0]["gender"]) == ("Hollis", "female")
    assert found["Encounter"][0]["status"] == "finished"
    assert "birthDate" not in found["Patient"][0]
    assert {"PID-7", "PV1-44", "PV1-45"} <= {report.location for report in translated(data).reports if report.code == "102"}


def test_null_deletes_and_empty_says_nothing() -> None:
    person = said(message("ADT^A08", 'PID|1||S1^^^^MR||""||""||||||""', PV1), "person")[0]
    assert {"name", "birthDate", "telecom"} <= set(person.deletes)
    assert not {"gender", "address"} & set(person.deletes)
    assert '""' not in json.dumps(person.own).replace(r"\"\"", '""')


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"a\F\b", "a|b"),
        (r"a\S\b", "a^b"),
        (r"a\T\b", "a&b"),
        (r"a\R\b", "a~b"),
        (r"a\E\b", "a\\b"),
        (r"a\.br\b", "a\nb"),
        (r"a\X41\b", "aAb"),
        (r"a\X0D\b", "a\rb"),
        (r"a\H\b\N\c", "abc"),
        (r"a\C2842\b", "ab"),
        (r"a\Zxx\b", r"a\Zxx\b"),
        (r"C:\temp", r"C:\temp"),
    ],
)
def test_escapes_mean_what_the_standard_says(sent: str, meant: str) -> None:
    data = message("ADT^A01", PID, PV1, f"OBX|1|ST|N^Note||{sent}||||||F")
    assert resources(data)["Observation"][0]["valueString"] == meant


@pytest.mark.parametrize(
    ("named", "codec"),
    [
        ("UNICODE UTF-8", "utf-8"),
        ("8859/1", "latin-1"),
        ("8859/15", "iso8859-15"),
        ("", "utf-8"),
        ("", "cp1252"),
        ("NO SUCH", "utf-8"),
        ("ASCII", "utf-8"),
    ],
)
def test_names_come_through_in_the_set_named_or_as_it_fits(named: str, codec: str) -> None:
    data = b"\r".join((HEADER + b"||||||" + named.encode(), "PID|1||S1^^^^MR||Müller^Zoë".encode(codec), PV1.encode()))
    name = said(data, "person")[0].own["name"][0]
    assert (name["family"], name["given"]) == ("Müller", ["Zoë"])


def test_two_msh_in_one_frame_are_two_messages() -> None:
    one, other = message("ADT^A08", PID, PV1), message("ADT^A08", "PID|1||S2^^^^MR||Poe^Edgar", PV1)
    families = [
        entry["resource"]["name"][0]["family"]
        for made in convert(one + b"\r" + other, [PROFILE], 1_800_000_000_000_000, identify)
        for entry in made["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    ]
    assert families == ["Hollis", "Poe"]


def test_of_several_people_nobody_is_told_what_is_anothers() -> None:
    """An update is about one person: the second PID is reported, and neither their name nor their number is the first one's."""
    data = message("ADT^A08", PID, PV1, "PID|2||S2^^^^MR||Poe^Edgar||19700101|M")
    (patient,) = resources(data)["Patient"]
    assert [one["value"] for one in patient["identifier"]] == ["S1"]
    assert [one["family"] for one in patient["name"]] == ["Hollis"]
    assert "PID[2]" in {report.location for report in translated(data).reports}


def _steps(work: Callable[[], Any]) -> int:
    """Lines of Python run: what time follows, without a clock."""
    count = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "segments",
    [
        lambda n: ("TXA|1|DS|TX|20261122||||||||D9|||||AU", "OBX|1|ED|DS||^AP^PDF^Base64^" + "QUJD" * (100 * n) + "||||||F"),
        lambda n: ("TXA|1|DS|TX|20261122||||||||D9|||||AU", *(f"OBX|{i}|TX|DS||line {i}||||||F" for i in range(20 * n))),
        lambda n: ("TXA|1|DS|TX|20261122||||||||D9|||||AU", "OBX|1|TX|DS||" + r"a\T\b~" * (100 * n) + "||||||F"),
    ],
    ids=["one document", "many lines", "many escapes and repetitions"],
)
def test_work_grows_with_the_message_and_not_with_its_square(segments: Callable[[int], tuple[str, ...]]) -> None:
    def work(n: int) -> int:
        data = message("MDM^T02", PID, PV1, *segments(n))
        translated(data)  # what is remembered of the sender is not counted
        return _steps(lambda: translated(data))

    assert work(40) < 5 * work(10)


def test_a_document_of_megabytes_comes_through_whole() -> None:
    packed = "QUJD" * 1_000_000
    data = message("MDM^T02", PID, PV1, "TXA|1|DS|TX|20261122||||||||D9|||||AU", f"OBX|1|ED|DS||^AP^PDF^Base64^{packed}||||||F")
    assert reader.read(data).first("OBX") is not None
    assert said(data, "document")[0].own["content"][0]["attachment"]["data"] == packed


def test_a_disposition_of_delimiters_alone_is_an_unknown_one() -> None:
    data = message("ADT^A03", PID, "PV1|1|I|BHU" + "|" * 16 + "V9" + "|" * 17 + "^~&\\")
    assert resources(data)["Encounter"][0]["hospitalization"]["dischargeDisposition"]["text"]
    assert said(data, "stay")[0].facts["disposition"]["code"] == ""
