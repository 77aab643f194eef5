"""`gateway convert`: translation alone, without a store."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from gateway.er7 import reader
from gateway.er7.batches import envelope
from gateway.errors import GatewayError, Usage
from gateway.mappings.feeds.profile import FeedProfile, match
from gateway.mappings.hl7v2.bundle import serialized
from gateway.mappings.hl7v2.translate import translate
from gateway.memory import give_back_large_blocks
from gateway.records.ids import identifier

PUBLIC_KEY = b"care-transition-gateway/convert"
"""Stateless conversion has no installation: its ids are stable, and no secret."""


def convert_file(path: str, feed: str, config: Path | None) -> int:
    """Print one Bundle a line; each refusal is a line on stderr. 1 if any message was refused."""
    give_back_large_blocks()
    data = read_input(path)
    feeds, named = feeds_named(feed, config)
    identify = identifier(PUBLIC_KEY)
    refused = 0
    tell_miscounts(data)
    messages = reader.split(data) or [data]
    for number, raw in enumerate(messages, start=1):
        try:
            message = reader.read(raw, named.charset if named else "")
            profile = named or match(feeds, message.application, message.facility)
            if profile.charset and not message.header.value(18):
                message = reader.read(raw, profile.charset)
            translation = translate(message, profile, time.time_ns() // 1000, identify)
            line = serialized(translation, identify) + b"\n"
        except GatewayError as error:
            refused += 1
            print(f"message {number}: {error}", file=sys.stderr)
        except Exception as fault:  # noqa: BLE001 - a fault of ours on one message must not cost the others, and its text may hold a client's data
            from gateway.pipeline.faults import where

            refused += 1
            print(f"message {number}: the gateway failed on it ({type(fault).__name__}, {where(fault)}). Please report it.", file=sys.stderr)
        else:
            sys.stdout.buffer.write(line)
    return 1 if refused else 0


def tell_miscounts(data: bytes) -> None:
    """Say on stderr where a batch does not agree with its trailer (BTS-1, FTS-1): something may be missing, and what is there is taken."""
    around = envelope(data)
    for problem in around.problems if around else ():
        print(f"batch: {problem}. What is there was taken.", file=sys.stderr)


def read_input(path: str) -> bytes:
    """The bytes of a file, or of stdin for -."""
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError:
        raise Usage(f"{path} cannot be read", advice="Name a file, or - for stdin.") from None


def feeds_named(name: str, config: Path | None) -> tuple[tuple[FeedProfile, ...], FeedProfile | None]:
    """All configured feeds, and the one that was asked for."""
    feeds: tuple[FeedProfile, ...] = ()
    if config is not None:
        from gateway.settings import load

        feeds = load(config).feeds()
    if not name:
        return feeds, None
    for each in feeds:
        if each.name == name:
            return feeds, each
    if name == FeedProfile().name:
        return feeds, replace(FeedProfile())
    raise Usage(f"there is no feed named {name}", advice="Say --data or --config, and a feed that is in it.")
