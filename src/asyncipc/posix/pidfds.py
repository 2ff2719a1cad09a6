"""Calls on pidfds: a process by a descriptor, which no other process can take the place of."""

from __future__ import annotations

import errno
import operator

from asyncipc.errors import fail
from asyncipc.faces.socket_calls import socket_of
from asyncipc.posix.arguments import file_of
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call

__all__ = [
    "pidfd_open",
    "pidfd_send_signal",
]


def pidfd_open(pid: int, flags: int = 0) -> int:
    """pidfd_open(2): a descriptor for a process, close-on-exec.

    Ready to read once it has ended, and hung up once it was waited for.
    PIDFD_NONBLOCK: ``waitid(P_PIDFD, ...)`` fails with EAGAIN instead of waiting.
    Errors: ESRCH, EINVAL, EMFILE.  Not modelled: PIDFD_THREAD.
    """
    body = current()

    def make(pid: int, flags: int) -> int:
        file = body.machine.pidfd_open(pid, flags)
        return body.process.table.open(file, cloexec=True)[0].fd

    return call("pidfd_open", make, operator.index(pid), operator.index(flags))


def pidfd_send_signal(pidfd: int, sig: int, siginfo: None = None, flags: int = 0) -> None:
    """pidfd_send_signal(2): ``kill`` to the very process, whoever has its number now.

    ESRCH once it was waited for, EPERM, EINVAL, EBADF (no pidfd).  Not modelled:
    a ``siginfo`` of one's own, flags.
    """
    process = current().process

    def send(pidfd: int, sig: int, flags: int) -> None:
        file_of(pidfd).send_signal(process, sig, flags)

    numbers = operator.index(pidfd), operator.index(sig), operator.index(flags)
    call("pidfd_send_signal", send, *numbers)


def open_peer(fd: int) -> int:
    """SO_PEERPIDFD of unix(7): a pidfd of who SO_PEERCRED names, also if that is gone.

    ENODATA for a socket without such a peer.
    """
    pid = int.from_bytes(socket_of(file_of(fd)).peer_credentials()[:4], "little")
    if not pid:
        fail(errno.ENODATA)
    body = current()
    return body.process.table.open(body.machine.pidfd_of_peer(pid), cloexec=True)[0].fd
