"""The cork: small data that is held back, tcp(7) TCP_CORK and MSG_MORE.

Only what fills segments goes out; the rest waits for the cork to be taken
out (or a send without MSG_MORE), for TCP_NODELAY to be set, for the FIN, or for 200 ms
to be over; MSG_MORE, but not TCP_CORK, also for whatever comes from the peer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.buffers import Buffer, ByteQueue, part_of

if TYPE_CHECKING:
    from asyncipc.kernel.tcp.transport import Transport
    from asyncipc.kernel.timers import Timer, Timers

CEILING_NS: Final = 200_000_000
"""The most that data is held back (tcp(7))."""


@final
class Cork:
    """``firm``: TCP_CORK is on; else the cork is that of one MSG_MORE.  ``_ended``: nothing is held
    any more; what goes out may bring the end of the connection as an answer, inside the call.
    """

    __slots__ = ("_ended", "_held", "_pushing", "_timer", "_timers", "_transport", "firm")

    def __init__(self, transport: Transport, timers: Timers, *, firm: bool) -> None:
        self._transport = transport
        self._timers = timers
        self._held = ByteQueue()
        self._timer: Timer | None = None
        self._pushing = self._ended = False
        self.firm = firm

    @property
    def held(self) -> int:
        return self._held.size

    def put(self, data: Buffer, done: int, *, more: bool) -> int:
        """Take what fits: less than a segment is held, the rest needs room; 0 if nothing does."""
        if not more and not self.firm:
            return self._transport.put(data, done) if self.flush() else 0
        segment, moved = self._transport.segment_max, done
        while moved < len(data) and (self._held.size < segment or self._push()):
            if self._ended:
                break
            stop = min(len(data), moved + segment)
            self._held.put(part_of(data, moved, stop))
            moved = stop
        self._push()
        self._set_ceiling()
        return moved - done

    def flush(self) -> bool:
        """Let everything go; is nothing left?"""
        if self._pushing:  # what goes out has let the peer's go, and that has come here
            return False
        self._pushing = True
        while self._held.size:
            data = self._held.peek(self._transport.segment_max)
            moved = self._transport.put(data, 0)
            if not moved:
                break
            self._held.take(moved)
        self._pushing = False
        self._set_ceiling()
        return not self._held.size

    def take_all(self) -> bytes:
        """The connection ends: what is still held."""
        self._ended = True
        rest = self._held.take(self._held.size)
        self._set_ceiling()
        return rest

    def _push(self) -> bool:
        """Let whole segments go; did all of them?"""
        segment = self._transport.segment_max
        while self._held.size >= segment and not self._pushing:
            self._pushing = True  # else the answer, which may come inside, has the same bytes sent
            moved = self._transport.put(self._held.peek(segment), 0)
            self._pushing = False
            if not moved:
                return False
            self._held.take(moved)
        return True

    def _set_ceiling(self) -> None:
        if self._held.size and self._timer is None:
            self._timer = self._timers.arm(self._timers.now() + CEILING_NS, self._reached)
        elif not self._held.size and self._timer is not None:
            self._timers.cancel(self._timer)
            self._timer = None

    def _reached(self) -> None:
        self._timer = None
        self.flush()
