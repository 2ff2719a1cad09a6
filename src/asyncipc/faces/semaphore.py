"""A semaphore that processes share, by a name or in memory, as an async context manager."""

from __future__ import annotations

from types import TracebackType
from typing import final

import anyio

from asyncipc.faces.calls import release, retried, take
from asyncipc.faces.paths import to_kernel_path
from asyncipc.faces.words import Mapped, word_in
from asyncipc.kernel.files.namespace import O_CREAT, O_EXCL
from asyncipc.kernel.sync.semaphore import SEM_SIZE
from asyncipc.runtime.process import current
from asyncipc.runtime.sync import SharedSemaphore
from asyncipc.runtime.syscall import call


@final
class Semaphore:
    """A sem_t: ``async with semaphore: ...`` takes one and posts it again.

    ``open_semaphore(name)`` is one with a name; ``Semaphore(memory, offset)`` what
    lies in 32 bytes of shared memory, ``Semaphore.create`` makes it there.  Nobody
    owns what was taken: a process that dies does not give it back.
    """

    SIZE = SEM_SIZE

    def __init__(self, memory: Mapped, offset: int = 0) -> None:
        word = word_in(memory, offset, SEM_SIZE)
        made = current().machine.sync.semaphore(word, f"semaphore at {offset:#x}")
        self.kernel: SharedSemaphore = made

    @classmethod
    def create(cls, memory: Mapped, offset: int = 0, initial_value: int = 1) -> Semaphore:
        """A new one there.  EINVAL for a value below 0 or above 2**31 - 1."""
        made = cls(memory, offset)
        call("sem_init", made.kernel.initialize, initial_value)
        return made

    @classmethod
    def of(cls, kernel: SharedSemaphore) -> Semaphore:
        """One that the machine has opened."""
        made = cls.__new__(cls)
        made.kernel = kernel
        return made

    @property
    def value(self) -> int:
        """How many there are; 0 if somebody sleeps."""
        return self.kernel.value

    async def acquire(self) -> None:
        """Take one.  *Blocks* while there is none; whatever it raises, it has taken none.

        Sleepers are served in order.  Handlers that run meanwhile do not end it.
        """
        kernel = self.kernel
        await retried(lambda: take("sem_wait", None, kernel.wait(), kernel.post))

    def acquire_nowait(self) -> None:
        """Take one now, or anyio.WouldBlock."""
        try:
            call("sem_trywait", lambda _: self.kernel.try_wait(), self.kernel.name)
        except BlockingIOError:
            raise anyio.WouldBlock from None

    def release(self) -> None:
        """One more, which the first sleeper gets, whatever handlers raise meanwhile.

        EOVERFLOW at 2**31 - 1.
        """
        release("sem_post", lambda _: self.kernel.post(), self.kernel.name)

    async def __aenter__(self) -> Semaphore:
        await self.acquire()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def open_semaphore(
    name: str, initial_value: int = 1, *, create: bool = False, exclusive: bool = False
) -> Semaphore:
    """The semaphore of a name; with ``create`` a new one if there is none.

    ``exclusive`` insists on a new one (FileExistsError).  FileNotFoundError if there
    is none, and other errors as ``posix.sem_open``.  Its name stays until
    ``unlink_semaphore``.
    """
    body = current()
    flags = (O_CREAT if create or exclusive else 0) | (O_EXCL if exclusive else 0)
    opened = call(
        "sem_open",
        lambda name, flags, mode, value: body.machine.sem_open(body, name, flags, mode, value),
        to_kernel_path(name),
        flags,
        0o600,
        initial_value,
    )
    return Semaphore.of(opened)


def unlink_semaphore(name: str) -> None:
    """Take the name away; whoever has it open goes on.  FileNotFoundError."""
    body = current()
    call("sem_unlink", lambda name: body.machine.sem_unlink(body, name), to_kernel_path(name))
