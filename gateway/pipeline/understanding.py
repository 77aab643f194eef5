"""What kind of input it is: whose feed, which control ID, how to translate it and how to answer its sender."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from gateway.er7 import reader
from gateway.er7.acknowledgements import answers
from gateway.errors import Forbidden, GatewayError, Malformed
from gateway.fhir.parsing import parse, parse_json
from gateway.mappings.decisions import translate_decision
from gateway.mappings.feeds.profile import FeedProfile, match, of_fhir
from gateway.mappings.fhir.translate import IMPORT, translate_bundle
from gateway.mappings.fhir.writes import translate_write
from gateway.mappings.hl7v2.translate import translate
from gateway.mappings.openings import translate_opening
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.openings import OPENING, opening_name
from gateway.pipeline.received import Received
from gateway.records.statements import Report, Translation
from gateway.records.times import moment

_WORTH_SAYING = ("W", "E", "F")
"""Severities that go into an acknowledgement; information stays with the inbox."""


Acknowledge = Callable[[str, Sequence[Report], str, int], bytes]
"""What became of it (AA, AE or AR), problems, one sentence for a person ("" for none), and the time of the answer (microseconds UTC) -> the
acknowledgements that its sender wants, one after the other; b"" where it wants none."""


@dataclass(slots=True)
class Understood:
    """An input before its translation."""

    feed: str
    control_id: str
    event: str
    translate: Callable[[], Translation]
    acknowledge: Acknowledge
    identifiers: tuple[str, ...] = ()
    error: GatewayError | None = None  # it could not even be read
    repeatable: bool = True  # the same control ID and bytes again are a repetition, not news
    accept_quarantined: bool = False
    strict: bool = False


def understand(received: Received, now: int, configuration: Configuration) -> Understood:
    """Read an input as far as its heading. Never raises: what cannot be read carries its error."""
    if received.kind == "hl7v2":
        return _hl7v2(received, now, configuration)
    if received.kind == "decision":
        return _decision(received, now)
    if received.kind == OPENING:
        return _opening(received, now)
    return _fhir(received, now, configuration)


def _hl7v2(received: Received, now: int, configuration: Configuration) -> Understood:
    bound = {name for name in received.feed.split(",") if name}
    message: reader.Message | None = None
    profile = next((each for each in configuration.feeds if each.name in bound), FeedProfile()) if len(bound) == 1 else FeedProfile()
    error: GatewayError | None = None
    try:
        message = reader.read(received.raw, profile.charset)
        profile = match(configuration.feeds, message.application, message.facility)
        if profile.charset and not message.first("MSH").value(18):  # type: ignore[union-attr]  # a message has an MSH
            message = reader.read(received.raw, profile.charset)
        if bound and profile.name not in bound:
            error = Forbidden(
                "this client may not send for the hospital that MSH-4 names", location="MSH-4", advice="Ask the operator to bind the feed to it."
            )
    except GatewayError as unreadable:
        error = unreadable
    read = message

    def answer(code: str, reports: Sequence[Report], text: str, at: int) -> bytes:
        told = [each for each in reports if each.severity in _WORTH_SAYING]
        own = partial(_own_control_id, received, at)
        return answers(read, code, told, at=moment(at), control_id=own, text=text, mode=profile.acknowledgement)

    def understand_statements() -> Translation:
        assert read is not None
        return translate(read, profile, now, configuration.identify)

    return Understood(
        feed=profile.name,
        control_id=read.control_id if read else "",
        event=f"{read.type}^{read.trigger}" if read and read.trigger else (read.type if read else ""),
        translate=understand_statements,
        acknowledge=answer,
        identifiers=_identifiers(read) if read else (),
        error=error,
        accept_quarantined=profile.accept_quarantined,
        strict=profile.strict,
    )


def not_understood(received: Received) -> Understood:
    """An input of which nothing but its bytes is known."""

    def answer(code: str, reports: Sequence[Report], text: str, at: int) -> bytes:
        return answers(None, code, reports, at=moment(at), control_id=partial(_own_control_id, received, at), text=text)

    def nothing() -> Translation:
        raise Malformed("It could not be read")

    of_hl7 = received.kind == "hl7v2"
    return Understood("default", "", "", nothing, answer if of_hl7 else _no_acknowledgement, repeatable=of_hl7)


def _own_control_id(received: Received, at: int, code: str) -> str:
    """MSH-10 of our answer: another for each message, each of its answers and each time, and no longer than the 20 characters of the old versions."""
    return hashlib.sha256(received.raw + at.to_bytes(8, "big") + code.encode()).hexdigest()[:20]


def _identifiers(message: reader.Message) -> tuple[str, ...]:
    """MRNs, the visit number and the account number, so that people can find the message by them."""
    found: dict[str, None] = {}
    for segment in message.all("PID"):
        for field in (2, 3, 18):
            for repetition in range(1, len(segment.repetitions(field)) + 1):
                found[segment.value(field, 1, 1, repetition)] = None
    for segment in message.all("PV1"):
        found[segment.value(19)] = None
    return tuple(each for each in found if each and each != '""')


def _no_acknowledgement(code: str, reports: Sequence[Report], text: str, at: int) -> bytes:
    return b""


def _decision(received: Received, now: int) -> Understood:
    """A decision was checked before it was submitted."""
    body = parse_json(received.raw)
    return Understood(
        feed="",
        control_id=received.about.get("request", ""),
        event=f"decision {body['what']}",
        translate=lambda: translate_decision(body, received.about, now),
        acknowledge=_no_acknowledgement,
        identifiers=(str(body["transition"]),),
        repeatable=False,
    )


def _opening(received: Received, now: int) -> Understood:
    """Likewise."""
    body = parse_json(received.raw)
    return Understood(
        feed="",
        control_id=received.about.get("request", ""),
        event=OPENING,
        translate=lambda: translate_opening(body, received.about, now),
        acknowledge=_no_acknowledgement,
        identifiers=(opening_name(str(body["agency"])),),
        repeatable=False,
    )


def _fhir(received: Received, now: int, configuration: Configuration) -> Understood:
    about = received.about
    profile = of_fhir(configuration.feeds, received.feed)
    understood = Understood(
        feed=received.feed or about.get("sender", "default"),
        control_id=about.get("request", ""),
        event="",
        translate=lambda: Translation(heading=None, statements=()),  # type: ignore[arg-type]  # replaced below
        acknowledge=_no_acknowledgement,
        repeatable=about.get("method") == IMPORT,
    )
    try:
        body = {} if about.get("method") == "DELETE" else parse(received.raw)
    except GatewayError as error:
        understood.error = error
        return understood
    if received.kind == "fhir-write":
        understood.event = f"{about.get('method', '')} {about.get('type', '')}".strip()
        understood.translate = lambda: translate_write(body, about, now, configuration.identify)
        return understood
    understood.event = str(body.get("resourceType") or "")
    if received.kind == "fhir-message":
        name = str(body.get("id") or (body.get("identifier") or {}).get("value") or "")
        understood.control_id, understood.repeatable = name or understood.control_id, bool(name)
    understood.translate = lambda: translate_bundle(body, profile, now, configuration.identify, about)
    return understood
