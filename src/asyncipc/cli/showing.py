"""The showing: a demo's program on a machine, call by call.

What every demo would repeat around its program stands here once, so that a
demo is a program to be read from top to bottom: which calls are made, what
they return, what the program says, and pictures where it asks for one.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from io import StringIO
from tempfile import TemporaryDirectory
from textwrap import fill
from typing import Any, Final, Literal, TypeAlias

import asyncipc
from asyncipc import posix
from asyncipc.events import Event, Observer, ProcessLife, SystemCall
from asyncipc.kernel.timers import Timer
from asyncipc.statistics import MachineStatistics
from asyncipc.trace.picture import WIDTH, picture
from asyncipc.trace.transcript import Transcript

Backend: TypeAlias = Literal["trio", "asyncio"]
Program: TypeAlias = Callable[[], Awaitable[None]]

PASSES_SHOWN: Final = 24
"""Of a program that spins: enough for its circle to be seen."""
SECOND: Final = 1_000_000_000
QUIET_S: Final = {"task": 2, "process": 10}
"""How long the real kernel is given before a program that is known to hang counts as hanging.
An interpreter takes its time to start."""
LOST_S: Final = 60
"""The same for one that is not: no demo sleeps longer."""


@dataclass(frozen=True)
class Stage:
    """Where a demo is shown: in which event loop, and on which machine.

    ``seed`` fixes the order of everything, on the simulated machine;
    ``isolation`` says what a child is on the native one.  A part of a demo that
    needs what this machine refuses is shown as far as it goes, with the refusal.
    """

    backend: Backend = "trio"
    seed: int | None = None
    machine: Literal["simulated", "native"] = "simulated"
    isolation: Literal["task", "process"] = "task"

    def show(self, program: Program, title: str = "") -> None:
        """Run a program, and print its calls and its output in order of time."""
        with self._part(title):
            self._run(program, [GoesNoFurther(LOST_S)])
            if title:
                print()

    def show_network(self, program: Program, title: str, *watching: Observer) -> None:
        """Run a program of several hosts, and print what it remarks: of calls there are too many.

        ``watching``: they see everything.  The native machine refuses the program's first host.
        """
        with self._part(title), unless_refused():
            asyncipc.run(
                program,
                backend=self.backend,
                machine=self.machine,
                seed=self.seed,
                observers=watching,
            )
            print()

    def show_deadlock(self, program: Program, title: str) -> None:
        """Run a program that is known to hang, and print why it does."""
        with self._part(title):
            try:
                self._run(program, [GoesNoFurther(QUIET_S[self.isolation])])
            except asyncipc.Deadlock as deadlock:
                print(f"\nDeadlock: {deadlock}\n")
            else:
                raise AssertionError("the program was to hang, and has not")

    def show_endless(self, program: Program, title: str) -> None:
        """Run a program that is known to spin, for a few circles, and print the verdict."""
        with self._part(title):
            try:
                # With this quantum every call is a pass of the scheduler.
                self._run(program, [GoesOnForEver()], quantum=1, step_limit=PASSES_SHOWN)
            except asyncipc.TimeFrozen as verdict:
                print(f"\n{fill(f'TimeFrozen: {verdict}', 80)}\n")
            else:
                raise AssertionError("the program was to spin for ever, and has not")

    @contextmanager
    def _part(self, title: str) -> Iterator[None]:
        """With its title, and with what the native machine refuses of it."""
        if title:
            print(f"{title}:\n")
        try:
            yield
        except asyncipc.Unsupported as refusal:
            if self.machine == "simulated":
                raise
            print(f"\n{fill(f'Refused: {refusal}', 80)}\n")

    def _run(self, program: Program, limits: Sequence[Observer], **options: Any) -> None:
        """``limits``: what ends it on the real kernel, which knows no verdicts."""
        transcript = Transcript()
        options["console"] = transcript.output
        if self.machine == "simulated":
            options["observers"] = [transcript]
            asyncipc.run(program, backend=self.backend, seed=self.seed, **options)
            return
        options.pop("step_limit", None)
        sets = LeavesNoSets()
        options["observers"] = [transcript, *limits, EndsWithARefusal(), sets]
        with TemporaryDirectory(prefix="asyncipc-") as root, unless_refused(), closing(sets):
            machine = asyncipc.Native(isolation=self.isolation, root=root)
            asyncipc.run(program, backend=self.backend, machine=machine, seed=self.seed, **options)


SIMULATED: Final = Stage()
"""Where a demo is shown that runs as a script."""


class Limit:
    """An observer that can end its run on the real kernel.

    It knows the machine from the first call on: what happens later may be nobody's doing.
    """

    def __init__(self) -> None:
        self._simulation: asyncipc.Simulation | None = None

    def __call__(self, event: Event) -> None:
        if self._simulation is None and isinstance(event, SystemCall):
            self._simulation = asyncipc.current_simulation()
        if self._simulation is not None:
            self.look(self._simulation, event)

    def look(self, simulation: asyncipc.Simulation, event: Event) -> None:
        raise NotImplementedError


class GoesNoFurther(Limit):
    """When nothing has happened for some seconds: the real kernel never says that nobody will
    go on.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self._patience_ns = seconds * SECOND
        self._timer: Timer | None = None

    def look(self, simulation: asyncipc.Simulation, event: Event) -> None:
        if self._timer is not None:
            simulation.timers.cancel(self._timer)
        due = simulation.timers.now() + self._patience_ns
        self._timer = simulation.timers.arm(due, simulation.stalled)


class GoesOnForEver(Limit):
    """When enough of a circle was seen: the real kernel's time goes on."""

    def __init__(self) -> None:
        super().__init__()
        self._left = PASSES_SHOWN

    def look(self, simulation: asyncipc.Simulation, event: Event) -> None:
        if isinstance(event, SystemCall):
            self._left -= 1
            if not self._left:
                frozen = asyncipc.TimeFrozen(f"{PASSES_SHOWN} calls, and it goes on")
                simulation.judge(frozen)


class EndsWithARefusal(Limit):
    """When a child has failed because the machine refuses what it asked for."""

    def look(self, simulation: asyncipc.Simulation, event: Event) -> None:
        if isinstance(event, ProcessLife) and event.change == "exited":
            error = simulation.localhost.failures.get(event.pid)
            if isinstance(error, asyncipc.Unsupported):
                simulation.judge(error)


class LeavesNoSets(Limit):
    """Private System V semaphores, which outlive a run that ends before it has removed them."""

    def __init__(self) -> None:
        super().__init__()
        self._made: list[int] = []

    def look(self, simulation: asyncipc.Simulation, event: Event) -> None:
        match event:
            case SystemCall(call="semget", args=(posix.IPC_PRIVATE, *_), result=int(identifier)):
                self._made.append(identifier)

    def close(self) -> None:
        from asyncipc.native import libc  # which a simulation does not need

        for identifier in self._made:
            with suppress(OSError):  # the program has removed it
                libc.semctl(identifier, 0, posix.IPC_RMID, None)


@contextmanager
def unless_refused() -> Iterator[None]:
    """What goes to stderr meanwhile is shown afterwards: a refusal's traceback is not."""
    told = StringIO()
    try:
        with redirect_stderr(told):
            yield
    except asyncipc.Unsupported:
        told = StringIO()
        raise
    finally:
        sys.stderr.write(told.getvalue())


def remark(text: str) -> None:
    """Say what is to be seen now."""
    now = asyncipc.current_simulation().timers.now()
    print(f"{now / SECOND:>7.3f} s │ {text}".rstrip())


def look(moment: str) -> None:
    """Draw the descriptor tables of all processes, as they are now."""
    try:
        drawn = picture(asyncipc.current_simulation(), moment)
    except asyncipc.Unsupported as refusal:
        drawn = _not_shown(moment, refusal)
    print(f"\n{drawn}")


def table(tool: Callable[[MachineStatistics], str], moment: str) -> None:
    """Print a table of the machine, as it is now, as the tool of that name would."""
    try:
        shown = tool(asyncipc.current_simulation().statistics())
    except asyncipc.Unsupported as refusal:
        print(f"\n{_not_shown(moment, refusal)}")
        return
    print(f"\n── {moment} ".ljust(WIDTH, "─") + f"\n\n$ {tool.__name__}\n{shown}")


def _not_shown(moment: str, refusal: asyncipc.Unsupported) -> str:
    return f"── {moment} ".ljust(WIDTH, "─") + f"\n\n({refusal})\n"
