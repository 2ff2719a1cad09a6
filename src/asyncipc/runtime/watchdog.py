"""The watchdog: a real clock beside the virtual one.

A loop without any await never gives the scheduler its turn, so nothing inside
the event loop can notice it.  A thread looks at the count of scheduler passes;
when that has not changed for ``wall_limit_s`` real seconds it raises
:class:`asyncipc.TimeFrozen` in the loop's thread, in the line that spins.

It does not bark while the loop waits for reality (a real thread, a real
descriptor) nor while somebody sits in a debugger.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from types import FrameType, TracebackType
from typing import Final, Self, final

from asyncipc.errors import TimeFrozen
from asyncipc.runtime.clock import VirtualTime

LOOKS_PER_LIMIT: Final = 4


@final
class Watchdog:
    def __init__(self, time: VirtualTime, wall_limit_s: float | None) -> None:
        if wall_limit_s is not None and wall_limit_s <= 0:
            raise ValueError(f"wall_limit_s is a time in seconds, not {wall_limit_s}")
        self._time = time
        self._limit_s = wall_limit_s
        self._over = threading.Event()
        self._watched = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="asyncipc watchdog", daemon=True)

    def __enter__(self) -> Self:
        if self._limit_s is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._limit_s is not None:
            self._thread.join()
            _raise_in(self._watched, None)  # a bark that came too late is taken back

    def _watch(self) -> None:
        assert self._limit_s is not None
        seen, looks = -1, 0
        while not self._over.wait(self._limit_s / LOOKS_PER_LIMIT):
            passes = self._time.passes
            idle = passes != seen or self._time.waits_for_reality or self._is_debugged()
            seen, looks = passes, 0 if idle else looks + 1
            if looks >= LOOKS_PER_LIMIT:
                self._bark()
                looks = 0

    def _is_debugged(self) -> bool:
        frame: FrameType | None = sys._current_frames().get(self._watched)
        while frame is not None:
            if frame.f_trace is not None or frame.f_globals.get("__name__") == "bdb":
                return True
            frame = frame.f_back
        return False

    def _bark(self) -> None:
        print(
            f"asyncipc: virtual time stood still for {self._limit_s:g} real seconds in one step "
            "(wall_limit_s): a loop without await never lets it move",
            file=sys.stderr,
        )
        _raise_in(self._watched, TimeFrozen)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """PyThreadState_SetAsyncExc (CPython); None takes back what was not raised yet."""
    value = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), value)
