"""Every resource that the gateway makes in any test is valid US Core: a test that makes another fails at its end, whatever else it is about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.produced import Produced, versions, watch

_PRODUCED = pytest.StashKey[Produced]()


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how much was held to US Core."""
    made = config.stash.get(_PRODUCED, None)
    if made is not None and made.checked:
        terminalreporter.write_line(f"{made.checked} resources held to US Core {' and '.join(versions())} in {made.seconds:.1f} s")
