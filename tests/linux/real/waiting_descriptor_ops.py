"""Operations of descriptors that wait for something: eventfd, timerfd, signalfd, pidfd."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Mapping, Sequence
from socket import SOL_SOCKET
from typing import Final

from tests.linux.oplang import Fd, Pid, Value, signal_name
from tests.linux.real.descriptor_ops import Operation
from tests.linux.real.libc import INT, POINTER, Timespec, function, timespec
from tests.linux.real.signal_ops import code_name, signal_set
from tests.linux.real.socket_ops import borrowed

EFD_CLOEXEC: Final = 0o2000000
CLOCK_MONOTONIC: Final = 1
SO_PEERPIDFD: Final = 77
SIGNAL_RECORD: Final = struct.Struct("IiiIIiIIIIii80x")
"""``struct signalfd_siginfo``, as far as it is shown."""


class Itimerspec(ctypes.Structure):
    _fields_ = (("it_interval", Timespec), ("it_value", Timespec))


_timerfd_create: Final = function("timerfd_create", INT, INT)
_timerfd_settime: Final = function("timerfd_settime", INT, INT, POINTER, POINTER)
_timerfd_gettime: Final = function("timerfd_gettime", INT, POINTER)
_signalfd: Final = function("signalfd", INT, POINTER, INT)


# -- eventfd, timerfd


def eventfd(value: int = 0, flags: int = EFD_CLOEXEC) -> Value:
    return Fd(os.eventfd(value, flags))


def read_u64(fd: int) -> Value:
    return int(struct.unpack("Q", os.read(fd, 8))[0])


def timerfd(clock: int = CLOCK_MONOTONIC, flags: int = 0) -> Value:
    return Fd(_timerfd_create(clock, flags))


def timerfd_set(fd: int, ms: int, interval: int = 0, flags: int = 0) -> None:
    wanted = Itimerspec(timespec(interval), timespec(ms))
    _timerfd_settime(fd, flags, ctypes.byref(wanted), None)


def timerfd_armed(fd: int) -> Value:
    found = Itimerspec()
    _timerfd_gettime(fd, ctypes.byref(found))
    return int(bool(found.it_value.tv_sec or found.it_value.tv_nsec))


# -- signalfd


def signalfd(signals: Sequence[int], flags: int = 0, fd: int = -1) -> Value:
    return Fd(_signalfd(fd, signal_set(signals), flags))


def read_signalfd(fd: int, n: int = 1) -> Value:
    """[name, code, process, value] of each record; of a child its status."""
    data = os.read(fd, SIGNAL_RECORD.size * n)
    return [_shown(record) for record in SIGNAL_RECORD.iter_unpack(data)]


def _shown(record: Sequence[int]) -> Value:
    number, _, code, pid, *_, status, value = record
    shown = status if number == signal.SIGCHLD else value
    return [signal_name(number), code_name(number, code), Pid(pid), shown]


# -- pidfd


def pidfd_open(pid: int, flags: int = 0) -> Value:
    return Fd(os.pidfd_open(pid, flags))


def pidfd_send(pidfd: int, number: int) -> None:
    signal.pidfd_send_signal(pidfd, number)


def peerpidfd(fd: int) -> Value:
    with borrowed(fd) as sock:
        return Fd(sock.getsockopt(SOL_SOCKET, SO_PEERPIDFD))


OPERATIONS: Final[Mapping[str, Operation]] = {
    "efd_read": os.eventfd_read,
    "efd_write": os.eventfd_write,
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
