"""The server is secured by TLS 1.2 or later, and by nothing older (Inferno: "secured by transport layer security")."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.app import running
from gateway.settings import load


def certificate(folder: Path) -> None:
    """A key and a certificate for two days, as cert.pem and key.pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today, day = datetime.now(UTC), timedelta(days=1)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, today - day, today + day).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """A gateway that serves HTTPS with a certificate of its own making."""
    folder = tmp_path_factory.mktemp("tls")
    certificate(folder)
    listens = '[http]\nlisten = "127.0.0.1:0"\ntls_certificate = "cert.pem"\ntls_key = "key.pem"\n[mllp]\nlisten = "127.0.0.1:0"\n'
    (folder / "gateway.toml").write_text(listens)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    context = running(load(folder / "gateway.toml"), folder)
    gateway = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(30)
    try:
        yield gateway.http
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def spoken(address: tuple[str, int], version: ssl.TLSVersion) -> str | None:
    """The version that server and client agree on, where the client speaks this one alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")  # so that it is the server who refuses
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    with socket.create_connection(address, timeout=10) as plain, context.wrap_socket(plain) as secured:
        return secured.version()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_later_are_spoken(address: tuple[str, int], version: ssl.TLSVersion) -> None:
    assert spoken(address, version) is not None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_what_is_older_is_refused(address: tuple[str, int], version: ssl.TLSVersion) -> None:
    with pytest.raises(OSError) as refusal:
        spoken(address, version)
    assert "NO_PROTOCOLS" not in str(refusal.value), "the client did speak it"
