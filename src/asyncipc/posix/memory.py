"""Memory that processes share: objects by name, files without one, and maps of both."""

from __future__ import annotations

import operator
from typing import Final

from asyncipc.faces.memory_map import MemoryMap
from asyncipc.faces.paths import to_kernel_path
from asyncipc.faces.shared_objects import map_memory, open_object, unlink_object
from asyncipc.posix.constants import MAP_SHARED, MFD_CLOEXEC, PROT_READ, PROT_WRITE
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call

__all__ = [
    "MemoryMap",
    "memfd_create",
    "mmap",
    "shm_open",
    "shm_unlink",
]

OBJECT_MODE: Final = 0o600


def shm_open(name: str, flags: int, mode: int = OBJECT_MODE) -> int:
    """shm_open(3): a descriptor for the shared memory object ``name``, the lowest free one.

    ``flags`` as for open(2): O_RDONLY or O_RDWR, O_CREAT (then it is empty; ``mode``
    less the umask), O_EXCL, O_TRUNC.  Close-on-exec.  Never blocks.  What it gives is
    a file of ``/dev/shm``: read, write, lock and truncate it as one.  ENOENT, EEXIST,
    EACCES, EMFILE, EINVAL (no name, or a slash in it), ENAMETOOLONG.
    """
    return open_object(name, operator.index(flags), operator.index(mode)).fd


def shm_unlink(name: str) -> None:
    """shm_unlink(3): take the name away; who has it open or mapped keeps it.  ENOENT, EACCES."""
    unlink_object(name)


def memfd_create(name: str, flags: int = MFD_CLOEXEC) -> int:
    """memfd_create(2): a descriptor for an empty file without a name; ``name`` is for show.

    ``MFD_ALLOW_SEALING``: fcntl(F_ADD_SEALS) may seal it.  ``MFD_NOEXEC_SEAL``: it is
    not executable, and will not be.  EINVAL (flags, a name over 249 bytes), EMFILE.
    Not modelled: MFD_HUGETLB.
    """
    body = current()
    table = body.process.table

    def make(name: bytes, flags: int) -> int:
        table.check_room()
        file = body.machine.memfd_create(body, name, flags)
        return table.open(file, cloexec=bool(flags & MFD_CLOEXEC))[0].fd

    return call("memfd_create", make, to_kernel_path(name), operator.index(flags))


def mmap(
    fd: int,
    length: int,
    flags: int = MAP_SHARED,
    prot: int = PROT_READ | PROT_WRITE,
    offset: int = 0,
) -> MemoryMap:
    """mmap(2): map ``length`` bytes of a file from ``offset`` on; all of it with 0.

    What it gives has the methods of ``mmap.mmap``, and ``buf``.  ``fd`` -1 is anonymous
    memory: MAP_SHARED is shared with the children that are forked later, MAP_PRIVATE is
    copied for them.  It outlives descriptor and name, and goes at ``close``, exec and
    exit; it keeps the open file as a descriptor does, but takes no number (Python's
    own takes one).  Errors: ValueError if the file is empty or too short, OverflowError
    below 0, as Python has it; EBADF, EACCES (the descriptor cannot read; or not write,
    which MAP_SHARED with PROT_WRITE needs), EINVAL (``offset`` within a page, no length,
    no kind), ENODEV (pipes, sockets), EPERM (sealed), ENOMEM.

    Not modelled, and refused: MAP_FIXED and its kin, MAP_LOCKED, MAP_HUGETLB,
    PROT_EXEC, unmapping a part, mremap, mprotect, madvise.
    """
    return map_memory(
        operator.index(fd),
        operator.index(length),
        operator.index(flags),
        operator.index(prot),
        operator.index(offset),
    )
