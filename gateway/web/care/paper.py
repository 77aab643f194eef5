"""The three records as a page fit to print: one HTML file that needs nothing beside it and runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.mappings.care.narrative import plain
from gateway.web.care.sheet import Line, Section
from gateway.web.wording import entry, moment_words


class _Traced(NamedTuple):
    title: str
    lines: tuple[tuple[Line, Sequence[str]], ...]


def page(
    transition: Mapping[str, Any],
    sections: Sequence[Section],
    notices: Sequence[str],
    now: datetime,
    agencies: Mapping[str, str],
    why: Callable[[Line], Sequence[str]] = lambda line: (),
) -> str:
    """The page. `now` is the care clock; `why` says where a line came from."""
    environment = Environment(
        loader=PackageLoader("gateway.web"), autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True, lstrip_blocks=True
    )
    traced = [_Traced(section.title, tuple((line, why(line)) for line in section.lines)) for section in sections]
    return environment.get_template("care.html").render(
        entry=entry(transition, now, agencies), sections=traced, notices=notices, now=moment_words(now.isoformat())
    )


def _shown(value: Any) -> Any:
    """Text of messages without what no page may hold; jinja escapes the rest."""
    return plain(value) if type(value) is str else value
