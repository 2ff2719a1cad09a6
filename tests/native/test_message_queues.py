"""POSIX message queues of the operating system: its descriptors, its order, its limits."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from signal import SIGUSR1
from typing import Any

import anyio
import pytest

from asyncipc import Unsupported, posix
from asyncipc.kernel.signals.disposition import SI_MESGQ
from asyncipc.native import libc
from asyncipc.native.adopt import adopt
from asyncipc.native.message_queue import NativeMessageQueue
from asyncipc.runtime.process import current
from tests.contract.queues import KEY, NAME, nothing_stays
from tests.native import queue_programs

__all__ = ["nothing_stays"]
pytestmark = pytest.mark.usefixtures("nothing_stays")

Run = Callable[..., Any]


def queue(maxmsg: int = 1, mode: int = 0o600) -> int:
    attributes = posix.QueueAttributes(0, maxmsg, 16)
    return posix.mq_open(NAME, os.O_CREAT | os.O_RDWR, mode, attributes)


def test_sleepers_are_served_in_the_order_they_came(run: Run) -> None:
    async def main() -> None:
        fd = queue()
        got: list[tuple[int, bytes]] = []

        async def receive(number: int) -> None:
            got.append((number, (await posix.mq_receive(fd, 16))[0]))

        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(receive, number)
                await anyio.sleep(1)
            for number in range(4):
                await posix.mq_send(fd, b"%d" % number)
        assert got == [(number, b"%d" % number) for number in range(4)]

        await posix.mq_send(fd, b"full")
        async with anyio.create_task_group() as tasks:
            for number in range(4):  # whatever their priorities
                tasks.start_soon(posix.mq_send, fd, b"%d" % number, number)
                await anyio.sleep(1)
            messages = [(await posix.mq_receive(fd, 16))[0] for _ in range(5)]
        assert messages == [b"full", b"0", b"1", b"2", b"3"]

    run(main)


def test_who_is_wrong_is_told_so_though_others_stand_in_line(run: Run) -> None:
    async def main() -> None:
        fd = queue()
        to_send = posix.mq_open(NAME, os.O_WRONLY)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(posix.mq_receive, fd, 16)
            await anyio.sleep(1)
            for size, expected in ((15, errno.EMSGSIZE), (16, errno.ETIMEDOUT)):
                with pytest.raises(OSError) as caught:
                    await posix.mq_timedreceive(fd, size, 0)
                assert caught.value.errno == expected
            with pytest.raises(OSError, match="Bad file descriptor"):
                await posix.mq_receive(to_send, 16)
            tasks.cancel_scope.cancel()
        await posix.mq_send(fd, b"full")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(posix.mq_send, fd, b"x")
            await anyio.sleep(1)
            for data, priority, expected in (
                (b"x" * 17, 0, errno.EMSGSIZE),
                (b"", -1, errno.EINVAL),
            ):
                with pytest.raises(OSError) as caught:
                    await posix.mq_send(fd, data, priority)
                assert caught.value.errno == expected
            tasks.cancel_scope.cancel()

    run(main)


def test_a_message_from_outside_wakes_who_sleeps_and_it_is_where_others_look(run: Run) -> None:
    async def main() -> None:
        fd = queue(maxmsg=2)
        outside = libc.mq_open(NAME.encode(), os.O_RDWR, 0, None)
        got = []

        async def receive() -> None:
            got.append(await posix.mq_receive(fd, 16))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receive)
            await anyio.sleep(1)
            libc.mq_send(outside, b"from outside", 12, 7)
        assert got == [(b"from outside", 7)]
        await posix.mq_send(fd, b"from inside")
        found = libc.QueueAttributes()
        libc.mq_getattr(outside, found)
        assert found.mq_curmsgs == 1
        os.close(outside)

    run(main)


def test_o_nonblock_is_the_programs_own(run: Run) -> None:
    async def main() -> None:
        fd = queue()
        other = posix.mq_open(NAME, os.O_RDWR | os.O_NONBLOCK)
        assert [posix.mq_getattr(each).mq_flags for each in (fd, other)] == [0, os.O_NONBLOCK]
        with pytest.raises(BlockingIOError):
            await posix.mq_receive(other, 16)
        assert posix.mq_setattr(other, 0).mq_flags == os.O_NONBLOCK
        with pytest.raises(TimeoutError):
            await posix.mq_timedreceive(other, 16, 1)
        with pytest.raises(OSError, match="Invalid argument"):
            posix.mq_setattr(fd, os.O_APPEND)

    run(main)


def test_a_queue_has_the_mode_that_the_umask_of_its_process_leaves(run: Run) -> None:
    async def main() -> None:
        current().process.umask = 0o027
        assert posix.fstat(queue(mode=0o666)).st_mode & 0o777 == 0o640
        assert os.umask(umask := os.umask(0o077)) == 0o077
        assert umask != 0o027, "the interpreter's own is as it was"

    run(main)


def test_an_adopted_queue_is_a_queue(run: Run) -> None:
    async def main() -> None:
        fd = queue()
        body = current()
        number = os.dup(body.process.table[fd].file.number)  # type: ignore[attr-defined]
        file = adopt(body.simulation.localhost.kernel, number)
        assert isinstance(file, NativeMessageQueue)
        received = body.process.table.open(file, cloexec=True)[0].fd
        await posix.mq_send(received, b"x", 2)
        assert await posix.mq_receive(fd, 16) == (b"x", 2)
        posix.mq_close(received)

    run(main)


def test_what_needs_processes_of_the_system_is_refused_by_name(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(Unsupported, match=r"mq_notify.*isolation"):
            posix.mq_notify(queue(), posix.SignalEvent(15))

    run(main)


def test_errors_of_names_are_the_systems(run: Run) -> None:
    async def main() -> None:
        for name, flags, expected in (
            ("no-slash", os.O_RDWR, errno.EINVAL),
            (NAME, os.O_RDWR, errno.ENOENT),
            ("/" + "n" * 256, os.O_CREAT | os.O_RDWR, errno.ENAMETOOLONG),
        ):
            with pytest.raises(OSError) as caught:
                posix.mq_open(name, flags)
            assert caught.value.errno == expected
        queue()
        with pytest.raises(FileExistsError):
            posix.mq_open(NAME, os.O_CREAT | os.O_EXCL | os.O_RDWR)
        posix.mq_unlink(NAME)
        with pytest.raises(FileNotFoundError):
            posix.mq_unlink(NAME)

    run(main)


# -- between processes of the operating system


def test_processes_meet_at_a_name_and_at_an_identifier(isolated: Run) -> None:
    async def main() -> None:
        fd = queue()
        msqid = posix.msgget(KEY, posix.IPC_CREAT | 0o600)
        pid = posix.fork(queue_programs.sends_to, NAME, msqid)
        assert await posix.mq_receive(fd, 16) == (b"%d" % pid, 3)
        await posix.msgsnd(msqid, pid, b"answer")
        assert await posix.waitpid(pid) == (pid, 0)
        posix.mq_close(fd)

    isolated(main)


def test_a_child_process_inherits_the_descriptor(isolated: Run) -> None:
    async def main() -> None:
        attributes = posix.QueueAttributes(0, 1, 32)
        fd = posix.mq_open(NAME, os.O_CREAT | os.O_RDWR, 0o600, attributes)
        pid = posix.fork(queue_programs.sends_on, fd)
        assert await posix.mq_receive(fd, 32) == (b"by what was inherited", 0)
        assert await posix.waitpid(pid) == (pid, 0)
        posix.mq_close(fd)

    isolated(main)


def test_a_message_from_another_process_raises_the_signal_once(isolated: Run) -> None:
    async def main() -> None:
        told: list[tuple[int, int, int]] = []

        def tell(_: int, info: posix.SignalInfo) -> None:
            told.append((info.si_code, info.si_pid, info.si_value))

        posix.signal(SIGUSR1, tell, posix.SA_RESTART)
        fd = queue()
        msqid = posix.msgget(KEY, posix.IPC_CREAT | 0o600)
        posix.mq_notify(fd, posix.SignalEvent(SIGUSR1, 77))
        pid = posix.fork(queue_programs.sends_to, NAME, msqid)
        await posix.msgsnd(msqid, pid, b"answer")
        assert await posix.waitpid(pid) == (pid, 0)
        await anyio.sleep(0.05)
        assert told == [(SI_MESGQ, pid, 77)]
        posix.mq_notify(fd, posix.SignalEvent(SIGUSR1))
        with pytest.raises(OSError, match="busy"):
            posix.mq_notify(fd, posix.SignalEvent(SIGUSR1))
        posix.mq_notify(fd, None)
        posix.mq_close(fd)

    isolated(main)
