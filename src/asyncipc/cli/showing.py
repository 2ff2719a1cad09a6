"""The showing: a demo's program on a machine, call by call.

What every demo would repeat around its program stands here once, so that a
demo is a program to be read from top to bottom: which calls are made, what
they return, what the program says, and pictures where it asks for one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from textwrap import fill
from typing import Any, Final, Literal, TypeAlias

import asyncipc
from asyncipc.events import Event, Observer, SystemCall
from asyncipc.statistics import MachineStatistics
from asyncipc.trace.picture import WIDTH, picture
from asyncipc.trace.transcript import Transcript

Backend: TypeAlias = Literal["trio", "asyncio"]
Program: TypeAlias = Callable[[], Awaitable[None]]

PASSES_SHOWN: Final = 24
"""Of a program that spins: enough for its circle to be seen."""
PATIENCE_NS: Final = 2_000_000_000
"""How long the real kernel is given before a program counts as hanging."""


@dataclass(frozen=True)
class Stage:
    """Where a demo is shown: in which event loop, and on which machine.

    ``seed`` fixes the order of everything, on the simulated machine;
    ``isolation`` says what a child is on the native one.
    """

    backend: Backend = "trio"
    seed: int | None = None
    machine: Literal["simulated", "native"] = "simulated"
    isolation: Literal["task", "process"] = "task"

    def show(self, program: Program, title: str = "") -> None:
        """Run a program, and print its calls and its output in order of time."""
        if title:
            print(f"{title}:\n")
        self._run(program, [])
        if title:
            print()

    def show_deadlock(self, program: Program, title: str) -> None:
        """Run a program that is known to hang, and print why it does."""
        print(f"{title}:\n")
        limits = [GoesNoFurther()] if self.machine == "native" else []
        try:
            self._run(program, limits)
        except asyncipc.Deadlock as deadlock:
            print(f"\nDeadlock: {deadlock}\n")
        else:
            raise AssertionError("the program was to hang, and has not")

    def show_endless(self, program: Program, title: str) -> None:
        """Run a program that is known to spin, for a few circles, and print the verdict."""
        print(f"{title}:\n")
        limits = [GoesOnForEver()] if self.machine == "native" else []
        try:
            # With this quantum every call is a pass of the scheduler.
            self._run(program, limits, quantum=1, step_limit=PASSES_SHOWN)
        except asyncipc.TimeFrozen as verdict:
            print(f"\n{fill(f'TimeFrozen: {verdict}', 80)}\n")
        else:
            raise AssertionError("the program was to spin for ever, and has not")

    def _run(self, program: Program, limits: Sequence[Observer], **options: Any) -> None:
        transcript = Transcript()
        options |= {"observers": [transcript, *limits], "console": transcript.output}
        if self.machine == "simulated":
            asyncipc.run(program, backend=self.backend, seed=self.seed, **options)
            return
        options.pop("step_limit", None)
        with TemporaryDirectory(prefix="asyncipc-") as root:
            machine = asyncipc.Native(isolation=self.isolation, root=root)
            asyncipc.run(program, backend=self.backend, machine=machine, seed=self.seed, **options)


SIMULATED: Final = Stage()
"""Where a demo is shown that runs as a script."""


class GoesNoFurther:
    """Ends a run on the real kernel, which never says that nobody will go on, after a while."""

    def __init__(self) -> None:
        self._armed = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, SystemCall) and not self._armed:
            self._armed = True
            simulation = asyncipc.current_simulation()
            simulation.timers.arm(simulation.timers.now() + PATIENCE_NS, simulation.stalled)


class GoesOnForEver:
    """Ends a run on the real kernel, whose time goes on, when enough of its circle was seen."""

    def __init__(self) -> None:
        self._left = PASSES_SHOWN

    def __call__(self, event: Event) -> None:
        if isinstance(event, SystemCall):
            self._left -= 1
            if not self._left:
                frozen = asyncipc.TimeFrozen(f"{PASSES_SHOWN} calls, and it has not once slept")
                asyncipc.current_simulation().judge(frozen)


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
