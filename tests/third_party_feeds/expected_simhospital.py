r"""What hl7v2/simhospital/feed.hl7 must come to: counted by hand from the file, DESIGN.md and DOMAIN.md, never from the gateway's output.

Nothing of the gateway or of `transitions` is imported here, and the file is read with `str.split` alone: a fault of the gateway's reader, mappings,
fold or assessment cannot hide in both halves of the comparison.

How it was counted (one message a line, segments set apart by CR; run in the file's folder):

    events           awk 'BEGIN{FS="\r"}/^MSH/{split($1,h,"|");print h[9]}' feed.hl7 | sort | uniq -c                   -> EVENTS
    sender           awk 'BEGIN{FS="\r"}/^MSH/{split($1,h,"|");print h[3],h[4],h[11],h[12]}' feed.hl7 | sort | uniq -c  -> 491 SIMHOSP SFAC T 2.3
    control IDs      awk 'BEGIN{FS="\r"}/^MSH/{split($1,h,"|");print h[10]}' feed.hl7 | sort -n | uniq | wc -l          -> 491, from 1 without a gap
    record numbers   tr '\r' '\n' <feed.hl7 | grep '^PID' | cut -d'|' -f3 | sort -u | wc -l                       -> 128, 8 also in MRG-1
    visit numbers    tr '\r' '\n' <feed.hl7 | grep '^PV1' | cut -d'|' -f20 | grep . | sort -u | wc -l             -> 151
    diagnoses        tr '\r' '\n' <feed.hl7 | grep -c '^DG1'                                                      -> 31, each F33.2 in an A08
    disposition      tr '\r' '\n' <feed.hl7 | grep '^PV1' | cut -d'|' -f37 | grep -c .                            -> 0
    death            tr '\r' '\n' <feed.hl7 | grep '^PID' | cut -d'|' -f30,31 | grep -c '[^|]'                    -> 0
    courses          the events of each PID-2 (with its MRG-1's) in the order of MSH-10: eight different ones     -> PATHWAYS

All are test messages (MSH-11 = T): only a feed that takes "T" makes anything of them. No SIU, no A21 or A22, no REF: no follow-up and no leave.

In what order they are folded: EVN-2 equals MSH-7 in all but the 18 A02 that end in PSYCHWARD, where it lies two hours ahead (00:10:17 sent, 02:10:16
recorded). These A02 are folded after the A03 and the A31 of their visit. They name the ward that the A03 names, and no PV1-45: nothing moves.
No two messages of one person have the same EVN-2, so that no tie has to be broken.

Not plain from the documents; what is expected, and why:

    A16, A25      Void. DESIGN says of void "discharge cancelled: A13, or entered in error"; DOMAIN, that A25 "withdraws the expectation". The A16 alone
                  makes the transition `anticipated` and agencies are told; a poller cannot be told "there is none any more" but as void (or it would
                  keep the Task), and as the order of arrival may not matter, it is void also where nobody read it in between.
    A01, A11      None. No discharge was ever expected or told: nothing to void. (The reason is "Alcohol withdrawal", F10, which is outside F20–F99:
                  without the unit's name these eight would hardly be psychiatric stays either.)
    A34, A03-     Open. The A03 has no visit number, no PV1-3, no PV1-44, and PV1-2 = O, under the surviving record number. DOMAIN: it discharges the
                  only open stay if MSH-4 is the same, the admission precedes it and PV1-3 and PV1-44 do not contradict. It is another visit "with
                  PV1-2 = E or O and another location, unit or admit time"; it names none. So it ends the stay admitted under the merged number.
    A34           Not `identity-uncertain`, though it joins records of other names and birth dates ("Unidentified" into "Main Patient"): DESIGN's rule
                  is for ONE identifier with two people, or two sets that merges had made. A merge message is itself the word on who is who.
    A03, PV1-45   Open, not anticipated, where PV1-45 is tomorrow (31). DOMAIN: "an A03 is a discharge also when PV1-45 lies ahead of it".
    A23           Void. PV1-2 = O and no PV1-3, but the visit number is that of the discharged stay: entered in error.
    A04*          None. PV1-2 "EMERGENCY" is no code of table 0004 (E is); either way no bed was given and no discharge follows.
    A31-          PV1 is "1|N|" without a visit number: a word on the person (a new address), no visit.
    MSH-15 = AL   With MSH-16 empty this is HL7's enhanced mode, whose accept acknowledgement is CA; the issue says AA. Either says "taken".
    psychiatric   Yes, all: with the unit named, by the unit (those who begin in ED are moved there); with none named, by the words of PV2-3. Least plain
                  is "Unidentified, dissociative state": yes, for dissociative states are F44. Nothing is therefore in the coordinator's queue.
"""

# ruff: noqa: E501 - the table of pathways is read a row a line

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

MESSAGES = 491
EVENTS = {
    "A01": 120, "A02": 35, "A03": 116, "A04": 31, "A08": 31, "A11": 8, "A12": 17, "A13": 18,
    "A15": 18, "A16": 45, "A23": 6, "A25": 14, "A31": 18, "A34": 8, "T02": 6,
}  # fmt: skip

PEOPLE = 120
RECORD_NUMBERS = 128  # one Patient each; the eight in MRG-1 stay, linked to who they are now
VISITS = 151  # visit numbers: 120 inpatient stays and 31 emergency visits
DIAGNOSES = 31
UNNUMBERED_DISCHARGES = 8
"""The A03s of the merged pathway: no PV1-19, and no account number either."""
ALLERGIES = 48  # distinct (PID-2, AL1-3) of 114 AL1
DOCUMENTS = 6


class Pathway(NamedTuple):
    """One course that people of the file take. `reason` is PV2-3 as sent. `status` None: no transition."""

    name: str
    people: int
    events: str  # in order; an event of the first visit of two is marked with *, one without a visit number with -
    reason: str
    status: str | None
    why: str


# fmt: off
PATHWAYS = (
    # name                          people  events                    PV2-3                                                status
    Pathway("from the emergency ward",  18, "A01 A15 A02 A03 A31-",   "Acute psychosis",                                   "open", "the A02 recorded two hours later is a move, and reopens nothing"),
    Pathway("moved by mistake",         17, "A01 A02 A12 A03",        "Borderline personality disorder crisis",            "open", "A12 puts the client back on the ward before the A03"),
    Pathway("merged",                    8, "A01 A34- A03-",          "Unidentified, dissociative state",                  "open", "the A03 without a visit number is that of the only open stay"),
    Pathway("discharged too early",     18, "A01 A03 A13 A03",        "Bipolar affective disorder, current episode manic", "open", "void by A13, open again by the second A03, whose PV1-45 counts"),
    Pathway("diagnosed and planned",    31, "A04* A01 A08 A16 A03",   "Major depressive episode with suicidal ideation",   "open", "anticipated by A16, then discharged; F33.2 by the A08"),
    Pathway("discharge called off",     14, "A01 A16 A25",            "Schizophrenia relapse",                             "void", "the expectation was withdrawn, and nothing else was said"),
    Pathway("visit deleted",             6, "A01 T02 A03 A23",        "Post-traumatic stress disorder",                    "void", "A23 after the discharge: entered in error"),
    Pathway("never admitted",            8, "A01 A11",                "Alcohol withdrawal",                                None,   "no discharge was expected or told: nothing to void"),
)
# fmt: on
"""18+17+8+18+31+14+6+8 = 120 people. A03: 18+17+8+2*18+31+6 = 116. A13 18, A25 14, A16 31+14 = 45, A23 6, A11 8, A34 8: the file's own counts."""

TRANSITIONS = {"open": 92, "void": 20}
"""Open 18 + 17 + 8 + 18 + 31, void 14 + 6. None anticipated: every A16 is followed by an A25 or an A03. None closed: no death, no disposition, no
readmission, no follow-up. The same with no unit named: the words of PV2-3 tell."""

FLAGS_OF_OPEN = {"no-follow-up-scheduled", "disposition-unknown"}
"""Of each of the 92 within the first hours: no appointment is in the file, and PV1-36 is always empty. A void transition has none."""

HALF_WAY = 200
HALF_WAY_TRANSITIONS = {"open": 29, "void": 10, "anticipated": 4}
"""After the first 200 messages, by the latest of A16 (anticipated), A03 (open), A13, A23 and A25 (void) of each stay: some whose A25 or A03 is yet to come
are still expected to leave, and some of those void are yet to be discharged again."""


@dataclass(slots=True)
class Expected:
    """An inpatient stay of the file. Times are the file's own digits, local to London, which is UTC in November."""

    visit: str  # PV1-19
    pathway: Pathway
    record_number: str  # PID-2 of whom the stay belongs to at the end
    admitted: str  # PV1-44 of the A01
    discharged: str  # PV1-45 of the last A03; "" when there is none that stands


def lines(text: str) -> list[list[list[str]]]:
    """Messages as segments as fields: index n is field n, of MSH field n+1."""
    return [[segment.split("|") for segment in message.split("\r") if segment] for message in text.split("\n") if message.strip()]


def field(message: list[list[str]], segment: str, number: int) -> str:
    """The first component of a field of the first segment of that name; "" where there is none."""
    for each in message:
        if each[0] == segment:
            return each[number].split("^")[0] if number < len(each) else ""
    return ""


def event(message: list[list[str]]) -> str:
    """The trigger event, MSH-9.2."""
    return message[0][8].split("^")[1]


def expected_stays(text: str) -> list[Expected]:
    """Each inpatient stay with the pathway that its person's events name. Raises KeyError for a course that is not in the table."""
    by_course = {pathway.events: pathway for pathway in PATHWAYS}
    now = {field(message, "MRG", 1): field(message, "PID", 2) for message in lines(text) if event(message) == "A34"}
    people: dict[str, list[list[list[str]]]] = {}
    for message in lines(text):
        number = field(message, "PID", 2)
        people.setdefault(now.get(number, number), []).append(message)
    return [_stay(number, messages, by_course) for number, messages in people.items()]


def _stay(number: str, messages: list[list[list[str]]], by_course: dict[str, Pathway]) -> Expected:
    admission = next(message for message in messages if event(message) == "A01")
    visit = field(admission, "PV1", 19)
    mark = {visit: "", "": "-"}
    pathway = by_course[" ".join(event(message) + mark.get(field(message, "PV1", 19), "*") for message in messages)]
    left = [field(message, "PV1", 45) for message in messages if event(message) == "A03"]
    return Expected(visit, pathway, number, field(admission, "PV1", 44), left[-1] if left and pathway.status == "open" else "")


def half_way(text: str) -> Counter[str]:
    """Statuses after the first `HALF_WAY` messages, from the latest telling event of each person's stay (no A02 tells anything)."""
    messages = lines(text)[:HALF_WAY]
    now = {field(message, "MRG", 1): field(message, "PID", 2) for message in messages if event(message) == "A34"}
    status = {"A16": "anticipated", "A03": "open", "A13": "void", "A23": "void", "A25": "void"}
    told = {}
    for message in messages:
        number = field(message, "PID", 2)
        if event(message) in status:
            told[now.get(number, number)] = status[event(message)]
    return Counter(told.values())
