"""Which agencies serve where a client lives: by postal code, by county, or anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_REMEMBERED = 20_000

Near = tuple[int, str, str]
"""(distance, agency id, why): the lower the distance, the closer is the area that the agency states."""


class Areas:
    """Postal code patterns, whole codes or beginnings with "*" ("627*"), and counties, ready to be asked; remembers its answers."""

    def __init__(self, patterns: Iterable[tuple[str, str]], counties: Iterable[tuple[str, str]] = (), anywhere: Sequence[str] = ()) -> None:
        """`patterns` are (agency id, pattern), `counties` (agency id, name), `anywhere` agency ids; each in the order of configuration."""
        plain = [(agency, pattern, pattern.replace(" ", "").upper()) for agency, pattern in patterns]
        self._patterns = sorted(plain, key=lambda each: -len(each[2].rstrip("*")))
        self._counties = [(agency, _county(name)) for agency, name in counties]
        self._anywhere = tuple(anywhere)
        self._remembered: dict[tuple[str, str], tuple[Near, ...]] = {}

    def limited(self, agency: str) -> bool:
        """Whether it is said which postal codes the agency serves."""
        return any(name == agency for name, _, _ in self._patterns)

    def serving(self, postal_code: str) -> tuple[tuple[str, str], ...]:
        """The agencies that serve the code, each with the pattern that fits: the closest pattern first, else in the order of configuration."""
        code = postal_code.replace(" ", "").upper()
        return tuple((agency, pattern) for agency, pattern, plain in self._patterns if code and _fits(code, plain))

    def near(self, postal_code: str, county: str) -> tuple[Near, ...]:
        """Every agency that serves where a client lives, once, the closest area first: postal code, county, anywhere."""
        found = self._remembered.get((postal_code, county))
        if found is None:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            found = self._remembered[postal_code, county] = self._near(postal_code, county)
        return found

    def _near(self, postal_code: str, county: str) -> tuple[Near, ...]:
        found: dict[str, Near] = {}
        for agency, pattern in self.serving(postal_code):
            found.setdefault(agency, (len(found), agency, f"it serves postal codes {pattern}"))
        next_best, plain = len(found), _county(county)
        for agency, name in self._counties:
            if plain and name == plain:
                found.setdefault(agency, (next_best, agency, f"it serves {county}"))
        for agency in self._anywhere:
            found.setdefault(agency, (next_best + 1, agency, "it serves clients like this one wherever they live"))
        return tuple(found.values())


def _fits(code: str, pattern: str) -> bool:
    """A US ZIP+4 fits the pattern of its first five digits."""
    return code.startswith(pattern[:-1]) if pattern.endswith("*") else pattern in (code, code.partition("-")[0])


def _county(name: str) -> str:
    return name.casefold().removesuffix("county").strip()
