"""A whole gateway in this process, with its listeners, in a thread of its own; and certificates made for a test."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.app import running
from gateway.instance import Gateway
from gateway.settings import load


class Beside:
    """A gateway that runs in another thread."""

    def __init__(self, gateway: Gateway, loop: asyncio.AbstractEventLoop) -> None:
        self.gateway, self._loop = gateway, loop
        self.url = gateway.base_url
        self.mllp = gateway.mllp

    def do(self, work: Any) -> Any:
        """Run a coroutine in the gateway's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


@contextmanager
def beside(data: Path, toml: str = "", *, http: str = "", mllp: str = "") -> Iterator[Beside]:
    """While the context lasts, a gateway serves a directory that is configured so; `http` and `mllp` are further keys of these tables."""
    listen = 'listen = "127.0.0.1:0"'
    data.mkdir(exist_ok=True)
    (data / "gateway.toml").write_text(f"[http]\n{listen}\n{http}\n[mllp]\n{listen}\n{mllp}\n{toml}", encoding="utf-8")
    ready, stop, made = threading.Event(), asyncio.Event(), []

    async def serve() -> None:
        async with running(load(data / "gateway.toml"), data) as gateway:
            made.append(Beside(gateway, asyncio.get_running_loop()))
            ready.set()
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(60)
        assert made, "the gateway did not start"
        yield made[0]
    finally:
        if made:
            made[0]._loop.call_soon_threadsafe(stop.set)
        thread.join()


class Authority:
    """A certificate authority of a test's own."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.pem = _pem(_built(self._name, self._name, self._key.public_key(), authority=True).sign(self._key, hashes.SHA256()))

    def issue(self, path: Path, name: str, days: float = 90) -> None:
        """Write a certificate for localhost with its key into PATH.crt and PATH.key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        path.with_suffix(".crt").write_bytes(_pem(_built(self._name, subject, key.public_key(), days).sign(self._key, hashes.SHA256())))
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.with_suffix(".key").touch(mode=0o600)
        path.with_suffix(".key").write_bytes(private)

    def client(self, certificate: Path | None = None) -> ssl.SSLContext:
        """What trusts this authority alone, and shows a certificate of its own if it has one."""
        context = ssl.create_default_context(cadata=self.pem.decode())
        if certificate is not None:
            context.load_cert_chain(certificate.with_suffix(".crt"), certificate.with_suffix(".key"))
        return context


def _built(issuer: x509.Name, subject: x509.Name, key: Any, days: float = 90, *, authority: bool = False) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    return builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
