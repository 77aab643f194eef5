"""`transitions show --why`: what ended a transition, or moved it on, is named by the message, the answer or the decision that did."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import orjson
import pytest

from gateway.pipeline import Received
from gateway.pipeline.intake import take
from gateway.store.interface import ALL, Store
from gateway.web.care.origins import Origins, messages_of
from gateway.web.care.records import read
from gateway.web.care.sheet import sections
from tests.pipeline.county import CONFIGURATION, DIAGNOSIS, FEEDS, NOW, feed, memory_folder, message, store_at, visit, wake

DAY = int(timedelta(days=1).total_seconds()) * 1_000_000
LEFT = visit(discharged="20260310104500", disposition="01")
ADMITTED = message("ADT^A01^ADT_A01", "20260302090000", "1", visit(), DIAGNOSIS)
DISCHARGED = message("ADT^A03^ADT_A03", "20260310110000", "2", LEFT, DIAGNOSIS)
CANCELLED = message("ADT^A13^ADT_A01", "20260310180000", "3", visit(), DIAGNOSIS)
DELETED = message("ADT^A23^ADT_A21", "20260310180000", "3", LEFT)
DIED = message("ADT^A31^ADT_A05", "20260312080000", "3").replace(b"|USA^H", b"").replace(b"^USA^H", b"^USA^H" + b"|" * 19 + b"Y")
BACK = message("ADT^A01^ADT_A01", "20260312080000", "3", visit(number="V2", admitted="20260312080000"), DIAGNOSIS)
AT_LAKESIDE = message("ADT^A01^ADT_A01", "20260312080000", "3", visit("3WEST", "L1", "20260312080000"), facility="LAKESIDE", mrn="555")
EXPIRED = message("ADT^A08^ADT_A01", "20260312080000", "3", visit(discharged="20260310104500", disposition="20"), DIAGNOSIS)
AGAINST_ADVICE = message("ADT^A08^ADT_A01", "20260312080000", "3", visit(discharged="20260310104500", disposition="07"), DIAGNOSIS)
MERGED = message("ADT^A40^ADT_A39", "20260311080000", "4", "MRG|900^^^STMARY^MR")


def the_transition(store: Store, name: str = "") -> dict[str, Any]:
    with store.reading() as reader:
        rows = [orjson.loads(row.body or b"") for row in reader.worklist(ALL)]
    return min((row for row in rows if row["id"] == name or not name), key=lambda row: str(row["admitted"]))


def why(store: Store, label: str) -> list[str]:
    """Where the first statement under this label came from."""
    transition = the_transition(store)
    with store.reading() as reader:
        records = read(reader, CONFIGURATION.identify, transition["id"])
        assert records is not None
        origins = Origins(messages_of(reader, records, transition, FEEDS, CONFIGURATION.identify), FEEDS, CONFIGURATION.identify)
        lines = [line for section in sections(records, transition) for line in section.lines if line.label == label]
        return origins.why(lines[0], records)


def decide(store: Store, what: str, value: str, now: int = NOW) -> None:
    transition = the_transition(store)
    body = {
        "transition": transition["id"],
        "patient": transition["patient"],
        "what": what,
        "value": value,
        "about": "",
        "reason": "Told on the phone",
    }
    with store.write(now) as writer:
        take(writer, Received("decision", orjson.dumps(body), about={"by": "dana", "request": f"{what}-1"}), now, CONFIGURATION)


ENDED = [
    # what was said after the discharge      the plan's status      what said so
    ((CANCELLED,), "revoked", "ADT^A13 from st-mary, control ID 3, message 3: MSH-9"),
    ((MERGED, CANCELLED), "revoked", "ADT^A13 from st-mary, control ID 3, message 4: MSH-9"),
    ((DELETED,), "entered-in-error", "ADT^A23 from st-mary, control ID 3, message 3: MSH-9"),
    ((DIED,), "revoked", "ADT^A31 from st-mary, control ID 3, message 3: PID-30"),
    ((BACK,), "revoked", "ADT^A01 from st-mary, control ID 3, message 3: MSH-9"),
    ((AT_LAKESIDE,), "revoked", "ADT^A01 from lakeside, control ID 3, message 3: MSH-9"),
    ((EXPIRED,), "revoked", "ADT^A08 from st-mary, control ID 3, message 3: PV1-36"),
]


@pytest.mark.parametrize(("said", "status", "origin"), ENDED, ids=[f"{origin} -> {status}" for _, status, origin in ENDED])
def test_an_end_is_traced_to_what_ended_it_and_not_to_the_discharge(said: Iterable[bytes], status: str, origin: str) -> None:
    with memory_folder() as folder, store_at(folder) as store:
        assert {one.state for one in feed(store, [ADMITTED, DISCHARGED, *said])} == {"processed"}
        assert why(store, "Status")[0].removesuffix(".1") == origin
        assert why(store, "Note")[0].removesuffix(".1") == origin
        transition = the_transition(store)
        with store.reading() as reader:
            records = read(reader, CONFIGURATION.identify, transition["id"])
        assert records is not None
        assert records.plan["status"] == status


def test_a_persons_closing_is_traced_to_the_decision() -> None:
    with memory_folder() as folder, store_at(folder) as store:
        feed(store, [ADMITTED, DISCHARGED])
        decide(store, "close", "left-region")
        assert why(store, "Status")[0] == "decision close by dana, message 3"


def test_a_persons_disposition_is_traced_to_the_decision() -> None:
    with memory_folder() as folder, store_at(folder) as store:
        feed(store, [ADMITTED, DISCHARGED])
        decide(store, "disposition", "07")
        assert why(store, "Tier urgent")[0] == "decision disposition by dana, message 3"


def test_a_corrected_disposition_is_traced_to_its_correction() -> None:
    with memory_folder() as folder, store_at(folder) as store:
        feed(store, [AGAINST_ADVICE, DISCHARGED, ADMITTED])
        assert why(store, "Tier urgent")[0] == "ADT^A08 from st-mary, control ID 3, message 1: PV1-36.1"


def test_a_turn_that_the_policy_moved_on_is_traced_to_its_decision() -> None:
    with memory_folder() as folder, store_at(folder) as store:
        feed(store, [ADMITTED, DISCHARGED])
        wake(store, NOW + 2 * DAY)
        assert why(store, "Task")[:2] == [
            "decision unanswered by policy, message 3",
            "rule of routing: no other agency is named, after river unanswered",
        ]


def test_a_turn_that_a_person_gave_is_traced_to_the_decision() -> None:
    with memory_folder() as folder, store_at(folder) as store:
        feed(store, [ADMITTED, DISCHARGED])
        decide(store, "route", "coordinator")
        assert why(store, "Task")[0] == "decision route by dana, message 3"
