"""Whom the server lets in, with which certificate."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from structlog.testing import capture_logs

from qsched.errors import InvalidInput
from qsched_extender.connection import TEXT, Answer
from qsched_extender.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.extender.conftest import Serve


def hello(method: str, path: str, body: bytes | None) -> Answer:
    return Answer(200, TEXT, b"hello")


def write(authority: trustme.CA, folder: Path) -> Tls:
    """A new certificate of an authority, which is the clients' too, in the same files each time."""
    certificate = authority.issue_cert("127.0.0.1")
    tls = Tls(folder / "tls.crt", folder / "tls.key", folder / "ca.crt")
    certificate.cert_chain_pems[0].write_to_path(tls.certificate)
    certificate.private_key_pem.write_to_path(tls.key)
    authority.cert_pem.write_to_path(folder / "ca.crt")
    return tls


def client(trusted: trustme.CA, own: trustme.CA | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    trusted.configure_trust(context)
    if own is not None:
        own.issue_cert("scheduler").configure_cert(context)
    return context


async def test_only_clients_of_the_authority_are_let_in(serve: Serve, tmp_path: Path) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    async with serve(hello, security=write(ours, tmp_path).context()) as served:
        known = await served.connect(ssl=client(ours, ours))
        assert await known.ask("GET", "/") == (200, b"hello")
        for stranger in (client(ours), client(ours, theirs)):
            # With TLS 1.3 a client learns only from the first answer that it was refused.
            with pytest.raises((ssl.SSLError, OSError, IndexError)):
                await (await served.connect(ssl=stranger)).ask("GET", "/")
        plain = await served.connect()
        await plain.send(b"GET / HTTP/1.1\r\n\r\n")
        assert await plain.closed()


async def test_a_renewed_certificate_is_shown_to_new_connections(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qsched_extender.tls._LOOK_S", 0.01)
    authority = trustme.CA()
    tls = write(authority, tmp_path)
    context = tls.context()
    trusting = client(authority, authority)
    async with serve(hello, security=context) as served:

        async def shown() -> str:
            return (await served.connect(ssl=trusting)).certificate()

        first = await shown()
        with capture_logs() as logs:
            renewing = asyncio.create_task(tls.renew(context))
            await asyncio.sleep(0)
            tls.certificate.write_text("half a file")
            await until(lambda: [line for line in logs if line["log_level"] == "warning"])
            assert await shown() == first
            write(authority, tmp_path)
            await until(lambda: [line for line in logs if line["event"] == "certificate renewed"])
        assert await shown() != first
        renewing.cancel()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing tells of a log line
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("spoiled", ["tls.crt", "tls.key", "ca.crt"])
@pytest.mark.parametrize("content", [None, "rubbish"])
def test_files_that_are_none_are_named(tmp_path: Path, spoiled: str, content: str | None) -> None:
    tls = write(trustme.CA(), tmp_path)
    if content is None:
        (tmp_path / spoiled).unlink()
    else:
        (tmp_path / spoiled).write_text(content)
    with pytest.raises(InvalidInput, match=spoiled):
        tls.context()


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    tls = write(trustme.CA(), tmp_path)
    trustme.CA().issue_cert("127.0.0.1").private_key_pem.write_to_path(tls.key)
    with pytest.raises(InvalidInput, match="the key must be the certificate's"):
        tls.context()
