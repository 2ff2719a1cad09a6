"""The namespace: path names, and the nodes that they name.

Directories hold names; a node (inode) may be a FIFO or the file of a UNIX
socket.  A path is bytes, absolute or from the process's working directory.
There are no links, hard or symbolic, and no mounts.

Permissions are those of inode_permission(): mode bits for owner, group and
others; uid 0 may do all.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail

if TYPE_CHECKING:
    from asyncipc.kernel.process import Process
    from asyncipc.kernel.socket import Socket

NAME_MAX: Final = 255
PATH_MAX: Final = 4096
R_OK: Final = 4
W_OK: Final = 2
X_OK: Final = 1


class Node:
    """What a name stands for.  ``mode``: permission bits only."""

    __slots__ = ("gid", "inode", "mode", "uid")

    letter = "-"

    def __init__(self, mode: int, uid: int = 0, gid: int = 0) -> None:
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.inode = 0


@final
class Directory(Node):
    __slots__ = ("entries", "parent")

    letter = "d"

    def __init__(self, mode: int, uid: int = 0, gid: int = 0) -> None:
        super().__init__(mode, uid, gid)
        self.entries: dict[bytes, Node] = {}
        self.parent: Directory = self


@final
class SocketNode(Node):
    """The file of a bound UNIX socket; ``socket`` is None once that is closed."""

    __slots__ = ("socket",)

    letter = "s"

    def __init__(self, mode: int, uid: int, gid: int, socket: Socket) -> None:
        super().__init__(mode, uid, gid)
        self.socket: Socket | None = socket


def allows(node: Node, process: Process, wanted: int) -> bool:
    """access(2): do the mode bits let the process have R_OK, W_OK, X_OK?"""
    if process.uid == 0:
        return True
    if process.uid == node.uid:
        granted = node.mode >> 6
    elif process.gid == node.gid:
        granted = node.mode >> 3
    else:
        granted = node.mode
    return granted & wanted == wanted


@final
class Namespace:
    __slots__ = ("_last_inode", "root")

    def __init__(self) -> None:
        self._last_inode = 0
        self.root = Directory(0o755)
        self._number(self.root)
        self._enter(self.root, b"tmp", Directory(0o1777))

    def lookup(self, process: Process, path: bytes) -> Node:
        """The node of a path.  ENOENT, ENOTDIR, EACCES, ENAMETOOLONG."""
        directory, name = self._walk(process, path)
        return self._step(directory, name)

    def add(self, process: Process, path: bytes, node: Node) -> None:
        """Give a new node a name.  EEXIST if it is taken, ENOENT without its directory."""
        directory, name = self._walk(process, path)
        if name in {b"", b".", b".."} or name in directory.entries:
            fail(errno.EEXIST)
        if not allows(directory, process, W_OK | X_OK):
            fail(errno.EACCES)
        self._enter(directory, name, node)

    def _walk(self, process: Process, path: bytes) -> tuple[Directory, bytes]:
        """The directory that holds a path's last name, and that name."""
        if not path:
            fail(errno.ENOENT)
        if len(path) >= PATH_MAX:
            fail(errno.ENAMETOOLONG)
        here = self.root if path.startswith(b"/") else process.cwd
        *above, last = path.rstrip(b"/").split(b"/")
        for name in above:
            node = self._step(here, name)
            if not isinstance(node, Directory):
                fail(errno.ENOTDIR)
            if not allows(node, process, X_OK):
                fail(errno.EACCES)
            here = node
        return here, last

    def _step(self, directory: Directory, name: bytes) -> Node:
        if len(name) > NAME_MAX:
            fail(errno.ENAMETOOLONG)
        if name in {b"", b"."}:
            return directory
        if name == b"..":
            return directory.parent
        node = directory.entries.get(name)
        if node is None:
            fail(errno.ENOENT)
        return node

    def _enter(self, directory: Directory, name: bytes, node: Node) -> None:
        self._number(node)
        if isinstance(node, Directory):
            node.parent = directory
        directory.entries[name] = node

    def _number(self, node: Node) -> None:
        self._last_inode += 1
        node.inode = self._last_inode
