"""The SYN queue: connections that other hosts ask a listener for, until their last ACK.

A *request* is all that is kept of a SYN: no socket, no port.  It is answered with a
SYN-ACK, again after 1, 2, 4, 8 and 16 seconds, and forgotten 32 seconds later
(net.ipv4.tcp_synack_retries 5, or TCP_SYNCNT).  After reqsk_timer_handler, tcp_check_req
and tcp_conn_request (net/ipv4):

* A SYN is dropped while the listener's backlog is full, and while the queue is: it
  has room for one more than the backlog (measured, 6.18), and for three quarters
  of net.ipv4.tcp_max_syn_backlog.  The client sends it again.
* The last ACK is dropped while the backlog is full.  The client believes that it is
  connected; the next SYN-ACK makes it say so again.
* With TCP_DEFER_ACCEPT an ACK without data is dropped as well, and the SYN-ACK not sent
  again before the time is over.
* A queue that is more than half full forgets its older requests earlier.
* RST, or another SYN inside the window, ends a request; an ACK of something else is
  the listener's to answer.

Not modelled: SYN cookies (as with net.ipv4.tcp_syncookies 0) and TCP Fast Open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias, final

from asyncipc.kernel.ip.address import is_ipv6
from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.sockets.options import SECOND
from asyncipc.kernel.tcp.listener import child_of, complete
from asyncipc.kernel.tcp.options import (
    TCP_DEFER_ACCEPT,
    TCP_MAXSEG,
    TCP_SYNCNT,
    TCP_WINDOW_CLAMP,
)
from asyncipc.network.tcp.agreed import STAMPS_SIZE, Agreed, announced_mss, offered_window
from asyncipc.network.tcp.numbers import HALF, MASK, is_older
from asyncipc.network.tcp.segment import ACK, NO_OPTIONS, RST, SYN, Options, Segment

if TYPE_CHECKING:
    from asyncipc.kernel.tcp.socket import TcpSocket
    from asyncipc.kernel.timers import Timer
    from asyncipc.network.tcp.connections import Connections

Names: TypeAlias = tuple[InetAddress, InetAddress]
"""The local and the remote name of a connection."""

SYN_BACKLOG_MAX: Final = 2048
"""net.ipv4.tcp_max_syn_backlog, which grows with memory (here: of 4 GiB)."""
SYNACK_RETRIES: Final = 5
YOUNG_QUEUE: Final = 8
BACKOFF_MAX_NS: Final = 120 * SECOND
QUIET_NS: Final = SECOND // 2
"""Answers to what is out of place are no more frequent (net.ipv4.tcp_invalid_ratelimit)."""
MSS_DEFAULT4: Final = 536
MSS_DEFAULT6: Final = 1220
"""Of a peer that announces none (RFC 9293, 3.7.1)."""
SCALE_MAX: Final = 14
"""More is taken for that (RFC 7323, 2.3)."""


def deferral(seconds: int) -> int:
    """TCP_DEFER_ACCEPT in time-outs of a SYN-ACK (secs_to_retrans)."""
    total = step = count = 0
    while total < seconds:
        step = min(step * 2 or 1, BACKOFF_MAX_NS // SECOND)
        total += step
        count += 1
    return count


@final
class Requests:
    """The queue of one listener.  ``young``: how many have been answered only once."""

    __slots__ = ("_all", "connections", "listening", "young")

    def __init__(self, listening: TcpSocket, connections: Connections) -> None:
        self.listening = listening
        self.connections = connections
        self.young = 0
        self._all: dict[Names, Request] = {}

    # -- what the listener asks (kernel/tcp/listener)

    def names(self) -> Sequence[Names]:
        return tuple(self._all)

    def forget(self) -> None:
        for request in list(self._all.values()):
            self.drop(request)

    # -- a SYN

    def take(self, syn: Segment, isn: int | None) -> None:
        """A SYN has come: answer it, or drop it.  ``isn``: it takes over names in TIME-WAIT,
        and so has proven that it is there.
        """
        listener = self.listening.listener
        assert listener is not None
        if listener.backlog.is_full or (isn is None and self._is_full(listener.backlog.limit)):
            return
        request = Request(self, syn, isn)
        self._all[request.names] = request
        self.young += 1
        self.connections.remember(request)
        request.wait()
        request.answer()

    def _is_full(self, backlog: int) -> bool:
        count = len(self._all)
        return count > backlog or SYN_BACKLOG_MAX - count < SYN_BACKLOG_MAX // 4

    # -- their end

    def drop(self, request: Request) -> None:
        """It is over, or has become a connection."""
        del self._all[request.names]
        self.young -= not request.timeouts
        request.cancel()
        self.connections.drop(request)

    def retries(self) -> int:
        """How often a SYN-ACK is sent again: less often if most of a crowded queue is old."""
        chosen = self.listening.tcp.chosen(TCP_SYNCNT) or SYNACK_RETRIES
        listener = self.listening.listener
        assert listener is not None
        count, young = len(self._all), self.young * 2
        if count * 2 > max(YOUNG_QUEUE, listener.backlog.limit):
            while chosen > 2 and count >= young:
                chosen -= 1
                young *= 2
        return chosen


@final
class Request:
    """``offer``: the options of its SYN.  ``recent``: the last TSval that came.
    ``mss``, ``window``: what its answer offers.  ``acknowledged``: the last ACK has come, but
    there was no room, or no data.
    """

    __slots__ = (
        "_answered", "_base", "_quiet_until_ns", "_requests", "_scale", "_sent_ns", "_timer",
        "acknowledged", "mss", "names", "offer", "own_isn", "peer_isn", "recent", "timeouts",
        "window",
    )  # fmt: skip

    def __init__(self, requests: Requests, syn: Segment, isn: int | None) -> None:
        connections = requests.connections
        self._requests = requests
        self.names: Names = (syn.target, syn.source)
        self.offer = syn.options
        self.peer_isn = syn.sequence
        self.own_isn = connections.isn(*self.names) if isn is None else isn
        self._base = connections.stamp_base(*self.names)
        self.recent = 0 if syn.options.stamp is None else syn.options.stamp[0]
        listening, options = requests.listening, requests.listening.tcp
        mtu, v6 = connections.mtu(syn.source), is_ipv6(syn.target.host)
        self.mss = announced_mss(mtu, v6=v6, chosen=options.value(TCP_MAXSEG))
        unit = self.mss - (0 if syn.options.stamp is None else STAMPS_SIZE)
        self.window, self._scale = offered_window(
            listening.receive_limit, unit, options.value(TCP_WINDOW_CLAMP)
        )
        self.timeouts = 0
        self.acknowledged = False
        self._answered = 0
        self._sent_ns = 0
        self._quiet_until_ns = 0
        self._timer: Timer | None = None

    # -- its time

    def forget(self) -> None:
        self._requests.drop(self)

    def wait(self) -> None:
        """For the last ACK, until the SYN-ACK is to be sent again."""
        self.cancel()
        connections = self._requests.connections
        delay = min(SECOND << self.timeouts, BACKOFF_MAX_NS)
        self._timer = connections.timers.arm(connections.now() + delay, self._time_out)

    def cancel(self) -> None:
        if self._timer is not None:
            self._requests.connections.timers.cancel(self._timer)
            self._timer = None

    def _time_out(self) -> None:
        self._timer = None
        rounds = deferral(self._requests.listening.tcp.value(TCP_DEFER_ACCEPT))
        waits_for_data = self.acknowledged and self.timeouts < rounds
        if self.timeouts >= self._requests.retries() and not waits_for_data:
            self._requests.drop(self)
            return
        again = not (rounds and self.acknowledged) or self.timeouts >= rounds - 1
        self._requests.young -= not self.timeouts
        self.timeouts += 1
        self.wait()
        if again:
            self.answer()

    # -- what it sends

    def answer(self) -> None:
        """The SYN-ACK."""
        self._answered += 1
        self._sent_ns = self._requests.connections.now()
        offer = self.offer
        options = Options(
            mss=self.mss,
            window_scale=None if offer.window_scale is None else self._scale,
            may_sack=offer.may_sack,
            stamp=self._stamp(),
        )
        self._send(SYN | ACK, self.own_isn, self.window, options)

    def _acknowledge(self) -> None:
        """What came is out of place: say what is in place."""
        stamp = self._stamp()
        options = NO_OPTIONS if stamp is None else Options(stamp=stamp)
        shift = 0 if self.offer.window_scale is None else self._scale
        self._send(ACK, self.own_isn + 1, self.window >> shift, options)

    def _send(self, flags: int, number: int, window: int, options: Options) -> None:
        local, remote = self.names
        ack = (self.peer_isn + 1) & MASK
        self._requests.connections.output(
            Segment(local, remote, number & MASK, ack, flags, window, options=options)
        )

    def _stamp(self) -> tuple[int, int] | None:
        if self.offer.stamp is None:
            return None
        return (self._requests.connections.milliseconds() + self._base) & MASK, self.recent

    # -- what comes

    def input(self, segment: Segment) -> bool:
        """A segment of its names (tcp_check_req).  False if it is the listener's to answer."""
        flags, first = segment.flags, (self.peer_isn + 1) & MASK
        stamp = None if self.offer.stamp is None else segment.options.stamp
        stale = stamp is not None and is_older(stamp[0], self.recent)
        if flags & (SYN | RST | ACK) == SYN and segment.sequence == self.peer_isn and not stale:
            if self._may_answer(segment):
                self.wait()
                self.answer()
            return True
        if flags & ACK and segment.ack != (self.own_isn + 1) & MASK:
            return False
        if stale or not self._is_in_window(segment, first):
            if not flags & RST and self._may_answer(segment):
                self._acknowledge()
            return True
        if stamp is not None and not is_older(first, segment.sequence):
            self.recent = stamp[0]
        if flags & (RST | SYN) and segment.sequence != self.peer_isn:
            self._requests.drop(self)
            self._requests.connections.refuse(segment)
        elif flags & ACK:
            self._complete(segment)
        return True

    def _is_in_window(self, segment: Segment, first: int) -> bool:
        """tcp_in_window"""
        begin = (segment.sequence - first) & MASK
        end = (begin + segment.span) & MASK
        return not begin or (0 < end < HALF and begin < self.window) or begin == end == self.window

    def _may_answer(self, segment: Segment) -> bool:
        """tcp_oow_rate_limited: data and FIN are always answered."""
        now = self._requests.connections.now()
        if segment.span and not segment.flags & SYN:
            return True
        if now < self._quiet_until_ns:
            return False
        self._quiet_until_ns = now + QUIET_NS
        return True

    def _complete(self, segment: Segment) -> None:
        """The last ACK: make the connection, if it may be accepted."""
        requests = self._requests
        listening = requests.listening
        assert listening.listener is not None
        defers = self.timeouts < deferral(listening.tcp.value(TCP_DEFER_ACCEPT))
        if (defers and not segment.span) or listening.listener.backlog.is_full:
            self.acknowledged = True
            return
        agreed = self._agreed(segment)
        requests.drop(self)
        child = child_of(listening, *self.names)
        transport = requests.connections.open(child)
        child.transport, child.parent = transport, listening
        transport.adopt(agreed)
        complete(child)
        transport.input(segment)

    def _agreed(self, segment: Segment) -> Agreed:
        offer = self.offer
        scaled = offer.window_scale is not None
        scale = min(offer.window_scale or 0, SCALE_MAX)
        mss = offer.mss or (MSS_DEFAULT6 if is_ipv6(self.names[0].host) else MSS_DEFAULT4)
        now = self._requests.connections.now()
        return Agreed(
            self.own_isn,
            self.peer_isn,
            min(mss, self._requests.listening.tcp.value(TCP_MAXSEG) or mss),
            send_scale=scale,
            receive_scale=self._scale if scaled else 0,
            may_sack=offer.may_sack,
            stamps=offer.stamp is not None,
            recent=self.recent,
            window=segment.window << scale,
            rtt_ns=max(now - self._sent_ns, 1) if self._answered == 1 else 0,
            offered=self.window,
        )
