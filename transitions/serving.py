"""Which agencies serve a client, by where the client lives, age, payer and language: the rules of routing that the configuration states.

What is not known of a client never rules an agency out: a client without a known payer is still somebody's. Language chooses between agencies and
rules none out, for interpreters exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from transitions.model import Client
from transitions.policy import Agency, Policy


def serving(client: Client, day: date, policy: Policy) -> tuple[tuple[str, str], ...]:
    """The agencies that serve the client as of a day, the first choice first, each with the reason in words.

    Who speaks the client's language comes first; then the closest area: postal code, county, anywhere; then the order of configuration.
    """
    found = sorted(_fitting(client, day, policy), key=lambda each: (not each[2], each[0]))
    return tuple((agency.id, f"{why}, and it speaks {client.language}" if speaks else why) for _, agency, speaks, why in found)


def _fitting(client: Client, day: date, policy: Policy) -> Iterator[tuple[int, Agency, bool, str]]:
    """(distance, agency, whether it speaks the client's language, reason)."""
    closest: dict[str, str] = {}
    for name, pattern in policy.areas.serving(client.postal_code):  # the closest first
        closest.setdefault(name, pattern)
    ranks = {name: rank for rank, name in enumerate(closest)}
    for agency in policy.agencies:
        if agency.id in closest:
            distance, why = ranks[agency.id], f"it serves postal codes {closest[agency.id]}"
        elif client.county and _county(client.county) in {_county(each) for each in agency.counties}:
            distance, why = len(closest), f"it serves {client.county}"
        elif not agency.postal_codes and not agency.counties and (agency.payers or agency.languages or agency.ages != (None, None)):
            distance, why = len(closest) + 1, "it serves clients like this one wherever they live"
        else:
            continue
        if _takes(agency, client, day):
            yield distance, agency, _same(client.language, agency.languages), why


def _takes(agency: Agency, client: Client, day: date) -> bool:
    """Whether age and payer, as far as they are known, are among those that the agency takes."""
    youngest, oldest = agency.ages
    if client.birth_date is not None:
        born = client.birth_date
        age = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
        if (youngest is not None and age < youngest) or (oldest is not None and age > oldest):
            return False
    payers = [each.casefold() for each in client.payers if each]
    return not agency.payers or not payers or any(wanted.casefold() in payer for wanted in agency.payers for payer in payers)


def _same(language: str, spoken: tuple[str, ...]) -> bool:
    return bool(language) and language.casefold() in {each.casefold() for each in spoken}


def _county(name: str) -> str:
    return name.casefold().removesuffix("county").strip()
