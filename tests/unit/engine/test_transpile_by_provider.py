"""``execution.transpile: Provider``: circuits are handed over as they are, and the provider compiles them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qsched.api.job import Execution, Fallback, Requirements
from qsched.drivers.fake import FakeDevice, FakeDriver, FakeParameters
from qsched.engine.explanation import explain_job, submission_errors
from qsched.errors import CircuitError, Problem
from tests.unit.engine.harness import FastClock, backend, job, provider

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.drivers import DeviceInfo
    from qsched.engine.preparation import Preparation
    from tests.unit.engine.harness import Start

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROVIDER = Execution(transpile="Provider")
NATIVE = "takes native circuits only, and execution.transpile is Provider; set it to Local"


class Twins(FakeDriver):
    """A provider whose device ``twin`` compiles nothing."""

    async def devices(self) -> Sequence[DeviceInfo]:
        known = await super().devices()
        return [msgspec.structs.replace(each, compiles=each.device != "twin") for each in known]


class Clumsy:
    """Reads circuits, and can map none to a device."""

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._preparation, name)

    async def transpile(self, *_: object) -> Any:
        raise CircuitError(Problem("", "no route"))


def twins(clock: FastClock) -> Twins:
    """A good device that takes native circuits only, and a bad one that takes any."""
    devices = FakeDevice(name="twin", two_qubit_error=0.001), FakeDevice(name="far", two_qubit_error=0.03)
    return Twins(FakeParameters(devices=devices), clock=clock.now)


async def test_circuits_reach_the_provider_as_they_are(start: Start, clock: FastClock) -> None:
    async with start(provider(clock, FakeDevice(name="left")), [backend("left")]) as bench:
        bench.submit(job("here"), job("there", execution=PROVIDER))
        await bench.phase("here", "Complete")
        await bench.phase("there", "Complete")
        here, there = bench.record("here"), bench.record("there")
    assert here.result is not None
    assert there.result is not None
    assert there.result.circuits[0].transpiled_hash == "as-given-bell"
    assert not here.result.circuits[0].transpiled_hash.startswith("as-given")
    # Both were estimated alike; the record says which estimate is of another circuit than the one that ran.
    for record in (here, there):
        assert record.placement is not None
        assert record.placement.estimate.stage == 2
        assert record.placement.estimate.provider_compiles == (record is there)
        assert record.result is not None
        assert record.result.calibration_id == record.placement.calibration_id


async def test_a_backend_of_native_circuits_is_infeasible_and_says_why(
    start: Start, clock: FastClock
) -> None:
    async with start(twins(clock), [backend("twin"), backend("far")]) as bench:
        wanted = job("any", execution=PROVIDER)
        verdicts = {each.backend: each for each in await explain_job(bench.parts, wanted)}
        local = {each.backend: each for each in await explain_job(bench.parts, job("local"))}
        bench.submit(wanted)
        await bench.phase("any", "Complete")
        assert bench.state("any").backend == "far"
    assert verdicts["twin"].reasons == [NATIVE]
    assert verdicts["far"].feasible
    assert verdicts["far"].estimate is not None
    assert verdicts["far"].estimate.provider_compiles
    assert local["twin"].feasible
    assert local["twin"].score > local["far"].score


async def test_a_job_that_only_backends_of_native_circuits_could_take_fails_at_once(
    start: Start, clock: FastClock
) -> None:
    wanted = job("one", execution=PROVIDER, requirements=Requirements(backends=["twin"]))
    async with start(twins(clock), [backend("twin"), backend("far")]) as bench:
        (problems,) = await submission_errors(bench.parts, [wanted])
        bench.submit(wanted)
        state = await bench.phase("one", "Failed")
    assert NATIVE in problems[0].message
    assert f"twin: {NATIVE}" in state.message
    assert not state.attempts


async def test_what_qsched_cannot_map_the_provider_may(
    start: Start, clock: FastClock, preparation: Preparation
) -> None:
    fake = provider(clock, FakeDevice(name="left"))
    async with start(fake, [backend("left")], preparation=Clumsy(preparation)) as bench:
        bench.submit(job("here"), job("there", execution=PROVIDER))
        await bench.phase("there", "Complete")
        state = await bench.phase("here", "Failed")
        placement = bench.record("there").placement
    assert "no route" in state.message
    assert placement is not None
    assert placement.estimate.stage == 1


@pytest.mark.slow
async def test_the_twin_of_a_backend_gets_circuits_that_qsched_transpiled(
    start: Start, preparation: Preparation
) -> None:
    clock = FastClock(10.0)  # Aer does not run any faster
    fake = provider(clock, FakeDevice(name="left", online=False))
    async with start(fake, [backend("left")]) as bench:
        bench.submit(job("one", execution=PROVIDER, fallback=Fallback(policy="OnUnavailable")))
        await bench.phase("one", "Complete")
        result = bench.record("one").result
    assert result is not None
    assert (result.backend, result.intended_backend) == ("left-twin", "left")
    assert sum((result.circuits[0].counts or {}).values()) == 100
