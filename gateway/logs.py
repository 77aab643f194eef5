"""Where the gateway says what it does."""

from __future__ import annotations

import sys

import structlog


def logs_as_json() -> None:
    """Logs go to stderr, one JSON object a line, without PHI."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
