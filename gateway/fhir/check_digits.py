"""Check digits of codes: a mistyped SNOMED CT or LOINC code is told from a right one without its terminology. Pure.

SNOMED CT identifiers end in a Verhoeff digit (SNOMED CT Release File Specifications, "Check-digit"); LOINC codes in a digit modulo 10 after the
hyphen (LOINC Users' Guide, appendix "Calculating mod 10 check digits"). LOINC's answers and parts (LA…, LP…) have a digit of another kind. A national
provider identifier ends in one modulo 10 too, counted with the prefix 80840 before it (45 CFR 162.406; ISO/IEC 7812).
"""

from __future__ import annotations

import re

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
_CONCEPT = re.compile(r"[1-9][0-9]{5,17}")
_LOINC = re.compile(r"([1-9][0-9]{0,9})-([0-9])")
_LOINC_PART = re.compile(r"L[A-Z][1-9][0-9]{0,9}-[0-9]")
_NPI = re.compile(r"[0-9]{10}")
_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def problem_of(system: str, code: str) -> str:
    """What is wrong with the code, as words after it; "" where nothing is, or where the system's codes have no check digit."""
    if system == SNOMED and not (_CONCEPT.fullmatch(code) and _verhoeff(code)):
        return "is not a SNOMED CT concept id: its check digit is wrong"
    if system == LOINC and not _mod_10(code):
        return "is not a LOINC code: its check digit is wrong"
    return ""


def is_npi(value: str) -> bool:
    """Whether a number can be a national provider identifier: ten digits, the last of them right."""
    return bool(_NPI.fullmatch(value)) and (_doubled(f"80840{value[:9]}") + int(value[9])) % 10 == 0


def _verhoeff(digits: str) -> bool:
    """The dihedral group of order 10; the permutation is applied once more for every place from the right."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = _PERMUTATION[value]
        check = _product(check, value)
    return check == 0


def _product(one: int, other: int) -> int:
    """In the dihedral group: 0 to 4 turn, 5 to 9 turn and reflect."""
    if one < 5:
        return (one + other) % 5 if other < 5 else 5 + (one + other) % 5
    return 5 + (one - other) % 5 if other < 5 else (one - other) % 5


def _mod_10(code: str) -> bool:
    """The check digit makes the sum of the others a multiple of ten."""
    match = _LOINC.fullmatch(code)
    if match is None:
        return bool(_LOINC_PART.fullmatch(code))
    return (_doubled(match[1]) + int(match[2])) % 10 == 0


def _doubled(digits: str) -> int:
    """Every second digit from the right doubled, and the digits of all results added up (Luhn)."""
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return sum(value // 10 + value % 10 for value in doubled)
