"""Original or enhanced mode: which acknowledgements a sender wants of a message (HL7 v2 chapter 2, 2.9.2 and 2.9.3; tables 0008 and 0155).

The standard calls a message one of enhanced mode as soon as MSH-15 or MSH-16 is valued. Senders do not keep to that: google/simhospital
writes AL in MSH-15, nothing in MSH-16, and reads one answer; Mirth Connect's sender took CA for an invalid answer and queued the message
(nextgenhealthcare/connect, issue 3007). So a message is in enhanced mode when **both** are valued; one of them alone is a header that was
half filled in, and is answered as in original mode, with the verdict that says most. A feed profile may say otherwise:
`acknowledgement = "enhanced"` is the standard's rule, either field, and the empty one counts as NE; `"original"` is AA, AE or AR, always.

Original mode: one answer, AA, AE or AR. Enhanced mode, by what became of the message:

    outcome                                             accept (MSH-15)   application (MSH-16)
    AA  committed and understood                        CA                AA
    AE  committed, but kept in the quarantine           CA                AE
    AR  can never be taken                              CR                AR, only where no accept was wanted
    CE  could not be committed now; to be sent again    CE                AR, only where no accept was wanted

Each is sent if its field wants it: AL always, NE never, ER on error or reject, SU on success. For MSH-15, being committed is the success;
for MSH-16, being understood. An acknowledgement is never acknowledged by an application (2.9.2.1), else two systems would go on for ever.
"""

from __future__ import annotations

from gateway.er7.reader import Message

MODES = ("original", "enhanced")
"""What a feed profile may say; "" leaves it to the message."""

_ACKNOWLEDGEMENTS = ("ACK", "MCF")


def conditions(message: Message) -> tuple[str, str]:
    """MSH-15 and MSH-16 in capitals, "" where not valued (the explicit null too)."""
    accept, application = (message.header.value(number).strip(' "').upper() for number in (15, 16))
    return accept, application


def enhanced(message: Message, mode: str = "") -> bool:
    """Whether a message is to be answered in enhanced mode; `mode` is what the sender's feed profile says, "" for nothing."""
    return _enhanced(*conditions(message), mode)


def _enhanced(accept: str, application: str, mode: str) -> bool:
    if mode == "enhanced":
        return bool(accept or application)
    return mode != "original" and bool(accept and application)


def asked_for(message: Message, outcome: str, mode: str = "") -> tuple[str, ...]:
    """The acknowledgement codes that the sender wants for an outcome (AA, AE, AR or CE, as above), in the order in which they are sent."""
    accept, application = conditions(message)
    acknowledgement = message.type in _ACKNOWLEDGEMENTS
    if not _enhanced(accept, application, mode):
        return () if acknowledgement else ("AR",) if outcome == "CE" else (outcome,)
    if acknowledgement:
        application = "NE"
    if outcome in ("AR", "CE"):
        if _wanted(accept, False):
            return ("CR",) if outcome == "AR" else ("CE",)
        return ("AR",) if _wanted(application, False) else ()
    first = ("CA",) if _wanted(accept, True) else ()
    return (*first, outcome) if _wanted(application, outcome == "AA") else first


def _wanted(condition: str, success: bool) -> bool:
    """HL7 table 0155; what it does not know counts as AL, for an answer too many is better than one too few. Empty is NE."""
    return {"": False, "NE": False, "ER": not success, "SU": success}.get(condition, True)
