from __future__ import annotations

import asyncio
import datetime as dt
import threading
from email.utils import format_datetime

import pytest

from qsched.drivers import DriverError, NotFound, RateLimited, Rejected, Unauthenticated, Unavailable
from qsched.drivers.blocking import PATIENCE_S, Blocking, from_status, retry_after


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def blocking(clock: Clock):
    made = Blocking(
        "acme",
        limit=2,
        translate=lambda error: Unavailable(f"acme: {error}"),
        secrets=["s3cret-token", ""],
        clock=clock,
    )
    yield made
    await made.aclose()


def fail(error: Exception) -> None:
    raise error


async def test_what_a_client_raises_is_the_drivers_error_with_its_cause(blocking: Blocking) -> None:
    thrown = KeyError("no such field")
    with pytest.raises(Unavailable, match="acme: 'no such field'") as caught:
        await blocking.call(fail, thrown)
    assert caught.value.__cause__ is thrown


async def test_a_drivers_own_error_passes_with_the_cause_it_had(blocking: Blocking) -> None:
    inner = ValueError("400")
    outer = Rejected("too many shots")
    outer.__cause__ = inner
    with pytest.raises(Rejected, match="too many shots") as caught:
        await blocking.call(fail, outer)
    assert caught.value.__cause__ is inner


@pytest.mark.parametrize(
    "words",
    [
        "the token s3cret-token is wrong",
        "GET https://x.blob/c?sv=1&sig=aB%2Bc3cret&se=2",
        "X-Amz-Signature=abcdef0123 X-Amz-Credential=AKIA/eu",
        "the canonical request: x-amz-date:20260501 x-amz-security-token:s3cret/token+of=role host:x",
        "header Authorization: Bearer abcdefgh.ijkl.mnop was refused",
    ],
)
async def test_no_message_holds_a_credential(blocking: Blocking, words: str) -> None:
    with pytest.raises(Unavailable) as caught:
        await blocking.call(fail, ValueError(words))
    told = str(caught.value)
    assert "***" in told
    for secret in ("s3cret-token", "aB%2Bc3cret", "abcdef0123", "AKIA", "abcdefgh", "s3cret/token"):
        assert secret not in told


async def test_a_provider_that_asks_for_patience_is_left_alone_until_then(
    blocking: Blocking, clock: Clock
) -> None:
    calls = []
    with pytest.raises(RateLimited):
        await blocking.call(fail, RateLimited("slowly", 7.0))
    clock.now += 3
    with pytest.raises(RateLimited) as caught:
        await blocking.call(calls.append, 1)
    assert caught.value.retry_after_s == pytest.approx(4.0)
    assert calls == []
    clock.now += 4
    await blocking.call(calls.append, 2)
    assert calls == [2]


async def test_calls_that_wait_for_a_thread_leave_such_a_provider_alone_too(blocking: Blocking) -> None:
    calls = []

    def refuse() -> None:
        go.wait(10)
        raise RateLimited("slowly", 7.0)

    go = threading.Event()
    first = [asyncio.create_task(blocking.call(refuse)) for _ in range(2)]  # as many as there are threads
    more = [asyncio.create_task(blocking.call(calls.append, number)) for number in range(5)]
    await asyncio.sleep(0)
    go.set()
    outcomes = await asyncio.gather(*first, *more, return_exceptions=True)
    assert {type(each) for each in outcomes} == {RateLimited}
    assert calls == []


async def test_no_more_calls_run_at_once_than_the_limit(blocking: Blocking) -> None:
    inside = threading.Semaphore(0)
    go = threading.Event()
    running: list[int] = []

    def work() -> int:
        running.append(1)
        inside.release()
        go.wait(10)
        most = len(running)
        running.pop()
        return most

    calls = [asyncio.create_task(blocking.call(work)) for _ in range(6)]
    for _ in range(2):
        await asyncio.to_thread(inside.acquire)
    go.set()
    assert max(await asyncio.gather(*calls)) == 2


async def test_a_closed_one_takes_nothing_and_has_no_threads(blocking: Blocking) -> None:
    await blocking.call(int)
    await blocking.aclose()
    assert not [each for each in threading.enumerate() if each.name.startswith("qsched-acme")]
    with pytest.raises(Unavailable, match="closed"):
        await blocking.call(int)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (401, Unauthenticated),
        (403, Unauthenticated),
        (404, NotFound),
        (302, Unavailable),
        (407, Unavailable),
        (408, Unavailable),
        (409, Unavailable),
        (422, Rejected),
        (429, RateLimited),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_a_status_has_its_error(status: int, kind: type[DriverError]) -> None:
    assert type(from_status(status, "x")) is kind


def test_retry_after_is_kept() -> None:
    told = from_status(429, "x", retry_after_s=12.5)
    assert isinstance(told, RateLimited)
    assert told.retry_after_s == 12.5
    unsaid = from_status(429, "x")
    assert isinstance(unsaid, RateLimited)
    assert unsaid.retry_after_s == PATIENCE_S
    busy = from_status(503, "x", retry_after_s=2.0)
    assert isinstance(busy, RateLimited)


async def test_a_call_that_waits_for_a_thread_when_it_is_closed_is_unavailable(blocking: Blocking) -> None:
    inside = threading.Semaphore(0)
    go = threading.Event()

    def work() -> None:
        inside.release()
        go.wait(10)

    calls = [asyncio.create_task(blocking.call(work)) for _ in range(4)]
    for _ in range(2):
        await asyncio.to_thread(inside.acquire)
    closing = asyncio.create_task(blocking.aclose())
    done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    go.set()
    await closing
    ends = await asyncio.gather(*done, *waiting, return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == [
        "NoneType",
        "NoneType",
        "Unavailable",
        "Unavailable",
    ]


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("1.5", 1.5), ("-3", 0.0), ("soon", None), ("", None)]
)
def test_a_header_says_how_long_to_wait(header: str, seconds: float | None) -> None:
    assert retry_after(header) == seconds
    assert retry_after(None) is None


def test_a_header_may_say_until_when() -> None:
    then = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=2)
    told = retry_after(format_datetime(then, usegmt=True))
    assert told is not None
    assert 100 < told <= 120
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
