"""The clock of one host: what it shows, which need not be the time.

The simulation has one true time, by which everything lasts as long as it
lasts: sleeps, timeouts, the way of a packet.  What a host *reads* may be off
(``offset_s``), run fast or slow (``drift_ppm``) and be set (``step``), as
unsynchronised clocks are.  So two hosts agree on durations that they wait for,
and not on what o'clock it is.

CLOCK_REALTIME may be set, even backwards; CLOCK_MONOTONIC begins at 0 with
the host's start, drifts with it and is never set.
"""

from __future__ import annotations

import errno
import operator
from collections.abc import Callable
from typing import Final, final

from asyncipc.errors import fail

SECOND: Final = 1_000_000_000
MILLION: Final = 1_000_000
CLOCK_REALTIME: Final = 0
CLOCK_MONOTONIC: Final = 1
SINCE_START: Final = frozenset({CLOCK_MONOTONIC, 4, 6, 7})
"""CLOCK_MONOTONIC, _RAW, _COARSE, CLOCK_BOOTTIME: a simulated host never sleeps."""
REAL: Final = frozenset({CLOCK_REALTIME, 5})
"""CLOCK_REALTIME, _COARSE."""


@final
class HostClock:
    """``true``: the simulation's time in nanoseconds."""

    def __init__(self, true: Callable[[], int]) -> None:
        self._true = true
        self._drift = 0  # millionths, as a ratio of nanoseconds
        self._offset_ns = 0
        self._since_ns = 0  # true time at which the reading below was right
        self._reading_ns = 0
        self._started_ns = 0  # that reading when the host started

    @property
    def offset_s(self) -> float:
        """By how much CLOCK_REALTIME is ahead of the true time, drift included."""
        return (self.read_ns(CLOCK_REALTIME) - self._true()) / SECOND

    @property
    def drift_ppm(self) -> int:
        """By how many microseconds it gains in a second; may be negative."""
        return self._drift

    @drift_ppm.setter
    def drift_ppm(self, millionths: int) -> None:
        if operator.index(millionths) <= -MILLION:
            raise ValueError(f"a clock that runs has a drift above -1000000 ppm, not {millionths}")
        self._reading_ns, self._since_ns = self._steady(), self._true()
        self._drift = millionths

    def step(self, seconds: float) -> None:
        """clock_settime(2): CLOCK_REALTIME jumps, by seconds, forwards or backwards.

        ValueError or OverflowError for a time that is none.
        """
        self._offset_ns += round(seconds * SECOND)

    def begin(self) -> None:
        """The host starts: CLOCK_MONOTONIC is 0."""
        self._started_ns = self._steady()

    def read_ns(self, clock: int) -> int:
        """clock_gettime(2).  EINVAL for a clock that there is not."""
        if clock in REAL:
            return self._steady() + self._offset_ns
        if clock in SINCE_START:
            return self._steady() - self._started_ns
        fail(errno.EINVAL)

    def _steady(self) -> int:
        elapsed = self._true() - self._since_ns
        return self._reading_ns + elapsed + elapsed * self._drift // MILLION
