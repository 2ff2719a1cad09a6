"""POSIX message queues of the operating system: mq_overview(7).

On Linux a queue is a descriptor that poll(2) knows, so who waits for a message
or for room stands in its line.  The operating system sees nobody sleep there,
and that shows in two places: senders of other processes find no receiver to
hand a message to (it lies in the queue until ours looks), and mq_notify(3)
tells its process of a message that somebody here waits for.

Names are the operating system's own: a queue lies in no directory, so the
machine's ``root`` has no say in them.
"""

from __future__ import annotations

import ctypes
import errno
from typing import TYPE_CHECKING, Final, NoReturn, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.mqueue.calls import MQ_PRIO_MAX
from asyncipc.kernel.mqueue.notification import SIGEV_THREAD, SignalEvent
from asyncipc.kernel.mqueue.queue import QueueAttributes
from asyncipc.kernel.openfile import (
    O_ACCMODE,
    O_APPEND,
    O_NONBLOCK,
    O_RDONLY,
    O_WRONLY,
    Home,
)
from asyncipc.native import libc
from asyncipc.native.descriptor import NativeFile
from asyncipc.native.files.names import umask_of
from asyncipc.native.refusal import demand_isolation, refuse

if TYPE_CHECKING:
    from asyncipc.kernel.buffers import Buffer
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.waitqueue import WouldBlock


@final
class NativeMessageQueue(NativeFile):
    """One mq_open of a queue, which takes messages of ``msgsize`` bytes.

    read(2) tells of the queue, as outside, and takes no message.
    """

    __slots__ = ("buffer", "msgsize")

    has_places = True
    signal_driven = False

    def __init__(self, kernel: Home, number: int, flags: int) -> None:
        super().__init__(kernel, number, flags)
        self.msgsize = _attributes_of(number).mq_msgsize
        self.buffer: ctypes.Array[ctypes.c_char] | None = None

    @property
    def nonblocking(self) -> int:
        return self.flags & O_NONBLOCK

    def demand(self, useless: int) -> None:
        """EBADF if it was opened in the one access mode that is ``useless`` for the call."""
        if self.flags & O_ACCMODE == useless:
            fail(errno.EBADF)

    def send_message(
        self, sender: Process, data: Buffer, priority: int, *, expired: bool = False
    ) -> SendMessage:
        return SendMessage(self, data, priority, expired=expired)

    def receive_message(self, size: int, *, expired: bool = False) -> ReceiveMessage:
        return ReceiveMessage(self, size, expired=expired)

    def queue_attributes(self) -> QueueAttributes:
        """O_NONBLOCK is the program's own, as with any descriptor."""
        found = _attributes_of(self.number)
        return QueueAttributes(
            self.nonblocking, found.mq_maxmsg, found.mq_msgsize, found.mq_curmsgs
        )

    def set_queue_flags(self, flags: int) -> QueueAttributes:
        if flags & ~O_NONBLOCK:
            fail(errno.EINVAL)
        former = self.queue_attributes()
        self.flags = self.flags & ~O_NONBLOCK | flags
        return former

    def notify_process(self, process: Process, event: SignalEvent | None) -> None:
        demand_isolation("mq_notify(3)")
        if event is None:
            libc.mq_notify(self.number, None)
            return
        if event.sigev_notify == SIGEV_THREAD:
            refuse("SIGEV_THREAD")
        told = libc.SignalEvent(event.sigev_value, event.sigev_signo, event.sigev_notify)
        libc.mq_notify(self.number, told)


@final
class SendMessage:
    """mq_send(3).  ``expired``: its time is over before it begins, so it does not wait."""

    __slots__ = ("_data", "_expired", "_file", "_priority")

    restarts: Final = True

    def __init__(
        self, file: NativeMessageQueue, data: Buffer, priority: int, *, expired: bool
    ) -> None:
        self._file = file
        self._data = data if type(data) is bytes else bytes(data)
        self._priority = priority
        self._expired = expired

    def __call__(self) -> WouldBlock | None:
        """Refuses while the queue is full, or others wait for room."""
        file = self._file
        line = file.writing
        self._check()
        if line is None or not line.barred:
            try:
                libc.mq_send(file.number, self._data, len(self._data), self._priority)
            except BlockingIOError:
                line = file.write_line()
            else:
                return None
        if self._expired and not file.nonblocking:
            self.timed_out()
        return line.refusal

    def _check(self) -> None:
        """Before it may have to stand in line: who is wrong does not wait to be told."""
        if not 0 <= self._priority < MQ_PRIO_MAX:
            fail(errno.EINVAL)
        self._file.demand(O_RDONLY)
        if len(self._data) > self._file.msgsize:
            fail(errno.EMSGSIZE)

    def timed_out(self) -> NoReturn:
        fail(errno.ETIMEDOUT)

    def arguments(self) -> tuple[object, ...]:
        return (self._data, self._priority)


@final
class ReceiveMessage:
    """mq_receive(3) into a buffer of ``size`` bytes."""

    __slots__ = ("_expired", "_file", "_size")

    restarts: Final = True

    def __init__(self, file: NativeMessageQueue, size: int, *, expired: bool) -> None:
        self._file = file
        self._size = size
        self._expired = expired

    def __call__(self) -> tuple[bytes, int] | WouldBlock:
        """(data, priority).  Refuses while the queue is empty, or others wait for a message."""
        file = self._file
        line = file.reading
        self._check()
        if line is None or not line.barred:
            try:
                return self._receive()
            except BlockingIOError:
                line = file.read_line()
        if self._expired and not file.nonblocking:
            self.timed_out()
        return line.refusal

    def _check(self) -> None:
        self._file.demand(O_WRONLY)
        if self._size < self._file.msgsize:
            fail(errno.EMSGSIZE)

    def _receive(self) -> tuple[bytes, int]:
        file = self._file
        if file.buffer is None:  # one is enough: nobody sleeps with it
            file.buffer = ctypes.create_string_buffer(file.msgsize)
        priority = ctypes.c_uint()
        count = libc.mq_receive(file.number, file.buffer, file.msgsize, priority)
        return ctypes.string_at(file.buffer, count), priority.value

    def timed_out(self) -> NoReturn:
        fail(errno.ETIMEDOUT)

    def arguments(self) -> tuple[object, ...]:
        return (self._size,)


def is_queue(number: int) -> bool:
    """fstat(2) calls it a regular file."""
    try:
        _attributes_of(number)
    except (OSError, Unsupported):
        return False
    return True


def _attributes_of(number: int) -> libc.QueueAttributes:
    found = libc.QueueAttributes()
    libc.mq_getattr(number, found)
    return found


def mq_open(
    kernel: Home,
    process: Process,
    name: bytes,
    flags: int,
    mode: int,
    attributes: QueueAttributes | None,
) -> NativeMessageQueue:
    """mq_open(3)"""
    wanted = None if attributes is None else libc.QueueAttributes(*attributes)
    with umask_of(process):
        number = libc.mq_open(name, flags | O_NONBLOCK, mode & 0o7777, wanted)
    return NativeMessageQueue(kernel, number, flags & (O_ACCMODE | O_APPEND | O_NONBLOCK))


def mq_unlink(name: bytes) -> None:
    """mq_unlink(3)"""
    libc.mq_unlink(name)
