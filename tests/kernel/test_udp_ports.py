"""Who may be bound where, and who gets what."""

from __future__ import annotations

import pytest

from asyncipc.kernel.ip.address import EPHEMERAL_PORTS
from asyncipc.kernel.ip.options import IPPROTO_IPV6, IPV6_V6ONLY
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.sockets.address import Address, Inet6Address, InetAddress
from asyncipc.kernel.sockets.options import SO_BROADCAST, SO_REUSEADDR, SO_REUSEPORT, SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_INET6, MSG_DONTWAIT, Message
from tests.kernel.helpers import failure, refused
from tests.kernel.udp import Host

LOOPBACK = "127.0.0.1"


def test_an_automatic_port_is_free_and_not_given_again_at_once() -> None:
    host = Host()
    ports = []
    for _ in range(3):
        socket = host.bound()
        ports.append(socket.port)
        socket.drop()
    assert ports == list(EPHEMERAL_PORTS[:3])


def test_when_no_port_is_left_bind_and_send_say_so() -> None:
    host = Host()
    for _ in EPHEMERAL_PORTS:
        host.bound()
    socket = host.socket()
    assert failure(socket.bind, host.process, InetAddress(LOOPBACK, 0)) == "EADDRINUSE"
    assert failure(socket.send, b"x", 0) == "EAGAIN"
    host.bound("127.0.0.2")  # of another address there are enough


def test_bind_refuses_in_the_kernels_order() -> None:
    host = Host()
    socket = host.socket()

    def bind(name: str, port: int = 0) -> str:
        return failure(socket.bind, host.process, InetAddress(name, port))

    assert bind("10.0.0.1") == "EADDRNOTAVAIL"
    assert failure(socket.bind, host.process, b"/a/path") == "EAFNOSUPPORT"
    assert failure(socket.bind, host.process, Inet6Address("::1", 0)) == "EAFNOSUPPORT"
    host.process.uid = 1000
    assert [bind(LOOPBACK, port) for port in (1, 1023)] == ["EACCES", "EACCES"]
    assert bind(LOOPBACK, 1024) == "no error"
    assert bind("10.0.0.1") == "EADDRNOTAVAIL"
    assert bind(LOOPBACK) == "EINVAL"


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ((), (), "EADDRINUSE"),
        ((SO_REUSEADDR,), (), "EADDRINUSE"),
        ((SO_REUSEADDR,), (SO_REUSEADDR,), "no error"),
        ((SO_REUSEPORT,), (SO_REUSEADDR,), "EADDRINUSE"),
        ((SO_REUSEPORT,), (SO_REUSEPORT,), "no error"),
    ],
)
def test_a_port_is_shared_if_both_agree(
    first: tuple[int, ...], second: tuple[int, ...], outcome: str
) -> None:
    host = Host()
    one = host.bound("0.0.0.0", options=first)
    other = host.socket(options=second)
    assert failure(other.bind, host.process, InetAddress(LOOPBACK, one.port)) == outcome


def test_another_user_does_not_share_a_port() -> None:
    host = Host()
    one = host.bound(options=(SO_REUSEPORT,))
    host.process.uid = 1000
    other = host.socket(options=(SO_REUSEPORT,))
    assert failure(other.bind, host.process, InetAddress(LOOPBACK, one.port)) == "EADDRINUSE"


@pytest.mark.parametrize(
    ("one", "other", "v6only", "outcome"),
    [
        ("::", "0.0.0.0", False, "EADDRINUSE"),
        ("0.0.0.0", "::", False, "EADDRINUSE"),
        ("::", "127.0.0.1", False, "EADDRINUSE"),
        ("::1", "0.0.0.0", False, "no error"),
        ("0.0.0.0", "::1", False, "no error"),
        ("::", "::1", False, "EADDRINUSE"),
        ("::", "0.0.0.0", True, "no error"),
        ("0.0.0.0", "::", True, "no error"),
        ("::", "127.0.0.1", True, "no error"),
        ("::1", "::", True, "EADDRINUSE"),
        ("::ffff:127.0.0.1", "127.0.0.1", False, "EADDRINUSE"),
        ("::ffff:127.0.0.1", "127.0.0.2", False, "no error"),
        ("::ffff:127.0.0.1", "0.0.0.0", False, "EADDRINUSE"),
        ("127.0.0.1", "127.0.0.2", False, "no error"),
    ],
)
def test_wildcards_meet_all_of_their_family_and_the_ipv6_one_ipv4_too(
    one: str, other: str, v6only: bool, outcome: str
) -> None:
    host = Host()
    first, second = host.socket_for(one), host.socket_for(other)
    for socket, name in ((first, one), (second, other)):
        if v6only and name == "::":
            socket.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
    first.bind(host.process, host.name(one, 0))
    assert failure(second.bind, host.process, host.name(other, first.port)) == outcome


def test_the_last_bound_gets_what_comes_until_it_closes() -> None:
    host = Host()
    first = host.bound(options=(SO_REUSEADDR,))
    last = host.bound(port=first.port, options=(SO_REUSEADDR,))
    sender = host.socket()
    host.send(sender, b"x", first)
    assert [refused(first.recv, 9, 0), last.recv(9, 0)] == [True, b"x"]
    last.drop()
    host.send(sender, b"y", first)
    assert first.recv(9, 0) == b"y"


def test_a_remembered_way_ends_with_a_better_receiver() -> None:
    host = Host()
    wildcard = host.bound("0.0.0.0", options=(SO_REUSEADDR,))
    sender = host.connected(InetAddress(LOOPBACK, wildcard.port))
    for _ in range(2):
        sender.send(b"x", 0)
    assert [wildcard.recv(9, 0), wildcard.recv(9, 0)] == [b"x", b"x"]
    exact = host.bound(port=wildcard.port, options=(SO_REUSEADDR,))
    sender.send(b"y", 0)
    assert [exact.recv(9, 0), refused(wildcard.recv, 9, 0)] == [b"y", True]


def test_who_is_connected_to_the_sender_beats_the_last_bound() -> None:
    host = Host()
    friend = host.bound()
    first = host.bound(options=(SO_REUSEADDR,))
    first.connect(host.process, friend.getsockname())
    last = host.bound(port=first.port, options=(SO_REUSEADDR,))
    host.send(friend, b"x", first)
    host.send(host.bound(), b"y", first)
    assert [first.recv(9, 0), last.recv(9, 0)] == [b"x", b"y"]


def test_ipv4_datagrams_go_to_an_ipv4_wildcard_before_an_ipv6_one() -> None:
    host = Host()
    four = host.bound("0.0.0.0", options=(SO_REUSEADDR,))
    six = host.bound("::", port=four.port, options=(SO_REUSEADDR,))
    sender = host.bound()
    host.send(sender, b"x", four)
    assert four.recv(9, 0) == b"x"
    four.drop()
    host.send(sender, b"y", InetAddress(LOOPBACK, six.port))
    message = six.recvmsg(9, 0)
    assert message == Message(b"y", 1, 0, Inet6Address("::ffff:127.0.0.1", sender.port))


def test_reuseport_spreads_senders_and_keeps_each_at_its_receiver() -> None:
    host = Host()
    first = host.bound(options=(SO_REUSEPORT,))
    group = [first, *(host.bound(port=first.port, options=(SO_REUSEPORT,)) for _ in range(3))]
    for _ in range(40):
        sender = host.bound()
        for data in (b"one", b"two"):
            host.send(sender, data, first)
    heard = []
    for socket in group:
        heard.append(0)
        while isinstance(one := socket.recv(9, MSG_DONTWAIT), bytes):
            assert (one, socket.recv(9, 0)) == (b"one", b"two")
            heard[-1] += 1
    assert sum(heard) == 40
    assert all(heard)


def test_a_broadcast_reaches_all_on_the_wildcard_and_none_on_an_address() -> None:
    host = Host()
    shared = (SO_REUSEADDR,)
    one = host.bound("0.0.0.0", options=shared)
    two = host.bound("0.0.0.0", port=one.port, options=shared)
    six = host.bound("::", port=one.port, options=shared)
    exact = host.bound(port=one.port, options=shared)
    stranger = host.bound("0.0.0.0", port=one.port, options=shared)
    stranger.connect(host.process, InetAddress(LOOPBACK, 9))
    sender = host.socket()
    everybody = InetAddress("127.255.255.255", one.port)
    assert failure(host.send, sender, b"x", everybody) == "EACCES"
    assert failure(sender.connect, host.process, everybody) == "EACCES"
    sender.setsockopt(SOL_SOCKET, SO_BROADCAST, 1)
    host.send(sender, b"x", everybody)
    assert [socket.recv(9, 0) for socket in (one, two, six)] == [b"x"] * 3
    assert refused(exact.recv, 9, 0)
    assert refused(stranger.recv, 9, 0)


def test_the_limited_broadcast_needs_a_bound_sender() -> None:
    host = Host()
    receiver = host.bound("0.0.0.0")
    everybody = InetAddress("255.255.255.255", receiver.port)
    sender = host.socket(options=(SO_BROADCAST,))
    assert failure(host.send, sender, b"x", everybody) == "ENETUNREACH"
    host.send(host.bound(options=(SO_BROADCAST,)), b"x", everybody)
    assert receiver.recv(9, 0) == b"x"


@pytest.mark.parametrize(
    "address",
    [
        InetAddress("10.0.0.1", 9),
        InetAddress("239.1.1.1", 9),
        InetAddress("240.0.0.1", 9),
        Inet6Address("2001:db8::1", 9),
        Inet6Address("ff02::1", 9),
        Inet6Address("::ffff:10.0.0.1", 9),
    ],
)
def test_what_no_interface_reaches_is_unreachable(address: Address) -> None:
    host = Host()
    socket = host.socket_for(address.host if not isinstance(address, bytes) else "")
    assert failure(host.send, socket, b"x", address) == "ENETUNREACH"
    assert socket.port  # and yet it has one now


def test_the_kinds_of_internet_socket_there_are() -> None:
    kernel = Kernel()

    def make(kind: int, protocol: int) -> str:
        return failure(kernel.socket, AF_INET6, kind, protocol)

    assert make(2, 17) == "no error"
    assert make(2, 6) == "EPROTONOSUPPORT"
    assert make(5, 0) == "ESOCKTNOSUPPORT"
    assert make(2, 300) == "EINVAL"
