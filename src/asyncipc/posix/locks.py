"""Calls that lock files, or what else a descriptor stands for: flock, lockf, fcntl's locks.

All locks are advisory: reading and writing ask for none.

On the native machine who waits for a lock asks again by time, up to 20 ms late and
in no order, and F_SETLKW never fails with EDEADLK.  The locks of processes (``lockf``,
F_SETLK and its like) need ``Native(isolation="process")``.
"""

from __future__ import annotations

import errno
import operator
from typing import Final

from asyncipc.errors import fail
from asyncipc.kernel.locks.flock import kind_of
from asyncipc.kernel.locks.records import COMMANDS, FileLock
from asyncipc.posix.arguments import entry_of, not_open
from asyncipc.posix.constants import (
    F_RDLCK,
    F_SETLK,
    F_SETLKW,
    F_UNLCK,
    F_WRLCK,
    LOCK_EX,
    LOCK_NB,
    LOCK_SH,
    LOCK_UN,
)
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import syscall

__all__ = [
    "FileLock",
    "fcntl_lock",
    "flock",
    "lockf",
]

LOFF_T: Final = range(-(2**63), 2**63)


async def flock(fd: int, operation: int) -> None:
    """flock(2): lock what ``fd`` stands for, for its open file.

    ``operation``: LOCK_SH (shared), LOCK_EX (exclusive) or LOCK_UN.  Blocks while
    another open file has a lock that conflicts, whatever O_NONBLOCK says; with
    LOCK_NB EAGAIN instead.  dup and fork share the lock, the last close releases
    it.  Changing from shared to exclusive or back gives the old lock up first:
    it is lost if the call fails or is cancelled.  Errors: EBADF, EINVAL, EINTR.
    """
    operation = operator.index(operation)
    entry = entry_of(fd)
    if entry is None:
        await syscall("flock", None, _flock_nothing, operator.index(fd), operation)
        return
    body = current()
    locking = body.machine.flock(body, entry, operation)
    await syscall("flock", locking, locking)


def _flock_nothing(fd: int, operation: int) -> None:
    """It looks at the operation before the descriptor."""
    if kind_of(operation) is not None:
        fail(errno.EBADF)


async def fcntl_lock(fd: int, command: int, lock: FileLock) -> FileLock:
    """fcntl(2): lock a range of octets for this process, or ask about it.

    F_SETLK sets or releases (F_UNLCK), EAGAIN if another's lock is in the way;
    F_SETLKW blocks then, whatever O_NONBLOCK says.  Both return ``lock``.
    F_GETLK returns the first lock in the way, or ``lock`` with F_UNLCK.  The
    process loses its locks on a file when it closes any descriptor of it; fork
    inherits none.  F_OFD_SETLK, F_OFD_SETLKW and F_OFD_GETLK do the same for the
    open file, as in ``flock``.  Cancelled, a call leaves what there was.
    Errors: EBADF (also the wrong access mode), EINVAL, EOVERFLOW (the range),
    EDEADLK (F_SETLKW: a cycle of waiting processes), EINTR.
    """
    command = operator.index(command)
    if command not in COMMANDS:
        raise ValueError(f"fcntl_lock is for F_GETLK and its like, not for command {command}")
    lock = FileLock(*map(operator.index, lock))
    if lock.l_start not in LOFF_T or lock.l_len not in LOFF_T:
        raise OverflowError("a file's offset has 64 bits")
    entry = entry_of(fd) or await not_open("fcntl", fd, command, tuple(lock))
    body = current()
    locking = body.machine.record_lock(body, entry, command, lock)
    return await syscall("fcntl", locking, locking)


async def lockf(fd: int, cmd: int, len: int = 0, start: int = 0, whence: int = 0) -> None:
    """``fcntl.lockf``: ``fcntl_lock`` with ``cmd`` as of ``flock``.

    Locks ``len`` octets (0: to the end of all time) from ``start``, counted from
    ``whence``.  Blocks unless LOCK_NB is in ``cmd``.  ValueError for another ``cmd``.
    """
    cmd = operator.index(cmd)
    if cmd == LOCK_UN:
        kind = F_UNLCK
    elif cmd & LOCK_SH:
        kind = F_RDLCK
    elif cmd & LOCK_EX:
        kind = F_WRLCK
    else:
        raise ValueError("unrecognized lockf argument")
    command = F_SETLK if cmd & LOCK_NB else F_SETLKW
    await fcntl_lock(fd, command, FileLock(kind, whence, start, len))
