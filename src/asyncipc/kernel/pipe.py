"""The anonymous pipe: pipe(7), a simplex byte stream of page slots.

Its capacity is counted in *slots* of one page, not in bytes, as Linux counts
it (fs/pipe.c), and that shows:

* A write of n bytes first puts ``n mod 4096`` bytes into the last used page,
  if all of them fit behind what was written there; the rest goes into fresh
  slots.  Bytes already read from the front of a page do not count as room.
* A slot is free again when its last byte has been read.
* So a write of at most PIPE_BUF bytes is all or nothing, without a rule.

Not modelled: packet mode (O_DIRECT) is refused by name; the per-user limits
on pipe pages.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import Final, final

from asyncipc.errors import BrokenPipeSignal, Unsupported, fail
from asyncipc.kernel.buffers import Buffer, ByteQueue, part_of
from asyncipc.kernel.openfile import O_DIRECT, O_NONBLOCK, O_RDONLY, O_WRONLY, Home, OpenFile
from asyncipc.kernel.readiness import ERR, HUP, READABLE, WRITABLE
from asyncipc.kernel.waitqueue import WaitQueue, WouldBlock

PAGE: Final = 4096
PIPE_BUF: Final = 4096
PIPE_SLOTS: Final = 16
PIPE_MAX_SIZE: Final = 1048576
"""fs.pipe-max-size: the most that an unprivileged process may ask for."""
SIZE_LIMIT: Final = 1 << 31
NO_SLOTS: Final[deque[int]] = deque()
"""Stands for the slots of every pipe that nothing was written into."""


@final
class Pipe:
    """What the two ends share.

    ``slots`` holds the unread bytes of each used page, ``filled`` how far the
    last one has been written.
    """

    __slots__ = ("buffer", "filled", "read_end", "slot_count", "slots", "write_end")

    def __init__(self, kernel: Home, flags: int = 0, slot_count: int = PIPE_SLOTS) -> None:
        self.buffer = ByteQueue()
        self.slots = NO_SLOTS
        self.filled = 0
        self.slot_count = slot_count
        self.read_end = ReadEnd(kernel, self, flags)
        self.write_end = WriteEnd(kernel, self, flags)
        self.write_end.inode = self.read_end.inode

    def accept(self, data: Buffer, done: int) -> int:
        """Take what fits of ``data[done:]``; how many bytes that was.

        ``done`` > 0 means that the same call goes on: it has had its chance
        to merge into the last page (pipe_write does that once, up front).
        """
        if self.slots is NO_SLOTS:
            self.slots = deque()
        slots, total = self.slots, len(data) - done
        tail = total % PAGE if slots and not done else 0
        if tail and self.filled + tail <= PAGE:
            slots[-1] += tail
            self.filled += tail
            moved = tail
        else:
            moved = 0
        fresh = min(total - moved, (self.slot_count - len(slots)) * PAGE)
        if fresh > 0:
            pages, rest = divmod(fresh, PAGE)
            slots.extend([PAGE] * pages)
            if rest:
                slots.append(rest)
            self.filled = rest or PAGE
            moved += fresh
        if moved:
            self.buffer.put(part_of(data, done, done + moved))
        return moved

    def surrender(self, size: int) -> tuple[bytes, bool]:
        """Give up to ``size`` bytes; whether that freed a slot."""
        slots, data = self.slots, self.buffer.take(size)
        left = len(data)
        before = len(slots)
        while left and left >= slots[0]:
            left -= slots.popleft()
        if left:
            slots[0] -= left
        return data, len(slots) < before

    def resize(self, size: int) -> int:
        """F_SETPIPE_SZ, for both ends (pipe_set_size in fs/pipe.c)."""
        if not 0 <= size <= SIZE_LIMIT:
            fail(errno.EINVAL)
        slot_count = 1 << (max(1, -(-size // PAGE)) - 1).bit_length()
        if slot_count > self.slot_count and slot_count * PAGE > PIPE_MAX_SIZE:
            fail(errno.EPERM, f"fs.pipe-max-size is {PIPE_MAX_SIZE}")
        if slot_count < len(self.slots):
            fail(errno.EBUSY)
        grown = slot_count > self.slot_count
        self.slot_count = slot_count
        if grown:
            self.write_end.notify_all()
        return slot_count * PAGE


class PipeEnd(OpenFile):
    """What both ends do alike."""

    __slots__ = ("pipe",)

    noun = "pipe"

    def __init__(self, kernel: Home, pipe: Pipe, flags: int) -> None:
        super().__init__(kernel, flags)
        self.pipe = pipe

    def unread(self) -> int:
        return self.pipe.buffer.size

    def pipe_size(self) -> int:
        return self.pipe.slot_count * PAGE

    def set_pipe_size(self, size: int) -> int:
        return self.pipe.resize(size)

    def allow_flags(self, flags: int) -> None:
        if flags & O_DIRECT:
            raise Unsupported("asyncipc does not model the packet mode of pipes (O_DIRECT)")


@final
class ReadEnd(PipeEnd):
    __slots__ = ()

    def __init__(self, kernel: Home, pipe: Pipe, flags: int) -> None:
        super().__init__(kernel, pipe, O_RDONLY | flags & O_NONBLOCK)

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): up to ``size`` bytes; b"" when every write end is closed.

        Refuses while the pipe is empty and a write end is open.
        """
        if not size:
            return b""
        pipe, queue = self.pipe, self._read_queue
        if not pipe.buffer.size:
            return b"" if not pipe.write_end.holders else self.read_queue().refusal
        if queue is not None and queue.barred:
            return queue.refusal
        data, freed = pipe.surrender(size)
        writers = pipe.write_end._write_queue
        if freed and writers is not None:
            writers.notify()
        return data

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        fail(errno.EBADF, "this is the read end of a pipe")

    def poll(self) -> int:
        mask = READABLE if self.pipe.buffer.size else 0
        return mask if self.pipe.write_end.holders else mask | HUP

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        return (self.read_queue(),)

    def wakers(self, mask: int) -> tuple[object, ...]:
        return (self.pipe.write_end,)

    def release(self) -> None:
        self.pipe.write_end.notify_all()


@final
class WriteEnd(PipeEnd):
    __slots__ = ()

    whole_max = PIPE_BUF

    def __init__(self, kernel: Home, pipe: Pipe, flags: int) -> None:
        super().__init__(kernel, pipe, O_WRONLY | flags & O_NONBLOCK)

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        """write(2): how many bytes went in; at most PIPE_BUF go in whole or not.

        Refuses while not even one byte fits.  EPIPE and SIGPIPE when every
        read end is closed.  ``done`` bytes went in by the same call before.
        """
        if len(data) == done:
            return 0
        pipe, queue = self.pipe, self._write_queue
        if not pipe.read_end.holders:
            raise BrokenPipeSignal
        if queue is not None and queue.barred:
            return queue.refusal
        moved = pipe.accept(data, done)
        if not moved:
            return self.write_queue().refusal
        if self.kernel.wire is not None:
            self.kernel.wire(self, pipe.read_end, moved)
        readers = pipe.read_end._read_queue
        if readers is not None:
            readers.notify()
        return moved

    def read(self, size: int) -> bytes | WouldBlock:
        fail(errno.EBADF, "this is the write end of a pipe")

    def poll(self) -> int:
        mask = WRITABLE if len(self.pipe.slots) < self.pipe.slot_count else 0
        return mask if self.pipe.read_end.holders else mask | ERR

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        return (self.write_queue(),)

    def wakers(self, mask: int) -> tuple[object, ...]:
        return (self.pipe.read_end,)

    def release(self) -> None:
        self.pipe.read_end.notify_all()
