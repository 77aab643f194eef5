"""Which agencies serve a client, by where the client lives, age, payer and language: the rules of routing that the configuration states.

What is not known of a client never rules an agency out: a client without a known payer is still somebody's. Language chooses between agencies and
rules none out, for interpreters exist.
"""

from __future__ import annotations

from datetime import date
from operator import itemgetter

from transitions.model import Client
from transitions.policy import Agency, Policy


def serving(client: Client, day: date, policy: Policy) -> tuple[tuple[str, str], ...]:
    """The agencies that serve the client as of a day, the first choice first, each with the reason in words.

    Who speaks the client's language comes first; then the closest area: postal code, county, anywhere; then the order of configuration.
    """
    found = []
    for distance, name, why in policy.areas.near(client.postal_code, client.county):
        agency = policy.by_id[name]
        if _takes(agency, client, day):
            found.append((not _speaks(agency, client), distance, name, why))
    found.sort(key=itemgetter(0, 1))
    return tuple((name, why if deaf else f"{why}, and it speaks {client.language}") for deaf, _, name, why in found)


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


def _speaks(agency: Agency, client: Client) -> bool:
    return bool(client.language) and client.language.casefold() in {each.casefold() for each in agency.languages}
