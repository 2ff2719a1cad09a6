"""System V shared memory: shmget(2), shmat(2), shmctl(2); ipc/shm.c.

Laws:

* A segment that is removed lives until its last detach.  Its key is free at
  once, and who knows its identifier may still attach it.
* Attached is mapped: fork attaches again (and counts as the parent's doing),
  exec and exit detach.
* Its size is what was asked for; the rest of the last page is there, too.

Not modelled: SHM_HUGETLB, SHM_EXEC, attaching at a given address, SHM_STAT and
SHM_INFO, and the limit on locked memory (RLIMIT_MEMLOCK).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, NamedTuple, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.memory.contents import PAGE, Contents, pages_in
from asyncipc.kernel.memory.mapping import PROT_READ, PROT_WRITE, Mapping
from asyncipc.kernel.sysv.identifiers import (
    IPC_RMID,
    IPC_SET,
    IPC_STAT,
    MAY_READ,
    MAY_WRITE,
    SEGMENTS_MAX,
    Identified,
    Identifiers,
)

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel
    from asyncipc.kernel.processes.process import Process

SHM_RDONLY: Final = 0o10000
SHM_REMAP: Final = 0o40000
SHM_EXEC: Final = 0o100000
SHM_HUGETLB: Final = 0o4000
SHM_LOCK: Final = 11
SHM_UNLOCK: Final = 12
INFORMATION: Final = frozenset({3, 13, 14, 15})
"""IPC_INFO, SHM_STAT, SHM_INFO, SHM_STAT_ANY."""
SHM_DEST: Final = 0o1000
SHM_LOCKED: Final = 0o2000

SHMMIN: Final = 1
SHMMAX: Final = 2**64 - 2**24 - 1
SHMALL: Final = 2**64 - 2**24 - 1
"""In pages, of all segments together."""


class SegmentStatus(NamedTuple):
    """struct shmid_ds, by its names; times are in seconds of the machine's clock, 0: never."""

    shm_segsz: int
    shm_atime: int
    shm_dtime: int
    shm_ctime: int
    shm_cpid: int
    shm_lpid: int
    shm_nattch: int
    key: int
    uid: int
    gid: int
    cuid: int
    cgid: int
    mode: int


@final
class Segment(Identified):
    """``attached``: how many mappings; ``last_pid``: who attached or detached last."""

    def __init__(self, kernel: Kernel, key: int, size: int, mode: int, process: Process) -> None:
        super().__init__(key, mode, process, kernel.timers)
        self._kernel = kernel
        self.size = size
        self.contents = Contents(kernel.memory, pages_in(size) * PAGE)
        self.doomed = False
        self.locked = False
        self.attached = 0
        self.creator_pid = process.pid
        self.last_pid = 0
        self.attached_s = self.detached_s = 0

    def describe(self) -> str:
        return f"/SYSV{self.key & 0xFFFFFFFF:08x} (deleted)"

    def mapped(self, process: Process) -> None:
        """shm_open() of its mappings: one more."""
        self.attached += 1
        self.last_pid = process.pid
        self.attached_s = self.seconds()

    def unmapped(self, process: Process) -> None:
        """shm_close(): one less, and the last of a doomed segment is its end."""
        self.attached -= 1
        self.last_pid = process.pid
        self.detached_s = self.seconds()
        if self.doomed and not self.attached:
            self._kernel.segments.destroy(self)

    def accessed(self, offset: int, size: int) -> None:
        """It counts no pages."""

    def status(self) -> SegmentStatus:
        """shmctl(IPC_STAT)"""
        return SegmentStatus(
            self.size,
            self.attached_s,
            self.detached_s,
            self.changed_s,
            self.creator_pid,
            self.last_pid,
            self.attached,
            self.key,
            self.uid,
            self.gid,
            self.creator_uid,
            self.creator_gid,
            self.mode | (SHM_DEST if self.doomed else 0) | (SHM_LOCKED if self.locked else 0),
        )


@final
class Segments:
    """All segments of one host."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.known: Identifiers[Segment] = Identifiers(SEGMENTS_MAX)
        self._pages = 0

    def get(self, process: Process, key: int, size: int, flags: int) -> int:
        """shmget(2): EINVAL (size), ENOENT, EEXIST, EACCES, ENOSPC, ENOMEM."""
        if flags & SHM_HUGETLB:
            raise Unsupported("asyncipc does not model SHM_HUGETLB")

        def make() -> Segment:
            if not SHMMIN <= size <= SHMMAX:
                fail(errno.EINVAL)
            if self._pages + pages_in(size) > SHMALL:
                fail(errno.ENOSPC)
            if size >= 1 << 46:
                fail(errno.ENOMEM)
            self.known.demand_room()
            self._pages += pages_in(size)
            return Segment(self._kernel, key, size, flags, process)

        def check(found: Segment) -> None:
            if size > found.size:
                fail(errno.EINVAL)

        return self.known.get(process, key, flags, make, check).identifier

    def attach(self, process: Process, identifier: int, flags: int) -> Mapping:
        """shmat(2): EINVAL, EACCES, ENOMEM."""
        segment = self[identifier]
        if flags & SHM_REMAP:
            fail(errno.EINVAL)  # it asks for an address, and nobody can give one
        if flags & SHM_EXEC:
            raise Unsupported("asyncipc does not model SHM_EXEC")
        read_only = flags & SHM_RDONLY
        segment.demand(process, MAY_READ if read_only else MAY_READ | MAY_WRITE)
        segment.contents.pin()
        protection = PROT_READ if read_only else PROT_READ | PROT_WRITE
        mapping = Mapping(segment.contents, 0, segment.size, protection, backing=segment)
        return self._kernel.memory_maps.insert(process, mapping)

    def detach(self, process: Process, mapping: Mapping) -> None:
        """shmdt(2): EINVAL for a mapping that is no segment's."""
        if not isinstance(mapping.backing, Segment):
            fail(errno.EINVAL)
        self._kernel.memory_maps.munmap(process, mapping.address)

    def control(
        self, process: Process, identifier: int, command: int, status: SegmentStatus | None
    ) -> SegmentStatus | None:
        """shmctl(2)"""
        if command in INFORMATION:
            raise Unsupported(f"asyncipc does not model shmctl command {command}")
        if command == IPC_STAT:
            return self.stat(process, identifier)
        if command == IPC_RMID:
            self.remove(process, identifier)
        elif command in {SHM_LOCK, SHM_UNLOCK}:
            self.lock(process, identifier, locked=command == SHM_LOCK)
        elif command != IPC_SET:
            fail(errno.EINVAL)
        elif status is None:
            fail(errno.EFAULT)
        else:
            self.set(process, identifier, status.uid, status.gid, status.mode)
        return None

    def stat(self, process: Process, identifier: int) -> SegmentStatus:
        """shmctl(IPC_STAT): EACCES unless the process may read."""
        segment = self[identifier]
        segment.demand(process, MAY_READ)
        return segment.status()

    def set(self, process: Process, identifier: int, uid: int, gid: int, mode: int) -> None:
        """shmctl(IPC_SET): EPERM unless the process owns or made it."""
        segment = self[identifier]
        segment.demand_owner(process)
        segment.change(uid, gid, mode)

    def lock(self, process: Process, identifier: int, *, locked: bool) -> None:
        """shmctl(SHM_LOCK), shmctl(SHM_UNLOCK): a mark; nothing is ever swapped out here."""
        segment = self[identifier]
        segment.demand_owner(process)
        segment.locked = locked

    def remove(self, process: Process, identifier: int) -> None:
        """shmctl(IPC_RMID): now if nobody has attached it, else at the last detach."""
        segment = self[identifier]
        segment.demand_owner(process)
        if not segment.attached:
            self.destroy(segment)
        elif not segment.doomed:
            segment.doomed = True
            self.known.forget_key(segment)

    def destroy(self, segment: Segment) -> None:
        self._pages -= pages_in(segment.size)
        self.known.remove(segment)

    def __getitem__(self, identifier: int) -> Segment:
        """EINVAL for what is no identifier, or no longer."""
        return self.known[identifier]
