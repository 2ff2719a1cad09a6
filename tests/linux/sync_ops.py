"""Operations of what processes share a mapping for: futexes, mutexes, conditions, semaphores.

All are the bare call: Python has no layer for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from asyncipc import posix
from tests.linux.descriptor_ops import Operation
from tests.linux.oplang import Handle

KINDS: Final = {"normal": 0, "recursive": 1, "errorcheck": 2}
"""PTHREAD_MUTEX_NORMAL and so on."""


def seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


# -- futexes


async def futex_wait(mapping: Any, offset: int, expected: int, ms: int | None = None) -> None:
    await posix.futex_wait(mapping, offset, expected, seconds(ms))


def futex_wake(mapping: Any, offset: int, count: int = 1) -> int:
    return posix.futex_wake(mapping, offset, count)


# -- mutexes


def mutex_init(mapping: Any, offset: int = 0, kind: str = "normal", robust: int = 0) -> Handle:
    return Handle(posix.pthread_mutex_init(mapping, offset, KINDS[kind], bool(robust)))


async def mutex_lock(mutex: Any) -> None:
    await posix.pthread_mutex_lock(mutex)


def mutex_trylock(mutex: Any) -> None:
    posix.pthread_mutex_trylock(mutex)


async def mutex_timedlock(mutex: Any, ms: int) -> None:
    await posix.pthread_mutex_timedlock(mutex, ms / 1000)


def mutex_unlock(mutex: Any) -> None:
    posix.pthread_mutex_unlock(mutex)


def mutex_consistent(mutex: Any) -> None:
    posix.pthread_mutex_consistent(mutex)


def mutex_destroy(mutex: Any) -> None:
    posix.pthread_mutex_destroy(mutex)


# -- conditions


def cond_init(mapping: Any, offset: int = 0) -> Handle:
    return Handle(posix.pthread_cond_init(mapping, offset))


async def cond_wait(condition: Any, mutex: Any) -> None:
    await posix.pthread_cond_wait(condition, mutex)


async def cond_timedwait(condition: Any, mutex: Any, ms: int) -> None:
    await posix.pthread_cond_timedwait(condition, mutex, ms / 1000)


def cond_signal(condition: Any) -> None:
    posix.pthread_cond_signal(condition)


def cond_broadcast(condition: Any) -> None:
    posix.pthread_cond_broadcast(condition)


# -- semaphores without a name


def sem_init(mapping: Any, offset: int = 0, value: int = 0) -> Handle:
    return Handle(posix.sem_init(mapping, offset, value))


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
