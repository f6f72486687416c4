"""What an API server may answer besides what was asked for.

```text
ApiError
├── Absent             404: there is no such object, or the resource is not installed
├── Conflict           409: somebody else changed the object meanwhile
│   └── AlreadyExists  409: an object of that name is there
├── Gone               410: the server no longer knows that resource version
├── Refused            400, 401, 403, 405, 413, 415, 422: the same request will be refused again
└── Unreachable        no answer, a time-out, 429 or 5xx: the same request may succeed later
```
"""

from __future__ import annotations

import msgspec

from qsched.errors import QschedError


class ApiError(QschedError):
    """The root of what ``Api`` raises.

    Attributes:
        status: The HTTP status; 0 when there was no answer.
        reason: The server's word for it, such as ``NotFound``; empty when it gave none.
        retry_after_s: Seconds that the server asks to wait, if it does.
    """

    def __init__(
        self, message: str, *, status: int = 0, reason: str = "", retry_after_s: float | None = None
    ) -> None:
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(message)


class Absent(ApiError):
    """There is no such object, or its resource is not installed."""


class Conflict(ApiError):
    """The object was changed since it was read."""


class AlreadyExists(Conflict):
    """An object of that name is there."""


class Gone(ApiError):
    """The server no longer knows the resource version that was asked for."""


class Refused(ApiError):
    """The same request will be refused again."""


class Unreachable(ApiError):
    """The same request may succeed later."""


class _Cause(msgspec.Struct, frozen=True):
    message: str = ""
    field: str = ""


class _Details(msgspec.Struct, frozen=True):
    causes: list[_Cause] | None = None
    retry_after: int | None = msgspec.field(name="retryAfterSeconds", default=None)


class Status(msgspec.Struct, frozen=True):
    """The part of a ``metav1.Status`` that says what went wrong."""

    message: str = ""
    reason: str = ""
    code: int = 0
    details: _Details | None = None


_status = msgspec.json.Decoder(Status)


def error_of(status: int, body: bytes, *, asked: str, retry_after_s: float | None = None) -> ApiError:
    """The error that an answer amounts to.

    Args:
        status: The HTTP status, 400 or above.
        body: The answer's body: a ``metav1.Status``, or whatever a proxy on the way says.
        asked: The method and path, for the message.
        retry_after_s: The answer's ``Retry-After``.
    """
    try:
        said = _status.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        said = Status(message=body[:200].decode(errors="replace"))
    if retry_after_s is None and said.details is not None and said.details.retry_after is not None:
        retry_after_s = float(said.details.retry_after)
    kind = _kind(status, said.reason)
    message = f"{asked}: {said.message or said.reason or f'HTTP status {status}'}"
    return kind(message, status=status, reason=said.reason, retry_after_s=retry_after_s)


def _kind(status: int, reason: str) -> type[ApiError]:
    if status == 409:
        return AlreadyExists if reason == "AlreadyExists" else Conflict
    if status in {404, 410}:
        return Absent if status == 404 else Gone
    return Unreachable if status in {408, 429} or status >= 500 else Refused
