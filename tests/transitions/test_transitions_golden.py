"""Golden cases of assessment, by hand from DOMAIN.md and DESIGN.md ("The transition"): given | as of | expect.

Expect reads: status (as what closed) | follow-up | flags | tier | next look. The usual client left the ward on Tuesday 2026-12-01 at 10:00, so that:
pick-up is due 12-02 10:00, first contact 12-04 10:00, day 7 is 12-08 and ends 12-09 00:00, day 30 is 12-31 and ends with the year. An agency has a
flag of scheduling until 12-04 10:00 and any other for 24 hours (on the ward: until the expected discharge); then it is the coordinator's.
"""
# ruff: noqa: E501 - a row is read on one line

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from tests.transitions.given import (
    ACCEPTED,
    CANCELLED,
    CHICAGO,
    CLIENT,
    DEPRESSION,
    ICD10,
    INFARCTION,
    POLICY,
    UNCERTAIN,
    appointment,
    at,
    claim,
    decided,
    expected,
    inside,
    left,
    pending,
    plain,
    reached,
    taken,
    tried,
    visit,
    written,
)
from transitions.assess import assess
from transitions.model import Code, Contact, Evidence, FollowUp, Placement, Stay, TakenBack, Transition


class Golden(NamedTuple):
    """One row: what is known, when it is looked at, and what must be said."""

    name: str
    stay: Stay
    told: tuple[Any, ...]  # follow-ups and contacts
    as_of: str
    expect: str


NOBODY = ()
CALL = reached("12-01 15:00")
DENTAL = (Code("Dental clinic", "DENTAL"),)
DEAD = replace(CLIENT, deceased=True, died=at("12-06 03:00"))
COURT = replace(POLICY, court_agency="harbor")
MOVED_OFF = (
    Placement(at("11-10 08:00"), "BHU", "psychiatric", visit_class="IMP"),
    Placement(at("11-20 08:00"), "MED3", "other", visit_class="IMP"),
)
UNLISTED = (MOVED_OFF[0], Placement(at("11-20 08:00"), "7N", visit_class="IMP"))
THREE_TRIES = (tried("12-02 09:00"), tried("12-03 09:00", "visit"), tried("12-05 09:00"))

# fmt: off
ROWS = [
    # --- the clocks of an open transition
    Golden("left, nothing booked", left(), NOBODY, "12-01 10:00", "open|none|no-follow-up-scheduled|standard|12-02 10:00"),
    Golden("a second before the pick-up is due", left(), NOBODY, "12-02 09:59:59", "open|none|no-follow-up-scheduled|standard|12-02 10:00"),
    Golden("24 hours", left(), NOBODY, "12-02 10:00", "open|none|no-follow-up-scheduled not-picked-up|standard|12-04 10:00"),
    Golden("72 hours", left(), NOBODY, "12-04 10:00", "open|none|no-follow-up-scheduled not-picked-up no-contact|standard|12-09 00:00"),
    Golden("the last minute of day 7", taken(), (CALL,), "12-08 23:59", "open|none|no-follow-up-scheduled|standard|12-09 00:00"),
    Golden("day 7 is over", taken(), (CALL,), "12-09 00:00", "open|none|no-follow-up-scheduled no-follow-up-7-days|standard|2027-01-01 00:00"),
    Golden("day 30 is over with the year", taken(), (CALL,), "2027-01-01 00:00", "open|none|no-follow-up-scheduled no-follow-up-7-days no-follow-up-30-days|standard|-"),
    Golden("a year later nothing has ended by itself", left(), NOBODY, "2027-12-01 10:00", "open|none|no-follow-up-scheduled not-picked-up no-contact no-follow-up-7-days no-follow-up-30-days|standard|-"),
    Golden("accepted: picked up", taken(), NOBODY, "12-03 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    Golden("a call before the discharge is no contact after it", taken(), (reached("12-01 09:00"),), "12-04 10:00", "open|none|no-follow-up-scheduled no-contact|standard|12-09 00:00"),
    Golden("a try is no contact", taken(), (tried("12-02 10:00"),), "12-04 10:00", "open|none|no-follow-up-scheduled no-contact|standard|12-09 00:00"),
    Golden("a late call ends no-contact", taken(), (reached("12-05 10:00"),), "12-06 10:00", "open|none|no-follow-up-scheduled|standard|12-09 00:00"),
    Golden("a letter is sent: that reaches nobody, and picks up", left(), (written("letter"),), "12-04 10:00", "open|none|no-follow-up-scheduled no-contact|standard|12-09 00:00"),
    Golden("a text message is sent", taken(), (written("message"),), "12-04 10:00", "open|none|no-follow-up-scheduled no-contact|standard|12-09 00:00"),
    Golden("a call by the agency picks up", left(), (CALL,), "12-03 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    Golden("an A03 whose PV1-45 lies ahead is a discharge", left("12-02 18:00", discharge_recorded=at("12-02 09:00")), NOBODY, "12-02 09:00", "open|none|no-follow-up-scheduled|standard|12-03 09:00"),
    # --- booked
    Golden("booked in the window", taken(), (CALL, appointment("12-04 09:00")), "12-02 10:00", "open|booked||standard|12-05 09:00"),
    Golden("booked on day 1", taken(), (CALL, appointment("12-02 00:00")), "12-01 12:00", "open|booked||standard|12-03 00:00"),
    Golden("booked at the end of day 7", taken(), (CALL, appointment("12-08 23:30")), "12-02 10:00", "open|booked||standard|12-09 00:00"),
    Golden("booked on day 8", taken(), (CALL, appointment("12-09 00:00")), "12-02 10:00", "open|booked|follow-up-too-late|standard|12-04 10:00"),
    Golden("booked on day 12", taken(), (CALL, appointment("12-13 10:00")), "12-05 10:00", "open|booked|follow-up-too-late|standard|12-09 00:00"),
    Golden("booked on day 12, and day 7 is over", taken(), (CALL, appointment("12-13 10:00")), "12-10 10:00", "open|booked|follow-up-too-late no-follow-up-7-days|standard|12-14 10:00"),
    Golden("one too late and one in time", taken(), (CALL, appointment("12-13 10:00"), appointment("12-03 10:00", name="2")), "12-02 10:00", "open|booked||standard|12-04 10:00"),
    Golden("booked on the day of discharge", taken(), (CALL, appointment("12-01 16:00")), "12-01 11:00", "open|none|no-follow-up-scheduled|standard|12-02 16:00"),
    Golden("arrived clears", taken(), (CALL, appointment("12-04 09:00", "arrived")), "12-04 09:05", "open|booked||standard|12-05 09:00"),
    Golden("checked in clears", taken(), (CALL, appointment("12-04 09:00", "checked-in")), "12-04 09:05", "open|booked||standard|12-05 09:00"),
    Golden("proposed does not clear", taken(), (CALL, appointment("12-04 09:00", "proposed")), "12-02 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    Golden("pending does not clear", taken(), (CALL, appointment("12-04 09:00", "pending")), "12-02 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    Golden("waitlist does not clear", taken(), (CALL, appointment("12-04 09:00", "waitlist")), "12-02 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    Golden("entered in error never was", taken(), (CALL, appointment("12-04 09:00", "entered-in-error")), "12-02 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    Golden("booked without a time clears nothing", taken(), (CALL, appointment(None)), "12-02 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    # --- what becomes of it
    Golden("cancelled", taken(), (CALL, appointment("12-04 09:00", "cancelled", "12-02 08:00")), "12-02 10:00", "open|cancelled|no-follow-up-scheduled|standard|12-04 10:00"),
    Golden("no-show", taken(), (CALL, appointment("12-03 09:00", "noshow", "12-03 10:00")), "12-03 10:00", "open|missed|no-follow-up-scheduled missed-appointment|standard|12-04 10:00"),
    Golden("no-show, booked again", taken(), (CALL, appointment("12-03 09:00", "noshow"), appointment("12-07 09:00", name="2")), "12-03 12:00", "open|booked||standard|12-08 09:00"),
    Golden("start plus 24 hours, a second before", taken(), (CALL, appointment("12-03 09:00")), "12-04 08:59:59", "open|booked||standard|12-04 09:00"),
    Golden("start plus 24 hours, no outcome", taken(), (CALL, appointment("12-03 09:00")), "12-04 09:00", "open|outcome-unknown|no-follow-up-scheduled outcome-unknown|standard|12-05 09:00"),
    Golden("arrived, and no more is said", taken(), (CALL, appointment("12-03 09:00", "arrived")), "12-04 09:00", "open|outcome-unknown|no-follow-up-scheduled outcome-unknown|standard|12-05 09:00"),
    Golden("kept on day 2", taken(), (appointment("12-03 09:00", "fulfilled"),), "12-03 10:00", "closed follow-up-kept|kept||standard|-"),
    Golden("kept on day 12", taken(), (appointment("12-13 09:00", "fulfilled"),), "12-13 10:00", "closed follow-up-kept|kept||standard|-"),
    Golden("kept after day 30", taken(), (appointment("2027-02-01 09:00", "fulfilled"),), "2027-02-01 10:00", "closed follow-up-kept|kept||standard|-"),
    Golden("said to be kept before it has begun", taken(), (CALL, appointment("12-04 09:00", "fulfilled")), "12-03 10:00", "open|booked||standard|12-04 09:00"),
    Golden("a visit on the day of discharge is a contact, not the follow-up", taken(), (appointment("12-01 16:00", "fulfilled"),), "12-05 10:00", "open|none|no-follow-up-scheduled|standard|12-09 00:00"),
    # --- of what kind it is
    Golden("a dental appointment", taken(), (CALL, appointment("12-04 09:00", services=DENTAL)), "12-02 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    Golden("a dental visit that was kept", taken(), (CALL, appointment("12-02 09:00", "fulfilled", services=DENTAL)), "12-02 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    Golden("dental, though it carries the stay's diagnosis", taken(), (CALL, appointment("12-04 09:00", services=DENTAL, diagnoses=(DEPRESSION,))), "12-02 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    Golden("of unknown kind", taken(), (CALL, plain("12-04 09:00")), "12-02 10:00", "open|none|no-follow-up-scheduled kind-unconfirmed|standard|12-04 10:00"),
    Golden("of unknown kind, and kept", taken(), (CALL, plain("12-02 09:00", "fulfilled")), "12-02 10:00", "open|none|no-follow-up-scheduled kind-unconfirmed|standard|12-04 10:00"),
    Golden("a person confirms the kind", taken(decisions=(decided("confirm-kind", "mental-health", about="Appointment/1"),)), (CALL, plain("12-04 09:00")), "12-02 10:00", "open|booked||standard|12-05 09:00"),
    Golden("a person says that it is another", taken(decisions=(decided("confirm-kind", "other", about="Appointment/1"),)), (CALL, plain("12-04 09:00")), "12-02 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    Golden("booked by the agency to which the client is routed", taken(), (CALL, plain("12-04 09:00", booked_by="river")), "12-02 10:00", "open|booked||standard|12-05 09:00"),
    Golden("booked by an agency to which the client is not routed", taken(), (CALL, plain("12-04 09:00", booked_by="harbor")), "12-02 10:00", "open|none|no-follow-up-scheduled kind-unconfirmed|standard|12-04 10:00"),
    # --- dispositions
    Golden("07 against advice", taken(code="07"), (CALL,), "12-02 10:00", "open|none|no-follow-up-scheduled left-against-advice|urgent|12-04 10:00"),
    Golden("07 with an appointment", taken(code="07"), (CALL, appointment("12-04 09:00")), "12-02 10:00", "open|booked|left-against-advice|standard|12-05 09:00"),
    Golden("20 died", left(code="20"), NOBODY, "12-01 10:00", "closed died|none||standard|-"),
    Golden("41 died", left(code="41"), NOBODY, "12-01 10:00", "closed died|none||standard|-"),
    Golden("50 hospice", left(code="50"), NOBODY, "12-01 10:00", "closed hospice|none||standard|-"),
    Golden("51 hospice", left(code="51"), NOBODY, "12-01 10:00", "closed hospice|none||standard|-"),
    Golden("20 is said four days later, by a correction", left(code="20", disposition_recorded=at("12-05 09:00")), NOBODY, "12-05 09:00", "closed died|none||standard|-"),
    Golden("seen on day 2, and hospice is said on day 4", left(code="50", disposition_recorded=at("12-05 09:00")), (appointment("12-03 09:00", "fulfilled"),), "12-05 09:00", "closed follow-up-kept|kept||standard|-"),
    Golden("21 court", left(code="21"), NOBODY, "12-01 10:00", "open|none|no-follow-up-scheduled|standard|12-02 10:00"),
    Golden("03 nursing is tracked", left(code="03"), NOBODY, "12-01 10:00", "open|none|no-follow-up-scheduled|standard|12-02 10:00"),
    Golden("09 admitted here is no discharge", left(code="09"), NOBODY, "12-01 10:00", "none"),
    Golden("30 still a patient", left(code="30"), NOBODY, "12-01 10:00", "none"),
    Golden("nothing said of where to", taken(code=None), (CALL,), "12-02 10:00", "open|none|no-follow-up-scheduled disposition-unknown|standard|12-04 10:00"),
    Golden("free text", taken(disposition=Code("went with a friend")), (CALL,), "12-02 10:00", "open|none|no-follow-up-scheduled disposition-unknown|standard|12-04 10:00"),
    Golden("a person records where to", taken(code=None, decisions=(decided("disposition", "01"),)), (CALL,), "12-02 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    Golden("81 home, readmission planned: a person should look", taken(code="81"), (CALL,), "12-02 10:00", "open|none|no-follow-up-scheduled disposition-unknown|standard|12-04 10:00"),
    # --- transfers: held, seen, lapsed
    Golden("65, on the way", left(code="65"), NOBODY, "12-01 10:00", "closed transferred|none||standard|12-02 10:00"),
    Golden("02, on the way", left(code="02"), NOBODY, "12-02 09:59", "closed transferred|none||standard|12-02 10:00"),
    Golden("93 is held as 65 is", left(code="93"), NOBODY, "12-01 12:00", "closed transferred|none||standard|12-02 10:00"),
    Golden("65, no arrival in 24 hours", left(code="65"), NOBODY, "12-02 10:00", "open|none|no-follow-up-scheduled arrival-not-seen|standard|12-03 10:00"),
    Golden("the lapsed hold's clocks run from the discharge", left(code="65"), NOBODY, "12-04 10:00", "open|none|no-follow-up-scheduled not-picked-up no-contact arrival-not-seen|standard|12-09 00:00"),
    Golden("the client is found after all", left(code="65"), (CALL,), "12-04 10:00", "open|none|no-follow-up-scheduled|standard|12-09 00:00"),
    Golden("65, arrived", left(code="65", other_visits=(visit("12-01 14:00"),)), NOBODY, "12-05 10:00", "closed transferred|none||standard|-"),
    Golden("65, admitted there before this discharge was recorded", left(code="65", other_visits=(visit("12-01 09:30"),)), NOBODY, "12-01 10:00", "closed transferred|none||standard|-"),
    Golden("65, arrived and left with a transition of its own", left(code="65", other_visits=(visit("12-01 14:00", "12-09 10:00"),)), NOBODY, "12-20 10:00", "closed transferred|none||standard|-"),
    Golden("65, the admission there is cancelled", left(code="65", other_visits=(visit("12-01 14:00", cancelled=True),)), NOBODY, "12-02 10:00", "open|none|no-follow-up-scheduled arrival-not-seen|standard|12-03 10:00"),
    Golden("02, sent home from there with no transition of its own", left(code="02", other_visits=(visit("12-01 14:00", "12-05 10:00", tracked=False),)), NOBODY, "12-05 10:00", "open|none|no-follow-up-scheduled|standard|12-06 10:00"),
    # --- readmission
    Golden("readmitted on day 3", taken(other_visits=(visit("12-04 23:15"),)), NOBODY, "12-06 10:00", "closed readmitted|none||standard|-"),
    Golden("readmitted, and the admission is cancelled", taken(other_visits=(visit("12-04 23:15", cancelled=True),)), (CALL,), "12-06 10:00", "open|none|no-follow-up-scheduled|standard|12-09 00:00"),
    Golden("readmitted, and discharged with its own transition", taken(other_visits=(visit("12-04 23:15", "12-10 10:00"),)), NOBODY, "12-20 10:00", "closed readmitted|none||standard|-"),
    Golden("readmitted to a medical ward and sent home: clocks from there", taken(other_visits=(visit("12-04 23:15", "12-06 10:00", tracked=False),)), NOBODY, "12-06 10:00", "open|none|no-follow-up-scheduled|standard|12-07 10:00"),
    Golden("the same, day 7 from the later discharge", taken(other_visits=(visit("12-04 23:15", "12-06 10:00", tracked=False),)), (reached("12-06 12:00"),), "12-10 10:00", "open|none|no-follow-up-scheduled|standard|12-14 00:00"),
    Golden("kept before the readmission: the first thing that closes it", taken(other_visits=(visit("12-05 10:00"),)), (appointment("12-03 09:00", "fulfilled"),), "12-06 10:00", "closed follow-up-kept|kept||standard|-"),
    Golden("a stay elsewhere that began long before and never ended is no readmission", taken(other_visits=(visit("11-20 10:00"),)), (CALL,), "12-05 10:00", "open|none|no-follow-up-scheduled|standard|12-09 00:00"),
    Golden("an outpatient visit is no readmission", taken(other_visits=(visit("12-04 10:00", visit_class="AMB"),)), (CALL,), "12-05 10:00", "open|none|no-follow-up-scheduled|standard|12-09 00:00"),
    # --- back in the emergency department
    Golden("emergency return", taken(other_visits=(visit("12-03 21:00", "12-04 06:00", "EMER"),)), (CALL, appointment("12-07 09:00")), "12-04 08:00", "open|booked|emergency-return|standard|12-04 21:00"),
    Golden("reached after the emergency visit", taken(other_visits=(visit("12-03 21:00", "12-04 06:00", "EMER"),)), (reached("12-04 12:00"), appointment("12-07 09:00")), "12-04 12:00", "open|booked||standard|12-08 09:00"),
    Golden("kept, and then the emergency department", taken(other_visits=(visit("12-05 21:00", None, "EMER"),)), (appointment("12-03 09:00", "fulfilled"),), "12-06 10:00", "open|kept|emergency-return|standard|12-06 21:00"),
    Golden("kept after the emergency department", taken(other_visits=(visit("12-03 21:00", None, "EMER"),)), (appointment("12-05 09:00", "fulfilled"),), "12-06 10:00", "closed follow-up-kept|kept||standard|-"),
    Golden("the emergency visit that led to the stay", taken(other_visits=(visit("11-10 02:00", "11-10 08:00", "EMER"),)), (CALL,), "12-02 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    # --- death
    Golden("died on day 5, as any feed says", taken(client=DEAD), (CALL,), "12-07 10:00", "closed died|none||standard|-"),
    Golden("died, nobody says when", left(client=replace(CLIENT, deceased=True)), NOBODY, "12-07 10:00", "closed died|none||standard|-"),
    Golden("seen on day 2, died on day 5", taken(client=DEAD), (appointment("12-03 09:00", "fulfilled"),), "12-07 10:00", "closed follow-up-kept|kept||standard|-"),
    Golden("died on the ward, no discharge in view", inside(client=DEAD), NOBODY, "12-07 10:00", "none"),
    Golden("died on the ward, discharge in view", pending(client=DEAD), NOBODY, "12-07 10:00", "closed died|none||standard|-"),
    # --- before the discharge
    Golden("in hospital, no end in view", inside(), NOBODY, "12-01 10:00", "none"),
    Golden("A16 flags at once", pending(), NOBODY, "12-01 09:00", "anticipated|none|no-follow-up-scheduled|standard|12-03 11:00"),
    Golden("A16 without a date", pending(expected=None), NOBODY, "12-01 09:00", "anticipated|none|no-follow-up-scheduled|standard|12-04 09:00"),
    Golden("A16, booked in the window", pending(), (appointment("12-07 09:00"),), "12-01 09:00", "anticipated|booked||standard|12-08 09:00"),
    Golden("A16, booked for the very day of leaving", pending(), (appointment("12-03 15:00"),), "12-01 09:00", "anticipated|none|no-follow-up-scheduled|standard|12-03 11:00"),
    Golden("A16, booked beyond day 7", pending(), (appointment("12-11 09:00"),), "12-01 09:00", "anticipated|booked|follow-up-too-late|standard|12-03 11:00"),
    Golden("PV2-9, four days ahead", expected("12-05 15:00"), NOBODY, "12-01 23:59", "none"),
    Golden("PV2-9, from 3 days before", expected("12-05 15:00"), NOBODY, "12-02 00:00", "anticipated|none|no-follow-up-scheduled|standard|12-05 15:00"),
    Golden("on leave is no discharge", inside(state="on-leave"), NOBODY, "12-01 10:00", "none"),
    Golden("on leave with a discharge announced", pending(state="on-leave"), NOBODY, "12-01 10:00", "anticipated|none|no-follow-up-scheduled|standard|12-03 11:00"),
    Golden("only planned", inside(state="planned", expected_discharge=at("12-02 10:00")), NOBODY, "12-01 10:00", "none"),
    # --- taken back
    Golden("A13", inside(discharge_cancelled=at("12-02 08:15")), (appointment("12-04 09:00"),), "12-02 09:00", "void|none||standard|-"),
    Golden("A13, and an A16 from before it", pending(discharge_cancelled=at("12-02 08:15")), NOBODY, "12-02 09:00", "void|none||standard|-"),
    Golden("A13, and a new A16", pending("12-03 09:00", "12-05 10:00", discharge_cancelled=at("12-02 08:15")), NOBODY, "12-03 09:00", "anticipated|none|no-follow-up-scheduled|standard|12-05 10:00"),
    Golden("A13, and a new date that is not yet in view", expected("12-20 10:00", "12-03 09:00", discharge_cancelled=at("12-02 08:15")), NOBODY, "12-03 09:00", "void|none||standard|12-17 00:00"),
    Golden("A25 withdrew the A16", inside(expectation_withdrawn=at("12-01 12:00")), NOBODY, "12-01 12:00", "void|none||standard|-"),
    Golden("a date is withdrawn before it came into view: nobody was ever leaving", inside(expectation_withdrawn=at("11-25 12:00"), taken_back=(TakenBack("expectation", at("11-20 09:00"), at("11-25 12:00"), at("12-05 15:00")),)), NOBODY, "12-05 12:00", "none"),
    Golden("a date is withdrawn after it came into view", inside(expectation_withdrawn=at("12-02 12:00"), taken_back=(TakenBack("expectation", at("11-20 09:00"), at("12-02 12:00"), at("12-05 15:00")),)), NOBODY, "12-05 12:00", "void|none||standard|-"),
    Golden("A23 after a discharge", inside(state="entered-in-error", discharge_evidence=(Evidence("ADT^A03"),), error_recorded=at("12-02 08:00")), NOBODY, "12-02 09:00", "void|none||standard|-"),
    Golden("A11 with nothing in view", inside(state="admission-cancelled", error_recorded=at("11-11 08:00")), NOBODY, "12-02 09:00", "none"),
    Golden("A13, and a later A03 opens it again", left("12-05 10:00", taken_back=CANCELLED), NOBODY, "12-05 10:00", "open|none|no-follow-up-scheduled|standard|12-06 10:00"),
    # --- which stays
    Golden("a medical stay", left(placements=(Placement(at("11-10 08:00"), "MED3", "other"),), diagnoses=(INFARCTION,)), NOBODY, "12-02 10:00", "none"),
    Golden("moved off the psychiatric unit, no psychiatric diagnosis", left(placements=MOVED_OFF, diagnoses=()), NOBODY, "12-02 10:00", "none"),
    Golden("moved off the psychiatric unit with a psychiatric diagnosis", left(placements=MOVED_OFF), NOBODY, "12-01 10:00", "open|none|no-follow-up-scheduled|standard|12-02 10:00"),
    Golden("moved off the psychiatric unit to one that nobody lists: tracked all the same", left(placements=UNLISTED, diagnoses=()), NOBODY, "12-01 10:00", "open|none|no-follow-up-scheduled|standard|12-02 10:00"),
    Golden("an emergency visit alone", left(ever_inpatient=False), NOBODY, "12-02 10:00", "none"),
    Golden("neither sign nor counter-sign", left(placements=(), diagnoses=()), NOBODY, "12-02 10:00", "open|none|no-follow-up-scheduled service-unknown|standard|12-04 10:00"),
    Golden("undecided, and a person says no", left(placements=(), diagnoses=(), decisions=(decided("psychiatric", "no"),)), NOBODY, "12-02 10:00", "none"),
    Golden("A07 ended it, nothing said of where to", left(code=None, ended_as_outpatient=True, claims=ACCEPTED), (CALL,), "12-02 10:00", "open|none|no-follow-up-scheduled disposition-unknown|standard|12-04 10:00"),
    Golden("identity uncertain: the coordinator's alone", left(uncertain=UNCERTAIN), NOBODY, "12-02 10:00", "open|none|no-follow-up-scheduled identity-uncertain|standard|12-04 10:00"),
    Golden("a discharge and its cancellation tie: it stands, flagged", left(tie=True), NOBODY, "12-01 10:00", "open|none|no-follow-up-scheduled identity-uncertain|standard|12-04 10:00"),
    # --- people's decisions
    Golden("closed as left the region", taken(decisions=(decided("close", "left-region"),)), NOBODY, "12-02 10:00", "closed left-region|none||standard|-"),
    Golden("closed, and opened again", taken(decisions=(decided("close", "left-region"), decided("reopen", when="12-03 09:00"))), (CALL,), "12-03 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    Golden("unable to contact needs the attempts", taken(decisions=(decided("close", "unable-to-contact", "12-04 09:00"),)), (tried("12-02 09:00"), tried("12-03 09:00", "visit")), "12-04 09:30", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    Golden("three attempts on three days by two means", taken(decisions=(decided("close", "unable-to-contact", "12-06 09:00"),)), THREE_TRIES, "12-06 09:30", "closed unable-to-contact|none||standard|-"),
    Golden("a letter and two calls on three days are the attempts", taken(decisions=(decided("close", "unable-to-contact", "12-06 09:00"),)), (tried("12-02 09:00"), written("letter", "12-03 09:00"), tried("12-05 09:00")), "12-06 09:30", "closed unable-to-contact|none||standard|-"),
    Golden("the attempts alone close nothing", taken(), THREE_TRIES, "12-06 09:30", "open|none|no-follow-up-scheduled no-contact|standard|12-09 00:00"),
    Golden("the agency fails its Task with the attempts made", left(claims=(*ACCEPTED, claim("failed", "12-06 09:00", reason="Unable to contact"))), THREE_TRIES, "12-06 09:30", "closed unable-to-contact|none||standard|-"),
    # --- whose turn it is
    Golden("declined: the coordinator's", left(claims=(claim("rejected", "12-01 13:00"),)), NOBODY, "12-05 10:00", "open|none|no-follow-up-scheduled no-contact|standard|12-09 00:00"),
    Golden("declined, and the next agency does not answer either", left(referred_to=("harbor",), claims=(claim("rejected", "12-01 13:00", "harbor"),)), NOBODY, "12-02 13:00", "open|none|no-follow-up-scheduled not-picked-up|standard|12-04 10:00"),
    Golden("withheld from every agency", left(withheld_from=frozenset({"river", "harbor"})), NOBODY, "12-03 10:00", "open|none|no-follow-up-scheduled|standard|12-04 10:00"),
    # --- the calendar: the clocks change on 2026-03-08 and 2026-11-01
    Golden("72 hours over the lost hour", taken("2026-03-05 10:00", claims=(claim("accepted", "2026-03-05 11:00"),), admitted=at("2026-02-01 10:00")), NOBODY, "2026-03-08 10:59", "open|none|no-follow-up-scheduled|standard|2026-03-08 11:00"),
    Golden("72 hours over the hour that comes twice", taken("2026-10-30 10:00", claims=(claim("accepted", "2026-10-30 11:00"),), admitted=at("2026-10-01 10:00")), NOBODY, "2026-11-02 09:00", "open|none|no-follow-up-scheduled no-contact|standard|2026-11-07 00:00"),
    Golden("day 7 over the lost hour is the seventh calendar day", taken("2026-03-05 23:30", claims=(claim("accepted", "2026-03-05 23:40"),), admitted=at("2026-02-01 10:00")), (reached("2026-03-06 10:00"), appointment("2026-03-12 23:59")), "2026-03-06 10:00", "open|booked||standard|2026-03-13 00:00"),
    Golden("day 7 over the year's end", taken("12-28 10:00", claims=(claim("accepted", "12-28 11:00"),)), (reached("12-28 12:00"), appointment("2027-01-04 16:00")), "12-29 10:00", "open|booked||standard|2027-01-05 00:00"),
    Golden("day 7 over a leap day", taken("2028-02-25 10:00", admitted=at("2028-02-01 10:00"), claims=(claim("accepted", "2028-02-25 11:00"),)), (reached("2028-02-25 12:00"),), "2028-03-03 23:59", "open|none|no-follow-up-scheduled|standard|2028-03-04 00:00"),
    Golden("left at 23:30: in UTC it is the next day already", taken("12-01 23:30", claims=(claim("accepted", "12-01 23:40"),)), (reached("12-01 23:45"), appointment("12-02 08:00")), "12-02 00:10", "open|booked||standard|12-03 08:00"),
    # --- tiers
    Golden("self-harm this stay", left(diagnoses=(DEPRESSION, Code("", "T42.4X2A", ICD10))), NOBODY, "12-01 10:00", "open|none|no-follow-up-scheduled|urgent|12-02 10:00"),
    Golden("homeless", left(diagnoses=(DEPRESSION, Code("", "Z59.01", ICD10))), NOBODY, "12-01 10:00", "open|none|no-follow-up-scheduled|high|12-02 10:00"),
    Golden("stay of 7 days", left(admitted=at("11-24 23:00")), NOBODY, "12-01 10:00", "open|none|no-follow-up-scheduled|high|12-02 10:00"),
    Golden("stay of 8 days", left(admitted=at("11-23 23:00")), NOBODY, "12-01 10:00", "open|none|no-follow-up-scheduled|standard|12-02 10:00"),
]
# fmt: on


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_said_of_a_stay(row: Golden) -> None:
    follow_ups = tuple(each for each in row.told if isinstance(each, FollowUp))
    contacts = tuple(each for each in row.told if isinstance(each, Contact))
    assert _said(assess(row.stay, follow_ups, contacts, at(row.as_of), POLICY)) == row.expect


def test_the_table_is_long_enough_and_names_every_row_once() -> None:
    names = [row.name for row in ROWS]
    assert len(names) >= 80
    assert len(set(names)) == len(names)


def _said(transition: Transition | None) -> str:
    if transition is None:
        return "none"
    status = transition.status if transition.closed_as is None else f"{transition.status} {transition.closed_as}"
    flags = " ".join(flag.code for flag in transition.flags)
    look = "-"
    if transition.next_look is not None:
        local = transition.next_look.astimezone(ZoneInfo(CHICAGO))
        look = f"{local:%m-%d %H:%M}"
        if local.year != 2026 or local.month in (3, 10) or (local.year, local.month) == (2026, 11):
            look = f"{local:%Y-%m-%d %H:%M}"
    return "|".join((status, transition.follow_up.state, flags, transition.tier, look))
