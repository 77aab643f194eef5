"""A browser of others, Chromium, and an app that runs in it."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

NONE = "no Chromium: install Debian's chromium, or set GATEWAY_TEST_CHROMIUM to one"
_PAGE = Path(__file__).with_name("app.html")


def program() -> str:
    """The Chromium to be used. Skips the test where there is none; with CI=true that fails it (tests/conftest.py)."""
    found = os.environ.get("GATEWAY_TEST_CHROMIUM") or shutil.which("chromium")
    if not found:
        pytest.skip(NONE)
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    # Its sandbox needs rights that a container seldom has; all that it opens is ours.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path.split("?")[0] in ("/launch", "/callback")
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        if known:
            self.wfile.write(_PAGE.read_bytes())

    def log_message(self, *_: object) -> None:
        """Nothing is written while tests run."""


@contextmanager
def app_server() -> Iterator[str]:
    """The origin at which the app is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
