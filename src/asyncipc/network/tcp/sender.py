"""The sending half: what waits, what is under way, and what may go next.

``produce`` says what is to be sent at this moment: first what is lost, then what
is new, as the peer's window, the congestion window and Nagle's rule allow (tcp_write_xmit).
Big segments are whole numbers of MSS, up to what Linux's interfaces take at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.buffers import ByteQueue
from asyncipc.network.tcp.recovery import LOSS, RECOVERY, Recovery
from asyncipc.network.tcp.scoreboard import Scoreboard, Sent, segments

if TYPE_CHECKING:
    from asyncipc.network.tcp.agreed import Agreed
    from asyncipc.network.tcp.congestion import Reno

BIG_MAX: Final = 65215
"""Bytes in a big segment: 64 KiB less the room for heads (sk_dst_gso_max_size)."""
MSS_DEFAULT: Final = 536
UNIT_MIN: Final = 48


@final
class Sender:
    """``first``: the first byte's number; ``una``, ``next``: SND.UNA and SND.NXT; ``end``:
    after the last byte that waits.
    ``window``: the peer's, from ``una``; ``window_max``: its greatest so far.  ``unit``: the
    MSS, or half of a peer's window that is smaller than two of them.
    ``urgent``: the number after the urgent byte; ``finishing``: a FIN follows ``waiting``;
    ``finished``: it is out, and ``next`` counts it.
    ``limited``: was it the congestion window that stopped ``produce`` last?
    """

    __slots__ = (
        "_small_end", "_window_ack", "_window_sequence", "board", "congestion", "finished",
        "finishing", "first", "limited", "mss", "next", "prompt", "recovery", "una", "unit",
        "urgent", "waiting", "window", "window_max",
    )  # fmt: skip

    def __init__(self, agreed: Agreed, mss: int, congestion: Reno) -> None:
        self.first = self.una = self.next = self._small_end = agreed.own_isn + 1
        self.urgent = self.una
        self.waiting = ByteQueue()
        self.board = Scoreboard()
        self.congestion = congestion
        self.recovery = Recovery(self.board, congestion, may_sack=agreed.may_sack)
        self.window = self.window_max = agreed.window
        self._window_sequence = agreed.peer_isn
        self._window_ack = self.una
        self.mss = self.unit = mss
        self.finishing = self.finished = self.limited = False
        self.prompt = False
        self.set_mss(mss)

    def set_mss(self, mss: int) -> None:
        self.mss = mss
        most = self.window_max
        half = most >> 1 if most > MSS_DEFAULT else most
        self.unit = min(mss, max(half, UNIT_MIN))

    def shrink(self, mss: int) -> None:
        """Segments that big do not arrive: what is under way is lost, for no fault of the
        window's (tcp_simple_retransmit).
        """
        self.set_mss(mss)
        self.board.count_anew(mss)
        self.board.mark_all_lost()
        self.recovery.state, self.recovery.high = LOSS, self.next

    def control_by(self, congestion: Reno) -> None:
        """TCP_CONGESTION: another takes over where the last one stands."""
        congestion.window = self.congestion.window
        congestion.threshold = self.congestion.threshold
        self.congestion = self.recovery.congestion = congestion

    @property
    def end(self) -> int:
        return self.next + self.waiting.size

    @property
    def unacknowledged(self) -> int:
        """Bytes that the peer's host has not taken, sent or not; the FIN counts for one."""
        waits = self.finishing and not self.finished
        return self.next - self.una + self.waiting.size + waits

    @property
    def is_done(self) -> bool:
        """Is all acknowledged that there is?"""
        return self.una == self.next and not self.waiting.size and self.finishing == self.finished

    # -- what may go

    def produce(self, now: int) -> Sent | None:
        board = self.board
        room = self.congestion.window - board.pipe
        if board.lost > board.resent:
            again = self._again(room, now)
            if again is not None:
                return again
        size = self.waiting.size
        if not size:
            return self._finish(now) if self.finishing and not self.finished else None
        if room <= 0:
            self.limited = True
            return None
        size = self._allowed(size, room)
        return self._first(size, now) if size else None

    def _again(self, room: int, now: int) -> Sent | None:
        """What is lost.  The first goes out whatever the window (RFC 6675, 5, 4.3)."""
        board = self.board
        if room <= 0 and (board.resent or self.recovery.state != RECOVERY):
            return None
        lost = board.next_lost(min(max(room, 1), BIG_MAX // self.mss), self.mss)
        if lost is not None:
            board.resend(lost, now, self.next)
        return lost

    def _allowed(self, size: int, room: int) -> int:
        """How much of ``size`` bytes, whole segments where there is more to come."""
        unit = self.unit
        usable = self.una + self.window - self.next
        most = min(room * unit, BIG_MAX // unit * unit)
        if size > usable or size > most:
            most = min(most, usable)
            self.limited = room * unit <= most
            return most - most % unit if most > 0 else 0
        small = size % unit
        return size - small if small and self._must_wait() else size

    def _must_wait(self) -> bool:
        """Nagle, with Minshall's amendment: one small segment at a time."""
        prompt = self.prompt or self.finishing or self.urgent > self.next
        return not prompt and self._small_end > self.una

    def _first(self, size: int, now: int) -> Sent:
        fin = (
            self.finishing
            and size == self.waiting.size
            and self.una + self.window > self.next + size
        )
        data = self.waiting.take(size)
        sent = Sent(self.next, data, segments(size, self.mss), now, fin=fin)
        self.next = sent.end
        if size % self.mss:
            self._small_end = sent.end
        self.finished = fin
        self.board.add(sent)
        return sent

    def _finish(self, now: int) -> Sent | None:
        if self.una + self.window <= self.next:
            return None
        return self._first(0, now)

    def probe(self, now: int) -> Sent | None:
        """What the window has room for though it is no whole segment (tcp_write_wakeup)."""
        usable = self.una + self.window - self.next
        size = min(self.waiting.size, usable, self.mss)
        return self._first(size, now) if size > 0 else None

    # -- what the peer tells

    def heard_window(self, sequence: int, ack: int, window: int) -> bool:
        """A segment's window counts if it is no older than the last (RFC 9293, 3.10.7.4).  Is
        it another?
        """
        former = self.window
        if not (
            ack > self._window_ack
            or sequence > self._window_sequence
            or (sequence == self._window_sequence and window > former)
        ):
            return False
        self._window_sequence, self._window_ack = sequence, max(ack, self._window_ack)
        self.window = window
        if window > self.window_max:
            self.window_max = window
            if self.unit < self.mss:
                self.set_mss(self.mss)
        return window != former

    def advance(self, ack: int) -> int:
        """All before ``ack`` has arrived: how many segments."""
        self.una = ack
        return self.board.acknowledge(ack, self.mss)
