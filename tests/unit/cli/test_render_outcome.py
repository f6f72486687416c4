"""What of an outcome is estimated and what is not, in the words that a user reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from qsched.api.backend import BackendSpec, BackendStatus, QuantumBackend, Window
from qsched.api.base import Condition, ObjectMeta
from qsched.api.job import Execution, Money, QuantumCircuitJob, Result, Verdict
from qsched.cli.render_backends import state
from qsched.cli.render_describe import job_detail
from qsched.cli.render_explain import explanation
from qsched.cli.render_result import result_view

if TYPE_CHECKING:
    import datetime as dt

Show = Callable[..., str]
MakeResult = Callable[..., Result]
MakeVerdict = Callable[..., Verdict]


def test_a_cost_that_nobody_charged_is_called_an_estimate(show: Show, result: MakeResult) -> None:
    charged = result({"0": 1024})
    estimated = msgspec.structs.replace(charged, cost_estimated=True)
    free = msgspec.structs.replace(estimated, cost=Money(amount="0", currency="USD"))
    assert "0.12 USD)" in show(result_view("ghz", charged), 100)
    assert "0.12 USD by its price)" in show(result_view("ghz", estimated), 100)
    assert "free)" in show(result_view("ghz", free), 100)


def with_outcome(job: QuantumCircuitJob, **changes: object) -> QuantumCircuitJob:
    assert job.status.result is not None
    assert job.status.placement is not None
    outcome = msgspec.structs.replace(
        job.status.result, estimate=job.status.placement.estimate, wait_s=15.0, **changes
    )
    return msgspec.structs.replace(job, status=msgspec.structs.replace(job.status, result=outcome))


def test_a_job_shows_what_was_estimated_beside_what_came(
    show: Show, now: dt.datetime, complete_job: QuantumCircuitJob
) -> None:
    lines = show(job_detail(with_outcome(complete_job, run_s=4.0), [], now)).splitlines()
    first = lines.index("Outcome")
    rows = [" ".join(line.split()) for line in lines[first + 3 : first + 6]]
    assert rows == ["wait 12 s (P90 48 s) 15 s", "run 3.1 s 4 s", "cost 0.12 USD 0.12 USD"]
    unknown = show(job_detail(with_outcome(complete_job, cost_estimated=True), [], now))
    assert "0.12 USD by its price" in unknown
    assert "Outcome" not in show(job_detail(complete_job, [], now))


def test_estimates_of_what_the_provider_compiles_are_marked(
    show: Show, now: dt.datetime, complete_job: QuantumCircuitJob, verdict: MakeVerdict
) -> None:
    plain = verdict("kyoto")
    assert plain.estimate is not None
    marked = msgspec.structs.replace(
        plain, estimate=msgspec.structs.replace(plain.estimate, provider_compiles=True)
    )
    said = "estimates are of qsched's own transpilation"
    assert said in show(explanation([marked], 120))
    assert said not in show(explanation([plain], 120))
    assert marked.estimate is not None
    assert complete_job.status.placement is not None
    placement = msgspec.structs.replace(complete_job.status.placement, estimate=marked.estimate)
    job = msgspec.structs.replace(
        complete_job,
        spec=msgspec.structs.replace(complete_job.spec, execution=Execution(transpile="Provider")),
        status=msgspec.structs.replace(complete_job.status, placement=placement),
    )
    shown = show(job_detail(job, [], now))
    assert "by the provider" in shown
    assert "80.0 % estimated, of qsched's own transpilation" in shown
    assert "by the provider" not in show(job_detail(complete_job, [], now))


@pytest.mark.parametrize(
    ("declared", "told", "said"),
    [
        ([], ["06:00", "18:00"], "ready, until Sun 18:00 UTC"),
        ([], ["14:00", "18:00"], "outside its windows, opens Sun 14:00 UTC"),
        (["13:00", "14:00"], ["06:00", "18:00"], "outside its windows, opens Sun 13:00 UTC"),
        (["00:00", "00:00"], ["14:00", "18:00"], "ready"),
    ],
)
def test_windows_are_shown_the_manifests_before_the_devices(
    now: dt.datetime, declared: list[str], told: list[str], said: str
) -> None:
    def windows(times: list[str]) -> list[Window]:
        return [Window(start=times[0], end=times[1])] if times else []

    condition = Condition(type="Online", status="True", reason="Answering", last_transition_time=now)
    backend = QuantumBackend(
        metadata=ObjectMeta(name="aria"),
        spec=BackendSpec(driver="fake", device="aria", windows=windows(declared)),
        status=BackendStatus(conditions=[condition], queue_depth=0, windows=windows(told)),
    )
    assert state(backend, now).plain == said
