"""The time-sequence picture: a TCP connection's segments, by time and place in the stream.

As tcptrace(1) plots them, but in text and turned: time goes down, the stream goes right.
::

     time │ 0 kB       4 kB       8 kB
  0.100 s │ ███xxx███
  0.200 s │    ▒▒▒

``█`` was sent and arrives, ``x`` was sent and is lost; ``▒`` and ``*`` are the same
for what was sent before.  ``┃`` is an acknowledgement that has come back, of all to
its left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, final

from asyncipc.events import Event, Transit

SEGMENT: Final = re.compile(r"\[(?P<flags>\S+)\], seq (?P<start>\d+)(:(?P<end>\d+))?")
ACK: Final = re.compile(r" ack (?P<ack>\d+)")
SECOND: Final = 1_000_000_000
NUMBERS: Final = 1 << 32
COLUMNS: Final = 66
FIRST_TIME: Final = {True: "█", False: "x"}
AGAIN: Final = {True: "▒", False: "*"}


@dataclass
class Sent:
    """A segment with data: of these bytes of the stream, counted from 0."""

    t_ns: int
    start: int
    end: int
    again: bool
    arrives: bool = True


@final
class TimeSequence:
    """An observer of what host ``source`` sends to host ``target``, on one connection.

    ``segments``: those with data, as they were sent.  ``str()`` is the picture.
    """

    def __init__(self, source: str, target: str) -> None:
        self._ways = (source, target), (target, source)
        self._origin: int | None = None
        self._reached = 0
        self.segments: list[Sent] = []
        self.acknowledged: dict[int, int] = {}
        """When, and up to which byte."""

    @property
    def again(self) -> int:
        """How many segments were sent another time."""
        return sum(segment.again for segment in self.segments)

    @property
    def lost(self) -> int:
        return sum(not segment.arrives for segment in self.segments)

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Transit):
            return
        way = event.source, event.target
        found = SEGMENT.search(event.what)
        if found is not None and way == self._ways[0]:
            self._travels(event, found)
        elif way == self._ways[1] and event.fate == "arrived" and self._origin is not None:
            self._acknowledges(event)

    def _travels(self, event: Transit, found: re.Match[str]) -> None:
        if self._origin is None or "S" in found["flags"]:
            self._origin = int(found["start"]) + 1
        if found["end"] is None:
            return
        start = (int(found["start"]) - self._origin) % NUMBERS
        end = (int(found["end"]) - self._origin) % NUMBERS
        if event.fate == "sent":
            self.segments.append(Sent(event.t_ns, start, end, start < self._reached))
            self._reached = max(self._reached, end)
        elif event.fate.startswith("dropped") and self.segments[-1].start == start:
            self.segments[-1].arrives = False

    def _acknowledges(self, event: Transit) -> None:
        found = ACK.search(event.what)
        if found is not None and self._origin is not None:
            self.acknowledged[event.t_ns] = (int(found["ack"]) - self._origin) % NUMBERS

    # -- the picture

    def __str__(self) -> str:
        scale = max(1, -(-self._reached // COLUMNS))
        moments = sorted({*(sent.t_ns for sent in self.segments), *self.acknowledged})
        head = f"     time │ 0{f'{self._reached} bytes':>{COLUMNS - 1}}"
        rows = (f"{t_ns / SECOND:>7.3f} s │ {self._row(t_ns, scale)}" for t_ns in moments)
        return "\n".join((head, *(row.rstrip() for row in rows)))

    def _row(self, t_ns: int, scale: int) -> str:
        cells = [" "] * (COLUMNS + 1)
        for sent in self.segments:
            if sent.t_ns == t_ns:
                mark = (AGAIN if sent.again else FIRST_TIME)[sent.arrives]
                first, last = sent.start // scale, max(sent.end - 1, sent.start) // scale
                cells[first : last + 1] = mark * (last + 1 - first)
        if t_ns in self.acknowledged:
            cells[min(self.acknowledged[t_ns] // scale, COLUMNS)] = "┃"
        return "".join(cells)
