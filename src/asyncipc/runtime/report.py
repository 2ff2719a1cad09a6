"""Who waits for whom: the report behind a deadlock, and on request.

Made only when somebody asks, from what is there anyway: the sleepers of each
process, the open files behind their refusals, the tables that hold the other
ends, and the frames of the suspended tasks (foreign awaits included).  All
tables and all tasks are walked once per report, however many wait.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import trio

from asyncipc.kernel.ip.outside import FarEnd
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.processes.process import Process, SignalSource, State
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime import lent
from asyncipc.runtime.clock import SECOND
from asyncipc.runtime.hints import Places, hint_of_its_own, hints, is_room
from asyncipc.runtime.parking import Asleep, Sleeper
from asyncipc.runtime.process import CURRENT, Body
from asyncipc.runtime.shown_call import shown_call

if TYPE_CHECKING:
    import asyncio

    from asyncipc.kernel.kernel import Kernel
    from asyncipc.runtime.simulation import Simulation

LIBRARIES: Final = frozenset({"anyio", "asyncio", "asyncipc", "contextlib", "outcome", "trio"})
PROGRAMS: Final = "asyncipc.demos"
"""The one part of the package whose frames are a program's."""
RUN: Final = "asyncipc.run"
"""Whose frames are below all of a simulation's."""

HOME: Final = "localhost"
"""The host that goes without saying."""
WAKERS_NAMED: Final = 5
HINT_COLUMNS: Final = 100


@runtime_checkable
class Awaited(Protocol):
    """What says itself what its sleepers wait for: it holds no data, and no room."""

    def awaited(self) -> str: ...


@dataclass(frozen=True, slots=True)
class BlockedTask:
    """One task that waits, on ``host``.

    ``wakers``: (pid, descriptor) of all who could end it; ``far``: who could from
    another host.  ``writes``: it waits for room.  ``hint``: what is wrong, if this task
    alone shows it.
    """

    pid: int
    program: str
    call: str
    waits_for: str
    wakers: Places
    where: str
    writes: bool = False
    hint: str = ""
    host: str = HOME
    far: str = ""

    def woken_by(self) -> str:
        """The first of its wakers, and how many more there are."""
        if not self.wakers:
            return self.far or "-"
        named = ", ".join(
            f"pid {pid} fd {fd}" if fd >= 0 else f"pid {pid}"
            for pid, fd in self.wakers[:WAKERS_NAMED]
        )
        more = len(self.wakers) - WAKERS_NAMED
        return f"{named} and {more} more" if more > 0 else named


@dataclass(frozen=True, slots=True)
class BlockedReport:
    """All that wait, at one moment.  Its text is the report."""

    t_ns: int
    tasks: tuple[BlockedTask, ...]
    hints: tuple[str, ...]

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [
            ("host", "pid", "program", "call", "waits for", "could be woken by", "at")
        ]
        rows += [
            (t.host, str(t.pid), t.program, t.call, t.waits_for, t.woken_by(), t.where)
            for t in self.tasks
        ]
        if all(task.host == HOME for task in self.tasks):
            rows = [row[1:] for row in rows]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows
        ]
        head = f"nobody can run at t={self.t_ns / SECOND:.3f}s"
        hints = chain.from_iterable(map(_wrapped, self.hints))
        return "\n".join([head, *(f"  {line.rstrip()}" for line in lines), *hints])


def _wrapped(hint: str) -> list[str]:
    return textwrap.wrap(
        hint,
        HINT_COLUMNS,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def blocked_report(simulation: Simulation) -> BlockedReport:
    """Every waiting task of every process, host by host, in order of pids."""
    order = {name: place for place, name in enumerate(simulation.hosts)}
    bodies = sorted(
        simulation.inhabitants(), key=lambda body: (order[body.host.name], body.process.pid)
    )
    holders: dict[object, Places] = {}
    for host in simulation.hosts.values():
        holders |= _holders_by_file(host.kernel)
    tasks: list[BlockedTask] = []
    for body, mine in _tasks_by_body(bodies).items():
        tasks += _blocked_tasks(body, mine, holders)
    return BlockedReport(simulation.timers.now(), tuple(tasks), tuple(hints(tasks)))


def _blocked_tasks(
    body: Body, tasks: list[Any], holders: Mapping[object, Places]
) -> Iterator[BlockedTask]:
    asleep = {id(sleeper.task): sleeper for sleeper in body.sleepers}
    for task in tasks:
        sleeper = asleep.get(id(task))
        if sleeper is not None:
            frames = list(_frames(task))
            yield _in_a_call(body, sleeper, sleeper.asleep, frames, holders)
        elif _is_suspended(task):
            yield _in_a_foreign_await(body, list(_frames(task)))


def _in_a_call(
    body: Body,
    sleeper: Sleeper,
    asleep: Asleep,
    frames: list[FrameType],
    holders: Mapping[object, Places],
) -> BlockedTask:
    process = body.process
    call, _, _, refusal = asleep
    ends = refusal.source.wakers(refusal.mask)
    wakers = _holders(holders, ends)
    return BlockedTask(
        process.pid,
        process.name,
        shown_call(sleeper.place, asleep),
        _waits_for(process, call, refusal),
        wakers,
        place_in_program(frames),
        is_room(refusal),
        hint_of_its_own(process, call, refusal, wakers),
        body.host.name,
        next((end.describe() for end in ends if isinstance(end, FarEnd)), ""),
    )


def _waits_for(process: Process, call: str, refusal: WouldBlock) -> str:
    source = refusal.source
    if process.state is State.STOPPED:
        return "SIGCONT"
    if source is process:
        return "a child"
    if isinstance(source, SignalSource):
        return source.describe()
    if isinstance(source, Awaited):
        return source.awaited()
    if call == "openat":
        return f"the other end of {source.describe()}"
    if call in {"accept", "accept4"}:
        return f"a connection at {source.describe()}"
    if call in {"poll", "select"}:
        return f"readiness of {source.describe()}"
    return f"{'room' if is_room(refusal) else 'data'} in {source.describe()}"


def _in_a_foreign_await(body: Body, frames: list[FrameType]) -> BlockedTask:
    process = body.process
    dead = "" if process.alive else "over, but swallows its cancellation in "
    return BlockedTask(
        process.pid,
        process.name,
        f"{dead}await {_foreign_call(frames)}",
        "somebody outside the kernel",
        (),
        place_in_program(frames),
        host=body.host.name,
    )


# -- who holds what


def _holders_by_file(kernel: Kernel) -> dict[object, Places]:
    """Which descriptors of which processes stand for each open file, in order of pids."""
    found: dict[object, list[tuple[int, int]]] = {}
    for pid, process in sorted(kernel.processes.items()):
        for entry in process.table:
            found.setdefault(entry.file, []).append((pid, entry.fd))
    return {file: tuple(places) for file, places in found.items()}


def _holders(holders: Mapping[object, Places], wakers: Iterable[object]) -> Places:
    """Where the wakers are to be found: the processes, then who holds the open files."""
    processes = tuple((waker.pid, -1) for waker in wakers if isinstance(waker, Process))
    files = [holders.get(waker, ()) for waker in wakers if isinstance(waker, OpenFile)]
    if len(files) == 1 and not processes:
        return files[0]  # not a copy: a crowd may wait for one file that a crowd holds
    return processes + tuple(sorted(set(chain.from_iterable(files))))


# -- tasks and their frames


def _tasks_by_body(bodies: list[Body]) -> dict[Body, list[Any]]:
    """The tasks of each process: its main one, and those that inherited it."""
    found: dict[Body, list[Any]] = {body: [] for body in bodies}
    mains: list[Any] = [body.task for body in bodies if body.task is not None]
    if not mains:  # nobody has begun yet
        return found
    if isinstance(mains[0], trio.lowlevel.Task):
        owned = _owned_on_trio()
    else:
        owned = _owned_on_asyncio(bodies, mains[0].get_loop())
    for task, owner in owned:
        if owner in found:
            found[owner].append(task)
    return {body: _main_first(body, tasks) for body, tasks in found.items()}


def _main_first(body: Body, tasks: list[Any]) -> list[Any]:
    return sorted(tasks, key=lambda task: task is not body.task)


def _owned_on_trio() -> Iterator[tuple[Any, Any]]:
    """All tasks in order of birth, each with the body of its process, if it has one."""
    root = trio.lowlevel.current_root_task()
    for task in () if root is None else _trio_tasks(root):
        yield task, task.context.get(CURRENT)


def _owned_on_asyncio(
    bodies: list[Body], loop: asyncio.AbstractEventLoop
) -> Iterator[tuple[Any, Any]]:
    mains = {body.task: body for body in bodies}
    asleep = {sleeper.task: body for body in bodies for sleeper in body.sleepers}
    for task in _asyncio_tasks(loop):
        owner = mains.get(task)
        if owner is None:
            # Before Python 3.12 a task does not show its context.
            get_context = getattr(task, "get_context", None)
            owner = asleep.get(task) if get_context is None else get_context().get(CURRENT)
        yield task, owner


def _asyncio_tasks(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[Any]]:
    """All tasks, in order of birth if the loop is ours: there they hash to it."""
    import asyncio

    from asyncipc.runtime.asyncio_loop import VirtualTimeLoop

    tasks = asyncio.all_tasks(loop)
    if isinstance(loop, VirtualTimeLoop):
        return sorted(tasks, key=hash)
    return sorted(tasks, key=lambda task: task.get_name())


def _trio_tasks(root: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    """All tasks of the run, parents first, in order of their creation."""
    waiting = [root]
    while waiting:
        task = waiting.pop()
        yield task
        children = [child for nursery in task.child_nurseries for child in nursery.child_tasks]
        waiting += sorted(children, key=lent.trio_birth, reverse=True)


def _coroutine(task: Any) -> Any:
    return task.coro if isinstance(task, trio.lowlevel.Task) else task.get_coro()


def _is_suspended(task: Any) -> bool:
    """Not so: who asks for the report, and who has not begun."""
    coroutine = _coroutine(task)
    if not inspect.iscoroutine(coroutine):
        return True
    return inspect.getcoroutinestate(coroutine) == inspect.CORO_SUSPENDED


def _frames(task: Any) -> Iterator[FrameType]:
    """The suspended frames of a task, outermost first."""
    link = _coroutine(task)
    while link is not None:
        frame = getattr(link, "cr_frame", None) or getattr(link, "gi_frame", None)
        frame = frame or getattr(link, "ag_frame", None)
        if frame is None:
            return
        yield frame
        link = getattr(link, "cr_await", None) or getattr(link, "gi_yieldfrom", None)


def is_program(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    return module.startswith(PROGRAMS) or module.partition(".")[0] not in LIBRARIES


def place_in_program(frames: list[FrameType]) -> str:
    """The innermost line of the program itself."""
    return next(map(place_of, filter(is_program, reversed(frames))), "-")


def place_of(frame: FrameType, line: int | None = None) -> str:
    """``directory/file.py:12 in function``; ``line``: where it is not the one that runs."""
    code: CodeType = frame.f_code
    return f"{_short_path(code.co_filename)}:{line or frame.f_lineno} in {code.co_name}"


def stack_of_the_call(depth: int) -> Iterator[FrameType]:
    """The frames of a call that is being made, innermost first, as far as the run.

    ``depth``: how many of them are the asker's own, itself not counted.
    """
    frame: FrameType | None = sys._getframe(depth + 1)
    while frame is not None and frame.f_globals.get("__name__") != RUN:
        yield frame
        frame = frame.f_back


def _short_path(path: str) -> str:
    return "/".join(path.replace("\\", "/").split("/")[-2:])


def _foreign_call(frames: list[FrameType]) -> str:
    """What the program called to get there: the first frame that is not its own."""
    below = 0
    for index, frame in enumerate(frames):
        if is_program(frame):
            below = index + 1
    if below >= len(frames):
        return "something of its own"
    code = frames[below].f_code
    name = getattr(code, "co_qualname", code.co_name)
    return name.replace(".__aexit__", " (its end)")
