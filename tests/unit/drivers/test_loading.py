from __future__ import annotations

import subprocess
import sys

TWO_DRIVERS = """
import asyncio
from qsched.drivers import Unavailable
from qsched.drivers.blocking import Blocking

def work():
    from qiskit.circuit import Parameter
    return [Parameter(f"a name that needs memory {n}").name for n in range(1000)][-1]

async def once():
    blocking = Blocking("acme", limit=4, translate=lambda error: Unavailable(str(error)))
    for _ in range(4):
        print(await blocking.call(work))
    await blocking.aclose()

for _ in range(3):
    asyncio.run(once())
"""


def test_a_driver_that_is_made_after_another_was_closed_can_use_qiskit():
    """The process would crash if Qiskit were loaded in a thread that has ended."""
    done = subprocess.run(
        [sys.executable, "-c", TWO_DRIVERS], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["a name that needs memory 999"] * 12
