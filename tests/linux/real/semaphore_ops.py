"""Operations of semaphores: those of POSIX, and the sets of System V."""

from __future__ import annotations

import array
import ctypes
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.linux.oplang import Identifier, Pid, Value
from tests.linux.real.descriptor_ops import Operation
from tests.linux.real.libc import (
    INT,
    LONG,
    POINTER,
    SIZE,
    TEXT,
    UNSIGNED,
    function,
    last_error,
    plain,
    timespec,
)
from tests.linux.real.queue_ops import moment
from tests.linux.real.things import keep, thing

FILE_MODE: Final = 0o600
GETPID: Final = 11
GETALL: Final = 13
SETALL: Final = 17


class Operations(ctypes.Structure):
    """``struct sembuf``"""

    _fields_ = (("number", ctypes.c_ushort), ("change", ctypes.c_short), ("flags", ctypes.c_short))


_sem_open: Final = plain("sem_open", TEXT, INT, UNSIGNED, UNSIGNED, result=POINTER)
_sem_wait: Final = function("sem_wait", POINTER)
_sem_trywait: Final = function("sem_trywait", POINTER)
_sem_timedwait: Final = function("sem_timedwait", POINTER, POINTER)
_sem_post: Final = function("sem_post", POINTER)
_sem_getvalue: Final = function("sem_getvalue", POINTER, POINTER)
_sem_close: Final = function("sem_close", POINTER)
_sem_unlink: Final = function("sem_unlink", TEXT)
_semget: Final = function("semget", INT, INT, INT)
_semop: Final = function("semop", INT, POINTER, SIZE)
_semtimedop: Final = function("semtimedop", INT, POINTER, SIZE, POINTER)
_semctl: Final = function("semctl", INT, INT, INT, LONG)


# -- POSIX; a semaphore is its address


def sem_open(name: str, flags: int = 0, value: int = 0, mode: int = FILE_MODE) -> Value:
    return keep(_sem_open(name.encode(), flags, mode, value) or last_error())


def sem_wait(semaphore: str) -> None:
    _sem_wait(thing(semaphore))


def sem_trywait(semaphore: str) -> None:
    _sem_trywait(thing(semaphore))


def sem_timedwait(semaphore: str, ms: int) -> None:
    _sem_timedwait(thing(semaphore), moment(ms))


def sem_post(semaphore: str) -> None:
    _sem_post(thing(semaphore))


def sem_getvalue(semaphore: str) -> Value:
    value = INT()
    _sem_getvalue(thing(semaphore), ctypes.byref(value))
    return int(value.value)


def sem_close(semaphore: str) -> None:
    _sem_close(thing(semaphore))


def sem_unlink(name: str) -> None:
    _sem_unlink(name.encode())


# -- System V


def semget(key: int, count: int, flags: int = 0) -> Value:
    return Identifier(_semget(key, count, flags))


def _wanted(operations: Sequence[Sequence[int]]) -> Any:
    return (Operations * len(operations))(*[Operations(*wanted) for wanted in operations])


def semop(semaphores: int, operations: Sequence[Sequence[int]]) -> None:
    _semop(semaphores, _wanted(operations), len(operations))


def semtimedop(semaphores: int, operations: Sequence[Sequence[int]], ms: int) -> None:
    limit = ctypes.byref(timespec(ms))
    _semtimedop(semaphores, _wanted(operations), len(operations), limit)


def semctl(semaphores: int, index: int, command: int, argument: int = 0) -> Value:
    answer = int(_semctl(semaphores, index, command, argument))
    return Pid(answer) if command == GETPID and answer else answer


def semgetall(semaphores: int, count: int) -> Value:
    values = array.array("H", [0] * count)
    _semctl(semaphores, 0, GETALL, values.buffer_info()[0])
    return values.tolist()


def semsetall(semaphores: int, values: Sequence[int]) -> None:
    wanted = array.array("H", values)
    _semctl(semaphores, 0, SETALL, wanted.buffer_info()[0])


OPERATIONS: Final[Mapping[str, Operation]] = {
    "sem_close": sem_close,
    "sem_getvalue": sem_getvalue,
    "sem_open": sem_open,
    "sem_post": sem_post,
    "sem_timedwait": sem_timedwait,
    "sem_trywait": sem_trywait,
    "sem_unlink": sem_unlink,
    "sem_wait": sem_wait,
    "semctl": semctl,
    "semget": semget,
    "semgetall": semgetall,
    "semop": semop,
    "semsetall": semsetall,
    "semtimedop": semtimedop,
    "sys_sem_wait": sem_wait,
}
