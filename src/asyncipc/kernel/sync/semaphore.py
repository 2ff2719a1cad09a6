"""The POSIX semaphore: sem_overview(7), a count in shared memory.

A sem_t is 32 octets, of which the first four are the value.  Laws:

* A post is granted to the first sleeper, and the value stays 0; it grows only if
  nobody sleeps.  So sleepers are served in order, and the value is never
  negative.
* A sleeper that leaves without what it was granted posts it again.
* Nobody owns a unit: who dies having taken one has taken it.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.sync.futex import Futexes, Sleep, Word

if TYPE_CHECKING:
    from asyncipc.kernel.waitqueue import WouldBlock

SEM_VALUE_MAX: Final = 2**31 - 1
SEM_SIZE: Final = 32
FUTEX_SHARED: Final = 128
"""What glibc notes beside the value of a semaphore that processes share."""


def image(value: int) -> bytes:
    """A sem_t with a value, as in the file of a named semaphore.  EINVAL beyond the maximum."""
    if not 0 <= value <= SEM_VALUE_MAX:
        fail(errno.EINVAL)
    words = (value, 0, FUTEX_SHARED)
    return b"".join(word.to_bytes(4, "little") for word in words).ljust(SEM_SIZE, b"\0")


@final
class Semaphore:
    """A sem_t at a word.  ``name``: how the report calls it."""

    __slots__ = ("futexes", "name", "word")

    def __init__(self, futexes: Futexes, word: Word, name: str) -> None:
        self.futexes = futexes
        self.word = word.aligned()
        self.name = name

    def initialize(self, value: int) -> None:
        """sem_init(3)"""
        self.word.contents.poke(self.word.offset, image(value))

    @property
    def value(self) -> int:
        return self.word.get()

    def wait(self) -> SemaphoreWait:
        """sem_wait(3), as a verb; what it refuses is ETIMEDOUT in the end."""
        return SemaphoreWait(self)

    def try_wait(self) -> None:
        """sem_trywait(3): EAGAIN"""
        if not self.take():
            fail(errno.EAGAIN)

    def take(self) -> bool:
        value = self.word.get()
        if value:
            self.word.put(value - 1)
        return bool(value)

    def post(self) -> None:
        """sem_post(3): EOVERFLOW at the maximum."""
        value = self.word.get()
        if value >= SEM_VALUE_MAX:
            fail(errno.EOVERFLOW)
        sleeper = self.futexes.first(self.word, SemaphoreWait)
        if sleeper is not None:
            sleeper.grant()
            return
        self.word.put(value + 1)
        self.futexes.wake(self.word, 1)

    def describe(self) -> str:
        return self.name

    def awaited(self) -> str:
        return f"a post of {self.name}"

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Anybody may post."""
        return ()


@final
class SemaphoreWait(Sleep):
    __slots__ = ("semaphore",)

    refusal_error = errno.ETIMEDOUT

    def __init__(self, semaphore: Semaphore) -> None:
        super().__init__(semaphore.futexes, semaphore.word, semaphore)
        self.semaphore = semaphore

    def __call__(self) -> WouldBlock | None:
        if self.take_grant():
            return None
        if self.semaphore.take():
            self.futexes.leave(self)
            return None
        return self.refuse()

    def give_back(self) -> None:
        self.semaphore.post()

    def arguments(self) -> tuple[object, ...]:
        return (self.semaphore.name,)
