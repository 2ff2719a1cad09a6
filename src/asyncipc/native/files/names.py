"""The names of the operating system's files, as the processes of a run know them.

Each process has a working directory and a umask of its own, although its
interpreter has one of each.  The directory is kept open, so it may be renamed
or removed as on any system; the umask is lent to the interpreter for one call.

With a ``root`` all paths lie below it, and a ``..`` in the root leads nowhere.
That is no jail: a symbolic link in it leads where the operating system says.

``/proc/self/fd`` and ``/dev/fd`` are those of the process's own table, whose
numbers are not the operating system's.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.files.namespace import DESCRIPTORS, PATH_MAX
from asyncipc.kernel.files.proc import descriptor_at, table_at
from asyncipc.kernel.processes.holdings import Holding, held_by, hold
from asyncipc.native.descriptor import RealDescriptor, status_of
from asyncipc.native.line import RetryLine
from asyncipc.native.refusal import refuse

if TYPE_CHECKING:
    from asyncipc.kernel.files.node import Status
    from asyncipc.kernel.openfile import Home, OpenFile
    from asyncipc.kernel.processes.process import Process

TMP: Final = b"/tmp"
DELETED: Final = b" (deleted)"
ONLY_NAMED: Final = getattr(os, "O_PATH", os.O_RDONLY)
"""To keep hold of what has a path, without opening it."""


@final
class Directory:
    """A directory that is some processes' working directory; the last of them closes it."""

    __slots__ = ("_holders", "number")

    def __init__(self, path: bytes) -> None:
        os.stat(path + b"/.")  # chdir(2) wants one that can be searched
        self.number = os.open(path, ONLY_NAMED | os.O_DIRECTORY)
        self._holders = 0

    def hold(self) -> Directory:
        self._holders += 1
        return self

    def drop(self) -> None:
        self._holders -= 1
        if not self._holders:
            os.close(self.number)

    @property
    def is_removed(self) -> bool:
        return not os.fstat(self.number).st_nlink

    def path(self) -> bytes:
        """Where it is, or has been."""
        if hasattr(fcntl, "F_GETPATH"):  # macOS
            return fcntl.fcntl(self.number, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0")
        path = os.readlink(b"/proc/self/fd/%d" % self.number)
        return path.removesuffix(DELETED) if self.is_removed else path


@final
class WorkingDirectory(Holding):
    """That of one process."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory.hold()

    def change(self, directory: Directory) -> None:
        former, self.directory = self.directory, directory.hold()
        former.drop()

    def forked(self, parent: Process, child: Process) -> None:
        hold(child, WorkingDirectory(self.directory))

    def ended(self, process: Process) -> None:
        self.directory.drop()


@contextmanager
def naming_no_path() -> Iterator[None]:
    """The error of a call here, too, says what and not where: that would be the real path."""
    try:
        yield
    except OSError as error:
        del error.filename, error.filename2
        raise


@contextmanager
def umask_of(process: Process) -> Iterator[None]:
    """The interpreter has the process's umask, for as long as it makes something."""
    former = os.umask(process.umask)
    try:
        yield
    finally:
        os.umask(former)


def interpreters_umask() -> int:
    """umask(2) tells it only to who sets it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


@final
class NativeNames:
    """``root``: the real path of the directory that is ``/``, empty for the real root.

    ``openings``: who waits in open(2) of a FIFO for its other side, and of which
    (device and inode): one that opens here is not to be found by looking again.
    """

    def __init__(self, home: Home, root: str | None) -> None:
        self._home = home
        self.root = b"" if root is None else furnished(os.fsencode(root)).rstrip(b"/")
        self.openings: dict[RetryLine, tuple[int, int]] = {}
        self._start = os.getcwdb() if root is None else self.root + TMP

    # -- finding

    def real(self, process: Process, path: bytes) -> bytes:
        """The absolute path by which the operating system knows it.  ENOENT, ENAMETOOLONG."""
        if not path:
            fail(errno.ENOENT)
        if len(path) >= PATH_MAX:
            fail(errno.ENAMETOOLONG)
        file = self.descriptor(process, path)
        if file is not None:
            return _path_of(file)
        if path.startswith(b"/"):
            return self.root + confined(path, 0) if self.root else path
        here = self._directory_of(process).directory
        base = here.path()
        if self.root:
            path = confined(path, self.shown(base).rstrip(b"/").count(b"/"))
        if here.is_removed:
            base = b"/proc/self/fd/%d" % here.number
        return base + b"/" + path

    def shown(self, path: bytes) -> bytes:
        """The way back: the path by which a process knows it."""
        if not self.root or not is_below(path, self.root):
            return path
        return path[len(self.root) :] or b"/"

    def descriptor(self, process: Process, path: bytes) -> OpenFile | None:
        """The open file that a path in /proc or /dev names, if it is one of a descriptor."""
        if not path.startswith(DESCRIPTORS):
            return None
        return descriptor_at(self._home, process, path)

    @naming_no_path()
    def stat(self, process: Process, path: bytes) -> Status:
        """stat(2)"""
        file = self.descriptor(process, path)
        return status_of(os.stat(self.real(process, path))) if file is None else file.status()

    @naming_no_path()
    def listdir(self, process: Process, path: bytes) -> list[bytes]:
        """The names in a directory, in the operating system's order."""
        if path.startswith(DESCRIPTORS) and (table := table_at(self._home, process, path)):
            return [b"%d" % entry.fd for entry in table]
        return os.listdir(self.real(process, path))

    @naming_no_path()
    def access(self, process: Process, path: bytes, wanted: int) -> bool:
        """access(2)"""
        return os.access(self.real(process, path), wanted)

    # -- making and taking away

    @naming_no_path()
    def mkfifo(self, process: Process, path: bytes, mode: int) -> None:
        """mkfifo(3)"""
        name = self.real(process, path)
        with umask_of(process):
            os.mkfifo(name, mode)

    @naming_no_path()
    def mkdir(self, process: Process, path: bytes, mode: int) -> None:
        """mkdir(2)"""
        name = self.real(process, path)
        with umask_of(process):
            os.mkdir(name, mode)

    @naming_no_path()
    def rmdir(self, process: Process, path: bytes) -> None:
        """rmdir(2)"""
        self._demand_no_root(path)
        os.rmdir(self.real(process, path))

    @naming_no_path()
    def unlink(self, process: Process, path: bytes) -> None:
        """unlink(2)"""
        os.unlink(self.real(process, path))

    @naming_no_path()
    def rename(self, process: Process, former: bytes, new: bytes) -> None:
        """rename(2)"""
        self._demand_no_root(former)
        self._demand_no_root(new)
        os.rename(self.real(process, former), self.real(process, new))

    @naming_no_path()
    def link(self, process: Process, former: bytes, new: bytes) -> None:
        """link(2)"""
        os.link(self.real(process, former), self.real(process, new))

    @naming_no_path()
    def chmod(self, process: Process, path: bytes, mode: int) -> None:
        """chmod(2)"""
        os.chmod(self.real(process, path), mode)

    @naming_no_path()
    def truncate(self, process: Process, path: bytes, length: int) -> None:
        """truncate(2)"""
        os.truncate(self.real(process, path), length)

    def _demand_no_root(self, path: bytes) -> None:
        """``/`` is the root of a file system: EBUSY.  Ours is a directory like others."""
        if self.root and path and not path.strip(b"/"):
            fail(errno.EBUSY)

    # -- the working directory

    @naming_no_path()
    def chdir(self, process: Process, path: bytes) -> None:
        """chdir(2)"""
        self._directory_of(process).change(Directory(self.real(process, path)))

    def getcwd(self, process: Process) -> bytes:
        """getcwd(2).  ENOENT if it has been removed, or moved out of the root."""
        directory = self._directory_of(process).directory
        path = directory.path()
        if directory.is_removed or not is_below(path, self.root):
            fail(errno.ENOENT)
        return self.shown(path)

    def _directory_of(self, process: Process) -> WorkingDirectory:
        """Every process that has not inherited one begins where the run does."""
        held = held_by(process, WorkingDirectory)
        if held is None:
            held = WorkingDirectory(Directory(self._start))
            hold(process, held)
        return held


def furnished(root: bytes) -> bytes:
    """A directory with what programs expect in a root; its real path."""
    for name in (b"tmp", b"dev/shm"):
        directory = os.path.join(root, name)
        if not os.path.isdir(directory):
            os.makedirs(directory)
            os.chmod(directory, 0o1777)
    return os.path.realpath(root)


def confined(path: bytes, depth: int) -> bytes:
    """The path, begun so deep below the root, without each ``..`` that would lead out of it."""
    if b".." not in path:
        return path
    names = path.split(b"/")
    for index, name in enumerate(names):
        if name == b".." and not depth:
            names[index] = b"."
        elif name == b"..":
            depth -= 1
        elif name not in {b"", b"."}:
            depth += 1
    return b"/".join(names)


def is_below(path: bytes, root: bytes) -> bool:
    return path == root or path.startswith(root + b"/")


def _path_of(file: OpenFile) -> bytes:
    if not isinstance(file, RealDescriptor):
        refuse(f"a path below {file.describe()}", "it has no name to do this with")
    return b"/proc/self/fd/%d" % file.number
