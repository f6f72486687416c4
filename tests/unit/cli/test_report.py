"""``qsched report accuracy``: what was estimated of completed jobs, held against what came."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from typer.testing import Result as Outcome

from qsched.api.job import Estimate, Money, QuantumCircuitJob, Result
from qsched.api.manifest import to_plain
from qsched.cli.accuracy import FEW, report
from qsched.cli.render_accuracy import accuracy_view
from qsched.store.protocol import Update
from qsched.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

Command = Callable[..., Outcome]
MakeResult = Callable[..., Result]
Show = Callable[..., str]


def usd(amount: str | None) -> Money | None:
    return None if amount is None else Money(amount=amount, currency="USD")


def in_euros(result: Result, charged: str, *, estimated: str | None = None) -> Result:
    """A result charged in euros; its price is in euros too if there is an estimate in them."""
    estimate = result.estimate
    assert estimate is not None
    if estimated is not None:
        estimate = msgspec.structs.replace(estimate, cost=Money(amount=estimated, currency="EUR"))
    return msgspec.structs.replace(result, cost=Money(amount=charged, currency="EUR"), estimate=estimate)


@pytest.fixture
def ran(result: MakeResult) -> Callable[..., Result]:
    """A result with its estimate: each pair is estimated, actual."""

    def ran(
        backend: str = "kyoto",
        *,
        wait: tuple[float, float | None] = (10.0, 12.0),
        p90_s: float = 40.0,
        run: tuple[float, float | None] = (3.0, 3.3),
        cost: tuple[str | None, str | None] = ("1.00", "1.10"),
        **changes: Any,
    ) -> Result:
        estimate = Estimate(
            success=0.8,
            run_s=run[0],
            wait_s=wait[0],
            wait_p90_s=p90_s,
            cost=usd(cost[0]),
            critical_path_s=1e-6,
            stage=2,
        )
        told = {
            "estimate": estimate,
            "wait_s": wait[1],
            "run_s": run[1],
            "cost": usd(cost[1] or cost[0]),
            "cost_estimated": cost[1] is None and cost[0] is not None,
        }
        return msgspec.structs.replace(result({"0": 1}), backend=backend, **{**told, **changes})

    return ran


def test_medians_ratios_and_the_share_within_p90(ran: MakeResult) -> None:
    slow = [ran(wait=(10.0, 30.0), run=(2.0, 8.0)) for _ in range(3)]
    (kyoto,) = report(
        [*slow, *(ran(wait=(10.0, 5.0), run=(2.0, 2.0)) for _ in range(6)), slowest(ran)]
    ).backends
    assert kyoto.jobs == 10
    assert kyoto.wait is not None
    assert (kyoto.wait.estimated_s, kyoto.wait.actual_s, kyoto.wait.ratio) == (10.0, 5.0, 0.5)
    assert kyoto.wait.within_p90 == pytest.approx(0.9)
    assert kyoto.run is not None
    assert (kyoto.run.actual_s, kyoto.run.ratio, kyoto.run.within_p90) == (2.0, 1.0, None)
    assert kyoto.success == pytest.approx(0.8)


def slowest(ran: MakeResult) -> Result:
    return ran(wait=(10.0, 41.0), run=(2.0, 100.0))


def test_a_wait_of_less_than_a_second_is_as_good_as_none(ran: MakeResult) -> None:
    found = report([ran(wait=(0.0, 0.8), p90_s=0.0)]).total.wait
    assert found is not None
    assert (found.ratio, found.within_p90) == (1.0, 1.0)
    late = report([ran(wait=(0.0, 5.0), p90_s=0.0)]).total.wait
    assert late is not None
    assert (late.ratio, late.within_p90) == (5.0, 0.0)


def test_costs_add_up_to_the_cent_in_their_own_currency(ran: MakeResult) -> None:
    europe = in_euros(ran(), "7.70", estimated="7.00")
    found = report([*(ran(cost=("0.10", "0.30")) for _ in range(3)), europe]).total
    eur, dollars = found.costs
    assert (dollars.estimated, dollars.charged) == (usd("0.30"), usd("0.90"))
    assert (dollars.jobs, dollars.ratio) == (3, 3.0)
    assert eur.charged == Money(amount="7.70", currency="EUR")
    assert eur.ratio == pytest.approx(1.1)


def test_what_cannot_be_compared_is_counted_and_not_compared(ran: MakeResult, result: MakeResult) -> None:
    found = report(
        [
            ran(cost=("1.00", None)),  # the provider tells no cost
            in_euros(ran(), "1.00"),
            ran(cost=(None, None), run=(0.0, 4.0), wait=(1.0, None)),  # an ideal simulator, after a restart
            ran(intended_backend="osaka", estimate=None),
            result({"0": 1}),
        ]
    )
    assert (found.fallbacks, found.unrecorded, found.total.jobs) == (1, 1, 3)
    untold, converted = found.total.costs
    assert (untold.jobs, untold.charged, untold.ratio) == (1, None, None)
    assert (converted.jobs, converted.charged, converted.ratio) == (
        1,
        Money(amount="1.00", currency="EUR"),
        None,
    )
    assert found.total.run is not None
    assert found.total.run.jobs == 2
    assert found.total.wait is not None
    assert found.total.wait.jobs == 2


def test_the_table_fits_80_columns_and_admits_that_few_jobs_say_little(show: Show, ran: MakeResult) -> None:
    shown = show(accuracy_view(report([*(ran() for _ in range(FEW)), ran("osaka")])))
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "kyoto wait 10 10 s 12 s 1.20 100.0 %" in lines
    assert "cost 10 10.00 USD 11.00 USD 1.10" in lines
    assert "osaka wait 1 10 s 12 s too few" in lines
    assert "success 1 80.0 % unknown" in lines
    assert "all wait 11 10 s 12 s 1.20 100.0 %" in lines
    assert "fewer than" not in shown


def test_a_single_backend_has_no_line_for_all(show: Show, ran: MakeResult) -> None:
    shown = show(
        accuracy_view(report([ran(cost=("1.00", None)), ran(intended_backend="osaka", estimate=None)]))
    )
    assert "all" not in {line.split()[0] for line in shown.splitlines() if line.split()}
    assert "cost 1 1.00 USD not told" in " ".join(shown.split())
    assert f"fewer than {FEW} jobs say little" in shown
    assert "left out: 1 fallback" in shown


@pytest.fixture
def recorded(store: Path, complete_job: QuantumCircuitJob, ran: MakeResult) -> QuantumCircuitJob:
    """The job ``ghz`` of the store, with a result that holds its estimate."""
    status = msgspec.structs.replace(complete_job.status, result=ran())
    job = msgspec.structs.replace(complete_job, status=status)
    database = SqliteStore(store)
    record = database.get("ghz")
    change = Update(uid=record.uid, phase="Complete", state=record.state, settled=True, result=ran())
    database.apply([change])
    database.close()
    return job


@pytest.mark.usefixtures("recorded")
def test_the_report_comes_from_the_store(qsched: Command, store: Path) -> None:
    shown = " ".join(qsched("report", "accuracy", "--store", store).stdout.split())
    assert "kyoto wait 1 10 s 12 s too few" in shown
    document = json.loads(qsched("report", "accuracy", "kyoto", "--store", store, "-o", "json").stdout)
    assert document["backends"][0]["backend"] == "kyoto"
    assert document["total"]["wait"] == {
        "jobs": 1,
        "estimatedSeconds": 10.0,
        "actualSeconds": 12.0,
        "ratio": 1.2,
        "withinP90": 1.0,
    }
    assert qsched("report", "accuracy", "--store", store, "-o", "name").stdout == "kyoto\n"
    assert "no job has completed yet" in qsched("report", "accuracy", "--store", store, "-n", "none").stderr


@pytest.mark.usefixtures("recorded")
def test_a_backend_on_which_nothing_completed_is_answered_with_the_nearest(
    qsched: Command, store: Path
) -> None:
    done = qsched("report", "accuracy", "kyot", "--store", store)
    assert done.exit_code == 2
    assert "no job has completed on 'kyot'; did you mean kyoto?" in done.stderr


def test_the_report_reads_what_kubectl_writes(
    qsched: Command, recorded: QuantumCircuitJob, tmp_path: Path
) -> None:
    waiting = to_plain(recorded) | {"metadata": {"name": "waits", "namespace": "other"}, "status": {}}
    listed = {"apiVersion": "v1", "kind": "List", "items": [to_plain(recorded), waiting]}
    (tmp_path / "jobs.json").write_text(json.dumps(listed, default=str))
    done = qsched("report", "accuracy", "--from", tmp_path / "jobs.json", "-o", "json")
    assert json.loads(done.stdout)["total"]["jobs"] == 1
