from __future__ import annotations

import asyncio

import pytest

from qsched.drivers import RateLimited, Unavailable
from qsched_braket.together import together


async def fails(error: Exception) -> None:
    raise error


async def test_the_first_error_waits_for_the_others():
    seen: list[str] = []
    release = asyncio.Event()

    async def slow() -> None:
        await release.wait()
        seen.append("slow")

    asyncio.get_running_loop().call_soon(release.set)
    with pytest.raises(Unavailable, match="first"):
        await together([fails(Unavailable("first")), slow(), fails(Unavailable("second"))])
    assert seen == ["slow"]


async def test_a_plea_for_patience_goes_first():
    with pytest.raises(RateLimited):
        await together([fails(Unavailable("first")), fails(RateLimited("second", 3.0))])


async def test_answers_keep_their_order():
    assert await together(asyncio.sleep(0, number) for number in range(3)) == [0, 1, 2]
