"""The run's first process, its group and its interpreter, and what others took before it asked."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import pytest

from asyncipc import Native, Simulation, posix
from tests.native import group_programs as programs
from tests.native.conftest import descriptors
from tests.native.programs import returns, sleeps

Run = Callable[..., Any]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it stands on Linux")


@pytest.fixture
def neighbour() -> Any:
    """Somebody in the interpreter's group who has nothing to do with the run."""
    with subprocess.Popen(["sleep", "60"]) as neighbour:
        yield neighbour
        neighbour.kill()


@pytest.mark.parametrize("name_it", [False, True], ids=["0", "-group"])
def test_a_signal_to_ones_own_group_ends_the_run_and_spares_the_shells_job(
    name_it: bool, isolated: Run, neighbour: subprocess.Popen[bytes]
) -> None:
    assert isolated(programs.signals_its_group, -os.getpgrp() if name_it else 0) is None
    assert neighbour.poll() is None


def test_a_signal_to_ones_own_group_reaches_its_handler_and_its_children(isolated: Run) -> None:
    async def main() -> None:
        handled: list[int] = []
        posix.signal(signal.SIGTERM, lambda number, _: handled.append(number))
        child, other = posix.fork(sleeps), posix.fork(sleeps)
        posix.kill(0, signal.SIGTERM)
        assert handled == [signal.SIGTERM]
        assert await posix.waitpid(child) == (child, signal.SIGTERM)
        assert await posix.waitpid(other) == (other, signal.SIGTERM)

    isolated(main)


def test_a_wrong_signal_to_ones_own_group_reaches_nobody(isolated: Run) -> None:
    async def main() -> None:
        child = posix.fork(sleeps)
        with pytest.raises(OSError, match="Invalid"):
            posix.kill(0, 65)
        assert await posix.waitpid(child, posix.WNOHANG) == (0, 0)
        posix.kill(child, signal.SIGKILL)
        await posix.waitpid(child)

    isolated(main)


def test_the_first_process_may_be_killed_by_its_pidfd_and_its_interpreter_lives(
    isolated: Run,
) -> None:
    assert isolated(programs.signals_itself_by_pidfd) is None


def test_a_child_may_be_killed_by_its_own_pidfd(isolated: Run) -> None:
    async def main() -> None:
        pid = posix.fork(programs.signals_itself_by_pidfd)
        assert await posix.waitpid(pid) == (pid, signal.SIGTERM)

    isolated(main)


def take(pid: int) -> None:
    """Past asyncipc, as a library might."""
    os.waitpid(pid, 0)


def test_a_wait_for_ones_group_passes_a_child_that_a_bare_wait_took(isolated: Run) -> None:
    async def main() -> None:
        taken, other = posix.fork(returns), posix.fork(returns)
        take(taken)
        ended = {await posix.waitpid(0), await posix.waitpid(0)}
        assert ended == {(taken, 255 << 8), (other, 0)}

    isolated(main)


def test_a_start_that_finds_no_numbers_leaves_none_behind(backend: str) -> None:
    started: list[bool] = []

    async def nothing() -> None:
        pass

    async def start() -> None:
        with suppress(OSError):
            await Simulation(machine=Native(isolation="process")).run(nothing, ())
            started[-1] = True

    async def main() -> None:
        """In a loop that has its own numbers already."""
        await start_with_room(99)  # what it imports
        before = state()
        for room in range(12):
            await start_with_room(room)
            assert state() == before

    async def start_with_room(room: int) -> None:
        free = [number for number in range(200) if str(number) not in descriptors()]
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free[room], limits[1]))
        started.append(False)
        try:
            await start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    def state() -> tuple[object, ...]:
        handlers = [signal.getsignal(each) for each in (signal.SIGCHLD, signal.SIGPIPE)]
        return descriptors(), handlers, signal.pthread_sigmask(signal.SIG_BLOCK, ())

    anyio.run(main, backend=backend)
    assert started == [True, *sorted(started[1:])]
    assert (started[1], started[-1]) == (False, True)
