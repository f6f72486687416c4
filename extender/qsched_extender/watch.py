"""Keeps the cache: a reflector for each resource."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from qsched.kube import objects
from qsched.kube.clock import SystemClock
from qsched.kube.reflector import Change, Reflector, Seen
from qsched_extender.cache import BACKENDS, JOBS, NODES
from qsched_extender.objects import Backend, Job, Node
from qsched_extender.reach import site_of, traits_of

if TYPE_CHECKING:
    from typing import Any

    from qsched.kube.api import Api
    from qsched.kube.clock import Clock
    from qsched_extender.cache import Cache


class Watch:
    """Follows the API server. What cannot be decoded counts as gone; the reflector says so in the log."""

    def __init__(self, api: Api, cache: Cache, clock: Clock | None = None) -> None:
        """Prepare; ``run`` begins.

        Args:
            api: The server.
            cache: What is kept.
            clock: For the waits between tries.
        """
        self._cache = cache
        self._clock = clock or SystemClock()
        self._reflectors: dict[str, Reflector[Any]] = {
            NODES: Reflector(api, "/api/v1/nodes", Node, self._node, clock=clock),
            BACKENDS: Reflector(api, objects.BACKENDS, Backend, self._backend, clock=clock),
            JOBS: Reflector(api, objects.JOBS, Job, self._job, clock=clock),
        }

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for resource, reflector in self._reflectors.items():
                tasks.create_task(reflector.run())
                tasks.create_task(self._warm(resource, reflector))

    def ages_s(self) -> dict[str, float]:
        """Seconds since the server was last heard of each resource; infinite before the first time.

        A server that has nothing to tell sends a bookmark a minute.
        """
        now = self._clock.monotonic()
        return {
            resource: float("inf") if each.last_contact is None else now - each.last_contact
            for resource, each in self._reflectors.items()
        }

    async def _warm(self, resource: str, reflector: Reflector[Any]) -> None:
        await reflector.synced.wait()
        self._cache.cold.discard(resource)

    def _node(self, change: Change[Node]) -> None:
        if isinstance(change, Seen):
            self._cache.put_node(change.key, traits_of(change.object))
        else:
            self._cache.drop_node(change.key)

    def _backend(self, change: Change[Backend]) -> None:
        if isinstance(change, Seen):
            self._cache.put_backend(site_of(change.object))
        else:
            self._cache.drop_backend(change.key)

    def _job(self, change: Change[Job]) -> None:
        if isinstance(change, Seen):
            placement = change.object.status.placement
            # Many jobs share a backend, and so should their entries.
            self._cache.jobs[change.key] = sys.intern(placement.backend) if placement else None
        else:
            self._cache.jobs.pop(change.key, None)
