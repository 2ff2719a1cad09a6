"""Congestion control: how many segments may be under way, as one object.

TCP_CONGESTION names it: ``reno`` (RFC 5681) or ``cubic`` (RFC 9438).  It is told
of acknowledged segments and of losses, and owns ``window`` and ``threshold``; what is
lost and what is sent again is :mod:`~asyncipc.network.tcp.recovery`'s business.

Arithmetic is in whole numbers, so that it is the same on every machine.
"""

from __future__ import annotations

from typing import Final

INITIAL_WINDOW: Final = 10
"""Segments (RFC 6928)."""
THRESHOLD_START: Final = 0x7FFFFFFF
WINDOW_MAX: Final = 1 << 20
MILLISECOND: Final = 1_000_000


class Reno:
    """``window`` and ``threshold`` (ssthresh) in segments."""

    __slots__ = ("_counted", "threshold", "window")

    name = b"reno"

    def __init__(self) -> None:
        self.window = INITIAL_WINDOW
        self.threshold = THRESHOLD_START
        self._counted = 0

    def acknowledged(self, count: int, now: int, round_trip: int) -> None:
        """``count`` segments have arrived while the window was in use."""
        window = self.window
        if window < self.threshold:
            grown = min(window + count, self.threshold)
            count -= grown - window
            self.window = min(grown, WINDOW_MAX)
        if count:
            self._avoid(count, now, round_trip)

    def lost(self) -> None:
        """A segment was lost: the threshold for what comes now."""
        self.threshold = max(self.window >> 1, 2)

    def restart(self, timeouts: int) -> None:
        """The connection was idle for so many time-outs: the window decays to its beginning
        (RFC 2861, tcp_cwnd_restart).
        """
        self.threshold = max(self.threshold, (self.window >> 1) + (self.window >> 2))
        if self.window > INITIAL_WINDOW:
            self.window = max(self.window >> min(timeouts, 32), INITIAL_WINDOW)

    def _avoid(self, count: int, now: int, round_trip: int) -> None:
        """A segment more for each window's worth."""
        self._count(count, self.window)

    def _count(self, count: int, per_segment: int) -> None:
        """A segment more for every ``per_segment`` (tcp_cong_avoid_ai)."""
        self._counted += count
        if self._counted >= per_segment:
            self.window = min(self.window + self._counted // per_segment, WINDOW_MAX)
            self._counted %= per_segment


class Cubic(Reno):
    """RFC 9438: after a loss the window grows back along a cubic of time, flat around
    where it was lost (``_most``), and never slower than Reno would (``_friendly``).
    """

    __slots__ = ("_epoch", "_friendly", "_friendly_part", "_most", "_offset", "_prior")

    name = b"cubic"

    def __init__(self) -> None:
        super().__init__()
        self._most = 0
        self._prior = 0
        self._epoch = 0
        self._offset = 0
        self._friendly = 0
        self._friendly_part = 0

    def lost(self) -> None:
        window = self.window
        self._epoch = 0
        # Fast convergence (4.7): leave room where the last loss came earlier.
        self._most = window * 17 // 20 if window < self._most else window
        self._prior = window
        self.threshold = max(window * 7 // 10, 2)

    def restart(self, timeouts: int) -> None:
        super().restart(timeouts)
        self._epoch = 0

    def _avoid(self, count: int, now: int, round_trip: int) -> None:
        window = self.window
        if not self._epoch:
            self._begin(now)
        self._grow_friendly(count)
        time = (now - self._epoch + round_trip) // MILLISECOND - self._offset
        target = self._most + 4 * time**3 // 10**10
        target = min(max(target, window), window * 3 // 2)
        if self._friendly > max(window, target):
            target = self._friendly
        self._count(count, max(window // (target - window), 2) if target > window else 100 * window)

    def _begin(self, now: int) -> None:
        self._epoch = max(now, 1)
        self._friendly, self._friendly_part = self.window, 0
        below = max(self._most - self.window, 0)
        if not below:
            self._most = self.window
        self._offset = cube_root(below * 2_500_000_000)  # milliseconds; C is 0.4

    def _grow_friendly(self, count: int) -> None:
        """Reno's growth after a factor of 0.7 (4.3): 9/17 of a segment for each window."""
        slower = self._friendly < self._prior
        self._friendly_part += count * 9 if slower else count * 17
        step = 17 * self.window
        self._friendly += self._friendly_part // step
        self._friendly_part %= step


def cube_root(number: int) -> int:
    """The greatest whole number whose cube is not above ``number`` (Newton's method)."""
    if number < 1:
        return 0
    root = 1 << -(-number.bit_length() // 3)
    while True:
        better = (2 * root + number // (root * root)) // 3
        if better >= root:
            return root
        root = better


KINDS: Final = {Reno.name: Reno, Cubic.name: Cubic}


def congestion(name: bytes) -> Reno:
    """What TCP_CONGESTION names."""
    return KINDS[name]()
