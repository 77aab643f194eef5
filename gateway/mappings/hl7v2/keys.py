"""Keys: the one string, `system|value`, under which each subject is known. Which system an identifier belongs to is decided here alone.

person         urn:oid:… · a known URI (SSN, NPI …) · the feed profile's own · urn:gateway:authority:<namespace>
               urn:gateway:facility:<MSH-4>:<type>      an identifier that names no authority
               urn:gateway:unidentified:<MSH-4>         somebody without an identifier, known by one visit or one message alone
stay           urn:gateway:visit:<authority or MSH-4>   PV1-19, else PV1-50
               urn:gateway:account:<authority or MSH-4> PID-18: weaker, for an account may span visits
appointment    urn:gateway:appointment:filler:<authority or MSH-4> (SCH-2) · …:placer:… (SCH-1, with the occurrence number of SCH-3)
document       urn:gateway:document:<authority or MSH-4> (TXA-12)
shared         as for a person; urn:gateway:hospital, urn:gateway:location:<MSH-4>, urn:gateway:name:<MSH-4>
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from urllib.parse import quote

from gateway.fhir.check_digits import is_npi
from gateway.mappings import tables
from gateway.mappings.hl7v2.values import Composite

SSN = "http://hl7.org/fhir/sid/us-ssn"
NPI = "http://hl7.org/fhir/sid/us-npi"
TYPES = tables.targets("0203-identifier-type")
TYPE_NAMES = tables.column("0203-identifier-type", "display")
_GENERIC = frozenset(tables.column("0203-identifier-type", "generic"))
_KNOWN = tables.targets("authorities")
_OID = re.compile(r"(?:urn:oid:)?([0-2](?:\.(?:0|[1-9][0-9]*))+)", re.IGNORECASE)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s|]+")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_NATIONAL: dict[str, tuple[str, Callable[[str], object]]] = {
    NPI: ("NPI", is_npi),
    "urn:oid:2.16.840.1.113883.4.7": ("CLIA", re.compile(r"[0-9]{2}D[0-9]{7}").fullmatch),
    "urn:oid:2.16.840.1.113883.6.300": ("NAIC", re.compile(r"[0-9]{5}").fullmatch),
}
"""Systems whose numbers have a form: what the numbers are called, and whether one has it."""
_NO_DIGITS = re.compile("[^0-9]+")
_WORDS = {"UNKNOWN", "UNK", "NONE", "N/A", "NA", "NULL", "NOTAPPLICABLE", "UNASSIGNED", "TBD", "ANONYMOUS"}
_FALSE_SSN = {"123456789", "987654321", "078051120", "219099999"}


@lru_cache(maxsize=4096)
def escape(text: str) -> str:
    """Text as part of a URN."""
    return quote(text, safe="")


@lru_cache(maxsize=4096)
def universal(namespace: str, universal_id: str, kind: str) -> str:
    """The system that an HD (namespace, universal id, its type) names by itself, "" when it names none that is known everywhere."""
    if universal_id:
        known = _KNOWN.get(universal_id.upper())
        if known:
            return known
        oid = _OID.fullmatch(universal_id)
        if oid:
            return f"urn:oid:{oid[1]}"
        if _UUID.fullmatch(universal_id):
            return f"urn:uuid:{universal_id.lower()}"
        if _URI.fullmatch(universal_id) and kind.upper() not in ("L", "M", "N"):
            return universal_id
        if not namespace:
            return f"urn:gateway:authority:{escape(universal_id)}"
    return _KNOWN.get(namespace.upper(), "")


@lru_cache(maxsize=1024)
def is_generic(namespace: str) -> bool:
    """An assigning authority that is none: empty, or merely the name of an identifier type ("MRN", "PI", "VN")."""
    return not namespace or namespace.upper() in _GENERIC


def system(hd: tuple[str, str, str], kind: str, facility: str, authorities: Mapping[str, str]) -> str:
    """The identifier system of an identifier of type `kind` (table 0203, "" for none) whose assigning authority is `hd`."""
    namespace = hd[0]
    own = (authorities.get(namespace) or authorities.get(namespace.upper())) if authorities else None
    if own:
        return own
    found = universal(*hd)
    if found:
        return found
    if kind == "SS":
        return SSN
    if kind == "NPI":
        return NPI
    if is_generic(namespace):
        return f"urn:gateway:facility:{facility}:{kind or TYPES.get(namespace.upper(), 'MR')}"
    return f"urn:gateway:authority:{escape(namespace)}"


def of_number(system: str, value: str, facility: str) -> str:
    """The system of a provider's number: a national one only where the number can be one of it, else the sender's own of that kind.

    So a mistyped NPI is kept, names nobody else, and breaks no rule of US Core (us-core-16 to us-core-19).
    """
    form = _NATIONAL.get(system)
    return system if form is None or form[1](value) else f"urn:gateway:facility:{facility}:{form[0]}"


def of_visit(cx: Composite, facility: str, account: bool = False) -> str:
    """The key of a stay by its visit number (PV1-19, PV1-50) or, weaker, its account number (PID-18); "" for a placeholder."""
    if is_placeholder(cx[0]):
        return ""
    return f"urn:gateway:{'account' if account else 'visit'}:{_assigner(cx.hierarchic(3), facility)}|{cx[0]}"


def of_entity(kind: str, ei: Composite, facility: str, suffix: str = "") -> str:
    """The key of an entity identifier (EI): `kind` is "appointment:filler", "appointment:placer" or "document"; "" for a placeholder."""
    if is_placeholder(ei[0]):
        return ""
    return f"urn:gateway:{kind}:{_assigner((ei[1], ei[2], ei[3]), facility)}|{ei[0]}{suffix}"


@lru_cache(maxsize=1024)
def _assigner(hd: tuple[str, str, str], facility: str) -> str:
    found = universal(*hd)
    if found:
        return escape(found)
    return facility if is_generic(hd[0]) else escape(hd[0])


def is_placeholder(value: str) -> bool:
    """A value that stands for "none": zeros, one character six times or more, or a word that says so. It joins nobody."""
    if len(set(value)) > 3 and not value.isalpha() and " " not in value:
        return False
    bare = "".join(character for character in value if character.isalnum())
    if not bare.strip("0"):
        return True
    return (len(bare) > 5 and bare.count(bare[0]) == len(bare)) or value.upper().replace(" ", "") in _WORDS


def social_security(value: str) -> str:
    """The nine digits of a social security number that can have been given out; "" otherwise (000, 666, 00 and 0000 never are, in their parts)."""
    digits = _NO_DIGITS.sub("", value)
    if len(digits) != 9 or len(value) > 11 or is_placeholder(digits) or digits in _FALSE_SSN:
        return ""
    if digits[:3] in ("000", "666") or digits[3:5] == "00" or digits[5:] == "0000":
        return ""
    return digits
