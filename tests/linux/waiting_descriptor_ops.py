"""Operations of descriptors that wait for something: eventfd, timerfd, signalfd, pidfd."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from signal import SIGCHLD
from socket import SOL_SOCKET
from typing import Final

from asyncipc import posix
from tests.linux.descriptor_ops import Operation, retried
from tests.linux.oplang import Fd, Pid, Value, signal_name
from tests.linux.signal_ops import code_name
from tests.linux.socket_ops import a_socket

EFD_CLOEXEC: Final = 0o2000000
CLOCK_MONOTONIC: Final = 1
SO_PEERPIDFD: Final = 77
SIGNAL_RECORD: Final = struct.Struct("IiiIIiIIIIii80x")
"""``struct signalfd_siginfo``, as far as it is shown."""


# -- eventfd


def eventfd(value: int = 0, flags: int = EFD_CLOEXEC) -> Fd:
    return Fd(posix.eventfd(value, flags))


async def efd_read(fd: int) -> int:
    return await posix.eventfd_read(fd)


async def efd_write(fd: int, value: int) -> None:
    await posix.eventfd_write(fd, value)


async def read_u64(fd: int) -> int:
    value: int = struct.unpack("Q", await retried(posix.read, fd, 8))[0]
    return value


# -- timerfd


def timerfd(clock: int = CLOCK_MONOTONIC, flags: int = 0) -> Fd:
    return Fd(posix.timerfd_create(clock, flags=flags))


def timerfd_set(fd: int, ms: int, interval: int = 0, flags: int = 0) -> None:
    posix.timerfd_settime(fd, flags=flags, initial=ms / 1000, interval=interval / 1000)


def timerfd_armed(fd: int) -> int:
    left, _ = posix.timerfd_gettime(fd)
    return int(left > 0)


# -- signalfd


def signalfd(signals: Sequence[int], flags: int = 0, fd: int = -1) -> Fd:
    return Fd(posix.signalfd(fd, signals, flags))


async def read_signalfd(fd: int, n: int = 1) -> Value:
    """[name, code, process, value] of each record; of a child its status."""
    data = await retried(posix.read, fd, SIGNAL_RECORD.size * n)
    return [_shown(record) for record in SIGNAL_RECORD.iter_unpack(data)]


def _shown(record: Sequence[int]) -> Value:
    signal, _, code, pid, *_, status, value = record
    shown = status if signal == SIGCHLD else value
    return [signal_name(signal), code_name(signal, code), Pid(pid), shown]


# -- pidfd


def pidfd_open(pid: int, flags: int = 0) -> Fd:
    return Fd(posix.pidfd_open(pid, flags))


def pidfd_send(pidfd: int, signal: int) -> None:
    posix.pidfd_send_signal(pidfd, signal)


def peerpidfd(fd: int) -> Fd:
    return Fd(posix.getsockopt(a_socket(fd), SOL_SOCKET, SO_PEERPIDFD))


OPERATIONS: Final[Mapping[str, Operation]] = {
    "efd_read": efd_read,
    "efd_write": efd_write,
    "eventfd": eventfd,
    "peerpidfd": peerpidfd,
    "pidfd_open": pidfd_open,
    "pidfd_send": pidfd_send,
    "read_signalfd": read_signalfd,
    "read_u64": read_u64,
    "signalfd": signalfd,
    "timerfd": timerfd,
    "timerfd_armed": timerfd_armed,
    "timerfd_set": timerfd_set,
}
