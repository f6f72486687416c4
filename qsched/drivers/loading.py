"""Loading Qiskit where threads come and go."""

from __future__ import annotations

import sys
import threading

_LOADING = threading.Lock()


def load_qiskit() -> None:
    """Load Qiskit, unless it is loaded, in a thread that never ends.

    The allocator in Qiskit 2.6's library (mimalloc 3.3) is bound to the thread that loads it: once that one
    has ended, the process crashes in the next new thread that uses Qiskit. A driver's threads end when it is
    closed, and another driver's begin (https://github.com/microsoft/mimalloc/issues/1287).
    """
    with _LOADING:
        if "qiskit" in sys.modules:
            return
        loaded = threading.Event()
        threading.Thread(target=_load_and_stay, args=(loaded,), name="qsched-qiskit", daemon=True).start()
        loaded.wait()


def _load_and_stay(loaded: threading.Event) -> None:
    try:
        import qiskit  # noqa: F401 - it is the loading that counts
    finally:
        loaded.set()
    threading.Event().wait()
