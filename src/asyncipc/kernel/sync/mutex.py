"""The mutex that processes share: pthread_mutex_lock(3), in glibc's layout.

Forty octets: lock word, count, owner, users, kind.  What each kind answers is
as measured with glibc; its order of checks is kept.  Laws:

* An unlock gives the mutex to the first sleeper.  One that leaves without
  having taken it unlocks it again.
* The owner is a task of a process: its pid stands in the memory, which task it
  is the process itself knows (``ownership``).
* An owner that dies keeps the mutex, unless that is *robust*: then the next
  owner is told so by EOWNERDEAD, with the mutex locked, and says that the data
  are consistent again; if it unlocks without, the mutex is ENOTRECOVERABLE for
  good.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.sync.futex import WORD_MAX, Futexes, Sleep, Word
from asyncipc.kernel.sync.ownership import Owner, is_task_of, note, remove_note

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.waitqueue import Waiter, WouldBlock

PTHREAD_MUTEX_NORMAL: Final = 0
PTHREAD_MUTEX_RECURSIVE: Final = 1
PTHREAD_MUTEX_ERRORCHECK: Final = 2
MUTEX_SIZE: Final = 40

COUNT: Final = 4
OWNER: Final = 8
USERS: Final = 12
KIND: Final = 16
TYPE: Final = 0x3
ROBUST: Final = 0x10
PROCESS_SHARED: Final = 0x80
DESTROYED: Final = WORD_MAX

FUTEX_WAITERS: Final = 0x80000000
FUTEX_OWNER_DIED: Final = 0x40000000
FUTEX_TID_MASK: Final = 0x3FFFFFFF
INCONSISTENT: Final = 0x7FFFFFFF
NOT_RECOVERABLE: Final = 0x7FFFFFFE


@final
class Mutex:
    """A pthread_mutex_t at a word.  ``name``: how the report calls it."""

    __slots__ = ("_count", "_kind_word", "_owner", "_users", "futexes", "name", "word")

    def __init__(self, futexes: Futexes, word: Word, name: str) -> None:
        self.futexes = futexes
        self.word = word.aligned()
        self._count = word.at(COUNT)
        self._owner = word.at(OWNER)
        self._users = word.at(USERS)
        self._kind_word = word.at(KIND)
        self.name = name

    def initialize(self, kind: int, robust: bool) -> None:
        """pthread_mutex_init(3).  EINVAL for another kind."""
        if kind not in {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK}:
            fail(errno.EINVAL)
        self.word.contents.poke(self.word.offset, bytes(MUTEX_SIZE))
        self._kind_word.put(kind | PROCESS_SHARED | (ROBUST if robust else 0))

    def destroy(self) -> None:
        """pthread_mutex_destroy(3): EBUSY while it is locked, unless it is robust."""
        if not self._kind() & ROBUST and self._users.get():
            fail(errno.EBUSY)
        self._kind_word.put(DESTROYED)

    # -- what it is

    def _kind(self) -> int:
        """EINVAL for one that was destroyed."""
        kind = self._kind_word.get()
        if kind == DESTROYED:
            fail(errno.EINVAL)
        return kind

    def is_robust(self) -> bool:
        kind = self._kind_word.get()
        return kind != DESTROYED and bool(kind & ROBUST)

    def _is_lost(self) -> bool:
        return self._owner.get() == NOT_RECOVERABLE and self.is_robust()

    @property
    def owner(self) -> Process | None:
        """The process that has it locked, if that is still known."""
        return self.futexes.processes.get(self.owner_pid)

    @property
    def owner_pid(self) -> int:
        """0: nobody's."""
        lock = self.word.get()
        if not lock:
            return 0
        robust = self._kind_word.get() & ROBUST
        return lock & FUTEX_TID_MASK if robust else self._owner.get()

    def is_locked(self) -> bool:
        return bool(self.word.get() & ~(FUTEX_WAITERS | FUTEX_OWNER_DIED))

    def is_held_by(self, owner: Owner) -> bool:
        return self.owner_pid == owner.process.pid and is_task_of(self, owner)

    # -- locking

    def lock(self, owner: Owner) -> MutexLock:
        """pthread_mutex_lock(3), as a verb.  No handler interrupts it."""
        return MutexLock(self, owner)

    def try_lock(self, owner: Owner) -> None:
        """pthread_mutex_trylock(3): EBUSY.  A robust one that checks says EDEADLK."""
        kind = self._kind()
        if self.is_held_by(owner):
            if kind & TYPE == PTHREAD_MUTEX_RECURSIVE:
                self._lock_again()
            elif kind & ROBUST and kind & TYPE == PTHREAD_MUTEX_ERRORCHECK:
                fail(errno.EDEADLK)
            else:
                fail(errno.EBUSY)
        elif not self.take(owner):
            fail(errno.EBUSY)

    def enter(self, owner: Owner) -> bool:
        """Lock it now, if that is possible.  EDEADLK, EAGAIN, EOWNERDEAD, ENOTRECOVERABLE."""
        kind = self._kind()
        if self.is_held_by(owner):
            if kind & TYPE == PTHREAD_MUTEX_ERRORCHECK:
                fail(errno.EDEADLK)
            if kind & TYPE == PTHREAD_MUTEX_RECURSIVE:
                self._lock_again()
                return True
        return self.take(owner)

    def _lock_again(self) -> None:
        count = self._count.get()
        if count == WORD_MAX:
            fail(errno.EAGAIN)
        self._count.put(count + 1)

    def take(self, owner: Owner) -> bool:
        """It becomes the owner's, if it is nobody's.  EOWNERDEAD: it does, too."""
        if self._is_lost():
            fail(errno.ENOTRECOVERABLE)
        if self.is_locked():
            return False
        if self.give_to(owner):
            fail(errno.EOWNERDEAD)
        return True

    def give_to(self, owner: Owner) -> bool:
        """It is the owner's now; true if the former one died with it."""
        kind, pid = self._kind(), owner.process.pid
        died = bool(self.word.get() & FUTEX_OWNER_DIED)
        self.word.put(pid if kind & ROBUST else 1)
        if kind & ROBUST or kind & TYPE == PTHREAD_MUTEX_RECURSIVE:
            self._count.put(1)
        self._owner.put(INCONSISTENT if died else pid)
        if not died:
            self._count_users(1)
        self.note_sleepers()
        note(self, owner)
        return died

    def note_sleepers(self) -> None:
        """The lock word says that somebody sleeps for it."""
        if self.futexes.first(self.word, Sleep) is not None and self.is_locked():
            robust = self._kind() & ROBUST
            self.word.put(self.word.get() | FUTEX_WAITERS if robust else 2)

    def _count_users(self, change: int) -> None:
        self._users.put(self._users.get() + change)

    # -- unlocking

    def unlock(self, owner: Owner) -> None:
        """pthread_mutex_unlock(3): EPERM if another has it locked, unless it is a normal one."""
        kind = self._kind()
        if kind & (TYPE | ROBUST) and not self.is_held_by(owner):
            fail(errno.EPERM)
        if kind & TYPE == PTHREAD_MUTEX_RECURSIVE:
            depth = self._count.get() - 1
            self._count.put(depth)
            if depth:
                return
        gives_up = self._owner.get() == INCONSISTENT and bool(kind & ROBUST)
        self.release(NOT_RECOVERABLE if gives_up else 0)

    def release(self, owner: int = 0) -> None:
        """It is nobody's; the first sleeper gets it."""
        remove_note(self)
        self.word.put(0)
        self._owner.put(owner)
        self._count_users(-1)
        self.pass_on()

    def owner_died(self) -> None:
        """The owner is gone: handle_futex_death() in kernel/futex/core.c."""
        self.word.put(FUTEX_OWNER_DIED)
        self.pass_on()

    def pass_on(self) -> None:
        """It is free: the first sleeper's, or nobody's; or nobody's for good, as all are told."""
        if self._is_lost():
            self.futexes.wake(self.word, WORD_MAX)
            return
        first = self.futexes.first(self.word, MutexLock)
        if first is None:
            self.futexes.wake(self.word, 1)
            return
        self.futexes.leave(first)
        first.owner_died = self.give_to(first.owner)
        first.grant()

    def make_consistent(self, owner: Owner) -> None:
        """pthread_mutex_consistent(3): EINVAL unless EOWNERDEAD was the last that it said."""
        if not self._kind() & ROBUST or self._owner.get() != INCONSISTENT:
            fail(errno.EINVAL)
        self._owner.put(owner.process.pid)

    # -- who waits, and for whom

    def describe(self) -> str:
        return self.name

    def awaited(self) -> str:
        pid, owner = self.owner_pid, self.owner
        over = "" if owner is not None and owner.alive else ", which is over"
        return f"{self.name} of pid {pid}{over}"

    def wakers(self, mask: int) -> tuple[object, ...]:
        owner = self.owner
        return () if owner is None else (owner,)


class MutexLock(Sleep):
    """A task that is to own a mutex.  ``owner_died``: it got it from a dead one."""

    __slots__ = ("mutex", "owner", "owner_died")

    refusal_error = errno.ETIMEDOUT
    retries: Final = True
    """glibc calls futex(2) again, whatever handlers have run."""

    def __init__(self, mutex: Mutex, owner: Owner) -> None:
        super().__init__(mutex.futexes, mutex.word, mutex)
        self.mutex = mutex
        self.owner = owner
        self.owner_died = False

    def __call__(self) -> WouldBlock | None:
        if self.take_grant():
            if self.owner_died:
                fail(errno.EOWNERDEAD)
            return None
        over = True
        try:
            over = self.mutex.enter(self.owner)
        finally:
            if over:
                self.futexes.leave(self)
        return None if over else self.refuse()

    def join(self, waiter: Waiter) -> None:
        super().join(waiter)
        self.mutex.note_sleepers()

    def give_back(self) -> None:
        """Unless its own process died with it, which then said so itself."""
        if not self.mutex.is_held_by(self.owner):
            return
        if self.owner_died:
            remove_note(self.mutex)
            self.mutex.owner_died()
        else:
            self.mutex.release()

    def arguments(self) -> tuple[object, ...]:
        return (self.mutex.name,)
