"""A lock: who has it, or wants it, on which octets, with whom it conflicts."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asyncipc.kernel.locks.waiting import Request

# fcntl.h, asm-generic
F_RDLCK: Final = 0
F_WRLCK: Final = 1
F_UNLCK: Final = 2

OFFSET_MAX: Final = 2**63 - 1
"""The last octet that loff_t can name; a lock up to there has no end."""


class Family(enum.Enum):
    """Which call made it; the names are those of /proc/locks.

    ``FLOCK`` ignores the two others, which conflict with each other.
    """

    FLOCK = "FLOCK"
    POSIX = "POSIX"
    OFD = "OFDLCK"


class Lock:
    """``owner``: the process, or for FLOCK and OFD the open file.  ``kind``: F_RDLCK,
    F_WRLCK, or F_UNLCK in a request.  From octet ``start`` to ``end``, both of
    them included.  ``blocked``: the requests that wait for it, first come first;
    ``blocker``: what a request waits for, be it another request.
    """

    __slots__ = ("blocked", "blocker", "end", "family", "kind", "owner", "start")

    def __init__(
        self, family: Family, owner: object, kind: int, start: int = 0, end: int = OFFSET_MAX
    ) -> None:
        self.family = family
        self.owner = owner
        self.kind = kind
        self.start = start
        self.end = end
        self.blocked: dict[Request, None] = {}
        self.blocker: Lock | None = None

    def conflicts(self, other: Lock) -> bool:
        """flock_locks_conflict(), posix_locks_conflict(): nobody conflicts with himself."""
        if self.owner is other.owner or (self.kind != F_WRLCK and other.kind != F_WRLCK):
            return False
        return self.overlaps(other)

    def overlaps(self, other: Lock) -> bool:
        return self.start <= other.end and other.start <= self.end

    def copy(self) -> Lock:
        """The same, with nobody behind it."""
        return Lock(self.family, self.owner, self.kind, self.start, self.end)
