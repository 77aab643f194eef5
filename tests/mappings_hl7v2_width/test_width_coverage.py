"""docs/mapping-coverage.md says what the code does, and that is at least 95 % of HL7's tables (issue 3)."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from width_support import PROFILE, resources

from tests.third_party import third_party

ROOT = Path(__file__).resolve().parents[2]
COVERAGE: dict[str, Any] = runpy.run_path(str(ROOT / "docs/mapping_coverage/__main__.py"))


@third_party
def test_the_document_is_current_and_covers_what_it_must() -> None:
    text = COVERAGE["document"]()
    assert (ROOT / "docs/mapping-coverage.md").read_text(encoding="utf-8") == text, "run: python docs/mapping_coverage"
    counted = re.search(r"\*\*(\d+) of (\d+) rows mapped", text)
    assert counted is not None
    assert int(counted[2]) == 677  # counted by hand in the tables: rows of these segments that name an attribute
    assert int(counted[1]) >= 0.95 * int(counted[2])
    assert "| ? |" not in text  # every row that is not mapped says why


@pytest.mark.parametrize("probe", COVERAGE["probes"](), ids=lambda probe: probe.split(b"|")[8].decode())
def test_what_the_document_rests_on_is_valid_r4_without_dangling_references(probe: bytes) -> None:
    assert resources(probe, PROFILE)
