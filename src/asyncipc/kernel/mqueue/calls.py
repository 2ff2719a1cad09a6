"""mq_send(3) and mq_receive(3) as verbs, with and without a time.

Which error wins is that of do_mq_timedsend() and do_mq_timedreceive().
Interrupted ones begin anew under SA_RESTART, the timed too: their time is a
point, not a length.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, NoReturn, final

from asyncipc.errors import fail
from asyncipc.kernel.mqueue.file import MessageQueueFile
from asyncipc.kernel.mqueue.senders import Sending

if TYPE_CHECKING:
    from asyncipc.kernel.buffers import Buffer
    from asyncipc.kernel.handover import Stand
    from asyncipc.kernel.mqueue.queue import Message
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.waitqueue import WouldBlock

MQ_PRIO_MAX: Final = 32768


def demand_queue(file: OpenFile) -> MessageQueueFile:
    """EBADF for any other open file."""
    if not isinstance(file, MessageQueueFile):
        fail(errno.EBADF)
    return file


@final
class SendMessage:
    """``expired``: its time is over before it begins, so it does not wait."""

    __slots__ = ("_data", "_expired", "_file", "_priority", "_sender", "_sending")

    restarts: Final = True

    def __init__(
        self, file: OpenFile, sender: Process, data: Buffer, priority: int, *, expired: bool = False
    ) -> None:
        self._file = file
        self._sender = sender
        self._data = data if type(data) is bytes else bytes(data)  # load_msg(): at the call
        self._priority = priority
        self._expired = expired
        self._sending: Sending | None = None

    def __call__(self) -> WouldBlock | None:
        """Refuses while the queue is full.  EINVAL (priority), EBADF, EMSGSIZE."""
        if self.succeeded:
            return None
        if not 0 <= self._priority < MQ_PRIO_MAX:
            fail(errno.EINVAL)
        file = demand_queue(self._file)
        if not file.writes:
            fail(errno.EBADF, "this descriptor is open to receive only")
        queue, data = file.queue, self._data
        if len(data) > queue.msgsize:
            fail(errno.EMSGSIZE)
        if queue.full:
            if self._expired and not file.nonblocking:
                self.timed_out()
            if self._sending is None:
                self._sending = Sending(queue, data, self._priority, self._sender)
            return self._sending.refusal
        queue.enter(data, self._priority, self._sender)
        return None

    @property
    def succeeded(self) -> bool:
        """The message was taken in as it slept, and nothing can undo that."""
        return self._sending is not None and self._sending.entered

    def progress(self) -> int | None:
        """What a cancelled one answers."""
        return 0 if self.succeeded else None

    def timed_out(self) -> NoReturn:
        fail(errno.ETIMEDOUT)

    def arguments(self) -> tuple[object, ...]:
        return (self._data, self._priority)


@final
class ReceiveMessage:
    """``size``: of the buffer, which has to have room for any message of this queue."""

    __slots__ = ("_expired", "_file", "_size", "_stand")

    restarts: Final = True

    def __init__(self, file: OpenFile, size: int, *, expired: bool = False) -> None:
        self._file = file
        self._size = size
        self._expired = expired
        self._stand: Stand[Message] | None = None

    def __call__(self) -> tuple[bytes, int] | WouldBlock:
        """(data, priority).  Refuses while the queue is empty.  EBADF, EMSGSIZE."""
        stand = self._stand
        message = None if stand is None else stand.claim()
        if message is None:
            queue = self._check().queue
            message = queue.take()
            if message is None:
                if stand is None:
                    stand = self._stand = queue.receivers.stand(_any)
                return stand.refusal
        return message.data, message.priority

    def _check(self) -> MessageQueueFile:
        file = demand_queue(self._file)
        if not file.reads:
            fail(errno.EBADF, "this descriptor is open to send only")
        if self._size < file.queue.msgsize:
            fail(
                errno.EMSGSIZE, f"the buffer has to have room for mq_msgsize, {file.queue.msgsize}"
            )
        if self._expired and not len(file.queue) and not file.nonblocking:
            self.timed_out()
        return file

    def timed_out(self) -> NoReturn:
        fail(errno.ETIMEDOUT)

    def arguments(self) -> tuple[object, ...]:
        return (self._size,)


def _any(_: Message) -> bool:
    return True
