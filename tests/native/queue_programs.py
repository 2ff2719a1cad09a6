"""Programs for children that are processes of the operating system, on queues and semaphores."""

from __future__ import annotations

import os
from signal import SIGKILL

from asyncipc import posix


async def sends_to(name: str, msqid: int) -> None:
    await posix.mq_send(posix.mq_open(name, os.O_WRONLY), b"%d" % os.getpid(), 3)
    assert await posix.msgrcv(msqid, 16, os.getpid()) == (os.getpid(), b"answer")


async def sends_on(fd: int) -> None:
    """It is given the descriptor."""
    assert posix.mq_getattr(fd).mq_maxmsg == 1
    await posix.mq_send(fd, b"by what was inherited")


async def takes_and_dies(semid: int) -> None:
    await posix.semop(semid, [(0, -1, posix.SEM_UNDO)])
    posix.kill(posix.getpid(), SIGKILL)
