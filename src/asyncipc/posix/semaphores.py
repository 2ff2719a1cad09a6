"""Calls on POSIX semaphores: sem_overview(7)."""

from __future__ import annotations

import errno
import operator
from typing import final

from asyncipc.errors import fail
from asyncipc.faces.address_range import InMemory
from asyncipc.faces.paths import to_kernel_path
from asyncipc.faces.words import Mapped, word_in
from asyncipc.kernel.sync.semaphore import SEM_SIZE
from asyncipc.posix.arguments import is_over, until_ns
from asyncipc.runtime.process import current
from asyncipc.runtime.sync import SharedSemaphore
from asyncipc.runtime.syscall import call, syscall

__all__ = [
    "Semaphore",
    "sem_at",
    "sem_close",
    "sem_destroy",
    "sem_getvalue",
    "sem_init",
    "sem_open",
    "sem_post",
    "sem_timedwait",
    "sem_trywait",
    "sem_unlink",
    "sem_wait",
]


@final
class Semaphore(InMemory):
    """What ``sem_open`` and ``sem_init`` return: a sem_t.  Forked children may use it, too."""

    __slots__ = ("_semaphore",)

    def __init__(self, semaphore: SharedSemaphore) -> None:
        self._semaphore: SharedSemaphore | None = semaphore

    @property
    def kernel(self) -> SharedSemaphore:
        """EINVAL once it is closed or destroyed, where a C program's behaviour is undefined."""
        if self._semaphore is None:
            fail(errno.EINVAL, "the semaphore was closed or destroyed")
        return self._semaphore

    def forget(self) -> None:
        self._semaphore = None

    def __repr__(self) -> str:
        name = "closed" if self._semaphore is None else self._semaphore.describe()
        return f"<posix.Semaphore {name}>"


def sem_open(name: str | bytes, flags: int = 0, mode: int = 0o600, value: int = 0) -> Semaphore:
    """sem_open(3): the semaphore of a name; with O_CREAT a new one if there is none.

    ``mode`` (less the umask) and ``value`` are for a new one.  It stays until
    ``sem_unlink``, as the file ``/dev/shm/sem.NAME``.  Errors: ENOENT, EEXIST
    (O_CREAT and O_EXCL), EACCES (one must be allowed to read and write it), EINVAL
    (the empty name, a slash inside, a value above SEM_VALUE_MAX), ENAMETOOLONG
    (more than 251 bytes).
    """
    body = current()
    found = call(
        "sem_open",
        lambda name, flags, mode, value: body.machine.sem_open(body, name, flags, mode, value),
        to_kernel_path(name),
        operator.index(flags),
        operator.index(mode),
        operator.index(value),
    )
    return Semaphore(found)


def sem_close(sem: Semaphore) -> None:
    """sem_close(3): this handle is no longer used.  The semaphore stays as it is."""
    call("sem_close", lambda _: sem.forget(), sem.kernel.name)


def sem_unlink(name: str | bytes) -> None:
    """sem_unlink(3): take the name away; whoever has it open goes on.  ENOENT, EACCES."""
    body = current()
    call("sem_unlink", lambda name: body.machine.sem_unlink(body, name), to_kernel_path(name))


def sem_init(mapping: Mapped, offset: int = 0, value: int = 0) -> Semaphore:
    """sem_init(3), with pshared: a semaphore in the 32 bytes of a mapping at ``offset``.

    Whoever maps them may use it (``sem_at``); its first four bytes are the value.
    Errors: EINVAL (value above SEM_VALUE_MAX, ``offset`` no multiple of 4), EFAULT.
    """
    made = sem_at(mapping, offset)
    call("sem_init", made.kernel.initialize, operator.index(value))
    return made


def sem_at(mapping: Mapped, offset: int = 0) -> Semaphore:
    """sem_overview(7): the semaphore that lies there, initialised by whomever.

    What a C program does with a pointer.  Errors: EINVAL (``offset`` no multiple of
    4), EFAULT.
    """
    word = word_in(mapping, offset, SEM_SIZE)
    name = f"semaphore at {operator.index(offset):#x}"
    return Semaphore(current().machine.sync.semaphore(word, name))


def sem_destroy(sem: Semaphore) -> None:
    """sem_destroy(3): this handle is no longer used; the memory stays as it is."""
    call("sem_destroy", lambda _: sem.forget(), sem.kernel.name)


async def sem_wait(sem: Semaphore) -> None:
    """sem_wait(3): take one.  *Blocks* while there is none; sleepers are served in order.

    Cancelled it has taken none.  Errors: EINTR (begins anew with SA_RESTART), EINVAL.
    Nobody owns what was taken: a process that dies does not give it back.
    """
    await syscall("sem_wait", None, sem.kernel.wait())


def sem_trywait(sem: Semaphore) -> None:
    """sem_trywait(3): take one, or EAGAIN."""
    call("sem_trywait", lambda _: sem.kernel.try_wait(), sem.kernel.name)


async def sem_timedwait(sem: Semaphore, timeout_s: float) -> None:
    """sem_timedwait(3): ``sem_wait`` for ``timeout_s`` seconds at most, then ETIMEDOUT.

    Without any time left it still takes one that is there.  EINTR after a handler,
    SA_RESTART or not.
    """
    wait = sem.kernel.wait()
    until = until_ns(timeout_s)
    await syscall("sem_timedwait", None, wait, dontwait=is_over(timeout_s), until_ns=until)


def sem_post(sem: Semaphore) -> None:
    """sem_post(3): one more, which the first sleeper gets.  EOVERFLOW at SEM_VALUE_MAX."""
    call("sem_post", lambda _: sem.kernel.post(), sem.kernel.name)


def sem_getvalue(sem: Semaphore) -> int:
    """sem_getvalue(3): how many there are; 0 if somebody sleeps."""
    return call("sem_getvalue", lambda _: sem.kernel.value, sem.kernel.name)
