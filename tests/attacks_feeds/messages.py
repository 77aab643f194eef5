"""Messages to attack with: one good admission, and whatever is to be wrong with it."""

from __future__ import annotations

FAMILY = "Zzyzxworth"
"""A family name that stands in every message here, and must stand in no log, answer or error."""

FEEDS = """
[[feed]]
name = "st-mary"
sending_facility = "STMARY"
timezone = "America/Chicago"
psychiatric_units = ["BHU"]
[[feed]]
name = "strict"
sending_facility = "STRICT"
timezone = "America/Chicago"
strict = true
[[feed]]
name = "patient"
sending_facility = "PATIENT"
timezone = "America/Chicago"
accept_quarantined = true
[[agency]]
id = "river"
name = "River Community Mental Health"
postal_codes = ["627*"]
"""

PID = f"PID|1||1001^^^STMARY^MR||{FAMILY}^Ada||19800214|F|||1 Elm St^^Springfield^IL^62701^USA^H"
PV1 = "PV1|1|I|BHU^1^A||||||||||||||||V1^^^STMARY^VN|||||||||||||||||||||||||20260302090000"


def message(
    control: str = "C1",
    *,
    event: str = "ADT^A01^ADT_A01",
    facility: str = "STMARY",
    encoding: str = "^~\\&",
    version: str = "2.5.1",
    charset: str = "",
    at: str = "20260302090000",
    pid: str = PID,
    pv1: str = PV1,
) -> bytes:
    """One message; a segment that is "" is left out."""
    header = f"MSH|{encoding}|ADT|{facility}|GW|COUNTY|{at}||{event}|{control}|P|{version}||||||{charset}"
    return "".join(f"{segment}\r" for segment in (header, f"EVN||{at}", pid, pv1) if segment).encode()
