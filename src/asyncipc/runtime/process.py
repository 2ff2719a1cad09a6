"""The body of a process: the tasks that run its program.

Which process am I?  A context variable says it: the tasks that a program
starts inherit it and are its threads.  A body runs a program in one cancel
scope; whatever ends the process (return, exit, a signal, an exception) closes
its descriptors in the kernel in that moment and cancels the scope.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias, final

from asyncipc.errors import TimeFrozen, Unsupported
from asyncipc.kernel.kernel import exit_status
from asyncipc.kernel.processes.process import Process, State
from asyncipc.kernel.signals.disposition import SI_TKILL, SIGKILL, SIGPIPE, SignalInfo
from asyncipc.runtime.threads import MASK, Threads, run_handlers

if TYPE_CHECKING:
    from asyncipc.kernel.signals.state import Thread
    from asyncipc.runtime.host import Host
    from asyncipc.runtime.parking import Sleeper

Program: TypeAlias = Callable[..., Awaitable[object]]

STOPPED: Final = "its process was stopped"
CURRENT: Final[ContextVar[Body]] = ContextVar("asyncipc process")


@final
class ProcessEnd(BaseException):
    """Unwinds a task whose process is over.  Not for programs to catch."""


def current() -> Body:
    """The body of the process that the caller runs in."""
    try:
        body = CURRENT.get()
    except LookupError:
        raise RuntimeError(
            "not in a simulated process: call this inside asyncipc.run(...) or "
            "`async with asyncipc.Simulation():`"
        ) from None
    if threading.get_ident() != body.thread:
        raise RuntimeError(
            "asyncipc call from a foreign thread: processes live in the thread of their "
            "event loop; come back with trio.from_thread or anyio.from_thread first"
        )
    return body


def calling(init: Process) -> tuple[Process, Thread]:
    """Whose call it is at this moment, for objects that show each caller something else.

    What happens in nobody's call is ``init``'s doing.
    """
    body = CURRENT.get(None)
    return (init, init.main) if body is None else (body.process, body.threads.own())


@final
class Body:
    """``attention`` is the one test of the hot path: true while the process is
    stopped or over, while a handler is due or the masks of its tasks may differ,
    or while somebody watches, disturbs or wants to know who makes its calls.
    ``service``: the simulation does not wait for it.
    """

    __slots__ = (
        "attention",
        "error",
        "host",
        "kernel",
        "machine",
        "next_program",
        "parking",
        "process",
        "result",
        "scope",
        "service",
        "simulation",
        "sleepers",
        "task",
        "thread",
        "threads",
    )

    def __init__(self, host: Host, process: Process, *, service: bool = False) -> None:
        self.simulation = simulation = host.simulation
        self.host = host
        self.kernel = host.kernel
        self.process = process
        self.service = service
        self.parking = simulation.parking
        self.machine = host.backend
        self.thread = simulation.thread
        self.scope = self.parking.scope()
        self.sleepers: dict[Sleeper, None] = {}  # in the order in which they fell asleep
        self.threads = Threads(self)
        self.next_program: tuple[Program, tuple[object, ...]] | None = None
        self.error: BaseException | None = None
        self.result: object = None
        self.task: object = None
        self.attention = False
        self.update_attention()
        process.body = self

    def update_attention(self) -> None:
        running = self.process.state is State.RUNNING and self.next_program is None
        signals = self.threads.apart or self._is_signalled()
        told = self.simulation.watched or self.kernel.callers_asked
        self.attention = told or signals or not running

    def _is_signalled(self) -> bool:
        """Has some task of it a handler to run?"""
        process = self.process
        return bool(process.handled) and any(map(process.is_due, self.threads))

    # -- what the kernel tells its body

    def end(self) -> None:
        """The dead stand in no line and hold nothing, although their tasks have yet to unwind.

        They are woken first: who waits for a descriptor gives the wait up while it is open.
        """
        self._clear_out()
        for sleeper in self.sleepers:
            sleeper.asleep[-1].line.leave(sleeper)
        for sleeper in self.sleepers:
            sleeper.let_go()
        self.simulation.mourning.begin(self)

    def _clear_out(self) -> None:
        """Every task of the program is to leave, one that is shielded too."""
        self.update_attention()
        self.scope.cancel()
        for sleeper in self.sleepers:
            sleeper.wake()

    def is_asleep(self) -> bool:
        return bool(self.sleepers)

    def interrupt(self) -> None:
        self.update_attention()
        if self.process.state is State.STOPPED:
            for sleeper in self.sleepers:
                sleeper.why = sleeper.why or STOPPED
                sleeper.wake()

    def alert(self) -> None:
        self.update_attention()
        if self.attention and self._is_signalled():
            self.threads.alert()

    # -- what its own calls do to it

    def broken_pipe(self) -> None:
        """EPIPE came with SIGPIPE.  Does not return if that is fatal."""
        self.raise_signal(SIGPIPE)
        self.leave_if_over()
        if self.attention:
            run_handlers(self)

    def raise_signal(self, signal: int) -> None:
        """A signal to the calling task alone."""
        process = self.process
        info = SignalInfo(signal, SI_TKILL, process.pid, process.uid)
        self.kernel.delivery.deliver(process, info, self.threads.own())

    def settle(self) -> None:
        """The calling task's mask has changed, which may make signals due."""
        self.kernel.delivery.settle(self.process)

    def block_signals(self, mask: int) -> None:
        """The calling task's mask from now on, and that of the tasks it will start."""
        self.threads.part()
        thread = self.threads.own()
        thread.block(mask)
        MASK.set(thread.mask)
        self.settle()

    def leave_if_over(self) -> None:
        if not self.process.alive or self.next_program is not None:
            raise ProcessEnd

    def exit(self, code: int) -> NoReturn:
        self.kernel.end(self.process, exit_status(code))
        raise ProcessEnd

    def execute(self, program: Program, args: tuple[object, ...]) -> NoReturn:
        if self.simulation.is_block(self):
            raise Unsupported("the block of an embedded Simulation cannot become another program")
        self.threads.unite(self.threads.own())
        self.next_program = (program, args)  # from here on its tasks are served no more
        self.kernel.execute(self.process, name_of(program))
        self._clear_out()
        raise ProcessEnd

    # -- running

    async def run(self, program: Program, args: tuple[object, ...]) -> None:
        """Run programs until one of them is the last."""
        CURRENT.set(self)
        self.task = self.parking.current_task()
        if not self.process.alive:  # killed before it ever ran
            return
        while True:
            MASK.set(self.process.main.mask)
            await self._run_one(program, args)
            if self.next_program is None or not self.process.alive:
                break
            (program, args), self.next_program = self.next_program, None
            self.scope = self.parking.scope()
            self.update_attention()
        self.kernel.end(self.process, exit_status(0))

    async def _run_one(self, program: Program, args: tuple[object, ...]) -> None:
        try:
            with self.scope:
                self.result = await program(*args)
        except ProcessEnd:
            return
        except SystemExit as error:
            self.error = error
            self.kernel.end(self.process, exit_status(exit_code(error)))
        except (Exception, BaseExceptionGroup) as error:
            self._ended_by(error)
        except BaseException as error:
            if self.parking.is_stray(error):
                self._ended_by(error)
                return
            # Cancelled from outside, or KeyboardInterrupt: the run is over.
            self.kernel.end(self.process, SIGKILL)
            raise

    def _ended_by(self, error: BaseException) -> None:
        if isinstance(error, BaseExceptionGroup):
            _, rest = error.split(ProcessEnd)
            fatal = rest and rest.split(Exception)[1]
            if fatal is not None:
                self.kernel.end(self.process, SIGKILL)
                raise fatal
            if rest is None:
                return
            error = rest
        if isinstance(error, TimeFrozen):
            self.kernel.end(self.process, SIGKILL)
            raise error
        if self.process.alive and self.next_program is None:
            self.error = error
            self.simulation.process_failed(self, error)
            self.kernel.end(self.process, exit_status(1))


def exit_code(error: SystemExit) -> int:
    """The exit code that Python gives ``SystemExit``."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code
    print(error.code, file=sys.stderr)
    return 1


def check_program(program: object) -> None:
    """TypeError for what cannot be called: before there is a process that would fail."""
    if not callable(program):
        raise TypeError(f"a program is an async function, not {type(program).__name__}")


def name_of(program: Program) -> str:
    """The name of a program: its function's."""
    name = getattr(program, "__name__", None)
    if name is None:
        name = getattr(getattr(program, "func", None), "__name__", type(program).__name__)
    return str(name)


def print_undead(process: Process) -> None:
    print(
        f"asyncipc: pid {process.pid} ({process.name}) is over, but its task still runs: "
        "it swallows its cancellation, or is shielded from it",
        file=sys.stderr,
    )


def print_failure(pid: int, name: str, error: BaseException) -> None:
    """What the kernel's console would show of a program that crashed."""
    text = "".join(traceback.format_exception(error))
    print(f"pid {pid} ({name}) failed with status 1:\n{text}", file=sys.stderr, end="")
