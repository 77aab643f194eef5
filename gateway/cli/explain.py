"""`gateway explain`: what became of every populated value of a file's messages. Values go to stdout alone."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import orjson

from gateway.cli.convert import feeds_named, read_input, tell_miscounts
from gateway.er7 import reader
from gateway.errors import GatewayError
from gateway.mappings.feeds.profile import match
from gateway.mappings.hl7v2.explain import Account, explain
from gateway.records.ids import identifier

_WIDEST_PATH, _WIDEST_VALUE = 24, 32


def explain_file(path: str, as_json: bool, feed: str, config: Path | None) -> int:
    """Print one account a message, as JSON lines or aligned; each refusal is a line on stderr too. 1 if any message was refused."""
    data = read_input(path)
    tell_miscounts(data)
    feeds, named = feeds_named(feed, config)
    identify = identifier(b"explain")
    refused = 0
    for number, raw in enumerate(reader.split(data) or [data], start=1):
        try:
            message = reader.read(raw, named.charset if named else "")
            profile = named or match(feeds, message.application, message.facility)
            if profile.charset and not named:
                message = reader.read(raw, profile.charset)
            account = explain(message, profile, time.time_ns() // 1000, identify)
        except GatewayError as error:
            account = Account("", "", (), str(error))
        if account.error:
            refused += 1
            print(f"message {number}: {account.error}", file=sys.stderr)
        if as_json:
            sys.stdout.buffer.write(orjson.dumps(account.json()) + b"\n")
        else:
            sys.stdout.write(("\n" if number > 1 else "") + _text(account))
    return 1 if refused else 0


def _text(account: Account) -> str:
    """The account for people: one line a value, aligned, and the sum at the end."""
    rows = [(one.path, _shown(one.value), one.fate, " ".join(one.targets) or (f"rule {one.rule}" if one.rule else "")) for one in account.fields]
    path = min(max((len(row[0]) for row in rows), default=0), _WIDEST_PATH)
    value = max((len(row[1]) for row in rows), default=0)
    lines = [f"{account.event} {account.control_id}".strip()]
    lines += [f"  {row[0]:<{path}}  {row[1]:<{value}}  {row[2]:<7}  {row[3]}".rstrip() for row in rows]
    counted = "  ".join(f"{fate} {number}" for fate, number in account.fates().items())
    return "\n".join((*lines, f"  {len(account.fields)} values: {counted}", ""))


def _shown(value: str) -> str:
    """A value on one line: control characters could move the cursor, and a document would fill the screen."""
    plain = "".join(character if character.isprintable() else "·" for character in value[: _WIDEST_VALUE + 1])
    return plain if len(plain) <= _WIDEST_VALUE else f"{plain[: _WIDEST_VALUE - 1]}…"
