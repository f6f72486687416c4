"""The programs of a control plane, for the parts that need one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.findings import LeftOut
from tests.kubernetes.rig import RigError, binaries

if TYPE_CHECKING:
    from pathlib import Path


def built() -> Path:
    """The folder of the programs, built the first time, which takes 6 to 10 minutes on two cores.

    Raises:
        LeftOut: If they are not there and cannot be built here.
    """
    try:
        return binaries(lambda line: print(line, file=sys.stderr))
    except RigError as error:
        raise LeftOut(str(error)) from error
