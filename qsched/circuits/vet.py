"""A QPY file from outside is read in another process first.

Qiskit's reader believes every count in a file: four bytes that are wrong make it add qubits for hours or
take all memory, inside one call that nothing can interrupt. No look at the outside of a file finds them,
for circuits are nested in it. So a child process with a limit on time and memory reads the file first; what
it reads is safe to read here. It costs about a second, most of it the import of Qiskit, once a file.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from functools import lru_cache

from qsched.circuits.limits import DEFAULT_LIMITS, Limits
from qsched.circuits.problems import circuit_error

_WALL_S = 60.0


def vet_qpy(data: bytes, *, name: str, limits: Limits = DEFAULT_LIMITS) -> None:
    """Make sure that QPY bytes can be read within the limits.

    Args:
        data: A QPY file from outside; what ``to_qpy`` wrote needs no vetting.
        name: The circuit's name, for errors.
        limits: What to accept.

    Raises:
        CircuitError: If the file cannot be read, or not within the limits.
    """
    if reason := _refusal(data, limits):
        raise circuit_error(name, f"{reason}; write the file again with qiskit.qpy.dump")


@lru_cache(maxsize=64)
def _refusal(data: bytes, limits: Limits) -> str:
    """Why a file is refused, or "" if it is not."""
    command = [sys.executable, "-m", __name__, str(limits.qpy_seconds), str(limits.qpy_memory_bytes)]
    # One thread: OpenBLAS reserves memory for each core, which would count against the limit.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, input=data, capture_output=True, timeout=_WALL_S, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return f"the QPY file could not be read within {_WALL_S:.0f} s"
    if child.returncode == 0:
        return ""
    if child.returncode == 1:
        return "the QPY file is damaged, or of a newer Qiskit than the one here"
    memory_gib = limits.qpy_memory_bytes / 2**30
    return f"the QPY file could not be read within {limits.qpy_seconds} s and {memory_gib:g} GiB"


def _child(seconds: int, memory_bytes: int) -> int:
    """Read QPY from the standard input; 0 if that goes well, 1 if not, 2 if memory ran out."""
    from qiskit import qpy

    data = sys.stdin.buffer.read()
    try:
        import resource
    except ImportError:  # Windows has no such limits; there the parent's patience is the only one
        pass
    else:
        until_s = int(time.process_time()) + 1 + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (until_s, until_s))
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        qpy.load(io.BytesIO(data))
    except MemoryError:
        return 2
    except BaseException:  # noqa: BLE001 - a panic of Rust is no Exception
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_child(int(sys.argv[1]), int(sys.argv[2])))
