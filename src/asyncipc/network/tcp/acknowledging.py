"""When to acknowledge: at once, with data that goes the other way, or a little later.

After tcp_input.c (tcp_event_data_recv, __tcp_ack_snd_check) and tcp_timer.c: more
than a segment is acknowledged at once; so is anything at the beginning, and after
something unusual, for some segments (*quick*); who answers with data waits for
that (*interactive*, Linux's pingpong mode); all wait 40 ms or so, as their peer's
rhythm has it.
"""

from __future__ import annotations

from typing import Final, final

MILLISECOND: Final = 1_000_000
DELAY_MIN: Final = 40 * MILLISECOND
DELAY_MAX: Final = 200 * MILLISECOND
DELAY_LIMIT: Final = 500 * MILLISECOND
QUICK_MAX: Final = 16


@final
class Acknowledging:
    """``now``: one is to go out in this turn.  ``due_ns``: else when; 0: none is owed.
    ``delay``: Linux's ATO.  ``pushed``: small segments since the last one.
    ``received_ns``: when data came last.
    """

    __slots__ = ("delay", "due_ns", "interactive", "now", "pushed", "quick", "received_ns")

    def __init__(self) -> None:
        self.now = False
        self.due_ns = 0
        self.delay = 0
        self.quick = 0
        self.interactive = False
        self.pushed = 0
        self.received_ns = 0

    def data_came(self, now: int, timeout: int, *, small: bool) -> None:
        """Data in order; ``timeout``: that of retransmission."""
        since, delay = now - self.received_ns, self.delay
        if not delay:
            self.quick, self.delay = QUICK_MAX, DELAY_MIN
        elif since <= DELAY_MIN // 2:
            self.delay = delay // 2 + DELAY_MIN // 2
        elif since < delay:
            self.delay = min(delay // 2 + since, timeout)
        elif since > timeout:
            self.quick = QUICK_MAX
        self.received_ns = now
        if small:
            self.pushed += 1

    def owe(self, now: int, *, much: bool, round_trip: int) -> None:
        """``much``: more than a segment has come, or something out of order."""
        if much or (self.quick and not self.interactive):
            self.now = True
            return
        delay = self.delay
        if delay > DELAY_MIN:
            most = DELAY_MAX if self.interactive or self.pushed else DELAY_LIMIT
            delay = min(delay, most, max(round_trip, DELAY_MIN) if round_trip else most)
        if not self.due_ns:
            self.due_ns = now + delay
        elif self.due_ns <= now + (delay >> 2):
            self.now = True
        else:
            self.due_ns = min(self.due_ns, now + delay)

    def hurry(self) -> None:
        """Something unusual: acknowledge at once, and the next ones, too."""
        self.quick, self.interactive, self.delay, self.now = QUICK_MAX, False, DELAY_MIN, True

    def set_quick(self, *, on: bool) -> None:
        """TCP_QUICKACK: not for good, only until the next conversation."""
        self.interactive = not on
        if on and self.due_ns:
            self.now = True

    def data_sent(self, now: int) -> None:
        """Data goes out soon after some came in: this is a conversation."""
        if now - self.received_ns < self.delay:
            self.interactive = True

    def told(self, *, keep: bool = False) -> None:
        """A segment with the acknowledgement goes out; ``keep``: but not with all that is owed."""
        self.now = self.now and keep
        self.due_ns = self.pushed = 0
        if self.quick:
            self.quick -= 1
            if not self.quick:
                self.delay = DELAY_MIN

    def waited(self, timeout: int) -> None:
        """The delay is over."""
        self.due_ns = 0
        self.now = True
        if self.interactive:
            self.interactive, self.delay = False, DELAY_MIN
        else:
            self.delay = min(self.delay * 2, timeout)

    def after_reading(self, *, much: bool, empty: bool) -> bool:
        """The program has read: is what is owed to go out now (tcp_cleanup_rbuf)?"""
        if not self.due_ns:
            return False
        return much or (empty and (self.pushed > 1 or (self.pushed == 1 and not self.interactive)))
