"""A program is composed as the simulated machine runs it: what it did decides what may follow."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import trio
from trio.testing import MockClock

from asyncipc import Simulation
from tests.linux.generate.program import Family
from tests.linux.machine import Conductor
from tests.linux.oplang import Written, parse

Program: TypeAlias = list[tuple[str, Written]]
"""Lines, and what the simulated machine gave."""

_NAMED: Final = re.compile(r"%[A-Z]|\b[a-z][0-9]+\b")
"""A process, or what a program made, in a line of a family's."""


def composed(family: Family, operations: int) -> Program:
    """A program of so many operations; shorter, if all its tasks fell asleep."""

    async def compose(conductor: Conductor, program: Program) -> None:
        while len(program) < operations and conductor.idle():
            idle = conductor.idle()
            line = family.line(idle)
            await _take(conductor, program, line, family)
            if re.match(family.settling, parse(line).op):
                await _take(conductor, program, "sleep 1")
            await _collect(conductor, program, family, asleep=False)
        await _collect(conductor, program, family, asleep=True)

    return _led(compose)


def rehearsed(lines: Sequence[str]) -> Program:
    """Lines that were cut from a program, without those that lost what they name."""

    async def rehearse(conductor: Conductor, program: Program) -> None:
        for line in lines:
            if _possible(conductor, line):
                await _take(conductor, program, line)

    return _led(rehearse)


def _led(lead: Callable[[Conductor, Program], Awaitable[None]]) -> Program:
    program: Program = []

    async def conduct() -> None:
        async with Simulation(console=lambda data: None) as simulation:
            conductor = Conductor(simulation)
            try:
                await conductor.start()
                await lead(conductor, program)
            finally:
                conductor.stop()

    trio.run(conduct, clock=MockClock(autojump_threshold=0))
    return program


async def _take(
    conductor: Conductor, program: Program, line: str, family: Family | None = None
) -> None:
    outcome = await conductor.step(line)
    program.append((line, outcome))
    if family is not None:
        parsed = parse(line)
        family.learn(parsed.tokens[0] if parsed.op == "join" else parsed.task, outcome)


async def _collect(conductor: Conductor, program: Program, family: Family, *, asleep: bool) -> None:
    """Ask for what the tasks have done meanwhile, and at the end for what they have not."""
    for task, finished in sorted(conductor.under_way().items()):
        if finished or asleep:
            await _take(conductor, program, f"join {task}", family)


def _possible(conductor: Conductor, line: str) -> bool:
    parsed = parse(line)
    if parsed.op == "join":
        return parsed.tokens[0] in conductor.under_way()
    named = [word for token in parsed.tokens for word in _NAMED.findall(token)]
    lost = [word for word in named if not conductor.knows(word)]
    return parsed.task in conductor.idle() and not lost
