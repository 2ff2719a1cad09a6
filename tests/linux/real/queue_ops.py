"""Operations of message queues, those of POSIX and those of System V."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping
from typing import Any, Final

from tests.linux.oplang import Fd, Identifier, Pid, Value
from tests.linux.real.descriptor_ops import Operation
from tests.linux.real.libc import INT, LONG, POINTER, SIZE, TEXT, UNSIGNED, Timespec, function

FILE_MODE: Final = 0o600
SIGEV_SIGNAL: Final = 0
SIGEV_NONE: Final = 1
IPC_SET: Final = 1
IPC_STAT: Final = 2


class QueueAttributes(ctypes.Structure):
    """``struct mq_attr``"""

    _fields_ = (
        ("flags", LONG),
        ("maxmsg", LONG),
        ("msgsize", LONG),
        ("curmsgs", LONG),
        ("reserved", LONG * 4),
    )


class SignalEvent(ctypes.Structure):
    """``struct sigevent``"""

    _fields_ = (("value", POINTER), ("signal", INT), ("notify", INT), ("rest", INT * 12))


class Permissions(ctypes.Structure):
    """``struct ipc_perm``"""

    _fields_ = (
        ("key", INT),
        ("uid", UNSIGNED),
        ("gid", UNSIGNED),
        ("cuid", UNSIGNED),
        ("cgid", UNSIGNED),
        ("mode", UNSIGNED),
        ("sequence", ctypes.c_ushort),
        ("reserved", ctypes.c_ulong * 2),
    )


class QueueStatus(ctypes.Structure):
    """``struct msqid_ds``"""

    _fields_ = (
        ("permissions", Permissions),
        ("times", LONG * 3),
        ("octets", ctypes.c_ulong),
        ("messages", ctypes.c_ulong),
        ("octets_max", ctypes.c_ulong),
        ("last_sender", INT),
        ("last_receiver", INT),
        ("reserved", ctypes.c_ulong * 2),
    )


_mq_open: Final = function("mq_open", TEXT, INT, UNSIGNED, POINTER)
_mq_send: Final = function("mq_send", INT, TEXT, SIZE, UNSIGNED)
_mq_receive: Final = function("mq_receive", INT, POINTER, SIZE, POINTER, result=ctypes.c_ssize_t)
_mq_timedsend: Final = function("mq_timedsend", INT, TEXT, SIZE, UNSIGNED, POINTER)
_mq_timedreceive: Final = function(
    "mq_timedreceive", INT, POINTER, SIZE, POINTER, POINTER, result=ctypes.c_ssize_t
)
_mq_getattr: Final = function("mq_getattr", INT, POINTER)
_mq_setattr: Final = function("mq_setattr", INT, POINTER, POINTER)
_mq_notify: Final = function("mq_notify", INT, POINTER)
_mq_close: Final = function("mq_close", INT)
_mq_unlink: Final = function("mq_unlink", TEXT)
_msgget: Final = function("msgget", INT, INT)
_msgsnd: Final = function("msgsnd", INT, POINTER, SIZE, INT)
_msgrcv: Final = function("msgrcv", INT, POINTER, SIZE, LONG, INT, result=ctypes.c_ssize_t)
_msgctl: Final = function("msgctl", INT, INT, POINTER)


def moment(ms: float) -> Any:
    """The moment in ``ms``, by the clock of the wall."""
    at_ns = time.time_ns() + int(ms * 1_000_000)
    return ctypes.byref(Timespec(*divmod(at_ns, 1_000_000_000)))


# -- POSIX


def mq_open(
    name: str,
    flags: int,
    maxmsg: int | None = None,
    msgsize: int | None = None,
    mode: int = FILE_MODE,
) -> Value:
    wanted = None
    if maxmsg is not None and msgsize is not None:
        wanted = ctypes.byref(QueueAttributes(0, maxmsg, msgsize))
    return Fd(_mq_open(name.encode(), flags, mode, wanted))


def mq_send(queue: int, data: bytes, priority: int = 0) -> None:
    _mq_send(queue, data, len(data), priority)


def mq_timedsend(queue: int, data: bytes, priority: int, ms: int) -> None:
    _mq_timedsend(queue, data, len(data), priority, moment(ms))


def mq_receive(queue: int, n: int) -> Value:
    buffer, priority = ctypes.create_string_buffer(n), UNSIGNED()
    got = _mq_receive(queue, buffer, n, ctypes.byref(priority))
    return [buffer.raw[:got], priority.value]


def mq_timedreceive(queue: int, n: int, ms: int) -> Value:
    buffer, priority = ctypes.create_string_buffer(n), UNSIGNED()
    got = _mq_timedreceive(queue, buffer, n, ctypes.byref(priority), moment(ms))
    return [buffer.raw[:got], priority.value]


def mq_getattr(queue: int) -> Value:
    found = QueueAttributes()
    _mq_getattr(queue, ctypes.byref(found))
    return _told(found)


def mq_setattr(queue: int, flags: int, maxmsg: int = 0) -> Value:
    """The former attributes."""
    wanted, former = QueueAttributes(flags, maxmsg), QueueAttributes()
    _mq_setattr(queue, ctypes.byref(wanted), ctypes.byref(former))
    return _told(former)


def _told(found: QueueAttributes) -> Value:
    return [found.flags, found.maxmsg, found.msgsize, found.curmsgs]


def mq_notify(queue: int, number: int | None, value: int = 0) -> None:
    """No signal: the registration is given up.  Signal 0 asks for none (SIGEV_NONE)."""
    if number is None:
        _mq_notify(queue, None)
        return
    event = SignalEvent(value, number, SIGEV_SIGNAL if number else SIGEV_NONE)
    _mq_notify(queue, ctypes.byref(event))


def mq_close(queue: int) -> None:
    _mq_close(queue)


def mq_unlink(name: str) -> None:
    _mq_unlink(name.encode())


# -- System V


def msgget(key: int, flags: int = 0) -> Value:
    return Identifier(_msgget(key, flags))


def msgsnd(queue: int, kind: int, data: bytes, flags: int = 0) -> None:
    message = kind.to_bytes(8, "little", signed=True) + data
    _msgsnd(queue, message, len(data), flags)


def msgrcv(queue: int, n: int, kind: int, flags: int = 0) -> Value:
    """[type, data]"""
    buffer = ctypes.create_string_buffer(8 + n)
    got = _msgrcv(queue, buffer, n, kind, flags)
    return [int.from_bytes(buffer.raw[:8], "little", signed=True), buffer.raw[8 : 8 + got]]


def msgctl(queue: int, command: int) -> None:
    _msgctl(queue, command, ctypes.byref(QueueStatus()))


def _status(queue: int) -> QueueStatus:
    found = QueueStatus()
    _msgctl(queue, IPC_STAT, ctypes.byref(found))
    return found


def msgstat(queue: int) -> Value:
    """[messages, octets in them, octets at most]"""
    found = _status(queue)
    return [found.messages, found.octets, found.octets_max]


def msgset(queue: int, octets: int, mode: int = FILE_MODE) -> None:
    """IPC_SET: how many octets it may hold, and its mode."""
    wanted = _status(queue)
    wanted.octets_max = octets
    wanted.permissions.mode = mode
    _msgctl(queue, IPC_SET, ctypes.byref(wanted))


def msglast(queue: int) -> Value:
    """[who sent last, who received last]"""
    found = _status(queue)
    return [Pid(found.last_sender), Pid(found.last_receiver)]


OPERATIONS: Final[Mapping[str, Operation]] = {
    "mq_close": mq_close,
    "mq_getattr": mq_getattr,
    "mq_notify": mq_notify,
    "mq_open": mq_open,
    "mq_receive": mq_receive,
    "mq_send": mq_send,
    "mq_setattr": mq_setattr,
    "mq_timedreceive": mq_timedreceive,
    "mq_timedsend": mq_timedsend,
    "mq_unlink": mq_unlink,
    "msgctl": msgctl,
    "msgget": msgget,
    "msglast": msglast,
    "msgrcv": msgrcv,
    "msgset": msgset,
    "msgsnd": msgsnd,
    "msgstat": msgstat,
}
