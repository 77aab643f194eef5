"""How a stay ended (NUBC FL17 patient discharge status) and what that means for the transition: the table of DOMAIN, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from transitions.model import Stay

Fate = Literal["tracked", "held", "died", "hospice", "not-a-discharge"]


@dataclass(frozen=True, slots=True)
class Disposition:
    """What a discharge disposition means.

    `fate`: tracked; held until the other stay's own discharge; closed as died or hospice; or no discharge at all.
    """

    kind: str
    words: str
    fate: Fate = "tracked"
    review: bool = False  # a planned readmission: as its base code, but a person should look

    @property
    def against_advice(self) -> bool:
        """The client left against medical advice."""
        return self.kind == "against-advice"


UNKNOWN = Disposition("unknown", "not known where to")

_KINDS: Mapping[str, Disposition] = {
    each.kind: each
    for each in (
        Disposition("home", "home"),
        Disposition("home-health", "home with home health care"),
        Disposition("supportive", "custodial or supportive care"),
        Disposition("against-advice", "left against medical advice"),
        Disposition("court", "court or jail"),
        Disposition("died", "died", "died"),
        Disposition("hospice", "hospice", "hospice"),
        Disposition("acute-hospital", "another acute hospital", "held"),
        Disposition("psychiatric-hospital", "a psychiatric hospital", "held"),
        Disposition("institution", "another institution"),
        Disposition("nursing", "a nursing facility"),
        Disposition("rehabilitation", "a rehabilitation facility"),
        Disposition("long-term", "a long-term hospital"),
        Disposition("admitted-here", "admitted to this hospital", "not-a-discharge"),
        Disposition("still-a-patient", "still a patient", "not-a-discharge"),
        UNKNOWN,
    )
}

_CODES: Mapping[str, str] = {
    "01": "home",
    "02": "acute-hospital",
    "03": "nursing",
    "04": "supportive",
    "05": "acute-hospital",
    "06": "home-health",
    "07": "against-advice",
    "09": "admitted-here",
    "20": "died",
    "21": "court",
    "30": "still-a-patient",
    "40": "died",
    "41": "died",
    "42": "died",
    "43": "acute-hospital",
    "50": "hospice",
    "51": "hospice",
    "61": "nursing",
    "62": "rehabilitation",
    "63": "long-term",
    "64": "nursing",
    "65": "psychiatric-hospital",
    "66": "acute-hospital",
    "69": "institution",
    "70": "institution",
}

_PLANNED_READMISSION: Mapping[str, str] = {
    "81": "01",
    "82": "02",
    "83": "03",
    "84": "04",
    "85": "05",
    "86": "06",
    "87": "21",
    "88": "43",
    "89": "61",
    "90": "62",
    "91": "63",
    "92": "64",
    "93": "65",
    "94": "66",
    "95": "70",
}

_BY_CODE: Mapping[str, Disposition] = {code: _KINDS[kind] for code, kind in _CODES.items()} | {
    code: Disposition(base.kind, base.words + ", readmission planned", base.fate, review=True)
    for code, of in _PLANNED_READMISSION.items()
    for base in (_KINDS[_CODES[of]],)
}


def by_code(code: str) -> Disposition:
    """The meaning of a NUBC FL17 code in two digits; `UNKNOWN` for every other."""
    return _BY_CODE.get(code, UNKNOWN)


def decided(stay: Stay) -> str:
    """The code that a person recorded last, "" where nobody did."""
    told = [each for each in stay.decisions if each.what == "disposition" and each.value in _BY_CODE] if stay.decisions else []
    return max(told, key=lambda each: each.at).value if told else ""


def disposition(stay: Stay) -> Disposition:
    """How this stay ended: a person's decision, else the kind that the feed profile names, else the code that was sent."""
    chosen = decided(stay)
    if chosen:
        return _KINDS[_BY_CODE[chosen].kind]  # the person has looked: no further review
    named = _KINDS.get(stay.disposition_kind)
    if named is not None:
        return named
    return UNKNOWN if stay.disposition is None else by_code(stay.disposition.code)
