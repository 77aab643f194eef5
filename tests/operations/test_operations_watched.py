"""What a gateway tells those who watch over it: /healthz, /readyz with reasons, /metrics, traces, logs without PHI, and `gateway doctor`."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway import tracing
from gateway.operations import machine
from gateway.operations.checks import Verdict
from gateway.settings import Settings
from tests.attacks_feeds.messages import FAMILY, FEEDS, PV1, message
from tests.attacks_feeds.processes import configure, here, serving
from tests.operations.beside import Authority, Beside, beside
from tests.operations.test_operations_doors import exchange, from_address

DISCHARGED = PV1.replace("20260302090000", "20260302090000|20260303090000")


def metrics(gateway: Beside) -> dict[tuple[str, ...], float]:
    """Each sample by its name and its labels' values."""
    text = httpx.get(gateway.url + "/metrics").text
    return {
        (sample.name, *(value for name, value in sorted(sample.labels.items()) if name != "le")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def send(gateway: Beside, *messages: bytes) -> None:
    with closing(from_address(gateway.mllp, "127.0.0.1")) as wire:
        for each in messages:
            assert exchange(wire, each)


def test_metrics_tell_of_every_feed_flag_and_queue(tmp_path: Path) -> None:
    with beside(tmp_path, FEEDS) as gateway:
        discharge = message("C2", event="ADT^A03^ADT_A03", at="20260303090000", pv1=DISCHARGED)
        send(gateway, message("C1"), discharge, message("C3", event="ADT^A99", facility="STRICT"), b"MSH|^~\\&|")
        gateway.do(gateway.gateway.operations.tally())
        told = metrics(gateway)
        assert told["gateway_messages_received_total", "st-mary"] == 2
        assert told["gateway_messages_acknowledged_total", "AA", "st-mary"] == 2
        assert told["gateway_messages_acknowledged_total", "AR", "strict"] == 1
        assert told["gateway_acknowledgement_seconds_count", "st-mary"] == 2
        assert told["gateway_messages_quarantined",] == 2
        assert told["gateway_messages_under_way",] == 0
        assert told["gateway_queue_depth",] == 0
        assert told["gateway_oldest_unprocessed_seconds",] == 0
        assert told["gateway_feed_silent", "st-mary"] == 0
        assert told["gateway_ready",] == 1
        assert told["gateway_store_bytes",] > 0
        # discharged in March 2026 with nothing booked and no agency asked: DESIGN's flag, and the windows of 7 and 30 days over long ago
        assert told["gateway_transition_flags", "no-follow-up-scheduled"] == 1
        assert told["gateway_transition_flags", "no-follow-up-7-days"] == 1
        assert told["gateway_transitions_flagged",] == 1
        assert FAMILY not in httpx.get(gateway.url + "/metrics").text


def test_ready_says_why_not_and_healthz_lives_on(tmp_path: Path) -> None:
    with beside(tmp_path, FEEDS) as gateway:
        assert httpx.get(gateway.url + "/readyz").text == "ok\n"
        with closing(sqlite3.connect(tmp_path / "gateway.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(2.1)  # longer than an answer is given again
            locked = httpx.get(gateway.url + "/readyz", timeout=20)
            assert locked.status_code == 503
            assert "failed store: it does not answer in time" in locked.text  # the store itself waits for a lock longer than who asks
            while "The store is locked by another process" not in (told := httpx.get(gateway.url + "/readyz", timeout=20)).text:
                assert told.status_code == 503
            assert httpx.get(gateway.url + "/healthz").text == "ok\n"
            other.execute("ROLLBACK")
        gateway.gateway.operations.stop()
        stopping = httpx.get(gateway.url + "/readyz")
        assert (stopping.status_code, stopping.text) == (503, "not ready\nfailed gateway: it is being stopped\n")


def test_a_store_of_another_version_is_not_ready(tmp_path: Path) -> None:
    with beside(tmp_path, FEEDS) as gateway:
        with closing(sqlite3.connect(tmp_path / "gateway.sqlite")) as other:
            other.execute("UPDATE alembic_version SET version_num = '0001'")
            other.commit()
        assert "failed migrations: the store is at revision 0001" in httpx.get(gateway.url + "/readyz").text


@pytest.mark.parametrize(
    ("now", "last", "verdict"),
    [
        (1_795_312_800_000_000, 1_795_312_800_000_000, Verdict.OK),
        (1_795_312_800_000_000, 1_795_312_800_000_000 + 3600 * 10**6, Verdict.WARNING),  # set back by an hour
        (1_795_312_800_000_000, 0, Verdict.OK),
        (86_400 * 10**6, 0, Verdict.FAILED),  # 1970: a machine whose battery is empty
    ],
)
def test_a_clock_that_cannot_be_right_is_told(now: int, last: int, verdict: Verdict) -> None:
    assert machine.clock(now, last).verdict is verdict


def test_a_disk_without_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, verdict in ((100 * 1024**3, Verdict.OK), (1024**3, Verdict.WARNING), (100 * 1024**2, Verdict.FAILED)):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: shutil._ntuple_diskusage(500 * 1024**3, 0, free))  # type: ignore[attr-defined]
        assert machine.disk(tmp_path).verdict is verdict


# --- doctor


def doctor(data: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    done = here("doctor", "--data", data, "--json")
    return done.returncode, {row["check"] + ": " + row["words"]: row for row in orjson.loads(done.stdout)}


def found(rows: dict[str, dict[str, Any]], words: str) -> dict[str, Any]:
    (row,) = [row for told, row in rows.items() if words in told]
    return row


def test_the_doctor_finds_a_new_installation_well_and_says_what_is_missing(tmp_path: Path) -> None:
    code, rows = doctor(configure(tmp_path / "data", FEEDS))
    assert code == 0
    assert {row["verdict"] for row in rows.values()} <= {"ok", "warning"}
    assert found(rows, "feed st-mary: never heard")["verdict"] == "warning"
    assert found(rows, "integrity: undamaged")["verdict"] == "ok"
    assert all(row["advice"] for row in rows.values() if row["verdict"] != "ok")
    shown = here("doctor", "--data", tmp_path / "data").stdout.decode().splitlines()
    columns = {line.index(line.split("  ", 1)[1].lstrip()) for line in shown if line.startswith(("ok", "look"))}
    assert columns == {8}
    assert shown[-1].endswith("to look at")


def test_the_doctor_fails_on_what_does_not_work(tmp_path: Path) -> None:
    ours = Authority("county")
    ours.issue(tmp_path / "server", "server", days=-1)
    (tmp_path / "server.key").chmod(0o644)
    data = configure(tmp_path, f'tls_certificate = "server.crt"\ntls_key = "server.key"\n{FEEDS}[retention]\naudit_days = 30\n')
    with closing(sqlite3.connect(data / "gateway.sqlite")) as damaged:
        damaged.execute("CREATE TABLE alembic_version (version_num)")
        damaged.execute("INSERT INTO alembic_version VALUES ('9999')")
        damaged.commit()
    code, rows = doctor(data)
    assert code == 1
    assert found(rows, "tls_certificate has ended")["verdict"] == "failed"
    assert found(rows, "a TLS key can be read by others")["verdict"] == "failed"
    assert found(rows, "newer version")["verdict"] == "failed"
    assert found(rows, "before six years are over")["verdict"] == "warning"
    assert str(tmp_path) not in orjson.dumps(rows).decode()


def test_the_doctor_sees_what_waits_in_quarantine_and_who_is_told_nothing_any_more(tmp_path: Path) -> None:
    from gateway.store.outbox import SubscriptionRow
    from gateway.store.sqlite import open_sqlite

    data = configure(tmp_path, FEEDS)
    with beside(tmp_path, FEEDS) as gateway:
        send(gateway, message("C1", event="ADT^A99"))
    with closing(open_sqlite(data / "gateway.sqlite")) as store:
        store.subscriptions.add(SubscriptionRow("s1", "river-app", "river", "error", b"{}", (), 1, 1, 1, events=9, delivered=2, failures=4))
    code, rows = doctor(data)
    assert code == 1
    assert found(rows, "1 messages were not understood")["verdict"] == "warning"
    assert found(rows, "river-app is told nothing any more; 7 events wait")["verdict"] == "failed"


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('[store]\nurl = "postgresql://gateway:hunter2@127.0.0.1/x"', "holds a password"),
        ('[http]\ntrusted_proxies = ["*"]', "trusted_proxies is *"),
        ("[http]\nclient_rate = 0", "without limit"),
        ("[subscriptions]\nprivate = true", "private networks"),
        ('[[feed]]\nname = "x"', "no timezone"),
        ('[tracing]\nendpoint = "http://traces.example.org/v1/traces"', "not encrypted"),
    ],
)
def test_choices_that_should_be_known_of_are_named(toml: str, words: str) -> None:
    import tomllib

    from gateway.operations.choices import choices

    assert any(words in each.words for each in choices(Settings(**tomllib.loads(toml))))


# --- traces and logs


def test_without_a_collector_nothing_of_opentelemetry_is_imported() -> None:
    program = "import sys, gateway.app, gateway.http_application, gateway.tracing\nwith gateway.tracing.span('x') as s: s.set_attribute('a', 1)\n"
    done = subprocess.run(
        [sys.executable, "-c", program + "print([m for m in sys.modules if 'opentelemetry' in m])"], capture_output=True, check=True
    )
    assert done.stdout == b"[]\n"


def test_traces_tell_what_was_done_and_of_whom_nothing(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry is an extra")
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    tracing.start("", 1.0, exporter)
    try:
        with beside(tmp_path, FEEDS) as gateway:
            send(gateway, message("C1"))
            httpx.get(gateway.url + "/fhir/Patient/secret-id?name=" + FAMILY)
    finally:
        tracing.stop()
    spans = {span.name: dict(span.attributes or {}) for span in exporter.get_finished_spans()}
    assert spans["hl7v2 message"] == {"feed": "st-mary", "acknowledged": "AA"}
    assert spans["http request"] == {"method": "GET", "path": "/fhir/Patient", "status": 401}
    assert spans["commit"]["inputs"]
    assert FAMILY not in str(spans)


def test_logs_are_json_without_phi(tmp_path: Path) -> None:
    with serving(tmp_path / "data", FEEDS) as running:
        running.send(message("C1"), message("C2", event="ADT^A99"), message("C3", pid=f"PID|1||^^^^||{FAMILY}^Ada"))
        running.stop()
    lines = running.said.splitlines()
    logged = [orjson.loads(line) for line in lines if line.startswith(b"{")]
    assert {each["level"] for each in logged} >= {"warning"}
    assert all(each["timestamp"] and each["event"] for each in logged)
    assert FAMILY.encode() not in running.said
    assert b"1001" not in running.said
