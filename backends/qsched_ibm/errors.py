"""The driver's errors for what IBM's client raises.

The client wraps what the HTTP library raises in exceptions of its own, which tell less: one for a 503 has not
even the status. So the exception that says most is looked up among the causes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from qsched.drivers import DriverError, RateLimited, Unauthenticated, Unavailable
from qsched.drivers.blocking import from_status, retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import Response
    from requests.exceptions import RequestException

_ACCOUNT = {
    "AccountNotFoundError": (
        "there are no credentials for IBM Quantum: put an API key as 'token' into the backend's Secret, "
        "set QISKIT_IBM_TOKEN, or save an account with QiskitRuntimeService.save_account"
    ),
    "InvalidAccountError": "IBM's client does not take the account: {}",
}
"""What is wrong with an account, by the exception that says so."""


def translate(error: Exception) -> DriverError:
    """The driver's error for an exception of the client."""
    from ibm_cloud_sdk_core import ApiException  # type: ignore[import-untyped]
    from requests.exceptions import JSONDecodeError, RequestException

    for each in causes(error):
        if isinstance(each, DriverError):
            return each
        if isinstance(each, ApiException):
            return _no_token(each)
        if isinstance(each, RequestException) and not isinstance(each, JSONDecodeError):
            return _http(each)
    name = type(error).__name__
    if name in _ACCOUNT:
        return Unauthenticated(_ACCOUNT[name].format(error))
    if isinstance(error, ValueError | LookupError | TypeError | AttributeError | RecursionError):
        return Unavailable(f"an answer of IBM Quantum cannot be read: {name}: {error}")
    return Unavailable(f"IBM's client failed: {name}: {error}")


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception, and those that led to it."""
    seen: set[int] = set()
    now: BaseException | None = error
    while now is not None and id(now) not in seen:
        seen.add(id(now))
        yield now
        now = now.__cause__ or now.__context__


def never_arrived(error: BaseException) -> bool:
    """Whether a request surely did nothing: it was not sent, or refused by a status below 500."""
    from requests.exceptions import ConnectTimeout, RequestException
    from urllib3.exceptions import NewConnectionError

    for each in causes(error):
        if isinstance(each, RequestException) and each.response is not None:
            return each.response.status_code < 500
        if isinstance(each, ConnectTimeout | NewConnectionError):
            return True
    return False


def timed_out(error: BaseException) -> bool:
    """Whether a request was sent and not answered in time."""
    from requests.exceptions import ReadTimeout

    return any(isinstance(each, ReadTimeout) for each in causes(error))


def _http(error: RequestException) -> DriverError:
    from requests.exceptions import Timeout

    response = error.response
    if response is None:
        host = str(error.request.url).partition("?")[0] if error.request is not None else "IBM Quantum"
        if isinstance(error, Timeout):
            return Unavailable(f"{host} did not answer in time: {error}")
        return Unavailable(f"the connection to {host} failed: {error}")
    asked = f"{response.request.method} {str(response.request.path_url).partition('?')[0]}"
    message = f"IBM Quantum answers {response.status_code} to {asked}: {_words(response)}"
    return from_status(
        response.status_code, message, retry_after_s=retry_after(response.headers.get("Retry-After"))
    )


def _no_token(error: Any) -> DriverError:
    """An answer of the service that gives a token for an API key; a wrong key is a bad request there."""
    message = f"IBM Cloud gives no token for this API key: {error.message} (status {error.status_code})"
    if error.status_code in {400, 401, 403, 404}:
        return Unauthenticated(f"{message}; check the key, and that it was not revoked")
    response = error.http_response
    retry_after_s = None if response is None else retry_after(response.headers.get("Retry-After"))
    return from_status(error.status_code, message, retry_after_s=retry_after_s)


def _words(response: Response) -> str:
    """What an error answer says, in IBM's form if it has it."""
    try:
        first = json.loads(response.text)["errors"][0]
        told = [str(first["message"]), str(first.get("solution") or "")]
        return " ".join(filter(None, told)) + f" (code {first.get('code', 'unknown')})"
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return response.text.strip() or response.reason or "no reason given"


def without(secret: str, error: DriverError) -> DriverError:
    """The same error, with no secret in its words."""
    if not secret or secret not in str(error):
        return error
    message = str(error).replace(secret, "***")
    if isinstance(error, RateLimited):
        return RateLimited(message, error.retry_after_s)
    return type(error)(message)
