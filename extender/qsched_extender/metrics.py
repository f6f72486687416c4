"""What the extender tells Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

    from qsched_extender.cache import Cache
    from qsched_extender.watch import Watch

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 1.0)


class Metrics:
    """The extender's own registry: requests by verb and outcome, and the cache as it is when asked."""

    def __init__(self, verbs: tuple[str, ...]) -> None:
        self._registry = CollectorRegistry()
        seconds = Histogram(
            "qsched_extender_request_seconds",
            "Time from a request's last byte to its answer.",
            ["verb"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._answers = Counter(
            "qsched_extender_answers", "Answers.", ["verb", "outcome"], registry=self._registry
        )
        self._seconds = {verb: seconds.labels(verb) for verb in verbs}
        self._counts: dict[tuple[str, str], Counter] = {}

    def follow(self, cache: Cache, watch: Watch) -> None:
        """Report a cache and the watch that keeps it."""
        self._registry.register(_CacheMetrics(cache, watch))

    def answered(self, verb: str, outcome: str, seconds: float) -> None:
        """Count an answer."""
        self._seconds[verb].observe(seconds)
        count = self._counts.get((verb, outcome))
        if count is None:
            count = self._counts[verb, outcome] = self._answers.labels(verb, outcome)
        count.inc()

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)


class _CacheMetrics(Collector):
    def __init__(self, cache: Cache, watch: Watch) -> None:
        self._cache = cache
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        yield _gauge("qsched_extender_cached_objects", "Objects in the cache.", self._cache.sizes())
        yield _gauge(
            "qsched_extender_cache_age_seconds",
            "Time since the API server was last heard; it is at most a minute while all is well.",
            self._watch.ages_s(),
        )


def _gauge(name: str, says: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, says, labels=["resource"])
    for resource, value in values.items():
        family.add_metric([resource], value)
    return family
