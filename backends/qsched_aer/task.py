"""The program of a task's pod: ``python -m qsched_aer.task SECRET``.

It simulates the task that is mounted from its Secret, and writes the result into the same Secret with one
request. Whatever goes wrong is said in words as the container's termination message, which the driver reads.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qsched.api import calibration_file
from qsched.errors import QschedError
from qsched_aer.admission import task_result
from qsched_aer.parcel import pack_result, unpack
from qsched_aer.simulate import simulate
from qsched_aer.task_objects import TASK_KEY
from qsched_aer.task_pod import API_FOLDER, TASK_FOLDER
from qsched_aer.task_secret import write_result

if TYPE_CHECKING:
    from collections.abc import Mapping

_MESSAGE_BYTES = 4096
"""What Kubernetes keeps of a termination message."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the program finds things; the defaults are those of its pod.

    Attributes:
        task: The packed task.
        api: A folder with the files ``token``, ``ca.crt`` and ``namespace``.
        message: The termination message.
    """

    task: Path = Path(TASK_FOLDER) / TASK_KEY
    api: Path = Path(API_FOLDER)
    message: Path = Path("/dev/termination-log")


def main(arguments: list[str], environment: Mapping[str, str], around: Surroundings) -> int:
    """Run the task.

    Args:
        arguments: The name of the Secret.
        environment: With the API server's address.
        around: Where things are.

    Returns:
        The exit code: 0, or 1 with the reason in the termination message.
    """
    try:
        (secret,) = arguments
        _run(secret, environment, around)
    except QschedError as error:
        _say(str(error), around.message)
    except MemoryError:
        _say("the simulation needed more memory than its pod has", around.message)
    except Exception as error:  # noqa: BLE001 - the driver is told, and the log has the rest
        traceback.print_exc()
        _say(f"the task failed: {type(error).__name__}: {error}", around.message)
    else:
        return 0
    return 1


def _run(secret: str, environment: Mapping[str, str], around: Surroundings) -> None:
    if not around.task.exists():
        # An earlier pod wrote the result, which removes the task, and was evicted before it could end.
        print("the task is done already", flush=True)  # noqa: T201 - the pod's log
        return
    parcel = unpack(around.task.read_bytes())
    started_s = time.time()
    simulated = simulate(
        parcel.orders,
        shots=parcel.shots,
        seed=parcel.seed,
        calibration=None if parcel.calibration is None else calibration_file.loads(parcel.calibration),
        limits=parcel.limits,
    )
    result = task_result(
        parcel.remote_id,
        simulated,
        shots=parcel.shots,
        hashes=parcel.hashes,
        device_s=parcel.device_s,
        started_s=started_s,
        finished_s=time.time(),
    )
    write_result(secret, pack_result(result), environment=environment, api=around.api)


def _say(words: str, message: Path) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201 - the pod's log
    message.write_bytes(words.encode()[:_MESSAGE_BYTES])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, Surroundings()))
