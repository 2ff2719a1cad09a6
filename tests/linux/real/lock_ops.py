"""Operations of locks: flock, and the record locks of processes and of open files."""

from __future__ import annotations

import fcntl
import struct
from collections.abc import Mapping
from typing import Final

from tests.linux.oplang import Pid, Value
from tests.linux.real.descriptor_ops import Operation
from tests.linux.real.libc import INT, TEXT, function

FLOCK: Final = struct.Struct("hhqqi4x")
"""``struct flock``: type, whence, start, length, process."""
LOCK_TYPES: Final = {fcntl.F_RDLCK: "F_RDLCK", fcntl.F_WRLCK: "F_WRLCK"}

_flock: Final = function("flock", INT, INT)
_fcntl: Final = function("fcntl", INT, INT, TEXT)


def lockf(fd: int, operation: int, length: int = 0, start: int = 0, whence: int = 0) -> None:
    fcntl.lockf(fd, operation, length, start, whence)


def setlk(
    fd: int, command: int, kind: int, start: int, length: int, whence: int = 0, pid: int = 0
) -> None:
    fcntl.fcntl(fd, command, FLOCK.pack(kind, whence, start, length, pid))


def getlk(fd: int, command: int, kind: int, start: int, length: int) -> Value:
    """Who stands in the way: ``free``, or [type, start, length, process]."""
    answer = fcntl.fcntl(fd, command, FLOCK.pack(kind, 0, start, length, 0))
    found, _, first, octets, pid = FLOCK.unpack(answer)
    if found == fcntl.F_UNLCK:
        return "free"
    return [LOCK_TYPES[found], first, octets, Pid(pid) if pid > 0 else pid]


def sys_flock(fd: int, operation: int) -> None:
    _flock(fd, operation)


def sys_setlkw(fd: int, kind: int, start: int, length: int) -> None:
    _fcntl(fd, fcntl.F_SETLKW, FLOCK.pack(kind, 0, start, length, 0))


OPERATIONS: Final[Mapping[str, Operation]] = {
    "flock": fcntl.flock,
    "getlk": getlk,
    "lockf": lockf,
    "setlk": setlk,
    "sys_flock": sys_flock,
    "sys_setlkw": sys_setlkw,
}
