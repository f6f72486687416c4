"""What a job's record says of it beside its estimate, and what the engine learns from that."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qsched.api.backend import Pricing, Window
from qsched.api.job import Money
from qsched.drivers.fake import FakeDevice, FakeDriver, FakeParameters
from qsched.engine.engine import RUNS, WAITS
from qsched.fleet.runs import RunModel
from qsched.fleet.waits import WaitModel
from qsched.store.sqlite import SqliteStore
from tests.unit.engine.harness import FastClock, backend, job, provider

if TYPE_CHECKING:
    from qsched.drivers import DeviceStatus, TaskResult
    from tests.unit.engine.harness import Start

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

PRICED = Pricing(currency="USD", per_shot="0.01")


class Provider(FakeDriver):
    """A provider that says what it charges, and when its devices take tasks."""

    cost: Money | None = None
    run_s: float | None = None
    ahead_s: float = 0.0
    windows: tuple[Window, ...] = ()

    async def status(self, device: str) -> DeviceStatus:
        return msgspec.structs.replace(await super().status(device), windows=self.windows)

    async def result(self, remote_id: str) -> TaskResult:
        got = await super().result(remote_id)
        run_s = got.run_s if self.run_s is None else self.run_s
        ahead = dt.timedelta(seconds=self.ahead_s)
        assert got.started_at is not None
        assert got.finished_at is not None
        return msgspec.structs.replace(
            got,
            cost=self.cost,
            run_s=run_s,
            started_at=got.started_at + ahead,
            finished_at=got.finished_at + ahead,
        )


def telling(clock: FastClock, *devices: FakeDevice, **said: Any) -> Provider:
    """A provider that says so."""
    made = Provider(FakeParameters(devices=devices), clock=clock.now)
    for name, value in said.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("charged", [Money(amount="0.90", currency="USD"), None])
async def test_a_result_says_whose_its_cost_is(start: Start, clock: FastClock, charged: Money | None) -> None:
    async with start(
        telling(clock, FakeDevice(name="left"), cost=charged), [backend("left", pricing=PRICED)]
    ) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
        record = bench.record("one")
    estimated = Money(amount="1.00", currency="USD")
    assert record.result is not None
    assert record.result.cost == (charged or estimated)
    assert record.result.cost_estimated == (charged is None)
    assert record.result.estimate is not None
    assert record.result.estimate.cost == estimated


@pytest.mark.parametrize(
    ("amount", "kept"),
    [("3.5E-5", "0.000035"), ("1.1234567894", "1.123456789"), ("1E+2", "100"), ("0", "0")],
)
async def test_an_amount_is_kept_as_manifests_write_it(
    start: Start, clock: FastClock, amount: str, kept: str
) -> None:
    charged = Money(amount=amount, currency="USD")
    async with start(telling(clock, FakeDevice(name="left"), cost=charged), [backend("left")]) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
        result = bench.record("one").result
    assert result is not None
    assert result.cost == Money(amount=kept, currency="USD")


@pytest.mark.parametrize(
    "said",
    [
        {"cost": Money(amount="-1", currency="USD")},
        {"cost": Money(amount="NaN", currency="USD")},
        {"cost": Money(amount="free", currency="USD")},
        {"cost": Money(amount="1", currency="credits")},
        {"run_s": math.nan},
        {"run_s": -5.0},
    ],
)
async def test_a_bill_that_makes_no_sense_keeps_no_job_from_its_end(
    start: Start, clock: FastClock, said: dict[str, Any]
) -> None:
    fake = telling(clock, FakeDevice(name="left", run_s=3.0), **said)
    async with start(fake, [backend("left", pricing=PRICED)]) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
        result = bench.record("one").result
    assert result is not None
    assert (result.cost, result.cost_estimated) == (Money(amount="1.00", currency="USD"), True)
    assert result.run_s == pytest.approx(3.0)


async def test_a_price_by_the_second_is_of_the_seconds_that_it_took(start: Start, clock: FastClock) -> None:
    pricing = Pricing(currency="USD", per_task="1", per_second="2", quantum="0.01")
    fake = telling(clock, FakeDevice(name="left", run_s=30.0))
    async with start(fake, [backend("left", pricing=pricing)]) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
        result = bench.record("one").result
    assert result is not None
    assert result.estimate is not None
    assert result.estimate.cost is not None
    assert float(result.estimate.cost.amount) < 10.0
    assert result.cost is not None
    assert 61.0 <= float(result.cost.amount) <= 61.02  # both are rounded up
    assert result.cost_estimated


async def test_seconds_beyond_a_least_price_are_of_the_cost(start: Start, clock: FastClock) -> None:
    pricing = Pricing(currency="USD", per_second="2", minimum="9", quantum="0.01")
    fake = telling(clock, FakeDevice(name="left", run_s=30.0))
    async with start(fake, [backend("left", pricing=pricing)]) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
        result = bench.record("one").result
    assert result is not None
    assert result.cost is not None
    assert float(result.cost.amount) == pytest.approx(60.0)


async def test_a_backend_without_a_price_costs_nothing_and_estimates_nothing(
    start: Start, clock: FastClock
) -> None:
    async with start(telling(clock, FakeDevice(name="left")), [backend("left")]) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
        result = bench.record("one").result
    assert result is not None
    assert (result.cost, result.cost_estimated) == (None, False)


async def test_a_record_holds_the_estimate_of_the_dispatch_and_what_came(
    start: Start, clock: FastClock
) -> None:
    fake = provider(clock, FakeDevice(name="left", wait_s=90.0, run_s=7.0, queue_depth=6))
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
        record = bench.record("one")
    assert record.result is not None
    assert record.placement is not None
    wait_s, wait_p90_s = WaitModel().predict(6)
    estimate = msgspec.structs.replace(record.placement.estimate, wait_s=wait_s, wait_p90_s=wait_p90_s)
    assert record.result.estimate == estimate
    assert estimate.stage == 2
    assert record.result.run_s == pytest.approx(7.0)
    # From the dispatch on, which is a little before the provider has the task.
    assert record.result.wait_s is not None
    assert 90.0 <= record.result.wait_s < 150.0


@pytest.mark.parametrize("ahead_s", [-7200.0, 0.0, 7200.0])
async def test_a_providers_wrong_clock_teaches_no_waits_of_hours(
    start: Start, clock: FastClock, ahead_s: float
) -> None:
    fake = telling(clock, FakeDevice(name="left", wait_s=90.0, run_s=30.0, queue_depth=6), ahead_s=ahead_s)
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
        result = bench.record("one").result
    assert result is not None
    assert result.wait_s is not None
    assert result.wait_s < 150.0
    store = SqliteStore(bench.store.path)
    (residual,) = WaitModel.decode(store.values(WAITS)["left"]).residuals
    store.close()
    assert residual < math.log(150.0 / 60.0)


async def test_an_engine_that_was_restarted_knows_the_estimate_but_no_wait(
    start: Start, clock: FastClock
) -> None:
    fake = provider(clock, FakeDevice(name="left", run_s=60.0))
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Running")
    async with start(fake, [backend("left")]) as bench:
        await bench.phase("one", "Complete")
        record = bench.record("one")
    assert record.result is not None
    assert record.placement is not None
    assert record.result.estimate == record.placement.estimate
    assert record.result.wait_s is None


async def test_jobs_behind_it_in_qsched_are_not_in_the_estimated_wait_of_a_task(
    start: Start, clock: FastClock
) -> None:
    fake = provider(clock, FakeDevice(name="left", run_s=10.0))
    async with start(fake, [backend("left", max_in_flight=1)]) as bench:
        bench.submit(*(job(f"job-{index}") for index in range(12)))
        for index in range(12):
            await bench.phase(f"job-{index}", "Complete")
        results = [bench.record(f"job-{index}").result for index in range(12)]
    for result in results:
        assert result is not None
        assert result.estimate is not None
        assert result.wait_s is not None
        # Each is handed over once the one before it has ended; a status read before that may still count it,
        # at about 10 s. The placement of the first one counts all others, at 2.4 s and more each.
        assert result.estimate.wait_s < 15.0
        assert result.wait_s < 10.0


async def test_runs_that_take_longer_than_computed_are_expected_to(start: Start, clock: FastClock) -> None:
    fake = provider(clock, FakeDevice(name="left", run_s=25.0))
    async with start(fake, [backend("left", max_in_flight=30)]) as bench:
        # All at once: each was estimated before any other had run, so the ratios must not multiply.
        bench.submit(*(job(f"job-{index}") for index in range(30)))
        for index in range(30):
            await bench.phase(f"job-{index}", "Complete")
        bench.submit(job("last"))
        await bench.phase("last", "Complete")
        first, last = bench.record("job-0").result, bench.record("last").result
    assert first is not None
    assert first.estimate is not None
    assert last is not None
    assert last.estimate is not None
    assert first.estimate.run_factor == 1.0
    assert first.estimate.run_s < 5.0
    assert last.estimate.run_s == pytest.approx(25.0, rel=1e-3)
    assert last.estimate.run_factor == pytest.approx(25.0 / first.estimate.run_s, rel=1e-3)
    store = SqliteStore(bench.store.path)
    kept = RunModel.decode(store.values(RUNS)["left"])
    store.close()
    assert kept.factor == pytest.approx(last.estimate.run_factor, rel=1e-3)


def closed(clock: FastClock) -> Window:
    """A window that opens in two days."""
    day = dt.datetime.fromtimestamp(clock.now(), dt.UTC) + dt.timedelta(days=2)
    return Window(days=[f"{day:%a}"], start="06:00", end="18:00")  # type: ignore[list-item]


async def test_a_devices_own_windows_hold_where_the_manifest_has_none(start: Start, clock: FastClock) -> None:
    window = closed(clock)
    fake = telling(clock, FakeDevice(name="left"), windows=(window,))
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one"))
        state = await bench.reason("one", "Unplaceable")
        (shown,) = bench.parts.backends.manifests()
    assert "left: is outside its availability windows" in state.message
    assert shown.spec.windows == []
    assert shown.status.windows == [window]


async def test_the_manifests_windows_win_over_the_devices(start: Start, clock: FastClock) -> None:
    always = Window(start="00:00", end="00:00")
    fake = telling(clock, FakeDevice(name="left"), windows=(closed(clock),))
    async with start(fake, [backend("left", windows=[always])]) as bench:
        bench.submit(job("one"))
        await bench.phase("one", "Complete")
