"""Who waits for whom: the report behind a deadlock, and on request.

Made only when somebody asks, from what is there anyway: the sleepers of each
process, the open files behind their refusals, the tables that hold the other
ends, and the frames of the suspended tasks (foreign awaits included).
"""

from __future__ import annotations

import graphlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Final

import trio

from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.process import Process, State
from asyncipc.kernel.readiness import OUT
from asyncipc.runtime import lent
from asyncipc.runtime.clock import SECOND
from asyncipc.runtime.parking import Sleeper
from asyncipc.runtime.process import CURRENT, Asleep, Body
from asyncipc.runtime.tap import arguments_of

if TYPE_CHECKING:
    import asyncio

    from asyncipc.kernel.kernel import Kernel
    from asyncipc.runtime.simulation import Simulation

LIBRARIES: Final = frozenset({"anyio", "asyncio", "asyncipc", "contextlib", "outcome", "trio"})
PROGRAMS: Final = "asyncipc.demos"
"""The one part of the package whose frames are a program's."""


@dataclass(frozen=True, slots=True)
class BlockedTask:
    """One task that waits.  ``wakers``: (pid, descriptor) of who could end it."""

    pid: int
    program: str
    call: str
    waits_for: str
    wakers: tuple[tuple[int, int], ...]
    where: str
    writes: bool = False

    def woken_by(self) -> str:
        if not self.wakers:
            return "-"
        return ", ".join(
            f"pid {pid} fd {fd}" if fd >= 0 else f"pid {pid}" for pid, fd in self.wakers
        )


@dataclass(frozen=True, slots=True)
class BlockedReport:
    """All that wait, at one moment.  Its text is the report."""

    t_ns: int
    tasks: tuple[BlockedTask, ...]
    hints: tuple[str, ...]

    def __str__(self) -> str:
        rows = [("pid", "program", "call", "waits for", "could be woken by", "at")]
        rows += [
            (str(t.pid), t.program, t.call, t.waits_for, t.woken_by(), t.where) for t in self.tasks
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows
        ]
        head = f"nobody can run at t={self.t_ns / SECOND:.3f}s"
        return "\n".join([head, *(f"  {line.rstrip()}" for line in lines), *self.hints])


def blocked_report(simulation: Simulation) -> BlockedReport:
    """Every waiting task of every process, in order of pids."""
    tasks: list[BlockedTask] = []
    for body in sorted(simulation.bodies, key=lambda body: body.process.pid):
        tasks += _blocked_tasks(simulation, body)
    return BlockedReport(simulation.timers.now(), tuple(tasks), tuple(_hints(tasks)))


def _blocked_tasks(simulation: Simulation, body: Body) -> Iterator[BlockedTask]:
    asleep = {id(sleeper.task): sleeper for sleeper in body.sleepers}
    for task in _tasks_of(body):
        sleeper = asleep.get(id(task))
        frames = list(_frames(task))
        if sleeper is not None:
            asleep_in = body.sleepers[sleeper]
            yield _in_a_call(simulation.kernel, body.process, sleeper, asleep_in, frames)
        else:
            yield _in_a_foreign_await(body.process, frames)


def _in_a_call(
    kernel: Kernel,
    process: Process,
    sleeper: Sleeper,
    asleep: Asleep,
    frames: list[FrameType],
) -> BlockedTask:
    call, verb, args, refusal = asleep
    source, mask = refusal.source, refusal.mask
    shown = [] if sleeper.place is None else [str(sleeper.place.fd)]
    shown += [str(arg) if isinstance(arg, int) else _brief(arg) for arg in arguments_of(verb, args)]
    if process.state is State.STOPPED:
        waits_for = "SIGCONT"
    elif source is process:
        waits_for = "a child"
    else:
        waits_for = f"{'room' if mask & OUT else 'data'} in {source.describe()}"
    return BlockedTask(
        process.pid,
        process.name,
        f"{call}({', '.join(shown)})",
        waits_for,
        tuple(_holders(kernel, source.wakers(mask))),
        _place_in_program(frames),
        bool(mask & OUT),
    )


def _in_a_foreign_await(process: Process, frames: list[FrameType]) -> BlockedTask:
    dead = "" if process.alive else "over, but swallows its cancellation in "
    return BlockedTask(
        process.pid,
        process.name,
        f"{dead}await {_foreign_call(frames)}",
        "somebody outside the kernel",
        (),
        _place_in_program(frames),
    )


def _brief(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    return "..."


def _holders(kernel: Kernel, wakers: tuple[object, ...]) -> Iterator[tuple[int, int]]:
    """Which descriptors of which processes stand for these open files."""
    for waker in wakers:
        if isinstance(waker, Process):
            yield waker.pid, -1
    files = [waker for waker in wakers if isinstance(waker, OpenFile)]
    for pid, process in sorted(kernel.processes.items()):
        for entry in process.table:
            if any(entry.file is file for file in files):
                yield pid, entry.fd


# -- hints


def _hints(tasks: list[BlockedTask]) -> Iterator[str]:
    for task in tasks:
        own = [fd for pid, fd in task.wakers if pid == task.pid]
        if own and len(own) == len(task.wakers) and not task.writes:
            yield (
                f"hint: pid {task.pid} waits for the end of what it could still write itself: "
                f"its own descriptor {own[0]} keeps the write end open; close({own[0]}) first"
            )
    cycle = _cycle(tasks)
    if cycle:
        chain = " -> ".join(f"pid {pid}" for pid in cycle)
        yield f"cycle: {chain}"
        members = [task for task in tasks if task.pid in cycle]
        if all(task.writes for task in members):
            yield "hint: everyone in it sends before it reads, and the buffers are full"


def _cycle(tasks: list[BlockedTask]) -> list[int]:
    """A circle of processes of which each waits only for the next."""
    waits: dict[int, set[int]] = {}
    for task in tasks:
        others = {pid for pid, _ in task.wakers} - {task.pid}
        if task.pid not in waits and len(others) == 1:
            waits[task.pid] = others
    try:
        graphlib.TopologicalSorter(waits).prepare()
    except graphlib.CycleError as error:
        found: list[int] = error.args[1]
        return found[::-1]
    return []


# -- tasks and their frames


def _tasks_of(body: Body) -> list[Any]:
    """The tasks of a process: its main one, and those that inherited it."""
    main: Any = body.task
    if isinstance(main, trio.lowlevel.Task):
        root = trio.lowlevel.current_root_task()
        everybody: list[Any] = [] if root is None else list(_trio_tasks(root))
        mine = [t for t in everybody if t.context.get(CURRENT) is body]
    else:
        import asyncio

        everybody = sorted(asyncio.all_tasks(main.get_loop()), key=lambda task: task.get_name())
        mine = [task for task in everybody if task is main or _belongs(task, body)]
    return sorted(mine, key=lambda task: task is not main)


def _belongs(task: asyncio.Task[Any], body: Body) -> bool:
    get_context = getattr(task, "get_context", None)
    if get_context is None:  # before Python 3.12 a task does not show its context
        return any(sleeper.task is task for sleeper in body.sleepers)
    return get_context().get(CURRENT) is body


def _trio_tasks(root: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    """All tasks of the run, parents first, in order of their creation."""
    waiting = [root]
    while waiting:
        task = waiting.pop()
        yield task
        children = [child for nursery in task.child_nurseries for child in nursery.child_tasks]
        waiting += sorted(children, key=lent.trio_birth, reverse=True)


def _frames(task: Any) -> Iterator[FrameType]:
    """The suspended frames of a task, outermost first."""
    link = task.coro if isinstance(task, trio.lowlevel.Task) else task.get_coro()
    while link is not None:
        frame = getattr(link, "cr_frame", None) or getattr(link, "gi_frame", None)
        frame = frame or getattr(link, "ag_frame", None)
        if frame is None:
            return
        yield frame
        link = getattr(link, "cr_await", None) or getattr(link, "gi_yieldfrom", None)


def _is_program(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    return module.startswith(PROGRAMS) or module.partition(".")[0] not in LIBRARIES


def _place_in_program(frames: list[FrameType]) -> str:
    """The innermost line of the program itself."""
    for frame in reversed(frames):
        if _is_program(frame):
            code: CodeType = frame.f_code
            return f"{_short_path(code.co_filename)}:{frame.f_lineno} in {code.co_name}"
    return "-"


def _short_path(path: str) -> str:
    return "/".join(path.replace("\\", "/").split("/")[-2:])


def _foreign_call(frames: list[FrameType]) -> str:
    """What the program called to get there: the first frame that is not its own."""
    below = 0
    for index, frame in enumerate(frames):
        if _is_program(frame):
            below = index + 1
    if below >= len(frames):
        return "something of its own"
    code = frames[below].f_code
    name = getattr(code, "co_qualname", code.co_name)
    return name.replace(".__aexit__", " (its end)")
