"""The semaphores of the operating system: sem_overview(7).

Its sem_wait(3) blocks the thread and is no descriptor, so who sleeps tries
again by time (:class:`~asyncipc.native.line.RetryLine`): sleepers are not
served in order, and a post may be taken by who comes later.

Those with names are opened by the extra posix_ipc.  Names are the operating
system's own: the machine's ``root`` has no say in them.  Those in memory are
the C library's where processes are real; those of tasks are the model's.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from ctypes import byref, c_int
from typing import TYPE_CHECKING, Any, Final, NoReturn, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.files.namespace import O_CREAT, O_EXCL
from asyncipc.kernel.readiness import READABLE
from asyncipc.kernel.sync.named import shown
from asyncipc.kernel.sync.semaphore import SEM_SIZE, SEM_VALUE_MAX
from asyncipc.native import libc
from asyncipc.native.line import RetryLine
from asyncipc.native.memory import octets_at

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sync.futex import Word
    from asyncipc.kernel.waitqueue import WouldBlock

PERMISSIONS: Final = 0o777


def _extra() -> Any:
    try:
        import posix_ipc  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ModuleNotFoundError:
        raise Unsupported(
            "sem_open(3) on the native machine needs: pip install 'asyncipc[native]'"
        ) from None
    return posix_ipc


class RetriedSemaphore:
    """What is done to a semaphore whose non-blocking form is all there is to wait with."""

    name: str

    def take(self) -> bool:
        raise NotImplementedError

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

    def __init__(self, semaphore: RetriedSemaphore) -> None:
        self._semaphore = semaphore
        self._refusal = RetryLine(semaphore, READABLE, errno.ETIMEDOUT).refusal

    def __call__(self) -> WouldBlock | None:
        return None if self._semaphore.take() else self._refusal

    def arguments(self) -> tuple[object, ...]:
        return (self._semaphore.name,)


@final
class MappedSemaphore(RetriedSemaphore):
    """A sem_t of the C library in memory that processes share."""

    def __init__(self, word: Word, name: str) -> None:
        self._word = word.aligned()
        self.name = name

    def initialize(self, value: int) -> None:
        """sem_init(3)"""
        if not 0 <= value <= SEM_VALUE_MAX:
            fail(errno.EINVAL)
        libc.sem_init(octets_at(self._word, SEM_SIZE), 1, value)

    @property
    def value(self) -> int:
        count = c_int()
        libc.sem_getvalue(octets_at(self._word, SEM_SIZE), byref(count))
        return count.value

    def take(self) -> bool:
        try:
            libc.sem_trywait(octets_at(self._word, SEM_SIZE))
        except BlockingIOError:
            return False
        return True

    def post(self) -> None:
        """sem_post(3): EOVERFLOW at the maximum."""
        libc.sem_post(octets_at(self._word, SEM_SIZE))


@final
class NamedSemaphore(RetriedSemaphore):
    """One sem_open of it; it is closed when nobody has it any more."""

    def __init__(self, opened: Any, name: str, busy: type[Exception]) -> None:
        self._opened = opened
        self._busy = busy
        self.name = name

    def __del__(self) -> None:
        self._opened.close()

    def initialize(self, value: int) -> NoReturn:
        """sem_init(3) is for memory of one's own."""
        fail(errno.EINVAL)

    @property
    def value(self) -> int:
        """sem_getvalue(3)"""
        count: int = self._opened.value
        return count

    def take(self) -> bool:
        try:
            self._opened.acquire(0)
        except self._busy:
            return False
        return True

    def post(self) -> None:
        """sem_post(3): EOVERFLOW at the maximum."""
        self._opened.release()


def sem_open(process: Process, name: bytes, flags: int, mode: int, value: int) -> NamedSemaphore:
    """The semaphore of a name; one that is there keeps its value.

    ENOENT, EEXIST, EACCES, EINVAL (name, value), ENAMETOOLONG.
    """
    extra = _extra()
    flags = flags & (O_CREAT | O_EXCL) if flags & O_CREAT else 0
    mode &= PERMISSIONS & ~process.umask

    def make() -> Any:
        return extra.Semaphore(os.fsdecode(name), flags, mode, value)

    opened = _told(extra, make, errno.EEXIST if flags & O_EXCL else errno.ENOENT)
    return NamedSemaphore(opened, f"semaphore:{shown(name)}", extra.BusyError)


def sem_unlink(name: bytes) -> None:
    """Its name is gone; who has it open keeps it.  ENOENT for what is no name, too."""
    extra = _extra()
    _told(extra, lambda: extra.unlink_semaphore(os.fsdecode(name)), errno.ENOENT)


def _told(extra: Any, act: Callable[[], Any], existence: int) -> Any:
    """What it does, with its errors as the errno that the extra keeps for itself."""
    try:
        return act()
    except extra.PermissionsError:
        fail(errno.EACCES)
    except extra.ExistentialError:
        fail(existence)
    except ValueError as error:
        fail(errno.ENAMETOOLONG if "too long" in str(error) else errno.EINVAL)
