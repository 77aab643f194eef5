"""TLS for listeners, from files that may be renewed while they listen: new connections are given the new certificate, and old ones live on."""

from __future__ import annotations

import hashlib
import ssl
from datetime import datetime
from pathlib import Path

import structlog

from gateway.errors import Usage
from gateway.sections import HttpSettings, MllpSettings

log = structlog.get_logger(__name__)


class Certificates:
    """What a listener shows to its clients, and by whom it knows theirs. Raises `Usage` for files that cannot be used when it begins."""

    def __init__(self, settings: HttpSettings | MllpSettings) -> None:
        self._settings = settings
        self._seen = self._digest()
        self.failed = False
        self._current = _context(settings)
        self.ends = expiry(Path(settings.tls_certificate))
        """Until when the certificate holds that is shown now."""
        self.context = _context(settings)
        """The context to listen with."""
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        # OpenSSL asks at each handshake, whether the client named a server or not: the certificate and the trusted CAs are then the newest
        connection.context = self._current

    def renew(self, *, anyway: bool = False) -> bool:
        """Read the files again if they have changed (or `anyway`); whether they were taken. Files that do not fit together leave what stands, and are
        tried again: they may be half written."""
        digest = self._digest()
        if digest == self._seen and not anyway:
            return False
        try:
            self._current = _context(self._settings)
            self.ends = expiry(Path(self._settings.tls_certificate))
        except Usage as error:
            if not self.failed:
                log.error("the renewed certificate cannot be used; the old one stands", reason=error.message)
            self.failed = True
            return False
        self._seen, self.failed = digest, False
        log.info("certificate renewed", ends=self.ends.isoformat())
        return True

    def _digest(self) -> bytes:
        found = hashlib.sha256()
        for path in (self._settings.tls_certificate, self._settings.tls_key, self._settings.tls_client_ca):
            try:
                found.update(Path(path).read_bytes() if path else b"")
            except OSError:
                found.update(b"?")
        return found.digest()


def certificates(settings: HttpSettings | MllpSettings) -> Certificates | None:
    """What a listener's settings name; None for a listener without TLS. Raises `Usage` for files that cannot be used."""
    return Certificates(settings) if settings.tls_certificate else None


def expiry(path: Path) -> datetime:
    """Until when the first certificate of a PEM file holds, UTC. Raises `Usage` where there is none."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        raise Usage("the TLS certificate cannot be read", location=path.name, advice="Name a PEM file.") from None


def _context(settings: HttpSettings | MllpSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key or None)
        if settings.tls_client_ca:
            context.load_verify_locations(settings.tls_client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
            # a resumed session would let in whom a renewed list of CAs does not know any more
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
    except (OSError, ssl.SSLError):
        raise Usage(
            "the TLS certificate, key or client CA cannot be read", location="tls_certificate", advice="Name PEM files that belong together."
        ) from None
    return context
