"""A mutex that processes share, as an async context manager."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import final

import anyio

from asyncipc.faces.calls import release
from asyncipc.faces.words import Mapped, word_in
from asyncipc.kernel.sync.mutex import MUTEX_SIZE, PTHREAD_MUTEX_ERRORCHECK
from asyncipc.kernel.sync.ownership import Owner
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call, syscall


def own_task() -> Owner:
    """The calling task, as the owner of a mutex."""
    body = current()
    return Owner(body.process, body.parking.current_task())


def is_owner_dead(error: Exception) -> bool:
    """Does it say that a mutex is locked, and that its former owner has died?"""
    return isinstance(error, OSError) and error.errno == errno.EOWNERDEAD


@final
class Mutex:
    """A pthread_mutex_t in 40 bytes of shared memory: ``async with mutex: ...``.

    ``Mutex(memory, offset)`` is what lies there, ``Mutex.create(memory, offset)``
    makes it: an errorcheck mutex, *robust* unless told otherwise.  The task that
    has locked it owns it.  If an owner's process dies, a robust one tells the next
    by EOWNERDEAD: use ``async with mutex.recovering(mend): ...``, which first lets
    ``mend()`` make the data whole.  Plain ``async with`` fails with EOWNERDEAD and
    leaves it to others, who are told as well.  If it is not robust it stays locked.
    """

    SIZE = MUTEX_SIZE

    def __init__(self, memory: Mapped, offset: int = 0) -> None:
        word = word_in(memory, offset, MUTEX_SIZE)
        self.kernel = current().machine.sync.mutex(word, f"mutex at {offset:#x}")

    @classmethod
    def create(cls, memory: Mapped, offset: int = 0, *, robust: bool = True) -> Mutex:
        """A new one there, unlocked."""
        made = cls(memory, offset)
        kernel = made.kernel
        call("pthread_mutex_init", kernel.initialize, PTHREAD_MUTEX_ERRORCHECK, robust)
        return made

    async def acquire(self) -> None:
        """Lock it.  *Blocks* while another has it; cancelled it is not locked.

        Errors: EDEADLK (it is one's own), ENOTRECOVERABLE.  EOWNERDEAD is the one with
        which it *is* locked: mend the data, then ``make_consistent()``, or ``release()``
        it for good (ENOTRECOVERABLE).
        """
        owner = own_task()
        held = self.kernel.is_held_by(owner)
        try:
            await syscall("pthread_mutex_lock", None, self.kernel.lock(owner))
        except Exception as error:  # a handler's, maybe as the call returned
            if not held and not is_owner_dead(error):
                self.kernel.leave_as_found(owner)
            raise

    def acquire_nowait(self) -> None:
        """Lock it now, or anyio.WouldBlock; else as ``acquire``."""
        owner = own_task()
        try:
            call("pthread_mutex_trylock", lambda _: self.kernel.try_lock(owner), self.kernel.name)
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise anyio.WouldBlock from None
            raise

    def release(self) -> None:
        """Unlock it, whatever handlers raise meanwhile: the first sleeper gets it.

        EPERM unless the task has it.
        """
        owner = own_task()
        release("pthread_mutex_unlock", lambda _: self.kernel.unlock(owner), self.kernel.name)

    def make_consistent(self) -> None:
        """After EOWNERDEAD: the data are mended.  Else EINVAL."""
        owner = own_task()
        mend = self.kernel.make_consistent
        call("pthread_mutex_consistent", lambda _: mend(owner), self.kernel.name)

    def locked(self) -> bool:
        """Has anybody locked it, the dead included?"""
        return self.kernel.is_locked()

    @asynccontextmanager
    async def recovering(self, mend: Callable[[], object]) -> AsyncIterator[Mutex]:
        """As ``async with mutex: ...``; after a dead owner ``mend()`` comes first.

        It runs with the mutex locked, which is consistent then.  If it raises, the
        next who locks it is told of the dead owner again.
        """
        try:
            await self.acquire()
        except OSError as error:
            if not is_owner_dead(error):
                raise
            self._mend(mend)
        try:
            yield self
        finally:
            self.release()

    def _mend(self, mend: Callable[[], object]) -> None:
        try:
            mend()
            self.make_consistent()
        except BaseException:
            self.kernel.leave_as_found(own_task())
            raise

    async def __aenter__(self) -> Mutex:
        try:
            await self.acquire()
        except OSError as error:
            if is_owner_dead(error):
                self.kernel.leave_as_found(own_task())
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
