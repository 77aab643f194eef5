"""What an agency does for its client, end to end: its Task, its Appointment, its contacts, and what each comes to (issue 5, points 2 and 6).

Ada left the ward on 2026-03-10 at 10:45; River has her from then on. Each row is what River wrote, and what is said of Ada at the time named last.
"""
# ruff: noqa: E501 - a row is read on one line

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
import pytest

from gateway.pipeline import Received
from gateway.pipeline.intake import take
from gateway.pipeline.rebuild import rebuild
from gateway.store.interface import ALL, Store
from tests.pipeline.county import feed, memory_folder, message, state, wake
from tests.pipeline.test_tracker_stories import LEFT, TOLD, iso, moment_of, said, store_since

NOTHING = "no-follow-up-scheduled"
MODES = "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode"
Write = Callable[[Store], tuple[str, dict[str, Any], str, str]]  # -> type, body, time, key


class Row(NamedTuple):
    name: str
    writes: tuple[Write, ...]
    as_of: str  # "0312 1200"
    expect: str  # as in test_tracker_stories


def patient(store: Store) -> str:
    with store.reading() as reader:
        (row,) = reader.worklist(ALL)
    return str(orjson.loads(row.body or b"{}")["patient"])


def task(status: str, at: str, reason: str = "") -> Write:
    """River's answer to the Task that it has."""

    def write(store: Store) -> tuple[str, dict[str, Any], str, str]:
        with store.reading() as reader:
            tasks = [orjson.loads(one.body) for one in reader.search("river", "Task") if one.body is not None]
        (current,) = [one for one in tasks if one["status"] not in ("cancelled", "rejected", "failed", "completed")]
        body = {**current, "status": status, **({"statusReason": {"text": reason}} if reason else {})}
        return "Task", body, at, "urn:gateway:write:river|task"

    return write


def appointment(start: str, status: str = "booked", at: str = "0310 1300", by: str = "river") -> Write:
    """An appointment that does not say of what kind it is: the agency's own word is enough."""

    def write(store: Store) -> tuple[str, dict[str, Any], str, str]:
        who = [{"actor": {"reference": patient(store)}, "status": "accepted"}]
        body = {"resourceType": "Appointment", "status": status, "start": iso(start), "minutesDuration": 50, "participant": who}
        return "Appointment", body, at, f"urn:gateway:write:{by}|a"

    return write


def contact(status: str, mode: str, sent: str) -> Write:
    def write(store: Store) -> tuple[str, dict[str, Any], str, str]:
        medium = [{"coding": [{"system": MODES, "code": mode}]}]
        body = {
            "resourceType": "Communication",
            "status": status,
            "medium": medium,
            "subject": {"reference": patient(store)},
            "sent": iso(sent),
        }
        return "Communication", body, sent, f"urn:gateway:write:river|{sent}"

    return write


ACCEPTED = task("accepted", "0310 1200")
TRIES = (contact("not-done", "PHONE", "0311 0900"), contact("not-done", "PHYSICAL", "0312 0900"), contact("not-done", "PHONE", "0313 0900"))
LATE = f"{NOTHING} no-contact"

# fmt: off
ROWS = [
    Row("accepts", (ACCEPTED,), "0311 1200", f"open|none|{NOTHING}"),
    Row("does not answer", (), "0311 1044", f"open|none|{NOTHING}"),
    Row("books", (appointment("0316 1000"),), "0312 1200", "open|booked|"),
    Row("another agency books: of unknown kind", (ACCEPTED, appointment("0316 1000", by="harbor")), "0312 1200", f"open|none|{NOTHING} kind-unconfirmed"),
    Row("books, and says that she came", (appointment("0312 1000"), appointment("0312 1000", "fulfilled", "0312 1100")), "0312 1200", "closed follow-up-kept|kept|"),
    Row("books, and says that she did not come", (appointment("0312 1000"), appointment("0312 1000", "noshow", "0312 1100")), "0312 1200", f"open|missed|{NOTHING} missed-appointment"),
    Row("books, and cancels", (appointment("0316 1000"), appointment("0316 1000", "cancelled", "0311 1100")), "0312 1200", f"open|cancelled|{NOTHING}"),
    Row("books, and moves it out of the window", (appointment("0316 1000"), appointment("0318 1000", at="0311 1100")), "0312 1200", "open|booked|follow-up-too-late"),
    Row("and back into it", (appointment("0316 1000"), appointment("0318 1000", at="0311 1100"), appointment("0317 1000", at="0311 1200")), "0312 1200", "open|booked|"),
    Row("books, and says no more", (appointment("0312 1000"),), "0313 1000", f"open|outcome-unknown|{NOTHING} outcome-unknown"),
    Row("reaches her by phone", (contact("completed", "PHONE", "0311 0900"),), "0313 1100", f"open|none|{NOTHING}"),
    Row("reaches her at home", (contact("completed", "PHYSICAL", "0311 0900"),), "0313 1100", f"open|none|{NOTHING}"),
    Row("reaches her by video", (contact("completed", "VIDEOCONF", "0311 0900"),), "0313 1100", f"open|none|{NOTHING}"),
    Row("calls in vain", (contact("not-done", "PHONE", "0311 0900"),), "0313 1100", f"open|none|{LATE}"),
    Row("writes a letter", (contact("completed", "MAILWRIT", "0311 0900"),), "0313 1100", f"open|none|{LATE}"),
    Row("writes a contact down in error", (ACCEPTED, contact("entered-in-error", "PHONE", "0311 0900")), "0313 1100", f"open|none|{LATE}"),
    Row("plans a call", (ACCEPTED, contact("preparation", "PHONE", "0311 0900")), "0313 1100", f"open|none|{LATE}"),
    Row("cannot reach her, by three tries on three days by two means", (ACCEPTED, *TRIES, task("failed", "0313 1000", "Unable to contact")), "0313 1100", "closed unable-to-contact|none|"),
    Row("says so after two tries", (ACCEPTED, *TRIES[:2], task("failed", "0313 1000", "Unable to contact")), "0313 1100", f"open|none|{LATE}"),
    Row("says so after a try, a call planned and one in error", (ACCEPTED, TRIES[0], contact("preparation", "PHYSICAL", "0312 0900"), contact("entered-in-error", "PHONE", "0313 0900"), task("failed", "0313 1000", "Unable to contact")), "0313 1100", f"open|none|{LATE}"),
    Row("says that she left the region", (ACCEPTED, task("failed", "0312 1000", "left region")), "0312 1200", "closed left-region|none|"),
    Row("declines: the coordinator's", (task("rejected", "0310 1300", "no places"),), "0312 1200", f"open|none|{NOTHING}"),
    Row("calls its Task completed, and nobody has seen her", (ACCEPTED, task("completed", "0311 1200")), "0313 1100", f"open|none|{LATE}"),
]
# fmt: on


def write_all(store: Store, writes: tuple[Write, ...]) -> None:
    for number, write in enumerate(writes):
        kind, body, at, key = write(store)
        organization = key.split(":")[3].partition("|")[0]
        about = {"type": kind, "role": "agency", "organization": organization, "client": "c", "recipient": organization, "method": "PUT"}
        now = moment_of(iso(at))
        with store.write(now) as writer:
            received = Received("fhir-write", orjson.dumps(body), about={**about, "id": str(body.get("id", "")), "key": key, "request": str(number)})
            outcome = take(writer, received, now, TOLD)
        assert outcome.state == "processed", outcome.error


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_an_agency_writes_comes_to_what_it_did(row: Row) -> None:
    with memory_folder() as folder, store_since(iso("0310 1100"), folder) as store:
        feed(store, [one for one in LEFT if isinstance(one, bytes)], moment_of(iso("0310 1100")), TOLD)
        write_all(store, row.writes)
        wake(store, moment_of(iso(row.as_of)), TOLD)
        assert said(store) == (f"st-mary 03-10 {row.expect}",)
        before = state(store, TOLD)
        rebuild(store, TOLD, moment_of(iso(row.as_of)))
        assert state(store, TOLD) == before, "after a rebuild"


def test_a_referral_that_names_the_agency_is_no_appointment() -> None:
    segments = ("RF1|P|R|MH^Mental health|||R77^EHR", "PRD|RP^Referring provider^HL70286|Lindqvist^Karin", "PRD|RT^Referred to provider^HL70286|||||||||River Community Mental Health")  # fmt: skip
    referral = message("REF^I12^REF_I12", "20260310120000", "900", *segments)
    with memory_folder() as folder, store_since(iso("0310 1100"), folder) as store:
        feed(store, [*(one for one in LEFT if isinstance(one, bytes)), referral], moment_of(iso("0310 1300")), TOLD)
        assert said(store) == (f"st-mary 03-10 open|none|{NOTHING}",)
        with store.reading() as reader:
            (row,) = reader.worklist("river")
        assert orjson.loads(row.body or b"")["assignments"][0]["why"] == "a referral names it"


def test_nothing_is_sent_twice_by_looking_again() -> None:
    """Whoever follows the feed hears of a flag once: looks that change nothing write nothing."""
    with memory_folder() as folder, store_since(iso("0310 1100"), folder) as store:
        feed(store, [one for one in LEFT if isinstance(one, bytes)], moment_of(iso("0310 1100")), TOLD)
        write_all(store, (ACCEPTED,))
        heard = []
        for at in ("0313 1045", "0313 1046", "0314 1200", "0317 2359"):
            wake(store, moment_of(iso(at)), TOLD)
            with store.reading() as reader:
                heard.append((reader.position("river"), reader.position(ALL)))
        assert len(set(heard)) == 1, "the flag of the third day rose once, and then nothing until the seventh was over"
