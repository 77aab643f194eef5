"""HL7 v2 message -> statements. Pure: no clock, no I/O; the tables were read when this was imported.

A map a segment group, each reading through `Context`; this module only decides who speaks of what:

    PID PD1              -> person        with NK1 AL1 IAM IN1 GT1 as its parts
    MRG                  -> merge
    PV1 PV2              -> stay          with DG1 PR1 OBX as its parts (as the person's, where the message speaks of no stay)
    ROL PRT ARV ACC DRG OBR … -> parts of either (`further`)
    CON                  -> consent
    SCH TQ1 AIS AIG AIL AIP -> appointment
    TXA OBX              -> document
    RF1 PRD CTD          -> referral
    PRB GOL PTH VAR      -> care
    Z-segments           -> appointment, facts of the stay, and what callers must know, by the feed's profile

Accounting (`explain`) needs nothing here: as translation is pure and quick, what a value led to is found by translating the message with
that value and with another.
"""

from __future__ import annotations

from gateway.er7.reader import Message, Segment
from gateway.errors import Invalid, Unsupported
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2 import (
    appointment,
    bed,
    clinical,
    consents,
    coverage,
    document,
    events,
    further,
    groups,
    joins,
    merge,
    observations,
    person,
    problems,
    programs,
    provenance,
    referral,
    related,
    stay,
    zsegments,
)
from gateway.mappings.hl7v2.context import Context
from gateway.mappings.hl7v2.events import Event
from gateway.mappings.hl7v2.populated import without
from gateway.records.statements import DiagnosisFact, Fragment, Heading, Identify, Statement, Translation

VERSIONS = frozenset(("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9", "2.9.1"))
_DAY = 24 * 3600 * 1_000_000
_SUBJECTS_WITHOUT_PERSON = ("slot", "place")
_ABOUT_SEVERAL = ("ORU", "SIU")


def translate(message: Message, profile: FeedProfile, received: int, identify: Identify) -> Translation:
    """What one message says. `received` is microseconds since 1970 UTC.

    Raises Unsupported for an event or type that is not taken, and Invalid where nothing can be understood for want of a segment or field; everything
    less is mapped as far as it goes, and named in `reports`.
    """
    event = events.find(message.type, _trigger(message))
    if profile.ignore:
        message = without(message, profile.ignore)
    context = Context(message, profile, event, received, identify)
    heading = _heading(context)
    pid = message.first("PID")
    if pid is None and event.subject not in _SUBJECTS_WITHOUT_PERSON:
        raise Invalid("The message does not say whom it is about: it has no PID segment", location="PID", advice="Send PID.", condition="100")
    if event.subject == "place":
        bed.bed(context)
    statements = _of_everybody(context, pid) if pid is not None else []
    said = provenance.of(context, heading)  # before what is shared is counted: it refers to some of it
    return Translation(heading, tuple(statements), tuple(context.shared.values()), tuple(context.reports), provenance=said)


def _trigger(message: Message) -> str:
    """MSH-9.2, else the event of a structure's name (MSH-9.3 "ADT_A03"), else EVN-1."""
    structure = message.header.value(9, 3)
    stated = message.header.value(9, 2) or (structure[4:] if structure[3:4] == "_" else "")
    return (stated or message.trigger).strip().upper()


def _of_everybody(context: Context, pid: Segment) -> list[Statement]:
    """The statements of the one person that most messages are about, or of each person of a message that is about several."""
    message, event = context.message, context.event
    every = message.all("PID")
    if len(every) == 1 or event.person:
        return _statements(context, pid)
    if event.type not in _ABOUT_SEVERAL and event.code != "A17":
        context.report("PID[2]", "100", "W", "This event is about one person; what is said of others was not taken.")
        return _statements(context, pid)
    statements = []
    for part in groups.of_people(message):
        one = context.about(part)
        statements += _statements(one, part.all("PID")[0])
    return statements


def _statements(context: Context, pid: Segment) -> list[Statement]:
    message, event = context.message, context.event
    pv1 = message.first("PV1")
    named = stay.visit(context, pv1, pid)
    identifiers, known = person.identity(context, pid)
    who = known or _unidentified(context, pid, named)
    spoken = stay.says_anything(context, pv1, named)
    of_person = _person_parts(context)
    of_stay, diagnoses = _stay_parts(context)
    further.parts(context, of_person, of_stay)
    if not spoken:
        of_person |= further.within(context, pv1, of_stay) if pv1 is not None and of_stay else of_stay
        of_stay = {}
    statements = [person.statement(context, pid, message.first("PD1"), identifiers, who, of_person)]
    further.of_patient(context, statements[0], of_person)
    if message.first("CON") is not None:
        statements += consents.statements(context, who)
    if event.person in ("move", "stays"):
        statements = [*joins.statements(context), *statements]  # first: what the person is called afterwards is true only then
    elif event.person in ("merge", "link", "unlink"):
        statements += merge.statements(context)
    if spoken:
        _report_unnumbered(context, pv1, named)
        statements.append(stay.statement(context, pv1, named, who, of_stay, diagnoses))
        further.of_visit(statements[-1], of_stay)
        if context.profile.segments:
            zsegments.add_to_stay(context, statements[-1])
    if event.subject in ("appointment", "document"):
        about = appointment.statement if event.subject == "appointment" else document.statement
        statements.append(about(context, who, [] if spoken else stay.mentioned(context, pv1)))
    elif event.subject == "referral":
        statements.append(referral.statement(context, who, _visit_key(named)))
    elif event.subject == "care":
        statements += problems.statements(context, who, _visit_key(named))
    if context.profile.segments:
        statements += zsegments.statements(context, who)
    return programs.marked(context, statements) if context.profile.part2_units else statements


def _report_unnumbered(context: Context, pv1: Segment | None, named: stay.Visit) -> None:
    """Tell the sender of an event about a visit that does not name it: it was taken, and the stay has to be found by other means."""
    if context.event.stay in ("", "none", "update"):
        return
    if pv1 is None:
        context.report("PV1", "100", "W", "There is no PV1 segment: the stay was looked for by what else the message says.")
    elif not named.numbered:
        context.report(
            "PV1-19", "101", "W", "There is no visit number: the stay was looked for by account, admission time, or as the only one that fits."
        )


def _visit_key(named: stay.Visit) -> str:
    """The number of the visit that something belongs to; "" where only an account is named, which may span visits."""
    return named.keys[0] if named.numbered else ""


def _unidentified(context: Context, pid: Segment, named: stay.Visit) -> tuple[str, ...]:
    """The key of somebody without an identifier that is more than a placeholder: the visit, else, where anything stands in PID-3, this message."""
    if named.keys:
        key = named.keys[0]
    elif pid.field(3) and pid.field(3) != '""':
        key = context.text(context.message.header, 10) or str(context.recorded)
    else:
        raise Invalid("The person has no identifier", location="PID-3", advice="Send a medical record number there.", condition="101")
    context.report("PID-3", "103", "W", "No identifier there is a person's own; the person is known by this visit or message alone.")
    return (f"urn:gateway:unidentified:{context.facility}|{key}",)


def _person_parts(context: Context) -> dict[str, list[Fragment]]:
    """What hangs on a person, by segment; a segment that the message does not have says nothing."""
    by_name = context.message
    parts: dict[str, list[Fragment]] = {}
    for segment, read in _PERSON_PARTS:
        if by_name.first(segment) is not None:
            parts[segment] = read(context)
    return parts


_PERSON_PARTS = (
    ("NK1", related.next_of_kin),
    ("GT1", related.guarantors),
    ("AL1", clinical.allergies),
    ("IAM", clinical.adverse_reactions),
    ("IN1", coverage.coverages),
)


def _stay_parts(context: Context) -> tuple[dict[str, list[Fragment]], list[DiagnosisFact]]:
    message = context.message
    parts: dict[str, list[Fragment]] = {}
    facts: list[DiagnosisFact] = []
    if message.first("DG1") is not None:
        parts["DG1"], facts = clinical.diagnoses(context)
    if message.first("PR1") is not None:
        parts["PR1"] = clinical.procedures(context)
    if message.first("OBX") is not None:
        parts |= observations.observations(context)
    if context.profile.segments:
        parts |= zsegments.to_know(context)
    return parts, facts


def _heading(context: Context) -> Heading:
    """Who said it, what and when; what the envelope leaves out or contradicts is reported."""
    message, profile, event = context.message, context.profile, context.event
    header, evn = message.header, message.first("EVN")
    _check_envelope(context, evn, event)
    sent = context.moment(header, 7)
    noted = context.moment(evn, 2) if evn is not None else None
    latest = context.received + _DAY
    recorded, source = context.received, "receipt"
    if noted is not None and noted.instant > latest:
        context.report("EVN-2", "102", "W", "The recorded time lies more than a day after receipt; another was taken.")
        noted = None
    if noted is not None and (len(noted.text) > 10 or sent is None):
        recorded, source = noted.instant, "EVN-2"
    elif sent is not None and sent.instant <= latest:
        recorded, source = sent.instant, "MSH-7"
    elif sent is not None:
        context.report("MSH-7", "102", "W", "The message's time lies more than a day after receipt; the time of receipt was taken.")
    context.recorded = recorded
    context.occurred = occurred = context.moment(evn, 6) if evn is not None else None
    processing = context.text(header, 11).upper() or "P"
    number = context.text(header, 13)
    return Heading(
        sender=profile.name,
        facility=context.sender_key,
        event=event.name,
        control_id=context.text(header, 10),
        recorded=recorded,
        recorded_from=source,
        message_time=sent.instant if sent is not None else 0,
        sequence=int(number) if number.isascii() and number.isdigit() and len(number) < 16 else 0,
        occurred=occurred.text if occurred is not None else "",
        test=processing not in profile.processing_ids,
    )


def _check_envelope(context: Context, evn: Segment | None, event: Event) -> None:
    header = context.message.header
    if not context.text(header, 10):
        context.report("MSH-10", "101", "W", "The message has no control ID; repeats of it cannot be known.")
    version = context.text(header, 12)
    if version not in VERSIONS:
        if context.profile.strict:
            raise Unsupported("This version of HL7 is not taken", location="MSH-12", condition="203")
        words = "The message does not say its version" if not version else "The version is unknown"
        context.report("MSH-12", "203", "W", f"{words}; it was read as the newest.")
    if evn is not None:
        stated = context.text(evn, 1)
        if stated and stated.upper() != event.code:
            context.report("EVN-1", "103", "W", "EVN-1 names another event than MSH-9; MSH-9 was taken.")
