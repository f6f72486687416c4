"""Transport security: certificates of both sides, read again when they were renewed."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import structlog
from msgspec import Struct

from qsched.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger(__name__)

_LOOK_S = 30.0


class Tls(Struct, frozen=True):
    """The files of a TLS server.

    Attributes:
        certificate: Its certificate chain, PEM.
        key: The certificate's private key, PEM.
        client_ca: The authorities, PEM, one of which must have signed a client's certificate; None lets
            every client in.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Load the files.

        Raises:
            InvalidInput: If one cannot be read, or key and certificate do not belong together.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except OSError as error:  # ssl.SSLError is one
            files = ", ".join(str(file) for file in (self.certificate, self.key, self.client_ca) if file)
            raise InvalidInput(
                f"the TLS files {files} cannot be used: {error.strerror or error}; "
                "they must be PEM, and the key must be the certificate's"
            ) from error
        return context

    async def renew(self, context: ssl.SSLContext) -> None:
        """Load certificate and key anew whenever their files change, for the connections to come.

        Runs until it is cancelled. Files that do not fit together, as while they are being replaced, are
        left for the next look.
        """
        loaded = self._stamp()
        while True:
            await asyncio.sleep(_LOOK_S)
            stamp = self._stamp()
            if stamp == loaded:
                continue
            try:
                context.load_cert_chain(self.certificate, self.key)
            except OSError as error:
                log.warning(
                    "renewed certificate is not usable yet", file=str(self.certificate), error=str(error)
                )
                continue
            loaded = stamp
            log.info("certificate renewed", file=str(self.certificate))

    def _stamp(self) -> tuple[int, ...]:
        """When the files were written; 0 for one that is away."""
        return tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in (self.certificate, self.key))
