# ruff: noqa: D102 - the name of a test says what it asserts
"""What every driver must do when its provider fails: the part of the contract that needs faults on demand.

Test support, like ``qsched.drivers.contract``, whose suite these tests are a part of.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from typing import TYPE_CHECKING

import pytest

from qsched.drivers.contract_provider import CALLS, Provider
from qsched.drivers.contract_waits import ended
from qsched.drivers.errors import (
    DriverError,
    NoCalibration,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from qsched.drivers.types import Driver, RemoteTask, Task

ERRORS: dict[str, type[DriverError]] = {
    "500": Unavailable,
    "503": Unavailable,
    "drop-before": Unavailable,
    "truncated": Unavailable,
    "expired": Unauthenticated,
    "revoked": Unauthenticated,
}
"""The error that each kind of fault stands for, as long as it lasts."""

LOST_ANSWERS = (
    "500-after",
    "drop-after",
    "truncated",
    pytest.param("timeout-after", marks=pytest.mark.slow),
)
LOST_REQUESTS = ("500", "503", "drop-before", pytest.param("timeout-before", marks=pytest.mark.slow))
NEVER_S = 1e6
_SECOND = 10
"""A seed whose first number is above a half, and whose second is below."""


class FaultContract:
    """The tests of a driver whose provider can be made to fail, for ``Test(FaultContract, DriverContract)``.

    Attributes:
        measured: Whether the provider itself tells calibrations, so that they change when it recalibrates.
    """

    measured = True

    @pytest.fixture
    def provider(self) -> Provider:
        """The provider, in a test's hands, as it is at the start."""
        raise NotImplementedError

    @pytest.fixture
    def secrets(self, provider: Provider) -> tuple[str, ...]:
        """What no message, log or ``repr`` may hold: the driver's credentials, but for the names in them."""
        credentials: dict[str, str] = getattr(provider, "credentials", {})
        return tuple(value for name, value in credentials.items() if not name.endswith("Id"))

    @pytest.mark.parametrize("call", CALLS)
    async def test_a_fault_ends_in_the_error_it_stands_for(  # noqa: PLR0917 - fixtures come by name
        self,
        driver: Driver,
        provider: Provider,
        call: str,
        task: Task,
        secrets: tuple[str, ...],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        remote = await driver.submit(task, "token")
        await ended(driver, remote.remote_id)
        for kind, expected in ERRORS.items():
            before = provider.calls()["faults"]
            provider.fault(kind, call, times=None)
            error = await _failure(driver, call, task, remote.remote_id, kind)
            if error is None:
                # It needed no request, or the half of an empty answer is all of it.
                assert kind == "truncated" or provider.calls()["faults"] == before, f"{call} hides {kind}"
            else:
                assert type(error) is expected, f"{call} after {kind}: {error!r}"
                assert str(error)
                assert not _told(secrets, f"{driver!r} {''.join(traceback.format_exception(error))}")
            provider.clear()
            assert await _failure(driver, call, task, remote.remote_id, kind) is None, f"{call} after {kind}"
        assert not _told(secrets, caplog.text)

    @pytest.mark.parametrize("call", CALLS)
    async def test_a_provider_that_asks_for_patience_is_left_alone(
        self, driver: Driver, provider: Provider, call: str, task: Task
    ) -> None:
        remote = await driver.submit(task, "token")
        await ended(driver, remote.remote_id)
        before = provider.calls()["faults"]
        provider.fault("429", call, seconds=40)
        error = await _failure(driver, call, task, remote.remote_id, "new")
        if error is None and provider.calls()["faults"] == before:
            pytest.skip(f"{call} needs no request")
        assert isinstance(error, RateLimited)
        assert 39 < error.retry_after_s <= 40
        requests = provider.calls()["requests"]
        for another in CALLS:
            again = await _failure(driver, another, task, remote.remote_id, "new")
            assert again is None or isinstance(again, RateLimited)
            assert again is None or 0 < again.retry_after_s <= 40
        assert provider.calls()["requests"] == requests

    async def test_patience_of_no_stated_length_is_some_patience(
        self, driver: Driver, provider: Provider, task: Task
    ) -> None:
        provider.fault("429", "submit")
        with pytest.raises(RateLimited) as caught:
            await driver.submit(task, "token")
        assert caught.value.retry_after_s > 0

    @pytest.mark.parametrize("kind", LOST_ANSWERS)
    async def test_a_submission_whose_answer_is_lost_is_found_and_made_once(
        self, driver: Driver, provider: Provider, kind: str, other_task: Task
    ) -> None:
        assert len(other_task.circuits) == 1
        provider.fault(kind, "submit")
        with contextlib.suppress(Unavailable):
            await driver.submit(other_task, "token")
        found = await driver.find("token")
        assert found is not None
        assert (await driver.submit(other_task, "token")).remote_id == found.remote_id
        assert len(provider.tasks()) == 1
        assert (await ended(driver, found.remote_id)).state == "Succeeded"
        assert sum((await driver.result(found.remote_id)).counts[0].values()) == other_task.shots

    @pytest.mark.parametrize("kind", [*LOST_REQUESTS, *LOST_ANSWERS])
    async def test_a_submission_that_failed_is_made_once_when_it_is_repeated(
        self, driver: Driver, provider: Provider, kind: str, task: Task
    ) -> None:
        await driver.submit(task, "first")
        each = len(provider.tasks())
        provider.fault(kind, "submit")
        with contextlib.suppress(Unavailable):
            await driver.submit(task, "second")
        remote = await driver.submit(task, "second")
        found = await driver.find("second")
        assert found is not None
        assert found.remote_id == remote.remote_id
        assert len(provider.tasks()) == 2 * each
        assert (await ended(driver, remote.remote_id)).state == "Succeeded"
        assert len((await driver.result(remote.remote_id)).counts) == len(task.circuits)

    @pytest.mark.parametrize("kind", ["429", "500", "revoked", "drop-before", "drop-after"])
    async def test_a_task_that_was_taken_in_part_is_in_doubt_and_can_be_completed(
        self, driver: Driver, provider: Provider, kind: str, task: Task
    ) -> None:
        assert len(task.circuits) == 2
        await driver.submit(task, "first")
        each = len(provider.tasks())
        # The second request, if the driver makes one for each circuit.
        provider.fault(kind, "submit", probability=0.5, seed=_SECOND, seconds=0.01)
        # Any other error would say that nothing was taken, and the job would run again elsewhere.
        with contextlib.suppress(Unavailable):
            await driver.submit(task, "second")
        provider.clear()
        remote = await _patiently(lambda: driver.submit(task, "second"))
        assert len(provider.tasks()) == 2 * each
        assert (await ended(driver, remote.remote_id)).state == "Succeeded"
        assert len((await driver.result(remote.remote_id)).counts) == 2

    async def test_a_poll_that_fails_in_part_leaves_no_task_out(
        self, driver: Driver, provider: Provider, task: Task
    ) -> None:
        ids = {(await driver.submit(task, f"token-{number}")).remote_id for number in range(3)}
        for kind in ("500", "drop-before"):
            provider.fault(kind, "poll")
            try:
                statuses = await driver.poll([*ids])
            except Unavailable:
                continue
            assert {status.remote_id for status in statuses} == ids

    async def test_many_tasks_are_heard_of_although_many_requests_fail(
        self, driver: Driver, restarted: Driver, provider: Provider, other_task: Task
    ) -> None:
        ids = [(await driver.submit(other_task, f"token-{number}")).remote_id for number in range(20)]
        for remote_id in ids:
            await ended(driver, remote_id)
        provider.fault("500", "poll", times=None, probability=0.4)
        heard: dict[str, str] = {}
        for _ in range(40):
            with contextlib.suppress(Unavailable):
                heard |= {status.remote_id: status.state for status in await restarted.poll(ids)}
        assert heard == dict.fromkeys(ids, "Succeeded")

    async def test_a_slow_answer_is_waited_for(self, driver: Driver, provider: Provider, task: Task) -> None:
        remote = await driver.submit(task, "token")
        await ended(driver, remote.remote_id)
        result = await driver.result(remote.remote_id)
        provider.fault("slow-body", "result", seconds=1)
        assert await driver.result(remote.remote_id) == result

    async def test_credentials_that_were_refused_once_are_not_given_up(
        self, driver: Driver, provider: Provider, task: Task
    ) -> None:
        remote = await driver.submit(task, "token")
        provider.fault("expired", "poll")
        with contextlib.suppress(Unauthenticated):  # unless it renews them
            await driver.poll([remote.remote_id])
        assert (await ended(driver, remote.remote_id)).state == "Succeeded"

    async def test_every_call_is_refused_without_a_right_to_it(
        self, driver: Driver, provider: Provider, task: Task
    ) -> None:
        provider.fault("revoked", times=None)
        for call in CALLS:
            before = provider.calls()["faults"]
            error = await _failure(driver, call, task, "unknown", "new")
            known = call in {"result", "cancel"} and isinstance(error, NotFound | None)
            unmet = provider.calls()["faults"] == before and error is None
            assert isinstance(error, Unauthenticated) or known or unmet, f"{call}: {error!r}"

    async def test_tasks_of_a_device_that_goes_offline_wait(
        self, driver: Driver, provider: Provider, task: Task
    ) -> None:
        provider.change(task.device, online=False)
        status = await driver.status(task.device)
        assert not status.online
        assert status.message
        try:
            remote = await driver.submit(task, "token")
        except Unavailable:
            assert await driver.find("token") is None
        else:
            assert (await driver.poll([remote.remote_id]))[0].state == "Queued"
        provider.change(task.device, online=True)
        assert (await driver.status(task.device)).online
        remote = await driver.submit(task, "token")
        assert (await ended(driver, remote.remote_id)).state == "Succeeded"

    async def test_a_queue_that_jumps_is_told(self, driver: Driver, provider: Provider, task: Task) -> None:
        before = await driver.status(task.device)
        provider.change(task.device, queue=5000)
        after = await driver.status(task.device)
        if before.queue_depth is not None:
            assert after.queue_depth is not None
            assert after.queue_depth > 4000
        elif before.queue_wait_s is not None:
            assert after.queue_wait_s is not None
            assert after.queue_wait_s > before.queue_wait_s

    async def test_a_recalibration_has_a_new_id(self, driver: Driver, provider: Provider, task: Task) -> None:
        if not self.measured:
            pytest.skip("this provider tells no calibration")
        before = await driver.calibration(task.device)
        provider.change(task.device, recalibrate=True)
        after = await driver.calibration(task.device)
        assert after.id != before.id
        assert after.taken_at >= before.taken_at

    async def test_a_result_that_is_late_is_there_later(
        self, driver: Driver, provider: Provider, task: Task
    ) -> None:
        remote = await driver.submit(task, "early")
        await ended(driver, remote.remote_id)
        provider.disturb(result_late_s=NEVER_S)
        with pytest.raises(Unavailable):  # qsched takes NotFound for a loss, and runs the job again
            await driver.result(remote.remote_id)
        provider.disturb(result_late_s=0)
        await ended(driver, remote.remote_id)
        assert (await driver.result(remote.remote_id)).shots == (task.shots,) * len(task.circuits)

    @pytest.mark.parametrize("factor", [0.5, 2.0])
    async def test_shots_that_are_missing_or_twice_there_are_told(
        self, driver: Driver, provider: Provider, task: Task, factor: float
    ) -> None:
        provider.disturb(shots_factor=factor)
        remote = await driver.submit(task, "token")
        await ended(driver, remote.remote_id)
        result = await driver.result(remote.remote_id)
        assert [sum(counts.values()) for counts in result.counts] == list(result.shots)

    async def test_a_state_that_nobody_knows_is_no_end(
        self, driver: Driver, provider: Provider, long_task: Task
    ) -> None:
        remote = await driver.submit(long_task, "token")
        provider.disturb(strange_state="CONTEMPLATING")
        (status,) = await driver.poll([remote.remote_id])
        assert status.state in {"Queued", "Running"}
        found = await driver.find("token")
        assert found is not None
        assert found.state in {"Queued", "Running"}
        provider.disturb(strange_state="")
        await driver.cancel(remote.remote_id)
        assert (await ended(driver, remote.remote_id)).state == "Cancelled"


async def _patiently(call: Callable[[], Awaitable[RemoteTask]]) -> RemoteTask:
    """What a call gives once the provider does not ask for patience any more."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await call()
            except RateLimited as error:
                await asyncio.sleep(error.retry_after_s)


async def _failure(driver: Driver, call: str, task: Task, remote_id: str, token: str) -> DriverError | None:
    """What a method raises; anything but a driver's error goes through, and fails the test."""
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "devices": driver.devices,
        "status": lambda: driver.status(task.device),
        "calibration": lambda: driver.calibration(task.device),
        "submit": lambda: driver.submit(task, f"token-{token}"),
        "find": lambda: driver.find("token"),
        "poll": lambda: driver.poll([remote_id]),
        "result": lambda: driver.result(remote_id),
        "cancel": lambda: driver.cancel(remote_id),
    }
    try:
        async with asyncio.timeout(60):
            await calls[call]()
    except NoCalibration:
        return None
    except DriverError as error:
        return error
    return None


def _told(secrets: Sequence[str], words: str) -> list[str]:
    return [secret for secret in secrets if secret in words]
