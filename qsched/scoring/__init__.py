"""Scoring: features times coefficients, estimates, scores, and their explanation."""

from qsched.scoring.estimate import Estimates, Refined, Refinements, estimate
from qsched.scoring.explain import explain, placement_status, verdict
from qsched.scoring.jobs import JobColumns, JobRecord, build_jobs
from qsched.scoring.reasons import Reason
from qsched.scoring.refine import refine, refined_log_success
from qsched.scoring.stage1 import Shortlist, shortlist, stage1

__all__ = [
    "Estimates",
    "JobColumns",
    "JobRecord",
    "Reason",
    "Refined",
    "Refinements",
    "Shortlist",
    "build_jobs",
    "estimate",
    "explain",
    "placement_status",
    "refine",
    "refined_log_success",
    "shortlist",
    "stage1",
    "verdict",
]
