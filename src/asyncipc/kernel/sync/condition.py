"""The condition that processes share: pthread_cond_wait(3), in 48 octets.

The first four count the signals.  Laws:

* A wait unlocks the mutex and stands in the condition's line in one step: no
  signal comes between.
* A signal moves the first sleeper to the mutex, which it gets at once if that
  is free, else in its turn (FUTEX_REQUEUE); a broadcast moves all of them.  So
  nobody is woken to find the mutex locked.
* Whoever was out of the line as a signal came (stopped, or in a handler) counts
  as woken.  Like others it may so be woken without a signal of its own.
* A call ends with the mutex locked again, whatever ended it.
"""

from __future__ import annotations

import enum
import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.sync.futex import Futexes, Word
from asyncipc.kernel.sync.mutex import Mutex, MutexLock

if TYPE_CHECKING:
    from asyncipc.kernel.sync.ownership import Owner
    from asyncipc.kernel.waitqueue import WouldBlock

CONDITION_SIZE: Final = 48


@final
class Condition:
    """A pthread_cond_t at a word.  ``name``: how the report calls it."""

    __slots__ = ("futexes", "name", "word")

    def __init__(self, futexes: Futexes, word: Word, name: str) -> None:
        self.futexes = futexes
        self.word = word.aligned()
        self.name = name

    def initialize(self) -> None:
        """pthread_cond_init(3)"""
        self.word.contents.poke(self.word.offset, bytes(CONDITION_SIZE))

    def wait(self, mutex: object, owner: Owner) -> ConditionWait:
        """pthread_cond_wait(3), as a verb."""
        assert isinstance(mutex, Mutex), "one of the same machine"
        return ConditionWait(self, mutex, owner)

    def signal(self) -> None:
        """pthread_cond_signal(3)"""
        self.word.put(self.word.get() + 1)
        self.wake_one()

    def broadcast(self) -> None:
        """pthread_cond_broadcast(3)"""
        self.word.put(self.word.get() + 1)
        while self.wake_one():
            pass

    def wake_one(self) -> bool:
        first = self.futexes.first(self.word, ConditionWait)
        if first is not None:
            first.go_on()
        return first is not None

    def describe(self) -> str:
        return self.name

    def awaited(self) -> str:
        return f"a signal of {self.name}"

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Anybody may signal."""
        return ()


class Stage(enum.Enum):
    LOCKED = "it has not begun"
    WAITING = "it waits for a signal"
    LOCKING = "it waits for the mutex"
    ENDED = "the mutex is its own again"


@final
class ConditionWait(MutexLock):
    """One call.  ``stage``: how far it has come."""

    __slots__ = ("_seen", "condition", "stage")

    def __init__(self, condition: Condition, mutex: Mutex, owner: Owner) -> None:
        super().__init__(mutex, owner)
        self.source = condition
        self.word = condition.word
        self.condition = condition
        self.stage = Stage.LOCKED
        self._seen = 0

    @property
    def unlocked(self) -> bool:
        """Has it unlocked the mutex, and not locked it again?"""
        return self.stage is Stage.WAITING or self.stage is Stage.LOCKING

    def __call__(self) -> WouldBlock | None:
        if self.stage is Stage.LOCKED:
            self.mutex.unlock(self.owner)
            self.mutex.count_users(1)
            self.stage = Stage.WAITING
            self._seen = self.condition.word.get()
        if self.stage is Stage.WAITING:
            if self._seen == self.condition.word.get():
                return self.refuse()
            self._turn_to_mutex()
        return self._lock()

    def _lock(self) -> WouldBlock | None:
        try:
            refusal = super().__call__()
        except OSError as error:
            if error.errno == errno.EOWNERDEAD:
                self.locked_again()
            raise
        if refusal is None:
            self.locked_again()
        return refusal

    def locked_again(self) -> None:
        """It is the user that it was; of a dead owner's it is that one's successor."""
        self.stage = Stage.ENDED
        self.mutex.count_users(-1)

    def go_on(self) -> None:
        """It was signalled as it slept."""
        self._turn_to_mutex()
        self.mutex.note_sleepers()
        if self.mutex.is_held_by(self.owner):  # a recursive one, which it has unlocked once
            self.look()
        elif not self.mutex.is_locked():
            self.mutex.pass_on()

    def _turn_to_mutex(self) -> None:
        """It sleeps on in the line of the mutex, if it sleeps at all."""
        self.stage = Stage.LOCKING
        self.refuse().source = self.mutex
        if self in self.futexes.sleepers(self.word):
            self.futexes.move(self, self.mutex.word)
        self.word = self.mutex.word

    def abandon(self) -> None:
        """It is cancelled.  What woke it wakes another (pthread_cond_wait(3p))."""
        if self.stage is Stage.LOCKING:
            self.condition.wake_one()

    def timed_out(self) -> None:
        """ETIMEDOUT, unless a signal has come; the mutex has yet to be locked."""
        if self.stage is Stage.WAITING:
            fail(errno.ETIMEDOUT)

    def arguments(self) -> tuple[object, ...]:
        return (self.condition.name, self.mutex.name)
