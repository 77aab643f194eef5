"""What a poller of the feed is answered: 304, an empty page, the end of a wait, and nothing at all once it was revoked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.gateway_api import CALLERS, Bench, bench


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def test_nothing_new_is_304_for_who_has_the_tag_and_an_empty_page_for_who_has_not(gateway: Bench) -> None:
    gateway.transition("river", "a", {"id": "a", "status": "open"})
    for cursor in ("", gateway.as_("river", "GET", "/api/transitions").json()["cursor"]):
        page = gateway.as_("river", "GET", f"/api/transitions?cursor={cursor}")
        again = gateway.as_("river", "GET", f"/api/transitions?cursor={cursor}", headers={"If-None-Match": page.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", page.headers["etag"])
        plain = gateway.as_("river", "GET", f"/api/transitions?cursor={cursor}")
        assert (plain.status_code, plain.json()) == (200, page.json())


def test_an_empty_feed_has_a_tag_too_until_something_comes(gateway: Bench) -> None:
    empty = gateway.as_("river", "GET", "/api/transitions")
    tag = {"If-None-Match": f"W/{empty.headers['etag']}"}
    assert gateway.as_("river", "GET", "/api/transitions", headers=tag).status_code == 304
    gateway.transition("oak", "x", {"id": "x", "status": "open"})
    assert gateway.as_("river", "GET", "/api/transitions", headers=tag).status_code == 304, "another's news are none"
    gateway.transition("river", "a", {"id": "a", "status": "open"})
    assert gateway.as_("river", "GET", "/api/transitions", headers=tag).status_code == 200


def test_304_shows_nothing_and_is_not_audited(gateway: Bench) -> None:
    gateway.transition("river", "a", {"id": "a", "status": "open"})
    page = gateway.as_("river", "GET", "/api/transitions")
    gateway.disclosed.clear()
    gateway.as_("river", "GET", "/api/transitions", headers={"If-None-Match": page.headers["etag"]})
    assert gateway.disclosed == []


def test_whoever_is_revoked_while_it_waits_is_told_nothing_more(gateway: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    cursor = gateway.as_("river", "GET", "/api/transitions").json()["cursor"]

    def revoked() -> None:
        monkeypatch.delitem(CALLERS, "river")
        gateway.transition("river", "a", {"id": "a", "status": "open", "name": "Ann Halvorson"})

    timer = threading.Timer(0.2, revoked)
    timer.start()
    answer = gateway.as_("river", "GET", f"/api/transitions?cursor={cursor}&wait=20")
    timer.join()
    assert answer.status_code == 401
    assert "Halvorson" not in answer.text
    assert gateway.disclosed == []


@pytest.mark.parametrize("query", ["wait=soon", "wait=-1", "limit=-1", "limit=1.5", "cursor=nonsense", "cursors=", "since=2026"])
def test_what_the_feed_cannot_read_is_refused(gateway: Bench, query: str) -> None:
    assert gateway.as_("river", "GET", f"/api/transitions?{query}").status_code == 400
