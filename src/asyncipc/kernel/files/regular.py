"""The regular file: octets with a name, and a position in them.

Laws (mm/shmem.c, mm/filemap.c, fs/read_write.c; the file system is a tmpfs):

* The octets belong to the node, the offset to the open file: dup and fork
  share it, a second open(2) does not.
* Reading and writing never wait, so each is one step: no write is torn, and
  O_APPEND writers never meet.
* O_APPEND writes at the end, whatever the offset; Linux's pwrite(2) too.
* A write behind the end leaves a hole, which reads as zeros.

Not modelled: RLIMIT_FSIZE, the room on the file system, and the fall of the
set-user-ID bit when somebody writes.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.files.extents import Extents
from asyncipc.kernel.files.namespace import O_TRUNC, status_flags
from asyncipc.kernel.files.node import Node
from asyncipc.kernel.files.node_file import NodeFile
from asyncipc.kernel.memory.contents import PAGE, Contents, Memory
from asyncipc.kernel.openfile import (
    O_ACCMODE,
    O_APPEND,
    O_NOATIME,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    Home,
)
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process

S_IFREG: Final = 0o100000
SEEK_SET: Final = 0
SEEK_CUR: Final = 1
SEEK_END: Final = 2
SEEK_DATA: Final = 3
SEEK_HOLE: Final = 4

F_SEAL_SEAL: Final = 1
F_SEAL_SHRINK: Final = 2
F_SEAL_GROW: Final = 4
F_SEAL_WRITE: Final = 8
F_SEAL_FUTURE_WRITE: Final = 16
F_SEAL_EXEC: Final = 32
ALL_SEALS: Final = 63
ANY_WRITE: Final = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE
"""What F_SEAL_EXEC implies for a file that may be executed."""

OFFSET_MAX: Final = 2**63 - 1
"""MAX_LFS_FILESIZE: what loff_t holds."""
REACH: Final = 1 << 40
"""How long a file can be here, holes included: so much can be reserved in one piece."""
INT_SIGN: Final = 1 << 31
BLOCKS_PER_PAGE: Final = PAGE // 512
DAY_NS: Final = 86_400 * 10**9


@final
class RegularNode(Node):
    """``contents``: the octets, which mappings share.  ``seals``: F_ADD_SEALS.

    A file that is no memfd is sealed against sealing (F_SEAL_SEAL).
    """

    __slots__ = ("contents", "extents", "seals")

    file_type = S_IFREG

    def __init__(self, memory: Memory, mode: int, uid: int = 0, gid: int = 0) -> None:
        super().__init__(mode, uid, gid)
        self.contents = Contents(memory)
        self.extents = Extents()
        self.seals = F_SEAL_SEAL

    def opened(self, kernel: Home, process: Process, flags: int) -> RegularFile:
        if flags & O_TRUNC:
            self.truncate(0, kernel.timers.now())
        return RegularFile(kernel, self, status_flags(flags))

    def size(self) -> int:
        return self.contents.size

    def blocks(self) -> int:
        """st_blocks: of 512 octets, where there is storage."""
        return self.extents.pages() * BLOCKS_PER_PAGE

    def allocate(self, offset: int, size: int) -> None:
        """Octets there were written, or accessed through a mapping: their pages have storage."""
        self.extents.add(offset // PAGE, -(-(offset + size) // PAGE))

    def get(self, offset: int, size: int, now: int | None) -> bytes:
        """Octets from ``offset`` on; ``now`` unless st_atime stays."""
        if size and now is not None:
            last = self.accessed_ns  # relatime_need_update(): after each change, and once a day
            if last <= self.modified_ns or last <= self.changed_ns or now - last >= DAY_NS:
                self.accessed_ns = now
        return self.contents.get(offset, size)

    def put(self, offset: int, data: Buffer, now: int) -> int:
        """Write what is allowed there: how many octets.  EFBIG, EPERM (seals)."""
        count = min(len(data), OFFSET_MAX - offset)
        if not count:
            fail(errno.EFBIG)
        if self.seals > F_SEAL_SEAL:
            count = self._unsealed(offset, count)
        if offset + count > REACH:
            within_reach(offset + count)
        self.contents.put(offset, data if count == len(data) else memoryview(data)[:count])
        self.allocate(offset, count)
        self.modified_ns = self.changed_ns = now
        return count

    def _unsealed(self, offset: int, count: int) -> int:
        """shmem_write_begin(), page by page: what the seals let in before they are EPERM."""
        if self.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE):
            fail(errno.EPERM)
        size = self.contents.size
        if self.seals & F_SEAL_GROW and offset + count > size:
            count = size // PAGE * PAGE - offset
            if count <= 0:
                fail(errno.EPERM)
        return count

    def truncate(self, length: int, now: int) -> None:
        """shmem_setattr(): cut, or grow by a hole.  EPERM (seals)."""
        size = self.contents.size
        if length < size and self.seals & F_SEAL_SHRINK:
            fail(errno.EPERM)
        if length > size and self.seals & F_SEAL_GROW:
            fail(errno.EPERM)
        within_reach(length)
        self.contents.truncate(length)
        self.extents.cut(-(-length // PAGE))
        self.modified_ns = self.changed_ns = now


def within_reach(size: int) -> None:
    if size > REACH:
        raise Unsupported(f"asyncipc does not model files of more than {REACH} octets")


@final
class RegularFile(NodeFile):
    """A regular file that somebody has opened.  ``offset``: where read and write go on."""

    __slots__ = ("direct", "readable", "writable")

    noun = "file"
    channel_kind = "file"
    node: RegularNode

    def __init__(self, kernel: Home, node: RegularNode, flags: int) -> None:
        super().__init__(kernel, node, flags)
        self.direct = True
        access = flags & O_ACCMODE  # 3 lets one do neither (OPEN_FMODE)
        self.readable = access in {O_RDONLY, O_RDWR}
        self.writable = access in {O_WRONLY, O_RDWR}

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): from the offset, which moves on; b"" at the end.  EBADF, EINVAL."""
        data = self.read_at(size, self.offset)
        self.offset += len(data)
        return data

    def read_at(self, size: int, offset: int) -> bytes:
        """pread(2).  EBADF, EINVAL (beyond what an offset can be)."""
        if not self.readable:
            fail(errno.EBADF, "this descriptor is not open for reading")
        if offset < 0 or offset + size > OFFSET_MAX:
            fail(errno.EINVAL)
        unseen = self.flags & O_NOATIME
        return self.node.get(offset, size, None if unseen else self.kernel.timers.now())

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        """write(2): at the offset, which moves on, or at the end (O_APPEND)."""
        rest = data if not done else memoryview(data)[done:]
        count, end = self._write(rest, self.offset, self.flags & O_APPEND)
        if count:
            self.offset = end
        return count

    def write_at(self, data: Buffer, offset: int) -> int:
        """pwrite(2): the offset of the file stays.  With O_APPEND at the end all the same."""
        return self._write(data, offset, self.flags & O_APPEND)[0]

    def _write(self, data: Buffer, offset: int, at_end: int) -> tuple[int, int]:
        """How many octets, and where they end."""
        if not self.writable:
            fail(errno.EBADF, "this descriptor is not open for writing")
        if offset < 0 or offset + len(data) > OFFSET_MAX:
            fail(errno.EINVAL)
        if not len(data):
            return 0, offset
        if at_end:
            offset = self.node.contents.size
        count = self.node.put(offset, data, self.kernel.timers.now())
        return count, offset + count

    def seek(self, offset: int, whence: int) -> int:
        """lseek(2): EINVAL, ENXIO (SEEK_DATA and SEEK_HOLE at the end or behind)."""
        if whence in {SEEK_DATA, SEEK_HOLE}:
            offset = self._find(offset, whence)
        elif whence in {SEEK_SET, SEEK_CUR, SEEK_END}:
            offset += (0, self.offset, self.node.contents.size)[whence]
        else:
            fail(errno.EINVAL)
        if not 0 <= offset <= OFFSET_MAX:
            fail(errno.EINVAL)
        self.offset = offset
        return offset

    def _find(self, offset: int, whence: int) -> int:
        """mapping_seek_hole_data(): the end of the file is a hole."""
        size, extents = self.node.contents.size, self.node.extents
        if not 0 <= offset < size:
            fail(errno.ENXIO)
        if whence == SEEK_HOLE:
            return min(size, max(offset, extents.hole_from(offset // PAGE) * PAGE))
        page = extents.data_from(offset // PAGE)
        if page is None:
            fail(errno.ENXIO)
        return max(offset, page * PAGE)

    def truncate(self, length: int) -> None:
        """ftruncate(2).  EINVAL below 0, and if it is not open to write."""
        if not self.writable or length < 0:
            fail(errno.EINVAL)
        self.node.truncate(length, self.kernel.timers.now())

    def get_seals(self) -> int:
        return self.node.seals

    def add_seals(self, seals: int) -> None:
        """fcntl(F_ADD_SEALS): EPERM, EINVAL, EBUSY (memfd_add_seals)."""
        if not self.writable:
            fail(errno.EPERM)
        if seals & ~ALL_SEALS:
            fail(errno.EINVAL)
        node = self.node
        if node.seals & F_SEAL_SEAL:
            fail(errno.EPERM)
        if seals & ~node.seals & F_SEAL_WRITE and any(
            mapping.writable for mapping in node.contents.mappings
        ):
            fail(errno.EBUSY, "it is mapped shared by somebody who may write")
        if seals & F_SEAL_EXEC and node.mode & 0o111:
            seals |= ANY_WRITE
        node.seals |= seals

    def unread(self) -> int:
        """FIONREAD: from the offset to the end, below 0 behind it; an int of 32 bits."""
        return (self.node.contents.size - self.offset + INT_SIGN) % (2 * INT_SIGN) - INT_SIGN
