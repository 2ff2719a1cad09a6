"""Operations of semaphores: those of POSIX by name, and the sets of System V.

All are the bare call: Python has no layer for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from asyncipc import posix
from tests.linux.descriptor_ops import Operation
from tests.linux.oplang import Handle, Identifier, Pid, Value

FILE_MODE: Final = 0o600
GETPID: Final = 11


# -- POSIX


def sem_open(name: str, flags: int = 0, value: int = 0, mode: int = FILE_MODE) -> Handle:
    return Handle(posix.sem_open(name, flags, mode, value))


async def sem_wait(semaphore: Any) -> None:
    await posix.sem_wait(semaphore)


def sem_trywait(semaphore: Any) -> None:
    posix.sem_trywait(semaphore)


async def sem_timedwait(semaphore: Any, ms: int) -> None:
    await posix.sem_timedwait(semaphore, ms / 1000)


def sem_post(semaphore: Any) -> None:
    posix.sem_post(semaphore)


def sem_getvalue(semaphore: Any) -> int:
    return posix.sem_getvalue(semaphore)


def sem_close(semaphore: Any) -> None:
    posix.sem_close(semaphore)


def sem_unlink(name: str) -> None:
    posix.sem_unlink(name)


# -- System V


def semget(key: int, count: int, flags: int = 0) -> Identifier:
    return Identifier(posix.semget(key, count, flags))


async def semop(semaphores: int, operations: Sequence[Sequence[int]]) -> None:
    await posix.semop(semaphores, [(index, change, flags) for index, change, flags in operations])


async def semtimedop(semaphores: int, operations: Sequence[Sequence[int]], ms: int) -> None:
    wanted = [(index, change, flags) for index, change, flags in operations]
    await posix.semtimedop(semaphores, wanted, ms / 1000)


def semctl(semaphores: int, index: int, command: int, argument: int = 0) -> int:
    """The call's own answer, which is 0 where there is nothing to tell."""
    answer = posix.semctl(semaphores, index, command, argument)
    assert isinstance(answer, int)
    return Pid(answer) if command == GETPID and answer else answer


def semgetall(semaphores: int, count: int) -> Value:
    values = posix.semctl(semaphores, 0, posix.GETALL)
    assert isinstance(values, list)
    assert len(values) == count
    return [*values]


def semsetall(semaphores: int, values: Sequence[int]) -> None:
    posix.semctl(semaphores, 0, posix.SETALL, values)


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
