"""Calls on mutexes and conditions in shared memory: pthread_mutex_lock(3), pthread_cond_wait(3).

The tasks of a process are its threads, each an owner of its own.  These are
glibc's functions rather than system calls: no handler interrupts them, and
what they return as a number is raised as an OSError.
"""

from __future__ import annotations

import operator
from typing import final

from asyncipc.faces.address_range import InMemory
from asyncipc.faces.condition import wait_and_lock
from asyncipc.faces.mutex import own_task
from asyncipc.faces.words import Mapped, word_in
from asyncipc.kernel.sync.condition import CONDITION_SIZE
from asyncipc.kernel.sync.mutex import MUTEX_SIZE, PTHREAD_MUTEX_NORMAL
from asyncipc.posix.arguments import is_over, until_ns
from asyncipc.runtime.process import current
from asyncipc.runtime.sync import SharedCondition, SharedMutex
from asyncipc.runtime.syscall import call, syscall

__all__ = [
    "Condition",
    "Mutex",
    "pthread_cond_at",
    "pthread_cond_broadcast",
    "pthread_cond_destroy",
    "pthread_cond_init",
    "pthread_cond_signal",
    "pthread_cond_timedwait",
    "pthread_cond_wait",
    "pthread_mutex_at",
    "pthread_mutex_consistent",
    "pthread_mutex_destroy",
    "pthread_mutex_init",
    "pthread_mutex_lock",
    "pthread_mutex_timedlock",
    "pthread_mutex_trylock",
    "pthread_mutex_unlock",
]


@final
class Mutex(InMemory):
    """What ``pthread_mutex_init`` returns.  Forked children may use it, too."""

    __slots__ = ("kernel",)

    def __init__(self, mutex: SharedMutex) -> None:
        self.kernel = mutex

    def __repr__(self) -> str:
        return f"<posix.Mutex {self.kernel.describe()}>"


@final
class Condition(InMemory):
    """What ``pthread_cond_init`` returns.  Forked children may use it, too."""

    __slots__ = ("kernel",)

    def __init__(self, condition: SharedCondition) -> None:
        self.kernel = condition

    def __repr__(self) -> str:
        return f"<posix.Condition {self.kernel.describe()}>"


# -- mutexes


def pthread_mutex_init(
    mapping: Mapped, offset: int = 0, kind: int = PTHREAD_MUTEX_NORMAL, robust: bool = False
) -> Mutex:
    """pthread_mutex_init(3), process-shared: a mutex in 40 bytes of a mapping at ``offset``.

    ``kind``: PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ERRORCHECK or
    PTHREAD_MUTEX_RECURSIVE.  ``robust``: the next owner is told if one dies.
    Whoever maps the memory may use it (``pthread_mutex_at``).  Errors: EINVAL
    (kind, ``offset`` no multiple of 4), EFAULT.  Not modelled: priority protocols,
    PTHREAD_MUTEX_ADAPTIVE_NP; the end of a task that is not its process's end.
    """
    made = pthread_mutex_at(mapping, offset)
    call("pthread_mutex_init", made.kernel.initialize, operator.index(kind), bool(robust))
    return made


def pthread_mutex_at(mapping: Mapped, offset: int = 0) -> Mutex:
    """pthreads(7): the mutex that lies there, initialised by whomever.

    What a C program does with a pointer.  Errors: EINVAL (``offset`` no multiple of
    4), EFAULT.
    """
    word = word_in(mapping, offset, MUTEX_SIZE)
    name = f"mutex at {operator.index(offset):#x}"
    return Mutex(current().machine.sync.mutex(word, name))


def pthread_mutex_destroy(mutex: Mutex) -> None:
    """pthread_mutex_destroy(3): EBUSY while it is locked, unless it is robust."""
    call("pthread_mutex_destroy", lambda _: mutex.kernel.destroy(), mutex.kernel.name)


async def pthread_mutex_lock(mutex: Mutex) -> None:
    """pthread_mutex_lock(3): *blocks* until the mutex is the calling task's.

    Sleepers get it in order.  Cancelled while it waits it has not locked it.  An
    owner that relocks sleeps for ever (normal), or fails with EDEADLK (errorcheck),
    or has to unlock twice (recursive; EAGAIN after 2**32 - 1 times).  Robust:
    EOWNERDEAD, and it *is* locked: the owner has died, mend the data and call
    ``pthread_mutex_consistent``; ENOTRECOVERABLE once somebody did not.  A dead
    owner of one that is not robust keeps it.  EINVAL once it is destroyed.
    """
    await syscall("pthread_mutex_lock", None, mutex.kernel.lock(own_task()))


def pthread_mutex_trylock(mutex: Mutex) -> None:
    """pthread_mutex_trylock(3): lock it now, or EBUSY; else as ``pthread_mutex_lock``."""
    owner = own_task()
    call("pthread_mutex_trylock", lambda _: mutex.kernel.try_lock(owner), mutex.kernel.name)


async def pthread_mutex_timedlock(mutex: Mutex, timeout_s: float) -> None:
    """pthread_mutex_timedlock(3): for ``timeout_s`` seconds at most, then ETIMEDOUT."""
    lock = mutex.kernel.lock(own_task())
    until = until_ns(timeout_s)
    over = is_over(timeout_s)
    await syscall("pthread_mutex_timedlock", None, lock, dontwait=over, until_ns=until)


def pthread_mutex_unlock(mutex: Mutex) -> None:
    """pthread_mutex_unlock(3): the first sleeper gets it.

    EPERM if another task has it locked, or nobody, unless it is a normal one that
    is not robust: that is unlocked, whoever locked it.
    """
    owner = own_task()
    call("pthread_mutex_unlock", lambda _: mutex.kernel.unlock(owner), mutex.kernel.name)


def pthread_mutex_consistent(mutex: Mutex) -> None:
    """pthread_mutex_consistent(3): after EOWNERDEAD, the data are mended.  Else EINVAL."""
    owner = own_task()
    consistent = mutex.kernel.make_consistent
    call("pthread_mutex_consistent", lambda _: consistent(owner), mutex.kernel.name)


# -- conditions


def pthread_cond_init(mapping: Mapped, offset: int = 0) -> Condition:
    """pthread_cond_init(3), process-shared: a condition in 48 bytes of a mapping at ``offset``.

    Whoever maps them may use it (``pthread_cond_at``).  Errors: EINVAL (``offset``
    no multiple of 4), EFAULT.
    """
    made = pthread_cond_at(mapping, offset)
    call("pthread_cond_init", lambda _: made.kernel.initialize(), made.kernel.name)
    return made


def pthread_cond_at(mapping: Mapped, offset: int = 0) -> Condition:
    """pthreads(7): the condition that lies there, initialised by whomever.

    What a C program does with a pointer.  Errors: EINVAL (``offset`` no multiple of
    4), EFAULT.
    """
    word = word_in(mapping, offset, CONDITION_SIZE)
    name = f"condition at {operator.index(offset):#x}"
    return Condition(current().machine.sync.condition(word, name))


def pthread_cond_destroy(condition: Condition) -> None:
    """pthread_cond_destroy(3): it is no longer used; the memory stays as it is."""
    call("pthread_cond_destroy", lambda _: None, condition.kernel.name)


async def pthread_cond_wait(condition: Condition, mutex: Mutex) -> None:
    """pthread_cond_wait(3): unlock ``mutex``, sleep until a signal, lock it again.

    Unlocking and sleeping are one step, so no signal is lost; sleepers are woken in
    order.  However it ends, the mutex is the task's again, by cancellation too:
    that is answered only once the mutex is locked, shielded from further ones,
    and a signal under way wakes another.  A recursive mutex is unlocked once only.
    It may return without a signal.  Errors: EPERM (the mutex is another's, and
    checks), EOWNERDEAD and ENOTRECOVERABLE as ``pthread_mutex_lock``.
    """
    wait = condition.kernel.wait(mutex.kernel, own_task())
    await wait_and_lock("pthread_cond_wait", wait)


async def pthread_cond_timedwait(condition: Condition, mutex: Mutex, timeout_s: float) -> None:
    """pthread_cond_timedwait(3): for ``timeout_s`` seconds at most, then ETIMEDOUT.

    The time limits the sleep; that the mutex is locked again may take longer.
    """
    wait = condition.kernel.wait(mutex.kernel, own_task())
    await wait_and_lock("pthread_cond_timedwait", wait, until_ns(timeout_s))


def pthread_cond_signal(condition: Condition) -> None:
    """pthread_cond_signal(3): wake the first sleeper, if there is one."""
    call("pthread_cond_signal", lambda _: condition.kernel.signal(), condition.kernel.name)


def pthread_cond_broadcast(condition: Condition) -> None:
    """pthread_cond_broadcast(3): wake all, who get the mutex one after the other."""
    call("pthread_cond_broadcast", lambda _: condition.kernel.broadcast(), condition.kernel.name)
