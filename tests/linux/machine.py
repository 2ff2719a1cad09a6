"""One case on one simulated machine, and the conductor that leads it.

Time is virtual, so it moves only when nobody can run: to sleep a moment is to
wait for rest, and an operation that has not finished after a while blocks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, final

import anyio
import trio
from trio.testing import MockClock

from asyncipc import Simulation, Unsupported, posix
from asyncipc.runtime.asyncio_loop import VirtualTimeLoop
from asyncipc.runtime.clock import VirtualTime
from tests.linux.operations import OPERATIONS, action
from tests.linux.oplang import BLOCK, CASE_DIRECTORY, Line, Names, Pid, Value, Written, parse
from tests.linux.task import Order, Task, failure

BackendName: TypeAlias = Literal["trio", "asyncio"]

PATIENCE_S: Final = 0.03
"""How long an operation may take before it counts as blocked (the probe's 15 looks)."""
MOMENT_S: Final = 0.001
SIGKILL: Final = 9
NOFILE_MEASURED: Final = 20000
"""The soft limit where the cases were measured; the kernel's own default is 1024."""
LOST: Final = "!Lost"
"""What a step gives that could not be taken: the conductor was killed."""


class BadCase(Exception):
    """A case asks of a task what it cannot do: it is busy, over, or was never started."""


@dataclass(frozen=True)
class Case:
    id: str
    steps: tuple[tuple[str, Written], ...]
    needs: tuple[str, ...] = ()
    """What a real machine must have to run it; the simulated one has it all."""


def outcomes(case: Case, backend: BackendName = "trio") -> list[Written]:
    """What each step of a case gives on a fresh machine.

    If the machine itself breaks, or a case kills its conductor, the steps from
    there on say so, and the last one in any case.
    """
    lines = [line for line, _ in case.steps]
    got: list[Written] = []
    broken = LOST
    try:
        _run(lines, got, backend)
    except Exception as error:
        broken = failure(error)
        del got[len(lines) - 1 :]
    return got + [broken] * (len(lines) - len(got))


def _run(lines: Sequence[str], got: list[Written], backend: BackendName) -> None:
    if backend == "trio":
        trio.run(_conduct, lines, got, clock=MockClock(autojump_threshold=0))
        return
    time = VirtualTime(None)
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(time)) as runner:
        runner.run(_conduct(lines, got))


async def _conduct(lines: Sequence[str], got: list[Written]) -> None:
    async with Simulation(console=lambda data: None) as simulation:
        conductor = Conductor(simulation)
        try:
            await conductor.start()
            for line in lines:
                outcome = await conductor.step(line)
                got.append(outcome)
        finally:
            conductor.stop()


async def _first_process(task: Task) -> None:
    """Where every case begins: a session of its own, and an empty directory."""
    if posix.getsid(0) != posix.getpid():
        posix.setsid()
    if hasattr(posix, "mkdir"):
        posix.mkdir(CASE_DIRECTORY, 0o700)
        posix.chdir(CASE_DIRECTORY)
    await task.live()


@final
class Conductor:
    """Gives the tasks of one case their orders and collects the outcomes."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._pid = posix.getpid()
        self._names = Names(pids={self._pid: "init"})
        self._tasks: dict[str, Task] = {}

    async def start(self) -> None:
        """The conductor adopts orphans and waits for none, as the one on Linux does."""
        posix.prctl(posix.PR_SET_CHILD_SUBREAPER, 1)
        first = Task(self._simulation, "A")
        pid = posix.fork(_first_process, first)
        self._simulation.localhost.kernel.processes[pid].table.limit = NOFILE_MEASURED
        await self._welcome(first, pid)

    def stop(self) -> None:
        """Kill what is left, by the kernel itself: the conductor may be dead."""
        kernel = self._simulation.localhost.kernel
        for pid, process in list(kernel.processes.items()):
            if pid != self._pid:
                kernel.signal(process, SIGKILL)

    async def step(self, text: str) -> Written:
        """Have one line done, and let everything come to rest."""
        try:
            outcome = self._names.write(await self._do(parse(text)))
        except Exception as error:
            outcome = failure(error)
        await anyio.sleep(MOMENT_S)
        return outcome

    async def _do(self, line: Line) -> Value:
        if line.op == "sleep":
            await anyio.sleep(int(line.tokens[0]) / 1000)
            return None
        if line.op == "join":
            return await self._collect(self._task(line.tokens[0]))
        if line.op not in OPERATIONS:
            raise Unsupported(f"asyncipc does not model the operation {line.op!r}")
        task = self._idle(line.task)
        if line.op in {"fork", "thread"}:
            return await self._start_task(task, line)
        args, keywords = self._names.arguments(line.tokens)
        some = keywords.get("show") == "some" and bool(keywords.pop("show"))
        task.give(Order(line.names, action(line.op, task, args, keywords)))
        outcome = await self._collect(task)
        return "some" if some and isinstance(outcome, int) and outcome > 0 else outcome

    async def _start_task(self, task: Task, line: Line) -> Value:
        started = Task(self._simulation, line.tokens[0], task, thread=line.op == "thread")
        task.give(Order(line.names, action(line.op, task, [started], {})))
        outcome = await self._collect(task)
        if outcome is None or isinstance(outcome, Pid):
            await self._welcome(started, outcome)
        return outcome

    async def _welcome(self, task: Task, pid: int | None) -> None:
        """Wait until a new task is there; one that was killed at birth never is."""
        self._tasks[task.name] = task
        if pid is not None:
            self._names.pids[pid] = task.name
        with anyio.move_on_after(PATIENCE_S):
            await task.arrived.wait()

    async def _collect(self, task: Task) -> Value:
        """The outcome of what a task was ordered to do, or BLOCK at rest."""
        order = task.order
        if order is None:
            raise BadCase(f"nothing is under way in {task.name}")
        with anyio.move_on_after(PATIENCE_S):
            await order.finished.wait()
        if not order.finished.is_set():
            return BLOCK
        task.order = None
        self._names.bind(order.names, order.outcome)
        return order.outcome

    def under_way(self) -> dict[str, bool]:
        """The tasks that were ordered to do something, and whether they have done it."""
        return {
            name: task.order.finished.is_set() for name, task in self._tasks.items() if task.order
        }

    def idle(self) -> list[str]:
        """The tasks that can be ordered to do something."""
        return [name for name, task in self._tasks.items() if not task.order and not task.over]

    def knows(self, name: str) -> bool:
        """Does a variable (``x``) or a process (``%X``) of this name exist?"""
        if name.startswith("%"):
            return name[1:] in self._names.pids.values()
        return name in self._names.variables

    def _task(self, name: str) -> Task:
        if name not in self._tasks:
            raise BadCase(f"there is no task {name}")
        return self._tasks[name]

    def _idle(self, name: str) -> Task:
        task = self._task(name)
        if task.order is not None or task.over:
            raise BadCase(f"{name} is {'over' if task.over else 'still busy'}")
        return task
