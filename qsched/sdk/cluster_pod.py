"""What a program finds in a pod: which job it belongs to, and how to reach the API server.

Only ``aiohttp`` is needed here, not the official client, whose import takes longer than many programs run.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from qsched.errors import InvalidInput
from qsched.kube.api import Api
from qsched.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import aiohttp
    from kubernetes.aio.client.configuration import Configuration

FOLDERS = (
    Path("/var/run/secrets/qsched.io"),
    Path("/var/run/secrets/kubernetes.io/serviceaccount"),
)
"""Where ``token``, ``ca.crt`` and ``namespace`` are: in pods that qsched made, and in any other."""

CONNECTIONS = 8
REREAD_S = 60.0
"""How long a token is used before its file is read again; the kubelet renews it long before its end."""

_ANSWER_S = 30.0
_CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a pod tells its program.

    Attributes:
        job: The name of its job.
        namespace: The namespace of both.
        uid: The job's uid; None in a pod that its user brought and gave none.
        backend: The backend that was reserved when the pod started, if it was told.
        server: The API server's URL.
        folder: Where the token is.
    """

    job: str
    namespace: str
    uid: str | None
    backend: str | None
    server: str
    folder: Path

    @classmethod
    def of(cls, environment: Mapping[str, str], folders: Sequence[Path] = FOLDERS) -> Self:
        """Read them.

        Args:
            environment: The process's environment.
            folders: Where the token may be, the best place first.

        Raises:
            InvalidInput: If this is no pod of a job.
        """
        job = environment.get("QSCHED_JOB")
        if not job:
            raise InvalidInput(
                "QSCHED_JOB is not set, so this is no pod of a hybrid job: use Client.local() on your own "
                "machine, or Client.cluster() with a kubeconfig; in a pod that you made yourself, set "
                "QSCHED_JOB to the job's name"
            )
        folder = next((each for each in folders if (each / "token").exists()), None)
        host = environment.get("KUBERNETES_SERVICE_HOST")
        if folder is None or not host:
            raise InvalidInput(
                f"QSCHED_JOB is {job!r}, but there is no ServiceAccount token in "
                f"{' or '.join(map(str, folders))}: mount one, or use Client.cluster() with a kubeconfig"
            )
        port = environment.get("KUBERNETES_SERVICE_PORT", "443")
        namespace = environment.get("QSCHED_NAMESPACE") or (folder / "namespace").read_text("ascii").strip()
        return cls(
            job=job,
            namespace=namespace,
            uid=environment.get("QSCHED_JOB_UID") or None,
            backend=environment.get("QSCHED_BACKEND") or None,
            server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
            folder=folder,
        )


class PodApi(Api):
    """The API server as a pod reaches it. Make it with ``reach``, in an event loop."""

    def __init__(self, session: aiohttp.ClientSession, account: _Account, namespace: str) -> None:
        """Connect parts; see ``reach``."""
        super().__init__(session, cast("Configuration", account), namespace)
        self._turn = asyncio.Semaphore(CONNECTIONS)

    @classmethod
    async def reach(cls, pod: Surroundings) -> Self:
        """Read the authority's certificate; nothing is sent yet.

        Raises:
            InvalidInput: If it cannot be read.
        """
        import aiohttp

        authority = pod.folder / "ca.crt"
        try:
            security = ssl.create_default_context(cafile=authority)
        except OSError as error:
            raise InvalidInput(f"the API server's authority {authority} cannot be read: {error}") from error
        # Python 3.13 asks of authorities what many clusters' own ones do not say.
        security.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=security),
            headers={"User-Agent": f"qsched-sdk/{VERSION}", "Accept": "application/json"},
            timeout=aiohttp.ClientTimeout(total=_ANSWER_S, sock_connect=_CONNECT_S),
            read_bufsize=2**18,
        )
        return cls(session, _Account(pod.server, pod.folder / "token"), pod.namespace)


class _Account:
    """A ServiceAccount's token, read again from time to time; of a configuration, what ``Api`` uses."""

    def __init__(self, host: str, token: Path) -> None:
        self.host = host
        self._token = token
        self._read_at = float("-inf")
        self._bearer = ""

    async def auth_settings(self) -> dict[str, dict[str, str]]:
        """The authorization header, as the official client's configuration gives it."""
        if time.monotonic() - self._read_at >= REREAD_S:
            self._bearer = f"Bearer {_text(self._token)}"
            self._read_at = time.monotonic()
        return {"BearerToken": {"in": "header", "key": "authorization", "value": self._bearer}}


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except OSError as error:
        raise InvalidInput(f"the ServiceAccount token {path} cannot be read: {error}") from error
