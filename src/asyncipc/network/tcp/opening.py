"""The active end of a handshake: SYN-SENT, and SYN-RECEIVED if both opened at once.

The SYN is sent again as :mod:`asyncipc.kernel.tcp.direct` says: after 1, 1, 1, 1, 1,
2, 4, 8, 16, 32 seconds, given up 64 later.  After RFC 9293, 3.10.7.3.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.ip.address import is_ipv6
from asyncipc.kernel.tcp.direct import LINEAR_RETRIES
from asyncipc.kernel.tcp.options import TCP_MAXSEG, TCP_SYNCNT, TCP_USER_TIMEOUT, TCP_WINDOW_CLAMP
from asyncipc.kernel.tcp.states import State
from asyncipc.network.tcp.agreed import Agreed, announced_mss, offered_window
from asyncipc.network.tcp.arrival import arrive
from asyncipc.network.tcp.emission import send_plain
from asyncipc.network.tcp.estimator import MILLISECOND, RTO_START
from asyncipc.network.tcp.numbers import MASK
from asyncipc.network.tcp.segment import ACK, RST, SYN, Options, Segment

if TYPE_CHECKING:
    from asyncipc.network.tcp.transport import SegmentTransport

ANSWER_RETRIES: Final = 5
"""net.ipv4.tcp_synack_retries"""


@final
class Opening:
    """``isn``: own.  ``peer``: the peer's SYN, once it has come without an acknowledgement."""

    __slots__ = ("_began_ns", "_transport", "due_ns", "isn", "mss", "peer", "retries", "scale",
                 "window")  # fmt: skip

    def __init__(self, transport: SegmentTransport) -> None:
        socket, connections = transport.socket, transport.connections
        assert socket.remote is not None
        host = socket.remote.host
        self._transport = transport
        self._began_ns = transport.timers.now()
        self.isn = connections.isn(socket.local, socket.remote)
        self.mss = announced_mss(
            connections.mtu(socket.remote), v6=is_ipv6(host), chosen=socket.tcp.value(TCP_MAXSEG)
        )
        self.window, self.scale = offered_window(
            socket.receive_limit, self.mss, socket.tcp.value(TCP_WINDOW_CLAMP)
        )
        self.peer: Segment | None = None
        self.retries = 0
        self.due_ns = 0

    # -- sending

    def send(self) -> None:
        """The SYN, or the SYN that also acknowledges the peer's."""
        transport, peer = self._transport, self.peer
        now = transport.timers.now()
        linear = LINEAR_RETRIES if peer is None else 0
        self.due_ns = now + (RTO_START << max(0, self.retries - linear))
        heard = None if peer is None else peer.options
        stamp = None
        if heard is None or heard.stamp is not None:
            echo = heard.stamp[0] if heard is not None and heard.stamp is not None else 0
            stamp = transport.stamp(now), echo
        scale = self.scale if heard is None or heard.window_scale is not None else None
        options = Options(self.mss, scale, heard is None or heard.may_sack, stamp)
        flags, ack = (SYN, 0) if peer is None else (SYN | ACK, peer.sequence + 1 & MASK)
        transport.schedule()
        send_plain(transport, self.isn, ack, flags, self.window, options=options)

    def expired(self, now: int) -> None:
        """Nobody has answered."""
        transport = self._transport
        socket = transport.socket
        self.retries += 1
        most = ANSWER_RETRIES
        if self.peer is None:
            most = socket.tcp.value(TCP_SYNCNT) + LINEAR_RETRIES
        limit = socket.tcp.value(TCP_USER_TIMEOUT) * MILLISECOND
        if self.retries > most or (limit and self.retries > 1 and now - self._began_ns >= limit):
            transport.fail(transport.soft_error or errno.ETIMEDOUT)
        else:
            transport.total_retries += 1
            self.send()

    # -- answers

    def arrived(self, segment: Segment) -> None:
        transport, flags = self._transport, segment.flags
        right = segment.ack == self.isn + 1 & MASK
        if flags & ACK and not right:
            if not flags & RST:
                send_plain(transport, segment.ack, 0, RST, 0)
        elif self.peer is not None:
            self._arrived_late(segment)
        elif flags & RST:
            if flags & ACK:
                transport.socket.peer_reset()
        elif flags & SYN and flags & ACK:
            self._complete(segment, segment.window)
            if not transport.over:
                transport.acknowledging.now = True
        elif flags & SYN:
            self.peer, self.retries = segment, 0
            transport.socket.state = State.SYN_RECV
            self.send()

    def _arrived_late(self, segment: Segment) -> None:
        """SYN-RECEIVED: both SYNs have crossed."""
        transport, peer, flags = self._transport, self.peer, segment.flags
        assert peer is not None
        following = peer.sequence + 1 & MASK
        if flags & SYN:
            if not flags & ACK:
                self.send()
            elif segment.sequence == peer.sequence:
                self._complete(peer, segment.window)
        elif segment.sequence - following & MASK > self.window:
            if not flags & RST:
                self.send()
        elif flags & RST:
            if segment.sequence == following:
                transport.socket.peer_reset()
        elif flags & ACK:
            scale = peer.options.window_scale or 0
            self._complete(peer, segment.window << scale)
            if not transport.over:
                arrive(transport, segment)

    def _complete(self, syn: Segment, window: int) -> None:
        """``syn``: the one with the peer's options."""
        transport, heard = self._transport, syn.options
        scaled = heard.window_scale is not None
        v6 = is_ipv6(transport.socket.local.host)
        now = transport.timers.now()
        agreed = Agreed(
            self.isn,
            syn.sequence,
            heard.mss or (1220 if v6 else 536),
            min(heard.window_scale or 0, 14),
            self.scale if scaled else 0,
            may_sack=heard.may_sack,
            stamps=heard.stamp is not None,
            recent=heard.stamp[0] if heard.stamp is not None else 0,
            window=window,
            rtt_ns=self._round_trip(syn, now),
            offered=self.window,
        )
        transport.adopt(agreed)
        transport.socket.established()

    def _round_trip(self, answer: Segment, now: int) -> int:
        """Of a SYN that was sent once; of others what the stamp tells that comes back."""
        if not self.retries:
            return max(now - self._began_ns, 1)
        stamp = answer.options.stamp
        if stamp is None or not answer.flags & ACK:
            return 0
        return ((self._transport.stamp(now) - stamp[1]) & MASK) * MILLISECOND
