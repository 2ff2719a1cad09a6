"""The native machine as a choice: what it refuses, and that it is told apart from virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import asyncipc
from asyncipc import Native, Simulation, Unsupported, posix
from asyncipc.runtime.asyncio_loop import VirtualTimeLoop
from asyncipc.runtime.clock import VirtualTime


async def nothing() -> None:
    pass


async def a_block() -> None:
    async with Simulation(machine=Native()):
        pass


@pytest.mark.parametrize("options", [{"seed": 1}, {"step_limit": 9}, {"wall_limit_s": 1.0}])
def test_what_belongs_to_virtual_time_is_refused_by_name(
    options: dict[str, Any], backend: Any
) -> None:
    with pytest.raises(Unsupported, match=next(iter(options)).split("_")[0]):
        asyncipc.run(nothing, machine="native", backend=backend, **options)


def test_a_seed_is_refused_by_an_embedded_machine() -> None:
    with pytest.raises(Unsupported, match="seed"):
        Simulation(seed=1, machine=Native())


def test_a_clock_that_jumps_is_refused_on_trio() -> None:
    with pytest.raises(Unsupported, match="virtual time"):
        trio.run(a_block, clock=MockClock(autojump_threshold=0))


def test_a_clock_that_is_only_fast_is_welcome() -> None:
    trio.run(a_block, clock=MockClock(rate=50))


def test_a_loop_on_virtual_time_is_refused_on_asyncio() -> None:
    with (
        asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(VirtualTime(None))) as runner,
        pytest.raises(Unsupported, match="virtual time"),
    ):
        runner.run(a_block())


def test_a_native_machine_cannot_be_inside_a_simulated_one() -> None:
    with pytest.raises(Unsupported, match="virtual time"):
        asyncipc.run(a_block)


def test_an_unknown_isolation_is_refused() -> None:
    with pytest.raises(ValueError, match="isolation is 'task' or 'process'"):
        Native(isolation="thread")  # type: ignore[arg-type]


def test_what_the_real_kernel_holds_is_not_looked_into() -> None:
    async def look() -> None:
        asyncipc.current_simulation().statistics()

    with pytest.raises(Unsupported, match="lsof"):
        asyncipc.run(look, machine="native")


def test_time_begins_at_0_and_goes_on(backend: Any) -> None:
    moments: list[float] = []

    async def look() -> None:
        now = asyncipc.current_simulation().timers.now
        moments.append(now() / 1e9)
        assert await posix.poll([], 0.02) == []
        moments.append(now() / 1e9)

    asyncipc.run(look, machine="native", backend=backend)
    began, ended = moments
    assert 0 <= began < 1
    assert ended - began >= 0.02
