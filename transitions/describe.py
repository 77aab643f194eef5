"""Plain words for people: what a flag means, what clears it and what to do about it, and what a transition is closed as."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from transitions.model import ClosedAs, FlagCode

FLAGS: Mapping[FlagCode, str] = {
    "no-follow-up-scheduled": "No follow-up scheduled",
    "follow-up-too-late": "Follow-up is too late",
    "kind-unconfirmed": "Kind of appointment unconfirmed",
    "not-picked-up": "Not picked up by an agency",
    "no-contact": "Not reached yet",
    "missed-appointment": "Missed the appointment",
    "outcome-unknown": "Outcome not reported",
    "no-follow-up-7-days": "Not seen within 7 days",
    "no-follow-up-30-days": "Not seen within 30 days",
    "left-against-advice": "Left against advice",
    "emergency-return": "Back in the emergency department",
    "arrival-not-seen": "Transfer not seen to arrive",
    "disposition-unknown": "Unknown where to discharged",
    "service-unknown": "Unknown whether psychiatric",
    "identity-uncertain": "Identity uncertain",
}
"""Each flag in a few words: the only ones, on pages, in the terminal, in timelines and in FHIR."""

CLOSED_AS: Mapping[ClosedAs, str] = {
    "follow-up-kept": "the client was seen",
    "readmitted": "the client is in hospital again",
    "transferred": "the client was transferred to another hospital",
    "died": "the client has died",
    "hospice": "the client is in hospice care",
    "left-region": "the client has left the region",
    "unable-to-contact": "the client could not be reached",
    "window-elapsed": "a person decided that the time for follow-up is over",
}

CLEARS: Mapping[FlagCode, str] = {
    "no-follow-up-scheduled": "A mental-health appointment is booked; to be in time, for {day7} at the latest.",
    "follow-up-too-late": "A visit by {day7} at the latest, or the booked visit is kept.",
    "kind-unconfirmed": "Somebody confirms that the appointment is mental-health follow-up, or that it is not.",
    "not-picked-up": "An agency accepts the Task, or books or contacts the client, or declines; unanswered it moves on.",
    "no-contact": "The client is reached: by phone, visit or telehealth, or by coming to a visit.",
    "missed-appointment": "A new mental-health appointment is booked, or a visit is kept.",
    "outcome-unknown": "The outcome is reported: fulfilled, no-show or cancelled.",
    "no-follow-up-7-days": "A mental-health visit is kept, or a person closes the transition.",
    "no-follow-up-30-days": "A mental-health visit is kept, or a person closes the transition.",
    "left-against-advice": "A mental-health visit is kept, or a person closes the transition.",
    "emergency-return": "The client is reached, or seen at a mental-health visit, after the emergency visit.",
    "arrival-not-seen": "The other hospital reports the admission, or the client is reached or seen.",
    "disposition-unknown": "The hospital says where the client went (PV1-36), or a person records it.",
    "service-unknown": "The hospital sends the unit, service or diagnosis, or a person decides whether the stay was psychiatric.",
    "identity-uncertain": "The hospital merges, moves or corrects the records, or a person decides who it is.",
}
"""What clears each flag; `{day7}` is the last day of the visit window."""

CLEARS_LATE: Mapping[FlagCode, str] = {
    "no-follow-up-scheduled": "A mental-health appointment is booked: the next that is free.",
    "follow-up-too-late": "The booked visit is kept, or an earlier one.",
}
"""The same where the last day of the visit window is over."""

NEXT_STEPS: Mapping[FlagCode, str] = {
    "no-follow-up-scheduled": "Book a mental-health visit for {day7} at the latest.",
    "follow-up-too-late": "Ask for an earlier visit, for {day7} at the latest.",
    "kind-unconfirmed": "Ask who booked the appointment what it is for, and confirm it here.",
    "not-picked-up": "Call the agency, or send the client to another one.",
    "no-contact": "Call the client; if nobody answers, go there, and record each attempt.",
    "missed-appointment": "Call the client, ask why, and book again.",
    "outcome-unknown": "Ask who was to see the client whether the visit took place.",
    "no-follow-up-7-days": "Reach the client today, and get the next visit that is free.",
    "no-follow-up-30-days": "Reach the client, or decide with the team how to go on, and record it.",
    "left-against-advice": "Call the client today: ask after safety, and offer a visit.",
    "emergency-return": "Call the emergency department and the client; bring the visit forward.",
    "arrival-not-seen": "Call the hospital to which the client was transferred, then the client.",
    "disposition-unknown": "Say where the client went: the hospital by ADT^A08 with PV1-36, or a person here.",
    "service-unknown": "Ask the hospital what kind of stay it was, and record it.",
    "identity-uncertain": "Compare the records with the hospital's, and have them merged or corrected.",
}
"""What whoever has the flag does next."""

NEXT_STEPS_LATE: Mapping[FlagCode, str] = {
    "no-follow-up-scheduled": "Book the next mental-health visit that is free.",
    "follow-up-too-late": "Ask for an earlier visit.",
}
"""The same where the last day of the visit window is over."""


def flag_words(code: str) -> str:
    """The words of a flag by its code as JSON has it; a code that is not known says itself."""
    return cast(Mapping[str, str], FLAGS).get(code, code)


def clears(code: FlagCode, last_visit_day: str, *, late: bool = False) -> str:
    """What would clear the flag, in a sentence; `last_visit_day` is an ISO date, "" where no discharge date is known, `late` once it is over."""
    return CLEARS_LATE[code] if late and code in CLEARS_LATE else _dated(CLEARS[code], last_visit_day)


def next_step(code: FlagCode, last_visit_day: str, *, late: bool = False) -> str:
    """What to do about the flag, in a sentence; `last_visit_day` and `late` as for `clears`."""
    return NEXT_STEPS_LATE[code] if late and code in NEXT_STEPS_LATE else _dated(NEXT_STEPS[code], last_visit_day)


@lru_cache(maxsize=4096)
def _dated(words: str, last_visit_day: str) -> str:
    return words.replace("{day7}", last_visit_day or "the seventh day after the discharge")
