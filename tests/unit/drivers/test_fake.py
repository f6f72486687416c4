from __future__ import annotations

import asyncio

import pytest

from qsched.drivers import NoCalibration, RateLimited, Task, TaskCircuit, Unavailable
from qsched.drivers.fake import FakeDevice, FakeDriver, FakeParameters

TASK = Task(
    device="fake",
    circuits=(TaskCircuit(name="a", qpy=b"", transpiled_hash="abc"),),
    shots=5,
    tags={"job": "default/bell"},
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


async def state(driver: FakeDriver, remote_id: str) -> str:
    (status,) = await driver.poll([remote_id])
    return status.state


async def test_a_task_waits_runs_and_ends_by_the_clock():
    clock = Clock()
    driver = FakeDriver(FakeParameters(devices=(FakeDevice(name="fake", wait_s=10, run_s=5),)), clock=clock)
    remote = await driver.submit(TASK, "t")
    seen = [await state(driver, remote.remote_id)]
    for seconds in (10, 5):
        clock.now_s += seconds
        seen.append(await state(driver, remote.remote_id))
    assert seen == ["Queued", "Running", "Succeeded"]
    assert (await driver.result(remote.remote_id)).run_s == 5


async def test_a_failure_strikes_as_often_as_told_and_nothing_is_submitted():
    driver = FakeDriver()
    driver.fail("submit", RateLimited("slow down", retry_after_s=3), times=2)
    for _ in range(2):
        with pytest.raises(RateLimited):
            await driver.submit(TASK, "t")
    assert driver.submissions() == []
    await driver.submit(TASK, "t")
    assert driver.calls["submit"] == 3


async def test_a_lost_answer_leaves_the_task_and_a_second_submission_shows():
    driver = FakeDriver()
    driver.fail("submit", Unavailable("gone"), after=True)
    with pytest.raises(Unavailable):
        await driver.submit(TASK, "t")
    assert await driver.find("t") is not None
    await driver.submit(TASK, "t")
    assert [(it.token, it.tags) for it in driver.submissions()] == [("t", {"job": "default/bell"})] * 2


async def test_a_held_call_waits_to_be_released():
    driver = FakeDriver()
    release = driver.hold("submit")
    call = asyncio.create_task(driver.submit(TASK, "t"))
    await asyncio.sleep(0)
    assert driver.calls["submit"] == 1
    assert driver.submissions() == []
    release.set()
    assert (await call).remote_id == "fake-t"


async def test_an_offline_device_takes_nothing_new_but_knows_what_it_has():
    driver = FakeDriver()
    remote = await driver.submit(TASK, "t")
    driver.set_online("fake", False)
    assert not (await driver.status("fake")).online
    with pytest.raises(Unavailable):
        await driver.submit(TASK, "new")
    assert (await driver.submit(TASK, "t")).remote_id == remote.remote_id


async def test_the_queue_is_what_was_set_and_what_is_unfinished_or_unknown():
    driver = FakeDriver(FakeParameters(devices=(FakeDevice(name="fake", queue_depth=7, run_s=60),)))
    await driver.submit(TASK, "t")
    assert (await driver.status("fake")).queue_depth == 8
    driver.change("fake", queue_depth=None)
    assert (await driver.status("fake")).queue_depth is None


async def test_recalibration_gives_a_new_calibration():
    clock = Clock()
    driver = FakeDriver(clock=clock)
    before = await driver.calibration("fake")
    clock.now_s += 60
    driver.recalibrate("fake", two_qubit_error=0.05)
    after = await driver.calibration("fake")
    assert after.id != before.id
    assert after.gate2_error[0] == 0.05
    assert (after.taken_at - before.taken_at).total_seconds() == 60
    driver.recalibrate("fake", two_qubit_error=None)
    with pytest.raises(NoCalibration):
        await driver.calibration("fake")


async def test_a_provider_in_a_file_outlives_its_driver(tmp_path):
    parameters = {"path": str(tmp_path / "provider.db")}
    remote = await FakeDriver(parameters).submit(TASK, "t")
    restarted = FakeDriver(parameters)
    found = await restarted.find("t")
    assert found is not None
    assert found.remote_id == remote.remote_id
    assert (await restarted.result(remote.remote_id)).transpiled_hashes == ("abc",)
    await restarted.submit(TASK, "t")
    assert [it.token for it in FakeDriver(parameters).submissions()] == ["t", "t"]


async def test_faults_by_chance_repeat_with_the_seed():
    async def struck(seed: int) -> list[bool]:
        driver = FakeDriver({"unavailable": 0.3, "lostAnswer": 0.3, "seed": seed})
        outcomes = await asyncio.gather(
            *(driver.submit(TASK, str(number)) for number in range(40)), return_exceptions=True
        )
        assert 0 < len(driver.submissions()) < 40
        return [isinstance(outcome, Unavailable) for outcome in outcomes]

    assert await struck(1) == await struck(1) != await struck(2)


async def test_tasks_may_be_told_to_fail():
    driver = FakeDriver({"taskFailure": 1.0})
    remote = await driver.submit(TASK, "t")
    (status,) = await driver.poll([remote.remote_id])
    assert (status.state, status.message) == ("Failed", "the fake provider failed it")


async def test_shots_are_shared_by_the_outcomes():
    driver = FakeDriver({"outcomes": ["0", "1"]})
    remote = await driver.submit(TASK, "t")
    assert (await driver.result(remote.remote_id)).counts == ({"0": 3, "1": 2},)


async def test_a_provider_that_asks_for_patience_is_not_asked_again_before_its_time():
    clock = Clock()
    driver = FakeDriver(clock=clock)
    driver.rest(30)
    with pytest.raises(RateLimited) as caught:
        await driver.submit(TASK, "t")
    assert caught.value.retry_after_s == 30
    assert driver.calls["submit"] == 0
    clock.now_s += 30
    await driver.submit(TASK, "t")


async def test_failures_end_when_the_provider_is_healed():
    driver = FakeDriver()
    driver.fail("find", Unavailable("gone"), times=1000)
    with pytest.raises(Unavailable):
        await driver.find("t")
    driver.heal()
    assert await driver.find("t") is None


async def test_a_result_says_how_many_shots_were_done():
    driver = FakeDriver()
    driver.miscount(0.5)
    result = await driver.result((await driver.submit(TASK, "t")).remote_id)
    assert result.shots == (2,)
    assert result.counts == ({"00": 1, "11": 1},)
