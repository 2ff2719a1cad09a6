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
from asyncipc.kernel.sync.futex import WORD, WORD_MAX, Futexes, Sleep, Word
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
class Fields:
    """What lies there, read at once.  ``lock``: 0 if it is nobody's."""

    __slots__ = ("count", "kind", "lock", "owner", "users")

    def __init__(self, octets: bytes) -> None:
        whole = int.from_bytes(octets, "little")
        self.lock = whole & WORD_MAX
        self.count = whole >> 8 * COUNT & WORD_MAX
        self.owner = whole >> 8 * OWNER & WORD_MAX
        self.users = whole >> 8 * USERS & WORD_MAX
        self.kind = whole >> 8 * KIND & WORD_MAX

    def changeable(self) -> bytes:
        """All that comes before the kind."""
        low = self.lock | (self.count & WORD_MAX) << 8 * COUNT
        high = self.owner << 8 * OWNER | (self.users & WORD_MAX) << 8 * USERS
        return (low | high).to_bytes(KIND, "little")

    @property
    def robust(self) -> bool:
        return self.kind != DESTROYED and bool(self.kind & ROBUST)

    @property
    def lost(self) -> bool:
        """Not recoverable."""
        return self.owner == NOT_RECOVERABLE and self.robust

    @property
    def locked(self) -> bool:
        return bool(self.lock & ~(FUTEX_WAITERS | FUTEX_OWNER_DIED))

    @property
    def pid(self) -> int:
        """The owner's.  0: nobody's."""
        if not self.lock:
            return 0
        return self.lock & FUTEX_TID_MASK if self.kind & ROBUST else self.owner

    def is_held_by(self, mutex: Mutex, owner: Owner) -> bool:
        return self.pid == owner.process.pid and is_task_of(mutex, owner)


@final
class Mutex:
    """A pthread_mutex_t at a word.  ``name``: how the report calls it."""

    __slots__ = ("futexes", "name", "word")

    def __init__(self, futexes: Futexes, word: Word, name: str) -> None:
        self.futexes = futexes
        self.word = word.aligned()
        self.name = name

    def initialize(self, kind: int, robust: bool) -> None:
        """pthread_mutex_init(3).  EINVAL for another kind."""
        if kind not in {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK}:
            fail(errno.EINVAL)
        self.word.contents.poke(self.word.offset, bytes(MUTEX_SIZE))
        self.word.at(KIND).put(kind | PROCESS_SHARED | (ROBUST if robust else 0))

    def destroy(self) -> None:
        """pthread_mutex_destroy(3): EBUSY while it is locked, unless it is robust."""
        fields = self._load()
        if not fields.kind & ROBUST and fields.users:
            fail(errno.EBUSY)
        self.word.at(KIND).put(DESTROYED)

    # -- what it is

    def fields(self) -> Fields:
        contents, offset = self.word
        return Fields(contents.peek(offset, KIND + WORD))

    def _load(self) -> Fields:
        """EINVAL for one that was destroyed."""
        fields = self.fields()
        if fields.kind == DESTROYED:
            fail(errno.EINVAL)
        return fields

    def _store(self, fields: Fields) -> None:
        contents, offset = self.word
        contents.poke(offset, fields.changeable())

    @property
    def owner(self) -> Process | None:
        """The process that has it locked, if that is still known."""
        return self.futexes.processes.get(self.owner_pid)

    @property
    def owner_pid(self) -> int:
        """0: nobody's."""
        return self.fields().pid

    def is_locked(self) -> bool:
        return self.fields().locked

    def is_held_by(self, owner: Owner) -> bool:
        return self.fields().is_held_by(self, owner)

    # -- locking

    def lock(self, owner: Owner) -> MutexLock:
        """pthread_mutex_lock(3), as a verb.  No handler interrupts it."""
        return MutexLock(self, owner)

    def try_lock(self, owner: Owner) -> None:
        """pthread_mutex_trylock(3): EBUSY.  A robust one that checks says EDEADLK."""
        fields = self._load()
        if fields.is_held_by(self, owner):
            kind = fields.kind
            if kind & TYPE == PTHREAD_MUTEX_RECURSIVE:
                self._lock_again(fields)
            elif kind & ROBUST and kind & TYPE == PTHREAD_MUTEX_ERRORCHECK:
                fail(errno.EDEADLK)
            else:
                fail(errno.EBUSY)
        elif not self._take(fields, owner):
            fail(errno.EBUSY)

    def enter(self, owner: Owner) -> bool:
        """Lock it now, if that is possible.  EDEADLK, EAGAIN, EOWNERDEAD, ENOTRECOVERABLE."""
        fields = self._load()
        kind = fields.kind & TYPE
        if kind != PTHREAD_MUTEX_NORMAL and fields.is_held_by(self, owner):
            if kind == PTHREAD_MUTEX_ERRORCHECK:
                fail(errno.EDEADLK)
            self._lock_again(fields)
            return True
        return self._take(fields, owner)

    def _lock_again(self, fields: Fields) -> None:
        if fields.count == WORD_MAX:
            fail(errno.EAGAIN)
        fields.count += 1
        self._store(fields)

    def _take(self, fields: Fields, owner: Owner) -> bool:
        """It becomes the owner's, if it is nobody's.  EOWNERDEAD: it does, too."""
        if fields.lost:
            fail(errno.ENOTRECOVERABLE)
        if fields.locked:
            return False
        if self._give_to(fields, owner):
            fail(errno.EOWNERDEAD)
        return True

    def _give_to(self, fields: Fields, owner: Owner) -> bool:
        """It is the owner's now; true if the former one died with it."""
        kind, pid = fields.kind, owner.process.pid
        died = bool(fields.lock & FUTEX_OWNER_DIED)
        fields.lock = pid if kind & ROBUST else 1
        if kind & ROBUST or kind & TYPE == PTHREAD_MUTEX_RECURSIVE:
            fields.count = 1
        fields.owner = INCONSISTENT if died else pid
        fields.users += not died
        self._store(fields)
        if self.futexes:
            self.note_sleepers()
        note(self, owner)
        return died

    def note_sleepers(self) -> None:
        """The lock word says that somebody sleeps for it."""
        if self.futexes.first(self.word, Sleep) is None:
            return
        fields = self.fields()
        if fields.locked:
            self.word.put(fields.lock | FUTEX_WAITERS if fields.robust else 2)

    # -- unlocking

    def unlock(self, owner: Owner) -> None:
        """pthread_mutex_unlock(3): EPERM if another has it locked, unless it is a normal one.

        A robust recursive one is its who has made it consistent, and says
        ENOTRECOVERABLE at the inner unlocks of who did not.
        """
        fields = self._load()
        kind = fields.kind
        recursive = kind & TYPE == PTHREAD_MUTEX_RECURSIVE
        gives_up = fields.owner == INCONSISTENT and bool(kind & ROBUST)
        if recursive and kind & ROBUST and not gives_up:
            held = fields.owner == owner.process.pid and is_task_of(self, owner)
        else:
            held = not kind & (TYPE | ROBUST) or fields.is_held_by(self, owner)
        if not held:
            fail(errno.EPERM)
        if recursive:
            fields.count -= 1
            if fields.count:
                self._store(fields)
                if gives_up:
                    fail(errno.ENOTRECOVERABLE, "it has to be unlocked once more")
                return
        self._release(fields, NOT_RECOVERABLE if gives_up else 0)

    def release(self) -> None:
        """It is nobody's, and its data are as they should be; the first sleeper gets it."""
        self._release(self.fields(), 0)

    def _release(self, fields: Fields, owner: int) -> None:
        remove_note(self, fields.pid)
        fields.lock = 0
        fields.owner = owner
        fields.users -= 1
        self._store(fields)
        if self.futexes:
            self.pass_on()

    def leave_as_found(self, owner: Owner) -> None:
        """It is an owner's who does not want it: who comes next is told of a death, too.

        Nobody's if its own process has died with it, which then said so itself.
        """
        fields = self.fields()
        if not fields.is_held_by(self, owner):
            return
        if fields.robust and fields.owner == INCONSISTENT:
            remove_note(self, owner.process.pid)
            self.owner_died()
        else:
            self.release()

    def owner_died(self) -> None:
        """The owner is gone: handle_futex_death() in kernel/futex/core.c."""
        self.word.put(FUTEX_OWNER_DIED)
        self.pass_on()

    def pass_on(self) -> None:
        """It is free: the first sleeper's, or nobody's; or nobody's for good, as all are told."""
        fields = self.fields()
        if fields.lost:
            self.futexes.wake(self.word, WORD_MAX)
            return
        first = self.futexes.first(self.word, MutexLock)
        if first is None:
            self.futexes.wake(self.word, 1)
            return
        self.futexes.leave(first)
        first.owner_died = self._give_to(fields, first.owner)
        first.grant()

    def count_users(self, change: int) -> None:
        """Who waits at a condition is a user still (__pthread_mutex_unlock_usercnt)."""
        fields = self.fields()
        fields.users += change
        self._store(fields)

    def make_consistent(self, owner: Owner) -> None:
        """pthread_mutex_consistent(3): EINVAL unless EOWNERDEAD was the last that it said."""
        fields = self._load()
        if not fields.kind & ROBUST or fields.owner != INCONSISTENT:
            fail(errno.EINVAL)
        fields.owner = owner.process.pid
        self._store(fields)

    # -- who waits, and for whom

    def describe(self) -> str:
        return self.name

    def awaited(self) -> str:
        pid = self.owner_pid
        owner = self.futexes.processes.get(pid)
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
        try:
            if not self.mutex.enter(self.owner):
                return self.refuse()
        except OSError:
            self.futexes.leave(self)
            raise
        self.futexes.leave(self)
        return None

    def join(self, waiter: Waiter) -> None:
        super().join(waiter)
        self.mutex.note_sleepers()

    def give_back(self) -> None:
        self.mutex.leave_as_found(self.owner)

    def arguments(self) -> tuple[object, ...]:
        return (self.mutex.name,)
