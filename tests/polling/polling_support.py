"""Pollers as agencies write them: one that keeps the feed's cursor, one that keeps the latest `lastUpdated` that it saw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

Json = dict[str, Any]
Ask = Callable[[str], Any]
"""GET of an address, with the agency's token: an httpx.Response."""


class FeedPoller:
    """Polls /api/transitions. `known` is what it holds of each transition."""

    def __init__(self, ask: Ask, limit: int = 100) -> None:
        self._ask, self._limit = ask, limit
        self.cursor = ""
        self.known: dict[str, Json] = {}
        self.told: list[tuple[str, str]] = []  # (id, status), in the order in which they were told

    def poll(self) -> list[str]:
        """Ask until there is nothing new; the ids of what was."""
        new = []
        while True:
            answer = self._ask(f"/api/transitions?cursor={self.cursor}&limit={self._limit}")
            assert answer.status_code == 200, answer.text
            page = answer.json()
            for each in page["transitions"]:
                assert self.known.get(each["id"]) != each, "a cursor that was moved repeats nothing"
                self.known[each["id"]] = each
                self.told.append((each["id"], each["status"]))
                new.append(each["id"])
            if not page["transitions"]:
                return new
            assert page["cursor"] != self.cursor
            self.cursor = page["cursor"]


class UpdatedPoller:
    """Polls `Task?owner=…&_lastUpdated=gt…`, page by page. `known` is the latest version that it holds of each Task."""

    def __init__(self, ask: Ask, owner: str, count: int = 100) -> None:
        self._ask = ask
        self._query = f"owner=Organization/{owner}&_count={count}"
        self.since = ""
        self.known: dict[str, Json] = {}
        self.versions: list[tuple[str, str]] = []

    def poll(self) -> list[str]:
        """Ask for what is newer than the latest that it saw; the ids of what was."""
        narrowed = f"&_lastUpdated=gt{quote(self.since)}" if self.since else ""
        address, new = f"/fhir/Task?{self._query}{narrowed}", []
        while address:
            answer = self._ask(address)
            assert answer.status_code == 200, answer.text
            bundle = answer.json()
            for entry in bundle.get("entry", []):
                task = entry["resource"]
                version = (task["id"], task["meta"]["versionId"])
                assert version not in self.versions, "what was seen does not come again"
                assert task["meta"]["lastUpdated"] > self.since, "later ones come later, and no two at the same microsecond"
                self.since = task["meta"]["lastUpdated"]
                self.versions.append(version)
                self.known[task["id"]] = task
                new.append(task["id"])
            following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
            address = "/fhir/" + following[0].partition("/fhir/")[2] if following else ""
        return new
