"""The pipe of the operating system, pipe(7)."""

from __future__ import annotations

import fcntl
import os

from asyncipc.kernel.files.pipe import F_GETPIPE_SZ, F_SETPIPE_SZ, PIPE_BUF
from asyncipc.kernel.openfile import O_DIRECT, O_NONBLOCK, O_RDONLY, O_WRONLY, Home
from asyncipc.native.descriptor import NativeFile
from asyncipc.native.refusal import refuse


class NativePipe(NativeFile):
    """An end of a pipe, or an open FIFO."""

    __slots__ = ()

    channel_kind = "pipe"
    direct = True
    whole_max = PIPE_BUF

    def pipe_size(self) -> int:
        return fcntl.fcntl(self.number, F_GETPIPE_SZ)

    def set_pipe_size(self, size: int) -> int:
        return fcntl.fcntl(self.number, F_SETPIPE_SZ, size)


def new_pipe(kernel: Home, flags: int) -> tuple[NativePipe, NativePipe]:
    """pipe2(2): read end and write end."""
    if hasattr(os, "pipe2"):
        reading, writing = os.pipe2(flags)
    elif flags & O_DIRECT:
        refuse("pipe2(2) with O_DIRECT", "only Linux has packets")
    else:
        reading, writing = os.pipe()
    kept = flags & (O_NONBLOCK | O_DIRECT)
    return (
        NativePipe(kernel, reading, O_RDONLY | kept),
        NativePipe(kernel, writing, O_WRONLY | kept),
    )
