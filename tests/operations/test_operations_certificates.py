"""TLS and mutual TLS on MLLP and HTTP, with certificates that are renewed while connections stand."""

from __future__ import annotations

import socket
import ssl
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from gateway.adapters.hl7v2.frames import framed
from gateway.certificates import Certificates
from gateway.errors import Usage
from gateway.sections import MllpSettings
from tests.attacks_feeds.messages import FEEDS, message
from tests.attacks_feeds.processes import receive
from tests.operations.beside import Authority, Beside, beside

TLS = 'tls_certificate = "server.crt"\ntls_key = "server.key"\ntls_client_ca = "clients.pem"\n'


def connect(gateway: Beside, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(socket.create_connection(gateway.mllp, timeout=10), server_hostname="localhost")


def shown(wire: ssl.SSLSocket) -> str:
    """The common name of the server's certificate."""
    subject = (wire.getpeercert() or {})["subject"]
    return str(dict(part[0] for part in subject)["commonName"])


def exchange(wire: ssl.SSLSocket, control: str) -> bytes:
    wire.sendall(framed(message(control)))
    return receive(wire)


def is_let_in(gateway: Beside, context: ssl.SSLContext, control: str) -> bool:
    """Whether a message is answered: in TLS 1.3 a client learns only then that its certificate was refused."""
    try:
        with closing(connect(gateway, context)) as wire:
            return b"MSA|AA" in exchange(wire, control)
    except (ssl.SSLError, ConnectionError):
        return False


def test_renewed_certificates_are_shown_to_new_connections_and_old_ones_live_on(tmp_path: Path) -> None:
    ours, theirs, others = Authority("county"), Authority("hospitals"), Authority("somebody else")
    ours.issue(tmp_path / "server", "first")
    theirs.issue(tmp_path / "hospital", "st-mary")
    others.issue(tmp_path / "stranger", "stranger")
    (tmp_path / "clients.pem").write_bytes(theirs.pem)
    hospital, stranger = ours.client(tmp_path / "hospital"), ours.client(tmp_path / "stranger")
    with beside(tmp_path, FEEDS, mllp=TLS) as gateway, closing(connect(gateway, hospital)) as old:
        assert shown(old) == "first"
        assert b"MSA|AA|C1" in exchange(old, "C1")
        assert not is_let_in(gateway, stranger, "C2")
        assert not is_let_in(gateway, ours.client(), "C3")

        ours.issue(tmp_path / "server", "second")
        (tmp_path / "clients.pem").write_bytes(others.pem)
        gateway.do(gateway.gateway.renew_certificates())

        assert b"MSA|AA|C4" in exchange(old, "C4")  # whoever was let in is not cut off
        with closing(connect(gateway, stranger)) as new:
            assert shown(new) == "second"
            assert b"MSA|AA|C5" in exchange(new, "C5")
        assert not is_let_in(gateway, hospital, "C6")  # not by resuming its session, either


def test_a_client_that_names_no_server_is_shown_the_renewed_certificate_too(tmp_path: Path) -> None:
    """Interface engines connect to addresses: then there is no server_name in their handshake (RFC 6066, 3)."""
    ours, theirs = Authority("county"), Authority("hospitals")
    ours.issue(tmp_path / "server", "first")
    theirs.issue(tmp_path / "hospital", "st-mary")
    (tmp_path / "clients.pem").write_bytes(ours.pem)
    nameless = ours.client(tmp_path / "hospital")
    nameless.check_hostname = False
    with beside(tmp_path, FEEDS, mllp=TLS) as gateway:

        def is_let_in(control: str) -> bool:
            try:
                with closing(nameless.wrap_socket(socket.create_connection(gateway.mllp, timeout=10))) as wire:
                    return b"MSA|AA" in exchange(wire, control)
            except (ssl.SSLError, ConnectionError):
                return False

        assert not is_let_in("C1")
        (tmp_path / "clients.pem").write_bytes(theirs.pem)
        gateway.do(gateway.gateway.renew_certificates())
        assert is_let_in("C2")


def test_http_takes_renewed_certificates_too_and_keeps_browsers_to_tls(tmp_path: Path) -> None:
    ours = Authority("county")
    ours.issue(tmp_path / "server", "first", days=5)
    secured = 'base_url = "https://localhost"\ntls_certificate = "server.crt"\ntls_key = "server.key"'
    with beside(tmp_path, http=secured) as gateway:
        url = f"https://localhost:{gateway.gateway.http[1]}/"
        with httpx.Client(verify=ours.client()) as old:
            assert "strict-transport-security" in old.get(url + "healthz").headers
            assert "gateway_certificate_expiry_timestamp_seconds" in old.get(url + "metrics").text
            before = old.get(url + "metrics").text
            again = Authority("county, next year")
            again.issue(tmp_path / "server", "second")
            gateway.do(gateway.gateway.renew_certificates())
            assert old.get(url + "healthz").status_code == 200  # over the connection that stands
            assert old.get(url + "metrics").text.split("expiry")[-1] != before.split("expiry")[-1]
        with httpx.Client(verify=again.client()) as new:
            assert new.get(url + "healthz").status_code == 200


def test_files_that_do_not_belong_together_leave_what_stands_and_are_tried_again(tmp_path: Path) -> None:
    ours = Authority("county")
    ours.issue(tmp_path / "server", "first")
    held = Certificates(MllpSettings(tls_certificate=str(tmp_path / "server.crt"), tls_key=str(tmp_path / "server.key")))
    first = held.ends
    ours.issue(tmp_path / "other", "second", days=10)
    (tmp_path / "server.crt").write_bytes((tmp_path / "other.crt").read_bytes())  # the key is not there yet
    assert not held.renew()
    assert (held.failed, held.ends) == (True, first)
    (tmp_path / "server.key").write_bytes((tmp_path / "other.key").read_bytes())
    assert held.renew()
    assert not held.failed
    assert held.ends < first


def test_files_that_cannot_be_used_are_refused_in_plain_words_when_it_begins(tmp_path: Path) -> None:
    (tmp_path / "server.crt").write_text("nothing")
    with pytest.raises(Usage, match="cannot be read"):
        Certificates(MllpSettings(tls_certificate=str(tmp_path / "server.crt")))
