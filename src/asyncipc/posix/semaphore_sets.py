"""Calls on System V semaphores: semget(2), semop(2), semctl(2)."""

from __future__ import annotations

import errno
import operator
from collections.abc import Sequence
from typing import Final, TypeAlias

from asyncipc.kernel.sysv.identifiers import IPC_SET
from asyncipc.kernel.sysv.semaphore_call import SEMOPM
from asyncipc.kernel.sysv.semaphore_sets import SETALL, SETVAL, Argument, SemaphoreSetStatus
from asyncipc.posix.arguments import is_over, refused, until_ns
from asyncipc.runtime.backend import SemaphoreOperation
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call, syscall

__all__ = [
    "semctl",
    "semget",
    "semop",
    "semtimedop",
]

Operations: TypeAlias = Sequence[tuple[int, int] | tuple[int, int, int]]
USHRT_MAX: Final = 0xFFFF
SHRT_MAX: Final = 0x7FFF


def semget(key: int, count: int, flags: int = 0) -> int:
    """semget(2): the identifier of the set that ``key`` means; IPC_PRIVATE: of a new one.

    ``count`` semaphores, all 0; 0 for a set that is there.  ``flags``: IPC_CREAT,
    IPC_EXCL and the nine mode bits.  It stays until ``semctl`` removes it.
    Errors: ENOENT, EEXIST, EACCES, EINVAL (count: 0 for a new one, above 32000,
    more than there are), ENOSPC (32000 sets).
    """
    body = current()
    return call(
        "semget",
        lambda key, count, flags: body.machine.semaphore_sets.get(body.process, key, count, flags),
        operator.index(key),
        operator.index(count),
        operator.index(flags),
    )


async def semop(semid: int, operations: Operations) -> None:
    """semop(2): ``(index, change, flags)`` of each, all at once or none.

    Adds ``change``, and *blocks* while that would leave less than 0; a change of 0
    blocks until it is 0.  IPC_NOWAIT: EAGAIN instead.  SEM_UNDO: taken back at
    the process's end.  Whoever could go on does, whoever came before.  Cancelled
    while it waits it has done nothing.  Errors: EINVAL, E2BIG (more than 500),
    EFBIG (index), EACCES, ERANGE (above 32767), EIDRM (removed meanwhile), EINTR, which
    no SA_RESTART prevents.
    """
    await syscall("semop", None, _operations(semid, operations))


async def semtimedop(semid: int, operations: Operations, timeout_s: float | None) -> None:
    """semtimedop(2): ``semop`` for ``timeout_s`` seconds at most, then EAGAIN; None: for ever.

    EINVAL below 0.
    """
    wanted = _operations(semid, operations)
    if timeout_s is not None and timeout_s < 0 and len(wanted.operations) <= SEMOPM:
        await refused("semtimedop", errno.EINVAL, *wanted.arguments())
    until = until_ns(timeout_s)
    await syscall("semtimedop", None, wanted, dontwait=is_over(timeout_s), until_ns=until)


def _operations(semid: int, operations: Operations) -> SemaphoreOperation:
    body = current()
    wanted = [_sembuf(*operation) for operation in operations]
    return body.machine.semaphore_sets.operate(body.process, operator.index(semid), wanted)


def _sembuf(index: int, change: int, flags: int = 0) -> tuple[int, int, int]:
    """What the fields of struct sembuf hold."""
    if not 0 <= index <= USHRT_MAX:
        raise OverflowError(f"sem_num is an unsigned short, which {index} is not")
    if not -SHRT_MAX - 1 <= change <= SHRT_MAX:
        raise OverflowError(f"sem_op is a short, which {change} is not")
    return operator.index(index), operator.index(change), operator.index(flags)


def semctl(
    semid: int,
    index: int,
    command: int,
    argument: Argument = None,
) -> int | list[int] | SemaphoreSetStatus:
    """semctl(2): ask about a set of semaphores, or change it; what is changed answers 0.

    Of one semaphore: GETVAL, GETPID (who changed it last), GETNCNT and GETZCNT (how
    many sleep until it grows, or is zero), SETVAL.  Of all, whatever ``index``:
    GETALL (a list), SETALL, IPC_STAT, IPC_SET (uid, gid and mode of a status, mostly
    ``stat._replace(mode=...)``), IPC_RMID: sleepers get EIDRM.  SETVAL and SETALL forget
    what was to be undone.  Errors: EINVAL, EACCES, EPERM, ERANGE (below 0, above
    32767).  Not modelled: IPC_INFO, SEM_INFO, SEM_STAT.
    """
    numbers = operator.index(semid), operator.index(index), operator.index(command)
    return call("semctl", _semctl, *numbers, argument)


def _semctl(
    semid: int, index: int, command: int, argument: Argument
) -> int | list[int] | SemaphoreSetStatus:
    if command == SETVAL:
        argument = _number(argument)
    elif command == SETALL:
        argument = _numbers(argument)
    elif command == IPC_SET:
        argument = _status(argument)
    body = current()
    return body.machine.semaphore_sets.control(body.process, semid, index, command, argument)


def _number(argument: object) -> int:
    if not isinstance(argument, int):
        raise TypeError("SETVAL takes an int")
    return argument


def _numbers(argument: object) -> list[int]:
    if not isinstance(argument, Sequence):
        raise TypeError("SETALL takes a sequence of ints")
    return [operator.index(value) for value in argument]


def _status(argument: object) -> SemaphoreSetStatus:
    if not isinstance(argument, SemaphoreSetStatus):
        raise TypeError("IPC_SET takes a SemaphoreSetStatus, as IPC_STAT returns it")
    return argument
