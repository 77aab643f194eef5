"""`gateway transitions show`: one transition with its three records, in the terminal, on a page, or as JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from gateway.cli.options import opened
from gateway.errors import NotFound, Usage
from gateway.pipeline import Configuration
from gateway.records.times import moment
from gateway.store.interface import ALL, Reader
from gateway.stores import configuration_of
from gateway.web.care.records import Records, read
from gateway.web.care.sheet import Line, sections


def show_transition(name: str, data: Path | None, config: Path | None, *, as_json: bool, why: bool, html: Path | None) -> None:
    """Print it, or write the page. Raises `NotFound`, and `Usage` where the page cannot be written."""
    with opened(data, config) as (store, settings):
        configuration = configuration_of(settings, store)
        with store.reading() as reader:
            row = reader.transition(ALL, name)
            if row is None or row.body is None:
                raise NotFound("there is no such transition", advice="gateway transitions list names those there are.")
            transition: dict[str, Any] = orjson.loads(row.body)
            if as_json:
                sys.stdout.buffer.write(orjson.dumps(transition, option=orjson.OPT_INDENT_2) + b"\n")
                return
            records = read(reader, configuration.identify, name)
            origins = _origins(reader, records, transition, configuration) if why and records is not None else lambda line: ()
    shown = sections(records, transition, with_flags=why or html is not None) if records is not None else ()
    notices = records.notices if records is not None else ()
    now, agencies = moment(time.time_ns() // 1000), {each.id: each.name for each in settings.agency}
    if html is not None:
        from gateway.web.care.paper import page

        _write(html, page(transition, shown, notices, now, agencies, origins))
        print(f"The page is in {html}.", file=sys.stderr)
        return
    from gateway.web.text import print_notices, print_records, print_transition

    print_notices(notices)
    print_transition(transition, now, agencies)
    print_records(shown, origins)


def _origins(reader: Reader, records: Records, transition: dict[str, Any], configuration: Configuration) -> Callable[[Line], Sequence[str]]:
    """Where each line came from."""
    from gateway.web.care.origins import Origins, messages_of

    messages = messages_of(reader, records, transition, configuration.feeds, configuration.identify)
    found = Origins(messages, configuration.feeds, configuration.identify)
    return lambda line: found.why(line, records)


def _write(path: Path, text: str) -> None:
    """The page holds a client's records: its owner alone may read it."""
    try:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    except OSError:
        raise Usage(
            "the page cannot be written", location="--html", advice="Name a file in a directory that is there and can be written to."
        ) from None
