"""Tokens, back-off and the waiting times of the state machine; all of it deterministic."""

from __future__ import annotations

import hashlib

SETTLE_S = 30.0
"""How long after we gave up waiting for its answer a submission may still arrive and be listed.

Until then "there is no such task" proves nothing. A driver must not go on trying to send a submission for
longer than this once its call was cancelled.
"""

STOP_GRACE_S = 60.0
"""A cancelled or overdue job whose task cannot be confirmed dead becomes terminal after this time."""

MAX_SUBMITS = 5
"""How often one token is submitted, or looked for in vain, before the attempt is given up."""

PATIENCE_S = 60.0
"""For so long after an attempt began, a provider that asks for patience costs it no try: a busy provider
refuses many tasks at once, and each of them would otherwise soon be placed elsewhere, or doubted."""

MAX_WRITES = 5
"""How often the writing of a result is tried before the job fails."""

MAX_ATTEMPTS = 100
"""Attempts of one job, moves and rejections included; a status holds 128."""

LONGEST_S = 300.0
"""The longest back-off."""

_BASE_S = 1.0


def token_of(uid: str, number: int) -> str:
    """The idempotency key of a job's attempt: 32 hexadecimal digits, the same in every engine."""
    return hashlib.sha256(f"{uid}:{number}".encode()).hexdigest()[:32]


def backoff_s(key: str, tries: int) -> float:
    """Seconds to wait after ``tries`` calls in vain.

    Doubles from 1 s up to 300 s, times a jitter in [0.5, 1) that depends on ``key`` and ``tries`` only, so
    that jobs which failed together do not return together and a replay gives the same times.
    """
    digest = hashlib.sha256(f"{key}/{tries}".encode()).digest()
    jitter = 0.5 + int.from_bytes(digest[:4], "big") / 2**33
    return min(LONGEST_S, _BASE_S * 2.0 ** min(max(tries, 1) - 1, 16)) * jitter
