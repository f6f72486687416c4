"""Why no backend takes a job, in words, and whether that can ever change."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from qsched.scoring import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsched.api.job import Verdict
    from qsched.engine.scored import Scored

FOREVER = (
    Reason.BACKENDS
    | Reason.SELECTOR
    | Reason.SIMULATORS
    | Reason.CURRENCY
    | Reason.DYNAMIC
    | Reason.QUBITS
    | Reason.NATIVE
)
"""What no outage, queue or calibration explains."""

CALIBRATED = Reason.COHERENCE | Reason.MIN_FIDELITY | Reason.MAX_COST | Reason.CALIBRATION_AGE
"""What follows from the calibration, so that on a simulator it never changes."""

_SHOWN = 6


def is_permanent(scored: Scored, row: int, unfit: Mapping[str, str]) -> bool:
    """Whether waiting is useless: every backend refuses the job for something that lasts.

    Args:
        scored: The job among others.
        row: Its row.
        unfit: Backends that cannot run it whatever the scorer says.
    """
    fleet, reasons = scored.fleet, scored.estimates.reasons[row]
    lasting = np.where(fleet.simulator, FOREVER | CALIBRATED, FOREVER)
    rejected = np.array([name in unfit for name in fleet.names], dtype=bool)
    return bool((((reasons & lasting) != 0) | rejected).all())


def refusal(verdicts: Sequence[Verdict], unfit: Mapping[str, str], requested: Sequence[str]) -> str:
    """One message with every backend's reasons, those that share one put together.

    Args:
        verdicts: The job on every backend, none of them feasible.
        unfit: Backends that cannot run the job whatever the scorer says, and why.
        requested: The backends that the job names; those that do not exist come first.
    """
    groups: defaultdict[str, list[str]] = defaultdict(list)
    known = {each.backend for each in verdicts}
    absent = [name for name in requested if name not in known]
    if absent:
        groups["there is no such backend"] = absent
    for each in verdicts:
        own = [unfit[each.backend]] if each.backend in unfit else []
        groups["; ".join((*each.reasons, *own)) or "is taken"].append(each.backend)
    parts = [f"{_listed(names)}: {reason}" for reason, names in groups.items()]
    return "no backend takes the job: " + " | ".join(parts)


def _listed(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
