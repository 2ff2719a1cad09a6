"""The semaphores of the operating system: sem_overview(7).

Its sem_wait(3) blocks the thread and is no descriptor, so who sleeps tries
again by time (:class:`~asyncipc.native.line.RetryLine`): sleepers are not
served in order, and a post may be taken by who comes later.

Names are the operating system's own: the machine's ``root`` has no say in
them.  In memory they are the C library's where processes are real; those of
tasks are the model's.
"""

from __future__ import annotations

import errno
from ctypes import byref, c_int, c_uint, c_void_p
from typing import TYPE_CHECKING, Final, NoReturn, final

from asyncipc.errors import fail
from asyncipc.kernel.readiness import READABLE
from asyncipc.kernel.sync.named import shown
from asyncipc.kernel.sync.semaphore import SEM_SIZE, SEM_VALUE_MAX
from asyncipc.native import libc
from asyncipc.native.files.names import umask_of
from asyncipc.native.line import RetryLine
from asyncipc.native.memory.maps import octets_at

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sync.futex import Word
    from asyncipc.kernel.waitqueue import WouldBlock


class RealSemaphore:
    """A sem_t, wherever it lies.  ``name``: how the report calls it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def place(self) -> object:
        """Its address, as the C library takes it.  EFAULT if it is gone."""
        raise NotImplementedError

    @property
    def value(self) -> int:
        """sem_getvalue(3)"""
        count = c_int()
        libc.sem_getvalue(self.place(), byref(count))
        return count.value

    def take(self) -> bool:
        """sem_trywait(3), without its error."""
        try:
            libc.sem_trywait(self.place())
        except BlockingIOError:
            return False
        return True

    def post(self) -> None:
        """sem_post(3): EOVERFLOW at the maximum."""
        libc.sem_post(self.place())

    def wait(self) -> RetriedWait:
        """sem_wait(3), as a verb; what it refuses is ETIMEDOUT in the end."""
        return RetriedWait(self)

    def try_wait(self) -> None:
        """sem_trywait(3): EAGAIN"""
        if not self.take():
            fail(errno.EAGAIN)

    def describe(self) -> str:
        return self.name

    def awaited(self) -> str:
        return f"a post of {self.name}"

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Not known: it may be anybody of this system."""
        return ()


@final
class RetriedWait:
    __slots__ = ("_refusal", "_semaphore")

    def __init__(self, semaphore: RealSemaphore) -> None:
        self._semaphore = semaphore
        self._refusal = RetryLine(semaphore, READABLE, errno.ETIMEDOUT).refusal

    def __call__(self) -> WouldBlock | None:
        return None if self._semaphore.take() else self._refusal

    def arguments(self) -> tuple[object, ...]:
        return (self._semaphore.name,)


@final
class MappedSemaphore(RealSemaphore):
    """In memory that processes share."""

    def __init__(self, word: Word, name: str) -> None:
        super().__init__(name)
        self._word = word.aligned()

    def place(self) -> object:
        return octets_at(self._word, SEM_SIZE)

    def initialize(self, value: int) -> None:
        """sem_init(3)"""
        if not 0 <= value <= SEM_VALUE_MAX:
            fail(errno.EINVAL)
        libc.sem_init(self.place(), 1, value)


@final
class NamedSemaphore(RealSemaphore):
    """One sem_open of it; it is closed when nobody has it any more."""

    def __init__(self, address: int, name: str) -> None:
        super().__init__(name)
        self._place: Final = c_void_p(address)

    def __del__(self) -> None:
        libc.sem_close(self._place)

    def place(self) -> object:
        return self._place

    def initialize(self, value: int) -> NoReturn:
        """sem_init(3) is for memory of one's own."""
        fail(errno.EINVAL)


def sem_open(process: Process, name: bytes, flags: int, mode: int, value: int) -> NamedSemaphore:
    """The semaphore of a name; one that is there keeps its value.

    ENOENT, EEXIST, EACCES, EINVAL (name, value), ENAMETOOLONG.
    """
    if not 0 <= value <= SEM_VALUE_MAX:
        value = SEM_VALUE_MAX + 1  # which is an error only if it is made
    with umask_of(process):
        address = libc.sem_open(name, flags, c_uint(mode), c_uint(value))
    return NamedSemaphore(address, f"semaphore:{shown(name)}")


def sem_unlink(name: bytes) -> None:
    """Its name is gone; who has it open keeps it.  ENOENT for what is no name, too."""
    libc.sem_unlink(name)
