"""A feed profile: how one sender writes HL7 v2 or FHIR. Pure data; read from TOML by `gateway.settings`, matched here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FeedProfile:
    """One sender's ways. Every matching key that is stated must agree; the profile that states the most wins."""

    name: str = "default"
    kind: str = "hl7v2"  # "hl7v2" | "fhir"
    sending_facility: str = ""  # MSH-4, first component, any case
    sending_application: str = ""  # MSH-3
    hospital: str = ""  # the name that people read; the sending facility if not said
    timezone: str = ""  # IANA; "" is UTC, reported as assumed
    charset: str = ""  # when MSH-18 says nothing
    processing_ids: tuple[str, ...] = ("P",)
    psychiatric_units: tuple[str, ...] = ()
    psychiatric_services: tuple[str, ...] = ()
    other_units: tuple[str, ...] = ()  # known not to be psychiatric
    other_services: tuple[str, ...] = ()
    facility_kind: str = ""  # "psychiatric" | "other" | ""
    part2_units: tuple[str, ...] = ()  # 42 CFR Part 2 programs: units (PV1-3.1); "*" is the whole facility
    sud_attested: bool = False  # the source attests that its substance-use content is not Part 2
    authorities: Mapping[str, str] = field(default_factory=dict)  # assigning authority (CX.4.1) -> identifier system URI
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # table ("disposition", "class", "0004" …) -> local code -> standard code
    mental_health_services: tuple[str, ...] = ()  # SCH-7/8, AIS-3 codes or texts that are mental-health follow-up
    other_appointment_services: tuple[str, ...] = ()  # and those that are not
    accept_quarantined: bool = False
    acknowledgement: str = ""  # "original" | "enhanced" | "" (as MSH-15 and MSH-16 say); see er7.acknowledgement_mode
    allow: tuple[str, ...] = ()  # networks ("10.1.0.0/16") from which its messages are taken; none: from everywhere
    strict: bool = False  # refuse unknown versions and events with AR
    ignore: tuple[str, ...] = ()  # paths ("PID-22") to leave unmapped, named so in `explain`
    segment_modes: Mapping[str, str] = field(default_factory=dict)  # "ROL" -> "snapshot" | "action": how a repeating segment is read (DESIGN)
    segments: Mapping[str, str] = field(default_factory=dict)  # Z-segment paths ("ZFU-3.1") -> target ("appointment.start")


def of_fhir(profiles: Sequence[FeedProfile], name: str) -> FeedProfile:
    """The profile of the feed of that name, by which a client is bound; one that says nothing where there is none."""
    return next((each for each in profiles if each.name == name), FeedProfile(name=name or "default", kind="fhir"))


def match(profiles: Sequence[FeedProfile], application: str, facility: str) -> FeedProfile:
    """The profile that agrees with MSH-3 and MSH-4 on every key it states and states the most; the built-in `default` otherwise."""
    best, score = FeedProfile(sending_facility=facility), 0
    for profile in profiles:
        stated = [
            (profile.sending_application, application),
            (profile.sending_facility, facility),
        ]
        wanted = [(want, got) for want, got in stated if want]
        if wanted and len(wanted) > score and all(want.casefold() == got.casefold() for want, got in wanted):
            best, score = profile, len(wanted)
    return best
