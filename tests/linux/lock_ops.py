"""Operations of locks: flock, and the record locks of processes and of open files."""

from __future__ import annotations

from collections.abc import Mapping
from fcntl import F_RDLCK, F_SETLKW, F_UNLCK, F_WRLCK
from typing import Final

from asyncipc import posix
from tests.linux.descriptor_ops import Operation, number_of, retried
from tests.linux.oplang import Pid, Value

LOCK_TYPES: Final = {F_RDLCK: "F_RDLCK", F_WRLCK: "F_WRLCK"}


async def flock(fd: int, operation: int) -> None:
    await retried(posix.flock, number_of(fd), operation)


async def sys_flock(fd: int, operation: int) -> None:
    await posix.flock(fd, operation)


async def lockf(fd: int, operation: int, length: int = 0, start: int = 0, whence: int = 0) -> None:
    await retried(posix.lockf, number_of(fd), operation, length, start, whence)


async def setlk(
    fd: int, command: int, kind: int, start: int, length: int, whence: int = 0, pid: int = 0
) -> None:
    lock = posix.FileLock(kind, whence, start, length, pid)
    await retried(posix.fcntl_lock, number_of(fd), command, lock)


async def sys_setlkw(fd: int, kind: int, start: int, length: int) -> None:
    await posix.fcntl_lock(fd, F_SETLKW, posix.FileLock(kind, 0, start, length))


async def getlk(fd: int, command: int, kind: int, start: int, length: int) -> Value:
    """Who stands in the way: ``free``, or [type, start, length, process]."""
    asked = posix.FileLock(kind, 0, start, length)
    lock = await retried(posix.fcntl_lock, number_of(fd), command, asked)
    if lock.l_type == F_UNLCK:
        return "free"
    owner = Pid(lock.l_pid) if lock.l_pid > 0 else lock.l_pid
    return [LOCK_TYPES[lock.l_type], lock.l_start, lock.l_len, owner]


OPERATIONS: Final[Mapping[str, Operation]] = {
    "flock": flock,
    "getlk": getlk,
    "lockf": lockf,
    "setlk": setlk,
    "sys_flock": sys_flock,
    "sys_setlkw": sys_setlkw,
}
