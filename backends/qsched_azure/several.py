"""Several things at once, and the last of many."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections import OrderedDict
    from collections.abc import Coroutine, Iterable

T = TypeVar("T")

_KEPT = 4096


async def all_of(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The answers of calls that run at once; when one fails, the others are given up."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def keep(kept: OrderedDict[str, T], name: str, value: T) -> None:
    """Remember a value, and forget the one that was changed longest ago if there are many."""
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > _KEPT:
        kept.popitem(last=False)
