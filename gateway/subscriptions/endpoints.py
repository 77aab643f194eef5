"""Where a client may be notified: below the addresses that the operator allowed it. Pure.

http://hl7.org/fhir/uv/subscriptions-backport/safety_security.html: a server decides which endpoints it sends to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from gateway.errors import Invalid
from gateway.smart.outbound import Reach, check_url

_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_LONGEST = 1000
_DEFAULT_PORTS = {"https": 443, "http": 80}


def check(url: str, reach: Reach) -> None:
    """Whether this can be an endpoint, or an address to allow endpoints below. Raises Invalid."""
    check_url(url, reach)
    steps = urlsplit(url).path.lower().replace("%2e", ".").split("/")
    if len(url) > _LONGEST or not _PLAIN.fullmatch(url) or ".." in steps or "." in steps or "%2f" in url.lower() or "%5c" in url.lower():
        raise Invalid("not a plain https URL", location="url", advice="Leave out dot segments, escaped slashes and fragments.")


def is_below(url: str, prefixes: Iterable[str]) -> bool:
    """Whether an endpoint is one of these addresses, or lies below one: the same scheme, host and port, and its path step by step."""
    return any(_below(urlsplit(url), urlsplit(prefix)) for prefix in prefixes)


def _below(url: SplitResult, prefix: SplitResult) -> bool:
    path, start = url.path or "/", (prefix.path or "/").rstrip("/")
    return _origin(url) == _origin(prefix) and (path == start or path.startswith(f"{start}/"))


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _DEFAULT_PORTS.get(url.scheme)
