"""Scoring: features times coefficients, estimates, scores, and their explanation."""

from qsched.scoring.blocks import Refined, Refinements
from qsched.scoring.estimate import Estimates, estimate
from qsched.scoring.explain import Choice, Pair, explain, placements_of, verdicts_of
from qsched.scoring.jobs import JobColumns, JobRecord, build_jobs
from qsched.scoring.reasons import Reason
from qsched.scoring.refine import refine, refined_log_success
from qsched.scoring.scorer import Scorer
from qsched.scoring.stage1 import Shortlist, shortlist, stage1
from qsched.scoring.table import ScoreTable

__all__ = [
    "Choice",
    "Estimates",
    "JobColumns",
    "JobRecord",
    "Pair",
    "Reason",
    "Refined",
    "Refinements",
    "ScoreTable",
    "Scorer",
    "Shortlist",
    "build_jobs",
    "estimate",
    "explain",
    "placements_of",
    "refine",
    "refined_log_success",
    "shortlist",
    "stage1",
    "verdicts_of",
]
