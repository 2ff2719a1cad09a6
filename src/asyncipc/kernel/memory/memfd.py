"""memfd_create(2): a regular file without a name, which fcntl(2) may seal.

Laws (mm/memfd.c): a seal is never taken off.  F_SEAL_SEAL, which all files have
that are not made with MFD_ALLOW_SEALING, refuses more.  F_SEAL_WRITE is refused
while a shared mapping could still write, be it not now.  Who puts them on, and
what they refuse, is said in kernel/files/regular and kernel/memory/mmap.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.files.regular import F_SEAL_EXEC, RegularFile, RegularNode
from asyncipc.kernel.openfile import O_RDWR

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import Home
    from asyncipc.kernel.processes.process import Process

MFD_CLOEXEC: Final = 1
MFD_ALLOW_SEALING: Final = 2
MFD_HUGETLB: Final = 4
MFD_NOEXEC_SEAL: Final = 8
MFD_EXEC: Final = 16
MFD_NAME_MAX: Final = 249
F_ADD_SEALS: Final = 1033
F_GET_SEALS: Final = 1034
EXECUTABLE: Final = 0o777
NOT_EXECUTABLE: Final = 0o666
O_LARGEFILE: Final = 0o100000


def memfd_create(home: Home, process: Process, name: bytes, flags: int) -> RegularFile:
    """memfd_create(2): the open file.  EINVAL (flags, a name over 249 bytes)."""
    if flags & MFD_HUGETLB:
        raise Unsupported("asyncipc does not model MFD_HUGETLB")
    known = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC
    if flags & ~known or (flags & MFD_EXEC and flags & MFD_NOEXEC_SEAL):
        fail(errno.EINVAL)
    if len(name) > MFD_NAME_MAX:
        fail(errno.EINVAL)
    mode = NOT_EXECUTABLE if flags & MFD_NOEXEC_SEAL else EXECUTABLE
    node = RegularNode(home.memory, mode, process.uid, process.gid)
    node.name, node.parent = b"memfd:" + name, home.names.root
    node.inode = home.new_inode()
    node.accessed_ns = node.modified_ns = node.changed_ns = home.timers.now()
    if flags & MFD_NOEXEC_SEAL:
        node.seals = F_SEAL_EXEC
    elif flags & MFD_ALLOW_SEALING:
        node.seals = 0
    file = RegularFile(home, node, O_RDWR | O_LARGEFILE)
    file.direct = False  # nobody has opened it (shmem_file_open)
    return file
