"""Semaphores by name: sem_open(3), sem_unlink(3).

``/x`` is the file ``/dev/shm/sem.x`` of 32 octets, as glibc has it: its mode
bits say who may open it, and an unlink takes the name only.  Which names are
none is as measured with glibc.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from asyncipc.errors import fail
from asyncipc.kernel.files.namespace import NAME_MAX, O_CREAT, O_EXCL
from asyncipc.kernel.files.node import Directory, Node
from asyncipc.kernel.files.regular import RegularNode
from asyncipc.kernel.openfile import O_RDWR
from asyncipc.kernel.sync.futex import Word
from asyncipc.kernel.sync.semaphore import Semaphore, image

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel
    from asyncipc.kernel.processes.process import Process

DIRECTORY: Final = b"/dev/shm/sem."


def sem_open(
    kernel: Kernel, process: Process, name: bytes, flags: int, mode: int, value: int
) -> Semaphore:
    """The semaphore of a name; one that is there keeps its value.

    ENOENT, EEXIST, EACCES, EINVAL (name, value), ENAMETOOLONG, EISDIR.
    """
    path = _path_of(name, errno.EINVAL)
    node: Node
    if flags & O_CREAT and flags & O_EXCL:
        node = _new_node(kernel, process, path, mode, value)
    else:
        try:
            node = kernel.names.to_open(process, path, O_RDWR)
        except FileNotFoundError:
            if not flags & O_CREAT:
                raise
            node = _new_node(kernel, process, path, mode, value)
    if isinstance(node, Directory):
        fail(errno.EISDIR)
    if not isinstance(node, RegularNode):
        fail(errno.EINVAL)
    return Semaphore(kernel.futexes, Word(node.contents, 0), f"semaphore:{shown(name)}")


def _new_node(kernel: Kernel, process: Process, path: bytes, mode: int, value: int) -> RegularNode:
    octets = image(value)
    node = kernel.names.to_open(process, path, O_RDWR | O_CREAT | O_EXCL, mode)
    assert isinstance(node, RegularNode)
    node.put(0, octets, kernel.timers.now())
    return node


def sem_unlink(kernel: Kernel, process: Process, name: bytes) -> None:
    """Its name is gone; who has it open keeps it.  ENOENT for what is no name, too.

    EACCES where unlink(2) says EPERM, of another's in the sticky directory.
    """
    path = _path_of(name, errno.ENOENT)
    try:
        kernel.names.unlink(process, path)
    except OSError as error:
        if error.errno == errno.EPERM:
            fail(errno.EACCES)
        raise


def _path_of(name: bytes, error: int) -> bytes:
    """__shm_get_name(): slashes in front count for nothing, one inside is an error."""
    bare = name.lstrip(b"/")
    if not bare or b"/" in bare or len(bare) > NAME_MAX:
        fail(error)
    return DIRECTORY + bare


def shown(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
