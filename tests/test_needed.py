"""A run with CI=true leaves out nothing that needs a browser, a database, a broker or third-party data."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needed import NEEDED

TESTS = """
import pytest

@pytest.mark.parametrize("what", [pytest.param(name, marks=getattr(pytest.mark, name)) for name in {NEEDED}])
def test_marked(what):
    pytest.skip(f"there is no {{what}}")

@pytest.mark.browser
def test_known():
    pytest.xfail("known")

def test_unmarked():
    pytest.skip("of this machine")
"""


@pytest.mark.parametrize(
    ("ci", "result"),
    [("true", f"{len(NEEDED)} failed, 1 skipped, 1 xfailed"), ("", f"{len(NEEDED) + 1} skipped, 1 xfailed")],
    ids=["ci", "elsewhere"],
)
def test_what_is_needed_and_missing_fails_the_run_of_ci_alone(tmp_path: Path, ci: str, result: str) -> None:
    (tmp_path / "conftest.py").write_text("from tests.needed import pytest_runtest_makereport\n")
    (tmp_path / "test_it.py").write_text(TESTS.format(NEEDED=NEEDED))
    settings = {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "CI": ci}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", "--rootdir", str(tmp_path), str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings}, cwd=tmp_path).stdout
    assert result in said
    assert not ci or set(re.findall(r"there is no (\w+)", said)) == set(NEEDED)
