"""System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2)."""

from __future__ import annotations

import errno
import operator

from asyncipc.errors import fail
from asyncipc.faces.attached_memory import AttachedMemory
from asyncipc.kernel.sysv.segments import SegmentStatus
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call

__all__ = [
    "AttachedMemory",
    "SegmentStatus",
    "shmat",
    "shmctl",
    "shmdt",
    "shmget",
]


def shmget(key: int, size: int, flags: int) -> int:
    """shmget(2): the identifier of the segment of a key, of at least ``size`` bytes.

    IPC_PRIVATE, or IPC_CREAT for a key that has none, makes one of zeros; the low bits
    of ``flags`` are its mode, which no umask changes.  It lives until ``shmctl`` removes
    it, whoever ends.  ENOENT, EEXIST (IPC_EXCL), EACCES, EINVAL (larger than it is;
    no size for a new one), ENOSPC (4096 segments), ENOMEM.  Not modelled: SHM_HUGETLB.
    """
    body = current()
    segments = body.machine.segments

    def get(key: int, size: int, flags: int) -> int:
        return segments.get(body.process, key, size, flags)

    return call("shmget", get, operator.index(key), operator.index(size), operator.index(flags))


def shmat(shmid: int, flags: int = 0) -> AttachedMemory:
    """shmat(2): map a segment, to read and write, or with SHM_RDONLY to read.

    One that is removed, but attached by somebody, can still be attached.  What it gives
    is read and written by index and slice; ``buf`` is the memory itself.  It is a
    pointer: writing to what is read-only, and all use after ``shmdt``, is SIGSEGV.
    EINVAL, EACCES, ENOMEM.  Not modelled: an address of one's own, SHM_EXEC.
    """
    body = current()
    segments = body.machine.segments

    def attach(shmid: int, flags: int) -> AttachedMemory:
        return AttachedMemory(body.machine, segments.attach(body.process, shmid, flags))

    return call("shmat", attach, operator.index(shmid), operator.index(flags))


def shmdt(memory: AttachedMemory) -> None:
    """shmdt(2): unmap it from this process; the last detach of a removed segment ends it.

    EINVAL if this process has nothing attached there.  Raw views that are still held
    keep the memory, but no longer the segment.
    """
    body = current()

    def detach(address: int) -> None:
        mapping = memory.here()
        if mapping is None:
            fail(errno.EINVAL)
        body.machine.segments.detach(body.process, mapping)

    call("shmdt", detach, memory.address)


def shmctl(shmid: int, command: int, status: SegmentStatus | None = None) -> SegmentStatus | None:
    """shmctl(2): ask for a segment's status (IPC_STAT, which alone returns something),
    remove it (IPC_RMID), or change it.

    IPC_RMID: its key is free at once, the segment goes at the last detach, and its mode
    shows SHM_DEST until then.  IPC_SET takes ``uid``, ``gid`` and the mode bits of
    ``status``.  SHM_LOCK and SHM_UNLOCK only mark the mode (SHM_LOCKED).  EINVAL,
    EACCES (may not read), EPERM (neither owner nor creator).  Not modelled: IPC_INFO,
    SHM_INFO, SHM_STAT.
    """
    return call("shmctl", _shmctl, operator.index(shmid), operator.index(command), status)


def _shmctl(shmid: int, command: int, status: SegmentStatus | None) -> SegmentStatus | None:
    body = current()
    return body.machine.segments.control(body.process, shmid, command, status)
