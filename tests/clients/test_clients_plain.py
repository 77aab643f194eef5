"""Clients as plain as they come: one that posts batches with a slash behind the base, and python-hl7's `mllp_send` command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import hl7
import pytest

from tests.attacks_privacy.town import MAJOR_DEPRESSION, Client, pv1
from tests.clients.house import House

# --- batches -----------------------------------------------------------------------------------------------------------


def batch(*urls: str) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": url}} for url in urls]}


@pytest.mark.parametrize("path", ["/fhir/", "/fhir"])
def test_a_batch_is_taken_with_and_without_a_slash_behind_the_base(home: House, path: str) -> None:
    answer = home.river.ask("POST", path, json=batch(f"Patient/{home.patients[0]}", "Task?_count=1", "Patient/none"))
    assert answer.status_code == 200
    assert answer.json()["type"] == "batch-response"
    assert [entry["response"]["status"][:3] for entry in answer.json()["entry"]] == ["200", "200", "404"]


def test_a_redirect_would_lose_the_body(home: House) -> None:
    """Other addresses with a slash behind them are answered as well, and none by a redirect."""
    for path in ("/fhir/Patient/", f"/fhir/Patient/{home.patients[0]}/", "/fhir/metadata/", "/api/transitions/"):
        assert home.river.get(path).status_code == 200, path


def test_total_method_is_no_parameter_of_r4(home: House) -> None:
    asked = {"_count": "0", "_totalMethod": "count"}
    refused = home.river.get("/fhir/Patient", params=asked)
    assert refused.status_code == 400
    assert refused.json()["issue"][0]["expression"] == ["Patient?_totalMethod"]
    lenient = home.river.get("/fhir/Patient", params=asked, headers={"Prefer": "handling=lenient"})
    assert lenient.status_code == 200
    assert lenient.json()["total"] == len(home.patients)
    (own,) = [link["url"] for link in lenient.json()["link"] if link["relation"] == "self"]
    assert "_totalMethod" not in own


def test_a_search_inside_a_batch_keeps_to_the_same_rule(home: House) -> None:
    body = batch("Patient?_count=0&_totalMethod=count")
    strict = home.river.ask("POST", "/fhir/", json=body)
    assert strict.json()["entry"][0]["response"]["status"].startswith("400")
    lenient = home.river.ask("POST", "/fhir/", json=body, headers={"Prefer": "handling=lenient"})
    assert lenient.json()["entry"][0]["resource"]["total"] == len(home.patients)


# --- mllp_send ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def messages(home: House, tmp_path: Path) -> Path:
    """The admission and discharge of a client who is Harbor's, as lines of a text file."""
    stamp = home.town.at.strftime("%Y%m%d%H%M%S+0000")
    written = ""
    for number, event in ((1, "A01"), (2, "A03")):
        ended = home.town.at if event == "A03" else None
        lines = (
            f"MSH|^~\\&|ADT|STMARY|GW|COUNTY|{stamp}||ADT^{event}^ADT_{event}|PYHL7-{number}|P|2.5.1||||||UNICODE UTF-8",
            f"EVN||{stamp}",
            Client("7101", "Hazel^Ida", postal_code="62501").pid("STMARY"),
            pv1("BHU", "V7101", home.town.at.replace(day=1), ended, "01" if ended else ""),
            MAJOR_DEPRESSION,
        )
        written += "\n".join(lines) + "\n"
    path = tmp_path / "messages.hl7"
    path.write_text(written)
    return path


def mllp_send(home: House, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The command as it is installed beside this Python."""
    host, port = home.gateway.mllp
    command = [str(Path(sys.executable).with_name("mllp_send")), "--port", str(port), *arguments, host]
    return subprocess.run(command, capture_output=True, timeout=30)


def test_mllp_send_is_acknowledged_and_what_it_sent_is_seen(home: House, messages: Path) -> None:
    done = mllp_send(home, "--loose", "--file", str(messages))
    assert done.returncode == 0, done.stderr
    told = [hl7.parse(text) for text in done.stdout.decode().strip("\n").split("\x0b") if text.strip()]
    assert [(str(each["MSA"][0][1]), str(each["MSA"][0][2])) for each in told] == [("AA", "PYHL7-1"), ("AA", "PYHL7-2")]
    assert [each["name"][0]["family"] for each in home.town.harbor.search("Patient", identifier="https://st-mary.example.org/mrn|7101")] == ["Hazel"]


def test_mllp_send_again_is_answered_as_before_and_counted_once(home: House, messages: Path) -> None:
    first, again = (mllp_send(home, "--loose", "--file", str(messages)).stdout for _ in range(2))
    assert again == first
    assert len(home.town.harbor.search("Encounter", identifier="V7101")) == 1


def test_mllp_send_is_told_what_is_wrong_with_a_message(home: House, tmp_path: Path) -> None:
    bad = tmp_path / "bad.hl7"
    bad.write_text("MSH|^~\\&|ADT|STMARY|GW|COUNTY|20260320180000||ADT^A01^ADT_A01|PYHL7-BAD|P|2.5.1\nEVN||20260320180000\nPV1|1|I\n")
    done = mllp_send(home, "--loose", "--file", str(bad))
    (told,) = [hl7.parse(text) for text in done.stdout.decode().strip("\n").split("\x0b") if text.strip()]
    assert str(told["MSA"][0][1]) == "AE"
    assert "PID" in str(told["ERR"])
