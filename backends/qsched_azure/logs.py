"""What the client's libraries log, made fit for logs that people keep."""

from __future__ import annotations

import logging
import re

_SIGNATURE = re.compile(r"\bsig=[^&\s\"']+")


def quiet() -> None:
    """Leave out what is raised as well, and signatures of storage addresses; levels that are set stay."""
    for name in ("azure.core", "azure.identity"):
        # They warn of each failure, in up to twenty lines.
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.ERROR)
    connections = logging.getLogger("urllib3.connectionpool")
    if not any(isinstance(each, _Unsigned) for each in connections.filters):
        connections.addFilter(_Unsigned())


class _Unsigned(logging.Filter):
    """Takes signatures out of the addresses that are logged for each request at the level DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record's arguments; every record passes."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                _SIGNATURE.sub("sig=***", each) if isinstance(each, str) else each for each in record.args
            )
        return True
