"""Calls on eventfd: a counter that processes wait for, shaped as in ``os``."""

from __future__ import annotations

import operator

from asyncipc.posix.constants import EFD_CLOEXEC
from asyncipc.posix.files import read, write
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call

__all__ = [
    "eventfd",
    "eventfd_read",
    "eventfd_write",
]

INITIAL_MAX = 2**32 - 1
VALUE_MAX = 2**64 - 1


def eventfd(initval: int, flags: int = EFD_CLOEXEC) -> int:
    """eventfd(2): a descriptor of a counter of 64 bits, which starts at ``initval``.

    EFD_SEMAPHORE: reading takes 1.  EFD_NONBLOCK, EFD_CLOEXEC.  OverflowError
    beyond 32 bits, EINVAL for other flags, EMFILE.
    """
    if not 0 <= operator.index(initval) <= INITIAL_MAX:
        raise OverflowError("initval is an unsigned int")
    body = current()

    def make(initval: int, flags: int) -> int:
        file = body.machine.eventfd(initval, flags)
        return body.process.table.open(file, cloexec=bool(flags & EFD_CLOEXEC))[0].fd

    return call("eventfd2", make, operator.index(initval), operator.index(flags))


async def eventfd_read(fd: int) -> int:
    """eventfd_read(3): take the counter, or 1 of it (EFD_SEMAPHORE).

    Blocks while it is 0; EAGAIN with O_NONBLOCK.  Cancelled it has taken nothing.  EBADF.
    """
    return int.from_bytes(await read(fd, 8), "little")


async def eventfd_write(fd: int, value: int) -> None:
    """eventfd_write(3): add to the counter.

    Blocks while that is more than 2^64 - 2; EAGAIN with O_NONBLOCK.  Cancelled
    it has added nothing.  EBADF, EINVAL (2^64 - 1), OverflowError beyond 64 bits.
    """
    if not 0 <= operator.index(value) <= VALUE_MAX:
        raise OverflowError("value is an unsigned int of 64 bits")
    await write(fd, operator.index(value).to_bytes(8, "little"))
