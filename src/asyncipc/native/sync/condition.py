"""The condition between processes of the operating system: pthread_cond_wait(3), by looking.

Its first eight octets are a token that each signal changes; who waits has read
it before it unlocked the mutex, and looks by time whether it is another.  So no
signal is lost, and every signal wakes all who wait: POSIX allows that, and
programs look at what they wait for again anyway.  Tokens are random: two that
signal at once never bring an old one back.

It is not glibc's, whose waiters only sleep: all users have to be asyncipc's.
"""

from __future__ import annotations

import enum
import errno
import os
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.readiness import READABLE
from asyncipc.kernel.sync.condition import CONDITION_SIZE
from asyncipc.native.line import RetryLine
from asyncipc.native.memory.maps import octets_at

if TYPE_CHECKING:
    from asyncipc.kernel.sync.futex import Word
    from asyncipc.kernel.sync.ownership import Owner
    from asyncipc.kernel.waitqueue import WouldBlock
    from asyncipc.runtime.sync import SharedMutex

TOKEN: Final = 8


@final
class MappedCondition:
    """A token at a word.  ``name``: how the report calls it."""

    def __init__(self, word: Word, name: str) -> None:
        self._word = word.aligned()
        self.name = name

    def initialize(self) -> None:
        """pthread_cond_init(3)"""
        octets_at(self._word, CONDITION_SIZE).raw = bytes(CONDITION_SIZE)

    def token(self) -> bytes:
        return octets_at(self._word, TOKEN).raw

    def wait(self, mutex: SharedMutex, owner: Owner) -> MappedWait:
        """pthread_cond_wait(3), as a verb."""
        return MappedWait(self, mutex, owner)

    def signal(self) -> None:
        """pthread_cond_signal(3)"""
        octets_at(self._word, TOKEN).raw = os.urandom(TOKEN)

    def broadcast(self) -> None:
        """pthread_cond_broadcast(3)"""
        self.signal()

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
class MappedWait:
    """One call.  ``stage``: how far it has come."""

    __slots__ = ("_condition", "_refusal", "_seen", "mutex", "owner", "stage")

    retries: Final = True

    def __init__(self, condition: MappedCondition, mutex: SharedMutex, owner: Owner) -> None:
        self._condition = condition
        self._refusal = RetryLine(condition, READABLE, errno.ETIMEDOUT).refusal
        self._seen = b""
        self.mutex = mutex
        self.owner = owner
        self.stage = Stage.LOCKED

    @property
    def unlocked(self) -> bool:
        """Has it unlocked the mutex, and not locked it again?"""
        return self.stage is Stage.WAITING or self.stage is Stage.LOCKING

    def __call__(self) -> WouldBlock | None:
        if self.stage is Stage.LOCKED:
            self._seen = self._condition.token()
            self.mutex.unlock(self.owner)
            self.stage = Stage.WAITING
        if self.stage is Stage.WAITING:
            if self._seen == self._condition.token():
                return self._refusal
            self.stage = Stage.LOCKING
        return self._lock()

    def _lock(self) -> WouldBlock | None:
        try:
            entered = self.mutex.enter(self.owner)
        except OSError as error:
            if error.errno == errno.EOWNERDEAD:
                self.locked_again()
            raise
        if not entered:
            return self._refusal
        self.locked_again()
        return None

    def locked_again(self) -> None:
        self.stage = Stage.ENDED

    def abandon(self) -> None:
        """It is cancelled.  What woke it has woken the others as well."""

    def timed_out(self) -> None:
        """ETIMEDOUT, unless a signal has come; the mutex has yet to be locked."""
        if self.stage is Stage.WAITING:
            fail(errno.ETIMEDOUT)

    def arguments(self) -> tuple[object, ...]:
        return (self._condition.name, self.mutex.name)
