"""Long calls: one system call that takes effect piece by piece.

A blocking write of more than fits returns only when everything is in; a recv
with MSG_WAITALL only when everything is there.  Meanwhile the call has made
progress, and whatever ends it early (an error, a signal, a cancellation)
turns that progress into a short count.  A long call is itself a verb: call it
again and again, it refuses until it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import BrokenPipeSignal
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import OpenFile


@final
class LongWrite:
    """write(2), send(2): until all of ``data`` is in, or a short count.

    ``signalled`` says that the end that came after some bytes were in was one
    that sends SIGPIPE; the caller sees only the count.
    """

    __slots__ = ("_args", "_data", "_verb", "done", "signalled")

    def __init__(self, verb: Callable[..., int | WouldBlock], data: Buffer, *args: object) -> None:
        self._verb: Final = verb
        self._data = data
        self._args: Final = args
        self.done = 0
        self.signalled = False

    def __call__(self) -> int | WouldBlock:
        while self.done < len(self._data):
            try:
                moved = self._verb(self._data, *self._args, self.done)
            except OSError as error:
                if not self.done:
                    raise
                self.signalled = isinstance(error, BrokenPipeSignal)
                break
            if isinstance(moved, WouldBlock):
                return moved
            self.done += moved
        return self.done

    def arguments(self) -> tuple[object, ...]:
        return (self._data, *self._args)

    def shorten(self, limit: int) -> None:
        """Be content with ``limit`` bytes."""
        self._data = memoryview(self._data)[:limit]

    @property
    def moved(self) -> int:
        """It grows with each step: the wait after it is another one."""
        return self.done

    def progress(self) -> int | None:
        """What an early end returns; None if nothing has happened yet."""
        return self.done or None


@final
class WaitAll:
    """recv(2) with MSG_WAITALL: until ``size`` bytes are there, or fewer.

    End of file, errors and an urgent byte that is next end it early; an error that
    comes after some bytes is lost with it (tcp_recvmsg_locked).
    """

    __slots__ = ("_file", "_flags", "_left", "_parts")

    def __init__(self, file: OpenFile, size: int, flags: int) -> None:
        self._file: Final = file
        self._flags: Final = flags
        self._left = size
        self._parts: list[bytes] = []

    def __call__(self) -> bytes | WouldBlock:
        while not self._parts or not self._file.at_mark():
            try:
                part = self._file.recv(self._left, self._flags)
            except OSError:
                if not self._parts:
                    raise
                part = b""
            if isinstance(part, WouldBlock):
                return part
            self._parts.append(part)
            self._left -= len(part)
            if not part or not self._left:
                break
        return b"".join(self._parts)

    def arguments(self) -> tuple[object, ...]:
        return (self._left, self._flags)

    def shorten(self, limit: int) -> None:
        """Be content with ``limit`` bytes."""
        self._left = min(self._left, limit)

    @property
    def moved(self) -> int:
        """It grows with each step: the wait after it is another one."""
        return len(self._parts)

    def progress(self) -> bytes | None:
        """What an early end returns; None if nothing has happened yet."""
        return b"".join(self._parts) or None
