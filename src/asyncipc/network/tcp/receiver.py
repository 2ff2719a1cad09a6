"""The receiving half: what has come, in order and out of it, and the window.

The window that is offered never shrinks: its right edge only moves on.  It
opens by steps worth telling (__tcp_select_window), and its size follows what
the program reads in a round trip (dynamic right-sizing, tcp_rcv_space_adjust).
Half of SO_RCVBUF is for the packets around the bytes, as Linux assumes at first.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from asyncipc.network.tcp.agreed import Agreed

BLOCKS_MAX: Final = 3
"""SACK blocks in a segment with timestamps; four without."""
WINDOW_FIELD_MAX: Final = 65535


@final
class Receiver:
    """``first``: the first byte's number; ``next``: RCV.NXT.  ``edge``: the right edge of
    the window as offered.  ``told``: the number last acknowledged.  ``finish``: the
    number of the peer's FIN, once known; ``finished``: ``next`` counts it.
    ``pieces``: what has come out of order, as (start, bytes), sorted and apart;
    ``blocks``: the same as ranges, the latest first.
    ``urgent``: the number of the urgent byte that has not come yet, if there is one.
    """

    __slots__ = (
        "blocks", "edge", "finish", "finished", "first", "next", "out_of_order", "pieces", "scale",
        "segment", "told", "urgent",
    )  # fmt: skip

    def __init__(self, agreed: Agreed, edge: int, segment: int) -> None:
        self.first = self.next = self.told = agreed.peer_isn + 1
        self.edge = self.next + edge
        self.scale = agreed.receive_scale
        self.segment = min(segment, 536)
        self.finish: int | None = None
        self.finished = False
        self.pieces: list[tuple[int, bytes]] = []
        self.blocks: list[tuple[int, int]] = []
        self.urgent: int | None = None
        self.out_of_order = 0

    # -- the window

    def offer(self, unread: int, full: int) -> int:
        """The window for the next segment's head, scaled: of ``full`` bytes, less the unread."""
        window = self._select(full - unread, full)
        self.edge = self.next + window
        self.told = self.next
        return window >> self.scale

    def would_offer(self, unread: int, full: int) -> int:
        """The same in bytes, without offering it."""
        return self._select(full - unread, full)

    def _select(self, free: int, full: int) -> int:
        unit = 1 << self.scale
        if free < full >> 1 and (free < full >> 4 or free < self.segment):
            free = 0
        former = self.edge - self.next
        window = -(-max(free, former) // unit) * unit
        if not self.scale and free >= former:  # whole segments, unless that wastes one
            window = former if free <= former + self.segment else free - free % self.segment
            window = max(window, former)
        return min(window, WINDOW_FIELD_MAX << self.scale)

    # -- what comes

    def accepts(self, start: int, end: int) -> bool:
        """Is any of it within the window, or just at it?  (RFC 9293, 3.4; tcp_sequence)"""
        return end >= self.told and start <= self.edge

    def is_reset_by(self, start: int, *, may_sack: bool) -> bool:
        """Is it the next number that a RST has (RFC 5961, 3)?  So is, to Linux, the one after all
        that was SACKed, and that of the FIN, which some peers reset with.
        """
        if start == self.next or (self.finished and start == self.next - 1):
            return True
        if not may_sack or not self.pieces:
            return False
        last, data = self.pieces[-1]
        return start == last + len(data)

    def take(self, start: int, data: bytes) -> list[bytes | memoryview]:
        """Bytes have come: those that are now in order."""
        end = min(start + len(data), self.edge)
        if self.finish is not None:
            end = min(end, self.finish)
        if end <= self.next:
            return []
        if start > self.next:
            self._keep(start, data if start + len(data) == end else data[: end - start])
            return []
        ready: list[bytes | memoryview] = [
            data
            if start == self.next and start + len(data) == end
            else memoryview(data)[self.next - start : end - start]
        ]
        self.next = end
        if self.pieces:
            self._join(ready)
        return ready

    def _join(self, ready: list[bytes | memoryview]) -> None:
        """What had come before is in order now."""
        pieces, taken = self.pieces, 0
        for start, data in pieces:
            if start > self.next:
                break
            taken += 1
            if start + len(data) > self.next:
                ready.append(memoryview(data)[self.next - start :])
                self.next = start + len(data)
        del pieces[:taken]
        self.blocks = [block for block in self.blocks if block[1] > self.next]

    def _keep(self, start: int, data: bytes) -> None:
        """Out of order: keep what of it is not there yet."""
        self.out_of_order += 1
        end, pieces = start + len(data), self.pieces
        index = bisect_left(pieces, (start,))
        if index and (before := pieces[index - 1][0] + len(pieces[index - 1][1])) > start:
            data, start = data[before - start :], before
        while data and index < len(pieces) and pieces[index][0] < end:
            following, piece = pieces[index]
            if following + len(piece) > end:
                data = data[: following - start]
                end = following
            else:
                del pieces[index]
        if data and start < end:
            pieces.insert(index, (start, data))
        self._mark_block(start, end)

    def _mark_block(self, start: int, end: int) -> None:
        """RFC 2018, 4: the block of the latest segment comes first."""
        apart = []
        for left, right in self.blocks:
            if right < start or left > end:
                apart.append((left, right))
            else:
                start, end = min(start, left), max(end, right)
        self.blocks = [(start, end), *apart]

    def take_finish(self) -> bool:
        """Has the FIN come, and all before it?"""
        if self.finish != self.next or self.finished:
            return False
        self.next += 1
        self.finished = True
        return True


@final
class RightSizing:
    """How much the program reads in a round trip, and so how much room it should have.

    ``space``: the bytes of the last one.  ``round_trip``: eight of them, in
    nanoseconds, as seen by who sends nothing.
    """

    __slots__ = ("_since_ns", "_stamp", "_start", "round_trip", "space")

    def __init__(self, start: int, space: int, now: int) -> None:
        self.space = space
        self.round_trip = 0
        self._start = start
        self._since_ns = now
        self._stamp = -1

    def sample(self, time: int, stamp: int) -> None:
        """A segment echoes a stamp that is ``time`` old; one sample for each stamp."""
        if stamp == self._stamp:
            return
        self._stamp = stamp
        time = max(time, 1_000_000)
        former = self.round_trip
        self.round_trip = former + time - (former >> 3) if former else time << 3

    def grown(self, copied: int, now: int, round_trip: int, segment: int) -> int:
        """The program has read up to ``copied``: the window that it should have, or 0."""
        time = self.round_trip >> 3 or round_trip
        if not time or now - self._since_ns < time:
            return 0
        read, space = copied - self._start, self.space
        self._start, self._since_ns = copied, now
        if read <= space:
            return 0
        self.space = read
        window = 2 * read + 16 * segment
        return window + 2 * (window * (read - space) // space)
