# ruff: noqa: D102 - the name of a test says what it asserts
"""What every driver must do, as one pytest suite.

A driver's tests subclass ``DriverContract`` and override its fixtures; see ``tests/contract``. This module
is test support: nothing else in the package imports it, and it needs pytest, pytest-asyncio and psutil.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

import psutil
import pytest

from qsched.drivers.errors import DriverError, NoCalibration, NotFound, Rejected
from qsched.drivers.types import Driver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qsched.drivers.types import Task, TaskStatus

    LoseAnswer = Callable[[Driver, Task, str], Awaitable[None]]

_ENDED = {"Succeeded", "Failed", "Cancelled"}


async def ended(driver: Driver, remote_id: str, *, timeout_s: float = 60.0) -> TaskStatus:
    """Poll until a task has ended.

    Raises:
        TimeoutError: If it has not within the time.
    """
    async with asyncio.timeout(timeout_s):
        while True:
            (status,) = await driver.poll([remote_id])
            if status.state in _ENDED:
                return status
            await asyncio.sleep(0.005)


async def running(driver: Driver, remote_id: str, *, timeout_s: float = 60.0) -> None:
    """Poll until a task runs.

    Raises:
        TimeoutError: If it does not within the time.
    """
    async with asyncio.timeout(timeout_s):
        while (await driver.poll([remote_id]))[0].state != "Running":  # noqa: ASYNC110 - no driver tells
            await asyncio.sleep(0.005)


class DriverContract:
    """The contract; the fixtures below are the driver's to give."""

    @pytest.fixture
    async def driver(self) -> Driver:
        """A new driver; closed by the fixture."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def before(self) -> set[threading.Thread | psutil.Process]:
        """The threads and child processes that there are before the driver is made."""
        return {*psutil.Process().children(recursive=True), *threading.enumerate()}

    @pytest.fixture
    def task(self) -> Task:
        """A task of two circuits that succeeds soon."""
        raise NotImplementedError

    @pytest.fixture
    def other_task(self) -> Task:
        """A task that succeeds soon on a second device."""
        raise NotImplementedError

    @pytest.fixture
    def long_task(self) -> Task:
        """A task that runs until it is cancelled."""
        raise NotImplementedError

    @pytest.fixture
    def impossible_task(self) -> Task:
        """A task that the provider will never take."""
        raise NotImplementedError

    @pytest.fixture
    def lose_answer(self) -> LoseAnswer:
        """Submits a task so that the provider takes it and the caller does not hear of it.

        This one gives up waiting; a driver whose provider can be made to drop a connection does that.
        """

        async def give_up(driver: Driver, task: Task, token: str) -> None:
            call = asyncio.create_task(driver.submit(task, token))
            await asyncio.sleep(0)
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call

        return give_up

    async def test_it_is_a_driver(self, driver: Driver) -> None:
        assert isinstance(driver, Driver)

    async def test_a_task_gives_counts_for_each_circuit(self, driver: Driver, task: Task) -> None:
        remote = await driver.submit(task, "token")
        assert (await ended(driver, remote.remote_id)).state == "Succeeded"
        result = await driver.result(remote.remote_id)
        assert result.remote_id == remote.remote_id
        assert len(result.counts) == len(result.transpiled_hashes) == len(task.circuits)
        assert [sum(counts.values()) for counts in result.counts] == list(result.shots)
        assert result.shots == (task.shots,) * len(task.circuits)
        assert all(
            circuit.transpiled_hash in {None, ran}
            for circuit, ran in zip(task.circuits, result.transpiled_hashes, strict=True)
        )
        assert result.run_s is None or result.run_s >= 0
        if result.started_at and result.finished_at:
            assert result.started_at <= result.finished_at

    async def test_a_result_can_be_fetched_twice(self, driver: Driver, task: Task) -> None:
        remote = await driver.submit(task, "token")
        await ended(driver, remote.remote_id)
        assert await driver.result(remote.remote_id) == await driver.result(remote.remote_id)

    async def test_one_token_makes_one_task(self, driver: Driver, task: Task) -> None:
        first = await driver.submit(task, "token")
        assert (await driver.submit(task, "token")).remote_id == first.remote_id
        await ended(driver, first.remote_id)
        assert (await driver.submit(task, "token")).remote_id == first.remote_id

    async def test_concurrent_submits_of_one_token_make_one_task(self, driver: Driver, task: Task) -> None:
        remotes = await asyncio.gather(*(driver.submit(task, "token") for _ in range(8)))
        assert len({remote.remote_id for remote in remotes}) == 1

    async def test_two_tokens_make_two_tasks(self, driver: Driver, task: Task) -> None:
        first, second = await driver.submit(task, "one"), await driver.submit(task, "two")
        assert first.remote_id != second.remote_id

    async def test_a_submitted_task_is_found_by_its_token(self, driver: Driver, task: Task) -> None:
        remote = await driver.submit(task, "token")
        found = await driver.find("token")
        assert found is not None
        assert found.remote_id == remote.remote_id

    async def test_an_unknown_token_finds_nothing(self, driver: Driver) -> None:
        assert await driver.find("nobody") is None

    async def test_a_task_whose_answer_was_lost_is_found(
        self, driver: Driver, task: Task, lose_answer: LoseAnswer
    ) -> None:
        await lose_answer(driver, task, "token")
        found = await driver.find("token")
        assert found is not None
        assert (await driver.submit(task, "token")).remote_id == found.remote_id

    async def test_poll_takes_many_and_leaves_out_the_unknown(self, driver: Driver, task: Task) -> None:
        ids = {(await driver.submit(task, f"token-{number}")).remote_id for number in range(3)}
        statuses = await driver.poll([*ids, "unknown"])
        assert {status.remote_id for status in statuses} == ids
        assert await driver.poll([]) == []

    async def test_devices_do_not_disturb_each_other(
        self, driver: Driver, task: Task, other_task: Task
    ) -> None:
        assert task.device != other_task.device
        remotes = [await driver.submit(task, "one"), await driver.submit(other_task, "two")]
        states = [(await ended(driver, remote.remote_id)).state for remote in remotes]
        assert states == ["Succeeded", "Succeeded"]

    async def test_a_device_says_how_it_is(self, driver: Driver, task: Task, long_task: Task) -> None:
        status = await driver.status(task.device)
        assert status.online
        before = (await driver.status(long_task.device)).queue_depth
        await driver.submit(long_task, "token")
        after = (await driver.status(long_task.device)).queue_depth
        assert (before is None) == (after is None)
        assert before is None or after is None or after == before + 1

    async def test_a_calibration_keeps_its_id_or_is_missing(self, driver: Driver, task: Task) -> None:
        try:
            calibration = await driver.calibration(task.device)
        except NoCalibration:
            return
        assert calibration.id == (await driver.calibration(task.device)).id

    async def test_devices_are_listed_once(self, driver: Driver) -> None:
        names = [info.device for info in await driver.devices()]
        assert names
        assert len(set(names)) == len(names)

    async def test_an_unfinished_task_has_no_result(self, driver: Driver, long_task: Task) -> None:
        remote = await driver.submit(long_task, "token")
        with pytest.raises(NotFound):
            await driver.result(remote.remote_id)

    async def test_an_unknown_task_has_no_result(self, driver: Driver) -> None:
        with pytest.raises(NotFound):
            await driver.result("unknown")

    async def test_a_task_is_cancelled_while_it_waits_or_runs(self, driver: Driver, long_task: Task) -> None:
        # More than any driver of these tests runs at once, so that the last one waits where tasks can wait.
        ids = [(await driver.submit(long_task, f"token-{number}")).remote_id for number in range(4)]
        await running(driver, ids[0])
        for remote_id in reversed(ids):
            await driver.cancel(remote_id)
            assert (await ended(driver, remote_id)).state == "Cancelled"
            with pytest.raises(NotFound):
                await driver.result(remote_id)

    async def test_cancelling_what_has_ended_or_is_unknown_changes_nothing(
        self, driver: Driver, task: Task
    ) -> None:
        remote = await driver.submit(task, "token")
        await ended(driver, remote.remote_id)
        await driver.cancel(remote.remote_id)
        await driver.cancel("unknown")
        assert (await ended(driver, remote.remote_id)).state == "Succeeded"
        assert (await driver.result(remote.remote_id)).remote_id == remote.remote_id

    async def test_a_cancelled_task_makes_room(self, driver: Driver, task: Task, long_task: Task) -> None:
        for number in range(4):
            await driver.cancel((await driver.submit(long_task, f"token-{number}")).remote_id)
        remote = await driver.submit(task, "after")
        assert (await ended(driver, remote.remote_id)).state == "Succeeded"

    async def test_a_cancelled_token_stays_cancelled(self, driver: Driver, long_task: Task) -> None:
        remote = await driver.submit(long_task, "token")
        await driver.cancel(remote.remote_id)
        again = await driver.submit(long_task, "token")
        assert again.remote_id == remote.remote_id
        assert (await ended(driver, remote.remote_id)).state == "Cancelled"

    async def test_an_impossible_task_is_rejected_and_unknown(
        self, driver: Driver, impossible_task: Task
    ) -> None:
        with pytest.raises(Rejected):
            await driver.submit(impossible_task, "token")
        assert await driver.find("token") is None

    async def test_an_unknown_device_is_not_found(self, driver: Driver) -> None:
        for call in (driver.status, driver.calibration):
            with pytest.raises(NotFound, match="no-such-device"):
                await call("no-such-device")

    async def test_a_closed_driver_leaves_nothing_behind(
        self, before: set[threading.Thread | psutil.Process], driver: Driver, task: Task, long_task: Task
    ) -> None:
        await ended(driver, (await driver.submit(task, "short")).remote_id)
        await driver.submit(long_task, "long")
        await driver.aclose()
        await asyncio.get_running_loop().shutdown_default_executor()
        me = psutil.Process()
        assert {*me.children(recursive=True), *threading.enumerate()} <= before
        assert [c for c in me.net_connections() if c.status != psutil.CONN_NONE] == []
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_a_closed_driver_closes_again_and_takes_nothing(self, driver: Driver, task: Task) -> None:
        await driver.aclose()
        await driver.aclose()
        with pytest.raises(DriverError):
            await driver.submit(task, "token")
