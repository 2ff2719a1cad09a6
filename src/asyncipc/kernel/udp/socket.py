"""The UDP socket: udp(7) over IPv4 and IPv6.

A send never blocks: it makes a datagram (data, source, destination) and hands it to the host's
port table, which brings it to its receivers in the same turn, or sends it to the network; who has
no room drops it, and the sender is not told.  A sender remembers its ways until the table changes.

An IPv6 socket that is not V6ONLY also speaks IPv4: inside, its addresses are
unmapped, and outside they are shown as ``::ffff:a.b.c.d``.

Only connected sockets, and those with IP_RECVERR, learn that a port refused
what they sent.  Not modelled: ancillary data (IP_PKTINFO), UDP_SEGMENT and UDP_GRO, UDP-Lite.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.ip.address import ANY6, PRIVILEGED_PORTS, is_ipv6, is_wildcard
from asyncipc.kernel.ip.options import IPPROTO_UDP
from asyncipc.kernel.ip.route import InetName, anywhere, bindable, check_scope, shown
from asyncipc.kernel.openfile import O_ASYNC, O_NONBLOCK, Home
from asyncipc.kernel.readiness import ERR, HUP, RDHUP, READABLE, WRBAND, WRITABLE
from asyncipc.kernel.sockets.address import Address
from asyncipc.kernel.sockets.socket import (
    AF_INET,
    BOTH_SHUTDOWN,
    MSG_DONTWAIT,
    MSG_ERRQUEUE,
    MSG_MORE,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    RCV_SHUTDOWN,
    SOCK_DGRAM,
    Message,
    Socket,
    halves,
)
from asyncipc.kernel.udp.datagram import LENGTH_MAX, NO_WAYS, UNUSUAL, Gathering, begin, ends
from asyncipc.kernel.udp.error_queue import queue_of, take_mishap
from asyncipc.kernel.udp.inbox import NO_DATAGRAMS, Inbox, datagram_memory
from asyncipc.kernel.udp.options import UdpOptions
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.buffers import Buffer
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.ancillary import ControlRoom
    from asyncipc.kernel.udp.datagram import Datagram, Way


@final
class UdpSocket(Socket):
    """``host`` and ``port``: its own address, unmapped; port 0 while it is unbound.

    ``fixed_host``, ``fixed_port``: were they given to bind, so that they
    survive a disconnect?  ``uid``: whose it is, for SO_REUSEPORT.  ``way``: unset
    while a send has more to look at than where to go; ``ways``: the others, if it is set.
    """

    __slots__ = (
        "family", "fixed_host", "fixed_port", "gathering", "host", "inbox", "peer", "port",
        "ports", "udp", "uid", "way", "ways",
    )  # fmt: skip

    kind = SOCK_DGRAM
    protocol = IPPROTO_UDP

    def __init__(self, kernel: Home, family: int, flags: int = 0) -> None:
        super().__init__(kernel, flags)
        self.family = family
        self.ports = kernel.inet.udp
        self.host = anywhere(family)
        self.port = 0
        self.fixed_host = self.fixed_port = False
        self.peer: InetName | None = None
        self.uid = 0
        self.inbox = Inbox()
        self.way: Way | None = None
        self.ways = NO_WAYS
        self.gathering: Gathering | None = None
        self.udp: UdpOptions | None = None

    # -- names

    def bind(self, process: Process, address: Address) -> None:
        """bind(2): EAFNOSUPPORT, EADDRNOTAVAIL, EACCES, EINVAL (bound), EADDRINUSE."""
        host, port = bindable(self.kernel.inet, address, self.family, v6only=self.v6only)
        if port in PRIVILEGED_PORTS and process.uid:
            fail(errno.EACCES)
        if self.port:
            fail(errno.EINVAL)
        self.uid, self.host = process.uid, anywhere(self.family)  # for good if it fails
        self.port = self.ports.bind(self, host, port)
        self.host = host
        if is_ipv6(host) and host != ANY6:
            self.own().ip.keep_to_v6()
        self.fixed_host, self.fixed_port = host != anywhere(self.family), port != 0

    def _autobind(self) -> None:
        """The first call that needs a port gets one.  EAGAIN if all are taken."""
        if not self.port:
            try:
                self.port = self.ports.bind(self, self.host, 0)
            except OSError:
                fail(errno.EAGAIN)

    def connect(self, process: Process, address: Address | None) -> None:
        """connect(2): send to ``address`` and hear from nobody else; None: from all again.

        Nothing is sent, so a dead port is learned of later.  A wildcard
        address becomes the one that datagrams leave from.  EAFNOSUPPORT,
        ENETUNREACH, EACCES (a broadcast address, without SO_BROADCAST), EINVAL.
        """
        if address is None:
            self._disconnect()
            return
        self.uid = process.uid
        self._autobind()
        check_scope(address)
        destination, source = ends(self, address)
        if is_wildcard(self.host):
            self.host = source.host
        self.peer = destination
        self.way = None
        if self.gathering is not None:  # what is in the making goes there too, by measure
            self.gathering.destination, self.gathering.source = destination, source
        self.ports.rebind(self)

    def _disconnect(self) -> None:
        """An address and a port given to bind stay; others are given up."""
        self.peer = self.way = None
        if not self.port:
            return
        if not self.fixed_port:
            self.ports.unbind(self)
            self.port = 0
        if not self.fixed_host:
            self.host = anywhere(self.family)
        if self.port:
            self.ports.rebind(self)

    def getsockname(self) -> Address:
        """getsockname(2): port 0 while unbound."""
        return shown(self.host, self.port, self.family)

    def getpeername(self) -> Address:
        """getpeername(2): ENOTCONN also of who is connected to port 0."""
        if self.peer is None or not self.peer.port:
            fail(errno.ENOTCONN)
        return shown(self.peer.host, self.peer.port, self.family)

    # -- sending

    def send(self, data: Buffer, flags: int, done: int = 0) -> int | WouldBlock:
        """send(2): one datagram to the peer; never refuses.

        EDESTADDRREQ without a peer, EMSGSIZE (over 65507 bytes, IPv6 65527; on the
        network also over its MTU where IP_MTU_DISCOVER forbids pieces),
        ECONNREFUSED once if an earlier datagram met nobody, EPIPE (without
        SIGPIPE) when this half is shut, EOPNOTSUPP (MSG_OOB).
        """
        way = self.way
        if way is None or flags & UNUSUAL:
            return self._transmit(data, flags, self.peer)
        version, known, source, destination, receiver, extra, most = way
        size = len(data)
        if known is not self.peer or version != self.ports.version or size > most:
            return self._transmit(data, flags, self.peer)
        whole = data if type(data) is bytes else bytes(data)
        receiver.deliver((whole, source, destination, datagram_memory(size, extra)), self)
        return size

    def sendto(
        self, data: Buffer, flags: int, address: Address, process: Process, done: int = 0
    ) -> int | WouldBlock:
        """sendto(2): one datagram to ``address``, connected or not; never refuses.

        As send(2), EINVAL (port 0), EAFNOSUPPORT, ENETUNREACH, EACCES (needs SO_BROADCAST).
        """
        if not self.port:
            self.uid = process.uid
        way = self.way
        if way is None or flags & UNUSUAL:
            return self._transmit(data, flags, address)
        if way.address != address:
            way = self.ways.get(address)
        if way is None or way.version != self.ports.version or len(data) > way.most:
            return self._transmit(data, flags, address)
        whole = data if type(data) is bytes else bytes(data)
        memory = datagram_memory(len(whole), way.extra)
        way.receiver.deliver((whole, way.source, way.destination, memory), self)
        return len(whole)

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        """write(2) is send(2) without flags; no bytes are an empty datagram."""
        return self.send(data, 0)

    def _transmit(self, data: Buffer, flags: int, address: Address | None) -> int:
        """A send that has to look where to go.  The order of the checks is udp_sendmsg's."""
        self._autobind()
        if len(data) > LENGTH_MAX:
            fail(errno.EMSGSIZE)
        if flags & MSG_OOB:
            fail(errno.EOPNOTSUPP)
        former, way = self.gathering, self.way
        gathering = former or begin(self, data, address)
        self.way = self.gathering = None
        gathering.add(data, self)
        if flags & MSG_MORE or (self.udp is not None and self.udp.corked):
            self.gathering = gathering
            return len(data)
        receiver = self.ports.output(self, gathering.datagram())
        if former is None and receiver is not None and address is not None and not self.error:
            self.way = gathering.way(self.ports.version, address, receiver)
            self.ways = self.way.beside(way, self.ways)
        return len(data)

    def _push(self) -> None:
        """The datagram in the making goes out."""
        gathering, self.gathering = self.gathering, None
        if gathering is not None:
            self.ports.output(self, gathering.datagram())

    # -- receiving

    def deliver(self, datagram: Datagram, sender: UdpSocket | None) -> None:
        """A datagram has come: it is kept, or dropped for want of room (see Inbox).

        ``sender``: None if it comes from another host.
        """
        if sender is not None and sender._write_queue is not None:
            sender.sent()
        inbox = self.inbox
        held = inbox.held + datagram[3]
        if held > self.options.receive_limit and inbox.held:
            inbox.drops += 1
            return
        inbox.held = held
        if inbox.datagrams is NO_DATAGRAMS:
            inbox.datagrams = deque()
        inbox.datagrams.append(datagram)
        if sender is not None and self.kernel.wire is not None:
            self.kernel.wire(sender, self, len(datagram[0]))
        if self._read_queue is not None:
            self._read_queue.notify()

    def sent(self) -> None:
        """A datagram has left it (sock_wfree), which EPOLLET shows, and SIGIO does not."""
        if self._write_queue is not None and not self.flags & O_ASYNC:
            self._write_queue.notify()

    def refused(self, error: int) -> None:
        """What it sent has met nobody: the next call is told."""
        self.error = error
        self.way = None
        self.notify_all()

    def recv(self, size: int, flags: int) -> bytes | WouldBlock:
        """recv(2): the first datagram, cut to ``size`` bytes.

        Refuses while there is none.  ECONNREFUSED once if a datagram that was sent met nobody.
        With the receiving half shut a blocking call returns b"", another still fails with EAGAIN.
        """
        queue, inbox = self._read_queue, self.inbox
        barred = queue is not None and queue.barred
        if barred or flags or self.error or not inbox.datagrams:
            return self._recv_with_care(size, flags)
        data = inbox.take(self.options.receive_limit)[0]
        return data if len(data) <= size else data[:size]

    def _recv_with_care(self, size: int, flags: int) -> bytes | WouldBlock:
        if flags & MSG_TRUNC:
            raise Unsupported("asyncipc's recv cannot tell a datagram's real length (MSG_TRUNC)")
        if flags & MSG_ERRQUEUE:
            return take_mishap(self, size, None).data
        found = self._first(flags)
        if found is None:
            return b""
        return found if type(found) is WouldBlock else found[0][:size]

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): recv(2), but of no bytes at once."""
        return self.recv(size, 0) if size else b""

    def recvmsg(
        self, size: int, flags: int, room: ControlRoom | None = None
    ) -> Message | WouldBlock:
        """recvmsg(2): as recv(2), and the sender's address; MSG_TRUNC if it was longer."""
        if flags & MSG_ERRQUEUE:
            return take_mishap(self, size, room)
        found = self._first(flags)
        if found is None:
            return Message(b"", 0)
        if type(found) is WouldBlock:
            return found
        data, source = found[0], found[1]
        cut = MSG_TRUNC if len(data) > size else 0
        name = source if self.family == AF_INET else shown(source.host, source.port, self.family)
        return Message(data[:size], len(data), cut, name)

    def _first(self, flags: int) -> Datagram | WouldBlock | None:
        """The first datagram; None where a call returns nothing and waits for nothing."""
        if self.error:
            fail(self.take_error())
        queue = self._read_queue
        if not self.inbox.datagrams:
            patient = not (self.flags & O_NONBLOCK or flags & MSG_DONTWAIT)
            if self.shut & RCV_SHUTDOWN and patient:
                return None
            return self.read_queue().refusal
        if queue is not None and queue.barred:
            return queue.refusal
        if flags & MSG_PEEK:
            return self.inbox.first()
        return self.inbox.take(self.options.receive_limit)

    # -- shutdown and close

    def shutdown(self, how: int) -> None:
        """shutdown(2): ENOTCONN without a peer, and yet the halves are shut (inet_shutdown).

        What is shut stays so.  Datagrams still come in after SHUT_RD.
        """
        self.shut |= halves(how)
        self.way = None
        self.notify_all()
        if self.peer is None:
            fail(errno.ENOTCONN)

    def release(self) -> None:
        """What nobody will read, and what was not sent yet, is gone."""
        if self.port:
            self.ports.unbind(self)
        if self.udp is not None:
            self.udp.groups.leave_all()
        self.inbox.clear()
        self.way = self.gathering = None

    # -- readiness

    def poll(self) -> int:
        mask = WRITABLE | WRBAND
        if self.error or queue_of(self):
            mask |= ERR
        if self.inbox.datagrams:
            mask |= READABLE
        if self.shut & RCV_SHUTDOWN:
            mask |= RDHUP | READABLE
        if self.shut == BOTH_SHUTDOWN:
            mask |= HUP
        return mask

    def describe(self) -> str:
        return f"{super().describe()} (udp {self.host}:{self.port})"

    def wakers(self, mask: int) -> tuple[object, ...]:
        return (*self.ports.senders_to(self), *self.kernel.inet.anybody())

    def unread(self) -> int:
        """The length of the first datagram only."""
        return len(self.inbox.first()[0]) if self.inbox.datagrams else 0

    def unsent(self) -> int:
        """SIOCOUTQ: what has been sent has arrived."""
        return 0

    # -- options

    @property
    def v6only(self) -> bool:
        return self.udp is not None and self.udp.ip.v6only

    def turn(self, switch: int, on: bool) -> None:
        """Who shares a port may change who gets what."""
        super().turn(switch, on)
        self.ports.version += 1

    def memory(self) -> tuple[int, int]:
        """For SO_MEMINFO: what the receive buffer holds, and the drops."""
        return self.inbox.held, self.inbox.drops

    def own(self) -> UdpOptions:
        """Its own options of UDP and IP, to read or change."""
        if self.udp is None:
            self.udp = UdpOptions(self.kernel.inet, self.family, self.inbox)
        return self.udp

    def get_protocol_option(self, level: int, option: int) -> int | bytes:
        return self.own().get(level, option)

    def set_protocol_option(self, level: int, option: int, value: int | bytes) -> None:
        own = self.own()
        own.set(level, option, value, bound=self.port != 0)
        self.way = None
        if level == IPPROTO_UDP and not own.corked:
            self._push()
