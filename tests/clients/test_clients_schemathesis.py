"""schemathesis over the OpenAPI description: no 5xx, no answer that is not declared, none of another shape than declared."""

from __future__ import annotations

import multiprocessing
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.attacks_privacy.town import Json
from tests.clients.fuzzing import Fuzzer
from tests.clients.house import House, house

QUICK = (4, 0)
"""Cases of an operation that has none like it, and of one that differs from others by its type alone: in an ordinary run."""
THOROUGH = (60, 12)
"""The same, in a sweep."""
WORKERS = 2
ALONE = ("Appointment", "Communication", "Consent", "Group", "Patient", "Subscription", "Task")
"""Types that clients write, or that have operations of their own."""


def is_of_a_kind(label: str) -> bool:
    """Whether other operations are like this one but for the type: those of types that are only read, and of what a Patient's address finds."""
    steps = label.split(" ")[1].split("/")[1:]
    if steps[0] != "fhir" or len(steps) < 2 or not steps[1][:1].isupper():
        return False
    return steps[1] not in ALONE or (steps[1] == "Patient" and len(steps) == 4 and steps[3][:1].isupper())


def fuzzed(folder: Path, share: int, workers: int, cases: tuple[int, int]) -> tuple[int, dict[int, int], list[str]]:
    """How many cases were sent of a share of the operations, how often each status came, and what was wrong."""
    wrong = []
    with house(folder) as home:
        fuzzer = Fuzzer(home)
        wanted = {each.label: cases[is_of_a_kind(each.label)] for each in fuzzer.operations}
        for label in sorted(label for label, most in wanted.items() if most)[share::workers]:
            try:
                fuzzer.fuzz(label, wanted[label], zlib.crc32(label.encode()))
            except AssertionError as error:
                wrong.append(f"{label}: {error}")
            except BaseExceptionGroup as group:
                wrong += [f"{label}: {each}" for each in group.exceptions]
        fuzzer.close()
    return sum(fuzzer.sent.values()), dict(fuzzer.statuses), wrong


@pytest.mark.theirs  # what is sent need not be US Core
def test_no_case_is_answered_in_a_way_that_is_not_declared(tmp_path: Path) -> None:
    sent, statuses, wrong = fuzzed(tmp_path, 0, 1, QUICK)
    assert wrong == []
    assert sent > 300
    assert {200, 201, 400, 401, 403, 404, 422} <= set(statuses), "the cases reach every kind of answer"


def test_an_answer_that_is_not_declared_is_found(home: House) -> None:
    """What looks for faults finds one: the same description without its 404."""

    def without(described: Json) -> Json:
        del described["paths"]["/fhir/Task/{id}"]["get"]["responses"]["404"]
        return described

    fuzzer = Fuzzer(home, without)
    with pytest.raises(BaseExceptionGroup) as found:
        fuzzer.fuzz("GET /fhir/Task/{id}", 30, 1)
    fuzzer.close()
    assert "404" in str(found.value.exceptions)


@pytest.mark.sweep
def test_ten_thousand_cases(tmp_path: Path) -> None:
    """Every operation, by several processes, each with a gateway of its own."""
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as pool:
        shares = [pool.submit(fuzzed, tmp_path / str(each), each, WORKERS, THOROUGH) for each in range(WORKERS)]
        found = [each.result() for each in shares]
    print(f"{sum(sent for sent, _, _ in found)} cases, by status {[statuses for _, statuses, _ in found]}")
    assert [each for _, _, wrong in found for each in wrong] == []
    assert sum(sent for sent, _, _ in found) >= 10_000
