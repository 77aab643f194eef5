"""What some tests need beside Python may be missing on somebody's machine; they are skipped there with the reason. Where CI=true that fails them.

A run that left them out has not shown what they show.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

NEEDED = ("third_party", "postgres", "nats", "browser")
"""Markers of tests that need something."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    marked = [name for name in NEEDED if item.get_closest_marker(name)]
    if report.skipped and marked and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        report.outcome, report.longrepr = "failed", f"With CI=true a test that needs {', '.join(marked)} is not skipped. {reason}"
    return report
