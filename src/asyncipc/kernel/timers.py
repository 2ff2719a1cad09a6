"""Time for those who have none: what the pure layers ask of the clock's owner.

Times are integer nanoseconds of the machine's clock.  Equal due times fire in
the order in which they were armed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, final


class Timer(Protocol):
    """One armed timer."""

    @property
    def due_ns(self) -> int: ...


class Timers(Protocol):
    def now(self) -> int:
        """The time of this machine's clock, in nanoseconds."""

    def arm(self, due_ns: int, action: Callable[[], None]) -> Timer:
        """Call ``action`` once, when the time is ``due_ns`` or later."""

    def cancel(self, timer: Timer) -> None:
        """Forget it.  Cancelling one that has fired does nothing."""


@final
class NoTimers:
    """The clock of a kernel that nobody has given one: it stands at 0."""

    def now(self) -> int:
        return 0

    def arm(self, due_ns: int, action: Callable[[], None]) -> Timer:
        raise AssertionError("this kernel has no clock yet")

    def cancel(self, timer: Timer) -> None:
        raise AssertionError("this kernel has no clock yet")
