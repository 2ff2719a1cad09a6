"""The n-th call of every demo's programs fails, for every n, until a run has no n-th call.

Whatever the programs make of it, each run ends, leaves nothing behind (the
fixture ``run`` looks), and ends with an error of the system or with a verdict.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

import asyncipc
import demos
from asyncipc.cli import catalog
from asyncipc.events import Event, Failure, SystemCall

Run = Callable[..., Any]
Program = Callable[[], Awaitable[None]]

COUNTED = errno.ENOMEM
"""What every call may answer, and no demo's programs meet by themselves."""
CALLS_MAX = 80
"""More calls than any program has that ends by itself."""
CALLS_BETWEEN_HOSTS = 20
"""Of those they make thousands, but none of another kind."""
PASSES_MAX = 400
"""Without virtual time moving: only a program that spins needs more."""
LONGEST_NS = 600_000_000_000
"""Of virtual time; the longest program takes a minute."""


class Noting:
    """A stage that shows nothing, and notes which programs it was to show."""

    def __init__(self) -> None:
        self.programs: list[Program] = []

    def show(self, program: Program, title: str = "", *watching: object) -> None:
        self.programs.append(program)

    show_deadlock = show_endless = show_network = show


def programs_of(name: str) -> list[Program]:
    """What a demo would show."""
    noting: Any = Noting()
    catalog.load(name).run(noting)
    programs: list[Program] = noting.programs
    return programs


def run_with_fault(run: Run, program: Program, nth: int, error: int) -> bool:
    """Run a program whose n-th call fails; has it met that error?"""
    met = []
    scopes: list[anyio.CancelScope] = []

    def watch(event: Event) -> None:
        if isinstance(event, SystemCall) and event.result == Failure(errno.errorcode[error]):
            met.append(event)
        if event.t_ns > LONGEST_NS:
            scopes[0].cancel()

    async def in_time() -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await program()
        assert not scope.cancel_called, f"{program.__name__} goes on for ever"

    try:
        run(
            in_time,
            seed=1,
            observers=[watch],
            faults=[asyncipc.Fault(nth=nth, error=error)],
            step_limit=PASSES_MAX,
            console=lambda data: None,
        )
    except* (OSError, asyncipc.Deadlock, asyncipc.TimeFrozen):
        pass
    return bool(met)


@pytest.mark.parametrize("name", demos.READING_ORDER)
def test_every_run_ends_and_leaves_nothing_behind(name: str, run: Run) -> None:
    programs = programs_of(name)
    assert programs
    most = CALLS_BETWEEN_HOSTS if name in demos.NETWORK else CALLS_MAX
    for program in programs:
        nth = 1
        while nth <= most and run_with_fault(run, program, nth, COUNTED):
            run_with_fault(run, program, nth, errno.EINTR)
            nth += 1
        assert nth > 3, f"{program.__name__} has hardly made a call"
