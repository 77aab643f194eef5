"""Every resource that the gateway makes in any test is valid US Core: a test that makes another fails at its end, whatever else it is about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.needed import pytest_runtest_makereport as pytest_runtest_makereport
from tests.produced import Produced, versions, watch

_PRODUCED = pytest.StashKey[Produced]()
_COUNTS = pytest.StashKey[list[tuple[int, float]]]()
"""What each worker of a run held to US Core, and for how many seconds."""


@pytest.fixture(scope="session", autouse=True)
def produced(pytestconfig: pytest.Config) -> Iterator[Produced]:
    """What is made in the whole run."""
    made = pytestconfig.stash[_PRODUCED] = Produced()
    with pytest.MonkeyPatch.context() as patch:
        watch(patch, made)
        yield made


@pytest.fixture(autouse=True)
def everything_made_is_valid(produced: Produced, request: pytest.FixtureRequest) -> Iterator[None]:
    """Looks at what was made since the last test's end, by this one and what it needed."""
    yield
    wrong = produced.wrong()
    if request.node.get_closest_marker("theirs") is None:
        assert not wrong, "\n".join(wrong[:10])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its count to the run it belongs to."""
    made = session.config.stash.get(_PRODUCED, None)
    if made is not None and hasattr(session.config, "workeroutput"):
        session.config.workeroutput["produced"] = (made.checked, made.seconds)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take a worker's count; one that crashed has none."""
    counts = node.config.stash.setdefault(_COUNTS, [])
    counts.append(getattr(node, "workeroutput", {}).get("produced", (0, 0.0)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how much was held to US Core, by all workers."""
    counts = config.stash.get(_COUNTS, [])
    made = config.stash.get(_PRODUCED, None)
    if made is not None:
        counts = [*counts, (made.checked, made.seconds)]
    checked, seconds = sum(count for count, _ in counts), sum(spent for _, spent in counts)
    if checked:
        terminalreporter.write_line(f"{checked} resources held to US Core {' and '.join(versions())} in {seconds:.1f} s")
