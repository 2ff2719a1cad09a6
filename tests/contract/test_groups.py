"""Process groups, sessions, users and subreapers as a program sees them, on both loops."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIGHUP, SIGTERM, SIGTSTP
from typing import Any

import anyio
import pytest

from asyncipc import posix
from tests.kernel.helpers import failure

Run = Callable[..., Any]


def test_the_first_process_leads_a_session_and_children_are_in_it(run: Run) -> None:
    async def child() -> None:
        assert posix.getsid(0) == posix.getpgrp() == posix.getppid()
        assert posix.setsid() == posix.getpid() == posix.getsid(0) == posix.getpgid(0)
        assert failure(posix.setsid) == "EPERM"

    async def main() -> None:
        assert posix.getsid(0) == posix.getpgrp() == posix.getpid()
        assert failure(posix.setpgid, 0, 0) == "EPERM"
        pid = posix.fork(child)
        assert await posix.waitpid(pid) == (pid, 0)
        assert failure(posix.getsid, pid) == failure(posix.getpgid, pid) == "ESRCH"

    run(main)


def test_killpg_reaches_the_group_and_nobody_else(run: Run) -> None:
    async def main() -> None:
        pids = [posix.fork(posix.nanosleep, 100) for _ in range(3)]
        for pid in pids[:2]:
            posix.setpgid(pid, pids[0])
        posix.killpg(pids[0], SIGTERM)
        statuses = [await posix.waitpid(pid, posix.WNOHANG) for pid in pids]
        assert statuses == [(pids[0], SIGTERM), (pids[1], SIGTERM), (0, 0)]
        assert failure(posix.killpg, pids[0], 0) == "ESRCH"
        assert failure(posix.killpg, -1, 0) == "EINVAL"
        posix.kill(pids[2], SIGTERM)
        await posix.wait()

    run(main)


def test_waitid_waits_for_news_and_can_leave_it(run: Run) -> None:
    async def child() -> None:
        await posix.nanosleep(1)
        posix._exit(4)

    async def main() -> None:
        pid = posix.fork(child)
        assert await posix.waitid(posix.P_ALL, 0, posix.WEXITED | posix.WNOHANG) is None
        for options in (posix.WEXITED | posix.WNOWAIT, posix.WEXITED):
            info = await posix.waitid(posix.P_PID, pid, options)
            assert info is not None
            assert (info.si_pid, info.si_status, info.si_code) == (pid, 4, 1)

    run(main)


def test_a_cancelled_waitid_takes_no_news(run: Run) -> None:
    async def main() -> None:
        pid = posix.fork(posix.nanosleep, 10)
        with anyio.move_on_after(1) as scope:
            await posix.waitid(posix.P_ALL, 0, posix.WEXITED)
        assert scope.cancelled_caught
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_orphans_come_to_the_nearest_subreaper(run: Run) -> None:
    async def orphan(pids: list[int]) -> None:
        pids.append(posix.getpid())
        await posix.nanosleep(5)
        assert posix.getppid() == 2
        posix._exit(9)

    async def child(pids: list[int]) -> None:
        posix.fork(orphan, pids)
        await posix.nanosleep(1)

    async def main() -> None:
        pids: list[int] = []
        posix.set_child_subreaper(True)
        pid = posix.fork(child, pids)
        assert await posix.waitpid(pid) == (pid, 0)
        assert await posix.waitpid(-1) == (pids[0], 9 << 8)

    run(main)


@pytest.mark.simulated("a task stays the interpreter's user")
def test_who_is_not_root_may_signal_its_own_processes_only(run: Run) -> None:
    async def child(other: int) -> None:
        posix.setuid(1000)
        assert (posix.getuid(), failure(posix.setuid, 0)) == (1000, "EPERM")
        for number in (0, SIGTERM):
            assert failure(posix.kill, other, number) == "EPERM"
            assert failure(posix.sigqueue, other, number, 1) == "EPERM"
        posix.kill(other, 18)  # SIGCONT, in one session

    async def main() -> None:
        other = posix.fork(posix.nanosleep, 1)
        pid = posix.fork(child, other)
        assert await posix.waitpid(pid) == (pid, 0)
        assert await posix.waitpid(other) == (other, 0)

    run(main)


@pytest.mark.parametrize("handled", [False, True])
def test_a_stopped_group_that_becomes_orphaned_is_hung_up_and_continued(
    run: Run, handled: bool
) -> None:
    log: list[int] = []

    async def job() -> None:
        if handled:
            posix.signal(SIGHUP, lambda number, _: log.append(number), posix.SA_RESTART)
        posix.raise_signal(SIGTSTP)
        await posix.poll([], 0)
        log.append(0)

    async def shell() -> None:
        pid = posix.fork(job)
        posix.setpgid(pid, pid)
        assert (await posix.waitpid(pid, posix.WUNTRACED))[1] == SIGTSTP << 8 | 0x7F

    async def main() -> None:
        pid = posix.fork(shell)
        assert await posix.waitpid(pid) == (pid, 0)
        await anyio.sleep(1)

    run(main)
    assert log == ([SIGHUP, 0] if handled else [])


def test_stop_signals_of_the_terminal_do_nothing_in_an_orphaned_group(run: Run) -> None:
    async def main() -> None:
        posix.kill(posix.getpid(), SIGTSTP)
        await posix.poll([], 0)

    run(main)
