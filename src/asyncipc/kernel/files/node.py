"""The node: what a name in the namespace stands for (an inode), and what stat tells.

A node keeps its last name and directory when it is unlinked, as a dentry does,
and says so in its path.  Of several names (hard links) it shows one.

Permissions are those of inode_permission(): mode bits for owner, group and
others; uid 0 may do all.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, NamedTuple, final

from asyncipc.errors import fail
from asyncipc.kernel.processes.permissions import permits
from asyncipc.kernel.readiness import READABLE
from asyncipc.kernel.waitqueue import WaitQueue, Watch, WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.files.pipe import Pipe
    from asyncipc.kernel.openfile import Home, OpenFile
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.socket import Socket

R_OK: Final = 4
W_OK: Final = 2
X_OK: Final = 1

S_IFIFO: Final = 0o010000
S_IFCHR: Final = 0o020000
S_IFDIR: Final = 0o040000
S_IFREG: Final = 0o100000
S_IFSOCK: Final = 0o140000
S_ISVTX: Final = 0o1000
S_ISUID: Final = 0o4000
SETGID_PROGRAM: Final = 0o2010
"""S_ISGID and S_IXGRP: without the second the first means something else."""
PERMISSIONS: Final = 0o7777

ENTRY_SIZE: Final = 20
"""What a name adds to its directory's st_size in tmpfs (BOGO_DIRENT_SIZE)."""


class Status(NamedTuple):
    """stat(2).  ``mode`` has the type of the file in it; times are nanoseconds."""

    mode: int
    inode: int
    links: int = 1
    uid: int = 0
    gid: int = 0
    size: int = 0
    accessed_ns: int = 0
    modified_ns: int = 0
    changed_ns: int = 0
    blocks: int = 0
    device: int = 1
    block_size: int = 4096


class Node:
    """``mode``: permission bits only.  ``linked``: it still has a name.

    ``further``: the hard links beside ``parent`` and ``name``.
    """

    __slots__ = (
        "accessed_ns",
        "changed_ns",
        "further",
        "gid",
        "inode",
        "linked",
        "mode",
        "modified_ns",
        "name",
        "parent",
        "uid",
    )

    file_type = 0

    def __init__(self, mode: int, uid: int = 0, gid: int = 0) -> None:
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.inode = 0
        self.linked = False
        self.name = b""
        self.parent: Directory | None = None
        self.further: tuple[tuple[Directory, bytes], ...] = ()
        self.accessed_ns = self.modified_ns = self.changed_ns = 0

    def path(self) -> bytes:
        """Its absolute path, as ``/proc/PID/fd`` shows it."""
        names: list[bytes] = []
        here = self
        while here.parent is not None:  # no recursion: directories nest as deep as one likes
            names.append(here.name if here.linked else here.name + b" (deleted)")
            here = here.parent
        return b"/" + b"/".join(reversed(names))

    def describe(self) -> str:
        return self.path().decode(errors="backslashreplace")

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Anybody might open it; nobody in particular is known to."""
        return ()

    def status(self) -> Status:
        """stat(2)"""
        return Status(
            self.file_type | self.mode,
            self.inode,
            self.link_count(),
            self.uid,
            self.gid,
            self.size(),
            self.accessed_ns,
            self.modified_ns,
            self.changed_ns,
            self.blocks(),
        )

    def link_count(self) -> int:
        return int(self.linked) + len(self.further)

    def size(self) -> int:
        return 0

    def blocks(self) -> int:
        """st_blocks: of 512 octets."""
        return 0

    def linked_as(self, directory: Directory, name: bytes) -> None:
        """link(2): it has this name too."""
        if self.linked:
            self.further += ((directory, name),)
        else:
            self.parent, self.name, self.linked = directory, name, True

    def unlinked_from(self, directory: Directory, name: bytes) -> None:
        """unlink(2): it has lost this name; the last one is what it goes on showing."""
        if (directory, name) in self.further:
            self.further = tuple(each for each in self.further if each != (directory, name))
        elif self.further:
            (self.parent, self.name), *rest = self.further
            self.further = tuple(rest)
        else:
            self.linked = False

    def opened(self, kernel: Home, process: Process, flags: int) -> OpenFile:
        """open(2), once it is allowed.  ENXIO for what cannot be opened by its name."""
        fail(errno.ENXIO, "a UNIX socket is reached with connect(), not with open()")

    def truncate(self, length: int, now: int) -> None:
        """truncate(2).  EINVAL for what has no length."""
        fail(errno.EINVAL)


@final
class Directory(Node):
    __slots__ = ("entries",)

    file_type = S_IFDIR

    def __init__(self, mode: int, uid: int = 0, gid: int = 0) -> None:
        super().__init__(mode, uid, gid)
        self.entries: dict[bytes, Node] = {}

    def link_count(self) -> int:
        """Its name, its own "." and the ".." of each directory in it."""
        inner = sum(isinstance(node, Directory) for node in self.entries.values())
        return 2 + inner if self.linked else 0

    def size(self) -> int:
        return ENTRY_SIZE * (2 + len(self.entries))  # a removed one too

    def opened(self, kernel: Home, process: Process, flags: int) -> OpenFile:
        from asyncipc.kernel.files.directory import DirectoryFile  # few programs open one

        return DirectoryFile(kernel, self, flags)

    def truncate(self, length: int, now: int) -> None:
        fail(errno.EISDIR)


@final
class FifoNode(Node):
    """A FIFO: fifo(7).  ``pipe`` is what its ends share, made when it is first opened."""

    __slots__ = ("_refusal", "openings", "pipe")

    file_type = S_IFIFO

    def __init__(self, mode: int, uid: int, gid: int) -> None:
        super().__init__(mode, uid, gid)
        self.pipe: Pipe | None = None
        self.openings: WaitQueue | None = None
        self._refusal: WouldBlock | None = None

    def opening_refusal(self) -> WouldBlock:
        """What an open answers until the other side is opened.

        One partner releases all who wait for it, so they are watchers, no line.
        """
        if self._refusal is None:
            self.openings = WaitQueue(self, READABLE)
            self._refusal = WouldBlock(Watch((self.openings,)), self, READABLE)
        return self._refusal


@final
class SocketNode(Node):
    """The file of a bound UNIX socket; ``socket`` is None once that is closed."""

    __slots__ = ("socket",)

    file_type = S_IFSOCK

    def __init__(self, mode: int, uid: int, gid: int, socket: Socket) -> None:
        super().__init__(mode, uid, gid)
        self.socket: Socket | None = socket


def allows(node: Node, process: Process, wanted: int) -> bool:
    """access(2): do the mode bits let the process have R_OK, W_OK, X_OK?"""
    if process.uid == 0:  # may do all, but only execute what somebody may (generic_permission)
        return not wanted & X_OK or isinstance(node, Directory) or bool(node.mode & 0o111)
    return permits(process, wanted, node.mode, (node.uid,), (node.gid,))


def demand(node: Node, process: Process, wanted: int) -> None:
    """EACCES unless the mode bits let the process have R_OK, W_OK, X_OK."""
    if not allows(node, process, wanted):
        fail(errno.EACCES)


def may_link(node: Node, process: Process) -> bool:
    """may_linkat(): of another's file (fs.protected_hardlinks) what one may read and write."""
    if process.uid in {0, node.uid}:
        return True
    gains = node.mode & S_ISUID or node.mode & SETGID_PROGRAM == SETGID_PROGRAM
    return node.file_type == S_IFREG and not gains and allows(node, process, R_OK | W_OK)
