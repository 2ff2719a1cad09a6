"""A condition that processes share."""

from __future__ import annotations

from contextlib import suppress
from typing import final

import anyio

from asyncipc.faces.mutex import Mutex, is_owner_dead, own_task
from asyncipc.faces.words import Mapped, word_in
from asyncipc.kernel.sync.condition import CONDITION_SIZE
from asyncipc.runtime.process import current
from asyncipc.runtime.sync import ConditionWaiting
from asyncipc.runtime.syscall import call, syscall


@final
class Condition:
    """A pthread_cond_t in 48 bytes of shared memory, for waiting with a mutex locked.

    ``Condition(memory, offset, mutex=mutex)`` is what lies there, ``Condition.create``
    makes it.  The loop is the usual one: ``while not ready: await condition.wait()``.
    """

    SIZE = CONDITION_SIZE

    def __init__(self, memory: Mapped, offset: int = 0, *, mutex: Mutex) -> None:
        word = word_in(memory, offset, CONDITION_SIZE)
        self.kernel = current().machine.sync.condition(word, f"condition at {offset:#x}")
        self.mutex = mutex

    @classmethod
    def create(cls, memory: Mapped, offset: int = 0, *, mutex: Mutex) -> Condition:
        """A new one there."""
        made = cls(memory, offset, mutex=mutex)
        call("pthread_cond_init", lambda _: made.kernel.initialize(), made.kernel.name)
        return made

    async def wait(self) -> None:
        """Unlock the mutex, sleep until a signal, lock it again.

        Unlocking and sleeping are one step.  However it ends the mutex is locked:
        a cancellation raises once it is, and the signal that it may have had wakes
        another.  EPERM unless the task has the mutex; EOWNERDEAD and
        ENOTRECOVERABLE as ``Mutex.acquire``.
        """
        wait = self.kernel.wait(self.mutex.kernel, own_task())
        await wait_and_lock("pthread_cond_wait", wait)

    def notify(self) -> None:
        """Wake the first sleeper, if there is one."""
        call("pthread_cond_signal", lambda _: self.kernel.signal(), self.kernel.name)

    def notify_all(self) -> None:
        """Wake all, who get the mutex one after the other."""
        call("pthread_cond_broadcast", lambda _: self.kernel.broadcast(), self.kernel.name)


async def wait_and_lock(name: str, wait: ConditionWaiting, until_ns: int | None = None) -> None:
    """Make the call ``wait``, and see to it that the mutex is locked again, whatever comes."""
    try:
        try:
            await syscall(name, None, wait, until_ns=until_ns)
        except OSError:
            await _lock_again(name, wait)
            raise
        await _lock_again(name, wait)  # if its time was over as it was signalled already
    except OSError:
        raise
    except BaseException:  # a handler's, or a cancellation, which asyncio brings through a shield
        if wait.owner.process.alive:  # with the dead its signal is lost, as on Linux
            wait.abandon()
            with suppress(OSError):
                await _lock_again(name, wait)
        raise


async def _lock_again(name: str, wait: ConditionWaiting) -> None:
    """Nothing cancels it."""
    if not wait.unlocked:
        return
    with anyio.CancelScope(shield=True):
        try:
            await syscall(name, None, wait.mutex.lock(wait.owner))
        except OSError as error:
            if is_owner_dead(error):
                wait.locked_again()
            raise
    wait.locked_again()
