# ruff: noqa: D102 - the name of a test says what it asserts
"""What every driver must do, as one pytest suite.

A driver's tests subclass ``DriverContract`` and override its fixtures; see ``tests/contract``. What a driver
must do when its provider fails is in ``qsched.drivers.contract_faults``. Both are test support: nothing else
in the package imports them, and they need pytest, pytest-asyncio and psutil.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from typing import TYPE_CHECKING

import psutil
import pytest

from qsched.drivers.contract_waits import ended, running
from qsched.drivers.errors import DriverError, NoCalibration, NotFound, Rejected, Unavailable
from qsched.drivers.types import Driver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from qsched.drivers.contract_provider import Provider
    from qsched.drivers.types import Task

    LoseAnswer = Callable[[Driver, Task, str], Awaitable[None]]


class DriverContract:
    """The contract; the fixtures below are the driver's to give."""

    @pytest.fixture
    async def driver(self) -> Driver:
        """A new driver; closed by the fixture."""
        raise NotImplementedError

    @pytest.fixture
    def provider(self) -> Provider | None:
        """The provider, in a test's hands, as it is at the start; None if it cannot be made to fail."""
        return None

    @pytest.fixture(autouse=True)
    def before(
        self,
        provider: Provider | None,  # noqa: ARG002 - made first, so that its processes are not the driver's
    ) -> set[threading.Thread | psutil.Process]:
        """The threads and child processes that there are before the driver is made."""
        return {*psutil.Process().children(recursive=True), *threading.enumerate()}

    @pytest.fixture
    def another(self) -> Callable[[], Driver] | None:
        """Makes a second driver of the same provider, as a restart does; None if it ends with its driver."""
        return None

    @pytest.fixture
    async def restarted(self, another: Callable[[], Driver] | None) -> AsyncIterator[Driver]:
        """A second driver of the same provider, which knows only what that one tells."""
        if another is None:
            pytest.skip("the provider of this driver ends with it")
        driver = another()
        yield driver
        await driver.aclose()

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
    def lose_answer(self, provider: Provider | None) -> LoseAnswer:
        """Submits a task so that the provider takes it and the caller does not hear of it.

        A provider that can be made to drops the connection; else this one gives up waiting.
        """

        async def drop(driver: Driver, task: Task, token: str) -> None:
            assert provider is not None
            provider.fault("drop-after", "submit")
            with contextlib.suppress(Unavailable):
                await driver.submit(task, token)

        async def give_up(driver: Driver, task: Task, token: str) -> None:
            call = asyncio.create_task(driver.submit(task, token))
            await asyncio.sleep(0)
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call

        return give_up if provider is None else drop

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

    async def test_a_restarted_driver_goes_on_with_a_task(
        self, driver: Driver, restarted: Driver, task: Task
    ) -> None:
        remote = await driver.submit(task, "token")
        found = await restarted.find("token")
        assert found is not None
        assert found.remote_id == remote.remote_id
        assert (await restarted.submit(task, "token")).remote_id == remote.remote_id
        assert (await ended(restarted, remote.remote_id)).state == "Succeeded"
        assert await restarted.result(remote.remote_id) == await driver.result(remote.remote_id)

    async def test_a_restarted_driver_cancels_a_task(
        self, driver: Driver, restarted: Driver, long_task: Task
    ) -> None:
        remote = await driver.submit(long_task, "token")
        await restarted.cancel(remote.remote_id)
        assert (await ended(restarted, remote.remote_id)).state == "Cancelled"
        assert (await ended(driver, remote.remote_id)).state == "Cancelled"

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
        self,
        before: set[threading.Thread | psutil.Process],
        driver: Driver,
        provider: Provider | None,
        task: Task,
        long_task: Task,
    ) -> None:
        remote = await driver.submit(task, "short")
        await ended(driver, remote.remote_id)
        await driver.submit(long_task, "long")
        if provider is not None:
            for kind in ("drop-before", "truncated", "500"):
                provider.fault(kind, "poll")
                with contextlib.suppress(Unavailable):
                    await driver.poll([remote.remote_id])
        await driver.aclose()
        await asyncio.get_running_loop().shutdown_default_executor()
        gc.collect()  # an exception and its frames hold each other, and what they held
        me = psutil.Process()
        assert {*me.children(recursive=True), *threading.enumerate()} <= before
        assert [c for c in me.net_connections() if c.status != psutil.CONN_NONE] == []
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_a_closed_driver_closes_again_and_takes_nothing(self, driver: Driver, task: Task) -> None:
        await driver.aclose()
        await driver.aclose()
        with pytest.raises(DriverError):
            await driver.submit(task, "token")
