"""SO_SNDBUF and SO_RCVBUF between hosts: both grow by themselves until the program sets them.

The send buffer has room for twice the congestion window (tcp_sndbuf_expand), up to
4 MiB; the receive buffer, for what the program reads in two round trips
(tcp_rcv_space_adjust), up to 6 MiB, of which half is the window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.tcp.options import TCP_WINDOW_CLAMP
from asyncipc.kernel.tcp.socket import RCVBUF_START, SNDBUF_START, WHOLE_MAX
from asyncipc.network.tcp.agreed import RECEIVE_MOST, SEND_MOST
from asyncipc.network.tcp.congestion import INITIAL_WINDOW
from asyncipc.network.tcp.receiver import RightSizing

if TYPE_CHECKING:
    from asyncipc.network.tcp.transport import SegmentTransport

PACKET_HEAD: Final = 588
PACKET_RECORD: Final = 256
"""What the memory of a packet takes beside its data: the former is rounded up to a power of
two with it.  46080 is SO_SNDBUF over Ethernet then (measured, 6.18, 69120 with
bbr, which asks for three windows instead of two).
"""


def send_buffer(window: int, mss: int) -> int:
    """tcp_sndbuf_expand"""
    packet = (1 << (mss + PACKET_HEAD - 1).bit_length()) + PACKET_RECORD
    return 2 * max(window, INITIAL_WINDOW) * packet


@final
class Buffering:
    """``full``: the window when nothing is unread.  ``found_full``: somebody has found no room
    since the last that was made, and only then is room news (SOCK_NOSPACE).
    ``_send_limit``, ``_receive_limit``: what was given by itself, None once the program
    has chosen.
    """

    __slots__ = ("_receive_limit", "_send_limit", "_sizing", "_transport", "found_full", "full")

    def __init__(self, transport: SegmentTransport) -> None:
        self._transport = transport
        self._sizing: RightSizing | None = None
        self._send_limit: int | None = None
        self._receive_limit: int | None = None
        self.found_full = False
        self.full = 0

    def start(self, now: int) -> None:
        """The connection stands."""
        transport, socket = self._transport, self._transport.socket
        receiver = transport.receiver
        if socket.send_limit == SNDBUF_START:
            self._send_limit = SNDBUF_START
            self._grow_send()
        if socket.receive_limit == RCVBUF_START:
            self._receive_limit = RCVBUF_START
        self.resized()
        space = min(receiver.edge - receiver.next, INITIAL_WINDOW * transport.segment_max)
        self._sizing = RightSizing(receiver.next, space, now)

    def resized(self) -> None:
        """The program may have chosen."""
        socket = self._transport.socket
        if self._send_limit != socket.send_limit:
            self._send_limit = None
        if self._receive_limit != socket.receive_limit:
            self._receive_limit = None
        full = socket.receive_limit >> 1
        self.full = min(full, socket.tcp.value(TCP_WINDOW_CLAMP) or full)

    # -- sending

    def room_for(self, size: int) -> int:
        """How many of ``size`` bytes may enter."""
        socket = self._transport.socket
        room = socket.send_limit - self._transport.sender.unacknowledged
        if size <= room or (size <= socket.whole_max and room > 0):
            return size
        self.found_full = True
        return max(room, 0)

    def makes_room(self) -> bool:
        """Is it news that there is room?"""
        if not self.found_full:
            return False
        if self._send_limit is not None:
            self._grow_send()
        if not self._has_room():
            return False
        self.found_full = False
        return True

    def _grow_send(self) -> None:
        """Not while the congestion window is full: a greater buffer would not help."""
        transport, socket = self._transport, self._transport.socket
        sender = transport.sender
        window = sender.congestion.window
        if sender.board.pipe >= window:
            return
        limit = min(send_buffer(window, transport.segment_max), SEND_MOST)
        if limit > socket.send_limit:
            self._send_limit = socket.send_limit = limit
            socket.whole_max = WHOLE_MAX

    def is_writable(self) -> bool:
        if self._has_room():
            return True
        self.found_full = True
        return False

    def _has_room(self) -> bool:
        """A third is free."""
        transport = self._transport
        return transport.sender.unacknowledged * 3 <= transport.socket.send_limit * 2

    # -- receiving

    @property
    def unread(self) -> int:
        buffer = self._transport.socket.buffer
        return 0 if buffer is None else buffer.size

    @property
    def space(self) -> tuple[int, int]:
        """What was read in the last round trip; eight of these, as a receiver measures."""
        return (0, 0) if self._sizing is None else (self._sizing.space, self._sizing.round_trip)

    def sample(self, time: int, stamp: int) -> None:
        """A full segment echoes a stamp of ours that is so old."""
        if self._sizing is not None:
            self._sizing.sample(time, stamp)

    def has_read(self) -> None:
        """The program has taken bytes."""
        transport, sizing = self._transport, self._sizing
        if self._receive_limit is None or sizing is None:
            return
        copied = transport.receiver.next - self.unread
        window = sizing.grown(
            copied,
            transport.timers.now(),
            transport.estimator.round_trip,
            transport.segment_max,
        )
        limit = min(2 * window, RECEIVE_MOST)
        socket = transport.socket
        if limit > socket.receive_limit:
            self._receive_limit = socket.own_options().receive_limit = limit
            self.resized()
