"""Patience: when to ask again, and when to give the peer up.

Three deadlines, of which a connection has one or two at a time: retransmission
(something is under way), the zero-window probe (something waits, nothing is under
way), keepalive.  After tcp_timer.c: tcp_retries2 is 15, which is 924.6 seconds
from the first transmission on; 8 for who has no program any more; TCP_USER_TIMEOUT
replaces both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.sockets.options import SECOND, SO_KEEPALIVE
from asyncipc.kernel.tcp.options import (
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_USER_TIMEOUT,
)
from asyncipc.network.tcp.emission import send_now, transmit
from asyncipc.network.tcp.estimator import MILLISECOND, RTO_MAX, RTO_MIN
from asyncipc.network.tcp.segment import ACK

if TYPE_CHECKING:
    from asyncipc.network.tcp.transport import SegmentTransport

RETRIES: Final = 15
"""net.ipv4.tcp_retries2"""
ORPHAN_RETRIES: Final = 8
"""What net.ipv4.tcp_orphan_retries 0 means."""
LINEAR_FROM: Final = 9
"""From here on a time-out that began with RTO_MIN is RTO_MAX (ilog2(600))."""


def patience(retries: int) -> int:
    """How long so many retries take if the first is after RTO_MIN (tcp_model_timeout)."""
    doubled = min(retries, LINEAR_FROM)
    return ((2 << doubled) - 1) * RTO_MIN + (retries - doubled) * RTO_MAX


@final
class Probes:
    """``retries``: of what is under way, since anything was acknowledged; ``since_ns``: when that
    was sent first.  ``count``: probes that were not answered; ``backoff``: of the window's.
    """

    __slots__ = (
        "_asked_ns", "_transport", "backoff", "count", "keepalive_ns", "probe_ns",
        "retransmit_ns", "retries", "since_ns",
    )  # fmt: skip

    def __init__(self, transport: SegmentTransport) -> None:
        self._transport = transport
        self.retransmit_ns = self.probe_ns = self.keepalive_ns = 0
        self.retries = self.since_ns = 0
        self.count = self.backoff = 0
        self._asked_ns = 0

    @property
    def due_ns(self) -> int:
        """The first of them, 0: none."""
        first = self.retransmit_ns or self.probe_ns
        if self.keepalive_ns and (not first or self.keepalive_ns < first):
            return self.keepalive_ns
        return first

    def _limit(self) -> int:
        return self._transport.socket.tcp.value(TCP_USER_TIMEOUT) * MILLISECOND

    # -- what happens meanwhile

    def advanced(self, now: int) -> None:
        """Something new was acknowledged."""
        transport = self._transport
        self.retries = self.since_ns = 0
        under_way = transport.sender.board.out > 0
        self.retransmit_ns = now + transport.estimator.timeout if under_way else 0

    def answered(self, *, moved: bool, usable: bool) -> None:
        """An acknowledgement has come, whatever it says."""
        self.count = 0
        if moved and usable:
            self.backoff = 0
            self.probe_ns = self._asked_ns = 0

    def sent(self, now: int) -> None:
        """Something that must be acknowledged went out."""
        self.probe_ns = self._asked_ns = self.backoff = 0
        if not self.retransmit_ns:
            self.retransmit_ns = now + self._transport.estimator.timeout

    def sent_again(self, now: int) -> None:
        """The oldest was found lost and has gone out again: its answer needs its time
        (tcp_xmit_retransmit_queue).
        """
        self.retransmit_ns = now + self._transport.estimator.timeout

    def settle(self, now: int) -> None:
        """All has gone out that may: does something wait that only the window holds back?"""
        sender = self._transport.sender
        if sender.board.out or sender.is_done:
            self.probe_ns = 0
        elif not self.probe_ns:
            self.probe_ns = now + self._probe_interval()

    def _probe_interval(self) -> int:
        return min(max(self._transport.estimator.timeout, RTO_MIN) << self.backoff, RTO_MAX)

    def start_keepalive(self, since_ns: int) -> None:
        """The connection stands, or SO_KEEPALIVE was switched, or its times have changed."""
        socket = self._transport.socket
        self.keepalive_ns = 0
        if socket.options.is_on(SO_KEEPALIVE):
            self.keepalive_ns = since_ns + socket.tcp.value(TCP_KEEPIDLE) * SECOND

    # -- what is due

    def expired(self, now: int) -> None:
        if self.retransmit_ns and now >= self.retransmit_ns:
            self._retransmit(now)
        elif self.probe_ns and now >= self.probe_ns:
            self._probe(now)
        if not self._transport.over and self.keepalive_ns and now >= self.keepalive_ns:
            self._keep_alive(now)

    def _retransmit(self, now: int) -> None:
        """tcp_retransmit_timer: all is lost; the first goes out again."""
        transport = self._transport
        sender, estimator = transport.sender, transport.estimator
        self.retransmit_ns = 0
        if self.retries and self._is_hopeless(now):
            transport.give_up()
            return
        if not self.since_ns:
            self.since_ns = sender.board.entries[0].sent_ns
        self.retries += 1
        sender.recovery.timed_out(sender.next, again=self.retries > 1)
        estimator.back_off()
        self.retransmit_ns = now + estimator.timeout
        limit = self._limit()
        if limit:
            left = max(self.since_ns + limit - now, MILLISECOND)
            self.retransmit_ns = min(self.retransmit_ns, now + left)

    def _is_hopeless(self, now: int) -> bool:
        orphan = self._transport.socket.orphan
        limit = self._limit() or patience(ORPHAN_RETRIES if orphan else RETRIES)
        return now - self.since_ns >= limit

    def _probe(self, now: int) -> None:
        """tcp_probe_timer: the peer has no room; as long as it says so, that is no error."""
        transport, limit = self._transport, self._limit()
        orphan = transport.socket.orphan
        if not self._asked_ns:
            self._asked_ns = now
        elif limit and now - self._asked_ns >= limit:
            transport.give_up()
            return
        if orphan and self.backoff >= ORPHAN_RETRIES and self._probe_interval() >= RTO_MAX:
            transport.give_up()
            return
        if self.count >= (ORPHAN_RETRIES if orphan else RETRIES):
            transport.give_up()
            return
        self.count += 1
        self.backoff = min(self.backoff + 1, RETRIES)
        interval = self._probe_interval()
        if limit:
            interval = min(interval, max(self._asked_ns + limit - now, MILLISECOND))
        self.probe_ns = now + interval
        self._wake_peer(now)

    def _keep_alive(self, now: int) -> None:
        """tcp_keepalive_timer."""
        transport = self._transport
        socket, sender = transport.socket, transport.sender
        idle = socket.tcp.value(TCP_KEEPIDLE) * SECOND
        quiet = now - transport.heard_ns
        if not sender.is_done:  # the other deadlines see to it
            self.keepalive_ns = now + idle
            return
        if quiet < idle:
            self.keepalive_ns = now + idle - quiet
            return
        limit = self._limit()
        if (
            (quiet >= limit and self.count)
            if limit
            else self.count >= socket.tcp.value(TCP_KEEPCNT)
        ):
            transport.give_up(tell=True)
            return
        self.count += 1
        self.keepalive_ns = now + socket.tcp.value(TCP_KEEPINTVL) * SECOND
        self._wake_peer(now)

    def _wake_peer(self, now: int) -> None:
        """What has room, or else something that the peer must answer: an old number."""
        transport = self._transport
        sent = transport.sender.probe(now)
        if sent is not None:
            transmit(transport, sent, now)
        else:
            send_now(transport, transport.sender.una - 1, ACK)
