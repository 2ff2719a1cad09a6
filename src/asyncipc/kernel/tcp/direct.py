"""The direct transport: two TCP sockets of one host, crossed.

What one end sends is put into the other's receive queue in the same turn, so
segments, acknowledgements and windows have nothing to do.  What is left:

* **One buffer**, the receiver's queue, stands for the sender's buffer and the
  receiver's together: it is bounded by SO_SNDBUF of the one plus SO_RCVBUF of
  the other.  A send of at most ``whole_max`` bytes goes in whole as soon as
  anything would; a longer one as far as there is room.
* **Acknowledgement is at once**: a FIN is acknowledged in the turn in which it
  is sent, read or not, where Linux may take the 40 ms of a delayed ACK.  So
  FIN-WAIT-1 is never seen.
* **SYN**: a listener whose backlog is full drops it, and it is sent again
  after 1, 1, 1, 1, 1, 2, 4, 8, 16, 32 seconds, given up 64 seconds later
  (net.ipv4.tcp_syn_linear_timeouts 4, tcp_syn_retries 6).
* **RST**: what comes to an end that is gone, or reads no more, is answered
  with one.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.buffers import Buffer, ByteQueue, as_bytes, part_of
from asyncipc.kernel.openfile import UNBOUNDED
from asyncipc.kernel.sockets.options import SECOND
from asyncipc.kernel.sockets.socket import SEND_SHUTDOWN
from asyncipc.kernel.tcp.ends import finish
from asyncipc.kernel.tcp.listener import admit, listener_for, offer
from asyncipc.kernel.tcp.options import TCP_MAXSEG, TCP_SYNCNT
from asyncipc.kernel.tcp.send import push_on_arrival

if TYPE_CHECKING:
    from asyncipc.kernel.tcp.socket import TcpSocket
    from asyncipc.kernel.timers import Timer

SEGMENT_MAX: Final = 32741
"""What TCP_MAXSEG says on loopback (measured, 6.18)."""
LINEAR_RETRIES: Final = 4
PROBE_NS: Final = 200_000_000
"""When a sender whose window is shut asks again (TCP_RTO_MIN)."""


@final
class DirectTransport:
    """One end's half.  ``inbox``: the peer's queue, once plain data may go there.

    ``peer``: the other half, None before the handshake and after the end.
    ``found_full``: a send or a poll has found no room since the last that was
    made, and only then is room news (SOCK_NOSPACE).
    ``deaf``: data that comes here draws a reset.
    """

    __slots__ = (
        "_retries",
        "_timer",
        "deaf",
        "found_full",
        "inbox",
        "limit",
        "peer",
        "segment_max",
        "socket",
    )

    def __init__(self, socket: TcpSocket) -> None:
        self.socket = socket
        self.peer: DirectTransport | None = None
        self.inbox: ByteQueue | None = None
        self.limit = 0
        self.deaf = False
        self.found_full = False
        self.segment_max = min(socket.tcp.value(TCP_MAXSEG) or SEGMENT_MAX, SEGMENT_MAX)
        self._retries = 0
        self._timer: Timer | None = None

    # -- the handshake

    def connect(self) -> None:
        socket = self.socket
        assert socket.remote is not None
        if socket.remote == socket.local:  # both SYNs cross: a simultaneous open with itself
            socket.widen()
            self._pair(self)
            socket.established()
            if socket.shut & SEND_SHUTDOWN:  # before connect(2): only this handshake heeds it
                finish(socket)
            return
        listening = listener_for(socket)
        if listening is None:
            socket.peer_reset()
            return
        accepted = admit(listening, socket.remote, socket.local)
        if accepted is None:
            self._connect_later()
            return
        socket.widen()
        accepted.widen()
        other = accepted.transport = DirectTransport(accepted)
        other._pair(self)
        self._pair(other)
        socket.established()
        offer(listening, accepted)

    def _connect_later(self) -> None:
        """The SYN was dropped: send it again when the time-out for an answer is over."""
        timers = self.socket.kernel.timers
        retry = self._retries
        delay = SECOND << max(0, retry - LINEAR_RETRIES)
        self._timer = timers.arm(timers.now() + delay, self._retry)

    def _retry(self) -> None:
        self._timer = None
        self._retries += 1
        if self._retries > self.socket.tcp.value(TCP_SYNCNT) + LINEAR_RETRIES:
            self.socket.failed(errno.ETIMEDOUT)
        else:
            self.connect()

    def _pair(self, peer: DirectTransport) -> None:
        self.peer = peer
        self.limit = self.socket.send_limit + peer.socket.receive_limit

    # -- data

    def put(self, data: Buffer, done: int) -> int:
        inbox = self.inbox
        if inbox is None:
            return self._put_first(data, done)
        size = len(data) - done
        room = self.limit - inbox.size
        if size > room and (room <= 0 or size > self.socket.whole_max):
            self.found_full = True
            if room <= 0:
                return 0
            size = room
        if done or size < len(data):
            inbox.put(part_of(data, done, done + size))
        elif size:
            inbox.put(data if type(data) is bytes else bytes(data))
        socket, peer = self.socket, self.peer
        assert peer is not None
        target = peer.socket
        if socket.kernel.wire is not None:
            socket.kernel.wire(socket, target, size)
        queue = target._read_queue
        if queue is not None:
            queue.notify()
        if target.cork is not None:
            push_on_arrival(target)
        return size

    def _put_first(self, data: Buffer, done: int) -> int:
        """Open the peer's queue; or find that nobody reads there any more."""
        peer = self.peer
        if peer is None or peer.deaf:
            if done == len(data):
                return 0  # no segment, no answer to it
            if self._used() >= self.limit > 0:
                self.found_full = True
                return 0  # the window is shut: the bytes don't get there yet
            self._draw_reset()
            return len(data) - done
        self.inbox = peer.socket.open_inbox()
        return self.put(data, done)

    def _draw_reset(self) -> None:
        peer, self.peer = self.peer, None
        if peer is not None:
            peer.cut()
            peer.socket.peer_reset()
        self.socket.peer_reset()

    def put_urgent(self, data: Buffer, done: int) -> int:
        peer = self.peer
        if peer is None:
            return self.put(data, done)
        target = peer.socket  # whose reader must not be served before the mark stands
        queue, target._read_queue = target._read_queue, None
        moved = self.put(data, done)
        target._read_queue = queue
        if moved and moved == len(data) - done and self.peer is not None:
            target.urge(as_bytes(data)[-1:])
        elif queue is not None:
            queue.notify()
        return moved

    def taken(self) -> None:
        peer = self.peer
        if peer is None or not peer.found_full or not peer.has_room():
            return
        peer.found_full = False
        if not self.deaf:
            peer.socket.room_made()
        elif self._timer is None:  # no window is told: the peer's next probe finds out
            timers = self.socket.kernel.timers
            self._timer = timers.arm(timers.now() + PROBE_NS, self._probed)

    def _probed(self) -> None:
        self._timer = None
        if self.peer is not None:
            self.peer.socket.room_made()

    def stop_receiving(self) -> None:
        self.deaf = True
        peer = self.peer
        if peer is not None:
            peer.inbox = None
            if self.socket.buffer is None:  # who sleeps for room draws the reset
                peer.socket.room_made()

    # -- ends

    def finish(self, rest: bytes) -> None:
        if rest:
            self.limit = UNBOUNDED
            self.put(rest, 0)
        if self.peer is not None and self.peer.socket.orphan:  # perhaps for too long
            kernel = self.socket.kernel
            kernel.inet.tcp.sweep(kernel.timers.now())
        peer = self.peer
        if peer is not None:
            peer.socket.peer_finished()
            self.socket.finish_acknowledged()
            push_on_arrival(peer.socket)
        else:  # the peer's time in FIN-WAIT-2 is over: nobody knows the connection
            self.socket.peer_reset()

    def reset(self) -> None:
        peer = self.peer
        self.cut()
        if peer is not None and peer is not self:
            peer.cut()
            peer.socket.peer_reset()

    def forget(self) -> None:
        peer = self.peer
        if peer is not None:
            peer.peer = peer.inbox = None
        self.cut()

    def cut(self) -> None:
        """Know the peer no more."""
        self.peer = self.inbox = None
        if self._timer is not None:
            self.socket.kernel.timers.cancel(self._timer)
            self._timer = None

    # -- room

    def resize(self) -> None:
        peer = self.peer
        if peer is not None:
            self._pair(peer)
            peer._pair(self)

    def option_changed(self, level: int, option: int) -> None:
        """What this form heeds of them, it looks up."""

    def information(self) -> bytes:
        return b""

    def unacknowledged(self) -> int:
        """What the receiver's own buffer would not have room for."""
        return 0 if self.peer is None else max(0, self._used() - self.peer.socket.receive_limit)

    def is_writable(self) -> bool:
        if self.has_room():
            return True
        self.found_full = True
        return False

    def has_room(self) -> bool:
        return self._used() * 3 <= self.limit * 2

    def _used(self) -> int:
        """Bytes that the peer has not read."""
        buffer = None if self.peer is None else self.peer.socket.buffer
        return 0 if buffer is None else buffer.size

    def wakers(self) -> tuple[object, ...]:
        if self.peer is not None:
            return (self.peer.socket,)
        listening = listener_for(self.socket)
        return () if listening is None else (listening,)
