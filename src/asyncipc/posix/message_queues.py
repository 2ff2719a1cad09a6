"""Calls on POSIX message queues: mq_overview(7)."""

from __future__ import annotations

import errno
import operator

from asyncipc.errors import fail
from asyncipc.faces.paths import to_kernel_path
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.mqueue.calls import MQ_PRIO_MAX
from asyncipc.kernel.mqueue.notification import SignalEvent
from asyncipc.kernel.mqueue.queue import QueueAttributes
from asyncipc.kernel.openfile import O_CLOEXEC, O_NONBLOCK
from asyncipc.posix.arguments import (
    entry_of,
    file_of,
    is_over,
    not_open,
    octets,
    refused,
    size_of,
    until_ns,
)
from asyncipc.posix.descriptors import close
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call, syscall

__all__ = [
    "QueueAttributes",
    "SignalEvent",
    "mq_close",
    "mq_getattr",
    "mq_notify",
    "mq_open",
    "mq_receive",
    "mq_send",
    "mq_setattr",
    "mq_timedreceive",
    "mq_timedsend",
    "mq_unlink",
]


def mq_open(
    name: str | bytes, flags: int, mode: int = 0o600, attributes: QueueAttributes | None = None
) -> int:
    """mq_open(3): a descriptor of the queue ``name``, which begins with a slash.

    O_RDONLY, O_WRONLY or O_RDWR, with O_CREAT, O_EXCL, O_NONBLOCK.  A queue that
    is made has ``mode`` (less the umask) and ``attributes.mq_maxmsg`` messages of
    ``mq_msgsize`` bytes at most: 10 of 8192 unless asked for less.  Close-on-exec,
    as Linux makes it.  The queue stays until it is unlinked, open or not.
    Errors: EINVAL (no slash; attributes), ENOENT, EEXIST, EACCES (also a second
    slash), ENAMETOOLONG, ENOSPC (256 queues), EMFILE (descriptors; RLIMIT_MSGQUEUE).
    """
    body = current()

    def make(name: bytes, flags: int, mode: int, *_: object) -> int:
        table = body.process.table
        table.check_room()
        file = body.machine.mq_open(body, name, flags, mode, attributes)
        return table.open(file, cloexec=True)[0].fd

    shown = () if attributes is None else (tuple(attributes),)
    flags, mode = operator.index(flags), operator.index(mode)
    return call("mq_open", make, to_kernel_path(name), flags & ~O_CLOEXEC, mode, *shown)


def mq_close(mqdes: int) -> None:
    """mq_close(3), which is close(2).  Who sleeps in the queue sleeps on."""
    close(mqdes)


def mq_unlink(name: str | bytes) -> None:
    """mq_unlink(3): the name is free at once, open descriptors go on.

    Errors: ENOENT, EACCES (another user's), EINVAL, ENAMETOOLONG.
    """
    body = current()
    call(
        "mq_unlink",
        lambda name: body.machine.mq_unlink(body, name),
        to_kernel_path(name),
    )


async def mq_send(mqdes: int, data: Buffer, priority: int = 0) -> None:
    """mq_send(3): a message of up to mq_msgsize bytes, an empty one too; priority 0 to 32767.

    Blocks while the queue is full; EAGAIN with O_NONBLOCK.  Senders are let in
    in the order they came, whatever their priority.  Cancelled while it waits it
    has sent nothing; once a receiver has taken its message in, it is too late.
    Errors: EBADF (not open to send; no queue), EMSGSIZE, EINVAL (priority), EINTR.
    """
    await mq_timedsend(mqdes, data, priority, None)


async def mq_timedsend(mqdes: int, data: Buffer, priority: int, timeout_s: float | None) -> None:
    """mq_timedsend(3): ``mq_send`` for ``timeout_s`` seconds at most, then ETIMEDOUT.

    At 0 or below it is sent if there is room.  None: for ever.
    """
    name = "mq_timedsend"
    priority = operator.index(priority)
    entry = entry_of(mqdes)
    if entry is None:  # do_mq_timedsend looks at the priority first
        wrong = errno.EBADF if 0 <= priority < MQ_PRIO_MAX else errno.EINVAL
        await refused(name, wrong, mqdes, data, priority)
    sender = current().process
    send = entry.file.send_message(sender, octets(data), priority, expired=is_over(timeout_s))
    await syscall(name, entry, send, until_ns=until_ns(timeout_s))


async def mq_receive(mqdes: int, size: int) -> tuple[bytes, int]:
    """mq_receive(3): (data, priority) of the oldest message of the highest priority.

    ``size``: of the buffer, which must have room for mq_msgsize bytes, however
    long the message is: EMSGSIZE.  Blocks while the queue is empty; EAGAIN with
    O_NONBLOCK.  Receivers are served in the order they came.  Cancelled it has
    taken none.  Errors: EBADF (not open to receive; no queue), EINVAL
    (``size < 0``), EINTR.
    """
    return await mq_timedreceive(mqdes, size, None)


async def mq_timedreceive(mqdes: int, size: int, timeout_s: float | None) -> tuple[bytes, int]:
    """mq_timedreceive(3): ``mq_receive`` for ``timeout_s`` seconds at most, then ETIMEDOUT.

    At 0 or below it takes a message that is there.  None: for ever.
    """
    name = "mq_timedreceive"
    entry = entry_of(mqdes) or await not_open(name, mqdes, size)
    receive = entry.file.receive_message(size_of(size), expired=is_over(timeout_s))
    return await syscall(name, entry, receive, until_ns=until_ns(timeout_s))


def mq_getattr(mqdes: int) -> QueueAttributes:
    """mq_getattr(3): O_NONBLOCK or 0, the two bounds, how many messages wait.  EBADF."""
    return call("mq_getattr", lambda fd: file_of(fd).queue_attributes(), operator.index(mqdes))


def mq_setattr(mqdes: int, flags: int) -> QueueAttributes:
    """mq_setattr(3): set O_NONBLOCK of the open file or clear it; what was in force.

    The other attributes can't be changed.  EINVAL for another flag, EBADF.
    """
    return call(
        "mq_setattr",
        _set_flags,
        operator.index(mqdes),
        operator.index(flags),
    )


def _set_flags(fd: int, flags: int) -> QueueAttributes:
    if flags & ~O_NONBLOCK:  # do_mq_getsetattr looks at them first
        fail(errno.EINVAL)
    return file_of(fd).set_queue_flags(flags)


def mq_notify(mqdes: int, event: SignalEvent | None) -> None:
    """mq_notify(3): a signal to this process, once, when a message enters the empty queue.

    Not if somebody sleeps to receive it.  None gives the registration up, as
    closing any descriptor of the queue does.  ``SIGEV_NONE`` only bars others.
    The signal has si_code SI_MESGQ, the event's value, and the sender's pid.
    Errors: EBUSY (there is one), EINVAL (signal, way to notify), EBADF.  Not
    modelled: SIGEV_THREAD.
    """
    body = current()

    def register(fd: int, *_: object) -> None:
        file_of(fd).notify_process(body.process, event)

    call("mq_notify", register, operator.index(mqdes), None if event is None else tuple(event))
