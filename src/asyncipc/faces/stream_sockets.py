"""Connected stream sockets as anyio's socket streams."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from io import IOBase
from typing import Any, TypeVar, final

from anyio import ClosedResourceError, EndOfStream
from anyio.abc import SocketAttribute, SocketStream

from asyncipc.errors import Unsupported
from asyncipc.faces.addresses import ProgramAddress, canonical, to_kernel, to_program
from asyncipc.faces.ancillary import Sending, descriptors_in, rights
from asyncipc.faces.channels import Channel, ReceivingHalf, SendingHalf, translate
from asyncipc.faces.names import hosts_to_try
from asyncipc.faces.socket_calls import connector, socket_of
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.sockets.ancillary import MSG_CMSG_CLOEXEC, ControlRoom, cmsg_len
from asyncipc.kernel.sockets.options import SOL_SOCKET
from asyncipc.kernel.sockets.socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    SHUT_WR,
    SOCK_STREAM,
    Message,
)
from asyncipc.kernel.transfer import LongWrite
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.process import Body, current
from asyncipc.runtime.syscall import ClosedMeanwhile, call, syscall

AnySocket = TypeVar("AnySocket", bound="SocketLike")


class SocketLike(Channel):
    """What all socket channels have: names, as anyio's extra attributes."""

    __slots__ = ()

    def name(self) -> Any:
        """getsockname(2), as the standard library writes it."""
        return to_program(socket_of(self.file).getsockname())

    def peer(self) -> Any:
        """getpeername(2); OSError (ENOTCONN) without a peer."""
        return to_program(socket_of(self.file).getpeername())

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """``SocketAttribute``: family, local and remote address and port.

        Not ``raw_socket``: behind a simulated socket there is none, and a native one is
        asyncipc's own.
        """
        attributes: dict[Any, Callable[[], Any]] = {
            SocketAttribute.family: lambda: socket.AddressFamily(socket_of(self.file).family),
            SocketAttribute.local_address: lambda: _without_scope(self.name()),
        }
        if socket_of(self.file).family != AF_UNIX:
            attributes[SocketAttribute.local_port] = lambda: self.name()[1]
        try:
            peer = self.peer()
        except OSError:
            return attributes
        attributes[SocketAttribute.remote_address] = lambda: _without_scope(peer)
        if isinstance(peer, tuple):
            attributes[SocketAttribute.remote_port] = lambda: peer[1]
        return attributes

    @property
    def _raw_socket(self) -> socket.socket:
        raise Unsupported("asyncipc shows no socket.socket behind a channel")


def _without_scope(name: Any) -> Any:
    """An address as anyio writes it: (host, port) in both families."""
    return name[:2] if isinstance(name, tuple) else name


@final
class SocketChannel(SocketLike, SendingHalf, ReceivingHalf, SocketStream):
    """One end of a connected stream socket: duplex, each half closes alone."""

    __slots__ = ()

    async def send_eof(self) -> None:
        """shutdown(2) of the sending half: the peer reads to the end, and may go on sending.

        Twice is once.  ClosedResourceError.
        """
        self.check_open()
        while True:
            try:
                await syscall("shutdown", self, self.file.shutdown, SHUT_WR)
            except InterruptedError:
                self.check_open()
                continue
            except OSError as error:
                translate(error)
            self._sent_eof = True
            return

    async def send_fds(self, message: bytes, fds: Collection[int | IOBase]) -> None:
        """sendmsg(2): ``message`` with descriptors, as anyio's ``UNIXSocketStream``.

        ``fds``: numbers of this process, which keeps its own.  They go with the
        first bytes, and stay open until the peer receives them, whatever becomes
        of the sender.  Blocks, fails and is cancelled as ``send``; OSError (EBADF,
        EINVAL) if they cannot be sent, Unsupported over TCP.
        """
        if not message:
            raise ValueError("message must not be empty")
        if not fds:
            raise ValueError("fds must not be empty")
        numbers = [fd if isinstance(fd, int) else fd.fileno() for fd in fds]
        self._check_unix()
        sending = Sending(self.file, self._owner.process, (rights(numbers),))
        data: Buffer = message
        try:
            sending.begin()
            while len(data):
                data = memoryview(data)[await self._send_some(sending, data) :]
        finally:
            sending.over()

    async def _send_some(self, sending: Sending, data: Buffer) -> int:
        self.check_open()
        try:
            return await syscall("sendmsg", self, LongWrite(sending, data, 0))
        except InterruptedError:
            return 0
        except (OSError, ClosedMeanwhile) as error:
            self._failed(error)

    async def receive_fds(self, msglen: int, maxfds: int) -> tuple[bytes, list[int]]:
        """recvmsg(2): up to ``msglen`` bytes, and up to ``maxfds`` descriptors that came along.

        The numbers are new, and this process has to close them; more than that
        is dropped.  Blocks, fails and is cancelled as ``receive``.  ValueError;
        Unsupported over TCP.
        """
        if not isinstance(msglen, int) or msglen < 0:
            raise ValueError("msglen must be a non-negative integer")
        if not isinstance(maxfds, int) or maxfds < 1:
            raise ValueError("maxfds must be a positive integer")
        self._check_unix()
        own, process, room = socket_of(self.file), self._owner.process, cmsg_len(4 * maxfds)

        def verb(size: int, flags: int) -> Message | WouldBlock:
            return own.recvmsg(size, flags, ControlRoom(process, room, MSG_CMSG_CLOEXEC))

        while True:
            try:
                message = await syscall("recvmsg", self, verb, msglen, 0)
            except InterruptedError:
                self.check_open()
                continue
            except (OSError, ClosedMeanwhile) as error:
                translate(error)
            if not message.data and not message.ancillary:
                raise EndOfStream
            return message.data, descriptors_in(message.ancillary)

    def _check_unix(self) -> None:
        self.check_open()
        if socket_of(self.file).family != AF_UNIX:
            raise Unsupported("descriptors travel over UNIX sockets only")


def create_socketpair() -> tuple[SocketChannel, SocketChannel]:
    """socketpair(2): two connected UNIX stream sockets, as channels.

    They own the two lowest free descriptors of this process.  EMFILE.
    """
    body = current()

    def make(family: int, kind: int) -> tuple[Descriptor, ...]:
        return body.process.table.open(*body.machine.socketpair(family, kind, 0), cloexec=True)

    one, other = call("socketpair", make, AF_UNIX, SOCK_STREAM)
    return SocketChannel(body, one), SocketChannel(body, other)


async def connect_unix(path: str | bytes | os.PathLike[str]) -> SocketChannel:
    """socket(2), connect(2): a stream to the UNIX listener at ``path``.

    bytes that begin with NUL are an abstract name.  Blocks while the backlog
    is full.  Under cancellation no socket is left.  Errors: FileNotFoundError,
    ConnectionRefusedError, PermissionError, OSError (EPROTOTYPE).
    """
    return await _connect(AF_UNIX, path)


async def connect_tcp(
    remote_host: str, remote_port: int, *, local_host: str | None = None
) -> SocketChannel:
    """socket(2), connect(2): a TCP stream to a host, by its number or name.

    ``local_host``: the address to come from.  The addresses of a name are tried one after
    another; the last one's error counts.  Blocks until the handshake is
    over.  Under cancellation no socket is left.  Errors: ConnectionRefusedError, TimeoutError,
    OSError (EADDRNOTAVAIL, ENETUNREACH, EHOSTUNREACH), socket.gaierror.
    """
    local = None if local_host is None else (local_host, 0)
    *others, last = await hosts_to_try(remote_host)
    for host in others:
        with suppress(OSError):
            return await _connect(family_of_host(host), (host, remote_port), local)
    return await _connect(family_of_host(last), (last, remote_port), local)


def family_of_host(host: str) -> int:
    """AF_INET6 for an IPv6 number, AF_INET for all else."""
    return AF_INET6 if ":" in canonical(host, AF_INET) else AF_INET


async def _connect(
    family: int, address: ProgramAddress, local: ProgramAddress | None = None
) -> SocketChannel:
    channel = new_socket(SocketChannel, family, SOCK_STREAM)
    try:
        if local is not None:
            bind(channel, local)
        await connect(channel, address)
    except BaseException:
        channel.close()
        raise
    return channel


# -- steps that all socket channels share


def new_socket(
    channel: Callable[[Body, Descriptor], AnySocket], family: int, kind: int
) -> AnySocket:
    """socket(2), as a channel of the given class."""
    body = current()

    def make(family: int, kind: int, protocol: int) -> Descriptor:
        table = body.process.table
        table.check_room()
        return table.open(body.machine.socket(family, kind, protocol), cloexec=True)[0]

    return channel(body, call("socket", make, family, kind, 0))


def bind(channel: SocketLike, address: ProgramAddress) -> None:
    """bind(2)"""
    own, process = socket_of(channel.file), current().process
    name = to_kernel(address, own.family)
    call("bind", lambda fd, _: own.bind(process, name), channel.fd, address)


def switch_on(channel: SocketLike, option: int) -> None:
    """setsockopt(2) of a switch at the level SOL_SOCKET."""
    own = socket_of(channel.file)

    def change(fd: int, level: int, option: int, value: int) -> None:
        own.setsockopt(level, option, value)

    call("setsockopt", change, channel.fd, SOL_SOCKET, option, 1)


async def connect(channel: SocketLike, address: ProgramAddress) -> None:
    """connect(2), again after a handled signal: it has gone on meanwhile."""
    own, process = socket_of(channel.file), current().process
    name = to_kernel(address, own.family)
    while True:
        try:
            return await syscall("connect", channel, connector(own, process, name), address)
        except InterruptedError:
            channel.check_open()
        except ClosedMeanwhile:
            raise ClosedResourceError from None
