"""docs/search.md lists what can be searched, as the table of search parameters has it."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_lists_what_the_table_has() -> None:
    made = runpy.run_path(str(ROOT / "docs/search_table/__main__.py"))
    assert (ROOT / "docs/search.md").read_text(encoding="utf-8") == made["document"](), "run: python docs/search_table"
