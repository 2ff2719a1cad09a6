"""POSIX message queues as channels: messages of bytes, the highest priority first."""

from __future__ import annotations

import errno
from typing import Final, Literal, TypeAlias, final

from anyio import ClosedResourceError
from anyio.abc import ObjectReceiveStream, ObjectSendStream

from asyncipc.faces.channels import Channel
from asyncipc.faces.paths import to_kernel_path
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.mqueue.names import O_CREAT, O_EXCL
from asyncipc.kernel.mqueue.queue import MAXMSG_DEFAULT, MSGSIZE_DEFAULT, QueueAttributes
from asyncipc.kernel.openfile import O_RDONLY, O_RDWR, O_WRONLY
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import ClosedMeanwhile, call, syscall

QueueMode: TypeAlias = Literal["r", "w", "rw"]
ACCESS: Final[dict[str, int]] = {"r": O_RDONLY, "w": O_WRONLY, "rw": O_RDWR}


@final
class MessageQueueChannel(Channel, ObjectReceiveStream[bytes], ObjectSendStream[bytes]):
    """An open message queue.  Nobody is its peer, and it has no end: who receives from
    a queue that nobody sends to waits, and closing it takes no message away.
    """

    __slots__ = ()

    async def send(self, item: Buffer, priority: int = 0) -> None:
        """mq_send(3): ``item`` as one message, an empty one too; ``priority`` 0 to 32767.

        Blocks while the queue is full.  Cancelled while it waits it has sent
        nothing.  ClosedResourceError when this channel is closed; OSError:
        EMSGSIZE (longer than ``msgsize``), EINVAL (priority), EBADF (mode "r").
        """
        data: Buffer = item if type(item) is bytes else memoryview(item).cast("B")
        while True:
            self.check_open()
            message = self.file.send_message(current().process, data, priority)
            try:
                await syscall("mq_timedsend", self, message)
            except InterruptedError:  # PEP 475
                continue
            except (OSError, ClosedMeanwhile) as error:
                self._translate(error)
                raise
            return

    async def receive(self) -> bytes:
        """mq_receive(3): the oldest message of the highest priority.

        Blocks while the queue is empty.  Under cancellation no message is lost.
        ClosedResourceError when this channel is closed; OSError EBADF (mode "w").
        """
        return (await self.receive_with_priority())[0]

    async def receive_with_priority(self) -> tuple[bytes, int]:
        """``receive``: (message, its priority)."""
        while True:
            self.check_open()
            size = self.file.queue_attributes().mq_msgsize
            try:
                return await syscall("mq_timedreceive", self, self.file.receive_message(size))
            except InterruptedError:
                continue
            except (OSError, ClosedMeanwhile) as error:
                self._translate(error)
                raise

    def _translate(self, error: OSError | ClosedMeanwhile) -> None:
        """Closed by you; what else goes wrong is the caller's doing and keeps its errno."""
        closed = isinstance(error, OSError) and error.errno == errno.EBADF and not self.open
        if closed or isinstance(error, ClosedMeanwhile):
            raise ClosedResourceError from None

    @property
    def attributes(self) -> QueueAttributes:
        """mq_getattr(3): the bounds, and how many messages wait."""
        self.check_open()
        return call("mq_getattr", self.file.queue_attributes)


def open_message_queue(
    name: str | bytes,
    mode: QueueMode = "rw",
    *,
    create: bool = False,
    exclusive: bool = False,
    maxmsg: int = MAXMSG_DEFAULT,
    msgsize: int = MSGSIZE_DEFAULT,
    permissions: int = 0o600,
) -> MessageQueueChannel:
    """mq_open(3): the queue ``name``, which begins with a slash, to receive, to send, or both.

    ``create`` makes it if it is not there, with room for ``maxmsg`` messages of
    ``msgsize`` bytes; ``exclusive`` too: it must not be there.  It stays until
    ``posix.mq_unlink``, closed or not.  Owns the lowest free descriptor of this
    process.  Errors: ENOENT, EEXIST, EACCES, EINVAL, ENAMETOOLONG, ENOSPC,
    EMFILE; ValueError for another ``mode``.
    """
    if mode not in ACCESS:
        raise ValueError(f"mode is 'r', 'w' or 'rw', not {mode!r}")
    body = current()
    flags = ACCESS[mode] | (O_CREAT if create or exclusive else 0) | (O_EXCL if exclusive else 0)
    attributes = QueueAttributes(mq_maxmsg=maxmsg, mq_msgsize=msgsize)

    def make(name: bytes, flags: int, permissions: int, *_: object) -> Descriptor:
        table = body.process.table
        table.check_room()
        file = body.machine.mq_open(body, name, flags, permissions, attributes)
        return table.open(file, cloexec=True)[0]

    entry = call("mq_open", make, to_kernel_path(name), flags, permissions, tuple(attributes))
    return MessageQueueChannel(body, entry)
