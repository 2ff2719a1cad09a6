"""System V shared memory of the operating system: shmget(2), shmat(2), shmdt(2), shmctl(2).

Laws:

* Identifiers, keys, limits and statuses are the operating system's, for all of
  its programs; a segment lives until somebody removes it.
* Each mapping of ours is an attachment of its own there, so ``shm_nattch`` is
  true: a forked task attaches once more, and its end detaches.
* The pids of a status are those of interpreters.
* A raw view that is still held as the last of its mappings goes keeps the
  octets as they are, but no longer the segment.
"""

from __future__ import annotations

import errno
import sys
from ctypes import Structure, byref, c_char, c_int, c_long, c_size_t, c_ulong
from typing import TYPE_CHECKING, Any, Final, final
from weakref import finalize, ref

from asyncipc.errors import fail
from asyncipc.kernel.memory.contents import PAGE, Loan, Mapped, pages_in
from asyncipc.kernel.memory.mapping import PROT_READ, PROT_WRITE, Mapping
from asyncipc.kernel.memory.mmap import MAP_ANONYMOUS, MAP_PRIVATE
from asyncipc.kernel.sysv.identifiers import IPC_RMID, IPC_SET, IPC_STAT
from asyncipc.kernel.sysv.segments import (
    INFORMATION,
    SHM_EXEC,
    SHM_HUGETLB,
    SHM_LOCK,
    SHM_RDONLY,
    SHM_REMAP,
    SHM_UNLOCK,
    SegmentStatus,
)
from asyncipc.native import libc
from asyncipc.native.refusal import refuse

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel
    from asyncipc.kernel.processes.process import Process

MAP_FIXED: Final = 0x10
KEY_MASK: Final = 0xFFFFFFFF


class Description(Structure):
    """struct shmid_ds"""

    _fields_ = (
        ("shm_perm", libc.Permissions),
        ("shm_segsz", c_size_t),
        ("shm_atime", c_long),
        ("shm_dtime", c_long),
        ("shm_ctime", c_long),
        ("shm_cpid", c_int),
        ("shm_lpid", c_int),
        ("shm_nattch", c_ulong),
        ("_reserved", c_ulong * 2),
    )


def description_of(identifier: int) -> Any:
    """shmctl(IPC_STAT)"""
    libc.demand_known_layout("System V shared memory")
    found = Description()
    libc.shmctl(identifier, IPC_STAT, byref(found))
    return found


@final
class Attached:
    """The octets of a segment, attached once for each of ``mappings``, and seen at the first.

    It is what backs a mapping, as well.
    """

    __slots__ = ("_address", "_flags", "_further", "_identifier", "_key", "_lent", "_mappings",
                 "_memory", "length", "size")  # fmt: skip

    is_private = False

    def __init__(self, identifier: int, flags: int) -> None:
        self._identifier = identifier
        self._flags = flags
        self._address = libc.shmat(identifier, None, flags)
        found = description_of(identifier)
        self._key = found.shm_perm.key & KEY_MASK
        self.length: int = found.shm_segsz
        self.size = pages_in(found.shm_segsz) * PAGE
        self._memory = memoryview((c_char * self.size).from_address(self._address)).cast("B")
        self._further: list[int] = []
        self._mappings: dict[Mapped, None] = {}
        self._lent: ref[Any] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Attached) and self._identifier == other._identifier

    def __hash__(self) -> int:
        return self._identifier

    # -- octets

    def peek(self, offset: int, size: int) -> bytes:
        return bytes(self._there()[offset : offset + size])

    def poke(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        memory = self._there()
        if self._flags & SHM_RDONLY:
            fail(errno.EFAULT, "it is attached to be read only")
        memory[offset : offset + len(data)] = data

    def _there(self) -> memoryview:
        if not self._mappings:
            fail(errno.EFAULT, "it is no longer attached")
        return self._memory

    def lend(self, offset: int, size: int) -> Loan:
        """All views are of one object, which says whether one is still held."""
        self._there()
        lent = None if self._lent is None else self._lent()
        if lent is None:
            lent = (c_char * self.size).from_address(self._address)
            self._lent = ref(lent)
        is_held = self._lent
        assert is_held is not None
        view = memoryview(lent).cast("B")[offset : offset + size]
        return view, lambda: is_held() is not None

    def synchronize(self, offset: int, size: int) -> None:
        """It has no file."""

    # -- its life

    def enter(self, mapping: Mapped) -> None:
        if self._mappings:
            self._further.append(libc.shmat(self._identifier, None, self._flags))
        self._mappings[mapping] = None

    def leave(self, mapping: Mapped) -> None:
        del self._mappings[mapping]
        if self._further:
            libc.shmdt(self._further.pop())
            return
        lent = None if self._lent is None else self._lent()
        if lent is None:
            libc.shmdt(self._address)
        else:
            self._leave_behind(lent)

    def _leave_behind(self, lent: object) -> None:
        """Memory of nobody in its place, for who still holds a view."""
        octets = bytes(self._memory)
        flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
        libc.mmap(self._address, self.size, PROT_READ | PROT_WRITE, flags, -1, 0)
        self._memory[:] = octets
        finalize(lent, libc.munmap, self._address, self.size).atexit = False

    def forked(self) -> Attached:
        return self

    # -- as what backs a mapping

    def describe(self) -> str:
        return f"/SYSV{self._key:08x} (deleted)"

    def mapped(self, process: Process) -> None:
        """It is in ``enter``."""

    def unmapped(self, process: Process) -> None:
        """It is in ``leave``."""

    def accessed(self, offset: int, size: int) -> None:
        """It counts no pages."""


@final
class NativeSegments:
    """shmget(2) and its kin, for the processes of one run."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def get(self, process: Process, key: int, size: int, flags: int) -> int:
        if flags & SHM_HUGETLB:
            refuse("SHM_HUGETLB")
        if not 0 <= size <= sys.maxsize:
            fail(errno.EINVAL)
        return libc.shmget(key, size, flags)

    def attach(self, process: Process, identifier: int, flags: int) -> Mapping:
        if flags & SHM_REMAP:
            fail(errno.EINVAL)  # it asks for an address, and nobody can give one
        if flags & SHM_EXEC:
            refuse("SHM_EXEC")
        libc.demand_known_layout("System V shared memory")
        octets = Attached(identifier, flags)
        protection = PROT_READ if flags & SHM_RDONLY else PROT_READ | PROT_WRITE
        mapping = Mapping(octets, 0, octets.length, protection, backing=octets)
        return self._kernel.memory_maps.insert(process, mapping)

    def detach(self, process: Process, mapping: Mapping) -> None:
        """EINVAL for a mapping that is no segment's."""
        if not isinstance(mapping.backing, Attached):
            fail(errno.EINVAL)
        self._kernel.memory_maps.munmap(process, mapping.address)

    def control(
        self, process: Process, identifier: int, command: int, status: SegmentStatus | None
    ) -> SegmentStatus | None:
        if command in INFORMATION:
            refuse(f"shmctl command {command}")
        if command == IPC_STAT:
            return _status(description_of(identifier))
        if command == IPC_SET:
            _set(identifier, status)
        elif command in {IPC_RMID, SHM_LOCK, SHM_UNLOCK}:
            libc.shmctl(identifier, command, None)
        else:
            fail(errno.EINVAL)
        return None


def _set(identifier: int, status: SegmentStatus | None) -> None:
    """shmctl(IPC_SET)"""
    if status is None:
        fail(errno.EFAULT)
    described = Description()
    wanted = described.shm_perm
    wanted.uid, wanted.gid, wanted.mode = status.uid, status.gid, status.mode
    libc.shmctl(identifier, IPC_SET, byref(described))


def _status(found: Any) -> SegmentStatus:
    who = found.shm_perm
    return SegmentStatus(
        found.shm_segsz,
        found.shm_atime,
        found.shm_dtime,
        found.shm_ctime,
        found.shm_cpid,
        found.shm_lpid,
        found.shm_nattch,
        who.key,
        who.uid,
        who.gid,
        who.cuid,
        who.cgid,
        who.mode,
    )
