"""Where log lines go when the program that uses qsched has not said so itself."""

from __future__ import annotations

import sys

import structlog


def log_to_stderr() -> None:
    """Keep log lines off standard output, where results go; what the program configured is left alone."""
    if not structlog.is_configured():
        structlog.configure(logger_factory=_stderr)


def _stderr(*_: object) -> structlog.PrintLogger:
    """Looked up anew for each line: standard error may be another one by then."""
    return structlog.PrintLogger(sys.stderr)
