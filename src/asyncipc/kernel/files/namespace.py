"""The namespace: path names, and what can be done to them.

Directories hold names; a node (inode) may be a regular file, a FIFO or the file
of a UNIX socket.  A path is bytes, absolute or from the process's working
directory.  There are no symbolic links and no mounts: all is one tmpfs, and what
/proc says of descriptors is in ``proc``.  Which error wins when several apply is
that of fs/namei.c.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, NamedTuple, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.files.node import (
    PERMISSIONS,
    R_OK,
    S_IFREG,
    S_ISVTX,
    W_OK,
    X_OK,
    Directory,
    FifoNode,
    Node,
    Status,
    allows,
    demand,
    may_link,
)
from asyncipc.kernel.files.proc import descriptor_at, node_of, table_at
from asyncipc.kernel.openfile import O_ACCMODE, O_CLOEXEC, O_NOATIME

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import Home, OpenFile
    from asyncipc.kernel.processes.process import Process

NAME_MAX: Final = 255
PATH_MAX: Final = 4096
SPECIAL: Final = frozenset({b"", b".", b".."})
"""Last names that are no names: the root's, and a directory's own two."""

DESCRIPTORS: Final = (b"/proc/", b"/dev/")
"""Where the names of descriptors are."""

O_CREAT: Final = 0o100
O_EXCL: Final = 0o200
O_TRUNC: Final = 0o1000
O_DIRECTORY: Final = 0o200000
O_NOCTTY: Final = 0o400
O_LARGEFILE: Final = 0o100000
PASSING: Final = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC
"""Flags that concern the open only: the open file does not keep them."""
WANTED: Final = (R_OK, W_OK, R_OK | W_OK, R_OK | W_OK)
"""The permissions that each access mode of open(2) needs."""


class Place(NamedTuple):
    """Where a path leads: a directory, a name in it, and whether a slash follows."""

    directory: Directory
    name: bytes
    slash: bool


@final
class Namespace:
    __slots__ = ("_home", "_last_inode", "root", "shared_memory", "tmp")

    def __init__(self, home: Home) -> None:
        self._home = home
        self._last_inode = 0
        self.root = Directory(0o755)
        self.root.linked = True
        self._number(self.root)
        self.tmp = Directory(0o1777)
        self._enter(self.root, b"tmp", self.tmp)
        devices = Directory(0o755)
        self._enter(self.root, b"dev", devices)
        self.shared_memory = Directory(0o1777)
        self._enter(devices, b"shm", self.shared_memory)

    # -- finding

    def lookup(self, process: Process, path: bytes) -> Node:
        """The node of a path.  ENOENT, ENOTDIR, EACCES, ENAMETOOLONG."""
        if path.startswith(DESCRIPTORS) and (file := self.descriptor(process, path)) is not None:
            node = node_of(file)
            if node is None:
                raise Unsupported(f"{file.describe()} has no name to do this with")
            return node
        return self._node_at(self._walk(process, path))

    def descriptor(self, process: Process, path: bytes) -> OpenFile | None:
        """The open file that a path in /proc or /dev names, if it is one of a descriptor."""
        return descriptor_at(self._home, process, path)

    def stat(self, process: Process, path: bytes) -> Status:
        """stat(2)"""
        if path.startswith(DESCRIPTORS) and (file := self.descriptor(process, path)) is not None:
            return file.status()
        return self.lookup(process, path).status()

    def listdir(self, process: Process, path: bytes) -> list[bytes]:
        """The names in a directory, in order of their making.  ENOTDIR, EACCES."""
        if path.startswith(DESCRIPTORS) and (table := table_at(self._home, process, path)):
            return [b"%d" % entry.fd for entry in table]
        directory = self._directory(process, path)
        demand(directory, process, R_OK)
        directory.accessed_ns = self._now()
        return list(directory.entries)

    def access(self, process: Process, path: bytes, wanted: int) -> bool:
        """access(2): does it exist (0), may one do R_OK, W_OK, X_OK?  EINVAL."""
        if wanted & ~(R_OK | W_OK | X_OK):
            fail(errno.EINVAL)
        return allows(self.lookup(process, path), process, wanted)

    def to_open(self, process: Process, path: bytes, flags: int, mode: int = 0) -> Node:
        """The node that open(2) means: open_last_lookups() in fs/namei.c.

        With O_CREAT it may be a new one, of which its opener asks no permission.
        """
        if flags & O_CREAT and flags & O_DIRECTORY:
            fail(errno.EINVAL)
        place = self._walk(process, path)
        if place.slash and flags & O_CREAT:
            fail(errno.EISDIR)
        node = self._find(place)
        if node is None:
            return self._create(process, place, flags, mode)
        demand_open(node, process, flags, slash=place.slash)
        return node

    def _create(self, process: Process, place: Place, flags: int, mode: int) -> Node:
        from asyncipc.kernel.files.regular import RegularNode  # for programs that have files

        if not flags & O_CREAT:
            fail(errno.ENOENT)
        self._demand_change(process, place.directory)
        mode &= PERMISSIONS & ~process.umask
        node = RegularNode(self._home.memory, mode, process.uid, process.gid)
        self._enter(place.directory, place.name, node)
        return node

    # -- making and taking away

    def add(self, process: Process, path: bytes, node: Node) -> None:
        """Give a new node a name.  EEXIST if it is taken, ENOENT without its directory."""
        place = self._walk(process, path)
        if place.name in SPECIAL or self._find(place) is not None:
            fail(errno.EEXIST)
        if place.slash and not isinstance(node, Directory):
            fail(errno.ENOENT)
        self._demand_change(process, place.directory)
        self._enter(place.directory, place.name, node)

    def link(self, process: Process, former: bytes, new: bytes) -> None:
        """link(2): another name for the same node.  EPERM for a directory."""
        node, place = self.lookup(process, former), self._walk(process, new)
        if place.name in SPECIAL or self._find(place) is not None:
            fail(errno.EEXIST)
        if place.slash:
            fail(errno.ENOENT)
        if not may_link(node, process):
            fail(errno.EPERM)
        self._demand_change(process, place.directory)
        if isinstance(node, Directory):
            fail(errno.EPERM)
        self._enter(place.directory, place.name, node)
        node.changed_ns = self._now()

    def mkfifo(self, process: Process, path: bytes, mode: int) -> None:
        """mkfifo(3)"""
        mode &= PERMISSIONS & ~process.umask
        self.add(process, path, FifoNode(mode, process.uid, process.gid))

    def mkdir(self, process: Process, path: bytes, mode: int) -> None:
        """mkdir(2): of the bits above rwx only the sticky one counts."""
        mode &= (S_ISVTX | 0o777) & ~process.umask
        self.add(process, path, Directory(mode, process.uid, process.gid))

    def rmdir(self, process: Process, path: bytes) -> None:
        """rmdir(2)"""
        place = self._walk(process, path)
        if place.name in SPECIAL:
            fail({b"": errno.EBUSY, b".": errno.EINVAL, b"..": errno.ENOTEMPTY}[place.name])
        node = self._node_there(place)
        self._demand_delete(process, place.directory, node, is_directory=True)
        if isinstance(node, Directory) and node.entries:
            fail(errno.ENOTEMPTY)
        self._remove(place, node)

    def unlink(self, process: Process, path: bytes) -> None:
        """unlink(2): whoever has it open keeps it."""
        place = self._walk(process, path)
        if place.name in SPECIAL:
            fail(errno.EISDIR)
        node = self._node_there(place)
        if place.slash:
            fail(errno.EISDIR if isinstance(node, Directory) else errno.ENOTDIR)
        self._demand_delete(process, place.directory, node, is_directory=False)
        self._remove(place, node)

    def rename(self, process: Process, former: bytes, new: bytes) -> None:
        """rename(2): what bears the new name already is replaced, in one step."""
        source, target = self._walk(process, former), self._walk(process, new)
        if source.name in SPECIAL or target.name in SPECIAL:
            fail(errno.EBUSY)
        node, replaced = self._node_there(source), self._find(target)
        if not isinstance(node, Directory) and (source.slash or target.slash):
            fail(errno.ENOTDIR)
        if self._is_at_or_above(node, target.directory):
            fail(errno.EINVAL)
        if replaced is not None and self._is_at_or_above(replaced, source.directory):
            fail(errno.ENOTEMPTY)
        if replaced is node:
            return
        self._demand_rename(process, node, source, replaced, target)
        if isinstance(replaced, Directory) and replaced.entries:
            fail(errno.ENOTEMPTY)
        if replaced is not None:
            self._remove(target, replaced)
        self._remove(source, node)
        self._enter(target.directory, target.name, node)

    def _demand_rename(
        self, process: Process, node: Node, source: Place, replaced: Node | None, target: Place
    ) -> None:
        """vfs_rename(): may it go from there, and come to here?"""
        is_directory = isinstance(node, Directory)
        self._demand_delete(process, source.directory, node, is_directory=is_directory)
        if replaced is None:
            self._demand_change(process, target.directory)
        else:
            self._demand_delete(process, target.directory, replaced, is_directory=is_directory)
        if is_directory and source.directory is not target.directory:
            demand(node, process, W_OK)  # its ".." changes

    def chmod(self, process: Process, path: bytes, mode: int) -> None:
        """chmod(2).  EPERM unless the process owns it."""
        node = self.lookup(process, path)
        if process.uid not in {0, node.uid}:
            fail(errno.EPERM)
        node.mode = mode & PERMISSIONS
        node.changed_ns = self._now()

    def truncate(self, process: Process, path: bytes, length: int) -> None:
        """truncate(2).  EISDIR, EINVAL (no regular file, below 0), EACCES."""
        node = self.lookup(process, path)
        if node.file_type == S_IFREG:
            demand(node, process, W_OK)
        node.truncate(length, self._now())

    # -- the working directory

    def chdir(self, process: Process, path: bytes) -> None:
        """chdir(2)"""
        directory = self._directory(process, path)
        demand(directory, process, X_OK)
        process.cwd = directory

    def getcwd(self, process: Process) -> bytes:
        """getcwd(2).  ENOENT if it has been removed."""
        if not process.cwd.linked:
            fail(errno.ENOENT)
        return process.cwd.path()

    # -- the walk

    def _walk(self, process: Process, path: bytes) -> Place:
        """link_path_walk(): each directory on the way must let the process search it."""
        if not path:
            fail(errno.ENOENT)
        if len(path) >= PATH_MAX:
            fail(errno.ENAMETOOLONG)
        here = self.root if path.startswith(b"/") else process.cwd
        names = [name for name in path.split(b"/") if name]
        for index, name in enumerate(names):
            demand(here, process, X_OK)
            if index == len(names) - 1:
                return Place(here, name, path.endswith(b"/"))
            node = self._node_there(Place(here, name, True))
            if not isinstance(node, Directory):
                fail(errno.ENOTDIR)
            here = node
        return Place(here, b"", False)

    def _find(self, place: Place) -> Node | None:
        directory, name, _ = place
        if name in SPECIAL:
            above = directory.parent if name == b".." else directory
            return above or directory  # the root is its own parent
        if len(name) > NAME_MAX:
            fail(errno.ENAMETOOLONG)
        return directory.entries.get(name)

    def _node_there(self, place: Place) -> Node:
        node = self._find(place)
        if node is None:
            fail(errno.ENOENT)
        return node

    def _node_at(self, place: Place) -> Node:
        node = self._node_there(place)
        if place.slash and not isinstance(node, Directory):
            fail(errno.ENOTDIR)
        return node

    def _directory(self, process: Process, path: bytes) -> Directory:
        node = self.lookup(process, path)
        if not isinstance(node, Directory):
            fail(errno.ENOTDIR)
        return node

    @staticmethod
    def _is_at_or_above(node: Node, directory: Directory) -> bool:
        here: Directory | None = directory
        while here is not None and here is not node:
            here = here.parent
        return here is not None

    # -- what a process may change

    @staticmethod
    def _demand_change(process: Process, directory: Directory) -> None:
        """may_create(): nothing is made in a removed directory."""
        if not directory.linked:
            fail(errno.ENOENT)
        demand(directory, process, W_OK | X_OK)

    @staticmethod
    def _demand_delete(
        process: Process, directory: Directory, node: Node, *, is_directory: bool
    ) -> None:
        """may_delete(): in a sticky directory only one's own."""
        demand(directory, process, W_OK | X_OK)
        if directory.mode & S_ISVTX and process.uid not in {0, node.uid, directory.uid}:
            fail(errno.EPERM)
        if isinstance(node, Directory) != is_directory:
            fail(errno.ENOTDIR if is_directory else errno.EISDIR)

    # -- the changes

    def _enter(self, directory: Directory, name: bytes, node: Node) -> None:
        if not node.inode:
            self._number(node)
        node.linked_as(directory, name)
        directory.entries[name] = node
        self._touch(directory)

    def _remove(self, place: Place, node: Node) -> None:
        directory, name, _ = place
        del directory.entries[name]
        node.unlinked_from(directory, name)
        node.changed_ns = self._now()
        self._touch(directory)

    def _number(self, node: Node) -> None:
        self._last_inode += 1
        node.inode = self._last_inode
        node.accessed_ns = node.modified_ns = node.changed_ns = self._now()

    def _touch(self, directory: Directory) -> None:
        directory.modified_ns = directory.changed_ns = self._now()

    def _now(self) -> int:
        return self._home.timers.now()


def status_flags(flags: int) -> int:
    """What the open file keeps of open(2)'s flags, as F_GETFL tells them."""
    return flags & ~PASSING | O_LARGEFILE


def demand_open(node: Node, process: Process, flags: int, *, slash: bool = False) -> None:
    """do_open() and may_open(): EEXIST, EISDIR, ENOTDIR, EACCES, EPERM (O_NOATIME)."""
    if flags & O_CREAT and flags & O_EXCL:
        fail(errno.EEXIST)
    if isinstance(node, Directory):
        if flags & (O_CREAT | O_ACCMODE | O_TRUNC):
            fail(errno.EISDIR)
    elif slash or flags & O_DIRECTORY:
        fail(errno.ENOTDIR)
    demand(node, process, WANTED[flags & O_ACCMODE] | (W_OK if flags & O_TRUNC else 0))
    if flags & O_NOATIME and process.uid not in {0, node.uid}:
        fail(errno.EPERM)
