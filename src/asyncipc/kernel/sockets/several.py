"""Long calls on messages: recvmsg(2) with MSG_WAITALL, sendmmsg(2), recvmmsg(2).

Each is one system call that takes effect piece by piece, as those of
``kernel/transfer``: whatever ends it early turns its progress into a short
count, and it is a verb that refuses until it is done.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.openfile import O_NONBLOCK
from asyncipc.kernel.sockets.socket import MSG_DONTWAIT, MSG_OOB, Message, Socket
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.sockets.ancillary import ControlRoom

MSG_WAITFORONE: Final = 0x10000
UIO_MAXIOV: Final = 1024
"""The most buffers of a call, and the most messages of one."""


@final
class WaitAllMessage:
    """recvmsg(2) with MSG_WAITALL: until ``size`` bytes are there, or fewer.

    Descriptors end it, as the end of the stream does, errors (which are lost), an
    urgent byte that is next, and with SO_PASSCRED another sender.
    """

    __slots__ = ("_flags", "_left", "_parts", "_room", "_socket", "_told")

    def __init__(self, socket: Socket, size: int, flags: int, room: ControlRoom) -> None:
        self._socket: Final = socket
        self._flags: Final = flags
        self._room: Final = room
        self._left = size
        self._parts: list[bytes] = []
        self._told = Message(b"", 0)

    def __call__(self) -> Message | WouldBlock:
        while not self._parts or not self._socket.at_mark():
            try:
                part = self._socket.recvmsg(self._left, self._flags, self._room)
            except OSError:
                if not self._parts:
                    raise
                part = Message(b"", 0)
            if isinstance(part, WouldBlock):
                return part
            self._told = part if not self._parts or part.flags else self._told
            self._parts.append(part.data)
            self._left -= len(part.data)
            if not part.data or not self._left or part.stops:
                break
        return self._whole()

    def _whole(self) -> Message:
        data, told = b"".join(self._parts), self._told
        return Message(data, len(data), told.flags, told.address, tuple(self._room.items))

    def arguments(self) -> tuple[object, ...]:
        return (self._left, self._flags)

    def shorten(self, limit: int) -> None:
        """Be content with ``limit`` bytes."""
        self._left = min(self._left, limit)

    @property
    def moved(self) -> int:
        """It grows with each step: the wait after it is another one."""
        return len(self._parts)

    def progress(self) -> Message | None:
        """What an early end returns; None if nothing has happened yet."""
        return self._whole() if any(self._parts) else None


@final
class SendMany:
    """sendmmsg(2): how many messages went; an error that comes after some is lost."""

    __slots__ = ("_messages", "_patient", "sent")

    def __init__(self, messages: list[Callable[[], int | WouldBlock]], *, patient: bool) -> None:
        self._messages: Final = messages[:UIO_MAXIOV]
        self._patient: Final = patient
        self.sent = 0

    def __call__(self) -> int | WouldBlock:
        while self.sent < len(self._messages):
            try:
                moved = self._messages[self.sent]()
            except OSError:
                if not self.sent:
                    raise
                break
            if isinstance(moved, WouldBlock):
                return self.sent if self.sent and not self._patient else moved
            self.sent += 1
        return self.sent

    def arguments(self) -> tuple[object, ...]:
        return (len(self._messages),)

    @property
    def moved(self) -> int:
        """It grows with each step: the wait after it is another one."""
        return self.sent

    def progress(self) -> int | None:
        """What an early end returns; None if nothing has happened yet."""
        return self.sent or None


@final
class ReceiveMany:
    """recvmmsg(2): the messages; an error that comes after some is the next call's.

    The time limit is looked at after each message, and only then, as on Linux.
    """

    __slots__ = ("_count", "_flags", "_for_one", "_one", "_over", "_socket", "messages")

    def __init__(
        self,
        socket: Socket,
        count: int,
        flags: int,
        one: Callable[[int], Message | WouldBlock],
        over: Callable[[], bool],
    ) -> None:
        self._socket: Final = socket
        self._count: Final = min(count, UIO_MAXIOV)
        self._flags = flags & ~MSG_WAITFORONE
        self._one: Final = one
        self._for_one: Final = bool(flags & MSG_WAITFORONE)
        self._over: Final = over
        self.messages: list[Message] = []

    def __call__(self) -> list[Message] | WouldBlock:
        if not self.messages and self._socket.error:
            fail(self._socket.take_error())
        while len(self.messages) < self._count:
            try:
                message = self._one(self._flags)
            except OSError as error:
                if not self.messages:
                    raise
                if error.errno != errno.EAGAIN:
                    self._socket.error = error.errno or 0
                break
            if isinstance(message, WouldBlock):
                impatient = self._flags & MSG_DONTWAIT or self._socket.flags & O_NONBLOCK
                return self.messages if self.messages and impatient else message
            self.messages.append(message)
            if self._for_one:
                self._flags |= MSG_DONTWAIT
            if self._over() or message.flags & MSG_OOB:
                break
        return self.messages

    def arguments(self) -> tuple[object, ...]:
        return (self._count, self._flags)

    @property
    def moved(self) -> int:
        """It grows with each step: the wait after it is another one."""
        return len(self.messages)

    def progress(self) -> list[Message] | None:
        """What an early end returns; None if nothing has happened yet."""
        return self.messages or None
