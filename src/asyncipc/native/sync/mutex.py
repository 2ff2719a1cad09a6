"""The mutex of the C library in memory that processes of the operating system share.

glibc's, on x86_64.  Laws:

* Who has it locked is, for the C library, the interpreter's thread; which of
  its tasks that is, is noted here.  To the other tasks of that interpreter it is locked.
* A sleeper tries again by time, and is not served in order.
* While it is locked its memory stays mapped, whoever unmaps it: the kernel
  finds there what a dead interpreter had locked, and tells the next owner of a
  robust one by EOWNERDEAD.
* Whoever is told so and does not mend the data leaves it ENOTRECOVERABLE, for
  the C library can give it to nobody else.
* An owner's end is the end of its interpreter.
"""

from __future__ import annotations

import errno
import os
import platform
from contextlib import suppress
from ctypes import Array, c_char, create_string_buffer, py_object, pythonapi
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.readiness import READABLE
from asyncipc.kernel.sync.mutex import (
    KIND,
    MUTEX_SIZE,
    PTHREAD_MUTEX_ERRORCHECK,
    PTHREAD_MUTEX_NORMAL,
    PTHREAD_MUTEX_RECURSIVE,
    ROBUST,
    TYPE,
    Fields,
)
from asyncipc.native import libc
from asyncipc.native.line import RetryLine
from asyncipc.native.memory.maps import octets_at
from asyncipc.native.refusal import refuse

if TYPE_CHECKING:
    from asyncipc.kernel.sync.futex import Word
    from asyncipc.kernel.sync.ownership import Owner
    from asyncipc.kernel.waitqueue import WouldBlock

ATTRIBUTES_SIZE: Final = 64
"""More than any pthread_mutexattr_t has."""


def check(number: int) -> None:
    """The answer of a pthread function."""
    if number:
        raise OSError(number, os.strerror(number))


@final
class Held:
    """A mutex that a task of this interpreter has locked ``count`` times.

    ``octets``: they keep its memory mapped, to the very end of the interpreter.
    """

    __slots__ = ("count", "octets", "task")

    def __init__(self, task: object, octets: Array[c_char]) -> None:
        self.task = task
        self.octets = octets
        self.count = 1
        pythonapi.Py_IncRef(py_object(octets))  # finalization would free what only Python holds

    def let_go(self) -> None:
        pythonapi.Py_DecRef(py_object(self.octets))


_HELD: Final[dict[Word, Held]] = {}
"""What this interpreter has locked, whatever becomes of the run that did: the C library
keeps a list of it in that very memory.
"""


def demand_glibc() -> None:
    """Unsupported where a pthread_mutex_t is another."""
    version = None
    with suppress(ValueError, AttributeError):
        version = os.confstr("CS_GNU_LIBC_VERSION")
    if version is None or platform.machine() != "x86_64":
        refuse("a mutex with isolation='process'", "only glibc's on x86_64")


@final
class MappedMutex:
    """A pthread_mutex_t at a word."""

    def __init__(self, word: Word, name: str) -> None:
        demand_glibc()
        self._word = word.aligned()
        self.name = name

    def initialize(self, kind: int, robust: bool) -> None:
        """pthread_mutex_init(3).  EINVAL for another kind."""
        if kind not in {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK}:
            fail(errno.EINVAL)
        attributes = create_string_buffer(ATTRIBUTES_SIZE)
        check(libc.mutexattr_init(attributes))
        check(libc.mutexattr_settype(attributes, kind))
        check(libc.mutexattr_setpshared(attributes, 1))
        check(libc.mutexattr_setrobust(attributes, int(robust)))
        check(libc.mutex_init(self._octets(), attributes))

    def destroy(self) -> None:
        """pthread_mutex_destroy(3): EBUSY while it is locked, unless it is robust."""
        check(libc.mutex_destroy(self._octets()))

    def _octets(self) -> Array[c_char]:
        return octets_at(self._word, MUTEX_SIZE)

    def _fields(self) -> Fields:
        return Fields(self._octets().raw[: KIND + 4])

    def is_locked(self) -> bool:
        return self._fields().locked

    def is_held_by(self, owner: Owner) -> bool:
        held = _HELD.get(self._word)
        return held is not None and held.task is owner.task

    def lock(self, owner: Owner) -> MappedLock:
        """pthread_mutex_lock(3), as a verb.  No handler interrupts it."""
        return MappedLock(self, owner)

    def try_lock(self, owner: Owner) -> None:
        """pthread_mutex_trylock(3): EBUSY.  A robust one that checks says EDEADLK."""
        check(self._try(owner))

    def _try(self, owner: Owner) -> int:
        """What the C library says.  No error: its traceback would keep the memory mapped."""
        held = _HELD.get(self._word)
        if held is not None and held.task is not owner.task:
            return errno.EBUSY
        octets = self._octets() if held is None else held.octets
        number = libc.mutex_trylock(octets)
        if number in {0, errno.EOWNERDEAD}:
            if held is None:
                _HELD[self._word] = Held(owner.task, octets)
            else:
                held.count += 1
        return number

    def enter(self, owner: Owner) -> bool:
        """Lock it now, if that is possible.  EDEADLK, EAGAIN, EOWNERDEAD, ENOTRECOVERABLE."""
        if self.is_held_by(owner):
            kind = self._fields().kind & TYPE
            if kind == PTHREAD_MUTEX_ERRORCHECK:
                fail(errno.EDEADLK)
            if kind == PTHREAD_MUTEX_NORMAL:
                return False
        number = self._try(owner)
        if number != errno.EBUSY:
            check(number)
        return not number

    def unlock(self, owner: Owner) -> None:
        """pthread_mutex_unlock(3): EPERM if another has it locked, unless it is a normal one."""
        held = _HELD.get(self._word)
        octets = self._octets() if held is None else held.octets
        another = held is not None and held.task is not owner.task
        if another and Fields(octets.raw[: KIND + 4]).kind & (TYPE | ROBUST):
            fail(errno.EPERM)
        check(libc.mutex_unlock(octets))
        if held is not None:
            held.count -= 1
            if not held.count:
                del _HELD[self._word]
                held.let_go()

    def make_consistent(self, owner: Owner) -> None:
        """pthread_mutex_consistent(3): EINVAL unless EOWNERDEAD was the last that it said."""
        if not self.is_held_by(owner):
            fail(errno.EINVAL)
        check(libc.mutex_consistent(self._octets()))

    def leave_as_found(self, owner: Owner) -> None:
        """It is an owner's who does not want it: ENOTRECOVERABLE, if one has died with it."""
        if self.is_held_by(owner):
            self.unlock(owner)

    def describe(self) -> str:
        return self.name

    def awaited(self) -> str:
        return f"an unlock of {self.name}"

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Not known: it may be anybody who maps it."""
        return ()


@final
class MappedLock:
    """A task that is to own a mutex."""

    __slots__ = ("_mutex", "_owner", "_refusal")

    retries: Final = True
    """The C library goes on, whatever handlers have run."""

    def __init__(self, mutex: MappedMutex, owner: Owner) -> None:
        self._mutex = mutex
        self._owner = owner
        self._refusal = RetryLine(mutex, READABLE, errno.ETIMEDOUT).refusal

    def __call__(self) -> WouldBlock | None:
        return None if self._mutex.enter(self._owner) else self._refusal

    def arguments(self) -> tuple[object, ...]:
        return (self._mutex.name,)
