"""Plain words for people: what a flag means, what clears it and what to do about it, and what a transition is closed as."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from transitions.model import ClosedAs, FlagCode

FLAGS: Mapping[FlagCode, str] = {
    "no-follow-up-scheduled": "No mental-health follow-up is scheduled",
    "follow-up-too-late": "The follow-up is booked too late",
    "kind-unconfirmed": "An appointment may be the follow-up; nobody has said of what kind it is",
    "not-picked-up": "The agency has not picked the client up",
    "no-contact": "Nobody has reached the client since the discharge",
    "missed-appointment": "The client did not come to the follow-up",
    "outcome-unknown": "Nobody has said whether the client came to the follow-up",
    "no-follow-up-7-days": "Not seen within 7 days of the discharge",
    "no-follow-up-30-days": "Not seen within 30 days of the discharge",
    "left-against-advice": "Left the hospital against medical advice",
    "emergency-return": "Back in an emergency department since the discharge",
    "arrival-not-seen": "Transferred, but no hospital reports the arrival",
    "disposition-unknown": "Where the client went is not known",
    "service-unknown": "Whether the stay was psychiatric is not known",
    "identity-uncertain": "Who the client is, or which stay it is, is uncertain",
}

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


def clears(code: FlagCode, last_visit_day: str) -> str:
    """What would clear the flag, in a sentence; `last_visit_day` is an ISO date, "" where no discharge date is known."""
    return _dated(CLEARS[code], last_visit_day)


def next_step(code: FlagCode, last_visit_day: str) -> str:
    """What to do about the flag, in a sentence; `last_visit_day` as for `clears`."""
    return _dated(NEXT_STEPS[code], last_visit_day)


@lru_cache(maxsize=4096)
def _dated(words: str, last_visit_day: str) -> str:
    return words.replace("{day7}", last_visit_day or "the seventh day after the discharge")
