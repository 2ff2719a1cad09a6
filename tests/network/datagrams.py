"""UDP in the laboratory: sockets of hosts, what they send, and what has come to them."""

from __future__ import annotations

import errno
from collections.abc import Callable

from asyncipc.kernel.sockets.address import Inet6Address, InetAddress
from asyncipc.kernel.sockets.options import SO_BROADCAST, SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_INET6, MSG_DONTWAIT, SOCK_DGRAM, Message
from asyncipc.kernel.udp.socket import UdpSocket
from asyncipc.kernel.waitqueue import WouldBlock
from tests.network.lab import Host

Name = tuple[str, int]


def address(name: Name, *, six: bool = False) -> InetAddress | Inet6Address:
    return Inet6Address(*name) if six or ":" in name[0] else InetAddress(*name)


def udp6(host: Host, name: Name = ("::", 0)) -> UdpSocket:
    socket = host.kernel.socket(AF_INET6, SOCK_DGRAM, 0)
    assert isinstance(socket, UdpSocket)
    socket.hold()
    socket.bind(host.process, Inet6Address(*name))
    return socket


def bound(host: Host, name: Name) -> UdpSocket:
    if ":" in name[0]:
        return udp6(host, name)
    socket = unbound(host)
    socket.bind(host.process, InetAddress(*name))
    return socket


def unbound(host: Host) -> UdpSocket:
    socket = host.kernel.socket(2, SOCK_DGRAM, 0)
    assert isinstance(socket, UdpSocket)
    socket.hold()
    return socket


def broadcaster(host: Host, port: int = 0) -> UdpSocket:
    socket = host.udp(port)
    socket.setsockopt(SOL_SOCKET, SO_BROADCAST, 1)
    return socket


def send(host: Host, socket: UdpSocket, data: bytes, to: Name) -> None:
    six = socket.family == AF_INET6
    assert socket.sendto(data, 0, address(to, six=six), host.process) == len(data)


def received(socket: UdpSocket) -> list[tuple[bytes, str, int]]:
    """Everything that has come: data, and where from."""
    found = []
    while isinstance(message := socket.recvmsg(70_000, MSG_DONTWAIT), Message):
        assert isinstance(message.address, InetAddress | Inet6Address)
        found.append((message.data, message.address.host, message.address.port))
    return found


def outcome(call: Callable[[], object]) -> str:
    """The name of the errno that a call fails with."""
    try:
        result = call()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "would block" if isinstance(result, WouldBlock) else "no error"
