"""What an objective means: weights and scales. The one place where these defaults are written.

The scales say when a utility has fallen to 1/e: ``tau_s`` seconds until the result, ``cost`` units of
money. A job's own limits (``completeBy``, ``maxQueueTime``, ``maxCost``) take their place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qsched.api.job import Weights

if TYPE_CHECKING:
    from qsched.api.job import JobSpec, Objective


class Preference(NamedTuple):
    """Weights and scales of an objective.

    Attributes:
        weights: How much each part of the score matters; they add up to 1.
        tau_s: Seconds of waiting and running after which the wait utility is 1/e.
        cost: Amount of money, in the backend's currency, at which the cost utility is 1/e.
    """

    weights: Weights
    tau_s: float
    cost: float


PREFERENCES: dict[Objective, Preference] = {
    "balanced": Preference(Weights(fidelity=0.5, wait=0.3, coherence=0.1, cost=0.1), 3600.0, 20.0),
    "fidelity": Preference(Weights(fidelity=0.85, wait=0.05, coherence=0.05, cost=0.05), 21600.0, 100.0),
    "speed": Preference(Weights(fidelity=0.25, wait=0.65, coherence=0.05, cost=0.05), 900.0, 50.0),
    "cost": Preference(Weights(fidelity=0.3, wait=0.1, coherence=0.05, cost=0.55), 7200.0, 5.0),
}


def weights_of(spec: JobSpec) -> Weights:
    """The job's weights, its own or its objective's, normalised to a sum of 1.

    Weights that are all zero cannot be normalised and count as not given; ``validate_job`` refuses them.
    """
    own = spec.weights
    if own is None or not (total := own.fidelity + own.wait + own.coherence + own.cost) > 0:
        return PREFERENCES[spec.objective].weights
    return Weights(
        fidelity=own.fidelity / total,
        wait=own.wait / total,
        coherence=own.coherence / total,
        cost=own.cost / total,
    )
