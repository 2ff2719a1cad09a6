"""The queues of one kernel: mq_open(3), mq_unlink(3), and the limits.

The names are a file system of their own: one directory, open to all, sticky.
A queue lives until it has neither a name nor an open file.

Limits, for every user (the superuser of this machine has no CAP_SYS_RESOURCE):
fs.mqueue.queues_max, and RLIMIT_MSGQUEUE bytes of queues per user, which are
counted when a queue is made, for as many messages as it may ever hold.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.mqueue.file import MessageQueueFile
from asyncipc.kernel.mqueue.queue import (
    MAXMSG_DEFAULT,
    MSGSIZE_DEFAULT,
    MessageQueue,
    QueueAttributes,
)
from asyncipc.kernel.openfile import O_ACCMODE, O_APPEND, O_NONBLOCK
from asyncipc.kernel.processes.permissions import permits

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel
    from asyncipc.kernel.processes.process import Process

O_CREAT: Final = 0o100
O_EXCL: Final = 0o200
NAME_MAX: Final = 255
PATH_MAX: Final = 4096
QUEUES_MAX: Final = 256
"""fs.mqueue.queues_max"""
BYTES_MAX: Final = 819200
"""RLIMIT_MSGQUEUE"""
MESSAGE_COST: Final = 48 + 48
"""struct msg_msg and struct posix_msg_tree_node, for each message there may be."""
WANTED: Final = (4, 2, 6)
"""The permissions that each access mode needs."""


@final
class MessageQueues:
    """The room of message queues; iterated, those that have a name, in order of their making."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._named: dict[bytes, MessageQueue] = {}
        self._count = 0
        self._bytes: dict[int, int] = {}  # by user

    def __iter__(self) -> Iterator[MessageQueue]:
        return iter(self._named.values())

    def open(
        self,
        process: Process,
        name: bytes,
        flags: int,
        mode: int,
        attributes: QueueAttributes | None,
    ) -> MessageQueueFile:
        """mq_open(3).  ``attributes`` count only if it is made.

        EINVAL (no slash, attributes), ENOENT, EEXIST, EACCES, ENAMETOOLONG,
        ENOSPC (queues_max), EMFILE (RLIMIT_MSGQUEUE).
        """
        short = _checked(name)
        queue = self._named.get(short)
        if queue is None:
            if not flags & O_CREAT:
                fail(errno.ENOENT)
            queue = self._make(process, short, mode, attributes or QueueAttributes())
        elif flags & O_CREAT and flags & O_EXCL:
            fail(errno.EEXIST)
        else:
            _demand_access(queue, process, flags & O_ACCMODE)
        return MessageQueueFile(self, queue, flags & (O_ACCMODE | O_APPEND | O_NONBLOCK))

    def _make(
        self, process: Process, name: bytes, mode: int, attributes: QueueAttributes
    ) -> MessageQueue:
        if self._count >= QUEUES_MAX:
            fail(errno.ENOSPC)
        maxmsg, msgsize = attributes.mq_maxmsg, attributes.mq_msgsize
        if not 0 < maxmsg <= MAXMSG_DEFAULT or not 0 < msgsize <= MSGSIZE_DEFAULT:
            fail(errno.EINVAL)
        used = self._bytes.get(process.uid, 0) + maxmsg * (msgsize + MESSAGE_COST)
        if used > BYTES_MAX:
            fail(errno.EMFILE, "RLIMIT_MSGQUEUE: this user's queues could hold too many bytes")
        queue = MessageQueue(name, maxmsg, msgsize, mode & 0o7777 & ~process.umask, process)
        queue.inode = self.kernel.new_inode()
        self._named[name] = queue
        self._count += 1
        self._bytes[process.uid] = used
        return queue

    def unlink(self, process: Process, name: bytes) -> None:
        """mq_unlink(3): the name is free at once.  EINVAL, ENOENT, EACCES, ENAMETOOLONG."""
        queue = self._named.get(_checked(name))
        if queue is None:
            fail(errno.ENOENT)
        if process.uid not in {0, queue.uid}:
            fail(errno.EACCES)
        del self._named[queue.name]
        queue.linked = False
        self.forget_if_unused(queue)

    def forget_if_unused(self, queue: MessageQueue) -> None:
        """Neither a name nor an open file: what it counted for is free."""
        if not queue.linked and not queue.files:
            self._count -= 1
            self._bytes[queue.uid] -= queue.maxmsg * (queue.msgsize + MESSAGE_COST)


def _checked(name: bytes) -> bytes:
    """The name without its slash: glibc asks for that, the kernel for the rest."""
    if not name.startswith(b"/"):
        fail(errno.EINVAL, "the name of a message queue begins with a slash")
    short = name[1:]
    if not short:
        fail(errno.ENOENT)
    if len(short) >= PATH_MAX:
        fail(errno.ENAMETOOLONG)
    if b"/" in short or short in {b".", b".."}:
        fail(errno.EACCES)
    if len(short) > NAME_MAX:
        fail(errno.ENAMETOOLONG)
    return short


def _demand_access(queue: MessageQueue, process: Process, access: int) -> None:
    if access == O_ACCMODE:
        fail(errno.EINVAL)
    if not permits(process, WANTED[access], queue.mode, (queue.uid,), (queue.gid,)):
        fail(errno.EACCES)
