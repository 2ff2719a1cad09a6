"""The pipe: pipe(7), a simplex byte stream of page slots.

Its capacity is counted in *slots* of one page, not in bytes, as Linux counts
it (fs/pipe.c), and that shows:

* A write of n bytes first puts ``n mod 4096`` bytes into the last used page,
  if all of them fit behind what was written there; the rest goes into fresh
  slots.  Bytes already read from the front of a page do not count as room.
* A slot is free again when its last byte has been read.
* So a write of at most PIPE_BUF bytes is all or nothing, without a rule.
* In packet mode (O_DIRECT on the end that writes, looked at per write) each
  fresh slot is a packet: a read ends with it and drops what it did not take,
  and nothing merges into it.

The ends are open files.  An anonymous pipe has one of each kind; a FIFO has
those that were opened, and one that was opened to read and write is of both.

Not modelled: the per-user limits on pipe pages.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import BrokenPipeSignal, fail
from asyncipc.kernel.buffers import Buffer, ByteQueue, part_of
from asyncipc.kernel.files.node import S_IFIFO, Status
from asyncipc.kernel.openfile import O_DIRECT, O_NONBLOCK, O_RDONLY, O_WRONLY, Home, OpenFile
from asyncipc.kernel.readiness import ERR, HUP, IN, OUT, READABLE, WRITABLE
from asyncipc.kernel.waitqueue import WaitQueue, WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.files.node import FifoNode

PAGE: Final = 4096
PIPE_BUF: Final = 4096
F_SETPIPE_SZ: Final = 1031
F_GETPIPE_SZ: Final = 1032
PIPE_SLOTS: Final = 16
PIPE_MAX_SIZE: Final = 1048576
"""fs.pipe-max-size: the most that an unprivileged process may ask for."""
SIZE_LIMIT: Final = 1 << 31
NO_SLOTS: Final[deque[int]] = deque()
"""Stands for the slots of every pipe that nothing was written into."""


@final
class Pipe:
    """What the ends share.

    ``slots`` holds the unread bytes of each used page, those of a packet below
    0; ``packets`` says how many are such; ``filled`` how far the last page has
    been written.  ``node`` is the file of a FIFO.
    """

    __slots__ = ("buffer", "filled", "node", "packets", "readers", "slot_count", "slots", "writers")

    def __init__(self, node: FifoNode | None = None, slot_count: int = PIPE_SLOTS) -> None:
        self.buffer = ByteQueue()
        self.slots = NO_SLOTS
        self.filled = 0
        self.packets = 0
        self.slot_count = slot_count
        self.node = node
        self.readers: tuple[PipeEnd, ...] = ()
        self.writers: tuple[PipeEnd, ...] = ()

    def accept(self, data: Buffer, done: int, packets: int, *, merges: bool) -> int:
        """Take what fits of ``data[done:]``; how many bytes that was.

        ``merges``: it may go into the last page.  A call has one chance of that, at its
        beginning (pipe_write does it up front): one that goes on, or has slept, has had it.
        """
        if self.slots is NO_SLOTS:
            self.slots = deque()
        slots, total = self.slots, len(data) - done
        tail = total % PAGE if slots and merges else 0
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
            if packets:
                self._seal(pages + bool(rest))
        if moved:
            self.buffer.put(part_of(data, done, done + moved))
        return moved

    def _seal(self, count: int) -> None:
        """The last ``count`` slots are packets."""
        slots = self.slots
        for index in range(-count, 0):
            slots[index] = -slots[index]
        self.packets += count
        self.filled = PAGE

    def surrender(self, size: int) -> tuple[bytes, bool]:
        """Give up to ``size`` bytes; whether that freed a slot of a full pipe.

        That alone is news to who would write (wake_writer in pipe_read).
        """
        if self.packets:
            return self._surrender_packet(size)
        slots, data = self.slots, self.buffer.take(size)
        left = len(data)
        before = len(slots)
        while left and left >= slots[0]:
            left -= slots.popleft()
        if left:
            slots[0] -= left
        return data, len(slots) < before >= self.slot_count

    def _surrender_packet(self, size: int) -> tuple[bytes, bool]:
        """Up to the end of the first packet, whose rest is lost."""
        slots, left = self.slots, size
        before = len(slots)
        while left >= slots[0] >= 0:
            left -= slots.popleft()
        if not left or slots[0] >= 0:
            if left:
                slots[0] -= left
            return self.buffer.take(size), len(slots) < before >= self.slot_count
        packet = -slots.popleft()
        self.packets -= 1
        data = self.buffer.take(size - left + min(left, packet))
        self.buffer.take(packet - left if left < packet else 0)
        return data, before >= self.slot_count

    def forget(self) -> None:
        """Every end is closed: what an open finds next is a new pipe."""
        self.buffer = ByteQueue()
        self.slots = NO_SLOTS
        self.packets = 0
        self.slot_count = PIPE_SLOTS

    def resize(self, size: int) -> int:
        """F_SETPIPE_SZ, for both ends (pipe_set_size in fs/pipe.c)."""
        if not 0 <= size <= SIZE_LIMIT:
            fail(errno.EINVAL)
        slot_count = 1 << (max(1, -(-size // PAGE)) - 1).bit_length()
        if slot_count > self.slot_count and slot_count * PAGE > PIPE_MAX_SIZE:
            fail(errno.EPERM, f"fs.pipe-max-size is {PIPE_MAX_SIZE}")
        if slot_count < len(self.slots):
            fail(errno.EBUSY)
        self.slot_count = slot_count
        self._tell_writers()
        return slot_count * PAGE

    def _tell_writers(self) -> None:
        """There might be room: one who was woken for it in vain goes to the end of the line."""
        if not self.writers:
            return
        writer = self.writers[0]
        if len(self.slots) < self.slot_count:
            writer.notify_all()
        elif writer._write_queue is not None:
            writer._write_queue.send_back()


class PipeEnd(OpenFile):
    """An end of a pipe that both reads and writes: a FIFO opened with O_RDWR.

    All ends that read stand in one line, as do all that write.  ``paired``:
    it has seen the other side open, be that closed again.
    """

    __slots__ = ("paired", "pipe")

    noun = "pipe"
    channel_kind = "pipe"
    file_mode = S_IFIFO | 0o600
    direct = True
    whole_max = PIPE_BUF
    read_key = READABLE
    write_key = WRITABLE
    reads = True
    writes = True

    def __init__(self, kernel: Home, pipe: Pipe, flags: int) -> None:
        super().__init__(kernel, flags)
        self.pipe = pipe
        readers, writers = pipe.readers, pipe.writers
        if self.reads:
            if readers:
                self._read_queue = readers[0]._read_queue
            pipe.readers = readers = (*readers, self)
        if self.writes:
            if writers:
                self._write_queue = writers[0]._write_queue
            pipe.writers = writers = (*writers, self)
        self.paired = False
        if readers and writers:
            for end in readers + writers:
                end.paired = True

    def read_queue(self) -> WaitQueue:
        queue = self._read_queue
        if queue is None:
            queue = super().read_queue()
            for reader in self.pipe.readers:
                reader._read_queue = reader._read_queue or queue
        return queue

    def write_queue(self) -> WaitQueue:
        queue = self._write_queue
        if queue is None:
            queue = super().write_queue()
            for writer in self.pipe.writers:
                writer._write_queue = writer._write_queue or queue
        return queue

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): up to ``size`` bytes; b"" when nobody has the pipe open to write.

        Refuses while the pipe is empty and somebody has.
        """
        if not size:
            return b""
        pipe, queue = self.pipe, self._read_queue
        writers = pipe.writers
        if not pipe.buffer.size:
            return self.read_queue().refusal if writers else b""
        if queue is not None and queue.barred:
            return queue.refusal
        data, freed = pipe.surrender(size)
        if freed and writers and (line := writers[0]._write_queue) is not None:
            line.notify()
        return data

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        """write(2): how many bytes went in; at most PIPE_BUF go in whole or not.

        Refuses while not even one byte fits.  EPIPE and SIGPIPE when nobody
        has the pipe open to read.  ``done`` bytes went in by the same call before.
        """
        if len(data) == done:
            return 0
        pipe, queue = self.pipe, self._write_queue
        readers = pipe.readers
        if not readers:
            raise BrokenPipeSignal
        merges = not done
        if queue is not None:
            if queue.barred:
                return queue.refusal
            merges = merges and not queue.serving
        moved = pipe.accept(data, done, self.flags & O_DIRECT, merges=merges)
        if not moved:
            if self.flags & O_NONBLOCK and (line := readers[0]._read_queue) is not None:
                line.notify()  # pipe_write() wakes for EAGAIN, too: EPOLLET shows it
            return self.write_queue().refusal
        if self.kernel.wire is not None:
            self.kernel.wire(self, readers[0], moved)
        if (line := readers[0]._read_queue) is not None:
            line.notify()
        return moved

    def poll(self) -> int:
        return self._poll_to_read() | self._poll_to_write()

    def _poll_to_read(self) -> int:
        pipe = self.pipe
        mask = READABLE if pipe.buffer.size else 0
        return mask if pipe.writers or not self.paired else mask | HUP

    def _poll_to_write(self) -> int:
        pipe = self.pipe
        mask = WRITABLE if len(pipe.slots) < pipe.slot_count else 0
        return mask if pipe.readers else mask | ERR

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        """Of the ends that it is: pipe_poll waits at both whatever is asked."""
        if not self.writes:
            return (self.read_queue(),)
        if not self.reads:
            return (self.write_queue(),)
        return (self.read_queue(), self.write_queue())

    def wakers(self, mask: int) -> tuple[object, ...]:
        pipe = self.pipe
        return (pipe.writers if mask & IN else ()) + (pipe.readers if mask & OUT else ())

    def release(self) -> None:
        """pipe_release(): whoever is left on the other side alone is told."""
        pipe = self.pipe
        pipe.readers = tuple(end for end in pipe.readers if end is not self)
        pipe.writers = tuple(end for end in pipe.writers if end is not self)
        if not pipe.readers and not pipe.writers:
            pipe.forget()
        elif not pipe.readers:
            pipe.writers[0].notify_all()
        elif not pipe.writers:
            pipe.readers[0].notify_all()

    def unread(self) -> int:
        return self.pipe.buffer.size

    def pipe_size(self) -> int:
        return self.pipe.slot_count * PAGE

    def set_pipe_size(self, size: int) -> int:
        return self.pipe.resize(size)

    def identity(self) -> object:
        """Both ends are of one inode, and a FIFO's is what its next opening finds, too."""
        return self.pipe if self.pipe.node is None else self.pipe.node

    def describe(self) -> str:
        node = self.pipe.node
        return super().describe() if node is None else node.describe()

    def status(self) -> Status:
        node = self.pipe.node
        return super().status() if node is None else node.status()


@final
class ReadEnd(PipeEnd):
    __slots__ = ()

    writes = False
    poll = PipeEnd._poll_to_read

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        fail(errno.EBADF, "this is the read end of a pipe")


@final
class WriteEnd(PipeEnd):
    __slots__ = ()

    reads = False
    poll = PipeEnd._poll_to_write

    def read(self, size: int) -> bytes | WouldBlock:
        fail(errno.EBADF, "this is the write end of a pipe")


def new_pipe(kernel: Home, flags: int = 0) -> tuple[ReadEnd, WriteEnd]:
    """pipe2(2): the two ends of an anonymous pipe (create_pipe_files)."""
    pipe = Pipe()
    read_end = ReadEnd(kernel, pipe, O_RDONLY | flags & O_NONBLOCK)
    write_end = WriteEnd(kernel, pipe, O_WRONLY | flags & (O_NONBLOCK | O_DIRECT))
    write_end.inode = read_end.inode
    return read_end, write_end
