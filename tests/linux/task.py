"""A task of a case: a worker that does what it is told, as a simulated process.

The conductor of a case is no simulated process.  It gives a worker an order
and looks whether it has finished; the worker idles on an ``anyio.Event``, a
foreign await, where nothing but the end of its process reaches it.  So a
stopped worker is held before and after each order, by a call that does nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias, final

import anyio
from anyio.abc import TaskGroup

from asyncipc import Simulation, posix
from tests.linux.oplang import DIED, Value, error_name

Action: TypeAlias = Callable[[], Awaitable[Value]]


@final
class Order:
    """One operation to do, and what became of it."""

    def __init__(self, names: tuple[str, ...], action: Action) -> None:
        self.names = names
        self.action = action
        self.outcome: Value = None
        self.finished = anyio.Event()

    def finish(self, outcome: Value) -> None:
        self.outcome = outcome
        self.finished.set()


@dataclass
class Journal:
    """What the signal handlers of one process wrote down: those of Python, and those of C.

    ``wakeup_fd``: where Python's tell of each signal beside; -1: nowhere.
    """

    python: list[str] = field(default_factory=list)
    c: list[str] = field(default_factory=list)
    wakeup_fd: int = -1


@final
class Task:
    """``group``: the task group of its process; None until that lives.
    ``order``: what was ordered and not yet asked for.
    ``journals``: one for each process that has a handler, shared by all tasks of a case.
    """

    def __init__(
        self, simulation: Simulation, name: str, maker: Task | None = None, *, thread: bool = False
    ) -> None:
        self.simulation = simulation
        self.name = name
        self.is_main = not thread
        self.group: TaskGroup | None = maker.group if maker and thread else None
        self.journals: dict[int, Journal] = maker.journals if maker else {}
        self.pid = 0
        self.order: Order | None = None
        self.over = False
        self.arrived = anyio.Event()
        self._called = anyio.Event()

    def give(self, order: Order) -> None:
        self.order = order
        self._called.set()

    async def live(self) -> None:
        """The program of a process: its main task, and the group of its threads."""
        async with anyio.create_task_group() as self.group:
            await self.serve()

    async def serve(self) -> None:
        """Carry out orders until the process ends."""
        self.pid = posix.getpid()
        self.arrived.set()
        try:
            while True:
                await self._called.wait()
                self._called = anyio.Event()
                assert self.order is not None
                await _while_stopped()
                outcome = await _outcome(self.order.action)
                await _while_stopped()
                self.order.finish(outcome)
        finally:
            self.over = True
            if self.order is not None and not self.order.finished.is_set():
                self.order.finish(DIED)


async def _while_stopped() -> None:
    await posix.poll([], 0)


async def _outcome(action: Action) -> Value:
    try:
        return await action()
    except Exception as error:
        return failure(error)


def failure(error: Exception) -> str:
    """An exception as an outcome: the name of its errno, or else of its class."""
    if isinstance(error, OSError) and error.errno is not None:
        return error_name(error)
    return f"!{type(error).__name__}"
