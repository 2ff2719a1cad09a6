"""The fault plan: which system calls fail, and how.

The one place where a call can be made to fail on purpose; packets have their
own (the network's rules).  A plan is plain data, so that it can be printed,
compared and replayed.  The classic use is the n-th call loop: fail the n-th
call, n = 1, 2, ..., until a run has no n-th call left.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

TRANSFERS: Final = (
    *("read", "write", "recv", "send"),
    *("readv", "writev", "splice", "tee", "sendfile"),
)
"""The calls that move bytes, and can move fewer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The ``nth`` call (from 1) that matches fails with ``error``, or moves at
    most ``limit`` bytes.

    ``call``: its name, such as ``"read"``; None matches every call.  ``pid``:
    whose; None matches every process.  ``error``: an errno such as
    ``errno.EINTR`` or ``errno.EMFILE``.
    """

    nth: int
    call: str | None = None
    pid: int | None = None
    error: int | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.nth < 1:
            raise ValueError(f"nth counts from 1, not {self.nth}")
        if (self.error is None) == (self.limit is None):
            raise ValueError("a fault has either an error or a limit")
        if self.error is not None and self.error not in errno.errorcode:
            raise ValueError(f"{self.error} is no errno")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"a short transfer moves at least 1 byte, not {self.limit}")
        if self.limit is not None and self.call not in {None, *TRANSFERS}:
            raise ValueError(f"{self.call} moves no bytes; a limit is for {', '.join(TRANSFERS)}")

    def matches(self, call: str, pid: int) -> bool:
        """A limit is for the calls that move bytes only."""
        if self.limit is not None and call not in TRANSFERS:
            return False
        return self.call in {None, call} and self.pid in {None, pid}


@final
class FaultPlan:
    """Faults, each with its own count of the calls that matched it."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self._seen = [0] * len(self.faults)

    def next(self, call: str, pid: int) -> Fault | None:
        """``pid`` makes ``call``: the fault it meets, if any."""
        met = None
        for index, fault in enumerate(self.faults):
            if fault.matches(call, pid):
                self._seen[index] += 1
                if met is None and self._seen[index] == fault.nth:
                    met = fault
        return met

    def exhausted(self) -> bool:
        """Has every fault been met?  If not, the run had no n-th call left."""
        return all(seen >= fault.nth for seen, fault in zip(self._seen, self.faults, strict=True))
