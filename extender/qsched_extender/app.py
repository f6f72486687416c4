"""What each path answers. Everything is decided from memory, so nothing here waits.

=================  ======================================================================
POST /filter       the nodes that a pod may go to
POST /prioritize   their scores
POST /preempt      the nodes on which preemption makes sense for it
GET /healthz       200 as long as this process answers
GET /readyz        200 when the cache is filled; 503 before, and what is missing
GET /metrics       for Prometheus
=================  ======================================================================

Errors are answered the way the scheduler understands: filter has a field for them, the other verbs fail with
status 503. What is no proper request gets 400, 404, 405 or 413, and a sentence.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qsched.errors import InvalidInput
from qsched_extender.connection import JSON, TEXT, Answer
from qsched_extender.decisions import Cold
from qsched_extender.metrics import CONTENT_TYPE
from qsched_extender.wire import FilterResult, encode, read_args, read_preemption

if TYPE_CHECKING:
    from qsched_extender.cache import Cache
    from qsched_extender.decisions import Decisions
    from qsched_extender.metrics import Metrics

VERBS = ("filter", "prioritize", "preempt")


class Health:
    """What probes and Prometheus ask; it may listen where the verbs do not."""

    def __init__(self, cache: Cache, metrics: Metrics) -> None:
        self._cache = cache
        self._metrics = metrics

    def answer(self, method: str, path: str, body: bytes | None) -> Answer:
        """Answer a request."""
        del body
        if path not in {"/healthz", "/readyz", "/metrics"}:
            return _sentence(404, f"there is no {path} here")
        if method not in {"GET", "HEAD"}:
            return _sentence(405, f"ask {path} with GET")
        if path == "/metrics":
            return Answer(200, CONTENT_TYPE, self._metrics.text())
        if path == "/readyz" and self._cache.cold:
            return _sentence(503, f"not listed yet: {', '.join(sorted(self._cache.cold))}")
        return _sentence(200, "ok")


class Extender:
    """The verbs; every other path is handed on to ``Health``."""

    def __init__(self, decisions: Decisions, health: Health, metrics: Metrics) -> None:
        self._decisions = decisions
        self._health = health
        self._metrics = metrics
        answers = (self._filter, self._prioritize, self._preempt)
        self._verbs = {f"/{verb}": answer for verb, answer in zip(VERBS, answers, strict=True)}

    def answer(self, method: str, path: str, body: bytes | None) -> Answer:
        """Answer a request.

        Args:
            method: Its method.
            path: Its path, without a query.
            body: Its body; None if that was longer than the limit.
        """
        verb = self._verbs.get(path)
        if verb is None:
            return self._health.answer(method, path, body)
        if method != "POST":
            return _sentence(405, f"ask {path} with POST")
        started = time.perf_counter()
        if body is None:
            answer, outcome = _sentence(413, "the body is longer than --body-limit"), "too-large"
        else:
            try:
                found, outcome = verb(body)
                answer = Answer(200, JSON, found)
            except InvalidInput as error:
                answer, outcome = _sentence(400, str(error)), "bad-request"
            except Cold as error:
                answer, outcome = _sentence(503, str(error)), "cold"
        self._metrics.answered(path[1:], outcome, time.perf_counter() - started)
        return answer

    def _filter(self, body: bytes) -> tuple[bytes, str]:
        args = read_args(body)
        try:
            result, outcome = self._decisions.filter(args)
        except Cold as error:
            return encode(FilterResult(error=str(error))), "cold"
        return encode(result), outcome

    def _prioritize(self, body: bytes) -> tuple[bytes, str]:
        return encode(self._decisions.prioritize(read_args(body))), "scores"

    def _preempt(self, body: bytes) -> tuple[bytes, str]:
        result = self._decisions.preempt(read_preemption(body))
        return encode(result), "victims" if result.victims else "no-node"


def _sentence(status: int, text: str) -> Answer:
    return Answer(status, TEXT, f"{text}\n".encode(errors="replace"))
