"""Values that are expensive to make, each made once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

V = TypeVar("V")


class Once(Generic[V]):
    """Computes each value once, also when several ask at the same time; keeps the last ``size``."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._under_way: dict[Hashable, asyncio.Task[V]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[V]]) -> V:
        """The value of a key, made by ``make`` unless it is kept or under way."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        if key not in self._under_way:
            self._under_way[key] = task = asyncio.ensure_future(self._make(key, make))
            task.add_done_callback(_note)
        # One impatient caller must not cancel the work for the others.
        return await asyncio.shield(self._under_way[key])

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[V]]) -> V:
        try:
            value = await make()
        finally:
            del self._under_way[key]
        self._values[key] = value
        if len(self._values) > self._size:
            self._values.popitem(last=False)
        return value


def _note(task: asyncio.Task[V]) -> None:
    """Look at a failure whose callers have all gone away, so that asyncio does not report it."""
    if not task.cancelled():
        task.exception()
