"""The eventfd: eventfd(2), a counter of 64 bits (fs/eventfd.c).

Reading takes all of it, or 1 with EFD_SEMAPHORE; writing adds.  Each waits
where it would leave the counter's range.
"""

from __future__ import annotations

import errno
from typing import Final, final

from asyncipc.errors import fail
from asyncipc.kernel.anonymous.file import AnonymousFile
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.openfile import O_CLOEXEC, O_NONBLOCK, Home
from asyncipc.kernel.readiness import IN, OUT
from asyncipc.kernel.waitqueue import WouldBlock

EFD_SEMAPHORE: Final = 1
EFD_NONBLOCK: Final = O_NONBLOCK
EFD_CLOEXEC: Final = O_CLOEXEC
COUNTER_SIZE: Final = 8
COUNTER_MAX: Final = 2**64 - 2


@final
class EventFile(AnonymousFile):
    __slots__ = ("count", "is_semaphore")

    name = "eventfd"
    read_key = IN
    write_key = OUT

    def __init__(self, kernel: Home, initial: int, flags: int) -> None:
        if flags & ~(EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC):
            fail(errno.EINVAL)
        super().__init__(kernel, flags)
        self.count = initial
        self.is_semaphore = bool(flags & EFD_SEMAPHORE)

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): the counter, as 8 bytes.  Refuses at 0.  EINVAL for less room."""
        if size < COUNTER_SIZE:
            fail(errno.EINVAL)
        queue = self.read_queue()
        if not self.count or queue.barred:
            return queue.refusal
        taken = 1 if self.is_semaphore else self.count
        self.count -= taken
        if self._write_queue is not None:
            self._write_queue.notify()
        return taken.to_bytes(COUNTER_SIZE, "little")

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        """write(2): add 8 bytes' worth.  Refuses what does not fit.  EINVAL for 2^64 - 1.

        Whoever waits to read is told of every write, of 0 too.
        """
        if len(data) != COUNTER_SIZE:
            fail(errno.EINVAL)
        value = int.from_bytes(data, "little")
        if value > COUNTER_MAX:
            fail(errno.EINVAL)
        queue = self.write_queue()
        if self.count + value > COUNTER_MAX or queue.barred:
            return queue.refusal
        self.count += value
        if self._read_queue is not None:
            self._read_queue.notify()
        return COUNTER_SIZE

    def poll(self) -> int:
        """IN and OUT alone: eventfd_poll() knows no RDNORM."""
        return (IN if self.count else 0) | (OUT if self.count < COUNTER_MAX else 0)

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Whoever has it open may read and write."""
        return (self,)
