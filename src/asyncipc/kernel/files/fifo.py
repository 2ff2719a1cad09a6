"""The FIFO: fifo(7), a pipe with a name, and what opening an end of it does.

Laws (fifo_open in fs/pipe.c):

* An open to read waits until somebody opens to write, and the other way
  round.  Each counts as an end from then on, not only when it returns: so
  two that wait for each other release each other.
* That the other side was opened is what counts, be it closed again at once.
* With O_NONBLOCK an open to read succeeds at once, one to write without a
  reader is ENXIO.  O_RDWR never waits: it is both sides.
* What was written, and the size, last as long as one end is open.
"""

from __future__ import annotations

import errno
from typing import Final

from asyncipc.errors import fail
from asyncipc.kernel.files.namespace import status_flags
from asyncipc.kernel.files.node import FifoNode
from asyncipc.kernel.files.pipe import Pipe, PipeEnd, ReadEnd, WriteEnd
from asyncipc.kernel.openfile import O_ACCMODE, O_NONBLOCK, O_RDWR, O_WRONLY, Home

KINDS: Final = (ReadEnd, WriteEnd, PipeEnd)
"""By access mode."""


def open_end(kernel: Home, node: FifoNode, flags: int) -> PipeEnd:
    """An end of a FIFO, which counts from now on.  ENXIO, EINVAL (access mode)."""
    access = flags & O_ACCMODE
    if access > O_RDWR:
        fail(errno.EINVAL)
    pipe = node.pipe
    if access == O_WRONLY and flags & O_NONBLOCK and (pipe is None or not pipe.readers):
        fail(errno.ENXIO)
    if pipe is None:
        pipe = node.pipe = Pipe(node)
    end = KINDS[access](kernel, pipe, status_flags(flags))
    if node.openings is not None:
        node.openings.notify()
    return end


def another_end(kernel: Home, end: PipeEnd, flags: int) -> PipeEnd:
    """An end of an anonymous pipe, opened through /proc: it waits for nobody.  EINVAL."""
    access = flags & O_ACCMODE
    if access > O_RDWR:
        fail(errno.EINVAL)
    another = KINDS[access](kernel, end.pipe, status_flags(flags))
    another.inode = end.inode
    return another
