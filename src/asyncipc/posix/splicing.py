"""Calls that move octets between two descriptors: splice, tee, sendfile."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import NoReturn, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.files.conduit import Conduit
from asyncipc.kernel.files.splice import SPLICE_F_ALL, SPLICE_F_GIFT
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.posix.arguments import entry_of, flags_of, not_open, size_of
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import syscall

__all__ = [
    "sendfile",
    "splice",
    "tee",
    "vmsplice",
]


async def splice(
    src: int,
    dst: int,
    count: int,
    offset_src: int | None = None,
    offset_dst: int | None = None,
    flags: int = 0,
) -> int:
    """splice(2): move up to ``count`` octets, one of the two being a pipe; how many.

    0 at the end: of a file, of a socket, or of a pipe that nobody has open to
    write.  Blocks while there is nothing to move, or no room for any of it; then
    it moves what can be moved at once.  EAGAIN with SPLICE_F_NONBLOCK for a pipe,
    and where O_NONBLOCK says so.  The offsets are those of a regular file, whose
    own then stays.  Errors: EBADF (also for the wrong access mode), EINVAL (no
    pipe, twice the same, O_APPEND, flags), ESPIPE (an offset for a pipe), EPIPE
    with SIGPIPE.  SPLICE_F_MOVE changes nothing, SPLICE_F_MORE is MSG_MORE for a socket.

    Not modelled: how a socket's packets lie in the pipe's slots.
    """
    count, flags = size_of(count), flags_of(flags)
    shown = (offset_src, dst, offset_dst, count, flags)
    if not count:
        return await syscall("splice", None, lambda *_: 0, src, *shown)
    _check_flags(flags)
    source = entry_of(src) or await not_open("splice", src, *shown)
    target = entry_of(dst) or await not_open("splice", src, *shown)
    machine = current().machine
    verb = machine.splice(source.file, target.file, offset_src, offset_dst, flags)
    return await syscall("splice", Conduit(source.fd, source, target), _Moving(verb, count, shown))


async def tee(src: int, dst: int, count: int, flags: int = 0) -> int:
    """tee(2): copy up to ``count`` octets from pipe to pipe; they stay in the first.

    Blocks and fails as ``splice``.
    """
    count, flags = size_of(count), flags_of(flags)
    shown = (dst, count, flags)
    _check_flags(flags)
    if not count:
        return await syscall("tee", None, lambda *_: 0, src, *shown)
    source = entry_of(src) or await not_open("tee", src, *shown)
    target = entry_of(dst) or await not_open("tee", src, *shown)
    verb = current().machine.tee(source.file, target.file, flags)
    return await syscall("tee", Conduit(source.fd, source, target), _Moving(verb, count, shown))


async def sendfile(out_fd: int, in_fd: int, offset: int | None, count: int) -> int:
    """``os.sendfile``: send ``count`` octets of a file from ``offset``, or from its own; how many.

    To a socket it blocks until all are sent or the file ends; to a pipe it moves
    what there is room for, and blocks while there is none; EAGAIN with O_NONBLOCK
    of ``out_fd``.  A datagram socket gets datagrams of up to 65536 octets.  Under
    cancellation, and when the peer goes, a call that has sent something returns its
    count.  Errors: EBADF, EINVAL (``in_fd`` is no regular file, O_APPEND), ESPIPE
    (``offset`` for what has none), EPIPE with SIGPIPE.
    """
    count = size_of(count)
    out = entry_of(out_fd) or await not_open("sendfile", out_fd, in_fd, offset, count)
    file = entry_of(in_fd) or await not_open("sendfile", out_fd, in_fd, offset, count)
    sending = current().machine.sendfile(out.file, file.file, file.fd, offset, count)
    sent = await syscall("sendfile", Conduit(out.fd, file, out), sending)
    if sending.signalled:
        current().broken_pipe()
    return sent


def vmsplice(*args: object) -> NoReturn:
    """vmsplice(2) is not modelled: memory has no pages of its own here."""
    raise Unsupported("asyncipc does not model vmsplice()")


def _check_flags(flags: int) -> None:
    if flags & ~SPLICE_F_ALL:
        fail(errno.EINVAL)
    if flags & SPLICE_F_GIFT:
        raise Unsupported("asyncipc does not model SPLICE_F_GIFT")


@final
class _Moving:
    """A verb and how much it is to move, which a fault plan may lessen."""

    __slots__ = ("_count", "_shown", "_verb")

    def __init__(
        self, verb: Callable[[int], int | WouldBlock], count: int, shown: tuple[object, ...]
    ) -> None:
        self._verb = verb
        self._count = count
        self._shown = shown

    def __call__(self) -> int | WouldBlock:
        return self._verb(self._count)

    def arguments(self) -> tuple[object, ...]:
        return self._shown

    def shorten(self, limit: int) -> None:
        self._count = min(self._count, limit)
