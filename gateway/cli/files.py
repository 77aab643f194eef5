"""Files that commands are given or asked to make; what goes wrong with them, in plain words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from gateway.errors import Usage


def read_text(path: Path, what: str) -> str:
    """A file's text. Raises `Usage` where it cannot be read as text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise Usage(f"{what} cannot be read", location=str(path), advice="Name a text file in UTF-8.") from None


def write_new(files: Mapping[Path, tuple[str, int]]) -> None:
    """Make files of a text and a mode each: all of them or, with `Usage`, none. None of them may be there already."""
    made: list[Path] = []
    try:
        for path, (text, mode) in files.items():
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:  # noqa: PTH123 - the mode from the start
                made.append(path)
                file.write(text)
    except OSError as error:
        for each in made:
            each.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise Usage(f"{path} exists already", advice="Name another file.") from None
        raise Usage(f"{path} cannot be written", advice="Name a file in a directory that is there and can be written to.") from None
