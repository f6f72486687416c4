"""Placement: the assignment of many jobs at once."""

from qsched.placement.market import UNPLACED, Market, open_market
from qsched.placement.place import HYSTERESIS, impatience_of, place, place_jobs, solve
from qsched.placement.urgency import fair_share, urgency

__all__ = [
    "HYSTERESIS",
    "UNPLACED",
    "Market",
    "fair_share",
    "impatience_of",
    "open_market",
    "place",
    "place_jobs",
    "solve",
    "urgency",
]
