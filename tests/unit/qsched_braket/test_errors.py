from __future__ import annotations

import pytest
from botocore import exceptions

from qsched.drivers import NotFound, RateLimited, Rejected, Unauthenticated, Unavailable
from qsched_braket.errors import translate


def answered(status: int, code: str, **headers: str) -> exceptions.ClientError:
    metadata = {
        "HTTPStatusCode": status,
        "HTTPHeaders": {name.replace("_", "-"): value for name, value in headers.items()},
    }
    response = {"Error": {"Code": code, "Message": "so it is"}, "ResponseMetadata": metadata}
    return exceptions.ClientError(response, "CreateQuantumTask")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (answered(403, "UnrecognizedClientException"), Unauthenticated, "does not accept the credentials"),
        (answered(403, "ExpiredTokenException"), Unauthenticated, "accessKeyId"),
        (answered(403, "InvalidSignatureException"), Unauthenticated, "credentialsSecretRef"),
        (answered(403, "RequestTimeTooSkewed"), Unauthenticated, "set the clock"),
        (answered(403, "AccessDeniedException"), Unauthenticated, "IAM policy"),
        (answered(403, "SomethingNew"), Unauthenticated, "so it is"),
        (answered(410, "DeviceRetiredException"), Rejected, "so it is"),
        (answered(400, "ValidationException"), Rejected, "so it is"),
        (answered(404, "ResourceNotFoundException"), NotFound, "so it is"),
        (answered(424, "DeviceOfflineException"), Unavailable, "so it is"),
        (answered(402, "ServiceQuotaExceededException"), Unavailable, "quota"),
        (answered(500, "InternalServiceException"), Unavailable, "so it is"),
        (answered(502, "502"), Unavailable, "so it is"),
        (exceptions.NoCredentialsError(), Unauthenticated, "AWS_ACCESS_KEY_ID"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="x"), Unauthenticated, "AWS_PROFILE"),
        (exceptions.EndpointConnectionError(endpoint_url="https://b"), Unavailable, "does not answer"),
        (exceptions.ReadTimeoutError(endpoint_url="https://b"), Unavailable, "does not answer"),
        (exceptions.ProfileNotFound(profile="mine"), Rejected, "mine"),
        (ValueError("what"), Unavailable, "ValueError: what"),
    ],
)
def test_an_exception_of_the_client_is_the_drivers_error(error: Exception, kind: type[Exception], words: str):
    told = translate(error)
    assert type(told) is kind
    assert words in str(told)


@pytest.mark.parametrize(("code", "status"), [("ThrottlingException", 429), ("SlowDown", 503)])
def test_patience_is_as_long_as_it_is_asked_for(code: str, status: int):
    told = translate(answered(status, code, retry_after="12"))
    assert isinstance(told, RateLimited)
    assert told.retry_after_s == 12
    told = translate(answered(status, code))
    assert isinstance(told, RateLimited)
    assert told.retry_after_s > 0
    told = translate(answered(status, code, retry_after="Fri, 01 May 2026 10:00:00 GMT"))
    assert isinstance(told, RateLimited)
