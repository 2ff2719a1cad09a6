"""The signalfd: signalfd(2), signals that are read instead of handled (fs/signalfd.c).

It is a mask and nothing else: what it shows and gives are the pending signals
of whoever reads or polls it, his own first and then those of his process.  So
a child that inherits it reads its own signals, and a signal that is not
blocked is never seen, since it has had its action before.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.anonymous.file import AnonymousFile
from asyncipc.kernel.openfile import O_CLOEXEC, O_NONBLOCK
from asyncipc.kernel.readiness import IN
from asyncipc.kernel.signals.disposition import SI_MESGQ, SI_QUEUE, SIGCHLD, UNCATCHABLE, SignalInfo
from asyncipc.kernel.waitqueue import WaitQueue, WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel

SFD_NONBLOCK: Final = O_NONBLOCK
SFD_CLOEXEC: Final = O_CLOEXEC
RECORD_SIZE: Final = 128
"""sizeof(struct signalfd_siginfo)"""


def check_flags(flags: int) -> None:
    if flags & ~(SFD_NONBLOCK | SFD_CLOEXEC):
        fail(errno.EINVAL)


@final
class SignalFile(AnonymousFile):
    """``mask``: the signals that it shows, as bits."""

    __slots__ = ("_host", "mask")

    name = "signalfd"

    def __init__(self, kernel: Kernel, mask: int, flags: int) -> None:
        check_flags(flags)
        super().__init__(kernel, flags)
        self._host = kernel
        self.mask = mask & ~UNCATCHABLE

    def set_mask(self, mask: int) -> None:
        """signalfd(2) with its descriptor: whoever waits in it looks again."""
        self.mask = mask & ~UNCATCHABLE
        self._host.caller()[0].signal_came()

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): as many records of 128 bytes as fit and are pending, at least one.

        Refuses while none is.  EINVAL if not even one fits.
        """
        if size < RECORD_SIZE:
            fail(errno.EINVAL)
        process, thread = self._host.caller()
        found: list[bytes] = []
        while len(found) < size // RECORD_SIZE:
            info = thread.pending.take(self.mask) or process.pending.take(self.mask)
            if info is None:
                break
            found.append(record(info))
        if not found:
            return process.await_signal()
        self._host.delivery.settle(process)
        return b"".join(found)

    def poll(self) -> int:
        process, thread = self._host.caller()
        return IN if (thread.pending.bits | process.pending.bits) & self.mask else 0

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        """Of the caller's signals: who polls it is woken by his own."""
        process = self._host.caller()[0]
        process.await_signal()
        assert process.signals is not None
        return (process.signals,)


def record(info: SignalInfo) -> bytes:
    """A struct signalfd_siginfo (signalfd_copyinfo), little-endian."""
    fields = dict.fromkeys(range(0, RECORD_SIZE, 4), 0)
    fields |= {0: info.si_signo, 8: info.si_code, 12: info.si_pid, 16: info.si_uid}
    fields |= {20: info.si_fd, 28: info.si_band}
    if info.si_signo == SIGCHLD:
        fields[40] = info.si_status
    if info.si_code in {SI_QUEUE, SI_MESGQ}:
        value = info.si_value & (2**64 - 1)
        fields |= {44: value, 48: value, 52: value >> 32}
    return b"".join((field & 0xFFFFFFFF).to_bytes(4, "little") for field in fields.values())
