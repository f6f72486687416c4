"""Several calls at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from qsched.drivers import RateLimited

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

T = TypeVar("T")


async def together(calls: Iterable[Awaitable[T]]) -> list[T]:
    """What each call gives, in order.

    All of them end before the first error is raised, so that no request of a call that failed comes after it.
    A plea for patience goes before other errors.
    """
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    errors = [each for each in outcomes if isinstance(each, BaseException)]
    if errors:
        raise next((each for each in errors if isinstance(each, RateLimited)), errors[0])
    return [each for each in outcomes if not isinstance(each, BaseException)]
