"""signalfd: signals that are read from a descriptor."""

from __future__ import annotations

import operator
from collections.abc import Iterable

from asyncipc.kernel.anonymous.signalfd import check_flags
from asyncipc.kernel.signals.disposition import numbers, signal_set
from asyncipc.posix.arguments import file_of
from asyncipc.posix.constants import SFD_CLOEXEC
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call

__all__ = [
    "signalfd",
]


def signalfd(fd: int, mask: Iterable[int], flags: int = 0) -> int:
    """signalfd(2): a new descriptor (``fd`` -1) for the signals of ``mask``, or change that of one.

    They should be blocked (``pthread_sigmask``).  ``read`` of n * 128 bytes
    takes as many of the reader's pending ones as there are, each a ``struct
    signalfd_siginfo``, and blocks while there are none; ``poll`` tells each
    process of its own.  SFD_NONBLOCK, SFD_CLOEXEC, for a new one.  SIGKILL and SIGSTOP
    are silently left out.  EBADF, EINVAL, EMFILE.
    """
    asked, body = signal_set(mask), current()

    def make(fd: int, _: tuple[int, ...], flags: int) -> int:
        check_flags(flags)
        if fd != -1:
            file_of(fd).set_mask(asked)
            return fd
        new = body.machine.signalfd(asked, flags)
        return body.process.table.open(new, cloexec=bool(flags & SFD_CLOEXEC))[0].fd

    return call("signalfd4", make, operator.index(fd), tuple(numbers(asked)), operator.index(flags))
