"""Broadcasts and multicasts: one send, and a copy over its own link to each who hears."""

from __future__ import annotations

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
    IPV6_MULTICAST_LOOP,
)
from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.udp.socket import UdpSocket
from asyncipc.network.internet.subnet import number
from asyncipc.network.links.conditions import Conditions
from tests.network.datagrams import bound, broadcaster, outcome, received, send, udp6
from tests.network.lab import Host, Lab

GROUP, GROUP6 = "239.1.1.1", "ff05::99"


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def hosts(lab: Lab) -> list[Host]:
    """Three of one subnet, the fourth of another."""
    return [
        lab.host("a", "10.0.0.1", "fd00::1"),
        lab.host("b", "10.0.0.2", "fd00::2"),
        lab.host("c", "10.0.0.3", "fd00::3"),
        lab.host("d", "10.0.1.4", "fd01::4"),
    ]


def mreq(group: str, address: str = "0.0.0.0", index: int = 0) -> bytes:
    return packed4(group) + packed4(address) + index.to_bytes(4, "little")


def mreq6(group: str, index: int = 0) -> bytes:
    return number(group).to_bytes(16, "big") + index.to_bytes(4, "little")


def join(socket: UdpSocket, group: str = GROUP, index: int = 0) -> None:
    if ":" in group:
        socket.setsockopt(IPPROTO_IPV6, IPV6_JOIN_GROUP, mreq6(group, index))
    else:
        socket.setsockopt(IPPROTO_IP, IP_ADD_MEMBERSHIP, mreq(group, index=index))


def heard(sockets: list[UdpSocket]) -> list[list[bytes]]:
    return [[data for data, _, _ in received(socket)] for socket in sockets]


# -- broadcast


@pytest.mark.parametrize("target", ["10.0.0.255", "255.255.255.255"])
def test_a_broadcast_reaches_every_host_of_the_subnet_and_the_sender(
    lab: Lab, hosts: list[Host], target: str
) -> None:
    servers = [host.udp(53) for host in hosts]
    client = broadcaster(hosts[0], 4000)
    send(hosts[0], client, b"all", (target, 53))
    assert heard(servers) == [[b"all"], [], [], []]
    lab.run()
    assert heard(servers) == [[], [b"all"], [b"all"], []]
    assert hosts[0].stack.counts.sent == 2


def test_a_broadcast_needs_so_broadcast(hosts: list[Host]) -> None:
    client = hosts[0].udp()
    for target in ("10.0.0.255", "255.255.255.255"):
        name = InetAddress(target, 53)
        assert outcome(lambda: client.sendto(b"x", 0, name, hosts[0].process)) == "EACCES"  # noqa: B023
        assert outcome(lambda: client.connect(hosts[0].process, name)) == "EACCES"  # noqa: B023


def test_a_broadcast_is_heard_at_the_wildcard_and_at_its_own_address_only(
    lab: Lab, hosts: list[Host]
) -> None:
    b = hosts[1]
    sockets = [b.udp(53), bound(b, ("10.0.0.255", 54)), bound(b, ("10.0.0.2", 55))]
    client = broadcaster(hosts[0])
    for port in (53, 54, 55):
        send(hosts[0], client, b"x", ("10.0.0.255", port))
    lab.run()
    assert heard(sockets) == [[b"x"], [b"x"], []]


def test_copies_travel_over_their_own_links(lab: Lab, hosts: list[Host]) -> None:
    near, far = hosts[1].udp(53), hosts[2].udp(53)
    lab.fabric.link("a", "c").conditions = Conditions(latency_ns=50_000_000)
    send(hosts[0], broadcaster(hosts[0]), b"x", ("10.0.0.255", 53))
    lab.run(until_s=0.01)
    assert heard([near, far]) == [[b"x"], []]
    lab.run()
    assert heard([far]) == [[b"x"]]


def test_a_stream_does_not_connect_to_a_broadcast_address(hosts: list[Host]) -> None:
    a = hosts[0]
    name = InetAddress("10.0.0.255", 80)
    assert outcome(lambda: a.tcp().connect(a.process, name)) == "ENETUNREACH"


def test_a_host_with_two_addresses_of_a_subnet_hears_once(lab: Lab, hosts: list[Host]) -> None:
    b = hosts[1]
    b.stack.attach("10.0.0.22")
    server = b.udp(53)
    send(hosts[0], broadcaster(hosts[0]), b"1", ("10.0.0.255", 53))
    lab.run()
    b.stack.detach("10.0.0.2")
    send(hosts[0], broadcaster(hosts[0]), b"2", ("10.0.0.255", 53))
    lab.run()
    assert heard([server]) == [[b"1", b"2"]]


# -- multicast


@pytest.mark.parametrize("group", [GROUP, GROUP6])
def test_a_group_reaches_the_hosts_that_have_joined_it(
    lab: Lab, hosts: list[Host], group: str
) -> None:
    everywhere = "::" if ":" in group else "0.0.0.0"
    servers = [bound(host, (everywhere, 53)) for host in hosts[:3]]
    join(servers[1], group)
    client = bound(hosts[0], (everywhere, 4000))
    send(hosts[0], client, b"x", (group, 53))
    lab.run()
    assert heard(servers) == [[], [b"x"], []]
    assert hosts[0].stack.counts.sent == 1


def test_a_group_is_keyed_by_its_port_too(lab: Lab, hosts: list[Host]) -> None:
    b = hosts[1]
    here, other = b.udp(53), b.udp(54)
    join(here)
    join(other)
    send(hosts[0], hosts[0].udp(), b"x", (GROUP, 53))
    lab.run()
    assert heard([here, other]) == [[b"x"], []]


@pytest.mark.parametrize("group", [GROUP, GROUP6])
def test_who_has_left_hears_no_more(lab: Lab, hosts: list[Host], group: str) -> None:
    everywhere = "::" if ":" in group else "0.0.0.0"
    server, client = bound(hosts[1], (everywhere, 53)), bound(hosts[0], (everywhere, 0))
    join(server, group)
    if ":" in group:
        server.setsockopt(IPPROTO_IPV6, IPV6_LEAVE_GROUP, mreq6(group))
    else:
        server.setsockopt(IPPROTO_IP, IP_DROP_MEMBERSHIP, mreq(group))
    send(hosts[0], client, b"x", (group, 53))
    assert hosts[0].stack.counts.sent == 0
    join(server, group)
    server.drop()
    send(hosts[0], client, b"x", (group, 53))
    assert hosts[0].stack.counts.sent == 0


@pytest.mark.parametrize("group", [GROUP, GROUP6])
def test_what_is_sent_comes_back_to_members_of_its_own_host_unless_loop_is_off(
    lab: Lab, hosts: list[Host], group: str
) -> None:
    everywhere = "::" if ":" in group else "0.0.0.0"
    here, there = (bound(host, (everywhere, 53)) for host in hosts[:2])
    join(here, group)
    join(there, group)
    client = bound(hosts[0], (everywhere, 0))
    send(hosts[0], client, b"1", (group, 53))
    client.setsockopt(IPPROTO_IP, IP_MULTICAST_LOOP, 0)
    if ":" in group:
        client.setsockopt(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)
    send(hosts[0], client, b"2", (group, 53))
    lab.run()
    assert heard([here, there]) == [[b"1"], [b"1", b"2"]]


@pytest.mark.parametrize(("ttl", "reached"), [(0, [1, 0, 0]), (1, [1, 1, 0]), (2, [1, 1, 1])])
def test_the_time_to_live_says_how_far_a_group_is_reached(
    lab: Lab, hosts: list[Host], ttl: int, reached: list[int]
) -> None:
    """0: the host; 1, the default: its subnet; more: all others, too."""
    servers = [hosts[place].udp(53) for place in (0, 1, 3)]
    for server in servers:
        join(server)
    client = hosts[0].udp()
    client.setsockopt(IPPROTO_IP, IP_MULTICAST_TTL, ttl)
    send(hosts[0], client, b"x", (GROUP, 53))
    lab.run()
    assert [len(found) for found in heard(servers)] == reached


def test_every_host_is_in_the_group_of_all_hosts(lab: Lab, hosts: list[Host]) -> None:
    servers = [host.udp(53) for host in hosts]
    send(hosts[0], hosts[0].udp(), b"x", ("224.0.0.1", 53))
    lab.run()
    assert heard(servers) == [[b"x"], [b"x"], [b"x"], []]


def test_a_socket_that_has_not_joined_hears_what_its_host_has_unless_all_is_off(
    lab: Lab, hosts: list[Host]
) -> None:
    member, other = hosts[1].udp(54), hosts[1].udp(53)
    join(member)
    send(hosts[0], hosts[0].udp(), b"1", (GROUP, 53))
    lab.run()
    other.setsockopt(IPPROTO_IP, IP_MULTICAST_ALL, 0)
    send(hosts[0], hosts[0].udp(), b"2", (GROUP, 53))
    lab.run()
    assert heard([other]) == [[b"1"]]


def test_what_is_joined_on_the_network_is_not_heard_from_the_loopback(
    lab: Lab, hosts: list[Host]
) -> None:
    a = hosts[0]
    server, client = a.udp(53), a.udp()
    join(server)
    client.setsockopt(IPPROTO_IP, IP_MULTICAST_IF, packed4("127.0.0.1"))
    send(a, client, b"lo", (GROUP, 53))
    assert heard([server]) == [[]]
    join(server, index=1)
    send(a, client, b"lo", (GROUP, 53))
    assert heard([server]) == [[b"lo"]]
    assert a.stack.counts.sent == 0


def test_the_interface_for_groups_is_named_by_address_or_index(lab: Lab, hosts: list[Host]) -> None:
    a = hosts[0]
    a.stack.attach("10.9.0.1")
    server = hosts[1].udp(53)
    join(server)
    client = a.udp(4000)
    client.setsockopt(IPPROTO_IP, IP_MULTICAST_IF, packed4("10.9.0.1"))
    send(a, client, b"1", (GROUP, 53))
    client.setsockopt(IPPROTO_IP, IP_MULTICAST_IF, mreq(GROUP, index=2))
    send(a, client, b"2", (GROUP, 53))
    lab.run()
    assert received(server) == [(b"1", "10.9.0.1", 4000), (b"2", "10.0.0.1", 4000)]
    foreign = packed4("10.0.0.2")
    assert (
        outcome(lambda: client.setsockopt(IPPROTO_IP, IP_MULTICAST_IF, foreign)) == "EADDRNOTAVAIL"
    )


def test_ipv6_groups_are_not_reached_by_the_loopback(hosts: list[Host]) -> None:
    """As measured: it has no route for them."""
    client = udp6(hosts[0])
    client.setsockopt(IPPROTO_IPV6, IPV6_MULTICAST_IF, 1)
    assert outcome(lambda: send(hosts[0], client, b"x", (GROUP6, 53))) == "ENETUNREACH"
    client.setsockopt(IPPROTO_IPV6, IPV6_MULTICAST_IF, 2)
    assert outcome(lambda: send(hosts[0], client, b"x", (GROUP6, 53))) == "no error"


def test_interfaces_that_are_not_there_cannot_be_joined(lab: Lab, hosts: list[Host]) -> None:
    socket = hosts[0].udp()
    assert outcome(lambda: join(socket, index=3)) == "ENODEV"
    assert outcome(lambda: join(udp6(hosts[0]), GROUP6, 3)) == "ENODEV"
    assert outcome(lambda: join(socket)) == "no error"
    assert outcome(lambda: join(socket, index=2)) == "EADDRINUSE"
    assert outcome(lambda: join(socket, index=1)) == "no error"
    only_ipv6 = lab.host("e", "fd00::5")
    assert outcome(lambda: join(only_ipv6.udp())) == "ENODEV"
    assert outcome(lambda: join(only_ipv6.udp(), index=2)) == "no error"


def test_a_group_of_ipv6_of_the_link_stays_in_the_subnet(lab: Lab, hosts: list[Host]) -> None:
    servers = [udp6(hosts[place], ("::", 53)) for place in (1, 3)]
    for server in servers:
        join(server, "ff02::99")
    send(hosts[0], udp6(hosts[0]), b"x", ("ff02::99", 53))
    lab.run()
    assert heard(servers) == [[b"x"], []]
