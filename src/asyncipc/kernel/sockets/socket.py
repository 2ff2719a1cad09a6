"""The socket: what all socket endpoints have in common, socket(7) and send(2).

Constants are Linux's (asm-generic).  A socket's shutdown state is the pair of
halves that are shut, as ``sk_shutdown`` in the kernel keeps it.

A kind of socket is a class with the verbs it has; those it lacks fail here
with what Linux says.  Verbs that need to know who calls (names belong to
users, SO_PEERCRED tells pids) are given the process.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final, NamedTuple

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.files.node import S_IFSOCK
from asyncipc.kernel.openfile import O_RDWR, Home, OpenFile
from asyncipc.kernel.readiness import OUT
from asyncipc.kernel.sockets import ancillary
from asyncipc.kernel.sockets import options as opt
from asyncipc.kernel.sockets.address import Address
from asyncipc.kernel.sockets.options import UNCHANGED, SocketOptions

if TYPE_CHECKING:
    from asyncipc.kernel.buffers import Buffer
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.ancillary import ControlItem, ControlRoom, Outgoing
    from asyncipc.kernel.waitqueue import WaitQueue, WouldBlock


AF_UNIX: Final = 1
AF_INET: Final = 2
AF_INET6: Final = 10
SOCK_STREAM: Final = 1
SOCK_DGRAM: Final = 2
SOCK_RAW: Final = 3
SOCK_SEQPACKET: Final = 5
SOCK_TYPES: Final = range(11)
"""Numbers that name a type at all; others are EINVAL."""
SOCK_NONBLOCK: Final = 0o4000
SOCK_CLOEXEC: Final = 0o2000000
SOCK_TYPE_MASK: Final = 0xF

SHUT_RD: Final = 0
SHUT_WR: Final = 1
SHUT_RDWR: Final = 2

RCV_SHUTDOWN: Final = 1
SEND_SHUTDOWN: Final = 2
BOTH_SHUTDOWN: Final = 3

MSG_OOB: Final = 0x1
MSG_PEEK: Final = 0x2
MSG_TRUNC: Final = 0x20
MSG_DONTWAIT: Final = 0x40
MSG_WAITALL: Final = 0x100
MSG_NOSIGNAL: Final = 0x4000

MSG_CTRUNC: Final = 0x8
MSG_DONTROUTE: Final = 0x4
MSG_EOR: Final = 0x80
MSG_MORE: Final = 0x8000
MSG_ERRQUEUE: Final = 0x2000

SIOCATMARK: Final = 0x8905
SOMAXCONN: Final = 4096
"""net.core.somaxconn: the longest backlog."""


def halves(how: int) -> int:
    """The halves that shutdown(2) shuts; EINVAL for another ``how``."""
    if not SHUT_RD <= how <= SHUT_RDWR:
        fail(errno.EINVAL)
    return how + 1


def mirrored(shut: int) -> int:
    """What a peer's shut halves mean for this side: its sending is my receiving."""
    return (shut & RCV_SHUTDOWN) << 1 | (shut & SEND_SHUTDOWN) >> 1


class Message(NamedTuple):
    """What recvmsg(2) answers.  ``length``: of the whole datagram, though ``data`` is cut.

    ``flags``: MSG_TRUNC and its like; ``address``: None if the sender has none.
    ``ancillary``: control messages; ``stops``: not even MSG_WAITALL reads on here.
    """

    data: bytes
    length: int
    flags: int = 0
    address: Address | None = None
    ancillary: tuple[ControlItem, ...] = ()
    stops: bool = False


class Socket(OpenFile):
    """One socket.

    ``shut``: halves that are shut.  ``error``: the pending SO_ERROR.
    ``send_limit``: SO_SNDBUF.  ``options``: shared until this socket changes one.
    """

    __slots__ = ("error", "options", "send_limit", "shut")

    noun = "socket"
    file_mode = S_IFSOCK | 0o777
    family = AF_UNIX
    kind = SOCK_STREAM
    protocol = 0

    def __init__(self, kernel: Home, flags: int = 0, send_limit: int = opt.SNDBUF_DEFAULT) -> None:
        super().__init__(kernel, O_RDWR | flags)
        self.shut = 0
        self.error = 0
        self.send_limit = send_limit
        self.options = UNCHANGED

    # -- names and connections

    def bind(self, process: Process, address: Address) -> None:
        """bind(2)"""
        fail(errno.EOPNOTSUPP)

    def listen(self, process: Process, backlog: int) -> None:
        """listen(2)"""
        fail(errno.EOPNOTSUPP)

    def accept(self) -> tuple[Socket, Address] | WouldBlock:
        """accept(2): the oldest connection, and the address of its peer."""
        fail(errno.EOPNOTSUPP)

    def connect(self, process: Process, address: Address | None) -> WouldBlock | None:
        """connect(2); ``address`` None is AF_UNSPEC."""
        fail(errno.EOPNOTSUPP)

    def connecting(
        self, process: Process, address: Address | None
    ) -> Callable[[], WouldBlock | None]:
        """One call of connect(2), however often it has to try."""
        return partial(self.connect, process, address)

    def getsockname(self) -> Address:
        """getsockname(2)"""
        fail(errno.EOPNOTSUPP)

    def getpeername(self) -> Address:
        """getpeername(2)"""
        fail(errno.EOPNOTSUPP)

    # -- transfer

    def sendto(
        self, data: Buffer, flags: int, address: Address, process: Process, done: int = 0
    ) -> int | WouldBlock:
        """sendto(2) with an address."""
        fail(errno.EOPNOTSUPP)

    def outgoing(self, process: Process, items: Sequence[ControlItem]) -> Outgoing | None:
        """The control messages of a sendmsg(2), checked and held as it begins."""
        return ancillary.outgoing(self, process, items)

    def sendmsg(
        self,
        data: Buffer,
        flags: int,
        address: Address | None,
        control: Outgoing | None,
        process: Process,
        done: int = 0,
    ) -> int | WouldBlock:
        """sendmsg(2): as send(2) or sendto(2), with control messages for who takes them."""
        if address is None:
            return self.send(data, flags, done)
        return self.sendto(data, flags, address, process, done)

    def recvmsg(
        self, size: int, flags: int, room: ControlRoom | None = None
    ) -> Message | WouldBlock:
        """recvmsg(2): recv(2), and what is known about the data.

        ``room``: the control buffer; without one what came in flight is dropped.
        """
        data = self.recv(size, flags)
        return Message(data, len(data)) if isinstance(data, bytes) else data

    def drop_rights(self) -> None:
        """Drop the descriptors that lie in its receive buffer."""

    # -- waiting

    def write_queue(self) -> WaitQueue:
        """Who sleeps for room looks again at what comes to the socket, too, when less of it
        may do than ends the sleep (sock_wait_for_wmem looks at no key).
        """
        if self._write_queue is None:
            self.read_queue().watch(super().write_queue(), last=True)
        return super().write_queue()

    # -- options

    @property
    def limited(self) -> bool:
        return self.options is not UNCHANGED

    def patience(self, mask: int) -> int | None:
        """SO_SNDTIMEO for who waits to send or connect, SO_RCVTIMEO for others."""
        options = self.options
        return options.send_timeout_ns if mask & OUT else options.receive_timeout_ns

    def own_options(self) -> SocketOptions:
        """The socket's own set, to change."""
        if self.options is UNCHANGED:
            self.options = UNCHANGED.copy()
        return self.options

    def take_error(self) -> int:
        """SO_ERROR: the pending error, which is told once."""
        error, self.error = self.error, 0
        return error

    def is_listening(self) -> bool:
        """SO_ACCEPTCONN"""
        return False

    def peer_credentials(self) -> bytes:
        """SO_PEERCRED: a struct ucred; without a peer pid 0 and nobody."""
        return NOBODY

    def memory(self) -> tuple[int, int]:
        """For SO_MEMINFO: the memory of what was received, and how often there was no room."""
        return 0, 0

    def set_send_limit(self, request: int) -> None:
        """SO_SNDBUF: who sleeps for room looks again."""
        self.send_limit = opt.buffer_size(request, opt.SNDBUF_MIN)
        if self._write_queue is not None:
            self._write_queue.notify()

    def set_receive_limit(self, request: int) -> None:
        """SO_RCVBUF"""
        self.own_options().receive_limit = opt.buffer_size(request, opt.RCVBUF_MIN)

    def set_low_water(self, request: int) -> None:
        """SO_RCVLOWAT: at least 1; a negative request is the most there is."""
        most = 2**31 - 1
        self.own_options().receive_low_water = most if request < 0 else request or 1

    def set_peek_offset(self, offset: int) -> None:
        """SO_PEEK_OFF"""
        raise Unsupported("asyncipc models SO_PEEK_OFF for UNIX stream sockets only")

    def getsockopt(self, level: int, option: int) -> int | bytes:
        """getsockopt(2): an integer, or the bytes of a struct.  ENOPROTOOPT, EOPNOTSUPP."""
        if level != opt.SOL_SOCKET:
            return self.get_protocol_option(level, option)
        reader = _READERS.get(option)
        if reader is not None:
            return reader(self)
        if option in opt.SWITCHES:
            if option in opt.PASSING and self.family != AF_UNIX:
                fail(errno.EOPNOTSUPP)
            return int(self.options.is_on(option))
        fail(errno.ENOPROTOOPT)

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        """setsockopt(2).  ENOPROTOOPT, EOPNOTSUPP, EINVAL, EDOM."""
        if level != opt.SOL_SOCKET:
            self.set_protocol_option(level, option, value)
        elif option in opt.SWITCHES:
            self.turn(option, bool(opt.integer(value)))
        elif option in _WRITERS:
            _WRITERS[option](self, value)
        else:
            fail(errno.ENOPROTOOPT)

    def turn(self, switch: int, on: bool) -> None:
        """Switch an option on or off.  Some are for one family only: EOPNOTSUPP."""
        if (switch == opt.SO_REUSEPORT) if self.family == AF_UNIX else switch in opt.PASSING:
            fail(errno.EOPNOTSUPP)
        if switch == opt.SO_PASSPIDFD and on:
            raise Unsupported("asyncipc does not model pidfds in control messages (SO_PASSPIDFD)")
        self.own_options().turn(switch, on)

    def get_protocol_option(self, level: int, option: int) -> int | bytes:
        """An option of another level than SOL_SOCKET."""
        fail(errno.EOPNOTSUPP)

    def set_protocol_option(self, level: int, option: int, value: int | bytes) -> None:
        """An option of another level than SOL_SOCKET."""
        fail(errno.EOPNOTSUPP)


@lru_cache(maxsize=256)
def credentials(pid: int, uid: int, gid: int) -> bytes:
    """A struct ucred."""
    return b"".join((number & 0xFFFFFFFF).to_bytes(4, "little") for number in (pid, uid, gid))


NOBODY: Final = credentials(0, -1, -1)
"""What SO_PEERCRED tells of no peer."""


def process_credentials(process: Process) -> bytes:
    """A struct ucred of a process as it is now; equal ones are one object."""
    return credentials(process.pid, process.uid, process.gid)


def _memory_info(socket: Socket) -> bytes:
    """The nine numbers of SO_MEMINFO; those of sending are 0, as nothing stays on the way."""
    held, drops = socket.memory()
    numbers = (held, socket.options.receive_limit, 0, socket.send_limit, 0, 0, 0, 0, drops)
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def _linger(socket: Socket) -> bytes:
    options = socket.options
    on = int(options.linger is not None)
    return on.to_bytes(4, "little") + options.linger_time.to_bytes(4, "little")


def _set_linger(socket: Socket, value: int | bytes) -> None:
    on, seconds = opt.linger(value)
    options = socket.own_options()
    options.linger = seconds if on else None
    if on:
        options.linger_time = seconds


def _set_receive_timeout(socket: Socket, value: int | bytes) -> None:
    socket.own_options().receive_timeout_ns = opt.duration(value)


def _set_send_timeout(socket: Socket, value: int | bytes) -> None:
    socket.own_options().send_timeout_ns = opt.duration(value)


_READERS: Final[dict[int, Callable[[Socket], int | bytes]]] = {
    opt.SO_ACCEPTCONN: lambda socket: int(socket.is_listening()),
    opt.SO_DOMAIN: lambda socket: socket.family,
    opt.SO_ERROR: lambda socket: socket.take_error(),
    opt.SO_LINGER: _linger,
    opt.SO_MEMINFO: _memory_info,
    opt.SO_PEERCRED: lambda socket: socket.peer_credentials(),
    opt.SO_PEEK_OFF: lambda socket: socket.options.peek_offset,
    opt.SO_PROTOCOL: lambda socket: socket.protocol,
    opt.SO_RCVBUF: lambda socket: socket.options.receive_limit,
    opt.SO_RCVLOWAT: lambda socket: socket.options.receive_low_water,
    opt.SO_RCVTIMEO: lambda socket: opt.timeval(socket.options.receive_timeout_ns),
    opt.SO_SNDBUF: lambda socket: socket.send_limit,
    opt.SO_SNDLOWAT: lambda socket: 1,
    opt.SO_SNDTIMEO: lambda socket: opt.timeval(socket.options.send_timeout_ns),
    opt.SO_TYPE: lambda socket: socket.kind,
}

_WRITERS: Final[dict[int, Callable[[Socket, int | bytes], None]]] = {
    opt.SO_LINGER: _set_linger,
    opt.SO_PEEK_OFF: lambda socket, value: socket.set_peek_offset(opt.integer(value)),
    opt.SO_RCVBUF: lambda socket, value: socket.set_receive_limit(opt.integer(value)),
    opt.SO_RCVLOWAT: lambda socket, value: socket.set_low_water(opt.integer(value)),
    opt.SO_RCVTIMEO: _set_receive_timeout,
    opt.SO_SNDBUF: lambda socket, value: socket.set_send_limit(opt.integer(value)),
    opt.SO_SNDTIMEO: _set_send_timeout,
}
