"""The C library's calls that Python has no name for, each declared once.

A call that fails raises the OSError of its errno.  A library
that lacks one is told of when it is called, not when this is imported.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from ctypes import (
    POINTER,
    c_char_p,
    c_int,
    c_long,
    c_size_t,
    c_ssize_t,
    c_uint,
    c_ulong,
    c_ushort,
    c_void_p,
)
from typing import Any, Final, final

from asyncipc.native.refusal import refuse


@final
class Function:
    """One function of the C library, looked up when it is first called.

    ``parameters``: without those of a ``...``, which callers have to type.
    ``failure``: what it answers when errno tells.
    """

    __slots__ = ("_failure", "_found", "_name", "_parameters", "_result")

    def __init__(self, name: str, *parameters: Any, result: Any = c_int, failure: int = -1) -> None:
        self._name = name
        self._parameters = parameters
        self._result = result
        self._failure = failure
        self._found: Any = None

    def __call__(self, *args: object) -> int:
        answer: int = (self._found or self._find())(*args)
        if answer == self._failure:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return answer

    def _find(self) -> Any:
        self._found = _look_up(self._name)
        self._found.argtypes = self._parameters
        self._found.restype = self._result
        return self._found


def _look_up(name: str) -> Any:
    """In what Python is linked with; glibc had the message queues elsewhere until 2.34."""
    for library in (None, "librt.so.1"):
        try:
            return getattr(ctypes.CDLL(library, use_errno=True), name)
        except (AttributeError, OSError):
            continue
    refuse(name, "this system's C library lacks it")


class Timespec(ctypes.Structure):
    """struct timespec"""

    _fields_ = (("tv_sec", c_long), ("tv_nsec", c_long))


class SignalEvent(ctypes.Structure):
    """struct sigevent, of 64 bytes where a pointer has 8."""

    _fields_ = (
        ("sigev_value", c_void_p),
        ("sigev_signo", c_int),
        ("sigev_notify", c_int),
        ("_pad", c_int * 12),
    )


class QueueAttributes(ctypes.Structure):
    """struct mq_attr"""

    _fields_ = (
        ("mq_flags", c_long),
        ("mq_maxmsg", c_long),
        ("mq_msgsize", c_long),
        ("mq_curmsgs", c_long),
        ("_reserved", c_long * 4),
    )


class Permissions(ctypes.Structure):
    """struct ipc_perm"""

    _fields_ = (
        ("key", c_int),
        ("uid", c_uint),
        ("gid", c_uint),
        ("cuid", c_uint),
        ("cgid", c_uint),
        ("mode", c_uint),
        ("_sequence", c_ushort),
        ("_pad", c_ushort),
        ("_reserved", c_ulong * 2),
    )


def demand_known_layout(what: str) -> None:
    """``what`` has structures whose layout differs by system and processor."""
    known = sys.platform == "linux" and os.uname().machine in {"x86_64", "aarch64"}
    if not known or ctypes.sizeof(c_void_p) != 8:
        refuse(what, "only Linux on x86_64 and aarch64")


class TimerSetting(ctypes.Structure):
    """struct itimerspec"""

    _fields_ = (("it_interval", Timespec), ("it_value", Timespec))


EPOLL_EVENT: Final = struct.Struct("=Iq" if os.uname().machine == "x86_64" else "@Iq")
"""struct epoll_event, which is packed there (EPOLL_PACKED); its data as a number with a sign."""


# mq_overview(7)
mq_open: Final = Function("mq_open", c_char_p, c_int, c_uint, POINTER(QueueAttributes))
mq_unlink: Final = Function("mq_unlink", c_char_p)
mq_getattr: Final = Function("mq_getattr", c_int, POINTER(QueueAttributes))
mq_send: Final = Function("mq_send", c_int, c_char_p, c_size_t, c_uint)
mq_receive: Final = Function(
    "mq_receive", c_int, c_void_p, c_size_t, POINTER(c_uint), result=c_ssize_t
)
mq_notify: Final = Function("mq_notify", c_int, POINTER(SignalEvent))

# svipc(7); semctl's last argument is a union of a number and a pointer
msgget: Final = Function("msgget", c_int, c_int)
msgsnd: Final = Function("msgsnd", c_int, c_char_p, c_size_t, c_int)
msgrcv: Final = Function("msgrcv", c_int, c_void_p, c_size_t, c_long, c_int, result=c_ssize_t)
msgctl: Final = Function("msgctl", c_int, c_int, c_void_p)
semget: Final = Function("semget", c_int, c_int, c_int)
semop: Final = Function("semop", c_int, c_void_p, c_size_t)
semctl: Final = Function("semctl", c_int, c_int, c_int, c_void_p)

# socket(7): for addresses, families and numbers that Python's own calls do not let through
socket: Final = Function("socket", c_int, c_int, c_int)
bind: Final = Function("bind", c_int, c_char_p, c_uint)
connect: Final = Function("connect", c_int, c_char_p, c_uint)
sendto: Final = Function(
    "sendto", c_int, c_char_p, c_size_t, c_int, c_char_p, c_uint, result=c_ssize_t
)

# splice(2) is os.splice
tee: Final = Function("tee", c_int, c_int, c_size_t, c_uint, result=c_ssize_t)

# shared memory of svipc(7): an address is a number, so that -1 is one
shmget: Final = Function("shmget", c_int, c_size_t, c_int)
shmat: Final = Function("shmat", c_int, c_void_p, c_int, result=c_ssize_t)
shmdt: Final = Function("shmdt", c_void_p)
shmctl: Final = Function("shmctl", c_int, c_int, c_void_p)

# mmap(2) at a given address, which Python's own cannot
mmap: Final = Function("mmap", c_void_p, c_size_t, c_int, c_int, c_int, c_size_t, result=c_ssize_t)
munmap: Final = Function("munmap", c_void_p, c_size_t)

# signals: Python has neither a descriptor for them, nor a value that goes with one
signalfd: Final = Function("signalfd", c_int, c_void_p, c_int)
sigqueue: Final = Function("sigqueue", c_int, c_int, c_void_p)
prctl: Final = Function("prctl", c_int, c_ulong, c_ulong, c_ulong, c_ulong)

# epoll(7), whose data are just 32 bits in Python
epoll_create1: Final = Function("epoll_create1", c_int)
epoll_ctl: Final = Function("epoll_ctl", c_int, c_int, c_int, c_char_p)
epoll_wait: Final = Function("epoll_wait", c_int, c_void_p, c_int, c_int)

# timerfd_create(2), which Python has from 3.13 on
timerfd_create: Final = Function("timerfd_create", c_int, c_int)
timerfd_settime: Final = Function(
    "timerfd_settime", c_int, c_int, POINTER(TimerSetting), POINTER(TimerSetting)
)
timerfd_gettime: Final = Function("timerfd_gettime", c_int, POINTER(TimerSetting))

# sem_overview(7)
SEM_FAILED: Final = -1 if sys.platform == "darwin" else 0
sem_open: Final = Function("sem_open", c_char_p, c_int, result=c_ssize_t, failure=SEM_FAILED)
sem_close: Final = Function("sem_close", c_void_p)
sem_unlink: Final = Function("sem_unlink", c_char_p)
sem_init: Final = Function("sem_init", c_void_p, c_int, c_uint)
sem_getvalue: Final = Function("sem_getvalue", c_void_p, POINTER(c_int))
sem_trywait: Final = Function("sem_trywait", c_void_p)
sem_post: Final = Function("sem_post", c_void_p)

# pthread_mutex_lock(3): these answer with their errno
mutexattr_init: Final = Function("pthread_mutexattr_init", c_void_p)
mutexattr_settype: Final = Function("pthread_mutexattr_settype", c_void_p, c_int)
mutexattr_setpshared: Final = Function("pthread_mutexattr_setpshared", c_void_p, c_int)
mutexattr_setrobust: Final = Function("pthread_mutexattr_setrobust", c_void_p, c_int)
mutex_init: Final = Function("pthread_mutex_init", c_void_p, c_void_p)
mutex_destroy: Final = Function("pthread_mutex_destroy", c_void_p)
mutex_trylock: Final = Function("pthread_mutex_trylock", c_void_p)
mutex_unlock: Final = Function("pthread_mutex_unlock", c_void_p)
mutex_consistent: Final = Function("pthread_mutex_consistent", c_void_p)
