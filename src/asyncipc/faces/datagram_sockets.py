"""Datagram sockets as anyio's: one item is one datagram.

UDP may lose a datagram (a full receiver drops it), a UNIX datagram is never
lost: its sender waits.
"""

from __future__ import annotations

import os
from typing import TypeVar, final

from anyio import ClosedResourceError, EndOfStream
from anyio.abc import (
    ConnectedUDPSocket,
    ConnectedUNIXDatagramSocket,
    UDPSocket,
    UNIXDatagramSocket,
)

from asyncipc.faces.addresses import ProgramAddress, to_kernel
from asyncipc.faces.channels import translate
from asyncipc.faces.names import hosts_to_try
from asyncipc.faces.socket_calls import socket_of
from asyncipc.faces.stream_sockets import (
    SocketLike,
    bind,
    connect,
    family_of_host,
    new_socket,
    switch_on,
)
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.sockets.address import Address
from asyncipc.kernel.sockets.options import SO_REUSEPORT
from asyncipc.kernel.sockets.socket import AF_UNIX, SOCK_DGRAM
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import ClosedMeanwhile, syscall

DATAGRAM_MAX = 65536
AnyDatagrams = TypeVar("AnyDatagrams", bound="DatagramChannel")


class DatagramChannel(SocketLike):
    """What all datagram channels do: a call, again after a handled signal (PEP 475)."""

    __slots__ = ()

    async def send_to(self, data: Buffer, to: ProgramAddress) -> None:
        """sendto(2)"""
        own, process = socket_of(self.file), current().process
        name = to_kernel(to, own.family)

        def verb(data: Buffer, _: object) -> int | WouldBlock:
            return own.sendto(data, 0, name, process)

        while True:
            if not self._entry.open:
                raise ClosedResourceError
            try:
                await syscall("sendto", self, verb, data, to)
            except InterruptedError:
                continue
            except (OSError, ClosedMeanwhile) as error:
                translate(error)
            return

    async def receive_from(self) -> tuple[bytes, Address | None]:
        """recvfrom(2)"""
        verb = socket_of(self.file).recvmsg
        while True:
            if not self._entry.open:
                raise ClosedResourceError
            try:
                message = await syscall("recvfrom", self, verb, DATAGRAM_MAX, 0)
            except InterruptedError:
                continue
            except (OSError, ClosedMeanwhile) as error:
                translate(error)
            return message.data, message.address


class ConnectedDatagramChannel(DatagramChannel):
    """A datagram socket with one peer: items are bytes."""

    __slots__ = ()

    async def send(self, item: bytes) -> None:
        """send(2): one datagram to the peer.

        UDP never blocks, and a full receiver drops the datagram; a UNIX socket
        blocks while there is no room for it.  BrokenResourceError when the peer
        is gone (ConnectionRefusedError as its cause: UDP tells of an earlier
        datagram), ClosedResourceError.
        """
        while True:
            if not self._entry.open:
                raise ClosedResourceError
            try:
                await syscall("send", self, self.file.send, item, 0)
            except InterruptedError:
                continue
            except (OSError, ClosedMeanwhile) as error:
                translate(error)
            return

    async def receive(self) -> bytes:
        """recv(2): the oldest datagram from the peer.

        Blocks while there is none.  Under cancellation none is lost.  Errors
        as for ``send``.
        """
        while True:
            if not self._entry.open:
                raise ClosedResourceError
            try:
                return await syscall("recv", self, self.file.recv, DATAGRAM_MAX, 0)
            except InterruptedError:
                continue
            except (OSError, ClosedMeanwhile) as error:
                translate(error)


@final
class UDPChannel(DatagramChannel, UDPSocket):
    """An unconnected UDP socket: items are ``(data, (host, port))``."""

    __slots__ = ()

    async def send(self, item: tuple[bytes, tuple[str, int]]) -> None:
        """sendto(2): one datagram.  Never blocks; a full receiver drops it.

        BrokenResourceError (EMSGSIZE, ENETUNREACH and others as its cause),
        ClosedResourceError.
        """
        await self.send_to(*item)

    async def receive(self) -> tuple[bytes, tuple[str, int]]:
        """recvfrom(2): the oldest datagram, and who sent it.

        Blocks while there is none.  Under cancellation none is lost.
        ClosedResourceError; EndOfStream when this half was shut.
        """
        data, address = await self.receive_from()
        if address is None:  # its receiving half was shut, by a descriptor
            raise EndOfStream
        assert not isinstance(address, bytes)
        return data, (address.host, address.port)


@final
class ConnectedUDPChannel(ConnectedDatagramChannel, ConnectedUDPSocket):
    """A UDP socket with one peer."""

    __slots__ = ()


@final
class UNIXDatagramChannel(DatagramChannel, UNIXDatagramSocket):
    """An unconnected UNIX datagram socket: items are ``(data, path)``."""

    __slots__ = ()

    async def send(self, item: tuple[bytes, str]) -> None:
        """sendto(2): one datagram to the socket at a path.

        Blocks while its queue, or SO_SNDBUF, is full.  BrokenResourceError
        (ENOENT, ECONNREFUSED and others as its cause), ClosedResourceError.
        """
        await self.send_to(*item)

    async def receive(self) -> tuple[bytes, str]:
        """recvfrom(2): the oldest datagram, and the path of who sent it ("" without one).

        Blocks while there is none.  Under cancellation none is lost.
        """
        data, address = await self.receive_from()
        assert address is None or isinstance(address, bytes)
        return data, os.fsdecode(address or b"")


@final
class ConnectedUNIXDatagramChannel(ConnectedDatagramChannel, ConnectedUNIXDatagramSocket):
    """A UNIX datagram socket with one peer."""

    __slots__ = ()


async def create_udp_socket(
    *, local_host: str | None = None, local_port: int = 0, reuse_port: bool = False
) -> UDPChannel:
    """socket(2), bind(2): a UDP socket on a port of this host; 0 is a free one.

    ``local_host`` None: all IPv4 addresses.  Never blocks.  Errors: EADDRINUSE,
    EADDRNOTAVAIL, EACCES, EMFILE.
    """
    channel = new_socket(UDPChannel, family_of_host(local_host or ""), SOCK_DGRAM)
    return _named(channel, (local_host or "", local_port), reuse_port)


async def create_connected_udp_socket(
    remote_host: str,
    remote_port: int,
    *,
    local_host: str | None = None,
    local_port: int = 0,
    reuse_port: bool = False,
) -> ConnectedUDPChannel:
    """socket(2), bind(2), connect(2): a UDP socket that hears from one peer only.

    Nobody needs to be there: that shows when something is sent.  Of a name the first address
    counts; only its lookup blocks.  Errors: as ``create_udp_socket``, ENETUNREACH,
    socket.gaierror.
    """
    remote_host = (await hosts_to_try(remote_host))[0]
    channel = new_socket(ConnectedUDPChannel, family_of_host(remote_host), SOCK_DGRAM)
    if local_host is not None or local_port:
        _named(channel, (local_host or "", local_port), reuse_port)
    return await _connected(channel, (remote_host, remote_port))


async def create_unix_datagram_socket(
    *, local_path: str | bytes | os.PathLike[str] | None = None
) -> UNIXDatagramChannel:
    """socket(2), bind(2): a UNIX datagram socket; without ``local_path`` it can only send.

    The path stays when the socket is closed.  Never blocks.  Errors:
    EADDRINUSE, ENOENT, EACCES, EMFILE.
    """
    channel = new_socket(UNIXDatagramChannel, AF_UNIX, SOCK_DGRAM)
    return channel if local_path is None else _named(channel, local_path)


async def create_connected_unix_datagram_socket(
    remote_path: str | bytes | os.PathLike[str],
    *,
    local_path: str | bytes | os.PathLike[str] | None = None,
) -> ConnectedUNIXDatagramChannel:
    """socket(2), bind(2), connect(2): a UNIX datagram socket with one peer.

    Errors: FileNotFoundError, ConnectionRefusedError, PermissionError, EPROTOTYPE.
    """
    channel = new_socket(ConnectedUNIXDatagramChannel, AF_UNIX, SOCK_DGRAM)
    if local_path is not None:
        _named(channel, local_path)
    return await _connected(channel, remote_path)


def _named(
    channel: AnyDatagrams, address: ProgramAddress, reuse_port: bool = False
) -> AnyDatagrams:
    """The channel bound, or closed."""
    try:
        if reuse_port:
            switch_on(channel, SO_REUSEPORT)
        bind(channel, address)
    except BaseException:
        channel.close()
        raise
    return channel


async def _connected(channel: AnyDatagrams, address: ProgramAddress) -> AnyDatagrams:
    """The channel connected, or closed."""
    try:
        await connect(channel, address)
    except BaseException:
        channel.close()
        raise
    return channel
