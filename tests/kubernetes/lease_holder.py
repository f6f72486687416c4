"""A process that wants to lead, and writes down when it acts.

Its arguments are a kubeconfig, a name, and a file to which it appends lines ``<seconds> <name> <what>``. On
SIGTERM it releases the lease and ends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from qsched.kube.api import Api
from qsched.kube.clock import SystemClock
from qsched.kube.lease import Lease, LeaseLost

NAMESPACE, LEASE = "qsched-system", "qsched-controller"
DURATION_S, RENEW_DEADLINE_S, RETRY_S = 4.0, 2.5, 0.5
_ACT_EVERY_S = 0.005


async def main(kubeconfig: str, name: str, journal: str) -> None:
    """Lead whenever possible."""
    clock = SystemClock()
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    api = await Api.connect(kubeconfig)
    lease = Lease(
        api,
        NAMESPACE,
        LEASE,
        name,
        duration_s=DURATION_S,
        renew_deadline_s=RENEW_DEADLINE_S,
        retry_s=RETRY_S,
    )

    def write(at: float, what: str) -> None:
        os.write(file, f"{at:.6f} {name} {what}\n".encode())

    async def act() -> None:
        while True:
            at = clock.monotonic()
            if lease.valid:
                write(at, "acts")
            await asyncio.sleep(_ACT_EVERY_S)

    async def lead() -> None:
        while True:
            await lease.acquire()
            try:
                await lease.keep()
            except LeaseLost:
                write(clock.monotonic(), "lost")

    tasks = [asyncio.create_task(act()), asyncio.create_task(lead())]
    write(clock.monotonic(), "waits")
    await end.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await lease.release()
    await api.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
