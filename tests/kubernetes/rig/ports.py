"""Free ports of the loopback address, from below those that outgoing connections are given."""

from __future__ import annotations

import random
import socket

from tests.kubernetes.rig.errors import RigError

# A port that the kernel may hand to any outgoing connection is not free for long, and a restarted API server
# needs its own again. No seed: runs side by side are to try different ones.
_LEAST, _MOST = 15_000, 32_000
_random = random.SystemRandom()


def free_port() -> int:
    """A port on which nothing listens at the moment.

    Raises:
        RigError: If a hundred tries find none.
    """
    for _ in range(100):
        port = _random.randrange(_LEAST, _MOST)
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RigError(f"no free port between {_LEAST} and {_MOST} on 127.0.0.1")
