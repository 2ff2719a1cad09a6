"""Operations of message queues, those of POSIX and those of System V: the bare calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from asyncipc import posix
from tests.linux.descriptor_ops import Operation
from tests.linux.oplang import Fd, Identifier, Pid, Value

FILE_MODE: Final = 0o600


# -- POSIX


def mq_open(
    name: str,
    flags: int,
    maxmsg: int | None = None,
    msgsize: int | None = None,
    mode: int = FILE_MODE,
) -> Fd:
    attributes = None
    if maxmsg is not None and msgsize is not None:
        attributes = posix.QueueAttributes(mq_maxmsg=maxmsg, mq_msgsize=msgsize)
    return Fd(posix.mq_open(name, flags, mode, attributes))


async def mq_send(queue: int, data: bytes, priority: int = 0) -> None:
    await posix.mq_send(queue, data, priority)


async def mq_receive(queue: int, n: int) -> Value:
    return [*await posix.mq_receive(queue, n)]


async def mq_timedsend(queue: int, data: bytes, priority: int, ms: int) -> None:
    await posix.mq_timedsend(queue, data, priority, ms / 1000)


async def mq_timedreceive(queue: int, n: int, ms: int) -> Value:
    return [*await posix.mq_timedreceive(queue, n, ms / 1000)]


def mq_getattr(queue: int) -> Value:
    return _told(posix.mq_getattr(queue))


def mq_setattr(queue: int, flags: int, maxmsg: int = 0) -> Value:
    """The former attributes; of the new ones only the flags count."""
    return _told(posix.mq_setattr(queue, flags))


def _told(attributes: Any) -> Value:
    return [
        attributes.mq_flags,
        attributes.mq_maxmsg,
        attributes.mq_msgsize,
        attributes.mq_curmsgs,
    ]


def mq_notify(queue: int, signal: int | None, value: int = 0) -> None:
    """No signal: the registration is given up.  Signal 0 asks for none (SIGEV_NONE)."""
    if signal is None:
        posix.mq_notify(queue, None)
        return
    how = posix.SIGEV_SIGNAL if signal else posix.SIGEV_NONE
    posix.mq_notify(queue, posix.SignalEvent(signal, value, how))


def mq_close(queue: int) -> None:
    posix.mq_close(queue)


def mq_unlink(name: str) -> None:
    posix.mq_unlink(name)


# -- System V


def msgget(key: int, flags: int = 0) -> Identifier:
    return Identifier(posix.msgget(key, flags))


async def msgsnd(queue: int, kind: int, data: bytes, flags: int = 0) -> None:
    await posix.msgsnd(queue, kind, data, flags)


async def msgrcv(queue: int, n: int, kind: int, flags: int = 0) -> Value:
    return [*await posix.msgrcv(queue, n, kind, flags)]


def msgctl(queue: int, command: int) -> None:
    posix.msgctl(queue, command)


def msgstat(queue: int) -> Value:
    """[messages, octets in them, octets at most]"""
    status = posix.msgctl(queue, posix.IPC_STAT)
    assert status is not None
    return [status.msg_qnum, status.msg_cbytes, status.msg_qbytes]


def msgset(queue: int, octets: int, mode: int = FILE_MODE) -> None:
    """IPC_SET: how many octets it may hold, and its mode."""
    status = posix.msgctl(queue, posix.IPC_STAT)
    assert status is not None
    posix.msgctl(queue, posix.IPC_SET, status._replace(msg_qbytes=octets, mode=mode))


def msglast(queue: int) -> Value:
    """[who sent last, who received last]"""
    status = posix.msgctl(queue, posix.IPC_STAT)
    assert status is not None
    return [Pid(status.msg_lspid), Pid(status.msg_lrpid)]


OPERATIONS: Final[Mapping[str, Operation]] = {
    "mq_close": mq_close,
    "mq_getattr": mq_getattr,
    "mq_notify": mq_notify,
    "mq_open": mq_open,
    "mq_receive": mq_receive,
    "mq_send": mq_send,
    "mq_setattr": mq_setattr,
    "mq_timedreceive": mq_timedreceive,
    "mq_timedsend": mq_timedsend,
    "mq_unlink": mq_unlink,
    "msgctl": msgctl,
    "msgget": msgget,
    "msglast": msglast,
    "msgrcv": msgrcv,
    "msgset": msgset,
    "msgsnd": msgsnd,
    "msgstat": msgstat,
}
