"""Operations on descriptors: pipes, dup, flags, reading and writing."""
# ruff: noqa: A002 (the op language names the keywords)

from __future__ import annotations

import array
import ctypes
import fcntl as fcntl_module
import os
import resource
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from tests.linux.oplang import Fd, Pid, Value, error_name
from tests.linux.real.libc import INT, POINTER, SIZE, TEXT, UNSIGNED, function

Operation: TypeAlias = Callable[..., Any]

TIOCOUTQ: Final = 0x5411
FIONBIO: Final = 0x5421
FIONREAD: Final = 0x541B
FILL_MAX: Final = 100_000

_dup3: Final = function("dup3", INT, INT, INT)
_close_range: Final = function("close_range", UNSIGNED, UNSIGNED, INT)
_read: Final = function("read", INT, POINTER, SIZE, result=ctypes.c_ssize_t)
_write: Final = function("write", INT, TEXT, SIZE, result=ctypes.c_ssize_t)


# -- making and closing


def pipe(flags: int = 0) -> Value:
    return [Fd(fd) for fd in os.pipe2(flags)]


def close_range(first: int, last: int, flags: int = 0) -> Value:
    return int(_close_range(first & 0xFFFFFFFF, last & 0xFFFFFFFF, flags))


def dup(fd: int) -> Value:
    return Fd(os.dup(fd))


def dup2(fd: int, target: int, inheritable: int = 1) -> Value:
    return Fd(os.dup2(fd, target, bool(inheritable)))


def dup3(fd: int, target: int, flags: int) -> Value:
    return Fd(_dup3(fd, target, flags))


def dupfd(fd: int, lowest: int) -> Value:
    return Fd(fcntl_module.fcntl(fd, fcntl_module.F_DUPFD, lowest))


def dupfd_cloexec(fd: int, lowest: int) -> Value:
    return Fd(fcntl_module.fcntl(fd, fcntl_module.F_DUPFD_CLOEXEC, lowest))


def rlimit(which: str, soft: int) -> None:
    number: int = getattr(resource, f"RLIMIT_{which}")
    resource.setrlimit(number, (soft, resource.getrlimit(number)[1]))


# -- flags


def fcntl(fd: int, command: int, argument: int = 0) -> Value:
    answer: int = fcntl_module.fcntl(fd, command, argument)
    return Pid(answer) if command == fcntl_module.F_GETOWN and answer else answer


def nonblock(fd: int, on: int = 1) -> None:
    os.set_blocking(fd, not on)


def isblocking(fd: int) -> Value:
    return int(os.get_blocking(fd))


def inheritable(fd: int) -> Value:
    return int(os.get_inheritable(fd))


def set_inheritable(fd: int, on: int) -> None:
    os.set_inheritable(fd, bool(on))


def fionread(fd: int, request: int = FIONREAD) -> Value:
    answer = array.array("i", [-1])
    fcntl_module.ioctl(fd, request, answer)
    return answer[0]


def fionbio(fd: int, on: int) -> None:
    fcntl_module.ioctl(fd, FIONBIO, array.array("i", [on]))


# -- reading and writing


def readlen(fd: int, n: int) -> Value:
    return len(os.read(fd, n))


def readv(fd: int, sizes: list[int]) -> Value:
    buffers = [bytearray(size) for size in sizes]
    got = os.readv(fd, buffers)
    return [got, *map(bytes, buffers)]


def sys_read(fd: int, n: int) -> Value:
    buffer = ctypes.create_string_buffer(max(n, 0))
    got = _read(fd, buffer, n)
    return buffer.raw[:got]


def sys_write(fd: int, data: bytes) -> Value:
    return int(_write(fd, data, len(data)))


def fill(fd: int, data: bytes, show: str | None = None, max: int = FILL_MAX) -> Value:
    """Write without blocking until it fails: [writes, bytes, how it ended]."""
    was_blocking = os.get_blocking(fd)
    os.set_blocking(fd, False)
    try:
        tally = until_failure(lambda: os.write(fd, data), max)
    finally:
        os.set_blocking(fd, was_blocking)
    return tally[2] if show == "err" else tally


def drain(fd: int, size: int = 65536, show: str | None = None) -> Value:
    """Read without blocking until nothing comes: [reads, bytes, how it ended]."""
    was_blocking = os.get_blocking(fd)
    os.set_blocking(fd, False)
    reads = total = 0
    try:
        while data := os.read(fd, size):
            reads, total = reads + 1, total + len(data)
        end = "EOF"
    except OSError as error:
        end = error_name(error)
    finally:
        os.set_blocking(fd, was_blocking)
    return end if show == "err" else [reads, total, end]


def until_failure(send: Callable[[], int], limit: int) -> list[Value]:
    calls = total = 0
    try:
        while calls < limit:
            total += send()
            calls += 1
    except OSError as error:
        return [calls, total, error_name(error)]
    return [calls, total, "max"]


OPERATIONS: Final[Mapping[str, Operation]] = {
    "close": os.close,
    "close_range": close_range,
    "closerange": os.closerange,
    "drain": drain,
    "dup": dup,
    "dup2": dup2,
    "dup3": dup3,
    "dupfd": dupfd,
    "dupfd_cloexec": dupfd_cloexec,
    "fcntl": fcntl,
    "fdno": int,
    "fill": fill,
    "fionbio": fionbio,
    "fionread": fionread,
    "inheritable": inheritable,
    "isblocking": isblocking,
    "nonblock": nonblock,
    "pipe": pipe,
    "read": os.read,
    "readlen": readlen,
    "readv": readv,
    "rlimit": rlimit,
    "set_inheritable": set_inheritable,
    "sys_read": sys_read,
    "sys_write": sys_write,
    "write": os.write,
    "writev": os.writev,
}
