"""The sockets of the operating system, socket(7), of every family and type.

Each verb is one call of a :class:`socket.socket` that never blocks.  What its
EAGAIN means is told by the line: readiness, or, where there is none (a full
UNIX backlog, a full receiver that this socket is not connected to), time.
"""

from __future__ import annotations

import errno
import socket as system
import sys
import termios
from typing import TYPE_CHECKING, Final, NoReturn, final

from asyncipc.errors import BrokenPipeSignal, fail
from asyncipc.kernel.openfile import O_NONBLOCK, UNBOUNDED, Home
from asyncipc.kernel.readiness import ERR, HUP, RDHUP, WRITABLE
from asyncipc.kernel.sockets.address import UNIX_PATH_MAX, Inet6Address
from asyncipc.kernel.sockets.ancillary import (
    MSG_CMSG_CLOEXEC,
    MSG_CTRUNC,
    ControlItem,
    ControlRoom,
    Outgoing,
)
from asyncipc.kernel.sockets.options import SO_ACCEPTCONN, SO_TYPE, SOL_SOCKET, UNCHANGED
from asyncipc.kernel.sockets.socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    MSG_DONTWAIT,
    MSG_ERRQUEUE,
    MSG_NOSIGNAL,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    MSG_WAITALL,
    SIOCATMARK,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    Message,
    Socket,
)
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.native import libc
from asyncipc.native.descriptor import READ_MAX, RealDescriptor
from asyncipc.native.files.names import umask_of
from asyncipc.native.line import RetryLine
from asyncipc.native.refusal import refuse
from asyncipc.native.sockets import options as socket_options
from asyncipc.native.sockets.addresses import sockaddr, told, unix_name
from asyncipc.native.sockets.ancillary import NativeOutgoing, Sent, unpack
from asyncipc.native.sockets.connecting import NativeConnecting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncipc.kernel.buffers import Buffer
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.address import Address

FAMILIES: Final = frozenset({AF_UNIX, AF_INET, AF_INET6})
UNIX_WHOLE_MAX: Final = 2240
"""A UNIX stream cuts what it sends to half of SO_SNDBUF, less 64, and that is at least 4608."""
NEVER_WAITS: Final = MSG_OOB | MSG_ERRQUEUE
"""What these ask for is there or is not: EAGAIN is their answer, and no refusal."""
MSG_FASTOPEN: Final = 0x20000000
BACKLOG_MAX: Final = 2**31 - 1
PEEK_ALL: Final = MSG_PEEK | MSG_WAITALL
OVER: Final = RDHUP | HUP | ERR


@final
class NativeSocket(RealDescriptor, Socket):
    """``real``: the standard library's, which owns the number.

    ``retries``: the line of those whose datagram a receiver has refused.
    """

    __slots__ = (
        "family", "is_stream", "kind", "number", "reading", "real", "retries",
        "whole_max", "writing",
    )  # fmt: skip

    def __init__(
        self, kernel: Home, real: system.socket, family: int, kind: int, flags: int = 0
    ) -> None:
        Socket.__init__(self, kernel, flags)
        real.setblocking(False)
        self.real = real
        self.number = real.fileno()
        self.reading = None
        self.writing = None
        self.family = family
        self.kind = kind
        self.is_stream = kind == SOCK_STREAM
        self.whole_max = UNBOUNDED
        if self.is_stream:
            self.whole_max = UNIX_WHOLE_MAX if family == AF_UNIX else 0
        self.retries: RetryLine | None = None

    def release(self) -> None:
        if self.options.linger:
            socket_options.do_not_linger(self.real)
        self.number = -1
        self.real.close()

    # -- names and connections

    def bind(self, process: Process, address: Address) -> None:
        with sockaddr(address, process) as name, umask_of(process):
            libc.bind(self.number, name, len(name))

    def listen(self, process: Process, backlog: int) -> None:
        # A negative one is the longest there; Python would make it 0.
        self.real.listen(backlog if backlog >= 0 else BACKLOG_MAX)

    def accept(self) -> tuple[NativeSocket, Address] | WouldBlock:
        line = self.reading
        if line is not None and line.barred:
            return line.refusal
        try:
            real, address = self.real.accept()
        except BlockingIOError:
            if self._is_shut():
                fail(errno.EINVAL)
            return self.read_line().refusal
        made = NativeSocket(self.kernel, real, self.family, self.kind)
        if self.options is not UNCHANGED:
            socket_options.ask(made)
        return made, told(address) or b""

    def connecting(self, process: Process, address: Address | None) -> NativeConnecting:
        return NativeConnecting(self, process, address)

    def connect(self, process: Process, address: Address | None) -> WouldBlock | None:
        return NativeConnecting(self, process, address)()

    def _retry_line(self) -> RetryLine:
        if self.retries is None:
            self.retries = RetryLine(self, WRITABLE)
        return self.retries

    def getsockname(self) -> Address:
        return told(self.real.getsockname()) or b""

    def getpeername(self) -> Address:
        return told(self.real.getpeername()) or b""

    def shutdown(self, how: int) -> None:
        self.real.shutdown(how)

    def is_listening(self) -> bool:
        return bool(self.real.getsockopt(SOL_SOCKET, SO_ACCEPTCONN))

    # -- sending

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        return self.send(data, 0, done)

    def send(self, data: Buffer, flags: int, done: int = 0) -> int | WouldBlock:
        line = self.writing
        if line is not None and line.barred:
            return line.refusal
        try:
            return self.real.send(memoryview(data)[done:] if done else data, flags | MSG_NOSIGNAL)
        except BlockingIOError:
            return self.write_line().refusal
        except BrokenPipeError as error:
            self._broken(error, flags)

    def _broken(self, error: BrokenPipeError, flags: int) -> NoReturn:
        """Streams send SIGPIPE.  The operating system is told not to: the process is ours."""
        if self.is_stream and not flags & MSG_NOSIGNAL:
            raise BrokenPipeSignal from None
        raise error

    def sendto(
        self, data: Buffer, flags: int, address: Address, process: Process, done: int = 0
    ) -> int | WouldBlock:
        if flags & MSG_FASTOPEN:
            refuse("TCP Fast Open")
        if self.kind == (SOCK_SEQPACKET if self.family == AF_UNIX else SOCK_STREAM):
            return self.send(data, flags, done)  # nobody looks at the address
        return self.sendmsg(data, flags, address, None, process, done)

    def outgoing(self, process: Process, items: Sequence[ControlItem]) -> Outgoing | None:
        return NativeOutgoing(self.kernel, process, items, self.family) if items else None

    def sendmsg(
        self,
        data: Buffer,
        flags: int,
        address: Address | None,
        control: Outgoing | None,
        process: Process,
        done: int = 0,
    ) -> int | WouldBlock:
        line = self.writing
        if line is not None and line.barred:
            return line.refusal
        assert control is None or isinstance(control, NativeOutgoing)
        items = control.items() if control is not None else []
        try:
            sent = self._send(
                memoryview(data)[done:], items, flags | MSG_NOSIGNAL, address, process
            )
        except BlockingIOError:
            if address is not None and self.family == AF_UNIX:
                return self._retry_line().refusal
            return self.write_line().refusal
        except BrokenPipeError as error:
            self._broken(error, flags)
        if control is not None:
            control.sent()
        return sent

    def _send(
        self,
        data: memoryview,
        items: Sent,
        flags: int,
        address: Address | None,
        process: Process,
    ) -> int:
        if address is None:
            return self.real.sendmsg([data], items, flags)
        if isinstance(address, bytes) and self.family == AF_UNIX:
            with unix_name(address, process) as name:
                if len(name) < UNIX_PATH_MAX:  # else Python would want a NUL behind it
                    return self.real.sendmsg([data], items, flags, name)
        elif self.family == (AF_INET6 if isinstance(address, Inet6Address) else AF_INET):
            if items:
                return self.real.sendmsg([data], items, flags, address)
            return self.real.sendto(data, flags, address)
        return self._send_abroad(data, items, flags, address, process)

    def _send_abroad(
        self,
        data: memoryview,
        items: Sent,
        flags: int,
        address: Address,
        process: Process,
    ) -> int:
        """To an address that Python would not let through: of another family, such as IPv4's
        on an IPv6 socket, or a UNIX path of all the bytes there are.
        """
        if items:
            refuse("a control message to an address of another family")
        with sockaddr(address, process) as name:
            return libc.sendto(self.number, bytes(data), len(data), flags, name, len(name))

    # -- receiving

    def read(self, size: int) -> bytes | WouldBlock:
        return self.recv(size, 0) if size else b""

    def recv(self, size: int, flags: int) -> bytes | WouldBlock:
        if flags or self.options is not UNCHANGED:
            return self._recv_slowly(size, flags)
        line = self.reading
        if line is not None and line.barred:
            return line.refusal
        try:
            return self.real.recv(min(READ_MAX, size))
        except BlockingIOError:
            return b"" if self._is_shut() else self.read_line().refusal

    def _recv_slowly(self, size: int, flags: int) -> bytes | WouldBlock:
        """With flags, a low water mark or a time limit."""
        if flags & MSG_TRUNC and not self.is_stream:
            refuse("the real length of a message from recv", "recv_into tells it")
        message = self.recvmsg(size, flags)
        if isinstance(message, WouldBlock):
            return message
        return message.data or bytes(message.length)  # of what TCP's MSG_TRUNC threw away

    def recvmsg(
        self, size: int, flags: int, room: ControlRoom | None = None
    ) -> Message | WouldBlock:
        if not flags & NEVER_WAITS and self._must_wait(size, flags):
            return self.read_line().refusal
        try:
            return self._receive(size, flags & ~MSG_WAITALL | MSG_CMSG_CLOEXEC, room)
        except BlockingIOError:
            if flags & NEVER_WAITS:
                raise
            return Message(b"", 0) if self._is_shut() else self.read_line().refusal

    def _is_shut(self) -> bool:
        """Is nothing to come any more, to a socket that refuses all the same?

        The end of a datagram socket, and of a listener, is told to who sleeps there, while
        who does not wait is told EAGAIN.  So it is asked for when somebody was woken.
        """
        line = self.reading
        return line is not None and bool(line.vain and self.poll() & RDHUP)

    def _must_wait(self, size: int, flags: int) -> bool:
        """Others stand here, or there is less than a call wants that has time (SO_RCVLOWAT)."""
        line = self.reading
        if line is not None and line.barred:
            return True
        if not self.is_stream or flags & MSG_DONTWAIT or self.flags & O_NONBLOCK:
            return False
        wanted = size if flags & PEEK_ALL == PEEK_ALL else min(self.options.receive_low_water, size)
        return wanted > 1 and self.unread() < wanted and not self.poll() & OVER

    def _receive(self, size: int, flags: int, room: ControlRoom | None) -> Message:
        room_size = 0 if room is None else room.left
        if not flags & MSG_TRUNC or (self.is_stream and self.family == AF_UNIX):
            data, items, said, name = self.real.recvmsg(size, room_size, flags & ~MSG_TRUNC)
            length = len(data)
        else:
            data, length, items, said, name = self._receive_cut(size, room_size, flags)
        said &= ~MSG_CMSG_CLOEXEC
        if room is not None and items:
            unpack(self.kernel, room, items)
            said |= room.flags
        stops = self.family == AF_UNIX and bool(items or said & MSG_CTRUNC)
        all_items = () if room is None else tuple(room.items)
        return Message(data, length, said, told(name), all_items, stops)

    def _receive_cut(
        self, size: int, room_size: int, flags: int
    ) -> tuple[bytes, int, list[ControlItem], int, object]:
        """MSG_TRUNC: how long a datagram really was; or how much TCP has thrown away unseen."""
        buffer = bytearray(size)
        length, items, said, name = self.real.recvmsg_into([buffer], room_size, flags)
        data = b"" if self.is_stream else bytes(buffer[:length])
        return data, length, items, said, name

    # -- readiness, options

    def unsent(self) -> int:
        return self.count_of(termios.TIOCOUTQ)

    def at_mark(self) -> bool:
        try:
            return bool(self.count_of(SIOCATMARK))
        except OSError as error:
            if self.family != AF_UNIX or error.errno != errno.ENOTTY:
                raise
            return False  # before Linux 5.15 a UNIX stream has no urgent bytes

    def getsockopt(self, level: int, option: int) -> int | bytes:
        return socket_options.get(self, level, option)

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        socket_options.put(self, level, option, value)


def new_socket(kernel: Home, family: int, kind: int, protocol: int) -> NativeSocket:
    """socket(2)"""
    _demand_linux()
    number = libc.socket(family, kind | SOCK_CLOEXEC, protocol)
    real = system.socket(fileno=number)
    if family not in FAMILIES:
        real.close()
        refuse(f"a socket of family {family}")
    return adopted(kernel, real, _status(kind))


def new_socketpair(
    kernel: Home, family: int, kind: int, protocol: int
) -> tuple[NativeSocket, NativeSocket]:
    """socketpair(2)"""
    _demand_linux()
    one, other = system.socketpair(family, kind, protocol)
    return adopted(kernel, one, _status(kind)), adopted(kernel, other, _status(kind))


def _demand_linux() -> None:
    if sys.platform != "linux":
        refuse("sockets", "their numbers here are Linux's")


def _status(kind: int) -> int:
    return O_NONBLOCK if kind & SOCK_NONBLOCK else 0


def adopted(kernel: Home, real: system.socket, flags: int) -> NativeSocket:
    """The native socket of the standard library's, which it owns from now on."""
    kind = real.getsockopt(SOL_SOCKET, SO_TYPE)  # SOCK_RAW of UNIX is SOCK_DGRAM
    return NativeSocket(kernel, real, int(real.family), kind, flags)
