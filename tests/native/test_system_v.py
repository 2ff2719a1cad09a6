"""System V message queues and semaphores of the operating system, tried again and again."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from asyncipc import Unsupported, posix
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.native import libc
from tests.contract.queues import KEY, nothing_stays
from tests.native import queue_programs

__all__ = ["nothing_stays"]
pytestmark = pytest.mark.usefixtures("nothing_stays")

Run = Callable[..., Any]


async def error_of(call: Awaitable[object]) -> int | None:
    with pytest.raises(OSError) as caught:
        await call
    return caught.value.errno


def test_the_layouts_are_those_of_this_system() -> None:
    from asyncipc.native.sysv.messages import _QueueStatus
    from asyncipc.native.sysv.semaphore_sets import _SetStatus

    assert ctypes.sizeof(libc.Permissions) == 48
    assert ctypes.sizeof(_QueueStatus) == 120
    assert ctypes.sizeof(_SetStatus) == (104 if os.uname().machine == "x86_64" else 88)


def test_what_a_status_tells_is_what_the_system_lists(run: Run) -> None:
    async def main() -> None:
        msqid = posix.msgget(KEY, posix.IPC_CREAT | 0o640)
        await posix.msgsnd(msqid, 5, b"hello")
        status = posix.msgctl(msqid, posix.IPC_STAT)
        assert status is not None
        listed = row("msg", msqid)
        assert listed["key"] == status.key == KEY
        assert int(str(listed["perms"]), 8) == status.mode == 0o640
        assert (listed["cbytes"], listed["qnum"]) == (status.msg_cbytes, status.msg_qnum) == (5, 1)
        assert listed["lspid"] == status.msg_lspid == os.getpid()
        assert listed["ctime"] == status.msg_ctime
        assert listed["stime"] == status.msg_stime

        semid = posix.semget(KEY, 3, posix.IPC_CREAT | 0o640)
        await posix.semop(semid, [(2, 7)])
        found = posix.semctl(semid, 0, posix.IPC_STAT)
        assert isinstance(found, tuple)
        listed = row("sem", semid)
        assert listed["key"] == found.key == KEY
        assert listed["nsems"] == found.sem_nsems == 3
        assert (listed["otime"], listed["ctime"]) == (found.sem_otime, found.sem_ctime)
        assert posix.semctl(semid, 0, posix.GETALL) == [0, 0, 7]
        assert posix.semctl(semid, 2, posix.GETPID) == os.getpid()

    run(main)


def row(kind: str, identifier: int) -> dict[str, int]:
    with open(f"/proc/sysvipc/{kind}") as file:
        names, *rows = [line.split() for line in file]
    found = {int(each[1]): dict(zip(names, map(int, each), strict=True)) for each in rows}
    return found[identifier]


def test_ipc_set_changes_what_it_says(run: Run) -> None:
    async def main() -> None:
        msqid = posix.msgget(posix.IPC_PRIVATE, 0o600)
        status = posix.msgctl(msqid, posix.IPC_STAT)
        assert status is not None
        posix.msgctl(msqid, posix.IPC_SET, status._replace(msg_qbytes=100, mode=0o640))
        changed = posix.msgctl(msqid, posix.IPC_STAT)
        assert changed is not None
        assert (changed.msg_qbytes, changed.mode) == (100, 0o640)
        with pytest.raises(OSError) as caught:
            posix.msgctl(msqid, posix.IPC_SET, None)
        assert caught.value.errno == errno.EFAULT
        semid = posix.semget(posix.IPC_PRIVATE, 1, 0o600)
        found = posix.semctl(semid, 0, posix.IPC_STAT)
        assert isinstance(found, tuple)
        posix.semctl(semid, 0, posix.IPC_SET, found._replace(mode=0o640))
        assert posix.semctl(semid, 0, posix.IPC_STAT)[8] == 0o640  # type: ignore[index]
        for value in (-1, 1 << 15, 1 << 32):
            with pytest.raises(OSError) as caught:
                posix.semctl(semid, 0, posix.SETVAL, value)
            assert caught.value.errno == errno.ERANGE
            with pytest.raises(OSError) as caught:
                posix.semctl(semid, 0, posix.SETALL, [value])
            assert caught.value.errno == errno.ERANGE

    run(main)


def test_a_removed_one_is_told_of_by_who_slept_and_else_unknown(run: Run) -> None:
    async def main() -> None:
        msqid = posix.msgget(posix.IPC_PRIVATE, 0o600)
        semid = posix.semget(posix.IPC_PRIVATE, 1, 0o600)
        told: list[int | None] = []

        async def sleep(call: Awaitable[object]) -> None:
            told.append(await error_of(call))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sleep, posix.msgrcv(msqid, 16))
            tasks.start_soon(sleep, posix.semop(semid, [(0, -1)]))
            await anyio.sleep(1)
            posix.msgctl(msqid, posix.IPC_RMID)
            posix.semctl(semid, 0, posix.IPC_RMID)
        assert told == [errno.EIDRM] * 2
        assert await error_of(posix.msgrcv(msqid, 16)) == errno.EINVAL
        assert await error_of(posix.semop(semid, [(0, -1)])) == errno.EINVAL

    run(main)


def test_ipc_nowait_counts_if_the_operation_that_blocks_has_it(run: Run) -> None:
    async def main() -> None:
        semid = posix.semget(posix.IPC_PRIVATE, 2, 0o600)
        posix.semctl(semid, 0, posix.SETALL, [1, 0])
        waits, does_not = (1, -1), (1, -1, posix.IPC_NOWAIT)
        assert await error_of(posix.semop(semid, [(0, -1), does_not])) == errno.EAGAIN
        assert await error_of(posix.semop(semid, [does_not, (0, -2)])) == errno.EAGAIN
        with anyio.move_on_after(1) as scope:
            await posix.semop(semid, [(0, -1, posix.IPC_NOWAIT), waits])
        assert scope.cancelled_caught
        with anyio.move_on_after(1) as scope:
            await posix.semop(semid, [(1, 0), (0, 0), does_not])
        assert scope.cancelled_caught, "the second, which waits for zero"
        assert posix.semctl(semid, 0, posix.GETALL) == [1, 0], "all at once or none"

    run(main)


def test_a_message_of_any_size_is_cut_or_too_long_as_the_flags_say(run: Run) -> None:
    async def main() -> None:
        msqid = posix.msgget(posix.IPC_PRIVATE, 0o600)
        await posix.msgsnd(msqid, 1 << 40, b"hello\0world")
        assert await error_of(posix.msgrcv(msqid, 5)) == errno.E2BIG
        assert await posix.msgrcv(msqid, 5, 0, posix.MSG_NOERROR) == (1 << 40, b"hello")
        for size in (-1, 1 << 63):
            assert await error_of(posix.msgrcv(msqid, size)) == errno.EINVAL
        assert await error_of(posix.msgrcv(msqid, 5, 0, posix.IPC_NOWAIT)) == errno.ENOMSG
        assert await error_of(posix.msgrcv(msqid, 5, 0, posix.MSG_COPY)) == errno.EINVAL
        await posix.msgsnd(msqid, 2, b"")
        assert await posix.msgrcv(msqid, 1 << 40) == (2, b"")
        assert await error_of(posix.msgsnd(msqid, 1, bytes(1 << 20))) == errno.EINVAL

    run(main)


def test_undoing_is_refused_by_name_for_tasks(run: Run) -> None:
    async def main() -> None:
        semid = posix.semget(posix.IPC_PRIVATE, 1, 0o600)
        with pytest.raises(Unsupported, match=r"SEM_UNDO.*isolation"):
            await posix.semop(semid, [(0, 1, posix.SEM_UNDO)])
        assert posix.semctl(semid, 0, posix.GETVAL) == 0

    run(main)


def test_what_a_process_has_taken_comes_back_at_its_end(isolated: Run) -> None:
    async def main() -> None:
        semid = posix.semget(posix.IPC_PRIVATE, 1, 0o600)
        posix.semctl(semid, 0, posix.SETVAL, 1)
        pid = posix.fork(queue_programs.takes_and_dies, semid)
        assert await posix.waitpid(pid) == (pid, SIGKILL)
        assert posix.semctl(semid, 0, posix.GETVAL) == 1
        assert posix.semctl(semid, 0, posix.GETPID) == pid

    isolated(main)
