"""A small county for tests of the journey: two hospitals, one agency, and one client's messages."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from gateway.mappings.feeds.profile import FeedProfile
from gateway.pipeline import Configuration, Outcome, Received
from gateway.pipeline.intake import take
from gateway.pipeline.own import put_own_resources
from gateway.pipeline.unanswered import look_again
from gateway.records.ids import identifier
from gateway.records.times import microseconds
from gateway.store.interface import ALL, Store
from gateway.store.sqlite import open_sqlite
from transitions.policy import Agency, Policy

FEEDS = (
    FeedProfile(name="st-mary", sending_facility="STMARY", timezone="America/Chicago", psychiatric_units=("BHU",), mental_health_services=("PSYFU",)),
    FeedProfile(name="lakeside", sending_facility="LAKESIDE", timezone="America/New_York", psychiatric_units=("3WEST",)),
)
POLICY = Policy(agencies=(Agency(id="river", name="River Community Mental Health", postal_codes=("627*",)),))
CONFIGURATION = Configuration(identify=identifier(b"tests"), feeds=FEEDS, policy=POLICY)
NOW = microseconds(datetime(2026, 3, 20, 12, tzinfo=UTC))


def message(event: str, at: str, control: str, *segments: str, facility: str = "STMARY", mrn: str = "1001", processing: str = "P") -> bytes:
    """One HL7 v2.5.1 message about Ada Quist; `at` is EVN-2 and MSH-7, in the hospital's time."""
    header = f"MSH|^~\\&|ADT|{facility}|GW|COUNTY|{at}||{event}|{control}|{processing}|2.5.1||||||UNICODE UTF-8"
    person = f"PID|1||{mrn}^^^{facility}^MR~77^^^COUNTYMPI^PI||Quist^Ada||19800214|F|||1 Elm St^^Springfield^IL^62701^USA^H"
    return "\r".join([header, f"EVN||{at}", person, *segments]).encode() + b"\r"


def visit(
    unit: str = "BHU", number: str = "V1", admitted: str = "20260302090000", discharged: str = "", disposition: str = "", kind: str = "I"
) -> str:
    """PV1 with the fields that matter: 2, 3, 19, 36, 44, 45."""
    fields = [""] * 46
    fields[1], fields[2], fields[3], fields[19] = "1", kind, f"{unit}^1^A", f"{number}^^^STMARY^VN"
    fields[36], fields[44], fields[45] = disposition, admitted, discharged
    return "PV1|" + "|".join(fields[1:])


DIAGNOSIS = "DG1|1||F33.2^Major depressive disorder, recurrent severe^I10|||A|||||||||1"
BOOKED = (
    "SCH|P1|F1||||PSYFU^Psychiatric follow-up^L|PSYFU^Psychiatric follow-up^L||60|min|^^60^20260316100000^20260316110000|||||||||||||Booked",
    "RGS|1",
    "AIS|1||PSYFU^Psychiatric follow-up^L|20260316100000||||60|min",
)

STORY = [
    message("ADT^A04^ADT_A01", "20260302083000", "1", visit("ED", "E1", "20260302083000", kind="E")),
    message("ADT^A01^ADT_A01", "20260302090000", "2", visit(), DIAGNOSIS),
    message("ADT^A02^ADT_A02", "20260303090000", "3", visit("MED3")),
    message("ADT^A12^ADT_A12", "20260303093000", "4", visit("BHU")),
    message("ADT^A21^ADT_A21", "20260305100000", "5", visit()),
    message("ADT^A22^ADT_A21", "20260306100000", "6", visit()),
    message("ADT^A16^ADT_A16", "20260307090000", "7", visit(), "PV2|||||||||20260310"),
    message("ADT^A25^ADT_A21", "20260308090000", "8", visit(), "PV2|||||||||20260310"),
    message("ADT^A03^ADT_A03", "20260309140000", "9", visit(discharged="20260309134500", disposition="01")),
    message("ADT^A13^ADT_A01", "20260309180000", "10", visit(discharged="20260309134500")),
    message("ADT^A03^ADT_A03", "20260310110000", "11", visit(discharged="20260310104500", disposition="01"), DIAGNOSIS),
    message("SIU^S12^SIU_S12", "20260310120000", "12", *BOOKED),
    message("SIU^S26^SIU_S12", "20260316113000", "13", BOOKED[0].replace("Booked", "Noshow"), *BOOKED[1:]),
    message("ADT^A08^ADT_A01", "20260317080000", "14", visit(discharged="20260310104500", disposition="07")),
    message("ADT^A01^ADT_A01", "20260311080000", "15", visit("3WEST", "L1", "20260311080000"), facility="LAKESIDE", mrn="555"),
    message(
        "ADT^A03^ADT_A03", "20260313080000", "16", visit("3WEST", "L1", "20260311080000", "20260313080000", "01"), facility="LAKESIDE", mrn="555"
    ),
    message("ADT^A40^ADT_A39", "20260314080000", "17", "MRG|900^^^STMARY^MR"),
]


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder in memory where the system has one: these tests commit thousands of times, and no power fails in them."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def store_at(folder: Path, configuration: Configuration = CONFIGURATION) -> Iterator[Store]:
    """A new store."""
    with closing(open_sqlite(folder / "gateway.sqlite")) as store:
        prepare(store, configuration)
        yield store


def prepare(store: Store, configuration: Configuration = CONFIGURATION) -> None:
    """What a gateway writes before it serves."""
    with store.write(NOW) as writer:
        put_own_resources(writer, configuration)


def feed(store: Store, raw: Iterable[bytes], now: int = NOW, configuration: Configuration = CONFIGURATION) -> list[Outcome]:
    """Take messages one by one, each in a transaction of its own."""
    outcomes = []
    for each in raw:
        with store.write(now) as writer:
            outcomes.append(take(writer, Received("hl7v2", each), now, configuration))
    return outcomes


def wake(store: Store, now: int, configuration: Configuration = CONFIGURATION) -> int:
    """Look again at everything that is due."""
    looked = 0
    while True:
        with store.write(now) as writer:
            due = writer.due(now, 100)
            for partition in due:
                look_again(writer, partition, now, configuration)
        looked += len(due)
        if not due:
            return looked


def state(store: Store, configuration: Configuration = CONFIGURATION) -> dict[str, object]:
    """Everything that is current, for every recipient."""
    found: dict[str, object] = {}
    with store.reading() as reader:
        for recipient in (ALL, *(each.id for each in configuration.policy.agencies)):
            for version in reader.export(recipient):
                found[f"{recipient} {version.type}/{version.id}"] = _plain(version.body)
            for row in reader.worklist(recipient):
                found[f"{recipient} transition {row.id}"] = _plain(row.body)
    return found


def _plain(body: bytes | None) -> object:
    return orjson.loads(body or b"null")


def transitions(store: Store, recipient: str = ALL) -> list[dict[str, object]]:
    """The worklist."""
    with store.reading() as reader:
        return [orjson.loads(row.body) for row in reader.worklist(recipient) if row.body is not None]
