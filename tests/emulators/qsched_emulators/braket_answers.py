"""AWS's ways on the wire: signatures of requests, and error answers of Braket (JSON) and of S3 (XML)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

KEY = "AKIAEMULATEDBRAKET00"
SECRET = "emulated/Braket+Secret/0123456789abcdef0"

_SIGNATURE = re.compile(
    r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)"
)

Told = tuple[int, str, str]
"""HTTP status, code and words of an error."""

BRAKET_FAULTS: dict[str, Told] = {
    "429": (429, "ThrottlingException", "Rate exceeded"),
    "500": (500, "InternalServiceException", "An internal error occurred"),
    "500-after": (500, "InternalServiceException", "An internal error occurred"),
    "503": (503, "ServiceUnavailable", "The service is unavailable"),
    "expired": (403, "ExpiredTokenException", "The security token included in the request is expired"),
    "revoked": (
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
}
S3_FAULTS: dict[str, Told] = {
    "429": (503, "SlowDown", "Please reduce your request rate."),
    "500": (500, "InternalError", "We encountered an internal error. Please try again."),
    "500-after": (500, "InternalError", "We encountered an internal error. Please try again."),
    "503": (503, "ServiceUnavailable", "Service is unable to handle request."),
    "expired": (400, "ExpiredToken", "The provided token has expired."),
    "revoked": (
        403,
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
}


class RefusedError(Exception):
    """An error answer: its HTTP status, code and words."""

    def __init__(self, status: int, code: str, words: str) -> None:
        super().__init__(status, code, words)


class Refusal(Response):
    """The answer to a fault, in the form of the service that is asked."""

    def __init__(self, status: int, kind: str) -> None:
        super().__init__(status_code=status)
        self._kind = kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        s3 = scope["path"].startswith("/s3/")
        answer = xml_error(*S3_FAULTS[self._kind]) if s3 else json_error(*BRAKET_FAULTS[self._kind])
        if "retry-after" in self.headers:
            answer.headers["Retry-After"] = self.headers["retry-after"]
        await answer(scope, receive, send)


def json_error(status: int, code: str, words: str) -> Response:
    """An error of Braket's."""
    return JSONResponse({"message": words}, status_code=status, headers={"x-amzn-ErrorType": code})


def xml_error(status: int, code: str, words: str) -> Response:
    """An error of S3's."""
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{words}</Message></Error>'
    )
    return Response(body, status_code=status, media_type="application/xml")


def signed_region(request: Request, body: bytes) -> str:
    """The region that a request is signed for.

    Raises:
        RefusedError: If it is not signed, or not with the emulator's access key and its secret.
    """
    found = _SIGNATURE.search(request.headers.get("authorization", ""))
    if found is None:
        raise RefusedError(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    key, region, service, headers, signature = found.groups()
    if key != KEY:
        raise RefusedError(*BRAKET_FAULTS["revoked"])
    if _signature(request, body, service, region, headers.split(";")) != signature:
        words = "The request signature we calculated does not match the signature you provided."
        raise RefusedError(403, "InvalidSignatureException", words)
    return region


def _signature(request: Request, body: bytes, service: str, region: str, headers: list[str]) -> str:
    """The signature as botocore would make it (AWS Signature Version 4)."""
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    query = f"?{request.url.query}" if request.url.query else ""
    asked = AWSRequest(
        method=request.method,
        url=f"http://{request.headers['host']}{request.scope['raw_path'].decode()}{query}",
        headers={name: request.headers[name] for name in headers},
        data=body,
    )
    asked.context["timestamp"] = request.headers["x-amz-date"]
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    auth = kind(Credentials(KEY, SECRET), service, region)
    text = auth.string_to_sign(asked, auth.canonical_request(asked))
    return str(auth.signature(text, asked))
