"""The segment transport: one end of a TCP connection between two hosts.

It is the sum of its parts: ``opening`` (the handshake), ``arrival`` (what a segment
means), ``sender`` and ``receiver`` (the two halves), ``recovery``, ``congestion``,
``estimator`` (loss and time), ``acknowledging``, ``probes`` (deadlines).  Here are the
verbs that the socket calls; segments go out in ``emission``.

* A segment goes out when all is settled, since the answer may come inside the call.
  Whoever comes in while another is at it leaves the sending to that one (``_busy``).
* One timer serves all deadlines.  One that moves on leaves it as it is: it looks again
  when it fires.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.buffers import Buffer, as_bytes, part_of
from asyncipc.kernel.ip.address import is_ipv6
from asyncipc.kernel.ip.outside import FarEnd
from asyncipc.kernel.tcp.options import (
    TCP_MAXSEG,
    TCP_NODELAY,
    TCP_WINDOW_CLAMP,
)
from asyncipc.kernel.tcp.send import push_on_arrival
from asyncipc.kernel.tcp.settings import SEGMENT_UNCONNECTED
from asyncipc.network.tcp.acknowledging import Acknowledging
from asyncipc.network.tcp.agreed import STAMPS_SIZE, Agreed, Left, announced_mss, offered_window
from asyncipc.network.tcp.arrival import arrive
from asyncipc.network.tcp.buffering import Buffering
from asyncipc.network.tcp.changes import heed
from asyncipc.network.tcp.congestion import congestion
from asyncipc.network.tcp.emission import send_one, send_plain
from asyncipc.network.tcp.estimator import MILLISECOND, Estimator
from asyncipc.network.tcp.information import information
from asyncipc.network.tcp.numbers import MASK
from asyncipc.network.tcp.opening import Opening
from asyncipc.network.tcp.probes import Probes
from asyncipc.network.tcp.receiver import Receiver
from asyncipc.network.tcp.segment import ACK, RST, Segment
from asyncipc.network.tcp.sender import Sender
from asyncipc.network.tcp.urgency import deliver_urgent

if TYPE_CHECKING:
    from asyncipc.kernel.tcp.socket import TcpSocket
    from asyncipc.kernel.timers import Timer
    from asyncipc.network.tcp.connections import Connections

URGENT_FAR: Final = 0xFFFF


@final
class SegmentTransport:
    """``opening``: the handshake, until it is over; ``sender``, ``receiver`` and what goes
    with them are there from then on.  ``deaf``: data that comes draws a reset.
    ``recent``: the last TSval that came.  ``over``: nothing more comes or goes.
    ``heard_ns``, ``answered_ns``: when a segment came last, and when one that was not valid
    was answered last.
    """

    __slots__ = (
        "_base", "_busy", "_far", "_finishes_early", "_first", "_timer", "acknowledging",
        "answered_ns", "buffering", "bytes_retried", "connections", "data_segments_in",
        "data_segments_out", "deaf", "delivered", "estimator", "has_read", "heard_ns", "is_open",
        "names", "opening", "over", "probes", "receiver", "recent", "segment_max", "segments_in",
        "segments_out", "send_scale", "sender", "sent_ns", "socket", "soft_error", "stamps",
        "timers", "total_retries",
    )  # fmt: skip

    sender: Sender
    receiver: Receiver

    def __init__(self, socket: TcpSocket, connections: Connections) -> None:
        assert socket.remote is not None
        self.socket = socket
        self.connections = connections
        self.timers = socket.kernel.timers
        self.names = socket.local, socket.remote
        self.segment_max = socket.tcp.value(TCP_MAXSEG) or SEGMENT_UNCONNECTED
        self.estimator = Estimator()
        self.acknowledging = Acknowledging()
        self.probes = Probes(self)
        self.buffering = Buffering(self)
        self.opening: Opening | None = None
        self.is_open = self.deaf = self.over = self.stamps = False
        self.recent = self.send_scale = 0
        self.soft_error = 0
        self.heard_ns = self.answered_ns = self.sent_ns = 0
        self.total_retries = self.bytes_retried = self.delivered = 0
        self.segments_in = self.segments_out = 0
        self.data_segments_in = self.data_segments_out = 0
        self._base = connections.stamp_base(*self.names)
        self._far = FarEnd(f"{socket.remote.host}:{socket.remote.port}")
        self._first = False
        self._finishes_early = False
        self._busy = self.has_read = False
        self._timer: Timer | None = None

    # -- the handshake

    def connect(self) -> None:
        self.opening = Opening(self)
        self.opening.send()

    def adopt(self, agreed: Agreed) -> None:
        """The handshake is over: this is what came of it."""
        now, socket = self.timers.now(), self.socket
        local, remote = self.names
        self.opening = None
        self.stamps, self.recent, self.send_scale = agreed.stamps, agreed.recent, agreed.send_scale
        chosen = socket.tcp.value(TCP_MAXSEG)
        own = announced_mss(self.connections.mtu(remote), v6=is_ipv6(local.host), chosen=chosen)
        mss = min(agreed.mss, own) - STAMPS_SIZE * agreed.stamps
        self.segment_max = mss
        self.sender = Sender(agreed, mss, congestion(socket.tcp.congestion))
        self.sender.prompt = bool(socket.tcp.value(TCP_NODELAY))
        clamp = socket.tcp.value(TCP_WINDOW_CLAMP)
        offered = agreed.offered or offered_window(socket.receive_limit, mss, clamp)[0]
        self.receiver = Receiver(agreed, offered, mss)
        if agreed.rtt_ns:
            self.estimator.sample(agreed.rtt_ns, self.sender.una, self.sender.next)
        else:
            self.estimator.measured_nothing()
        self.buffering.start(now)
        self.is_open = True
        self.heard_ns = now
        self.probes.start_keepalive(now)
        if self._finishes_early:
            self.sender.finishing = True
        self.schedule()

    # -- what comes

    def input(self, segment: Segment) -> None:
        """A segment of these names has arrived."""
        if self.over:
            return
        was_busy, self._busy = self._busy, True
        self.segments_in += segment.count
        try:
            if self.opening is not None:
                self.opening.arrived(segment)
            else:
                arrive(self, segment)
            if self.socket.cork is not None and not self.over:
                push_on_arrival(self.socket)
        finally:
            self._busy = was_busy
        self.flush()

    def deliver(self, ready: list[bytes | memoryview]) -> None:
        """Bytes in order, up to ``receiver.next``."""
        if self.receiver.urgent is not None:
            deliver_urgent(self, ready)
            return
        for chunk in ready:
            self.socket.deliver(chunk)

    def room_perhaps(self) -> None:
        """Something was acknowledged, or the window moved: who sleeps in send may go on."""
        if self.buffering.makes_room():
            self.socket.room_made()

    def window_is_kept(self) -> bool:
        """Has the program read as fast as data came?"""
        receiver, buffering = self.receiver, self.buffering
        window = receiver.would_offer(buffering.unread, buffering.full)
        return window >= receiver.edge - receiver.told

    # -- what goes

    def flush(self) -> None:
        """Send all that may go, unless somebody is at it."""
        if self._busy:
            return
        self._busy = True
        try:
            while send_one(self):
                pass
        finally:
            self._busy = False
        self.schedule()

    def stamp(self, now: int) -> int:
        """TSval: milliseconds, from a beginning of the connection's own."""
        return (now // MILLISECOND + self._base) & MASK

    # -- time

    def schedule(self) -> None:
        """Arm the timer for the first deadline; one that fires earlier looks again."""
        due = 0 if self.over else self._due()
        timer = self._timer
        if timer is not None:
            if due and timer.due_ns <= due:
                return
            self.timers.cancel(timer)
            self._timer = None
        if due:
            self._timer = self.timers.arm(due, self._fired)

    def _due(self) -> int:
        if self.opening is not None:
            return self.opening.due_ns
        probe, acknowledgement = self.probes.due_ns, self.acknowledging.due_ns
        return (
            min(probe, acknowledgement) if probe and acknowledgement else probe or acknowledgement
        )

    def _fired(self) -> None:
        self._timer = None
        now = self.timers.now()
        if self.opening is not None:
            if self.opening.due_ns <= now:
                self.opening.expired(now)
            self.schedule()
            return
        was_busy, self._busy = self._busy, True
        if 0 < self.acknowledging.due_ns <= now:
            self.acknowledging.waited(self.estimator.timeout)
        self.probes.expired(now)
        self._busy = was_busy
        self.flush()

    # -- what the socket asks

    def put(self, data: Buffer, done: int) -> int:
        size = self.buffering.room_for(len(data) - done)
        if size:
            if not self.sender.board.out:
                self._after_idleness()
            self.sender.waiting.put(part_of(data, done, done + size))
            self.flush()
        return size

    def _after_idleness(self) -> None:
        """RFC 2861 (net.ipv4.tcp_slow_start_after_idle)."""
        timeouts = (self.timers.now() - self.sent_ns) // self.estimator.timeout
        if timeouts and self.sent_ns:
            self.sender.congestion.restart(timeouts)

    def put_urgent(self, data: Buffer, done: int) -> int:
        size = self.buffering.room_for(len(data) - done)
        if size:
            sender = self.sender
            sender.waiting.put(part_of(as_bytes(data), done, done + size))
            if done + size == len(data):
                sender.urgent = sender.end
            self.flush()
        return size

    def taken(self) -> None:
        if self.over or self.receiver.finished:
            return
        self.buffering.has_read()
        if self._busy:
            self.has_read = True
            return
        self.look_after_reading()
        if self.acknowledging.now:
            self.flush()

    def look_after_reading(self) -> None:
        """tcp_cleanup_rbuf: what is owed, and a window that has doubled, are told."""
        receiver, buffering, unread = self.receiver, self.buffering, self.buffering.unread
        much = receiver.next - receiver.told > receiver.segment
        if self.acknowledging.after_reading(much=much, empty=not unread):
            self.acknowledging.now = True
            return
        window = receiver.edge - receiver.next
        if 2 * window <= buffering.full and not receiver.finished:
            wider = receiver.would_offer(unread, buffering.full)
            if wider and wider >= 2 * window:
                self.acknowledging.now = True

    def stop_receiving(self) -> None:
        self.deaf = True

    def finish(self, rest: bytes) -> None:
        self._first = not (self.is_open and self.receiver.finished)
        if not self.is_open:
            self._finishes_early = True
            return
        if rest:
            self.sender.waiting.put(rest)
        self.sender.finishing = True
        self.flush()

    def peer_finished(self) -> None:
        self.socket.peer_finished()

    def reset(self) -> None:
        if self.over:
            return
        self.forget()
        if self.is_open:
            send_plain(self, self.sender.next, self.receiver.next, RST | ACK, 0)
        elif self.opening is not None and self.opening.peer is not None:
            first = self.opening.peer.sequence + 1
            send_plain(self, self.opening.isn + 1, first, RST | ACK, 0)

    def forget(self) -> None:
        if self.over:
            return
        self.over = True
        self.schedule()
        if self._first and self.is_open and self.receiver.finished and self.sender.is_done:
            recent = self.recent if self.stamps else None
            window = (self.receiver.edge - self.receiver.next) >> self.receiver.scale
            left = Left(self.sender.next, self.receiver.next, window, recent, self._base)
            self.connections.time_wait(self, left)
        else:
            self.acknowledging.now = False
            self.connections.forget(self)

    def fail(self, error: int) -> None:
        self.socket.failed(error)

    def give_up(self, *, tell: bool = False) -> None:
        """The peer has not answered for too long."""
        following, expected = self.sender.next, self.receiver.next
        self.fail(self.soft_error or errno.ETIMEDOUT)
        if tell:
            send_plain(self, following, expected, RST | ACK, 0)

    def unreachable(self, error: int, *, hard: bool) -> None:
        """ICMP tells that a segment did not arrive: the end of a handshake, else remembered."""
        opening = self.opening
        if opening is not None and (hard or opening.peer is None):
            self.fail(error)
        else:
            self.soft_error = error

    def lower_mtu(self, mtu: int) -> None:
        """ICMP tells that the way is narrower: smaller segments, and again what was too big."""
        local = self.names[0]
        mss = announced_mss(mtu, v6=is_ipv6(local.host)) - STAMPS_SIZE * self.stamps
        if self.is_open and not self.over and mss < self.segment_max:
            self.segment_max = mss
            self.sender.shrink(mss)
            self.flush()

    def resize(self) -> None:
        if self.is_open:
            self.buffering.resized()

    def option_changed(self, level: int, option: int) -> None:
        if self.is_open and not self.over:
            heed(self, level, option)
            self.flush()

    def unacknowledged(self) -> int:
        return self.sender.unacknowledged if self.is_open else 0

    def is_writable(self) -> bool:
        return self.buffering.is_writable()

    def wakers(self) -> tuple[object, ...]:
        return (self._far,)

    def information(self) -> bytes:
        return information(self)
