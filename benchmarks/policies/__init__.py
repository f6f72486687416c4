"""The policies that are compared: qsched, simple rules, Qonductor's optimiser, and one's own from a file."""

from benchmarks.policies.load import POLICIES, load

__all__ = ["POLICIES", "load"]
