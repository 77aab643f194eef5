"""Deciding on a transition's page: what its forms offer, what was decided before, and whether a form that comes in is one of ours."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson
from fastapi import Request

from gateway.mappings.decisions import MEMBERS
from gateway.pipeline.deciding import decisions
from gateway.records.times import instant, iso
from gateway.smart.forms import is_same_origin
from gateway.store.interface import ALL, Reader
from gateway.web.session import Session
from gateway.web.wording import CLOSED_AS, moment_words
from transitions.dispositions import by_code

LARGEST = 65_536
"""Bytes of a form."""
_FORM = "application/x-www-form-urlencoded"
_BY_PEOPLE = ("left-region", "unable-to-contact", "window-elapsed", "follow-up-kept", "readmitted", "transferred", "died", "hospice")
_DISPOSITIONS = ("01", "06", "04", "07", "21", "65", "02", "70", "03", "62", "63", "50", "20")
"""One code for each kind of place, the most frequent first."""


class Offer(NamedTuple):
    """What the page's forms offer; choices are (value, words)."""

    token: str
    appointments: Sequence[tuple[str, str]]  # of which nobody has said of what kind they are
    agencies: Sequence[tuple[str, str]]
    closed_as: Sequence[tuple[str, str]]
    dispositions: Sequence[tuple[str, str]]
    decided: Sequence[tuple[str, str]]  # (when and by whom, what and why), newest first
    refusal: str


def offer(
    reader: Reader, transition_id: str, transition: Mapping[str, Any], agencies: Mapping[str, str], session: Session, refusal: str = ""
) -> Offer:
    """What can be decided about a transition. `refusal`: why what was sent last was not taken."""
    now, zone = transition.get("agency"), str(transition.get("zone") or "UTC")
    others = [*agencies.items(), ("coordinator", "the coordinator")]
    return Offer(
        token=session.token,
        appointments=[(reference, _named(reader, reference, zone)) for reference in _unconfirmed(transition)],
        agencies=[(id, name) for id, name in others if id != (now or "coordinator")],
        closed_as=[(each, CLOSED_AS[each]) for each in _BY_PEOPLE],
        dispositions=[(code, by_code(code).words) for code in _DISPOSITIONS],
        decided=[_line(each, agencies, reader, zone) for each in decisions(reader, transition_id)],
        refusal=refusal,
    )


def _unconfirmed(transition: Mapping[str, Any]) -> Iterator[str]:
    """The references of the appointments and visits of which nobody has said of what kind they are."""
    for flag in transition.get("flags") or ():
        for piece in flag["evidence"] if flag["code"] == "kind-unconfirmed" else ():
            if (piece.get("reference") or "").startswith(("Appointment/", "Encounter/")):
                yield piece["reference"]


def _named(reader: Reader, reference: str, zone: str) -> str:
    """When an appointment or visit is, and what it is called; its reference, where that is not known."""
    type, _, id = reference.partition("/")
    found = reader.read(ALL, type, id)
    resource = orjson.loads(found.body) if found is not None and found.body is not None else {}
    start = instant(resource.get("start") or (resource.get("period") or {}).get("start"), zone)
    services = resource.get("serviceType") or []  # an Appointment has many, an Encounter one
    concepts = [*(services if isinstance(services, list) else [services]), resource.get("appointmentType") or {}]
    words = next((str(each["text"]) for each in concepts if each.get("text")), "")
    return ", ".join(each for each in (moment_words(iso(start, zone)) if start is not None else "", words) if each) or reference


def _line(decided: Mapping[str, Any], agencies: Mapping[str, str], reader: Reader, zone: str) -> tuple[str, str]:
    value, about = str(decided["value"]), str(decided.get("about") or "")
    agency = agencies.get(about, about)
    kind = "mental-health follow-up" if value == "mental-health" else "something else"
    words = {
        "close": f"closed: {CLOSED_AS.get(value, value)}",
        "reopen": "taken up again",
        "route": f"routed to {agencies.get(value, value)}",
        "psychiatric": "the stay was psychiatric" if value == "yes" else "the stay was not psychiatric",
        "confirm-kind": f"{_named(reader, about, zone) if about else ''} is {kind}",
        "disposition": f"the client went to: {by_code(value).words}",
        "unanswered": f"{agency} has let its time go by",
        "passed-over": f"{agency} takes no new clients, and was passed over",
    }[str(decided["what"])]
    reason = str(decided.get("reason") or "")
    return f"{moment_words(iso(decided['at'], zone))}, {decided['by']}", words + (f" ({reason})" if reason else "")


async def read_form(request: Request) -> dict[str, str]:
    """A form's fields; {} for what is none, or too large."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return {}
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST:
            return {}
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=32))
    except ValueError:
        return {}


def said_in(form: Mapping[str, str]) -> dict[str, str]:
    """The decision that a form holds."""
    return {name: form.get(name, "").strip() for name in MEMBERS}


def is_ours(request: Request, form: Mapping[str, str], session: Session) -> bool:
    """Whether the form was on this session's own page: by its token, and by what the browser says of where it comes from."""
    return is_same_origin(request) and hmac.compare_digest(form.get("token", "").encode("utf-8", "surrogatepass"), session.token.encode())
