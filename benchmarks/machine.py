"""What figures depend on: the machine, the versions and the code."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import psutil

PACKAGES = ("qsched", "qiskit", "qiskit-aer", "mqt.bench", "numpy", "scipy", "pymoo", "msgspec")


class Machine(msgspec.Struct, frozen=True):
    """What figures were measured on.

    Attributes:
        system: The operating system and its release.
        processor: The processor's name.
        processors: How many there are.
        memory_bytes: How much memory there is.
        load_1_min: Processes that wanted a processor when the run began; tells whether anything else ran.
    """

    system: str
    processor: str
    processors: int
    memory_bytes: int
    load_1_min: float


class Code(msgspec.Struct, frozen=True):
    """What was measured.

    Attributes:
        commit: The checkout's commit, with ``-dirty`` behind it when files were changed; None outside a
            checkout.
        changes: A hash of what was changed; empty if nothing was. What a file holds that git does not know
            is not in it, only its name.
    """

    commit: str | None = None
    changes: str = ""


def machine() -> Machine:
    """This machine, now."""
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        processor=_processor(),
        processors=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        load_1_min=os.getloadavg()[0],
    )


def versions() -> dict[str, str | None]:
    """Python's version and those of the packages that matter; None for one that is not installed."""
    return {"python": sys.version.split()[0], **{name: _version(name) for name in PACKAGES}}


def code() -> Code:
    """The checkout, now."""
    commit = _git("describe", "--always", "--dirty", "--exclude=*")
    changes = _git("status", "--porcelain") + _git("diff", "HEAD")
    digest = hashlib.sha256(changes.encode()).hexdigest()[:16] if changes else ""
    return Code(commit.strip() or None, digest)


def _git(*arguments: str) -> str:
    """What git says about the checkout; nothing outside one."""
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.decode(errors="replace")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """The processor's name; Linux tells it in a file only."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
