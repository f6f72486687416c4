"""What the rendering tests share: a console of fixed width and objects worth showing."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest
from rich.console import Console, RenderableType
from typer.testing import CliRunner
from typer.testing import Result as Outcome

from qsched.api.base import Condition, ObjectMeta
from qsched.api.job import (
    Attempt,
    Breakdown,
    Circuit,
    CircuitResult,
    Counts,
    Estimate,
    JobSpec,
    JobStatus,
    Money,
    Placement,
    QuantumCircuitJob,
    Result,
    Verdict,
    Weights,
)
from qsched.cli.app import app
from qsched.lifecycle.codec import encode_state
from qsched.lifecycle.types import new_state, policy_of
from qsched.store.protocol import HistoryEvent, NewJob, Update
from qsched.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
WEIGHTS = Weights(fidelity=0.4, wait=0.3, coherence=0.15, cost=0.15)

Show = Callable[..., str]


@pytest.fixture
def now() -> dt.datetime:
    return NOW


@pytest.fixture
def show() -> Show:
    """Gives what a terminal of some width shows, without colours."""

    def show(renderable: RenderableType, width: int = 80) -> str:
        file = io.StringIO()
        Console(file=file, width=width, color_system=None, highlight=False, markup=False).print(renderable)
        return file.getvalue()

    return show


@pytest.fixture
def verdict() -> Callable[..., Verdict]:
    """Makes the verdict of a feasible backend whose score is the weighted sum of its utilities."""

    def verdict(
        name: str,
        *,
        success: float = 0.8,
        wait: float = 0.9,
        coherence: float = 0.7,
        cost: float = 0.95,
        wait_s: float = 12.0,
        price: str | None = "0.12",
    ) -> Verdict:
        parts = {"fidelity": success, "wait": wait, "coherence": coherence, "cost": cost}
        return Verdict(
            backend=name,
            feasible=True,
            score=sum(getattr(WEIGHTS, part) * value for part, value in parts.items()),
            estimate=Estimate(
                success=success,
                run_s=3.1,
                wait_s=wait_s,
                wait_p90_s=wait_s * 4,
                cost=None if price is None else Money(amount=price, currency="USD"),
                critical_path_s=2e-6,
                window_s=5e-5,
                stage=2,
            ),
            breakdown=Breakdown(**parts, weights=WEIGHTS),
            calibration_id="9f86d081884c7d65",
        )

    return verdict


@pytest.fixture
def result() -> Callable[..., Result]:
    """Makes the result of a job with one circuit for each counts."""

    def result(*counts: Counts | None, intended: str | None = None, uri: str | None = None) -> Result:
        return Result(
            backend="kyoto",
            driver="aer",
            remote_id="task-1",
            calibration_id="9f86d081884c7d65",
            qsched_version="0.1.0",
            circuits=[
                CircuitResult(name=f"ghz-{index}", counts=one, shots=1024, transpiled_hash="ab12")
                for index, one in enumerate(counts)
            ],
            cost=Money(amount="0.12", currency="USD"),
            simulated=True,
            intended_backend=intended,
            run_s=3.1,
            uri=uri,
        )

    return result


@pytest.fixture
def complete_job(verdict: Callable[..., Verdict], result: Callable[..., Result]) -> QuantumCircuitJob:
    """A job that ran on kyoto, where osaka came second."""
    first, second = verdict("kyoto"), verdict("osaka", success=0.7)
    assert first.breakdown is not None
    assert first.estimate is not None
    ended = NOW - dt.timedelta(seconds=50)
    return QuantumCircuitJob(
        metadata=ObjectMeta(name="ghz", labels={"team": "chem"}),
        spec=JobSpec(circuits=[Circuit(name="ghz-0", qasm="OPENQASM 3.0;\nqubit[2] q;\n")]),
        status=JobStatus(
            phase="Complete",
            conditions=[
                Condition(
                    type="Complete",
                    status="True",
                    reason="Finished",
                    message="1,024 shots",
                    last_transition_time=ended,
                )
            ],
            placement=Placement(
                backend="kyoto",
                score=first.score,
                breakdown=first.breakdown,
                estimate=first.estimate,
                calibration_id=first.calibration_id,
                runners_up=[second],
            ),
            attempts=[
                Attempt(
                    number=1,
                    token="t-1",
                    backend="kyoto",
                    remote_id="task-1",
                    state="Succeeded",
                    started_at=NOW - dt.timedelta(seconds=53),
                    finished_at=ended,
                )
            ],
            result=result({"00": 520, "11": 504}, uri="file:///results/ghz.json"),
            submitted_at=NOW - dt.timedelta(seconds=60),
            finished_at=ended,
        ),
    )


@pytest.fixture
def store(tmp_path: Path, complete_job: QuantumCircuitJob) -> Path:
    """A store with a complete job ``ghz``, a failed one ``bad`` and a pending one ``qft``."""
    path = tmp_path / "qsched.db"
    database = SqliteStore(path)
    submitted = NOW.timestamp() - 60
    names = {"ghz": "Complete", "bad": "Failed", "qft": "Pending"}
    states = {
        name: msgspec.structs.replace(
            new_state(f"uid-{name}", policy_of(complete_job.spec), submitted), phase=phase
        )
        for name, phase in names.items()
    }
    states["bad"] = msgspec.structs.replace(
        states["bad"],
        reason="Rejected",
        message="brisbane has no gate 'frobnicate'",
        finished_at=submitted + 5,
    )
    database.add(
        [
            NewJob(
                uid=state.uid,
                job=QuantumCircuitJob(
                    metadata=ObjectMeta(name=name, namespace="default", uid=state.uid), spec=complete_job.spec
                ),
                phase="Pending",
                state=encode_state(state),
                submitted_at=submitted,
                history=[HistoryEvent(submitted, "Submitted", "stored")],
            )
            for name, state in states.items()
        ]
    )
    database.apply(
        [
            Update(
                uid=state.uid,
                phase=state.phase,
                state=encode_state(state),
                settled=name != "qft",
                reason=state.reason,
                message=state.message,
                backend="kyoto" if name == "ghz" else None,
                finished_at=state.finished_at,
                placement=complete_job.status.placement if name == "ghz" else None,
                result=complete_job.status.result if name == "ghz" else None,
            )
            for name, state in states.items()
        ]
    )
    database.close()
    return path


@pytest.fixture
def qsched(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs the command in this process, in a terminal of 120 columns."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def qsched(*words: object) -> Outcome:
        return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)

    return qsched
