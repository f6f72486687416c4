"""How the engine paces itself. The defaults suit a laptop; a cluster's controller has its own."""

from __future__ import annotations

import msgspec

from qsched.placement import HYSTERESIS


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Paces and limits of an engine.

    Attributes:
        inbox_every_s: How often new jobs and commands of other processes are looked for.
        gather_s: How long events gather before they are stored in one transaction.
        cycle_least_s: The shortest time between two cycles.
        cycle_every_s: How often every waiting job is placed anew, whatever happens meanwhile.
        missing_every_s: How often a circuit that is not there yet is looked for.
        poll_least_s: A task is asked for at this interval at first, later at a tenth of its age,
        poll_most_s: and at least this often.
        poll_batch: How many tasks one poll names.
        status_every_s: How often a device's status is read.
        calibration_every_s: How often a device's calibration is read.
        purge_every_s: How often finished jobs past their time to live are removed.
        fleet_changes: Whether backends may come at any time, so that no job is refused for good because none
            of today's would ever take it.
        unknown_is_gone: Whether a backend without a manifest was deleted, so that nobody can reach its tasks
            any more, and is not just missing from the fleet of this run.
        call_timeout_s: How long a driver may take to answer.
        refine_k: Backends for which stage 2 transpiles a job.
        refine_margin: A backend this much worse than the best one by stage 1 is not looked at in stage 2.
        lookahead: Jobs that are refined for each backend beyond its free slots.
        hysteresis: A placed job moves only for a gain of score above this.
        pod_lead_s: How long before its slot is expected to open a hybrid job's pods may start.
        workers: Processes that read and transpile circuits.
        grace_s: How long a stopping engine waits for answers that are under way.
    """

    inbox_every_s: float = 0.1
    gather_s: float = 0.002
    cycle_least_s: float = 0.02
    cycle_every_s: float = 5.0
    missing_every_s: float = 2.0
    poll_least_s: float = 0.05
    poll_most_s: float = 5.0
    poll_batch: int = 200
    status_every_s: float = 10.0
    calibration_every_s: float = 300.0
    purge_every_s: float = 30.0
    fleet_changes: bool = False
    unknown_is_gone: bool = False
    call_timeout_s: float = 60.0
    refine_k: int = 5
    refine_margin: float = 0.15
    lookahead: int = 1
    hysteresis: float = HYSTERESIS
    pod_lead_s: float = 30.0
    workers: int = 2
    grace_s: float = 5.0
