"""The log lines of the processes of a cluster: one shape for qsched's own and those of the libraries.

Lines go to standard error. As JSON, a line has ``event``, ``level``, ``logger``, ``timestamp`` (UTC), and the
fields of what happened.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Literal, TypeAlias

import structlog

if TYPE_CHECKING:
    from typing import TextIO

    from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat: TypeAlias = Literal["json", "console"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]

_OURS = ("qsched", "qsched_aer", "qsched_extender")

_WITHHELD = "(withheld)"
_PRIVATE_FIELDS = frozenset({"authorization", "credentials", "password", "secret"})
_PRIVATE_TEXT = re.compile(r"(?i)\b(bearer|basic) +[\w.~+/=-]{8,}")
_PRIVATE_URL = re.compile(r"://[^/@\s\"']+:[^/@\s\"']*@")


def configure_logs(shape: LogFormat, level: LogLevel, stream: TextIO = sys.stderr) -> None:
    """Send every log line of this process one way. To be called once, before anything else is done.

    Args:
        shape: ``json`` for machines, ``console`` for people.
        level: From which on qsched's own lines are written. Libraries have theirs written from ``info`` on
            at most: at ``debug`` some of them write bodies of requests, Secrets among them.
        stream: Where they go.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _withhold_fields,
                *_rendering(shape, stream),
                _withhold_text,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.INFO))
    for name in _OURS:
        logging.getLogger(name).setLevel(threshold)
    logging.getLogger("uvicorn").setLevel(
        max(threshold, logging.WARNING)
    )  # it tells of its own start and end
    logging.captureWarnings(True)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _rendering(shape: LogFormat, stream: TextIO) -> list[Processor]:
    if shape == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Tracebacks without the values of variables, which may be anybody's secrets.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)]


def _withhold_fields(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Keep the values of fields to ourselves whose names say that they are nobody's business."""
    del logger, method
    for name in _PRIVATE_FIELDS & event.keys():
        event[name] = _WITHHELD
    return event


def _withhold_text(logger: WrappedLogger, method: str, line: EventDict | str) -> str:
    """Take what looks like a credential out of a rendered line: messages quote headers and addresses."""
    del logger, method
    assert isinstance(line, str)
    return _PRIVATE_URL.sub(f"://{_WITHHELD}@", _PRIVATE_TEXT.sub(rf"\1 {_WITHHELD}", line))
