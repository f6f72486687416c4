"""Leader election: never two leaders, whatever happens; and always one again soon after."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsched.kube.clock import SystemClock
from qsched.kube.lease import Lease, LeaseLost
from tests.unit.kube.election import Chaos, World
from tests.unit.kube.server import Fault, Server, serving
from tests.unit.kube.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from qsched.kube.api import Api
    from tests.unit.kube.election import Process

PATH = "/apis/coordination.k8s.io/v1/namespaces/ns/leases"


@asynccontextmanager
async def world(chaos: Chaos | None = None, seed: int = 1) -> AsyncIterator[World]:
    world = World(random.Random(seed), chaos or Chaos())
    try:
        yield world
    finally:
        await world.end()


# What may happen to the processes: when, what, to which of them, for how long.
DEEDS = st.lists(
    st.tuples(
        st.floats(0.0, 200.0),
        st.sampled_from(["stop", "stop", "stop", "kill", "resign", "start", "delete", "blank", "touch"]),
        st.integers(0, 2),
        st.floats(0.1, 60.0),
    ),
    max_size=12,
)
CHAOS = st.builds(
    Chaos,
    slow=st.floats(0.0, 0.4),
    lost=st.floats(0.0, 0.3),
    broken=st.floats(0.0, 0.2),
    stops=st.floats(0.0, 0.1),
    rates=st.sampled_from([(1.0, 1.0), (0.83, 1.22)]),
    wall_s=st.sampled_from([None, 0.0, 1e6]),
)


def do(world: World, what: str, which: int, seconds: float) -> None:
    """One deed."""
    process = world.processes[which % len(world.processes)] if world.processes else None
    if what == "start":
        world.start(f"late-{world.now:.0f}")
    elif what == "delete":
        if all(each.lease._record for each in world.processes):
            world.lease = None
    elif what in {"blank", "touch"} and world.lease is not None:
        spec = {**world.lease["spec"], **({"holderIdentity": ""} if what == "blank" else {})}
        world.write({**world.lease["metadata"], "labels": {"a": str(world.now)}}, spec)
    elif process is not None:
        if what == "stop":
            world.stop(process, seconds)
        elif what == "kill":
            world.kill(process)
        elif what == "resign" and process.stopped_until <= world.now and not process.resigned:
            process.resign()


@settings(max_examples=150, deadline=None)
@given(deeds=DEEDS, chaos=CHAOS, seed=st.integers(0, 2**32))
async def test_there_are_never_two_leaders(
    deeds: list[tuple[float, str, int, float]], chaos: Chaos, seed: int
) -> None:
    """``World.look`` checks after everything that happens.

    A process cannot know of a leader whose lease was deleted before it looked, and so the lease is deleted
    only when all have seen it, and there are no latecomers then.
    """
    if any(what == "delete" for _, what, _, _ in deeds):
        deeds = [deed for deed in deeds if deed[1] != "start"]
    async with world(chaos, seed) as here:
        for name in ("a", "b", "c"):
            here.start(name)
        for when, what, which, seconds in sorted(deeds):
            here.at(
                max(when, 1.0), lambda what=what, which=which, seconds=seconds: do(here, what, which, seconds)
            )
        await here.run(250.0)


def leader(world: World) -> Process:
    return next(each for each in world.processes if each.lease.valid)


async def test_the_first_process_leads_at_once_and_the_next_one_in_time() -> None:
    async with world() as here:
        here.start("a")
        here.start("b")
        await here.run(30.0)
        first = leader(here)
        assert here.reigns == [(pytest.approx(0.0, abs=3.0), first.name)]
        here.kill(first)
        await here.run(60.0)
        since, name = here.reigns[-1]
        assert name == leader(here).name != first.name
        assert 30.0 + 10.0 < since < 30.0 + 15.0 + 2.0 + 0.2


async def test_a_leader_that_was_stopped_knows_before_it_asks_anybody() -> None:
    async with world() as here:
        stopped = here.start("a")
        await here.run(5.0)
        here.start("b")
        await here.run(20.0)
        asked = here.revision
        here.stop(stopped, 40.0)
        await here.run(31.0)
        assert not stopped.lease.valid  # before it has run a single instruction, and before another leads
        assert here.revision <= asked + 1
        await here.run(61.0)
        assert stopped.lost == 1
        assert [name for _, name in here.reigns] == ["a", "b"]
        assert leader(here).name == "b"


async def test_a_short_stop_or_outage_costs_nothing() -> None:
    async with world() as here:
        process = here.start("a")
        here.start("b")
        for start in range(10, 200, 20):
            await here.run(start)
            here.chaos = Chaos(lost=1.0) if start % 40 else Chaos(broken=1.0, lost=1.0)
            await here.run(start + 4)
            here.chaos = Chaos()
            here.stop(process, 5.0)
        await here.run(220.0)
        assert len(here.reigns) == 1


async def test_renewals_that_hang_end_the_reign_in_time() -> None:
    async with world() as here:
        process = here.start("a")
        await here.run(20.0)
        here.chaos = Chaos(lost=1.0)
        await here.run(27.9)
        assert process.lease.valid
        await here.run(30.1)
        assert not process.lease.valid
        assert process.lost == 1


async def test_who_resigns_is_followed_at_the_next_look() -> None:
    async with world() as here:
        here.start("a")
        await here.run(5.0)
        here.start("b")
        await here.run(20.0)
        leader(here).resign()
        await here.run(30.0)
        since, name = here.reigns[-1]
        assert name == "b"
        assert since < 22.1


@pytest.mark.parametrize("blanked", [True, False], ids=["blanked", "deleted"])
async def test_a_lease_that_somebody_removes_is_the_leaders_still(blanked: bool) -> None:  # noqa: FBT001
    async with world() as here:
        here.start("a")
        here.start("b")
        await here.run(20.0)
        assert here.lease is not None
        if blanked:
            here.write(here.lease["metadata"], {**here.lease["spec"], "holderIdentity": ""})
        else:
            here.lease = None
        await here.run(60.0)
        assert len(here.reigns) == 1
        assert leader(here).lost == 0


async def test_who_was_too_late_to_create_the_lease_knows_that_there_was_one() -> None:
    async with world() as here:
        here.start("a")
        here.start("b")
        await here.run(1.0)
        here.lease = None
        await here.run(30.0)
        assert len(here.reigns) == 1


@pytest.mark.parametrize("wall_s", [1e6, None], ids=["jumps", "stands still"])
async def test_what_the_wall_clock_says_does_not_matter(wall_s: float | None) -> None:
    async with world(Chaos(wall_s=wall_s)) as here:
        here.start("a")
        here.start("b")
        await here.run(300.0)
        assert len(here.reigns) == 1
        here.kill(leader(here))
        await here.run(318.0)
        assert len(here.reigns) == 2


class Stuck(SystemClock):
    """A clock that somebody has stopped; steady time goes on."""

    def now(self) -> float:
        return 1.8e9


@pytest.fixture
async def connected(tmp_path: Path) -> AsyncIterator[tuple[Server, Api]]:
    async with serving(tmp_path, PATH) as (server, api):
        yield server, api


def claim(api: Api, name: str = "pod-1", **more: Any) -> Lease:
    return Lease(
        api, "ns", "lease", name, **{"duration_s": 3.0, "renew_deadline_s": 1.0, "retry_s": 0.02, **more}
    )


async def test_what_is_written(connected: tuple[Server, Api]) -> None:
    server, api = connected
    lease = claim(api, clock=Stuck())
    assert not lease.valid
    await lease.acquire()
    assert lease.valid
    spec = server.objects["lease"]["spec"]
    assert spec == {
        "holderIdentity": lease.identity,
        "leaseDurationSeconds": 3,
        "acquireTime": "2027-01-15T08:00:00.000000Z",
        "renewTime": "2027-01-15T08:00:00.000000Z",
        "leaseTransitions": 1,
    }
    assert lease.identity.startswith("pod-1_")
    server.objects["lease"]["metadata"]["labels"] = {"of": "others"}
    keeping = asyncio.create_task(lease.keep())
    await until(lambda: server.revision > 14)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    kept = server.objects["lease"]
    assert kept["spec"]["acquireTime"] == spec["acquireTime"]
    assert kept["spec"]["renewTime"] in {"2027-01-15T08:00:00.000000Z", "2027-01-15T08:00:00.000001Z"}
    assert kept["spec"]["leaseTransitions"] == 1
    await lease.release()
    assert not lease.valid
    assert server.objects["lease"]["spec"]["holderIdentity"] == ""
    assert server.objects["lease"]["spec"]["leaseDurationSeconds"] == 1
    other = claim(api, "pod-1")
    assert other.identity != lease.identity
    await other.acquire()
    assert server.objects["lease"]["spec"]["leaseTransitions"] == 2


async def test_a_lease_that_another_has_taken_is_lost_at_once(connected: tuple[Server, Api]) -> None:
    server, api = connected
    lease = claim(api, renew_deadline_s=2.9)
    await lease.acquire()
    server.put("lease", spec={**server.objects["lease"]["spec"], "holderIdentity": "usurper"})
    with pytest.raises(LeaseLost, match="the lease lease was taken by usurper"):
        await lease.keep()
    assert not lease.valid
    await lease.release()
    assert server.objects["lease"]["spec"]["holderIdentity"] == "usurper"


async def test_the_reason_of_a_loss_is_told(connected: tuple[Server, Api]) -> None:
    server, api = connected
    lease = claim(api, renew_deadline_s=0.2)
    await lease.acquire()
    server.faults = [Fault(403)] * 100
    with pytest.raises(LeaseLost, match=r"could not be renewed in time: PUT .*/leases/lease: no: 403"):
        await lease.keep()
    with pytest.raises(LeaseLost, match="stopped for too long, or never the leader"):
        await lease.keep()


async def test_an_applicant_outlives_refusals_outages_and_nonsense(
    connected: tuple[Server, Api],
) -> None:
    server, api = connected
    server.faults = [Fault(403), Fault(500), Fault(200, body=b"<html>"), Fault(200, body=b"{}")]
    lease = claim(api)
    await lease.acquire()
    assert lease.valid
    assert lease.holder == lease.identity


async def test_a_server_that_does_not_answer_holds_nobody_up(
    connected: tuple[Server, Api],
) -> None:
    server, api = connected
    lease = claim(api, renew_deadline_s=0.2)
    await lease.acquire()
    server.hang = True
    with pytest.raises(LeaseLost, match="no answer in time"):
        await lease.keep()
    await lease.release()


@pytest.mark.parametrize("times", [(10, 15, 2), (15, 15, 2), (15, 10, 10), (15, 10, 0)])
def test_times_that_make_no_sense_are_refused(times: tuple[float, float, float]) -> None:
    duration_s, renew_deadline_s, retry_s = times
    with pytest.raises(ValueError, match="retry_s < renew_deadline_s"):
        claim(None, duration_s=duration_s, renew_deadline_s=renew_deadline_s, retry_s=retry_s)  # type: ignore[arg-type]
