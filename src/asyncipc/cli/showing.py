"""The showing: a demo's program on a simulated machine, call by call.

What every demo would repeat around its program stands here once, so that a
demo is a program to be read from top to bottom: which calls are made, what
they return, what the program says, and pictures where it asks for one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from textwrap import fill
from typing import Any, Final, Literal, TypeAlias

import asyncipc
from asyncipc.statistics import MachineStatistics
from asyncipc.trace.picture import WIDTH, picture
from asyncipc.trace.transcript import Transcript

Backend: TypeAlias = Literal["trio", "asyncio"]
Program: TypeAlias = Callable[[], Awaitable[None]]

PASSES_SHOWN: Final = 24
"""Of a program that spins: enough for its circle to be seen."""


def show(program: Program, backend: Backend, seed: int | None, title: str = "") -> None:
    """Run a program, and print its calls and its output in order of time."""
    if title:
        print(f"{title}:\n")
    _run(program, backend=backend, seed=seed)
    if title:
        print()


def show_deadlock(program: Program, backend: Backend, seed: int | None, title: str) -> None:
    """Run a program that is known to hang, and print why it does."""
    try:
        show(program, backend, seed, title)
    except asyncipc.Deadlock as deadlock:
        print(f"\nDeadlock: {deadlock}\n")
    else:
        raise AssertionError("the program was to hang, and has not")


def show_endless(program: Program, backend: Backend, seed: int | None, title: str) -> None:
    """Run a program that is known to spin, for a few circles, and print the verdict."""
    print(f"{title}:\n")
    try:
        # With this quantum every call is a pass of the scheduler.
        _run(program, backend=backend, seed=seed, quantum=1, step_limit=PASSES_SHOWN)
    except asyncipc.TimeFrozen as verdict:
        print(f"\n{fill(f'TimeFrozen: {verdict}', 80)}\n")
    else:
        raise AssertionError("the program was to spin for ever, and has not")


def look(moment: str) -> None:
    """Draw the descriptor tables of all processes, as they are now."""
    print(f"\n{picture(asyncipc.current_simulation(), moment)}")


def table(tool: Callable[[MachineStatistics], str], moment: str) -> None:
    """Print a table of the machine, as it is now, as the tool of that name would."""
    shown = tool(asyncipc.current_simulation().statistics())
    print(f"\n── {moment} ".ljust(WIDTH, "─") + f"\n\n$ {tool.__name__}\n{shown}")


def _run(program: Program, **options: Any) -> None:
    transcript = Transcript()
    asyncipc.run(program, observers=[transcript], console=transcript.output, **options)
