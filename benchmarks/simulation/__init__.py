"""A discrete-event simulation of policies under load: one scenario, several policies, the same jobs for each.

``scenario`` is what happens whatever a policy does: jobs and when they come, the fleet, outages,
recalibrations, other people's tasks. ``loop`` is what then happens: qsched's own scoring and its own job
state machine, single-server backends, and the time that a policy takes to decide. ``compare`` runs policies
side by side, and keeps what the others gave when one fails.
"""

from benchmarks.simulation.compare import Comparison, compare
from benchmarks.simulation.guard import PolicyError
from benchmarks.simulation.loop import simulate
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.scenario import Scenario
from benchmarks.simulation.view import Policy, View

__all__ = ["Comparison", "Outcome", "Policy", "PolicyError", "Scenario", "View", "compare", "simulate"]
