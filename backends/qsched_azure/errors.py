"""What the client's exceptions mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from qsched.drivers import DriverError, NotFound, Unauthenticated, Unavailable
from qsched.drivers.blocking import from_status, retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.core.exceptions import HttpResponseError

_AUTHORITY_IS_BUSY = "AADSTS90033"


def translate(error: Exception) -> DriverError:
    """The driver's error for an exception of Azure's client."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
    from requests import RequestException

    cause = error.__cause__
    if isinstance(error, RuntimeError | ClientAuthenticationError) and isinstance(
        cause, AzureError | RequestException
    ):
        return translate(cause)  # the client wraps what happens while it finds the workspace, or gets a token
    if isinstance(error, HttpResponseError):
        return _from_answer(error)
    if isinstance(error, AzureError | RequestException | OSError):
        return Unavailable(f"Azure cannot be reached: {str(error) or type(error).__name__}")
    if isinstance(error, ValueError) and isinstance(cause, HttpResponseError):
        return NotFound(str(error))  # the client's words for a workspace that is not there
    if isinstance(error, ValueError | LookupError | TypeError | AttributeError | ArithmeticError):
        return Unavailable(f"Azure's answer cannot be read: {type(error).__name__}: {error}")
    return Unavailable(f"azure-quantum failed with {type(error).__name__}: {error}")


def _from_answer(error: HttpResponseError) -> DriverError:
    from azure.core.exceptions import ClientAuthenticationError, DecodeError, IncompleteReadError

    if isinstance(error, IncompleteReadError | DecodeError):
        return Unavailable(f"Azure's answer is damaged: {error.message}")
    if isinstance(error, ClientAuthenticationError) and error.response is None:
        return _without_token(error)
    request = getattr(error.response, "request", None)
    # Without the query, which may hold the signature of a storage address.
    where = f" to {request.method} {urlsplit(request.url).path}" if request is not None else ""
    message = f"Azure answers {error.status_code}{where}: {_words(error)}"
    return from_status(
        error.status_code or 500, message, retry_after_s=retry_after(_headers(error).get("Retry-After"))
    )


def _without_token(error: HttpResponseError) -> DriverError:
    """Why there is no token: Microsoft's authority gives a code if it refuses, else it was not asked."""
    told = str(error.message)
    chain: list[str] = []
    each: BaseException | None = error
    while each is not None:
        chain.append(str(each))
        each = each.__cause__ or each.__context__
    code = re.search(r"AADSTS\d+", " ".join(chain))
    # Alone, or as the line of the one link of Azure's chain that has credentials.
    refused = re.search(r"Authentication failed: .+", told)
    if refused and (code is None or code[0] == _AUTHORITY_IS_BUSY):
        return Unavailable(f"Azure gives no token now: {refused[0]}")
    if told.startswith("DefaultAzureCredential") and not refused:
        return Unauthenticated(
            "there are no credentials for Azure: name a Secret in the backend's credentialsSecretRef, set "
            "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or log in with 'az login'"
        )
    told = refused[0] if refused else told
    why = f" ({code[0]})" if code and code[0] not in told else ""
    return Unauthenticated(f"Azure does not take the credentials{why}: {told}")


def _words(error: HttpResponseError) -> str:
    """The service's code and message, without the rest of its answer."""
    told = getattr(error, "error", None)
    code, message = getattr(told, "code", None), getattr(told, "message", None)
    return ": ".join(str(each) for each in (code, message) if each) or str(error.message)


def _headers(error: HttpResponseError) -> Mapping[str, str]:
    return getattr(error.response, "headers", None) or {}
