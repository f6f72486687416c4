"""Kubeconfig files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.rig.pki import Pair


def write_kubeconfig(
    path: Path,
    *,
    server: str,
    authority: Path,
    user: str,
    proof: Pair | str,
    namespace: str = "default",
) -> Path:
    """Write a kubeconfig with one context.

    Args:
        path: The file; its folder is made.
        server: The API server's URL.
        authority: The certificate of the authority that issued the server's.
        user: What the file calls the user; the server goes by the proof.
        proof: A client certificate, or a bearer token.
        namespace: Where objects go that name none.
    """
    if isinstance(proof, str):
        credentials = {"token": proof}
    else:
        credentials = {"client-certificate": str(proof.certificate), "client-key": str(proof.key)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "rig",
        "clusters": [{"name": "rig", "cluster": {"server": server, "certificate-authority": str(authority)}}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": "rig", "context": {"cluster": "rig", "user": user, "namespace": namespace}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path
