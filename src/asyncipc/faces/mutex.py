"""A mutex that processes share, as an async context manager."""

from __future__ import annotations

from types import TracebackType
from typing import final

from asyncipc.faces.words import Mapped, word_in
from asyncipc.kernel.sync.mutex import MUTEX_SIZE, PTHREAD_MUTEX_ERRORCHECK
from asyncipc.kernel.sync.mutex import Mutex as KernelMutex
from asyncipc.kernel.sync.ownership import Owner
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call, syscall


def own_task() -> Owner:
    """The calling task, as the owner of a mutex."""
    body = current()
    return Owner(body.process, body.parking.current_task())


@final
class Mutex:
    """A pthread_mutex_t in 40 bytes of shared memory: ``async with mutex: ...``.

    ``Mutex(memory, offset)`` is what lies there, ``Mutex.create(memory, offset)``
    makes it: an errorcheck mutex, *robust* unless told otherwise.  The task that
    has locked it owns it.  If an owner's process dies, the next ``acquire`` of a
    robust one fails with EOWNERDEAD and has it locked: mend the data, then
    ``make_consistent()``, or ``release()`` it for good (ENOTRECOVERABLE).  If it is
    not robust it stays locked.
    """

    SIZE = MUTEX_SIZE

    def __init__(self, memory: Mapped, offset: int = 0) -> None:
        word = word_in(memory, offset, MUTEX_SIZE)
        self.kernel = KernelMutex(current().machine.futexes, word, f"mutex at {offset:#x}")

    @classmethod
    def create(cls, memory: Mapped, offset: int = 0, *, robust: bool = True) -> Mutex:
        """A new one there, unlocked."""
        made = cls(memory, offset)
        kernel = made.kernel
        call("pthread_mutex_init", kernel.initialize, PTHREAD_MUTEX_ERRORCHECK, robust)
        return made

    async def acquire(self) -> None:
        """Lock it.  *Blocks* while another has it; cancelled it is not locked.

        Errors: EDEADLK (it is one's own), EOWNERDEAD (it is locked all the same),
        ENOTRECOVERABLE.
        """
        await syscall("pthread_mutex_lock", None, self.kernel.lock(own_task()))

    def acquire_nowait(self) -> None:
        """Lock it now, or EBUSY; else as ``acquire``."""
        owner = own_task()
        call("pthread_mutex_trylock", lambda _: self.kernel.try_lock(owner), self.kernel.name)

    def release(self) -> None:
        """Unlock it: the first sleeper gets it.  EPERM unless the task has it."""
        owner = own_task()
        call("pthread_mutex_unlock", lambda _: self.kernel.unlock(owner), self.kernel.name)

    def make_consistent(self) -> None:
        """After EOWNERDEAD: the data are mended.  Else EINVAL."""
        owner = own_task()
        mend = self.kernel.make_consistent
        call("pthread_mutex_consistent", lambda _: mend(owner), self.kernel.name)

    def locked(self) -> bool:
        """Has anybody locked it, the dead included?"""
        return self.kernel.is_locked()

    async def __aenter__(self) -> Mutex:
        await self.acquire()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
