"""The ``qsched`` command.

Exit codes: 0 done, 1 a job failed, 2 bad input, 3 something is unavailable, 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    """Run the command with the process's arguments; ends the process."""
    _mend_streams()
    from qsched.cli.app import app

    app()


def _mend_streams() -> None:
    """Have streams that take whatever is written: Python has None for a closed one, and not all are UTF-8."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - open to the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
