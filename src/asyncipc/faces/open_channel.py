"""The channel of a descriptor that is there already."""

from __future__ import annotations

from typing import Final

from asyncipc.faces.channels import PipeReceiveChannel, PipeSendChannel
from asyncipc.faces.stream_sockets import SocketChannel
from asyncipc.kernel.pipe import ReadEnd, WriteEnd
from asyncipc.kernel.stream import StreamEndpoint
from asyncipc.runtime.process import current


def open_channel(fd: int) -> PipeReceiveChannel | PipeSendChannel | SocketChannel:
    """A channel of a descriptor that this process has, such as one that it inherited.

    The channel owns the descriptor from then on: closing one closes the other.
    EBADF; TypeError for what is neither a pipe nor a stream socket.
    """
    body = current()
    entry = body.process.table[fd]
    for kind, channel in _CHANNELS:
        if isinstance(entry.file, kind):
            return channel(body, entry)
    raise TypeError(f"descriptor {fd} is {entry.file.describe()}: no pipe and no stream socket")


_CHANNELS: Final = (
    (ReadEnd, PipeReceiveChannel),
    (WriteEnd, PipeSendChannel),
    (StreamEndpoint, SocketChannel),
)
