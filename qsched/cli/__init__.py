"""The ``qsched`` command.

Exit codes: 0 done, 1 a job failed, 2 bad input, 3 something is unavailable, 130 interrupted.
"""

from __future__ import annotations


def main() -> None:
    """Run the command with the process's arguments; ends the process."""
    from qsched.cli.app import app

    app()
