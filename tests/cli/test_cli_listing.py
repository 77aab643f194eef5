"""`gateway transitions list`: per agency, hospital, case manager and flag, in the list's own order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.cli.listing import Wanted, list_wanted
from gateway.errors import Usage
from gateway.settings import load
from gateway.store.interface import ALL, Change, TransitionRow
from gateway.stores import open_store

TOML = """
[[agency]]
id = "river"
name = "River Community Mental Health"
postal_codes = ["627*"]
[[agency]]
id = "harbor"
name = "Harbor House"
postal_codes = ["625*"]
"""
KEPT = [
    # id, tier, agency, hospital, case managers, flags
    ("urgent", 0, "river", "St. Mary Medical Center", ["Dana Whitcomb"], ["no-follow-up-scheduled", "no-contact"]),
    ("high", 1, "river", "Lakeside General", ["Bo Lindgren"], ["no-contact"]),
    ("standard", 2, "harbor", "St. Mary Medical Center", [], ["kind-unconfirmed"]),
    ("nobody's", 2, "", "Lakeside General", [], []),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listing")
    (folder / "gateway.toml").write_text(TOML)
    store = open_store(load(folder / "gateway.toml"), folder)
    with store.write(1) as writer:
        writer.apply(Change(writer.bind(["somebody"], None), transitions=[row(due, *each) for due, each in reversed(list(enumerate(KEPT)))]))
    store.close()
    return folder


def row(due: int, name: str, tier: int, agency: str, hospital: str, managers: list[str], flags: list[str]) -> TransitionRow:
    body: dict[str, Any] = {"id": name, "case_managers": managers, "flags": [{"code": code} for code in flags]}
    return TransitionRow(ALL, name, orjson.dumps(body), "open", bool(flags), tier, due, hospital, agency)


@pytest.mark.parametrize(
    ("asked", "limit", "expected"),
    [
        ({}, None, ["urgent", "high", "standard", "nobody's"]),
        ({}, 2, ["urgent", "high"]),
        ({"flagged": True}, None, ["urgent", "high", "standard"]),
        ({"agency": "river"}, None, ["urgent", "high"]),
        ({"agency": "coordinator"}, None, ["nobody's"]),
        ({"hospital": "lakeside"}, None, ["high", "nobody's"]),
        ({"case_manager": "dana"}, None, ["urgent"]),
        ({"flag": "no-contact"}, None, ["urgent", "high"]),
        ({"flag": "kind-unconfirmed"}, None, ["standard"]),
        ({"flag": "arrival-not-seen"}, None, []),
        ({"agency": "river", "hospital": "MARY", "flag": "no-contact"}, None, ["urgent"]),
        ({"hospital": "St. Mary"}, 1, ["urgent"]),
    ],
)
def test_whose_part_of_the_list(asked: dict[str, Any], limit: int | None, expected: list[str], data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    list_wanted(Wanted(**asked), limit, data, None, as_json=True)
    assert [each["id"] for each in orjson.loads(capfd.readouterr().out)] == expected


@pytest.mark.parametrize(
    ("asked", "names"), [({"flag": "no-such"}, "no-contact"), ({"agency": "no-such"}, "harbor, river, coordinator"), ({"status": "no-such"}, "void")]
)
def test_a_word_that_means_nothing_is_refused_with_those_there_are(asked: dict[str, str], names: str, data: Path) -> None:
    with pytest.raises(Usage) as refused:
        list_wanted(Wanted(**asked), None, data, None, as_json=True)
    assert names in str(refused.value)
    assert str(refused.value.location) == f"--{next(iter(asked))}"
