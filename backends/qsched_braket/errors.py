"""What the AWS client raises, as the driver's errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsched.drivers import DriverError, NotFound, RateLimited, Rejected, Unauthenticated, Unavailable
from qsched.drivers.blocking import PATIENCE_S, from_status, retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.exceptions import ClientError

_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotSignedUp",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "OptInRequired"})
_THROTTLED = frozenset(
    {
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_WAIT = frozenset({"DeviceOfflineException", "InternalServiceException", "RequestTimeout"})
_CLOCK = frozenset({"RequestTimeTooSkewed"})


def code_of(error: ClientError) -> str:
    """AWS's word for what went wrong, such as ``ThrottlingException``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_denied(error: ClientError) -> bool:
    """Whether the credentials are good, and may not do this."""
    return code_of(error) in _DENIED


def translate(error: Exception) -> DriverError:
    """The driver's error for what boto3 or botocore raised.

    The whole of boto's exceptions is mapped here: answers of the service (``ClientError``) by their code, the
    rest by its kind.
    """
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        return _answered(error.response, error.operation_name)
    if isinstance(
        error,
        exceptions.NoCredentialsError
        | exceptions.PartialCredentialsError
        | exceptions.CredentialRetrievalError
        | exceptions.TokenRetrievalError
        | exceptions.SSOError,
    ):
        return Unauthenticated(f"there are no usable AWS credentials: {error}; {REMEDY}")
    if isinstance(
        error, exceptions.ProfileNotFound | exceptions.NoRegionError | exceptions.ParamValidationError
    ):
        return Rejected(f"the AWS client refuses this: {error}")
    if isinstance(error, exceptions.HTTPClientError | exceptions.EndpointConnectionError):
        return Unavailable(f"Amazon Braket does not answer: {error}")
    if isinstance(error, ValueError | LookupError | TypeError | AttributeError | RecursionError):
        return Unavailable(f"an answer of AWS cannot be read: {type(error).__name__}: {error}")
    return Unavailable(f"the AWS client failed: {type(error).__name__}: {error}")


REMEDY = (
    "put accessKeyId and secretAccessKey into the Secret that spec.credentialsSecretRef names, or give them "
    "to boto3 as usual (AWS_ACCESS_KEY_ID, AWS_PROFILE, a role)"
)

_KINDS: tuple[tuple[frozenset[str], type[DriverError], str, str], ...] = (
    (_CREDENTIALS, Unauthenticated, "AWS does not accept the credentials: ", f"; {REMEDY}"),
    (_CLOCK, Unauthenticated, "this machine's clock differs from Amazon's: ", "; set the clock"),
    (
        _DENIED,
        Unauthenticated,
        "AWS denies access: ",
        "; allow it in the IAM policy of these credentials",
    ),
    (frozenset({"DeviceRetiredException", "ValidationException"}), Rejected, "", ""),
    (frozenset({"ResourceNotFoundException"}), NotFound, "", ""),
    (frozenset({"ServiceQuotaExceededException"}), Unavailable, "a quota of the account is used up: ", ""),
    (_WAIT, Unavailable, "", ""),
)
"""For codes, what they stand for, and the words before and after AWS's own."""


def _answered(response: Mapping[str, Any], operation: str) -> DriverError:
    told = response.get("Error", {})
    code = str(told.get("Code", ""))
    metadata = response.get("ResponseMetadata", {})
    message = f"{operation}: {code}: {told.get('Message', '')}"
    retry_after_s = retry_after(metadata.get("HTTPHeaders", {}).get("retry-after"))
    if code in _THROTTLED:
        return RateLimited(message, PATIENCE_S if retry_after_s is None else retry_after_s)
    for codes, kind, before, after in _KINDS:
        if code in codes:
            return kind(f"{before}{message}{after}")
    return from_status(int(metadata.get("HTTPStatusCode", 500)), message, retry_after_s=retry_after_s)
