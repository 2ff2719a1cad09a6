"""The descriptor's side of a queue: mq_overview(7) says it is one, and on Linux it can be polled.

What read(2) gives is text about the queue, not its messages.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.files.node import Status
from asyncipc.kernel.mqueue.notification import SIGEV_SIGNAL, SignalEvent, register
from asyncipc.kernel.mqueue.queue import MessageQueue, QueueAttributes
from asyncipc.kernel.openfile import O_ACCMODE, O_NONBLOCK, OpenFile
from asyncipc.kernel.readiness import READABLE, WRITABLE

if TYPE_CHECKING:
    from asyncipc.kernel.buffers import Buffer
    from asyncipc.kernel.mqueue.names import MessageQueues
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.waitqueue import WaitQueue, WouldBlock

S_IFREG: Final = 0o100000
SEEK_SET: Final = 0
SEEK_CUR: Final = 1
SEEK_END: Final = 2
SEEK_DATA: Final = 3
SEEK_HOLE: Final = 4


@final
class MessageQueueFile(OpenFile):
    """One mq_open of a ``queue``."""

    __slots__ = ("_offset", "_room", "queue")

    noun = "mqueue"
    has_places = True
    signal_driven = False

    def __init__(self, room: MessageQueues, queue: MessageQueue, flags: int) -> None:
        super().__init__(room.kernel, flags)
        self._room = room
        self._offset = 0
        self.queue = queue
        queue.files = (*queue.files, self)

    @property
    def reads(self) -> bool:
        return self.flags & O_ACCMODE in {0, 2}

    @property
    def writes(self) -> bool:
        return self.flags & O_ACCMODE in {1, 2}

    @property
    def nonblocking(self) -> int:
        return self.flags & O_NONBLOCK

    def identity(self) -> object:
        return self.queue

    # -- attributes and notification

    def queue_attributes(self) -> QueueAttributes:
        queue = self.queue
        return QueueAttributes(self.nonblocking, queue.maxmsg, queue.msgsize, len(queue))

    def set_queue_flags(self, flags: int) -> QueueAttributes:
        if flags & ~O_NONBLOCK:
            fail(errno.EINVAL)
        former = self.queue_attributes()
        self.flags = self.flags & ~O_NONBLOCK | flags
        return former

    def notify_process(self, process: Process, event: SignalEvent | None) -> None:
        register(self._room.kernel.delivery, self.queue, process, event)

    # -- as any descriptor

    def poll(self) -> int:
        """Whatever it was opened for, as mqueue_poll_file() has it."""
        queue = self.queue
        return (READABLE if len(queue) else 0) | (0 if queue.full else WRITABLE)

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        return (self.queue.changes,)

    def read_queue(self) -> WaitQueue:
        return self.queue.changes

    def write_queue(self) -> WaitQueue:
        return self.queue.changes

    def wakers(self, mask: int) -> tuple[object, ...]:
        return self.queue.wakers(mask)

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): how the queue is, in a line of text, from the offset on."""
        text = self.read_at(size, self._offset)
        self._offset += len(text)
        return text

    def read_at(self, size: int, offset: int) -> bytes:
        """pread(2)"""
        if not self.reads:
            fail(errno.EBADF)
        if offset < 0:
            fail(errno.EINVAL)
        return self._status_text()[offset : offset + size]

    def _status_text(self) -> bytes:
        registration = self.queue.registration
        event = SignalEvent() if registration is None else registration.event
        signal = event.sigev_signo if event.sigev_notify == SIGEV_SIGNAL else 0
        pid = 0 if registration is None else registration.owner.pid
        return (
            f"QSIZE:{self.queue.octets:<10} NOTIFY:{event.sigev_notify:<5} "
            f"SIGNO:{signal:<5} NOTIFY_PID:{pid:<6}\n"
        ).encode()

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        """write(2): EINVAL, for a queue has none; EBADF if it is open to receive only."""
        fail(errno.EINVAL if self.writes else errno.EBADF)

    def write_at(self, data: Buffer, offset: int) -> int:
        """pwrite(2)"""
        fail(errno.EINVAL if self.writes else errno.EBADF)

    def seek(self, offset: int, whence: int) -> int:
        """lseek(2): default_llseek(), to which all up to the size is data."""
        size = self.queue.size
        if whence in {SEEK_DATA, SEEK_HOLE} and offset >= size:
            fail(errno.ENXIO)
        bases = {SEEK_SET: 0, SEEK_CUR: self._offset, SEEK_END: size}
        bases |= {SEEK_DATA: 0, SEEK_HOLE: size - offset}
        if whence not in bases or bases[whence] + offset < 0:
            fail(errno.EINVAL)
        self._offset = bases[whence] + offset
        return self._offset

    def truncate(self, length: int) -> None:
        """ftruncate(2): changes what fstat(2) says, and nothing else."""
        if not self.writes or length < 0:
            fail(errno.EINVAL)
        self.queue.size = length

    def status(self) -> Status:
        """fstat(2)"""
        queue = self.queue
        return Status(
            S_IFREG | queue.mode, queue.inode, int(queue.linked), queue.uid, queue.gid, queue.size
        )

    def describe(self) -> str:
        return self.queue.describe()

    def release(self) -> None:
        queue = self.queue
        queue.files = tuple(file for file in queue.files if file is not self)
        self._room.forget_if_unused(queue)
