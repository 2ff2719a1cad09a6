"""Real processes killed at random moments: nobody and nothing is left, nothing hangs.

``--rounds 1000`` does it so often.  A round's number is its seed, which a
failure tells; what the operating system does in between it cannot repeat.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.native.processes.inheritance import CODE
from tests.native import programs

Run = Callable[..., Any]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it stands on Linux")

BOOT_S = 0.8
"""Twice as long as an interpreter needs until its program runs, on a machine with nothing to do."""
GONE_S = 20.0


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    count: int = request.config.getoption("--rounds")
    return count


@final
class Doomed:
    """A program that says so when it runs, and a moment at which it is to die.

    The moment is before its birth is over, while it boots, or, however long
    that takes, when it runs or is parked.
    """

    def __init__(self, dice: random.Random) -> None:
        r, w = posix.pipe()
        self._ready, ready = posix.pipe()
        for fd in (r, w, ready):
            posix.fcntl(fd, posix.F_SETFD, 0)  # open_process executes its program
        self.program, arguments = dice.choice(
            [
                (programs.sleeps, ()),
                (programs.reads_for_ever, (r,)),
                (programs.writes_for_ever, (w,)),
                (programs.copies, (r, w)),
                (programs.spins, (w,)),
                (programs.breeds, (1, w)),
            ]
        )
        self.args = (ready, self.program, *arguments)
        self._runs = dice.random() < 0.5
        latest = dice.choice((0.0, 0.05, BOOT_S))
        self._pause = dice.uniform(0, 0.05 if self._runs else latest)

    def fork(self) -> int:
        return posix.fork(programs.says_that_it_runs, *self.args)

    async def moment(self) -> None:
        if self._runs:
            assert await posix.read(self._ready, 1) == b"!"
        await anyio.sleep(self._pause)


async def kills_its_children(dice: random.Random) -> None:
    doomed = {}
    for _ in range(dice.randint(1, 3)):
        one = Doomed(dice)
        deaf = one.program is programs.spins  # it never lets its event loop look: only SIGKILL
        number = signal.SIGKILL if deaf else dice.choice((signal.SIGKILL, signal.SIGTERM))
        doomed[one.fork()] = one, number
    for pid, (one, number) in doomed.items():
        await one.moment()
        posix.kill(pid, number)
    for pid, (_, number) in doomed.items():
        assert await posix.waitpid(pid) == (pid, number)


async def is_cancelled(dice: random.Random) -> None:
    doomed = Doomed(dice)
    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            async with asyncipc.open_process(programs.says_that_it_runs, *doomed.args) as child:
                group.start_soon(cancels, doomed, scope)
                await anyio.sleep(3600)
    assert child.returncode == -signal.SIGKILL


async def cancels(doomed: Doomed, scope: anyio.CancelScope) -> None:
    await doomed.moment()
    scope.cancel()


async def is_cancelled_while_it_waits(dice: random.Random) -> None:
    doomed = Doomed(dice)
    pid = doomed.fork()
    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            group.start_soon(cancels, doomed, scope)
            await posix.waitpid(pid)
    assert scope.cancelled_caught
    posix.kill(pid, signal.SIGKILL)
    assert await posix.waitpid(pid) == (pid, signal.SIGKILL)


async def fails(dice: random.Random) -> None:
    several = [Doomed(dice) for _ in range(dice.randint(1, 3))]
    for doomed in several:
        doomed.fork()
    await dice.choice(several).moment()


class Over(Exception):
    """A round ends by an error, so that orphans, who never end, are not waited for."""


SCENES = (kills_its_children, kills_its_children, is_cancelled, is_cancelled_while_it_waits, fails)


def test_processes_killed_at_random_moments_leave_nothing_behind(
    isolated: Run, rounds: int, backend: str
) -> None:
    async def a_round(scene: Callable[[random.Random], Any], dice: random.Random) -> None:
        await scene(dice)
        raise Over

    for number in range(rounds):
        dice = random.Random(f"{backend}:{number}")
        scene = dice.choice(SCENES)
        try:
            isolated(a_round, scene, dice)
        except Over:
            continue
        except BaseException as error:
            error.add_note(f"round {number}, {scene.__name__}")
            raise


ANCESTOR = """
import sys
import anyio
import asyncipc
from asyncipc import posix
from asyncipc.native.processes.inheritance import CODE
from tests.native import programs

async def main() -> None:
    r, w = posix.pipe()
    posix.fork(programs.breeds, 2, w)
    posix.fork(programs.spins, w)
    while True:
        await posix.read(r, 100)

asyncipc.run(main, backend=sys.argv[1], machine=asyncipc.Native(isolation="process"))
"""


def test_an_ancestor_that_is_killed_takes_all_its_descendants_along(
    backend: str, rounds: int
) -> None:
    for number in range(max(3, rounds // 5)):
        dice = random.Random(f"ancestor:{backend}:{number}")
        mark = f"{os.getpid()}-{backend}-{number}"
        ancestor = subprocess.Popen(
            [sys.executable, "-c", ANCESTOR, backend],
            env=os.environ
            | {"ASYNCIPC_TEST_MARK": mark, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stderr=subprocess.DEVNULL,  # KeyboardInterrupt
        )
        time.sleep(dice.uniform(0.2, 2 * BOOT_S + 1.0))
        ancestor.send_signal((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[number % 3])
        ancestor.wait()
        assert wait_until_gone(mark) == [], f"round {number}"


def wait_until_gone(mark: str) -> list[str]:
    """Who lives on after a while."""
    until = time.monotonic() + GONE_S
    while (left := marked(mark)) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def marked(mark: str) -> list[str]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                environment = (process / "environ").read_bytes()
            except OSError:
                continue
            if f"ASYNCIPC_TEST_MARK={mark}\0".encode() in environment:
                found.append(process.name)
    return found


def test_an_interpreter_of_the_run_starts_no_other_program() -> None:
    """Killed while that runs, it would leave an orphan of which nobody was told."""
    hook = "import sys; seen = []; sys.addaudithook(lambda *event: seen.append(event))\n"
    begun = CODE.format(str(Path(asyncipc.__file__).parents[1]), 0).rpartition("main(0)")[0]
    said = 'print([event for event in seen if event[0] == "subprocess.Popen"], find.__name__)'
    told = subprocess.run(
        [sys.executable, "-c", hook + begun + said], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "[] find_library"
