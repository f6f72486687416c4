"""``make cluster``."""

from __future__ import annotations

import signal
import sys

from tests.kubernetes.rig.errors import RigError
from tests.kubernetes.rig.playground import run


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run a cluster until Ctrl-C.

    Returns:
        The exit code.
    """
    # Also where a shell started it in the background, and so with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        run(_say)
    except KeyboardInterrupt:
        _say("\nThe cluster is gone.")
    except RigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
