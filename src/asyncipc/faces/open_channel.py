"""The channel of a descriptor that is there already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from asyncipc.faces.channels import PipeReceiveChannel, PipeSendChannel
from asyncipc.faces.datagram_sockets import (
    ConnectedUDPChannel,
    ConnectedUNIXDatagramChannel,
    UDPChannel,
    UNIXDatagramChannel,
)
from asyncipc.faces.listeners import ListenerChannel
from asyncipc.faces.open_file import FileChannel
from asyncipc.faces.stream_sockets import SocketChannel
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.openfile import O_ACCMODE, O_RDONLY, O_WRONLY, OpenFile
from asyncipc.kernel.sockets.socket import AF_UNIX, SOCK_DGRAM, SOCK_STREAM, Socket
from asyncipc.runtime.process import Body, current

AnyChannel: TypeAlias = (
    PipeReceiveChannel
    | PipeSendChannel
    | SocketChannel
    | ListenerChannel
    | UDPChannel
    | ConnectedUDPChannel
    | UNIXDatagramChannel
    | ConnectedUNIXDatagramChannel
    | FileChannel
)

_PIPE_CHANNELS: Final[dict[int, Callable[[Body, Descriptor], AnyChannel]]] = {
    O_RDONLY: PipeReceiveChannel,
    O_WRONLY: PipeSendChannel,
}
"""By access mode."""


def open_channel(fd: int) -> AnyChannel:
    """A channel of a descriptor that this process has, such as one that it inherited.

    Of which class depends on what it stands for, and whether that listens or
    is connected.  The channel owns the descriptor from then on: closing one
    closes the other.  EBADF; TypeError for what has no channel.
    """
    body = current()
    entry = body.process.table[fd]
    make = _channel_of(entry.file)
    if make is None:
        raise TypeError(f"descriptor {fd} is {entry.file.describe()}, which has no channel")
    return make(body, entry)


def _channel_of(file: OpenFile) -> Callable[[Body, Descriptor], AnyChannel] | None:
    if file.channel_kind == "pipe":
        return _PIPE_CHANNELS.get(file.flags & O_ACCMODE)
    if file.channel_kind == "file":
        return FileChannel
    if isinstance(file, Socket) and file.kind == SOCK_STREAM:
        return ListenerChannel if file.is_listening() else SocketChannel
    if isinstance(file, Socket) and file.kind == SOCK_DGRAM:
        return _datagram_channel_of(file)
    return None


def _datagram_channel_of(socket: Socket) -> Callable[[Body, Descriptor], AnyChannel]:
    try:
        socket.getpeername()
    except OSError:  # ENOTCONN
        return UNIXDatagramChannel if socket.family == AF_UNIX else UDPChannel
    return ConnectedUNIXDatagramChannel if socket.family == AF_UNIX else ConnectedUDPChannel
