"""The transcript: trace, program's output and remarks as one listing, in order of time.

::

    0.250 s | pid 2  read(3, 100) = b"message for parent"  [blocked 0.250 s]
     output | message for parent
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from asyncipc.events import Event, Transit, Wire
from asyncipc.trace.strace import SECOND, line


@final
class Transcript:
    """An observer, and a console: give a run both.

    ``asyncipc.run(main, observers=[transcript], console=transcript.output)``.
    ``write`` gets each line, without its end.  ``packets=True`` tells of those
    between hosts, too.
    """

    def __init__(self, write: Callable[[str], None] = print, *, packets: bool = False) -> None:
        self._write = write
        self._hidden = Wire if packets else Wire | Transit

    def __call__(self, event: Event) -> None:
        if not isinstance(event, self._hidden):
            self._row(f"{event.t_ns / SECOND:.3f} s", line(event))

    def output(self, data: bytes) -> None:
        """What the program has written to its console."""
        for text in data.decode(errors="replace").splitlines():
            self._row("output", text)

    def _row(self, margin: str, text: str) -> None:
        self._write(f"{margin:>9} │ {text}")
