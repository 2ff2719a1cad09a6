"""Operations of what processes share a mapping for: futexes, mutexes, conditions, semaphores.

Such an object is its place in a mapping, so a handle is an address.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
from collections.abc import Mapping
from typing import Any, Final

from tests.linux.oplang import Handle, Value
from tests.linux.real.descriptor_ops import Operation
from tests.linux.real.libc import INT, LONG, POINTER, UNSIGNED, function, returning, timespec
from tests.linux.real.queue_ops import moment
from tests.linux.real.things import at, thing

KINDS: Final = {"normal": 0, "recursive": 1, "errorcheck": 2}
"""PTHREAD_MUTEX_NORMAL and so on."""
PTHREAD_PROCESS_SHARED: Final = 1
FUTEX: Final = {"x86_64": 202, "aarch64": 98}.get(platform.machine(), 202)
FUTEX_WAIT: Final = 0
FUTEX_WAKE: Final = 1

_futex: Final = function("syscall", LONG, POINTER, INT, UNSIGNED, POINTER, result=LONG)
_mutexattr_init: Final = returning("pthread_mutexattr_init", POINTER)
_mutexattr_setpshared: Final = returning("pthread_mutexattr_setpshared", POINTER, INT)
_mutexattr_settype: Final = returning("pthread_mutexattr_settype", POINTER, INT)
_mutexattr_setrobust: Final = returning("pthread_mutexattr_setrobust", POINTER, INT)
_mutex_init: Final = returning("pthread_mutex_init", POINTER, POINTER)
_mutex_lock: Final = returning("pthread_mutex_lock", POINTER)
_mutex_trylock: Final = returning("pthread_mutex_trylock", POINTER)
_mutex_timedlock: Final = returning("pthread_mutex_timedlock", POINTER, POINTER)
_mutex_unlock: Final = returning("pthread_mutex_unlock", POINTER)
_mutex_consistent: Final = returning("pthread_mutex_consistent", POINTER)
_mutex_destroy: Final = returning("pthread_mutex_destroy", POINTER)
_condattr_init: Final = returning("pthread_condattr_init", POINTER)
_condattr_setpshared: Final = returning("pthread_condattr_setpshared", POINTER, INT)
_cond_init: Final = returning("pthread_cond_init", POINTER, POINTER)
_cond_wait: Final = returning("pthread_cond_wait", POINTER, POINTER)
_cond_timedwait: Final = returning("pthread_cond_timedwait", POINTER, POINTER, POINTER)
_cond_signal: Final = returning("pthread_cond_signal", POINTER)
_cond_broadcast: Final = returning("pthread_cond_broadcast", POINTER)
_sem_init: Final = function("sem_init", POINTER, INT, UNSIGNED)


def place(mapping: str, offset: int) -> int:
    """The address of a place in a mapping, without holding it."""
    memory: mmap.mmap = thing(mapping)
    return ctypes.addressof(ctypes.c_char.from_buffer(memory, offset))


# -- futexes


def futex_wait(mapping: str, offset: int, expected: int, ms: int | None = None) -> None:
    limit = None if ms is None else ctypes.byref(timespec(ms))
    _futex(FUTEX, place(mapping, offset), FUTEX_WAIT, expected & 0xFFFFFFFF, limit)


def futex_wake(mapping: str, offset: int, count: int = 1) -> Value:
    return int(_futex(FUTEX, place(mapping, offset), FUTEX_WAKE, count & 0xFFFFFFFF, None))


# -- mutexes


def mutex_init(mapping: str, offset: int = 0, kind: str = "normal", robust: int = 0) -> Handle:
    attributes = _room()
    _mutexattr_init(attributes)
    _mutexattr_setpshared(attributes, PTHREAD_PROCESS_SHARED)
    if kind != "normal":  # the default; asked for by name it would also forbid lock elision
        _mutexattr_settype(attributes, KINDS[kind])
    _mutexattr_setrobust(attributes, robust)
    address = place(mapping, offset)
    _mutex_init(address, attributes)
    return at(address)


def _room() -> Any:
    """For the attributes of a mutex or a condition."""
    return ctypes.create_string_buffer(64)


def mutex_lock(mutex: str) -> None:
    _mutex_lock(thing(mutex))


def mutex_trylock(mutex: str) -> None:
    _mutex_trylock(thing(mutex))


def mutex_timedlock(mutex: str, ms: int) -> None:
    _mutex_timedlock(thing(mutex), moment(ms))


def mutex_unlock(mutex: str) -> None:
    _mutex_unlock(thing(mutex))


def mutex_consistent(mutex: str) -> None:
    _mutex_consistent(thing(mutex))


def mutex_destroy(mutex: str) -> None:
    _mutex_destroy(thing(mutex))


# -- conditions


def cond_init(mapping: str, offset: int = 0) -> Handle:
    attributes = _room()
    _condattr_init(attributes)
    _condattr_setpshared(attributes, PTHREAD_PROCESS_SHARED)
    address = place(mapping, offset)
    _cond_init(address, attributes)
    return at(address)


def cond_wait(condition: str, mutex: str) -> None:
    _cond_wait(thing(condition), thing(mutex))


def cond_timedwait(condition: str, mutex: str, ms: int) -> None:
    _cond_timedwait(thing(condition), thing(mutex), moment(ms))


def cond_signal(condition: str) -> None:
    _cond_signal(thing(condition))


def cond_broadcast(condition: str) -> None:
    _cond_broadcast(thing(condition))


# -- semaphores without a name


def sem_init(mapping: str, offset: int = 0, value: int = 0) -> Handle:
    address = place(mapping, offset)
    _sem_init(address, PTHREAD_PROCESS_SHARED, value)
    return at(address)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "cond_broadcast": cond_broadcast,
    "cond_init": cond_init,
    "cond_signal": cond_signal,
    "cond_timedwait": cond_timedwait,
    "cond_wait": cond_wait,
    "futex_wait": futex_wait,
    "futex_wake": futex_wake,
    "mutex_consistent": mutex_consistent,
    "mutex_destroy": mutex_destroy,
    "mutex_init": mutex_init,
    "mutex_lock": mutex_lock,
    "mutex_timedlock": mutex_timedlock,
    "mutex_trylock": mutex_trylock,
    "mutex_unlock": mutex_unlock,
    "sem_init": sem_init,
}
