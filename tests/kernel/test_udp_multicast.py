"""Groups on a host whose one interface is the loopback, as measured there."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from asyncipc.kernel.ip.address import packed4
from asyncipc.kernel.ip.options import (
    IP_ADD_MEMBERSHIP,
    IP_DROP_MEMBERSHIP,
    IP_MULTICAST_ALL,
    IP_MULTICAST_IF,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_JOIN_GROUP,
    IPV6_LEAVE_GROUP,
    IPV6_MULTICAST_IF,
)
from asyncipc.kernel.sockets.address import Inet6Address, InetAddress
from asyncipc.kernel.sockets.options import SO_REUSEADDR
from asyncipc.kernel.sockets.socket import Message
from asyncipc.kernel.udp.socket import UdpSocket
from tests.kernel.helpers import failure, refused
from tests.kernel.udp import Host

GROUP = "239.1.2.3"
LO = "127.0.0.1"


def mreq(group: str, address: str = LO) -> bytes:
    return packed4(group) + packed4(address)


def mreqn(group: str, address: str, index: int) -> bytes:
    return mreq(group, address) + index.to_bytes(4, "little")


def mreq6(group: str, index: int) -> bytes:
    return IPv6Address(group).packed + index.to_bytes(4, "little")


def join(socket: UdpSocket, value: int | bytes = mreq(GROUP)) -> str:
    return failure(socket.setsockopt, IPPROTO_IP, IP_ADD_MEMBERSHIP, value)


def leave(socket: UdpSocket, value: int | bytes = mreq(GROUP)) -> str:
    return failure(socket.setsockopt, IPPROTO_IP, IP_DROP_MEMBERSHIP, value)


def through(socket: UdpSocket, value: int | bytes) -> str:
    return failure(socket.setsockopt, IPPROTO_IP, IP_MULTICAST_IF, value)


def test_a_group_is_joined_once_and_left_once() -> None:
    socket = Host().socket()
    assert [join(socket), join(socket)] == ["no error", "EADDRINUSE"]
    assert join(socket, mreqn(GROUP, "0.0.0.0", 1)) == "EADDRINUSE"
    assert [leave(socket), leave(socket)] == ["no error", "EADDRNOTAVAIL"]


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (mreq("239.9.9.9", "0.0.0.0"), "ENODEV"),
        (mreq("239.9.9.9", "10.0.0.1"), "ENODEV"),
        (mreqn("239.9.9.9", "0.0.0.0", 9), "ENODEV"),
        (mreqn("239.9.9.9", "10.0.0.1", 1), "no error"),
        (mreq("239.9.9.9", "127.0.0.5"), "no error"),
        (mreq("10.0.0.1"), "EINVAL"),
        (mreq("255.255.255.255"), "EINVAL"),
        (b"ab", "EINVAL"),
        (5, "EINVAL"),
    ],
)
def test_joining_names_a_group_and_an_interface(value: int | bytes, outcome: str) -> None:
    assert join(Host().socket(), value) == outcome


def test_leaving_names_the_interface_as_joining_did() -> None:
    socket = Host().socket()
    join(socket, mreqn(GROUP, "10.0.0.1", 1))
    assert leave(socket, mreq(GROUP, "0.0.0.0")) == "ENODEV"
    assert leave(socket, mreq(GROUP, "10.0.0.9")) == "EADDRNOTAVAIL"
    assert leave(socket, mreqn(GROUP, LO, 9)) == "EADDRNOTAVAIL"
    assert leave(socket, mreq(GROUP, "10.0.0.1")) == "no error"
    join(socket, mreqn(GROUP, "10.0.0.1", 1))
    assert leave(socket, mreq(GROUP, LO)) == "no error"  # it is of the same interface
    join(socket)
    assert leave(socket, mreqn(GROUP, "0.0.0.0", 1)) == "no error"
    assert leave(socket, b"ab") == "EINVAL"


def test_a_socket_has_room_for_twenty_groups() -> None:
    socket = Host().socket()
    for last in range(20):
        assert join(socket, mreq(f"239.0.0.{last}")) == "no error"
    assert join(socket, mreq("239.0.0.20")) == "ENOBUFS"
    assert join(socket, mreq("239.0.0.1")) == "EADDRINUSE"


def test_the_outgoing_interface_is_told_by_its_address() -> None:
    socket = Host().socket()

    def told() -> object:
        return socket.getsockopt(IPPROTO_IP, IP_MULTICAST_IF)

    assert told() in {0, bytes(4)}
    for value, address in (
        (packed4(LO), LO),
        (bytes(4), "0.0.0.0"),
        (mreq("0.0.0.0", "127.0.0.5"), "127.0.0.5"),
        (mreqn(GROUP, "0.0.0.0", 1), "0.0.0.0"),
        (int.from_bytes(packed4(LO), "little"), LO),
    ):
        assert through(socket, value) == "no error"
        assert told() == packed4(address)
    assert through(socket, packed4("10.0.0.1")) == "EADDRNOTAVAIL"
    assert through(socket, mreqn(GROUP, "0.0.0.0", 9)) == "EADDRNOTAVAIL"
    assert through(socket, b"ab") == "EINVAL"


@pytest.mark.parametrize(
    ("interface", "bound", "source"),
    [
        (packed4(LO), None, LO),
        (packed4("127.0.0.5"), None, "127.0.0.5"),
        (mreqn(GROUP, "0.0.0.0", 1), None, "0.0.0.0"),
        (None, "127.0.0.7", "127.0.0.7"),
    ],
)
def test_a_group_is_reached_through_an_interface_or_from_a_bound_address(
    interface: bytes | None, bound: str | None, source: str
) -> None:
    host = Host()
    receiver = host.bound("0.0.0.0")
    join(receiver)
    sender = host.bound(bound) if bound else host.socket()
    if interface is not None:
        through(sender, interface)
    sender.setsockopt(IPPROTO_IP, IP_MULTICAST_LOOP, 0)  # matters on a real network only
    sender.setsockopt(IPPROTO_IP, IP_MULTICAST_TTL, 0)
    host.send(sender, b"x", InetAddress(GROUP, receiver.port))
    message = receiver.recvmsg(9, 0)
    assert message == Message(b"x", 1, 0, InetAddress(source, sender.port))
    sender.connect(host.process, InetAddress(GROUP, receiver.port))
    assert sender.getsockname() == InetAddress(source, sender.port)
    sender.send(b"y", 0)
    assert receiver.recv(9, 0) == b"y"


def test_every_wildcard_socket_of_the_port_hears_a_group_that_anybody_joined() -> None:
    host = Host()
    one = host.bound("0.0.0.0", options=(SO_REUSEADDR,))
    two = host.bound("0.0.0.0", port=one.port, options=(SO_REUSEADDR,))
    member = host.socket()
    sender = host.bound()
    group = InetAddress(GROUP, one.port)
    host.send(sender, b"nobody", group)
    join(member)
    host.send(sender, b"all", group)
    two.setsockopt(IPPROTO_IP, IP_MULTICAST_ALL, 0)
    host.send(sender, b"only one", group)
    join(two)
    host.send(sender, b"both", group)
    member.drop()
    leave(two)
    host.send(sender, b"nobody", group)
    assert [one.recv(9, 0) for _ in range(3)] == [b"all", b"only one", b"both"]
    assert [two.recv(9, 0) for _ in range(2)] == [b"all", b"both"]
    assert refused(one.recv, 9, 0)
    assert refused(two.recv, 9, 0)


def test_nobody_has_to_join_all_hosts() -> None:
    host = Host()
    receiver = host.bound("0.0.0.0")
    host.send(host.bound(), b"x", InetAddress("224.0.0.1", receiver.port))
    assert receiver.recv(9, 0) == b"x"


def test_a_socket_on_an_address_does_not_hear_its_group_and_one_on_the_group_does() -> None:
    host = Host()
    exact = host.bound(options=(SO_REUSEADDR,))
    join(exact)
    on_group = host.bound(GROUP, port=exact.port, options=(SO_REUSEADDR,))
    sender = host.bound()
    host.send(sender, b"x", InetAddress(GROUP, exact.port))
    assert on_group.recv(9, 0) == b"x"
    assert refused(exact.recv, 9, 0)
    host.send(on_group, b"y", sender)  # which comes from the route's address
    assert sender.recvmsg(9, 0) == Message(b"y", 1, 0, InetAddress(LO, on_group.port))


def test_nobody_is_refused_by_a_group() -> None:
    host = Host()
    sender = host.bound()
    sender.connect(host.process, InetAddress(GROUP, 9))
    assert [sender.send(b"x", 0), sender.send(b"y", 0)] == [1, 1]


def test_an_ipv6_socket_hears_ipv4_groups_that_it_joined_itself() -> None:
    host = Host()
    six = host.bound("::")
    sender = host.bound()
    join(host_member := host.socket())
    host.send(sender, b"unheard", InetAddress(GROUP, six.port))
    join(six)
    host.send(sender, b"x", InetAddress(GROUP, six.port))
    assert six.recvmsg(9, 0) == Message(b"x", 1, 0, Inet6Address("::ffff:127.0.0.1", sender.port))
    host_member.drop()


def test_ipv6_groups_can_be_joined_and_not_reached() -> None:
    host = Host()
    socket = host.socket_for("::")

    def change(option: int, group: str, index: int) -> str:
        return failure(socket.setsockopt, IPPROTO_IPV6, option, mreq6(group, index))

    assert change(IPV6_JOIN_GROUP, "ff15::7", 1) == "no error"
    assert change(IPV6_JOIN_GROUP, "ff15::7", 1) == "EADDRINUSE"
    assert change(IPV6_JOIN_GROUP, "ff15::8", 0) == "ENODEV"
    assert change(IPV6_JOIN_GROUP, "2001::1", 1) == "EINVAL"
    assert change(IPV6_LEAVE_GROUP, "ff15::7", 0) == "no error"
    assert change(IPV6_LEAVE_GROUP, "ff15::7", 1) == "EADDRNOTAVAIL"
    assert failure(socket.setsockopt, IPPROTO_IPV6, IPV6_JOIN_GROUP, b"ab") == "EINVAL"
    assert failure(socket.setsockopt, IPPROTO_IPV6, IPV6_MULTICAST_IF, 64) == "ENODEV"
    socket.setsockopt(IPPROTO_IPV6, IPV6_MULTICAST_IF, 1)
    assert socket.getsockopt(IPPROTO_IPV6, IPV6_MULTICAST_IF) == 1
    assert failure(host.send, socket, b"x", Inet6Address("ff15::7", 9)) == "ENETUNREACH"
