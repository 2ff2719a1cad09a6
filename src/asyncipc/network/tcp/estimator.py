"""The retransmission time-out: RFC 6298 with Linux's numbers (tcp_rtt_estimator).

A sample moves the smoothed round trip by an eighth and its mean deviation by a
quarter; the time-out is the one plus four of the other, of which the latter is
never less than 200 ms.  Against the RFC, a deviation that falls because the
round trip got *shorter* falls more slowly, and one that was high is forgotten
only round trip by round trip.  All in nanoseconds.
"""

from __future__ import annotations

from typing import Final, final

MILLISECOND: Final = 1_000_000
RTO_MIN: Final = 200 * MILLISECOND
RTO_MAX: Final = 120_000 * MILLISECOND
RTO_START: Final = 1_000 * MILLISECOND
RTO_FALLBACK: Final = 3_000 * MILLISECOND
"""After a handshake that has measured nothing (TCP_TIMEOUT_FALLBACK; RFC 6298, 5.7)."""


@final
class Estimator:
    """``smoothed``: eight round trips.  ``least``: the shortest one, 0 before the first.
    ``backoff``: how often the time-out has been doubled.
    """

    __slots__ = ("_base", "_deviation", "_highest", "_mark", "backoff", "least", "smoothed",
                 "variation")  # fmt: skip

    def __init__(self) -> None:
        self.smoothed = 0
        self.variation = 0
        self.least = 0
        self.backoff = 0
        self._deviation = 0
        self._highest = 0
        self._mark = 0
        self._base = RTO_START

    @property
    def round_trip(self) -> int:
        return self.smoothed >> 3

    @property
    def timeout(self) -> int:
        """When to give an answer up, from now."""
        return min(self._base << self.backoff, RTO_MAX)

    def back_off(self) -> None:
        """No answer came: twice as long next time (RFC 6298, 5.5)."""
        if self.timeout < RTO_MAX:
            self.backoff += 1

    def measured_nothing(self) -> None:
        """The handshake is over without a sample."""
        if not self.smoothed:
            self._base = RTO_FALLBACK

    def sample(self, time: int, una: int, following: int) -> None:
        """A round trip took ``time``, from numbers up to ``una``; ``following``: SND.NXT."""
        time = max(time, 1)
        self.least = min(self.least, time) if self.least else time
        self.backoff = 0
        if self.smoothed:
            self._move(time - (self.smoothed >> 3))
            if una > self._mark:
                if self._highest < self.variation:
                    self.variation -= (self.variation - self._highest) >> 2
                self._mark, self._highest = following, RTO_MIN
        else:
            self.smoothed, self._deviation = time << 3, time << 1
            self.variation = self._highest = max(self._deviation, RTO_MIN)
            self._mark = following
        self._base = min((self.smoothed >> 3) + self.variation, RTO_MAX)

    def _move(self, error: int) -> None:
        self.smoothed += error
        if error < 0:
            error = -error - (self._deviation >> 2)
            if error > 0:
                error >>= 3
        else:
            error -= self._deviation >> 2
        self._deviation += error
        if self._deviation > self._highest:
            self._highest = self._deviation
            self.variation = max(self.variation, self._highest)
