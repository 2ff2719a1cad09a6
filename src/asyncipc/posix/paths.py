"""Calls on what has a path: regular files, directories, FIFOs, the files of UNIX sockets.

A path is str, bytes or a PathLike, absolute or from the working directory; on the
simulated machine it has nothing to do with the files of the one that it runs on.
Besides what each says, every call that takes one fails with ENOENT, ENOTDIR
(something on the way is no directory), EACCES (may not search it) and
ENAMETOOLONG (255 bytes a name, 4095 a path).

All is one file system, a tmpfs mounted with relatime.  There are ``/tmp``, where
programs start, ``/dev/shm``, and of ``/proc`` the descriptors: ``/proc/self/fd/N``,
``/proc/PID/fd/N`` and ``/dev/fd/N``.  Not modelled: symbolic links, file systems,
times set by hand, and the change of a FIFO's times when it is read and written.
Times are those of the machine's clock, which begins at 0.

On the native machine files, times and errors are the operating system's, below the
``root`` of :class:`asyncipc.Native`.  Working directory and umask are each process's
own there, too, and ``/proc/self/fd`` has the numbers of its table.
"""

from __future__ import annotations

import operator
import os

from asyncipc.faces.paths import Path, open_path, to_kernel_path
from asyncipc.kernel.files.node import Status
from asyncipc.posix.arguments import file_of, size_of
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call

__all__ = [
    "access",
    "chdir",
    "chmod",
    "fstat",
    "getcwd",
    "link",
    "listdir",
    "mkdir",
    "mkfifo",
    "open",
    "rename",
    "rmdir",
    "stat",
    "truncate",
    "umask",
    "unlink",
]

UMASK_BITS = 0o777


async def open(path: Path, flags: int, mode: int = 0o777) -> int:
    """open(2): the lowest free descriptor, for a new open file.

    A regular file never blocks.  O_CREAT makes one that is not there, with the bits
    of ``mode`` that the umask leaves; O_EXCL insists on that; O_TRUNC empties it;
    O_APPEND writes at its end.  A FIFO: O_RDONLY *blocks* until somebody opens it to
    write, O_WRONLY until somebody opens it to read; with O_NONBLOCK the first
    succeeds at once, the second is ENXIO without a reader; O_RDWR never blocks.
    ``/proc/PID/fd/N`` opens anew what a descriptor stands for: a file with an offset
    of its own, an end of the same pipe; a socket is ENXIO.  Under cancellation
    nothing stays half open.  Inheritable unless O_CLOEXEC.  Errors: EACCES,
    EEXIST (O_EXCL), EISDIR, EMFILE (nothing is made then), ENXIO (a socket's file),
    EINVAL (O_DIRECT of a FIFO), EPERM (O_NOATIME of another's).

    A directory (O_RDONLY) can be locked and asked, not read.  Not modelled, and
    refused: O_PATH, O_TMPFILE.  While it blocks, its number is
    not taken yet.  On the native machine a side that another process of the system opens
    is looked for by time, up to 20 ms late; who waits to write is no writer to others
    meanwhile, and octets that a writer has left behind look like one.
    """
    return (await open_path(path, operator.index(flags), operator.index(mode))).fd


def mkfifo(path: Path, mode: int = 0o666) -> None:
    """mkfifo(3): make a FIFO, with the bits of ``mode`` that the umask leaves.  EEXIST."""
    body = current()
    names, process = body.machine.names, body.process
    call("mkfifo", lambda *args: names.mkfifo(process, *args), to_kernel_path(path), mode)


def mkdir(path: Path, mode: int = 0o777) -> None:
    """mkdir(2): make a directory, with the bits of ``mode`` that the umask leaves.  EEXIST."""
    body = current()
    names, process = body.machine.names, body.process
    call("mkdir", lambda *args: names.mkdir(process, *args), to_kernel_path(path), mode)


def rmdir(path: Path) -> None:
    """rmdir(2): remove an empty directory.  ENOTEMPTY, EPERM (sticky), EBUSY (the root)."""
    body = current()
    names, process = body.machine.names, body.process
    call("rmdir", lambda path: names.rmdir(process, path), to_kernel_path(path))


def unlink(path: Path) -> None:
    """unlink(2): take a name away; who has it open keeps it.  EISDIR, EPERM (sticky)."""
    body = current()
    names, process = body.machine.names, body.process
    call("unlink", lambda path: names.unlink(process, path), to_kernel_path(path))


def rename(former: Path, new: Path) -> None:
    """rename(2): give it another name; what bears that name already is replaced.

    Errors: EISDIR, ENOTDIR, ENOTEMPTY, EINVAL (into itself), EBUSY, EPERM (sticky).
    """
    body = current()
    names, process = body.machine.names, body.process
    paths = to_kernel_path(former), to_kernel_path(new)
    call("rename", lambda *paths: names.rename(process, *paths), *paths)


def link(path: Path, new: Path) -> None:
    """link(2): another name for the same file.  EEXIST, EPERM (a directory)."""
    body = current()
    names, process = body.machine.names, body.process
    paths = to_kernel_path(path), to_kernel_path(new)
    call("link", lambda *paths: names.link(process, *paths), *paths)


def truncate(path: Path, length: int) -> None:
    """truncate(2): cut a file, or let it grow by a hole.  EISDIR, EINVAL (no file, below 0)."""
    body = current()
    names, process = body.machine.names, body.process
    name, size = to_kernel_path(path), size_of(length)
    call("truncate", lambda *args: names.truncate(process, *args), name, size)


def access(path: Path, mode: int) -> bool:
    """``os.access``: is it there (F_OK 0), may one do R_OK, W_OK, X_OK?  It does not raise."""
    body = current()
    names, process = body.machine.names, body.process
    try:
        ask = to_kernel_path(path), operator.index(mode)
        return call("access", lambda *args: names.access(process, *args), *ask)
    except OSError:
        return False


def chmod(path: Path, mode: int) -> None:
    """chmod(2): set the permission bits.  EPERM unless one owns it."""
    body = current()
    names, process = body.machine.names, body.process
    call("chmod", lambda *args: names.chmod(process, *args), to_kernel_path(path), mode)


def stat(path: Path) -> os.stat_result:
    """stat(2)"""
    body = current()
    names, process = body.machine.names, body.process

    def ask(path: bytes) -> os.stat_result:
        return _stat_result(names.stat(process, path))

    return call("stat", ask, to_kernel_path(path))


def fstat(fd: int) -> os.stat_result:
    """fstat(2): of the file behind a descriptor; pipes and sockets too.  EBADF."""
    return call("fstat", lambda fd: _stat_result(file_of(fd).status()), operator.index(fd))


def _stat_result(status: Status) -> os.stat_result:
    times_ns = status.accessed_ns, status.modified_ns, status.changed_ns
    times_s = tuple(ns // 1_000_000_000 for ns in times_ns)
    fine = {
        f"st_{letter}time{unit}": value
        for letter, ns in zip("amc", times_ns, strict=True)
        for unit, value in (("", ns / 1e9), ("_ns", ns))
    }
    owners = status.links, status.uid, status.gid
    fine |= {"st_blksize": status.block_size, "st_blocks": status.blocks}
    head = (status.mode, status.inode, status.device, *owners, status.size)
    return os.stat_result((*head, *times_s), fine)


def listdir(path: Path = ".") -> list[str]:
    """``os.listdir``: the names in a directory, in order of their making.  EACCES.

    On the native machine they come in no order.  Those in ``/proc/self/fd`` are the
    process's open descriptors.
    """
    body = current()
    names, process = body.machine.names, body.process
    found = call("listdir", lambda path: names.listdir(process, path), to_kernel_path(path))
    return [os.fsdecode(name) for name in found]


def chdir(path: Path) -> None:
    """chdir(2): paths without a slash in front start there from now on.  EACCES."""
    body = current()
    names, process = body.machine.names, body.process
    call("chdir", lambda path: names.chdir(process, path), to_kernel_path(path))


def getcwd() -> str:
    """getcwd(3): the working directory, at first "/tmp".  ENOENT if it has been removed."""
    body = current()
    names, process = body.machine.names, body.process
    return os.fsdecode(call("getcwd", lambda: names.getcwd(process)))


def umask(mask: int) -> int:
    """umask(2): the permission bits that new files do not get, at first 0o022; the former ones."""
    process = current().process

    def change(mask: int) -> int:
        former, process.umask = process.umask, mask & UMASK_BITS
        return former

    return call("umask", change, operator.index(mask))
