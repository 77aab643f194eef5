"""Every command of the pages for readers (hospital, agency, search, integration-engineer) runs, as written, against a running demo."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("hospital", "agency", "search", "integration-engineer", "operations")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A folder that looks like the project's, with a demo serving from it."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "docs").symlink_to(ROOT / "docs")
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("gateway", "python"):
        (folder / ".venv" / "bin" / name).write_text(f'#!/bin/sh\nexec {Path(sys.executable).parent / name} "$@"\n')
        (folder / ".venv" / "bin" / name).chmod(0o755)
    port = _two_free_ports()
    demo = subprocess.Popen(
        [str(folder / ".venv/bin/gateway"), "demo", "--data", "demo-data", "--port", str(port)], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    try:
        assert demo.stderr is not None
        said = ""
        while "Serving" not in said:
            line = demo.stderr.readline()
            assert line, said
            said += line
        yield folder, port
    finally:
        demo.terminate()
        demo.communicate(timeout=30)


def _two_free_ports() -> int:
    for _ in range(50):
        with socket.create_server(("127.0.0.1", 0)) as one:
            port = int(one.getsockname()[1])
            try:
                socket.create_server(("127.0.0.1", port + 1)).close()
            except OSError:
                continue
            return port
    raise AssertionError("no two neighbouring ports are free")


def commands(page: str, port: int) -> str:
    """The page's commands but for those that start a gateway or need it stopped, with the demo's ports."""
    text = (ROOT / "docs" / f"{page}.md").read_text()
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    kept = [textwrap.dedent(block) for block in blocks if not re.search(r"gateway (demo|serve|rebuild) ", block)]
    script = "\n".join(kept)
    return script.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("127.0.0.1:8081", f"127.0.0.1:{port + 1}")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_works(folder: tuple[Path, int], page: str) -> None:
    place, port = folder
    script = commands(page, port)
    done = subprocess.run(["bash", "-c", script], cwd=place, capture_output=True, text=True, timeout=300)
    told = done.stdout + done.stderr
    assert "Traceback" not in told
    assert "not found" not in done.stderr
    assert "OperationOutcome" not in done.stdout
    assert not [line for line in done.stdout.splitlines() if re.fullmatch(r"[45]\d\d", line)]
    for sign in SIGNS[page]:
        assert re.search(sign, told), (sign, told)


SIGNS = {
    "operations": [
        r"ok +integrity +undamaged",
        r"checks: 0 failed",
        r"^ok$|\nok\n",
        r"gateway_ready 1\.0",
        r"gateway_transition_flags\{flag=",
        r"0  expired exports",
    ],
    "hospital": [r"DOC0001 AA", r"DOC0002 AA", r"Erika Example", r"DOC0003 A[ER]", r"MSA\|AA", r'"resourceType":"Bundle"'],
    "agency": [r"\b20[01]\b", r"Case manager - Dana Whitcomb", r'"cursor"|cursor', r'"open":false.*two on leave', r'"open":true,"places":4'],
    "search": [
        r"None \['Task', 'Task', 'Task'\]",
        r"1 \['Patient'\]\n1 \['Patient'\]\n",
        r"1 \['Task'\]\n1 \['Task'\]\n[1-9]\d* \['Patient'\]",
        r"None \['Task', 'Patient', 'Encounter', 'Organization'\]",
        r"1 \['Patient', 'ServiceRequest'",
        r"[1-9]\d* \[\]\n",
        r"None \['Task', 'Task'\]\n1 \['Encounter'\]",
    ],
    "integration-engineer": [
        r"duplicate",
        r"quarantined",
        r"No follow-up scheduled",
        r"rule care-plan, version 2",
        r"The page is in client\.html",
        r"us-core-6\.1\.0: 0 errors",
        r"closed as left-region;",
        r"prairie-youth: open",
        r"harbor-house: open",
        r"harbor-ehr",
        r"[\w-]{43} signs now",
        r"[\w-]{43} 20\d\d-\S+ signs\n",
        r"[1-9]\d* clients\.ndjson",
        r"exported as of 20\d\d-",
        r"\['information'\]|\['warning'\]",
        r"201\n200\n200\n",
        r"201 http\S+/fhir/Appointment/\w+/_history/1\n201 http\S+/fhir/Communication/\w+/_history/1\n204",
        r"PV1-2\[1\]\.1 +STAT +mapped +.*Encounter\.class",
    ],
}
"""What must be seen when a page has been followed."""
