"""Operations on descriptors: pipes, dup, flags, reading and writing.

The plain ones go through Python's layer (``os``, ``fcntl``), so they check
what it checks before it calls, and retry as PEP 475 says; ``sys_`` ones are
the bare call.
"""
# ruff: noqa: A002 (the op language names the keywords)

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from errno import EINVAL
from typing import Any, Final, TypeAlias, TypeVar, TypeVarTuple

from asyncipc import posix
from asyncipc.errors import fail
from tests.linux.oplang import Fd, Pid, Value, error_name

T = TypeVar("T")
Args = TypeVarTuple("Args")
Operation: TypeAlias = Callable[..., Any]
"""A plain or an async function, from the arguments of an op to its value."""

FILL_MAX: Final = 100_000


async def retried(call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
    """PEP 475: a call that a signal interrupted is made again."""
    while True:
        try:
            return await call(*args)
        except InterruptedError:
            continue


def number_of(fd: int) -> int:
    """What ``fcntl``, ``select`` and ``socket`` ask of a descriptor before they call."""
    if fd < 0:
        raise ValueError("file descriptor cannot be a negative integer")
    return fd


# -- making and closing


def pipe(flags: int = 0) -> Value:
    return [Fd(fd) for fd in posix.pipe2(flags)]


def closerange(first: int, beyond: int) -> None:
    if max(first, 0) < beyond:
        posix.close_range(max(first, 0), beyond - 1)


def close_range(first: int, last: int, flags: int = 0) -> int:
    """The bare call, whose numbers are unsigned."""
    posix.close_range(first & 0xFFFFFFFF, last & 0xFFFFFFFF, flags)
    return 0


def dup(fd: int) -> Fd:
    """``os.dup``, which marks the new number close-on-exec."""
    return Fd(posix.fcntl(fd, posix.F_DUPFD_CLOEXEC, 0))


def dup2(fd: int, target: int, inheritable: int = 1) -> Fd:
    if inheritable:
        return Fd(posix.dup2(fd, target))
    return dup3(fd, target, posix.O_CLOEXEC)


def dup3(fd: int, target: int, flags: int) -> Fd:
    return Fd(posix.dup3(fd, target, flags))


def dupfd(fd: int, lowest: int) -> Fd:
    return Fd(posix.fcntl(number_of(fd), posix.F_DUPFD, lowest))


def dupfd_cloexec(fd: int, lowest: int) -> Fd:
    return Fd(posix.fcntl(number_of(fd), posix.F_DUPFD_CLOEXEC, lowest))


def rlimit(resource: str, soft: int) -> None:
    """``resource.setrlimit``, which turns errors into ValueError; the hard limit stays."""
    number = {"NOFILE": posix.RLIMIT_NOFILE}.get(resource, -1)
    _, hard = posix.getrlimit(number)
    if not 0 <= soft <= hard:
        raise ValueError("current limit exceeds maximum limit")
    posix.setrlimit(number, (soft, hard))


# -- flags


def fcntl(fd: int, command: int, argument: int = 0) -> Value:
    answer = posix.fcntl(number_of(fd), command, argument)
    return Pid(answer) if command == posix.F_GETOWN and answer else answer


def nonblock(fd: int, on: int = 1) -> None:
    posix.set_blocking(fd, not on)


def fionread(fd: int, request: int = posix.FIONREAD) -> int:
    return posix.ioctl(number_of(fd), request)


def fionbio(fd: int, on: int) -> None:
    posix.ioctl(number_of(fd), posix.FIONBIO, on)


# -- reading and writing


async def read(fd: int, n: int) -> bytes:
    if n < 0:
        fail(EINVAL)
    return await retried(posix.read, fd, n)


async def readlen(fd: int, n: int) -> int:
    return len(await read(fd, n))


async def write(fd: int, data: bytes) -> int:
    return await retried(posix.write, fd, data)


async def readv(fd: int, sizes: list[int]) -> Value:
    """[how many octets, each buffer]"""
    buffers = [bytearray(size) for size in sizes]
    got: int = await retried(posix.readv, fd, buffers)
    return [got, *map(bytes, buffers)]


async def writev(fd: int, buffers: list[bytes]) -> int:
    return await retried(posix.writev, fd, buffers)


async def fill(fd: int, data: bytes, show: str | None = None, max: int = FILL_MAX) -> Value:
    """Write without blocking until it fails: [writes, bytes, how it ended]."""
    was_blocking = posix.get_blocking(fd)
    posix.set_blocking(fd, False)
    try:
        tally = await until_failure(lambda: posix.write(fd, data), max)
    finally:
        posix.set_blocking(fd, was_blocking)
    return tally[2] if show == "err" else tally


async def drain(fd: int, size: int = 65536, show: str | None = None) -> Value:
    """Read without blocking until nothing comes: [reads, bytes, how it ended]."""
    was_blocking = posix.get_blocking(fd)
    posix.set_blocking(fd, False)
    reads = total = 0
    try:
        while data := await posix.read(fd, size):
            reads, total = reads + 1, total + len(data)
        end = "EOF"
    except OSError as error:
        end = error_name(error)
    finally:
        posix.set_blocking(fd, was_blocking)
    return end if show == "err" else [reads, total, end]


async def until_failure(send: Callable[[], Awaitable[int]], limit: int) -> list[Value]:
    calls = total = 0
    try:
        while calls < limit:
            total += await send()
            calls += 1
    except OSError as error:
        return [calls, total, error_name(error)]
    return [calls, total, "max"]


OPERATIONS: Final[Mapping[str, Operation]] = {
    "close": posix.close,
    "close_range": close_range,
    "closerange": closerange,
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
    "inheritable": posix.get_inheritable,
    "isblocking": posix.get_blocking,
    "nonblock": nonblock,
    "pipe": pipe,
    "read": read,
    "readlen": readlen,
    "readv": readv,
    "rlimit": rlimit,
    "set_inheritable": posix.set_inheritable,
    "sys_read": posix.read,
    "sys_write": posix.write,
    "write": write,
    "writev": writev,
}
