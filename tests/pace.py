"""A native run on a clock that is fast: what waits a second waits fifty milliseconds.

The contract tests let others come to rest by sleeping, which costs nothing on
virtual time.  On the real kernel it would cost the seconds it says; so the
scheduler's clock runs faster than the system's.  It never jumps: what the
operating system is doing has real time to happen.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import anyio
import pytest
import trio
from trio.testing import MockClock

from asyncipc import Native, Simulation
from asyncipc.runtime.clock import SECOND
from asyncipc.runtime.process import current

RATE: Final = 20.0
CLOCK_TICK: Final = 0.001
LATE_MAX: Final = 6.0
"""Of the fast clock's seconds: a busy machine is late."""


def run_fast(
    native: Native,
    backend: str,
    main: Callable[..., Awaitable[Any]],
    args: tuple[object, ...],
    real_seconds: float,
    **options: Any,
) -> Any:
    """``asyncipc.run`` on the native machine, fast; TimeoutError when it hangs."""

    async def guarded() -> Any:
        with anyio.fail_after(real_seconds * RATE):
            return await Simulation(machine=native, **options).run(main, args)

    if backend == "trio":
        return trio.run(guarded, clock=MockClock(rate=RATE))
    with asyncio.Runner(loop_factory=_FastLoop) as runner:
        return runner.run(guarded())


class Exactness:
    """Is the machine that the test runs on exact about time?  The fixture ``run`` says."""

    virtual = True


class _About:
    """Not before, and not long after."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __eq__(self, other: object) -> bool:
        late = other - self._seconds if isinstance(other, float | int) else LATE_MAX
        return -CLOCK_TICK <= late < LATE_MAX

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"about {self._seconds}"


def moment(seconds: float) -> object:
    """What a time equals that is to be just that: on a real clock it may be later."""
    return seconds if Exactness.virtual else _About(seconds)


def now() -> float:
    """Seconds since the machine of the current process began."""
    return current().simulation.timers.now() / SECOND


def have_passed(start: float, seconds: float) -> bool:
    """Have ``seconds`` passed?  Just these on virtual time, and not long ago on a real clock."""
    passed = anyio.current_time() - start
    if current().simulation.machine.name == "simulated":
        return passed == pytest.approx(seconds)
    return -CLOCK_TICK < passed - seconds < LATE_MAX


async def until_asleep(pid: int) -> None:
    """Return when a process sleeps in a call: after a second, or when a busy machine let it."""
    bodies = current().simulation.bodies
    await anyio.sleep(1)
    while not any(body.process.pid == pid and body.is_asleep() for body in bodies):
        await anyio.sleep(1)


class _FastSelector(selectors.BaseSelector):
    """It sleeps for a fraction of what it is told."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.register = self._real.register  # type: ignore[method-assign]
        self.unregister = self._real.unregister  # type: ignore[method-assign]
        self.modify = self._real.modify  # type: ignore[method-assign]
        self.close = self._real.close  # type: ignore[method-assign]

    def register(self, *_: Any) -> Any: ...

    def unregister(self, *_: Any) -> Any: ...

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return self._real.select(None if timeout is None else timeout / RATE)


class _FastLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__(_FastSelector())

    def time(self) -> float:
        return super().time() * RATE
