"""A starter profile for one sender, from what a sample shows: TOML that loads as it is, with what only people know left to be uncommented. Pure.

Its words stand in `starter.toml.jinja`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from gateway.mappings.feeds.seen import APPOINTMENTS, CODED, SERVICE, UNIT, Seen, unknown

_PSYCHIATRIC = re.compile(r"PSY|BEHAV|MENTAL|BHU|MHU|(?:^|[^A-Z])(?:BH|MH|BEH)(?:[^A-Z]|$)", re.IGNORECASE)
"""How psychiatric units and services are often called: what such a name says is filled in, for somebody to look at."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/+^-]{0,39}|[+-][0-9]{4}")
_NO_NAME = re.compile(r"[^a-z0-9]+")
_CHARSETS = {"cp1252": "CP1252", "latin-1": "8859/1"}
_TOLD = 40


def name_of(seen: Seen, taken: Sequence[str] = ()) -> str:
    """A name for the sender's feed, from MSH-4 or MSH-3 ("st-mary"), that is none of `taken`."""
    own = seen.facility or next(iter(seen.applications), "")
    plain = _named(own)
    plain = "sender" if plain in ("", "default") else plain
    return next(name for name in (plain, *(f"{plain}-{number}" for number in range(2, len(taken) + 3))) if name not in taken)


def starter(seen: Seen, name: str) -> str:
    """The [[feed]] with comments. Nothing of the sample's people is in it, only codes that stand for many."""
    environment = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined, autoescape=False)  # noqa: S701 - TOML
    environment.filters |= {"quoted": quoted, "listed": _listed, "told": _told, "of": _of, "named": _named}
    template = environment.from_string(files(__package__).joinpath("starter.toml.jinja").read_text(encoding="utf-8"))
    columns = seen.columns
    return template.render(
        seen=seen,
        name=name,
        application=next(iter(seen.applications), ""),
        charset=next((_CHARSETS.get(codec, codec) for codec, _ in seen.undeclared.most_common(1)), ""),
        offsets=Counter({offset: count for offset, count in seen.offsets.items() if offset}),
        places=[(path, what, *_sorted(columns[path])) for path, what in ((UNIT.path, "units"), (SERVICE.path, "services"))],
        appointments=sum((columns[column.path] for column in APPOINTMENTS), Counter[str]()),
        codes=[(column, local) for column in CODED if (local := unknown(seen, column)) or column is CODED[0]],
    )


def _sorted(codes: Iterable[str]) -> tuple[list[str], list[str]]:
    """(codes that are psychiatric by their names, the others)."""
    every = list(codes)
    psychiatric = [code for code in every if _PSYCHIATRIC.search(code)]
    return psychiatric, [code for code in every if code not in psychiatric]


def quoted(text: str) -> str:
    """A basic string of TOML, which escapes as JSON does, and DEL too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _listed(values: Iterable[str]) -> str:
    return f"[{', '.join(map(quoted, values)) or quoted('…')}]"


def _told(counts: Counter[str]) -> str:
    """ "ADT^A01 (5), ADT^A03 (2), empty (1)"; values that are no plain words are counted and not told."""
    plain = [(value, count) for value, count in counts.most_common(_TOLD) if _PLAIN.fullmatch(value)]
    others = counts.total() - counts[""] - sum(count for _, count in plain)
    rest = [f"{what} ({count})" for what, count in (("empty", counts[""]), ("others", others)) if count]
    return ", ".join([*(f"{value} ({count})" for value, count in plain), *rest]) or "none"


def _named(text: str) -> str:
    """Text as a name: "st-mary"."""
    return _NO_NAME.sub("-", text.casefold()).strip("-")[:_TOLD]


def _of(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
