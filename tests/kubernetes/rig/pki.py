"""The certificates of one cluster: an authority of its own, and what it issued, as files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """A certificate with its chain, and its private key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """The one certificate authority that every part of a cluster trusts.

    Args:
        folder: Where the files go.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._issued: dict[str, Pair] = {}
        self._ca = trustme.CA(organization_name="qsched rig")
        self.certificate = folder / "ca.crt"
        self._ca.cert_pem.write_to_path(self.certificate)

    def issue(self, name: str, *identities: str, user: str, group: str | None = None) -> Pair:
        """Issue a certificate that is good for serving and for asking alike; once for each name.

        Args:
            name: The files' name.
            *identities: Host names and addresses under which it serves.
            user: Its common name: the user that Kubernetes sees.
            group: Its organisation: the group that Kubernetes sees.
        """
        if name in self._issued:
            return self._issued[name]
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        # Without an identity trustme writes an empty critical list of names, which Go refuses.
        names = identities or ("client.invalid",)
        leaf = self._ca.issue_cert(*names, common_name=user, organization_name=group or "rig")
        for blob in leaf.cert_chain_pems:
            blob.write_to_path(pair.certificate, append=True)
        leaf.private_key_pem.write_to_path(pair.key)
        self._issued[name] = pair
        return pair

    def context(self, pair: Pair | None = None) -> ssl.SSLContext:
        """A client's side of TLS: trusts this authority alone.

        Args:
            pair: The client's certificate, if it shows one.
        """
        context = ssl.create_default_context(cafile=str(self.certificate))
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        return context

    def signing_key(self, name: str) -> Path:
        """A private key as a PEM file, such as the one that signs ServiceAccounts' tokens."""
        path = self._folder / f"{name}.key"
        path.write_bytes(
            ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        return path
