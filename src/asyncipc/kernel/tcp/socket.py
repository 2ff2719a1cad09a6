"""The TCP socket: tcp(7), what a program sees of one end.

Here are its names, states, options, receive queue, errors and readiness, as
inet_stream_ops and tcp.c keep them; the way to the other end is its
:class:`~asyncipc.kernel.tcp.transport.Transport`'s business, and who may have
which port :class:`~asyncipc.kernel.tcp.ports.TcpPorts`'.

An end goes through three lives.  Before and after a connection its state is
CLOSE (after: with both halves shut, and perhaps an error).  While the program
has it, it is whatever it was made.  Closed by the program, it is an *orphan*,
which lives on until both FINs are acknowledged, then for a minute as a
:class:`~asyncipc.kernel.tcp.ports.TimeWait`.

An error is told once, by whichever call comes first: RST gives ECONNRESET;
ECONNREFUSED in answer to a SYN; EPIPE (with SIGPIPE) to who goes on sending
after the peer's FIN.  Bytes that have arrived are read before it.

Not modelled: TCP_FASTOPEN, SIGURG, the early wake of a reader that has taken
less than SO_RCVLOWAT (it takes all at once).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import BrokenPipeSignal, fail
from asyncipc.kernel.buffers import Buffer, ByteQueue
from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.openfile import Home
from asyncipc.kernel.sockets import options as opt
from asyncipc.kernel.sockets.address import Address, InetAddress
from asyncipc.kernel.sockets.socket import (
    MSG_DONTWAIT,
    MSG_ERRQUEUE,
    MSG_MORE,
    MSG_NOSIGNAL,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    SOCK_STREAM,
    Message,
    Socket,
    halves,
)
from asyncipc.kernel.tcp import connect as tcp_connect
from asyncipc.kernel.tcp import ends as tcp_ends
from asyncipc.kernel.tcp import options as tcp_options
from asyncipc.kernel.tcp import poll as tcp_poll
from asyncipc.kernel.tcp.listener import complete
from asyncipc.kernel.tcp.names import NOWHERE, shown
from asyncipc.kernel.tcp.receive import discard, is_inline, nothing_to_receive, receive
from asyncipc.kernel.tcp.send import apply_cork, send_unusually
from asyncipc.kernel.tcp.settings import get_option, set_option
from asyncipc.kernel.tcp.states import (
    AFTER_ACKNOWLEDGEMENT,
    AFTER_PEERS_FINISH,
    HANDSHAKE,
    Phase,
    State,
)
from asyncipc.kernel.tcp.urgent import UrgentMark, replace_mark

if TYPE_CHECKING:
    from asyncipc.kernel.ip.options import IpOptions
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.ancillary import ControlRoom
    from asyncipc.kernel.tcp.cork import Cork
    from asyncipc.kernel.tcp.listener import Listener
    from asyncipc.kernel.tcp.transport import Transport
    from asyncipc.kernel.waitqueue import WouldBlock

SNDBUF_START: Final = 16384
SNDBUF_ESTABLISHED: Final = 3_939_840
"""What SO_SNDBUF has become once a loopback connection stands (measured, 6.18),
if the program has not set it."""
RCVBUF_START: Final = 131072
WHOLE_MAX: Final = 65536
"""A longer write enters piece by piece; with a small SO_SNDBUF one of more than half."""
UNUSUAL_SEND: Final = MSG_OOB | MSG_MORE
UNUSUAL_RECV: Final = MSG_OOB | MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE | MSG_DONTWAIT


@final
class TcpSocket(Socket):
    """``local``, ``remote``: unmapped names.  ``outlet``: the transport while a
    plain send may use it.  ``fin_seen``: no byte will come any more.
    ``holds_port``: is it a tenant?  ``locks``: what the program has chosen of
    the name.  ``orphan``: the program has closed it.  ``parent``: the listener,
    while TCP_DEFER_ACCEPT waits for data.  ``dissolved``: connect(2) to AF_UNSPEC
    was last; a call that slept meanwhile gets EPIPE (sk_disconnects).
    """

    __slots__ = (
        "buffer", "cork", "dissolved", "family", "fin_seen", "holds_port", "ip", "listener",
        "local", "locks", "orphan", "outlet", "parent", "phase", "remote", "state", "tcp",
        "transport", "uid", "urgent", "whole_max",
    )  # fmt: skip

    is_stream = True
    kind = SOCK_STREAM
    protocol = IPPROTO_TCP

    def __init__(self, kernel: Home, family: int, flags: int = 0) -> None:
        super().__init__(kernel, flags, SNDBUF_START)
        self.family = family
        self.state = State.CLOSE
        self.phase = Phase.UNCONNECTED
        self.local: InetAddress = NOWHERE[family]
        self.remote: InetAddress | None = None
        self.holds_port = False
        self.locks = 0
        self.uid = 0
        self.tcp = tcp_options.UNCHANGED
        self.ip: IpOptions | None = None
        self.listener: Listener | None = None
        self.parent: TcpSocket | None = None
        self.transport: Transport | None = None
        self.outlet: Transport | None = None
        self.cork: Cork | None = None
        self.buffer: ByteQueue | None = None
        self.urgent: UrgentMark | None = None
        self.fin_seen = False
        self.orphan = False
        self.dissolved = False
        self.whole_max = SNDBUF_START // 2

    # -- names and connections

    def bind(self, process: Process, address: Address) -> None:
        """bind(2): EINVAL, EAFNOSUPPORT, EADDRNOTAVAIL, EACCES, EADDRINUSE."""
        tcp_connect.bind(self, process, address)

    def listen(self, process: Process, backlog: int) -> None:
        """listen(2): at an automatic port if it has none.  EINVAL, EADDRINUSE."""
        tcp_connect.listen(self, process, backlog)

    def connect(self, process: Process, address: Address | None) -> WouldBlock | None:
        """connect(2): refuses (EINPROGRESS, later EALREADY) while the handshake lasts.

        With O_NONBLOCK the first call answers EINPROGRESS in any case.
        """
        return tcp_connect.connect(self, process, address)

    def accept(self) -> tuple[Socket, Address] | WouldBlock:
        """accept(2): the oldest complete connection, even one that is over already.  EINVAL."""
        if self.listener is None:
            fail(errno.EINVAL)
        queue, backlog = self.read_queue(), self.listener.backlog
        if queue.barred or not len(backlog):
            return queue.refusal
        accepted = backlog.take()
        assert accepted.remote is not None
        return accepted, shown(self.family, accepted.remote)

    def getsockname(self) -> Address:
        return shown(self.family, self.local)

    def getpeername(self) -> Address:
        if self.remote is None or self.state in {State.CLOSE, State.SYN_SENT}:
            fail(errno.ENOTCONN)
        return shown(self.family, self.remote)

    def shutdown(self, how: int) -> None:
        """shutdown(2): ENOTCONN without a connection, EINVAL."""
        tcp_connect.shutdown(self, halves(how))

    def is_listening(self) -> bool:
        return self.listener is not None

    # -- sending

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        """write(2): how many bytes were taken.

        Refuses while there is no room, or no connection yet.  EPIPE with
        SIGPIPE without a connection, and once the peer reads no more.
        """
        outlet = self.outlet
        if outlet is None:
            return send_unusually(self, data, done, 0)
        queue = self._write_queue
        if queue is not None and queue.barred:
            return queue.refusal
        moved = outlet.put(data, done)
        if moved or len(data) == done:
            return moved
        return self.write_queue().refusal

    def send(self, data: Buffer, flags: int, done: int = 0) -> int | WouldBlock:
        """send(2): write(2) with flags.  MSG_NOSIGNAL: EPIPE without SIGPIPE."""
        try:
            if flags & UNUSUAL_SEND:
                return send_unusually(self, data, done, flags)
            return self.write(data, done)
        except BrokenPipeSignal:
            if flags & MSG_NOSIGNAL:
                fail(errno.EPIPE)
            raise

    def sendto(
        self, data: Buffer, flags: int, address: Address, process: Process, done: int = 0
    ) -> int | WouldBlock:
        """sendto(2): the address is ignored."""
        return self.send(data, flags, done)

    # -- receiving

    def recv(self, size: int, flags: int) -> bytes | WouldBlock:
        """recv(2): up to ``size`` bytes, b"" at the end of the stream.

        Refuses while nothing has come and the peer can still send.  Errors,
        once: ECONNRESET, ECONNREFUSED, ETIMEDOUT; ENOTCONN without a connection.
        """
        if flags & MSG_TRUNC:
            count = discard(self, size, flags)
            return bytes(count) if isinstance(count, int) else count
        if flags & UNUSUAL_RECV or not size:
            return receive(self, size, flags)
        return self.read(size)

    def recvmsg(
        self, size: int, flags: int, room: ControlRoom | None = None
    ) -> Message | WouldBlock:
        """recvmsg(2): of bytes discarded by MSG_TRUNC only the count."""
        if flags & MSG_TRUNC:
            count = discard(self, size, flags)
            return Message(b"", count) if isinstance(count, int) else count
        data = self.recv(size, flags)
        return Message(data, len(data), flags & MSG_OOB) if isinstance(data, bytes) else data

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): recv(2), but of no bytes at once."""
        if not size:
            return b""
        buffer, queue = self.buffer, self._read_queue
        if buffer is None or not buffer.size:
            if queue is None or self.outlet is None or self.shut:
                return nothing_to_receive(self)
            return queue.refusal  # established: the hot path of every blocked reader
        if self.urgent is not None or self.options.receive_low_water > 1:
            return receive(self, size, 0)
        if queue is not None and queue.barred:
            return queue.refusal
        data = buffer.take(size)
        if self.transport is not None:
            self.transport.taken()
        return data

    def open_inbox(self) -> ByteQueue:
        """Data comes for the first time, or again."""
        if self.parent is not None:
            complete(self)
        if self.buffer is None:
            self.buffer = ByteQueue()
        return self.buffer

    def forget_data(self) -> None:
        self.buffer = self.urgent = None

    # -- what the transport tells (kernel/transport.Connection)

    def established(self) -> None:
        if self.state not in HANDSHAKE:  # both opened at once, and this one is closed already
            self.notify_all()
            return
        self.state = State.ESTABLISHED
        if not self.shut & SEND_SHUTDOWN:  # before connect(2), which does not forget it
            self.outlet = self.transport
        if self.tcp is not tcp_options.UNCHANGED:
            apply_cork(self)
        self.notify_all()

    def deliver(self, chunk: bytes | memoryview) -> None:
        self.open_inbox().put(chunk)
        if self._read_queue is not None:
            self._read_queue.notify()

    def urge(self, byte: bytes) -> None:
        assert self.buffer is not None
        self.urgent = replace_mark(self.urgent, self.buffer, byte, inline=is_inline(self))
        if self._read_queue is not None:
            self._read_queue.notify()

    def room_made(self) -> None:
        if self._write_queue is not None:
            self._write_queue.notify()

    def peer_finished(self) -> None:
        if self.parent is not None:
            complete(self)
        self.fin_seen = True
        self.shut |= RCV_SHUTDOWN
        tcp_ends.move(self, AFTER_PEERS_FINISH)
        self.notify_all()

    def finish_acknowledged(self) -> None:
        tcp_ends.move(self, AFTER_ACKNOWLEDGEMENT)
        tcp_ends.refuse_data_if_done(self)

    def peer_reset(self) -> None:
        tcp_ends.reset(self)

    def failed(self, error: int) -> None:
        self.error = error
        tcp_ends.over(self)

    # -- its end

    def release(self) -> None:
        tcp_ends.release(self)

    def expire(self) -> None:
        """An orphan has waited long enough for the peer's FIN."""
        if self.state == State.FIN_WAIT2:
            tcp_ends.over(self)

    def leave_port(self) -> None:
        """The name stays to be seen, as Linux keeps inet_sport."""
        if self.holds_port:
            self.holds_port = False
            self.kernel.inet.tcp.leave(self.local.port, self)

    def wakers(self, mask: int) -> tuple[object, ...]:
        if self.listener is not None:
            return self.kernel.inet.anybody()
        return () if self.transport is None else self.transport.wakers()

    # -- readiness

    def poll(self) -> int:
        return tcp_poll.poll(self)

    def unread(self) -> int:
        return tcp_poll.unread(self)

    def unsent(self) -> int:
        return tcp_poll.unsent(self)

    def at_mark(self) -> bool:
        return self.urgent is not None and not self.urgent.distance

    # -- options

    @property
    def v6only(self) -> bool:
        return self.ip is not None and self.ip.v6only

    @property
    def reuse_address(self) -> bool:
        return self.options.is_on(opt.SO_REUSEADDR)

    @property
    def reuse_port(self) -> bool:
        return self.options.is_on(opt.SO_REUSEPORT)

    @property
    def receive_limit(self) -> int:
        """SO_RCVBUF"""
        options = self.options
        return RCVBUF_START if options is opt.UNCHANGED else options.receive_limit

    def own_options(self) -> opt.SocketOptions:
        limit, options = self.receive_limit, super().own_options()
        options.receive_limit = limit
        return options

    def getsockopt(self, level: int, option: int) -> int | bytes:
        if level == opt.SOL_SOCKET and option == opt.SO_RCVBUF:
            return self.receive_limit
        return super().getsockopt(level, option)

    def get_protocol_option(self, level: int, option: int) -> int | bytes:
        return get_option(self, level, option)

    def set_protocol_option(self, level: int, option: int, value: int | bytes) -> None:
        set_option(self, level, option, value)

    def turn(self, switch: int, on: bool) -> None:
        super().turn(switch, on)
        if switch == opt.SO_KEEPALIVE and self.transport is not None:
            self.transport.option_changed(opt.SOL_SOCKET, switch)

    def set_send_limit(self, request: int) -> None:
        super().set_send_limit(request)
        self.whole_max = min(WHOLE_MAX, self.send_limit // 2)
        if self.transport is not None:
            self.transport.resize()

    def set_receive_limit(self, request: int) -> None:
        super().set_receive_limit(request)
        if self.transport is not None:
            self.transport.resize()

    def widen(self) -> None:
        """A connection stands: SO_SNDBUF grows, unless the program has set it."""
        if self.send_limit == SNDBUF_START:
            self.send_limit, self.whole_max = SNDBUF_ESTABLISHED, WHOLE_MAX
