from __future__ import annotations

import datetime as dt
import json
from email.utils import format_datetime

import pytest
from ibm_cloud_sdk_core import ApiException
from qiskit_ibm_runtime.accounts.exceptions import AccountNotFoundError
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from requests import ConnectionError as NoConnection
from requests import ConnectTimeout, HTTPError, ReadTimeout, Request, Response

from qsched.drivers import NotFound, RateLimited, Rejected, Unauthenticated, Unavailable
from qsched_ibm.errors import never_arrived, timed_out, translate, without

IBMS = {"errors": [{"code": 1291, "message": "Job not found.", "solution": "Verify the job ID."}]}


def answer(status: int, body: str = "", **headers: str) -> Response:
    response = Response()
    response.status_code = status
    response._content = body.encode()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    response.request = Request("GET", "https://ibm.example.com/api/v1/jobs?tags=secret").prepare()
    return response


def wrapped(cause: Exception, *, chained: bool = True) -> Exception:
    """As the client wraps what its HTTP library raises; for a 503 without naming the cause."""
    error = RequestsApiError("Unexpected response received from server.")
    if chained:
        error.__cause__ = cause
    else:
        error.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, Rejected),
        (401, Unauthenticated),
        (403, Unauthenticated),
        (404, NotFound),
        (409, Unavailable),
        (429, RateLimited),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
    ],
)
@pytest.mark.parametrize("chained", [True, False])
def test_a_status_is_found_however_it_is_wrapped(status, expected, chained):
    error = translate(wrapped(HTTPError(response=answer(status, json.dumps(IBMS))), chained=chained))
    assert type(error) is expected
    assert f"answers {status} to GET /api/v1/jobs: Job not found. Verify the job ID. (code 1291)" in str(
        error
    )


def test_an_answer_that_is_not_in_ibms_form_is_quoted():
    assert "<html>bad gateway</html>" in str(
        translate(HTTPError(response=answer(502, "<html>bad gateway</html>")))
    )
    assert "no reason given" in str(translate(HTTPError(response=answer(500))))
    assert "[]" in str(translate(HTTPError(response=answer(500, "[]"))))


def test_retry_after_is_a_number_or_a_date():
    error = translate(HTTPError(response=answer(429, Retry_After="12.5")))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 12.5
    soon = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60))
    error = translate(HTTPError(response=answer(503, Retry_After=soon)))
    assert isinstance(error, RateLimited)
    assert 50 < error.retry_after_s <= 60
    error = translate(HTTPError(response=answer(429, Retry_After="a while")))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s > 0


@pytest.mark.parametrize("status", [400, 401, 403])
def test_an_api_key_that_gives_no_token_is_a_matter_of_credentials(status):
    body = json.dumps({"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."})
    error = translate(ApiException(status, http_response=answer(status, body)))
    assert isinstance(error, Unauthenticated)
    assert "Provided API key could not be found" in str(error)


def test_trouble_of_the_service_for_tokens_is_no_matter_of_credentials():
    assert type(translate(ApiException(500, http_response=answer(500)))) is Unavailable
    limited = translate(ApiException(429, http_response=answer(429, Retry_After="7")))
    assert isinstance(limited, RateLimited)
    assert limited.retry_after_s == 7


def test_no_answer_is_unavailable():
    for error in (ReadTimeout("slow"), NoConnection("gone"), ValueError("half of it"), RuntimeError("?")):
        assert type(translate(wrapped(error) if error.__class__ is ReadTimeout else error)) is Unavailable


def test_without_any_credentials_it_says_where_to_put_them():
    error = translate(AccountNotFoundError("Unable to find account."))
    assert isinstance(error, Unauthenticated)
    assert "QISKIT_IBM_TOKEN" in str(error)


def test_a_request_that_was_refused_or_not_sent_did_nothing():
    assert never_arrived(wrapped(HTTPError(response=answer(400))))
    assert never_arrived(ConnectTimeout("nobody there"))
    assert not never_arrived(wrapped(HTTPError(response=answer(500))))
    assert not never_arrived(wrapped(HTTPError(response=answer(503)), chained=False))
    assert not never_arrived(ReadTimeout("slow"))
    assert not never_arrived(NoConnection("gone"))
    assert not never_arrived(ValueError("half an answer"))


def test_a_request_without_an_answer_in_time_may_still_be_at_work():
    assert timed_out(wrapped(ReadTimeout("slow")))
    assert not timed_out(ConnectTimeout("nobody there"))
    assert not timed_out(wrapped(HTTPError(response=answer(504))))


def test_a_secret_is_taken_out_of_the_words():
    limited = without("hunter2", RateLimited("key hunter2 is too fast", 3.0))
    assert isinstance(limited, RateLimited)
    assert (str(limited), limited.retry_after_s) == ("key *** is too fast", 3.0)
    assert str(without("hunter2", Rejected("no hunter2 here"))) == "no *** here"
    assert str(without("", Rejected("nothing to hide"))) == "nothing to hide"
