"""IBM's own client, made fit for a driver; importing this imports it, which takes seconds.

``QiskitRuntimeService`` waits for an answer as long as it takes, sends a submission up to six times, asks for
usage and status before each, and when it gets no token sends the API key itself. Its layer below, used here,
is the same code without the questions; the time limit, the single try and the handling of tokens are this
module's.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from qiskit_ibm_runtime.accounts import AccountManager
from qiskit_ibm_runtime.accounts.account import Account
from qiskit_ibm_runtime.api.client import RuntimeClient
from qiskit_ibm_runtime.api.client_parameters import ClientParameters
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import Timeout

from qsched.drivers import Unauthenticated

if TYPE_CHECKING:
    from ibm_cloud_sdk_core import IAMTokenManager  # type: ignore[import-untyped]
    from requests import PreparedRequest, Response

    from qsched_ibm.parameters import IbmParameters

_CHANNEL = "ibm_quantum_platform"
_CONNECT_S = 5.0

# What the client logs of accounts and retries reaches the application's log, if it has one, and not stderr,
# where the client's own handler writes it.
_log = logging.getLogger("qiskit_ibm_runtime")
for _handler in [each for each in _log.handlers if type(each) is logging.StreamHandler]:
    _log.removeHandler(_handler)
_log.addHandler(logging.NullHandler())
_log.propagate = True


def find_account(parameters: IbmParameters, token: str | None) -> Account:
    """The account to use, with exactly one instance.

    Args:
        parameters: The backend's.
        token: The API key of its Secret; None for environment variables or a saved account.

    Raises:
        Unauthenticated: If the account has no such instance, or it is not clear which one to use.
    """
    if token is None:
        account = AccountManager.get(channel=_CHANNEL)
    else:
        account = Account.create_account(channel=_CHANNEL, token=token)
    wanted = parameters.instance or account.instance
    if wanted is None or not wanted.startswith("crn:"):
        wanted = _instance(account, None if wanted == "auto" else wanted)
    account.instance = wanted
    return account.validate()


def _instance(account: Account, name: str | None) -> str:
    """The CRN of the instance of this name, or of the only one."""
    found = [each for each in account.list_instances() if name is None or each["name"] == name]
    if len(found) == 1:
        return str(found[0]["crn"])
    known = ", ".join(f"{each['name']} ({each['crn']})" for each in found or account.list_instances())
    which = f"no instance named {name!r}" if name and not found else f"{len(found)} instances"
    raise Unauthenticated(
        f"the IBM Quantum account has {which}; say which one with parameters.instance "
        f"(there are: {known or 'none'})"
    )


class Client(RuntimeClient):  # type: ignore[misc]
    """The client of one instance; usable from several threads."""

    def __init__(self, account: Account, *, url: str | None, timeout_s: float, connections: int) -> None:
        """Ask for nothing yet.

        Args:
            account: With its instance.
            url: Where the service is, when it is not IBM's cloud.
            timeout_s: Seconds to wait for an answer.
            connections: How many to keep open.
        """
        super().__init__(
            ClientParameters(
                channel=account.channel,
                token=account.token,
                url=account.url,
                instance=account.instance,
                proxies=account.proxies,
                verify=account.verify,
                private_endpoint=account.private_endpoint,
                url_resolver=None if url is None else lambda *_: f"{url}/api/v1",
            )
        )
        tokens = self._session.auth.tm
        if url is not None:
            tokens.url = url
        tokens.http_config = {"timeout": (_CONNECT_S, timeout_s)}
        # The service answers itself: what sends elsewhere stands between, and so does what answers there.
        self._session.max_redirects = 0
        self._session.auth = _Bearer(tokens, account.instance)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(timeout_s, connections))

    def device_status(self, device: str) -> dict[str, Any]:
        """What the service says of a device; the inherited method makes 0 of an unknown queue."""
        answer: dict[str, Any] = self._session.get(f"/backends/{device}/status").json()
        return answer

    @property
    def instance(self) -> str:
        """The CRN of the instance."""
        return str(self._instance)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class _Adapter(HTTPAdapter):
    """Sends each request that changes something once, and waits for answers a limited time."""

    def __init__(self, timeout_s: float, connections: int) -> None:
        self._timeout_s = timeout_s
        super().__init__(pool_connections=2, pool_maxsize=connections, max_retries=0)

    def send(self, request: PreparedRequest, **options: Any) -> Response:  # type: ignore[override]
        options["timeout"] = (_CONNECT_S, self._timeout_s)
        try:
            return super().send(request, **options)
        except NoConnection as error:
            # The server may have closed a connection just as a question was put to it.
            if request.method != "GET" or isinstance(error, Timeout):
                raise
            return super().send(request, **options)

    def close(self) -> None:
        """Close the connections now; what is inherited leaves it to the garbage collector."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 - it cannot be iterated over
                manager.pools[key].close()
        super().close()


class _Bearer(AuthBase):
    """Signs requests, and renews a token that the service calls expired, once a request."""

    def __init__(self, tokens: IAMTokenManager, instance: str) -> None:
        self._tokens = tokens
        self._instance = instance
        self._lock = threading.Lock()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        self._sign(request)
        request.register_hook("response", self._again_if_expired)
        return request

    def _sign(self, request: PreparedRequest) -> None:
        request.headers["Service-CRN"] = self._instance
        request.headers["Authorization"] = f"Bearer {self._token()}"

    def _token(self) -> str:
        with self._lock:
            try:
                return str(self._tokens.get_token())
            finally:
                # After a failure it would let everybody wait for a minute.
                self._tokens.request_time = 0

    def _again_if_expired(self, response: Response, **options: Any) -> Response:
        if response.status_code != 401:
            return response
        refused = response.request.headers["Authorization"]
        with self._lock:
            if refused == f"Bearer {self._tokens.access_token}":
                self._tokens.expire_time = 0
        response.content  # noqa: B018 - read to its end, so that the connection is free again
        response.close()
        request = response.request.copy()
        self._sign(request)
        again = response.connection.send(request, **options)
        again.history.append(response)
        again.request = request
        return again
