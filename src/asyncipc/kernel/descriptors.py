"""The descriptor table: the small integers of one process.

Laws: a new descriptor gets the lowest free number.  RLIMIT_NOFILE bounds the
*number*, not the count, so lowering it leaves open ones working.  Two or more
numbers are taken together or not at all.  Close-on-exec belongs to the
number, everything else to the open file.
"""

from __future__ import annotations

import errno
import heapq
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.openfile import O_NONBLOCK, OpenFile

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process

NOFILE_SOFT: Final = 1024
NOFILE_HARD: Final = 1048576
CLOSE_RANGE_UNSHARE: Final = 2
CLOSE_RANGE_CLOEXEC: Final = 4


@final
class Descriptor:
    """One number of a table and the open file it stands for, until it is closed."""

    __slots__ = ("cloexec", "fd", "file", "open")

    patient = False
    """Calls on a descriptor keep to the time limits of its open file."""

    def __init__(self, fd: int, file: OpenFile, cloexec: bool) -> None:
        self.fd = fd
        self.file = file
        self.cloexec = cloexec
        self.open = True

    @property
    def nonblocking(self) -> int:
        return self.file.flags & O_NONBLOCK


@final
class DescriptorTable:
    """``get``: the entry of a number, None if it is not open.

    ``owner``: whose table it is, who may hold more than descriptors of a file.
    """

    __slots__ = ("_entries", "_fresh", "_holes", "get", "hard_limit", "limit", "owner")

    def __init__(self, limit: int = NOFILE_SOFT, hard_limit: int = NOFILE_HARD) -> None:
        self.limit = limit
        self.hard_limit = hard_limit
        self.owner: Process | None = None
        self._entries: dict[int, Descriptor] = {}
        self.get = self._entries.get  # no frame of ours on the hot path
        self._holes: list[int] = []  # a heap of numbers below _fresh that were closed
        self._fresh = 0  # no number from here on was ever given by _lowest

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Descriptor]:
        """The entries in order of their numbers."""
        return iter(sorted(self._entries.values(), key=lambda entry: entry.fd))

    def __getitem__(self, fd: int) -> Descriptor:
        """The entry of a number; EBADF if it is not open."""
        entry = self._entries.get(fd)
        if entry is None:
            fail(errno.EBADF)
        return entry

    def open(self, *files: OpenFile, cloexec: bool) -> tuple[Descriptor, ...]:
        """Give each file the lowest free number, in order; EMFILE gives none, and releases
        those that nobody holds.
        """
        taken: list[Descriptor] = []
        for file in files:
            fd = self._lowest()
            if fd >= self.limit:
                for entry in taken:
                    self._forget(entry.fd)
                _release_what_nobody_holds(files)
                fail(errno.EMFILE, f"RLIMIT_NOFILE is {self.limit}; setrlimit can raise it")
            taken.append(self._put(fd, file, cloexec))
        for file in files:
            file.hold()
        return tuple(taken)

    def check_room(self) -> None:
        """EMFILE if no number is free: asked before a call would make what it cannot keep."""
        self.unreserve(self.reserve())

    def reserve(self) -> int:
        """The lowest free number, taken before there is a file for it.  EMFILE."""
        fd = self._lowest()
        if fd >= self.limit:
            fail(errno.EMFILE, f"RLIMIT_NOFILE is {self.limit}; setrlimit can raise it")
        return fd

    def unreserve(self, fd: int) -> None:
        heapq.heappush(self._holes, fd)

    def fill(self, fd: int, file: OpenFile, *, cloexec: bool) -> Descriptor:
        """A reserved number has its file."""
        file.hold()
        return self._put(fd, file, cloexec)

    def dup(self, fd: int, minimum: int = 0, *, cloexec: bool) -> int:
        """fcntl(F_DUPFD): the lowest free number from ``minimum`` on."""
        file = self[fd].file
        if minimum == 0:
            return self.open(file, cloexec=cloexec)[0].fd
        if not 0 <= minimum < self.limit:
            fail(errno.EINVAL)
        while minimum in self._entries:
            minimum += 1
        if minimum >= self.limit:
            fail(errno.EMFILE, f"RLIMIT_NOFILE is {self.limit}; setrlimit can raise it")
        self._put(minimum, file, cloexec)
        file.hold()
        return minimum

    def dup_onto(self, fd: int, target: int, *, cloexec: bool) -> int:
        """dup3(2) of two different numbers: ``target`` is closed silently first."""
        file = self[fd].file
        if not 0 <= target < self.limit:
            fail(errno.EBADF)
        displaced = self._entries.get(target)
        self._put(target, file, cloexec)
        file.hold()
        if displaced is not None:
            displaced.open = False
            self._let_go(displaced.file)
        return target

    def close(self, fd: int) -> None:
        """close(2)"""
        entry = self[fd]
        self._forget(fd)
        self._let_go(entry.file)

    def _let_go(self, file: OpenFile) -> None:
        """filp_close(): what hangs on the descriptor goes before the open file does."""
        owner = self.owner
        if owner is not None and owner.holdings is not None:
            owner.holdings.closed(owner, file)
        file.drop()

    def close_range(self, first: int, last: int, *, only_mark: bool = False) -> None:
        """close_range(2): close, or mark close-on-exec; holes are skipped."""
        if first > last:
            fail(errno.EINVAL)
        for entry in [entry for entry in self if first <= entry.fd <= last]:
            if only_mark:
                entry.cloexec = True
            else:
                self.close(entry.fd)

    def copy(self) -> DescriptorTable:
        """fork(2): the same numbers, the same open files."""
        child = DescriptorTable(self.limit, self.hard_limit)
        for entry in self:
            child._put(entry.fd, entry.file, entry.cloexec)
            entry.file.hold()
        child._holes = self._holes.copy()
        child._fresh = self._fresh
        return child

    def close_on_exec(self) -> None:
        """execve(2): close what is marked."""
        for entry in [entry for entry in self if entry.cloexec]:
            self.close(entry.fd)

    def close_all(self) -> None:
        """exit(2): close everything, in order of the numbers."""
        for entry in list(self):
            self.close(entry.fd)

    def _put(self, fd: int, file: OpenFile, cloexec: bool) -> Descriptor:
        entry = self._entries[fd] = Descriptor(fd, file, cloexec)
        return entry

    def _forget(self, fd: int) -> None:
        self._entries.pop(fd).open = False
        if fd < self._fresh:
            heapq.heappush(self._holes, fd)
            if len(self._holes) > self._fresh:  # dup2 onto holes has left some twice
                self._holes = sorted(set(self._holes))

    def _lowest(self) -> int:
        """The lowest free number.  dup2 may have taken a hole, or one beyond."""
        while self._holes:
            fd = self._holes[0]
            if fd not in self._entries:
                if fd < self.limit:
                    heapq.heappop(self._holes)
                return fd
            heapq.heappop(self._holes)
        while self._fresh in self._entries:
            self._fresh += 1
        fd = self._fresh
        if fd < self.limit:
            self._fresh += 1
        return fd


def _release_what_nobody_holds(files: Sequence[OpenFile]) -> None:
    for file in files:
        file.hold()
    for file in files:
        file.drop()
