"""Who a segment is for: the connections of one host, its listeners, and what is left of others.

In the order of RFC 9293, 3.10.7, and tcp_v4_rcv: a connection of these names; one
that is in TIME-WAIT; a request at a listener; a listener; nobody.  To nobody's
segments the answer is RST (3.10.7.1), so a host that was started anew resets its
predecessor's connections without knowing of them.
"""

from __future__ import annotations

import errno
from functools import cached_property
from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.network.packet import Packet
from asyncipc.network.tcp.agreed import Left
from asyncipc.network.tcp.numbers import MASK
from asyncipc.network.tcp.requests import QUIET_NS, Names, Request, Requests
from asyncipc.network.tcp.secret import Secret
from asyncipc.network.tcp.segment import ACK, FIN, RST, SYN, Segment
from asyncipc.network.tcp.time_wait import Fate, fate, last_ack, remember, successor
from asyncipc.network.tcp.transport import SegmentTransport

if TYPE_CHECKING:
    from asyncipc.kernel.sockets.address import InetAddress
    from asyncipc.kernel.tcp.ports import TimeWait
    from asyncipc.kernel.timers import Timers
    from asyncipc.network.internet.stack import Stack

MILLISECOND: Final = 1_000_000
NOT_THERE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH})
"""What ends a request (tcp_req_err)."""


def refusal(segment: Segment) -> Segment | None:
    """The RST that answers a segment, but a RST (RFC 9293, 3.10.7.1)."""
    if segment.flags & RST:
        return None
    if segment.flags & ACK:
        return Segment(segment.target, segment.source, segment.ack, 0, RST, 0)
    end = (segment.sequence + segment.span) & MASK
    return Segment(segment.target, segment.source, 0, end, RST | ACK, 0)


@final
class Connections:
    """Of one host.  ``_left``: what TIME-WAIT knows, as long as the kernel keeps its
    names; ``_quiet``: until when a connection in it is not to answer.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._live: dict[Names, SegmentTransport] = {}
        self._requests: dict[Names, Request] = {}
        self._left: dict[Names, Left] = {}
        self._quiet: dict[Names, int] = {}
        stack.kernel.inet.tcp.wait_over = self._wait_over

    def __len__(self) -> int:
        """How many connections and requests there are, those in TIME-WAIT not counted."""
        return len(self._live) + len(self._requests)

    # -- what comes

    def input(self, packet: Packet) -> None:
        """A packet with a segment has arrived."""
        segment = packet.body
        assert isinstance(segment, Segment)
        names = segment.target, segment.source
        transport = self._live.get(names)
        if transport is not None and transport.socket.orphan:
            self._stack.kernel.inet.tcp.sweep(self.now())  # perhaps for too long
            transport = self._live.get(names)
        if transport is not None:
            transport.input(segment)
        else:
            self._not_connected(segment, names)

    def _not_connected(self, segment: Segment, names: Names) -> None:
        waiting = self._stack.kernel.inet.tcp.waiting(*names, self.now())
        left = self._left.get(names)
        if waiting is not None and left is not None:
            self._to_time_wait(segment, waiting, left)
            return
        request = self._requests.get(names)
        if request is None or not request.input(segment):
            self._to_listener(segment)

    def _to_listener(self, segment: Segment, isn: int | None = None) -> None:
        """tcp_rcv_state_process, in LISTEN; and for nobody."""
        listening = self._listening(segment)
        if listening is None or segment.flags & ACK:
            self.refuse(segment)
        elif segment.flags & (SYN | FIN | RST) == SYN:
            self._queue(listening).take(segment, isn)

    def _listening(self, segment: Segment) -> TcpSocket | None:
        found = self._stack.kernel.inet.tcp.listener(segment.target, segment.source)
        return found if isinstance(found, TcpSocket) and found.listener is not None else None

    def _queue(self, listening: TcpSocket) -> Requests:
        """The listener's handshakes; the first SYN makes the queue."""
        listener = listening.listener
        assert listener is not None
        queue = listener.handshakes
        if queue is None:
            queue = listener.handshakes = Requests(listening, self)
        assert isinstance(queue, Requests)
        return queue

    def _to_time_wait(self, segment: Segment, waiting: TimeWait, left: Left) -> None:
        names, now = (segment.target, segment.source), self.now()
        what = fate(left, segment)
        if what is Fate.TAKEN_OVER and self._listening(segment) is None:
            what = Fate.ACKNOWLEDGED
        if what is Fate.TAKEN_OVER or what is Fate.OVER:
            waiting.expire()
            if what is Fate.TAKEN_OVER:
                self._to_listener(segment, successor(left))
            return
        if Fate.AGAIN in what:
            self._left[names] = remember(left, segment)
            self._stack.kernel.inet.tcp.wait_again(waiting, now)
        lost = segment.span > 0 and not segment.flags & SYN  # our last ACK, perhaps
        if Fate.ACKNOWLEDGED in what and (lost or now >= self._quiet.get(names, 0)):
            self._quiet[names] = now + QUIET_NS
            self.output(last_ack(left, segment, self.milliseconds()))

    def unreachable(
        self, local: InetAddress, remote: InetAddress, error: int, *, hard: bool
    ) -> None:
        """An ICMP message tells that a segment has not arrived (tcp_v4_err).

        Before the handshake is over, the connection fails with it; later it is only
        told if nothing else is ever heard (``hard`` or not: RFC 5927).  A request
        goes without a word.
        """
        names = local, remote
        transport, request = self._live.get(names), self._requests.get(names)
        if transport is not None:
            transport.unreachable(error, hard=hard)
        elif request is not None and error in NOT_THERE:
            request.forget()

    def too_big(self, segment: Segment, mtu: int) -> None:
        """The way of a segment that was sent has become too narrow for it."""
        transport = self._live.get((segment.source, segment.target))
        if transport is not None:
            transport.lower_mtu(mtu)

    # -- what goes

    def output(self, segment: Segment) -> None:
        """Send it.  The answer may come inside the call."""
        self._stack.output(Packet(segment.source.host, segment.target.host, segment, whole=True))

    def refuse(self, segment: Segment) -> None:
        """Nobody is there for it."""
        answer = refusal(segment)
        if answer is not None:
            self.output(answer)

    # -- what transports and requests ask

    def open(self, socket: TcpSocket) -> SegmentTransport:
        """A transport for ``socket``, whose names are set; it has yet to connect."""
        assert socket.remote is not None
        transport = SegmentTransport(socket, self)
        self._live[socket.local, socket.remote] = transport
        return transport

    def forget(self, transport: SegmentTransport) -> None:
        """It is over.  Saying so twice is saying it once."""
        if self._live.get(transport.names) is transport:
            del self._live[transport.names]

    def time_wait(self, transport: SegmentTransport, left: Left) -> None:
        """Both FINs are acknowledged: what the last ACK said."""
        self._left[transport.names] = left._replace(
            send_next=left.send_next & MASK, receive_next=left.receive_next & MASK
        )
        self.forget(transport)

    def _wait_over(self, waiting: TimeWait) -> None:
        assert waiting.remote is not None
        names = waiting.local, waiting.remote
        self._left.pop(names, None)
        self._quiet.pop(names, None)

    def remember(self, request: Request) -> None:
        self._requests[request.names] = request

    def drop(self, request: Request) -> None:
        del self._requests[request.names]

    @cached_property
    def _secret(self) -> Secret:
        return Secret(self._stack.die)

    @property
    def timers(self) -> Timers:
        return self._stack.kernel.timers

    def now(self) -> int:
        return self._stack.kernel.timers.now()

    def milliseconds(self) -> int:
        return self.now() // MILLISECOND

    def isn(self, local: InetAddress, remote: InetAddress) -> int:
        """Where the numbers of a connection begin that begins now."""
        return self._secret.isn(local, remote, self.now())

    def stamp_base(self, local: InetAddress, remote: InetAddress) -> int:
        return self._secret.stamp_base(local, remote)

    def mtu(self, remote: InetAddress) -> int:
        """The greatest packet of the way, with IP's head."""
        fabric, own = self._stack.fabric, self._stack.mtu
        station = fabric.stations.get(remote.host)
        if station is None:
            return own
        return min(own, fabric.link(self._stack.name, station.name).conditions.mtu)

    # -- the end of the host

    def power_off(self) -> None:
        """Let go of everything, without a word to anybody: no timer stays armed."""
        for transport in list(self._live.values()):
            socket = transport.socket
            transport.forget()
            if socket.cork is not None:
                socket.cork.take_all()
            socket.transport = socket.outlet = None
        for request in list(self._requests.values()):
            request.forget()
        self._live.clear()
        self._left.clear()
        self._quiet.clear()
