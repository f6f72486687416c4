"""A storage account, as far as the client uses it: blobs with signed addresses."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import Response

from qsched_emulators.twins import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

ACCOUNT = "qschedstorage"
_KEY = b"the key of an account that is not there"


class Storage:
    """Blobs by container and name."""

    def __init__(self, url: str, made: Callable[[str, str], bytes | None]) -> None:
        """Start empty.

        Args:
            url: Where it listens.
            made: What the service itself has written into a blob, or None.
        """
        self._url = url
        self._made = made
        self._blobs: dict[tuple[str, str], bytes] = {}

    def clear(self) -> None:
        """Forget every blob."""
        self._blobs.clear()

    def read(self, container: str, name: str) -> bytes | None:
        """What a blob holds."""
        return self._blobs.get((container, name)) or self._made(container, name)

    def signed(self, container: str, name: str | None) -> str:
        """A signed address of a container, or of one blob in it."""
        ends = (now() + dt.timedelta(hours=24)).strftime("%Y-%m-%dT%H:%M:%SZ")
        blob = f"/{quote(name)}" if name else ""
        scope = "b" if name else "c"
        return (
            f"{self._url}/{ACCOUNT}/{container}{blob}?sv=2024-11-04&se={quote(ends)}&sr={scope}&sp=racwl"
            f"&sig={_signature(container, name, ends)}"
        )

    async def answer(self, request: Request) -> Response:
        """One request on a blob."""
        container, name = request.path_params["container"], request.path_params["name"]
        if not _may(request, container, name):
            return _error(403, "AuthenticationFailed", "Server failed to authenticate the request.")
        if request.method == "PUT":
            return await self._put(request, container, name)
        content = self.read(container, name)
        if content is None:
            return _error(404, "BlobNotFound", "The specified blob does not exist.")
        return _content(request, content)

    async def _put(self, request: Request, container: str, name: str) -> Response:
        if request.headers.get("if-none-match") == "*" and self.read(container, name) is not None:
            return _error(409, "BlobAlreadyExists", "The specified blob already exists.")
        content = await request.body()
        self._blobs[container, name] = content
        return Response(status_code=201, headers=_headers(content))


def _may(request: Request, container: str, name: str) -> bool:
    query = request.query_params
    ends = query.get("se", "")
    of = name if query.get("sr") == "b" else None
    good = hmac.compare_digest(query.get("sig", ""), _signature(container, of, ends))
    return good and ends > now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _signature(container: str, name: str | None, ends: str) -> str:
    return hmac.new(_KEY, f"{container}\n{name}\n{ends}".encode(), hashlib.sha256).hexdigest()


def _content(request: Request, content: bytes) -> Response:
    headers = _headers(content)
    span = re.fullmatch(
        r"bytes=(\d+)-(\d*)", request.headers.get("x-ms-range", request.headers.get("range", ""))
    )
    if span is None:
        return Response(content, headers=headers)
    start, end = int(span[1]), min(int(span[2] or len(content)), len(content) - 1)
    if start > end:
        return _error(416, "InvalidRange", "The range specified is invalid for the current size.")
    headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
    return Response(content[start : end + 1], 206, headers)


def _headers(content: bytes) -> dict[str, str]:
    return {
        "ETag": f'"0x{hashlib.sha256(content).hexdigest()[:16].upper()}"',
        "Last-Modified": format_datetime(now(), usegmt=True),
        "x-ms-blob-type": "BlockBlob",
        "x-ms-version": "2024-11-04",
    }


def _error(status: int, code: str, message: str) -> Response:
    content = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(content, status, {"x-ms-error-code": code}, media_type="application/xml")
