"""Which agencies serve a postal code."""

from __future__ import annotations

from collections.abc import Iterable

_REMEMBERED = 20_000


class Areas:
    """Postal code patterns, whole codes or beginnings with "*" ("627*"), ready to be asked; remembers its answers."""

    def __init__(self, patterns: Iterable[tuple[str, str]]) -> None:
        """`patterns` are (agency id, pattern), in the order of configuration."""
        plain = [(agency, pattern, pattern.replace(" ", "").upper()) for agency, pattern in patterns]
        self._patterns = sorted(plain, key=lambda each: -len(each[2].rstrip("*")))
        self._remembered: dict[str, tuple[tuple[str, str], ...]] = {}

    def limited(self, agency: str) -> bool:
        """Whether it is said which postal codes the agency serves."""
        return any(name == agency for name, _, _ in self._patterns)

    def serving(self, postal_code: str) -> tuple[tuple[str, str], ...]:
        """The agencies that serve the code, each with the pattern that fits: the closest pattern first, else in the order of configuration."""
        found = self._remembered.get(postal_code)
        if found is None:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            code = postal_code.replace(" ", "").upper()
            found = tuple((agency, pattern) for agency, pattern, plain in self._patterns if code and _fits(code, plain))
            self._remembered[postal_code] = found
        return found


def _fits(code: str, pattern: str) -> bool:
    """A US ZIP+4 fits the pattern of its first five digits."""
    return code.startswith(pattern[:-1]) if pattern.endswith("*") else pattern in (code, code.partition("-")[0])
