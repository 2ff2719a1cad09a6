"""Calls on System V message queues: msgget(2), msgop(2), msgctl(2)."""

from __future__ import annotations

import operator

from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.sysv.identifiers import IPC_NOWAIT
from asyncipc.kernel.sysv.messages import QueueStatus
from asyncipc.posix.arguments import flags_of, octets
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call, syscall

__all__ = [
    "QueueStatus",
    "msgctl",
    "msgget",
    "msgrcv",
    "msgsnd",
]


def msgget(key: int, flags: int) -> int:
    """msgget(2): the identifier of the queue that ``key`` means; IPC_PRIVATE: of a new one.

    ``flags``: IPC_CREAT, IPC_EXCL and the nine mode bits, which the umask leaves
    alone.  It stays until ``msgctl`` removes it.  Errors: ENOENT, EEXIST, EACCES,
    ENOSPC (32000 queues).
    """
    body = current()
    return call(
        "msgget",
        lambda key, flags: body.machine.system_v_messages.get(body.process, key, flags),
        operator.index(key),
        flags_of(flags),
    )


async def msgsnd(msqid: int, kind: int, data: Buffer, flags: int = 0) -> None:
    """msgsnd(2): a message of a type above 0, ``kind``, and up to 8192 bytes.

    Blocks while the queue would hold more than msg_qbytes bytes (16384), or
    messages; EAGAIN with IPC_NOWAIT.  Each time there is room, those who sleep
    come in, in order, as far as their messages fit.  Cancelled while it waits it
    has sent nothing.  Errors: EINVAL (type, length, identifier), EACCES, EIDRM
    (removed meanwhile), EINTR, which no SA_RESTART prevents.
    """
    body = current()
    flags, kind, msqid = flags_of(flags), operator.index(kind), operator.index(msqid)
    queues = body.machine.system_v_messages
    send = queues.send(body.process, msqid, kind, octets(data), flags)
    await syscall("msgsnd", None, send, dontwait=bool(flags & IPC_NOWAIT))


async def msgrcv(msqid: int, size: int, kind: int = 0, flags: int = 0) -> tuple[int, bytes]:
    """msgrcv(2): (type, data) of the first message of type ``kind``.

    0: of any type; below 0: of the lowest type up to ``-kind``; with MSG_EXCEPT
    of any type but that.  Longer than ``size``: E2BIG and it stays, with
    MSG_NOERROR it is cut.  MSG_COPY (with IPC_NOWAIT) copies the message at place
    ``kind``.  Blocks while there is none; ENOMSG with IPC_NOWAIT.  Cancelled it
    has taken none.  Errors: EINVAL (size, identifier), EACCES, EIDRM (removed
    meanwhile), EINTR, which no SA_RESTART prevents.
    """
    body = current()
    flags, kind, msqid = flags_of(flags), operator.index(kind), operator.index(msqid)
    queues = body.machine.system_v_messages
    receive = queues.receive(body.process, msqid, operator.index(size), kind, flags)
    return await syscall("msgrcv", None, receive, dontwait=bool(flags & IPC_NOWAIT))


def msgctl(msqid: int, command: int, status: QueueStatus | None = None) -> QueueStatus | None:
    """msgctl(2): IPC_STAT tells, IPC_SET changes owner, mode and msg_qbytes, IPC_RMID removes.

    IPC_SET takes those of ``status``, mostly ``stat._replace(msg_qbytes=...)``.
    Removal wakes all who sleep, with EIDRM.  Errors: EINVAL (command,
    identifier), EACCES (IPC_STAT), EPERM (not the owner; msg_qbytes above
    16384), EFAULT.  Not modelled: IPC_INFO, MSG_INFO, MSG_STAT.
    """
    body = current()

    def control(msqid: int, command: int, *_: object) -> QueueStatus | None:
        return body.machine.system_v_messages.control(body.process, msqid, command, status)

    shown = () if status is None else (tuple(status),)
    return call("msgctl", control, operator.index(msqid), operator.index(command), *shown)
