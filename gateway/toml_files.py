"""TOML files as people know them: by a short name, and the lines of their keys."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gateway.errors import Usage
from gateway.toml_lines import broken_line, line_of

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class TomlFile(NamedTuple):
    """A file that was read: the name that people know it by, its text, and what that says."""

    name: str
    text: str
    said: dict[str, Any]

    def where(self, path: Sequence[str | int]) -> str:
        """ "gateway.toml, line 7": where `path`, or else the innermost table that was to hold it, stands; the name alone where neither does."""
        for end in range(len(path), 0, -1):
            if line := line_of(self.text, path[:end]):
                return f"{self.name}, line {line}"
        return self.name


def read_file(path: Path, name: str) -> TomlFile:
    """The file, called `name`; an empty one where there is none. Raises `Usage` where it cannot be read, or is not TOML."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return TomlFile(name, text, tomllib.loads(text))
    except FileNotFoundError:
        return TomlFile(name, "", {})
    except OSError:
        raise Usage("the configuration cannot be read", location=name) from None
    except UnicodeDecodeError:
        raise Usage("the configuration is not text in UTF-8", location=name) from None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line \d+, column \d+", str(error))
        where = f"{name}, {place[0] if place else f'line {broken_line(text)}'}"
        raise Usage("the configuration is not TOML", location=where, advice="Mend that line.") from None


def dotted(path: Sequence[str | int]) -> str:
    """A key as TOML writes it, with places in lists from 1: `codes.disposition."HOME SELF"`, `ignore[2]`."""
    found = ""
    for step in path:
        if isinstance(step, int):
            found += f"[{step + 1}]"
        else:
            found += ("." if found else "") + (step if _BARE_KEY.fullmatch(step) else f'"{step}"')
    return found
