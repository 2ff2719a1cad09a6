"""prctl(2): the signal that a process gets when its parent ends, and subreapers, on both loops."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIG_BLOCK, SIGKILL, SIGTERM, SIGUSR1
from typing import Any

import anyio
import pytest

from asyncipc import Unsupported, posix
from asyncipc.posix import PR_GET_CHILD_SUBREAPER, PR_GET_PDEATHSIG, PR_SET_PDEATHSIG
from tests.kernel.helpers import failure

Run = Callable[..., Any]


def test_who_asked_gets_the_signal_from_the_parent_that_ends(run: Run) -> None:
    told: list[object] = []

    async def grandchild() -> None:
        posix.pthread_sigmask(SIG_BLOCK, {SIGUSR1})
        posix.prctl(PR_SET_PDEATHSIG, SIGUSR1)
        parent = posix.getppid()
        info = await posix.sigwaitinfo({SIGUSR1})
        told.append((info.si_code, info.si_pid == parent, posix.getppid()))
        told.append(posix.prctl(PR_GET_PDEATHSIG))

    async def child() -> None:
        posix.fork(grandchild)
        await posix.nanosleep(1)

    async def main() -> None:
        await posix.waitpid(posix.fork(child))
        await posix.nanosleep(1)

    run(main)
    assert told == [(0, True, 1), SIGUSR1]


@pytest.mark.parametrize("ending", [0, SIGKILL])
def test_a_worker_that_asked_for_sigkill_does_not_survive_its_parent(run: Run, ending: int) -> None:
    async def worker(write_end: int) -> None:
        posix.prctl(PR_SET_PDEATHSIG, SIGKILL)
        await posix.write(write_end, b"!")
        await anyio.sleep_forever()

    async def master(write_end: int) -> None:
        posix.fork(worker, write_end)
        await posix.nanosleep(1)
        if ending:
            await anyio.sleep_forever()

    async def main() -> None:
        read_end, write_end = posix.pipe()
        pid = posix.fork(master, write_end)
        posix.close(write_end)
        assert await posix.read(read_end, 1) == b"!"
        if ending:
            posix.kill(pid, ending)
        assert await posix.waitpid(pid) == (pid, ending)
        assert await posix.read(read_end, 1) == b""

    run(main)


def test_fork_forgets_it_and_exec_does_not(run: Run) -> None:
    seen: list[int] = []

    async def look() -> None:
        seen.append(posix.prctl(PR_GET_PDEATHSIG))

    async def execute() -> None:
        posix.prctl(PR_SET_PDEATHSIG, SIGTERM)
        posix.execv(look)

    async def main() -> None:
        posix.prctl(PR_SET_PDEATHSIG, SIGTERM)
        for program in (look, execute):
            await posix.waitpid(posix.fork(program))

    run(main)
    assert seen == [0, SIGTERM]


@pytest.mark.simulated("a task stays the interpreter's user")
def test_a_change_of_user_forgets_it(run: Run) -> None:
    seen: list[int] = []

    async def main() -> None:
        for same, other in ((posix.setgid, 1000), (posix.setuid, 1000)):
            posix.prctl(PR_SET_PDEATHSIG, SIGTERM)
            same(0)
            seen.append(posix.prctl(PR_GET_PDEATHSIG))
            same(other)
            seen.append(posix.prctl(PR_GET_PDEATHSIG))

    run(main)
    assert seen == [SIGTERM, 0, SIGTERM, 0]


@pytest.mark.simulated("a task stays the interpreter's user")
def test_a_parent_may_not_signal_another_users_child_by_dying(run: Run) -> None:
    survived: list[int] = []

    async def child() -> None:
        posix.prctl(PR_SET_PDEATHSIG, SIGKILL)
        await posix.nanosleep(3)
        survived.append(posix.getppid())

    async def parent() -> None:
        posix.fork(child)
        await posix.nanosleep(1)
        posix.setuid(1000)

    async def main() -> None:
        await posix.waitpid(posix.fork(parent))
        await posix.nanosleep(5)

    run(main)
    assert survived == [1]


def test_prctl_answers_and_refuses(run: Run) -> None:
    async def main() -> None:
        assert posix.prctl(PR_GET_CHILD_SUBREAPER) == 0
        posix.set_child_subreaper(True)
        assert posix.prctl(PR_GET_CHILD_SUBREAPER) == 1
        for wrong in (-1, 65):
            assert failure(posix.prctl, PR_SET_PDEATHSIG, wrong) == "EINVAL"
        assert posix.prctl(PR_SET_PDEATHSIG, 64) == 0
        with pytest.raises(Unsupported, match="prctl option 15"):
            posix.prctl(15)

    run(main)
