"""Moving octets between two descriptors of the operating system: splice(2), tee(2), sendfile(2).

None of them waits there.  Where one refuses, poll(2) tells which of the two it
has to wait for: octets come first, then room for them.  Whether the program
waits is said by its own flags, as in :mod:`asyncipc.kernel.files.splice`.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, final

from asyncipc.errors import fail
from asyncipc.kernel.files.splice import SPLICE_F_NONBLOCK
from asyncipc.kernel.openfile import O_NONBLOCK
from asyncipc.kernel.readiness import IN, UNASKED
from asyncipc.kernel.sockets.options import SO_ERROR, SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_UNIX, Socket
from asyncipc.native import libc
from asyncipc.native.descriptor import RealDescriptor, broken_pipe, take_back_sigpipe
from asyncipc.native.files.pipe import NativePipe
from asyncipc.native.refusal import refuse

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.waitqueue import WouldBlock


class Moving:
    """A call on two descriptors, either of which it may have to wait for."""

    __slots__ = ("_impatient", "_source", "_target")

    def __init__(self, source: OpenFile, target: OpenFile, flags: int = 0) -> None:
        if not isinstance(source, RealDescriptor) or not isinstance(target, RealDescriptor):
            fail(errno.EINVAL, "the console is no file of the operating system")
        self._source: RealDescriptor = source
        self._target: RealDescriptor = target
        self._impatient = flags & SPLICE_F_NONBLOCK

    def standing(self) -> WouldBlock | None:
        """Others wait at one of the two: nobody overtakes them."""
        for file, line in (
            (self._source, self._source.reading),
            (self._target, self._target.writing),
        ):
            if line is not None and line.barred:
                self.demand_patience(file)
                return line.refusal
        return None

    def refusal(self) -> WouldBlock:
        """The operating system would wait: for whom?  EAGAIN if the program does not."""
        if not self._source.poll() & (IN | UNASKED):
            self.demand_patience(self._source)
            return self._source.read_line().refusal
        self.demand_patience(self._target)
        return self._target.write_line().refusal

    def demand_patience(self, file: RealDescriptor) -> None:
        """SPLICE_F_NONBLOCK and a pipe's O_NONBLOCK are for pipes, and for a UNIX stream that
        is read; whether another socket waits is its own to say.
        """
        impatient = self._impatient
        for pipe in (self._source, self._target):
            if isinstance(pipe, NativePipe):
                impatient |= pipe.flags & O_NONBLOCK
        if isinstance(file, Socket):
            heeds = file is self._source and file.family == AF_UNIX and file.is_stream
            impatient = file.flags & O_NONBLOCK or (impatient if heeds else 0)
        if impatient:
            fail(errno.EAGAIN)


@final
class NativeSplice(Moving):
    """One call of splice(2)."""

    __slots__ = ("_flags", "_offset_in", "_offset_out")

    def __init__(
        self,
        source: OpenFile,
        target: OpenFile,
        offset_in: int | None,
        offset_out: int | None,
        flags: int,
    ) -> None:
        if not hasattr(os, "splice"):
            refuse("splice(2)", "this system has none")
        super().__init__(source, target, flags)
        self._offset_in = offset_in
        self._offset_out = offset_out
        self._flags = flags | SPLICE_F_NONBLOCK

    def __call__(self, count: int) -> int | WouldBlock:
        standing = self.standing()
        if standing is not None:
            return standing
        ends = self._source.number, self._target.number
        try:
            return os.splice(
                *ends,
                count,
                offset_src=self._offset_in,
                offset_dst=self._offset_out,
                flags=self._flags,
            )
        except BlockingIOError:
            return self.refusal()
        except BrokenPipeError:
            broken_pipe()


@final
class NativeTee(Moving):
    """One call of tee(2)."""

    __slots__ = ()

    def __call__(self, count: int) -> int | WouldBlock:
        standing = self.standing()
        if standing is not None:
            return standing
        try:
            return libc.tee(self._source.number, self._target.number, count, SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return self.refusal()
        except BrokenPipeError:
            broken_pipe()


@final
class NativeSendfile(Moving):
    """One call of sendfile(2): to a pipe what there is room for, else all, or to the file's end.

    ``signalled``: as in :class:`asyncipc.kernel.transfer.LongWrite`.
    """

    __slots__ = ("_count", "_in_fd", "_offset", "done", "signalled")

    def __init__(
        self, target: OpenFile, source: OpenFile, in_fd: int, offset: int | None, count: int
    ) -> None:
        super().__init__(source, target)
        self._in_fd = in_fd
        self._offset = offset
        self._count = count
        self.done = 0
        self.signalled = False

    def __call__(self) -> int | WouldBlock:
        standing = self.standing()
        while standing is None:
            try:
                moved = self._send()
            except BlockingIOError:
                return self.done if self._is_content() else self.refusal()
            except OSError as error:
                return self._failed(error)
            self.done += moved
            if not moved or self.done >= self._count or isinstance(self._target, NativePipe):
                return self.done
        return standing

    def _send(self) -> int:
        offset = None if self._offset is None else self._offset + self.done
        ends = self._target.number, self._source.number
        return os.sendfile(*ends, offset, self._count - self.done)

    def _is_content(self) -> bool:
        """It has sent something, and does not wait to send the rest."""
        return bool(self.done and self._target.flags & O_NONBLOCK)

    def _failed(self, error: OSError) -> int:
        """What has been sent is told first; the next call fails again."""
        broken = isinstance(error, BrokenPipeError)
        if self.done:
            if broken:
                take_back_sigpipe()
            self.signalled = broken and not self._was_reset()
            return self.done
        if broken:
            broken_pipe()
        raise error

    def _was_reset(self) -> bool:
        """A peer that went with octets unread is ECONNRESET to who slept: without a signal."""
        target = self._target
        return isinstance(target, Socket) and bool(target.getsockopt(SOL_SOCKET, SO_ERROR))

    def arguments(self) -> tuple[object, ...]:
        return (self._in_fd, self._offset, self._count)

    def shorten(self, limit: int) -> None:
        """Be content with ``limit`` octets."""
        self._count = min(self._count, limit)

    @property
    def moved(self) -> int:
        """It grows with each step: the wait after it is another one."""
        return self.done

    def progress(self) -> int | None:
        """What an early end returns; None if nothing has happened yet."""
        return self.done or None
