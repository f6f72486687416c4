"""Policies side by side on one scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from benchmarks.simulation.apart import simulate_apart
from benchmarks.simulation.guard import LIMIT_S, PolicyError
from benchmarks.simulation.loop import simulate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks.simulation.outcome import Outcome
    from benchmarks.simulation.scenario import Scenario
    from benchmarks.simulation.view import Policy


class Comparison(NamedTuple):
    """What came of a scenario under several policies.

    Attributes:
        outcomes: By the policies' names, in their order.
        errors: Why a policy has no outcome, by its name.
    """

    outcomes: dict[str, Outcome]
    errors: dict[str, str]


def compare(
    scenario: Scenario,
    policies: Iterable[Policy],
    *,
    limit_s: float = LIMIT_S,
    apart: Mapping[str, str] | None = None,
) -> Comparison:
    """Run a scenario under each policy; one that fails leaves the others' outcomes alone.

    Args:
        scenario: The same for all.
        policies: Their names differ.
        limit_s: Real seconds that a policy may take for one decision.
        apart: Policies that may end or block their process and are asked in one of their own, by name: what
            to load there.
    """
    apart = apart or {}
    outcomes: dict[str, Outcome] = {}
    errors: dict[str, str] = {}
    for policy in policies:
        try:
            if spec := apart.get(policy.name):
                outcome = simulate_apart(scenario, spec, policy.name, limit_s=limit_s)
            else:
                outcome = simulate(scenario, policy, limit_s=limit_s)
        except PolicyError as error:
            errors[policy.name] = str(error)
        else:
            outcomes[policy.name] = outcome
    return Comparison(outcomes, errors)
