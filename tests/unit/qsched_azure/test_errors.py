from __future__ import annotations

import datetime as dt
import json
from email.utils import format_datetime

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseTimeoutError,
)

from qsched.drivers import DriverError, NotFound, RateLimited, Rejected, Unauthenticated, Unavailable
from qsched_azure.errors import translate


class Answer:
    """As much of an answer as an error of the client looks at."""

    def __init__(self, status: int, headers: dict[str, str] | None = None, code: str = "Code") -> None:
        self.status_code = status
        self.reason = "reason"
        self.headers = headers or {}
        self.request = type("R", (), {"method": "PUT", "url": "https://host/jobs/1?sig=planted"})
        self.content_type = "application/json"
        self._body = json.dumps({"error": {"code": code, "message": "the message"}})

    def text(self, encoding: str | None = None) -> str:
        return self._body

    def body(self) -> bytes:
        return self._body.encode()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (402, Rejected),
        (401, Unauthenticated),
        (403, Unauthenticated),
        (404, NotFound),
        (409, Unavailable),
        (429, RateLimited),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_an_answer_is_the_error_of_its_status(status: int, kind: type[DriverError]) -> None:
    error = translate(HttpResponseError(response=Answer(status)))
    assert type(error) is kind
    assert f"Azure answers {status} to PUT /jobs/1: Code: the message" in str(error)
    assert "planted" not in str(error)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_read_as_seconds_or_as_a_date(status: int) -> None:
    error = translate(HttpResponseError(response=Answer(status, {"Retry-After": "40"})))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 40
    date = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=40), usegmt=True)
    error = translate(HttpResponseError(response=Answer(status, {"Retry-After": date})))
    assert isinstance(error, RateLimited)
    assert 30 < error.retry_after_s <= 40


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


CHAIN = "DefaultAzureCredential failed to retrieve a token\nAttempted credentials:\n\tEnvironmentCredential: "


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ServiceRequestError("no route"), Unavailable),
        (ServiceResponseTimeoutError("too slow"), Unavailable),
        (IncompleteReadError("half"), Unavailable),
        (json.JSONDecodeError("half", "{", 1), Unavailable),
        (OSError("broken pipe"), Unavailable),
        (ClientAuthenticationError("Authentication failed: AADSTS7000215: Invalid secret."), Unauthenticated),
        (ClientAuthenticationError("Authentication failed: AADSTS90033: A transient error."), Unavailable),
        (ClientAuthenticationError("Authentication failed: HTTP Error: 500"), Unavailable),
        (ClientAuthenticationError("DefaultAzureCredential failed to retrieve a token"), Unauthenticated),
        (
            ClientAuthenticationError(f"{CHAIN}Authentication failed: AADSTS7000215: Invalid."),
            Unauthenticated,
        ),
        (ClientAuthenticationError(f"{CHAIN}Authentication failed: no route to login"), Unavailable),
        (
            caused(ClientAuthenticationError("Authentication failed: x"), ServiceRequestError("x")),
            Unavailable,
        ),
        (
            caused(
                ClientAuthenticationError("Authentication failed: x"), ValueError("AADSTS90002: no tenant")
            ),
            Unauthenticated,
        ),
        (caused(RuntimeError("Could not load"), ServiceRequestError("no route")), Unavailable),
        (caused(ValueError("no workspace"), HttpResponseError("404")), NotFound),
        (ZeroDivisionError("ours"), Unavailable),
    ],
    ids=str,
)
def test_what_the_client_raises_is_one_of_the_drivers_errors(error: Exception, kind) -> None:
    assert type(translate(error)) is kind


def test_credentials_of_the_environment_that_are_refused_are_not_called_missing() -> None:
    said = f"{CHAIN}Authentication failed: AADSTS7000215: Invalid secret.\nTo mitigate this issue, ..."
    assert str(translate(ClientAuthenticationError(said))) == (
        "Azure does not take the credentials: Authentication failed: AADSTS7000215: Invalid secret."
    )
