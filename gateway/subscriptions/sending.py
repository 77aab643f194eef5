"""One request to a subscriber's endpoint: guarded against the operator's own network, without redirects, and bounded in time."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx

from gateway.errors import Invalid
from gateway.smart.outbound import Guarded, Reach, Resolve, check_url, resolve

_SECOND = 1_000_000
_GONE = 410
_BUSY = (429, 503)


class Reply(NamedTuple):
    """What came of a request. `refusal`: why it counts as failed, in plain words ("" where it was taken); `wait`: microseconds that the endpoint asks
    to be left alone for; `gone`: it says that it will never take anything again."""

    refusal: str = ""
    wait: int = 0
    gone: bool = False


async def send(
    url: str, headers: Sequence[str], kind: str, body: bytes, seconds: float, now: float, reach: Reach, resolve: Resolve = resolve
) -> Reply:
    """POST the body. `headers` are lines "Name: value", `kind` the body's content type, `now` the wall clock in seconds."""
    named = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in headers)]
    ours = [("Content-Type", kind), ("User-Agent", "care-transition-gateway"), ("Accept", "*/*")]
    stated = {name.lower() for name, _ in named}
    try:
        check_url(url, reach)
        # a client of its own each time: a connection to an address is only ever used for the host that it was checked against
        async with asyncio.timeout(seconds), httpx.AsyncClient(transport=Guarded(reach, resolve), trust_env=False, timeout=seconds) as client:
            request = httpx.Request("POST", url, headers=[*(one for one in ours if one[0].lower() not in stated), *named], content=body)
            answer = await client.send(request, stream=True, follow_redirects=False)
            await answer.aclose()
    except (TimeoutError, httpx.TimeoutException):
        return Reply(f"The endpoint did not answer within {seconds:g} s.")
    except Invalid:
        return Reply("The endpoint is not one that may be reached.")
    except httpx.ConnectError:
        return Reply("The endpoint cannot be reached, or is not one that may be.")
    except (httpx.HTTPError, ssl.SSLError, OSError, ValueError):
        return Reply("The connection to the endpoint broke.")
    return _reply(answer, now)


def _reply(answer: httpx.Response, now: float) -> Reply:
    status = answer.status_code
    if 200 <= status < 300:
        return Reply()
    if 300 <= status < 400:
        return Reply(f"The endpoint answered {status}; redirects are not followed.")
    wait = _asked(answer.headers.get("retry-after", ""), now) if status in _BUSY else 0
    return Reply(f"The endpoint answered {status}.", wait, status == _GONE)


def _asked(text: str, now: float) -> int:
    """Microseconds of a Retry-After header (RFC 9110, 10.2.3): seconds, or a date."""
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text) * _SECOND
    try:
        return max(0, int((parsedate_to_datetime(text).timestamp() - now) * _SECOND))
    except (ValueError, TypeError, OverflowError):
        return 0
