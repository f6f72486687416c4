"""The log lines of a process, as whoever collects them reads them."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import asyncio, logging, sys, warnings
import structlog
from qsched.kube.logs import configure_logs
configure_logs(sys.argv[1], sys.argv[2])
"""


def lines(body: str, *, shape: str = "json", level: str = "info") -> list[str]:
    """What a process writes that configures its logs and then does something."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + body, shape, level],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "", "standard output is for results"
    return done.stderr.splitlines()


def read(body: str, *, level: str = "info") -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(body, level=level)]


def test_lines_of_ours_and_of_libraries_have_one_shape() -> None:
    ours, theirs, warned = read(
        """
structlog.get_logger("qsched.kube.writer").warning("a status is refused", job="default/bell", tries=3)
logging.getLogger("kubernetes.client").error("no route to %s", "host")
warnings.warn("old", stacklevel=1)
"""
    )
    stamp = dt.datetime.fromisoformat(ours.pop("timestamp"))
    assert stamp.utcoffset() == dt.timedelta(0)
    assert abs(dt.datetime.now(dt.UTC) - stamp) < dt.timedelta(minutes=1)
    assert ours == {
        "event": "a status is refused",
        "job": "default/bell",
        "tries": 3,
        "level": "warning",
        "logger": "qsched.kube.writer",
    }
    assert theirs["event"] == "no route to host"
    assert (theirs["level"], theirs["logger"]) == ("error", "kubernetes.client")
    assert theirs.keys() == {"event", "level", "logger", "timestamp"}
    assert warned["logger"] == "py.warnings"


def test_what_nobody_caught_is_one_line_with_its_traceback() -> None:
    ours, loops = read(
        """
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("qsched").exception("a mistake")

async def fail():
    raise KeyError("lost")

async def main():
    task = asyncio.ensure_future(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task

asyncio.run(main())
"""
    )
    assert ours["exception"].startswith("Traceback")
    assert ours["exception"].endswith("ZeroDivisionError: division by zero")
    assert loops["logger"] == "asyncio"
    assert "KeyError: 'lost'" in loops["exception"]


def test_the_level_is_for_our_own_lines_and_libraries_are_never_at_debug() -> None:
    body = """
for log in (structlog.get_logger("qsched.kube.lease"), logging.getLogger("kubernetes.client.rest")):
    for level in ("debug", "info", "error"):
        getattr(log, level)(level)
logging.getLogger("uvicorn.error").info("Started server process")
"""
    seen = {
        level: [(line["logger"].split(".")[0], line["event"]) for line in read(body, level=level)]
        for level in ("debug", "info", "error")
    }
    ours, theirs = "qsched", "kubernetes"
    assert seen["info"] == [(ours, "info"), (ours, "error"), (theirs, "info"), (theirs, "error")]
    assert seen["debug"] == [(ours, "debug"), *seen["info"]]
    assert seen["error"] == [(ours, "error"), (theirs, "error")]


@pytest.mark.parametrize("shape", ["json", "console"])
def test_secrets_are_withheld(shape: str) -> None:
    text = "\n".join(
        lines(
            """
log = structlog.get_logger("qsched")
log.info("connects", credentials={"key": "hunter2"}, password="hunter2", token="job-1-attempt-1")
log.info("asked with Authorization: Bearer hunter2.hunter2")
logging.getLogger("aiohttp").warning("cannot connect to https://me:hunter2@collector.example/v1")
def call(secret):
    raise ValueError("basic hunter2hunter2 was refused")
try:
    call("hunter2")
except ValueError:
    log.exception("failed")
""",
            shape=shape,
        )
    )
    assert "hunter2" not in text.replace('call("hunter2")', "")  # the source itself has it
    assert text.count("(withheld)") == 5
    assert "collector.example/v1" in text
    assert "job-1-attempt-1" in text, "the token of a task is no secret"


def test_people_get_lines_that_they_can_read() -> None:
    (line,) = lines("""structlog.get_logger("qsched").info("starts", port=8080)""", shape="console")
    assert re.match(r"\d{4}-\d\d-\d\dT\S+Z \[info +\] starts +\[qsched\] +port=8080", line), line
