"""Starting an emulator: the provider's application, its faults, and a server on loopback.

A provider's module (``qsched_emulators.ibm`` and so on) has

- ``provider(cloud, url) -> Emulation``: its application and what a client needs to reach it;
- ``devices(pace) -> list[Device]``: its devices; waits and run times are multiplied by ``pace``;
- ``CALLS``: for each method of a driver, the HTTP method and path by which faults find its requests.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import uvicorn

from qsched_emulators.faults import Faults
from qsched_emulators.twins import Cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.responses import Response
    from starlette.types import ASGIApp

NAMES = ("ibm", "braket", "azure")


@dataclass(frozen=True)
class Emulation:
    """A provider's emulator.

    Attributes:
        app: The provider's HTTP interface.
        refusal: Makes the provider's error answer from an HTTP status and the kind of fault.
        parameters: What a backend's ``parameters`` say to reach it.
        credentials: What its Secret holds.
        environment: Variables by which the provider's own client finds credentials, for people.
        certificate: Files of a certificate and its key, where the provider is spoken to by https.
        close: Called when it stops.
    """

    app: ASGIApp
    refusal: Callable[[int, str], Response]
    parameters: dict[str, Any]
    credentials: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    certificate: tuple[str, str] | None = None
    close: Callable[[], None] = field(default=lambda: None)


async def serve(
    name: str, *, port: int = 0, pace: float = 1.0, told: Callable[[dict[str, Any]], None]
) -> None:
    """Run an emulator until it is cancelled.

    Args:
        name: One of ``NAMES``.
        port: On loopback; a free one when 0.
        pace: Multiplies how long tasks wait and run.
        told: Called with the url, parameters and credentials once it listens.
    """
    module = import_module(f"qsched_emulators.{name}")
    scheme = getattr(module, "SCHEME", "http")
    # With TCP named, asyncio turns Nagle's algorithm off, which would hold each answer's body for 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        cloud = Cloud(module.devices(pace))
        emulation: Emulation = module.provider(cloud, url)
        app = Faults(emulation.app, cloud, emulation.refusal)
        certificate, key = emulation.certificate or (None, None)
        config = uvicorn.Config(
            app,
            log_level="critical",
            lifespan="off",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=60,
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
        server = _Server(config)
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            told(
                {
                    "name": name,
                    "url": url,
                    "parameters": emulation.parameters,
                    "credentials": emulation.credentials,
                    "environment": emulation.environment,
                    "devices": list(cloud.devices),
                }
            )
            await serving
        finally:
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)
            await cloud.aclose()
            emulation.close()


class _Server(uvicorn.Server):
    """A server that leaves signals to who runs it; uvicorn's own would end the process at once."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def main(arguments: list[str]) -> int:
    """``python -m qsched_emulators NAME``: says one line of JSON, and serves until it is stopped."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m qsched_emulators", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pace", type=float, default=1.0)
    parser.add_argument("--until-stdin-ends", action="store_true", help="end with whoever started it")
    given = parser.parse_args(arguments)

    def told(what: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()

    if given.until_stdin_ends:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        asyncio.run(serve(given.name, port=given.port, pace=given.pace, told=told))
    except KeyboardInterrupt:
        return 130
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM
    return 0


def _end_with_stdin() -> None:
    """Stop in order once standard input ends, however the process at its other end did."""
    while os.read(0, 1024):  # not sys.stdin, whose lock would be in the way when the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)
