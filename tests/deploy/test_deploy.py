"""deploy/: each file is read by the tool that it is for, and names nothing that the gateway does not have."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import yaml

from gateway.settings import Settings, load
from tests.attacks_feeds.messages import FEEDS
from tests.operations.beside import beside

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def tool(name: str, package: str) -> str:
    """A program, or the reason for which the test is skipped; with CI=true it fails."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed (Debian: {package})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def told(*command: str | Path) -> str:
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False, cwd=DEPLOY / "prometheus")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_reads_the_unit_and_finds_it_hardened(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze", "systemd")
    unit = tmp_path / "care-transition-gateway.service"
    text = (DEPLOY / "systemd" / unit.name).read_text()
    program = re.search(r"ExecStart=(\S+) (\S+)", text)
    assert program is not None
    assert program[2] == "serve"
    unit.write_text(text.replace(program[1], str(Path(sys.executable).parent / "gateway")))
    assert told(analyze, "verify", "--man=no", unit) == ""
    exposure = re.search(r"level for \S+: ([\d.]+)", told(analyze, "security", "--offline=true", "--no-pager", unit))
    assert exposure is not None
    assert float(exposure[1]) < 2  # systemd's own scale: 0 is none, 10 is all


def test_promtool_reads_the_alerts_and_they_rise_when_they_should() -> None:
    promtool = tool("promtool", "prometheus")
    assert "SUCCESS" in told(promtool, "check", "rules", "alerts.yml")
    assert "SUCCESS" in told(promtool, "test", "rules", "alerts_test.yml")


def expressions() -> set[str]:
    alerts = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    board = orjson.loads((DEPLOY / "grafana" / "dashboard.json").read_bytes())
    found = {rule["expr"] for group in alerts["groups"] for rule in group["rules"]}
    return found | {target["expr"] for panel in board["panels"] for target in panel["targets"]}


def test_every_metric_and_label_that_is_watched_exists(tmp_path: Path) -> None:
    with beside(tmp_path, FEEDS) as gateway:
        said = httpx.get(gateway.url + "/metrics").text
    exported = {line.split()[2] for line in said.splitlines() if line.startswith("# TYPE")}
    used = {name.removesuffix("_bucket") for each in expressions() for name in re.findall(r"gateway_\w+", each)}
    assert used
    assert used - exported == set()


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    board = orjson.loads((DEPLOY / "grafana" / "dashboard.json").read_bytes())
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= set(board)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert max(x for x, _ in cells) < 24  # Grafana's grid has 24 columns
        assert not taken & cells, panel["title"]
        taken |= cells
        assert panel["datasource"]["uid"] == "${datasource}"


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / "gateway.yaml").read_text()))


def test_kubernetes_takes_the_manifest() -> None:
    import kubernetes_validate

    for each in manifests():
        kubernetes_validate.validate(each, "1.32", strict=True)


def test_the_manifests_parts_fit_together(tmp_path: Path) -> None:
    by_kind = {(each["kind"], each["metadata"]["name"]): each for each in manifests()}
    pod = by_kind["Deployment", "gateway"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for (kind, _), each in by_kind.items():
        if kind == "Service":
            assert each["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
            assert {port["targetPort"] for port in each["spec"]["ports"]} <= set(ports)
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["spec"]["volumes"]}
    assert {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")} == {"/healthz", "/readyz"}
    (tmp_path / "gateway.toml").write_text(by_kind["ConfigMap", "gateway"]["data"]["gateway.toml"])
    settings = load(tmp_path / "gateway.toml")
    assert {int(settings.http.listen.rpartition(":")[2]), int(settings.mllp.listen.rpartition(":")[2])} == set(ports.values())


def test_the_compose_file_is_read_and_its_parts_fit_together(tmp_path: Path) -> None:
    """By Docker's own tool where it is there (`docker compose`, which Debian does not package); always by what its services say."""
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0:
        told(docker, "compose", "-f", DEPLOY / "compose.yaml", "config", "--quiet")
    service = compose["services"]["gateway"]
    assert set(service["depends_on"]) <= set(compose["services"])
    named = {each.split(":")[0] for one in compose["services"].values() for each in one["volumes"] if not each.startswith((".", "/"))}
    assert named == set(compose["volumes"])
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    settings = load(DEPLOY / "compose-gateway.toml")
    assert settings.agency
    variables = {name.removeprefix("GATEWAY_").split("__")[0].lower() for name in service["environment"] if name.startswith("GATEWAY_")}
    assert variables <= set(Settings.model_fields)


def test_the_image_is_built_of_files_that_there_are_and_may_be_sent_to_the_builder() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]]
    let_through = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied
    assert all((ROOT / each).exists() for each in copied)
    assert set(copied) == let_through
    assert any(line.startswith("USER ") and line != "USER root" for line in lines)
